/**
 * `torch.nn.DataParallel`: batches split over the GPUs of this process.
 *
 * @module
 */
import { cudaRuntime, whyUnavailable } from "../../backend/cuda.ts";
import { Device } from "../../base/device.ts";
import { RuntimeError, warnOnce } from "../../base/errors.ts";
import { cat, stack } from "../../ops/mod.ts";
import { Tensor } from "../../tensor.ts";
import { functional_call } from "../utils/stateless.ts";
import { Module } from "./module.ts";

/** A CUDA device by number, text or object. */
export type DeviceId = number | string | Device;

/** Options of {@linkcode DataParallel}. */
export interface DataParallelOptions {
  /** The devices; all by default. The module must be on the first. */
  device_ids?: readonly DeviceId[] | null;
  /** Where results come together; the first device by default. */
  output_device?: DeviceId | null;
  /** The dimension that batches are split along. */
  dim?: number;
}

function deviceOf(id: DeviceId): Device {
  const d = typeof id === "number" ? new Device("cuda", id) : id instanceof Device ? id : new Device(id);
  return d.type === "cuda" && d.index === null ? new Device("cuda", 0) : d;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/**
 * Splits tensors along `dim` among devices, also those inside of arrays and objects; everything else goes to all of
 * them. Small batches reach fewer devices.
 */
export function scatter<T>(inputs: T, target_gpus: readonly DeviceId[], dim = 0): T[] {
  const devices = target_gpus.map(deviceOf);
  const split = (value: unknown): unknown[] | null => {
    if (value instanceof Tensor) {
      return value.chunk(devices.length, dim).map((part, i) => part.to(devices[i]!));
    }
    if (Array.isArray(value) && value.length > 0) return all(value);
    if (isRecord(value) && Object.keys(value).length > 0) {
      const keys = Object.keys(value), parts = all(Object.values(value));
      return parts && parts.map((p) => Object.fromEntries(keys.map((key, i) => [key, p[i]])));
    }
    return null;
  };
  // Of several values the parts belong together; what cannot be split is in every part.
  const all = (values: readonly unknown[]): unknown[][] | null => {
    const parts = values.map(split), counts = parts.flatMap((p) => p === null ? [] : [p.length]);
    if (counts.length === 0) return null;
    return Array.from(
      { length: Math.min(...counts) },
      (_, i) => parts.map((p, k) => p === null ? values[k] : p[i]),
    );
  };
  return (split(inputs) ?? devices.map(() => inputs)) as T[];
}

/** Brings the results of several devices together on one, along `dim`. */
export function gather<T>(outputs: readonly T[], target_device: DeviceId, dim = 0): T {
  const device = deviceOf(target_device), first: unknown = outputs[0];
  if (first instanceof Tensor) {
    const parts = (outputs as readonly Tensor[]).map((t) => t.to(device));
    if (parts.every((t) => t.sizes.length === 0) && dim === 0) {
      warnOnce(
        "UserWarning",
        "Was asked to gather along dimension 0, but all input tensors were scalars; will instead unsqueeze and return a vector.",
      );
      return stack(parts) as T;
    }
    return cat(parts, dim) as T;
  }
  if (first === null || first === undefined) return first as T;
  if (Array.isArray(first)) {
    return first.map((_, i) =>
      gather((outputs as unknown as unknown[][]).map((o) => o[i]), device, dim)
    ) as T;
  }
  if (isRecord(first)) {
    const entries = Object.keys(first).map((key) => {
      if (!outputs.every((o) => key in (o as object))) {
        throw new Error("All dicts must have the same number of keys");
      }
      return [key, gather((outputs as Record<string, unknown>[]).map((o) => o[key]), device, dim)];
    });
    return Object.fromEntries(entries) as T;
  }
  throw new TypeError(
    `gather(): expected tensors, or arrays and objects of tensors, but got ${typeof first}`,
  );
}

function run(
  module: Module,
  input: readonly unknown[],
  devices: readonly Device[],
  output: Device,
  dim: number,
): unknown {
  const here = devices[0]!,
    state = [...module.named_parameters(), ...module.named_buffers()] as [string, Tensor][];
  for (const [, t] of state) {
    if (t.device.type !== "cuda" || (t.device.index ?? 0) !== here.index) {
      throw new RuntimeError(
        `module must have its parameters and buffers on device ${here} (device_ids[0]) but found one of them on device: ${t.device}`,
      );
    }
  }
  const parts = scatter(input, devices, dim);
  if (devices.length === 1 || parts.length === 1) return module.call(...parts[0]!);
  // One after another: work on a device goes on while the next one's is being given out. The first device works with the
  // module's own tensors, the others with copies, through which gradients come back; what becomes of their buffers is lost.
  const outputs = parts.map((part, i) =>
    i === 0
      ? module.call(...part)
      : functional_call(module, new Map(state.map(([name, t]) => [name, t.to(devices[i]!)])), part)
  );
  return gather(outputs, output, dim);
}

/**
 * Splits every batch over the GPUs, runs the module on each with its parameters of the moment, and brings the results
 * together. Without a GPU it just calls the module.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.DataParallel.html
 */
export class DataParallel<M extends Module = Module> extends Module {
  module: M;
  device_ids: number[];
  output_device: number | null = null;
  dim: number;

  constructor(module: M, options?: DataParallelOptions);
  constructor(
    module: M,
    device_ids?: readonly DeviceId[] | null,
    output_device?: DeviceId | null,
    dim?: number,
  );
  constructor(
    module: M,
    first: DataParallelOptions | readonly DeviceId[] | null = null,
    output: DeviceId | null = null,
    dim = 0,
  ) {
    super();
    const options: DataParallelOptions = isRecord(first)
      ? first as DataParallelOptions
      : { device_ids: first as readonly DeviceId[] | null, output_device: output, dim };
    this.module = module;
    this.dim = options.dim ?? 0;
    const there = whyUnavailable() === null ? cudaRuntime().info.deviceCount : 0;
    const ids = options.device_ids ?? Array.from({ length: there }, (_, i) => i);
    this.device_ids = there === 0 ? [] : ids.map((id) => deviceOf(id).index ?? 0);
    if (this.device_ids.length > 0) {
      this.output_device = deviceOf(options.output_device ?? this.device_ids[0]!).index ?? 0;
    }
  }

  override forward(...input: Parameters<M["forward"]>): ReturnType<M["forward"]> {
    if (this.device_ids.length === 0) return this.module.call(...input) as ReturnType<M["forward"]>;
    const devices = this.device_ids.map(deviceOf);
    return run(this.module, input, devices, deviceOf(this.output_device!), this.dim) as ReturnType<
      M["forward"]
    >;
  }
}

/** As {@linkcode DataParallel}, for one call. */
export function data_parallel(
  module: Module,
  inputs: unknown,
  device_ids: readonly DeviceId[] | null = null,
  output_device: DeviceId | null = null,
  dim = 0,
): unknown {
  const input = Array.isArray(inputs) ? inputs : [inputs];
  return new DataParallel(module, device_ids, output_device, dim).forward(...input);
}
