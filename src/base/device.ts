/**
 * Devices: where a tensor's bytes are.
 *
 * @module
 */
import { RuntimeError } from "./errors.ts";

export type DeviceType = "cpu" | "cuda" | "meta";

const TYPES = ["cpu", "cuda", "meta"];

/** A device: type and, for CUDA, an ordinal. `new Device("cuda:1")`, `new Device("cuda", 1)`. */
export class Device {
  readonly type: DeviceType;
  /** The ordinal, null where none was given (PyTorch's None). */
  readonly index: number | null;

  constructor(spec: string | Device, index?: number | null) {
    if (spec instanceof Device) {
      this.type = spec.type;
      this.index = index ?? spec.index;
      return;
    }
    const m = /^([a-z]+)(?::(\d+))?$/.exec(spec);
    if (!m) throw new RuntimeError(`Invalid device string: '${spec}'`);
    if (!TYPES.includes(m[1]!)) {
      throw new RuntimeError(
        `Expected one of cpu, cuda, meta device type at start of device string: ${m[1]}`,
      );
    }
    if (m[2] !== undefined && index !== undefined && index !== null) {
      throw new RuntimeError(
        `type (string) must not include an index because index was passed explicitly: ${spec}`,
      );
    }
    this.type = m[1] as DeviceType;
    this.index = m[2] !== undefined ? Number(m[2]) : index ?? null;
  }

  equals(other: Device): boolean {
    return this.type === other.type && this.index === other.index;
  }
  toString(): string {
    return this.index === null ? this.type : `${this.type}:${this.index}`;
  }
  /** Python's `repr`. */
  repr(): string {
    return this.index === null
      ? `device(type='${this.type}')`
      : `device(type='${this.type}', index=${this.index})`;
  }
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.repr();
  }
  [Symbol.for("Deno.customInspect")](): string {
    return this.repr();
  }
}

/** `torch.device("cuda", 0)`. */
export function device(spec: string | Device, index?: number | null): Device {
  return new Device(spec, index);
}

export const CPU: Device = new Device("cpu");
export const META: Device = new Device("meta");
