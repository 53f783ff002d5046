/**
 * The CUDA backend: one per device, over the native library that `ffi/` opens. Nothing is loaded until somebody asks for
 * a CUDA device or whether there is one.
 *
 * Everything goes to the device's default stream, in order; only copies to the host wait. So what a kernel finds wrong
 * in its data (an index out of range) is reported by a later call: docs/cuda.md.
 *
 * @module
 */
import { Allocator } from "../base/allocator.ts";
import type { Backend, Kernel } from "../base/backend.ts";
import { Device } from "../base/device.ts";
import { IndexError, NotImplementedError, OutOfMemoryError, RuntimeError } from "../base/errors.ts";
import {
  DEVICE_ERROR,
  type Failure,
  NativeError,
  type NativeRuntime,
  openCuda,
  OUT_OF_MEMORY,
} from "../../ffi/mod.ts";
import { KERNELS, POINTWISE, STRUCTS } from "../_gen/kernels.ts";
import { installCuda } from "./registry.ts";

/** As much as the wasm core has: any struct many times over. */
const ARG_BYTES = 65536;
/** Statuses of core/include/tc.h. */
const INDEX_OUT_OF_RANGE = 1, UNSUPPORTED = 2;
/** Memory is taken from the driver in pieces of at least this much, in multiples of GRAIN. */
const SEGMENT = 32 * 1024 * 1024;
const GRAIN = 2 * 1024 * 1024;
/** Left free at the end of a piece, so that two pieces never touch and can be given back one by one. */
const GAP = 256;

/** The native library and what is common to all devices: made when CUDA is first used. */
class Shared {
  readonly runtime: NativeRuntime;
  /** The argument area. One serves all devices: a launch is written and run before the next begins. */
  readonly args = new Uint8Array(ARG_BYTES);
  readonly backends: (CudaBackend | undefined)[] = [];
  /** The device that the library works on now. */
  active = -1;
  /** The device that "cuda" without a number means: `torch.cuda.current_device()`. */
  current = 0;

  constructor(runtime: NativeRuntime) {
    this.runtime = runtime;
  }

  activate(index: number): void {
    if (this.active === index) return;
    this.runtime.setDevice(index);
    this.active = index;
  }
}

let shared: Shared | null = null;
let reason: string | null = null;

/** Where the library's lists and the generated ABI differ, or null: kernels would misread their arguments. */
function mismatch(runtime: NativeRuntime): string | null {
  const known: Readonly<Record<string, { args: keyof typeof STRUCTS }>> = KERNELS;
  for (const [name, { argBytes }] of runtime.kernels) {
    const struct = known[name]?.args;
    if (struct === undefined || STRUCTS[struct].slots * 8 !== argBytes) return name;
  }
  const names = Object.keys(POINTWISE);
  return runtime.pointwiseOps.find((op, i) => op !== names[i]) ?? null;
}

/** Opens CUDA if that has not been tried yet. */
function open(): Shared | null {
  if (shared !== null || reason !== null) return shared;
  const found = openCuda();
  const different = found.runtime === null ? null : mismatch(found.runtime);
  if (found.runtime === null) reason = found.reason;
  else if (different !== null) {
    reason =
      `${found.runtime.library.path} was built from other sources (${different} differs): build it again`;
  } else shared = new Shared(found.runtime);
  return shared;
}

function opened(): Shared {
  const state = open();
  if (state === null) throw new RuntimeError(`CUDA is not available: ${reason}`);
  return state;
}

/** Why CUDA cannot be used, one sentence; null if it can. */
export function whyUnavailable(): string | null {
  return open() === null ? reason : null;
}

/** The native library; throws if CUDA is not available. */
export function cudaRuntime(): NativeRuntime {
  return opened().runtime;
}

/** The backend of a CUDA device, the current one if `index` is null. */
export function cudaBackend(index: number | null): CudaBackend {
  const state = opened();
  const i = index ?? state.current;
  if (i >= state.runtime.info.deviceCount) throw new RuntimeError("CUDA error: invalid device ordinal");
  return state.backends[i] ??= new CudaBackend(state, i);
}

/** The number of the device that "cuda" means. */
export function currentDevice(): number {
  return opened().current;
}

/** Makes a device the one that "cuda" means; returns the one before. */
export function setCurrentDevice(index: number): number {
  const state = opened();
  if (index >= state.runtime.info.deviceCount) throw new RuntimeError("CUDA error: invalid device ordinal");
  const before = state.current;
  state.current = index;
  return before;
}

/** Kernels whose index is a class label: PyTorch calls it a target. */
const LABELS = /^tc_(nll|cross_entropy)/;

/**
 * A failure of the library as PyTorch would raise it. `failure.kernel` is the kernel that found something on the device,
 * some time ago; `called` the one that refused just now.
 */
export function deviceError(status: number, failure: Failure, called: Kernel | null = null): Error {
  const { info, text, kernel } = failure;
  if (status === DEVICE_ERROR) {
    return info[0] === OUT_OF_MEMORY
      ? new OutOfMemoryError(`CUDA out of memory: ${text}`)
      : new RuntimeError(`CUDA error: ${text}`);
  }
  const name = (kernel ?? called?.name ?? "tc_kernel").slice(3);
  if (status === UNSUPPORTED) {
    return new NotImplementedError(
      `"${name}" is not implemented on CUDA yet for dtype code ${info[0]} and operation ${info[1]}: ` +
        "move its tensors to the CPU with .cpu()",
    );
  }
  const found = `(found on the device by ${name})`;
  if (status === INDEX_OUT_OF_RANGE) {
    return new IndexError(
      LABELS.test(kernel ?? "")
        ? `Target ${info[0]} is out of bounds. ${found}`
        : `index ${info[0]} is out of bounds for dimension ${info[3]} with size ${info[1]} ${found}`,
    );
  }
  return new RuntimeError(`CUDA error: a value is out of range at position ${info[1]} ${found}`);
}

/** Runs `f`; errors of the library become PyTorch's. */
export function translated<T>(f: () => T): T {
  try {
    return f();
  } catch (error) {
    throw error instanceof NativeError ? deviceError(error.status, error) : error;
  }
}

/** One CUDA device. */
export class CudaBackend implements Backend {
  readonly device: Device;
  readonly hasData = true;
  readonly allocator = new Allocator();
  readonly argWords: Int32Array;
  readonly argDoubles: Float64Array;
  readonly index: number;
  readonly #shared: Shared;
  /** The most that `allocator.reserved` has been. */
  peakReserved = 0;

  constructor(state: Shared, index: number) {
    this.#shared = state;
    this.index = index;
    this.device = new Device("cuda", index);
    this.argWords = new Int32Array(state.args.buffer);
    this.argDoubles = new Float64Array(state.args.buffer);
  }

  /** The library, working on this device. */
  get runtime(): NativeRuntime {
    this.#shared.activate(this.index);
    return this.#shared.runtime;
  }

  grow(bytes: number): boolean {
    // A little more than asked for: the block must fit after rounding to a bin.
    const needed = Math.ceil((bytes + (bytes >> 3) + 65536 + GAP) / GRAIN) * GRAIN;
    return this.#take(Math.max(needed, SEGMENT)) || this.#take(needed) ||
      (this.releaseFree() > 0 && this.#take(needed));
  }

  #take(bytes: number): boolean {
    let address: number;
    try {
      address = this.runtime.malloc(bytes);
    } catch (error) {
      if (error instanceof NativeError && error.info[0] === OUT_OF_MEMORY) return false;
      throw error instanceof NativeError ? deviceError(error.status, error) : error;
    }
    this.allocator.extend(address, bytes - GAP);
    this.peakReserved = Math.max(this.peakReserved, this.allocator.reserved);
    return true;
  }

  /** Gives memory that nothing uses back to the driver; returns how many bytes. */
  releaseFree(): number {
    let bytes = 0;
    for (const segment of this.allocator.takeFreeSegments()) {
      translated(() => this.runtime.free(segment.address));
      bytes += segment.bytes;
    }
    return bytes;
  }

  read(address: number, bytes: number): Uint8Array<ArrayBuffer> {
    const out = new Uint8Array(bytes);
    translated(() => this.runtime.copyFromDevice(out, address));
    return out;
  }
  write(address: number, bytes: Uint8Array): void {
    translated(() => this.runtime.copyToDevice(address, bytes));
  }
  zero(address: number, bytes: number): void {
    translated(() => this.runtime.fill(address, 0, bytes));
  }

  call(kernel: Kernel): number {
    this.#shared.activate(this.index);
    const status = (kernel.native ?? this.#resolve(kernel))(0);
    // Thrown here and not by the caller: what an earlier kernel found is not for the operator in progress to word.
    if (status !== 0) throw deviceError(status, this.#shared.runtime.failure(), kernel);
    return status;
  }

  #resolve(kernel: Kernel): (args: number) => number {
    const { runtime, args } = this.#shared;
    const f = runtime.kernels.has(kernel.name) ? runtime.library.statusFunction(kernel.name) : undefined;
    if (f === undefined) throw noKernel(kernel);
    return kernel.native = () => f(args);
  }

  scratchBytes(kernel: Kernel): number {
    this.#shared.activate(this.index);
    let f = scratchFunctions.get(kernel);
    if (f === undefined) {
      const found = this.#shared.runtime.library.sizeFunction(`${kernel.name}_scratch`);
      if (found === undefined) throw noKernel(kernel);
      scratchFunctions.set(kernel, f = found);
    }
    return f(this.#shared.args);
  }

  errorInfo(): { info: number[]; text: string } {
    const { info, text } = this.runtime.failure();
    return { info: [...info], text: `CUDA error: ${text}` };
  }

  expectWork(): void {}

  synchronize(): void {
    translated(() => this.runtime.synchronize());
  }
}

const scratchFunctions = new Map<Kernel, (args: Uint8Array) => number>();

function noKernel(kernel: Kernel): Error {
  return new NotImplementedError(
    `${kernel.name.slice(3)} is not implemented on CUDA yet: move its tensors to the CPU with .cpu()`,
  );
}

installCuda(cudaBackend);
