/**
 * Launching structured kernels: writes an argument struct slot by slot (core/include/tc.h) and calls the kernel.
 *
 * ```ts
 * const k = begin(SOFTMAX, self.storage.backend);
 * k.i(kind); k.p(out); k.p(self); k.i(outer); k.i(n); k.i(inner);
 * k.run();
 * ```
 *
 * Addresses are taken when they are written; nothing that the launch uses can be evicted before it runs.
 *
 * @module
 */
import type { Backend } from "../base/backend.ts";
import { Kernel } from "../base/backend.ts";
import {
  differentDevices,
  IndexError,
  internalError,
  NotImplementedError,
  RuntimeError,
} from "../base/errors.ts";
import { LinAlgError } from "../base/errors.ts";
import { clock } from "../base/storage.ts";
import type { Tensor } from "../tensor.ts";

const HIGH = 4294967296;

/** A kernel by name; make one constant per kernel at module level. */
export function kernel(name: string): Kernel {
  return new Kernel(name);
}

/** Addresses of a tensor's first element on its device. */
export function addressOf(t: Tensor): number {
  const address = t.storage.resident() + t.offset * t.dtype.itemsize;
  if (address !== address) throw new BatchedOperandError();
  return address;
}

/** A kernel was given a sample of `torch.vmap`, whose bytes lie elsewhere: the call has to be made for each sample. */
export class BatchedOperandError extends Error {
  constructor() {
    super("a kernel was launched on a batched tensor");
  }
}

/** Writes one argument struct. There is one writer; a launch is finished before the next begins. */
class Launch {
  #kernel!: Kernel;
  #backend!: Backend;
  #words!: Int32Array;
  #doubles!: Float64Array;
  #slot = 0;

  open(k: Kernel, backend: Backend): this {
    clock.tick++;
    clock.busy = backend.hasData;
    this.#kernel = k;
    this.#backend = backend;
    this.#words = backend.argWords;
    this.#doubles = backend.argDoubles;
    this.#slot = 0;
    return this;
  }

  /** An integer slot. */
  i(value: number): this {
    const at = this.#slot++ * 2;
    this.#words[at] = value;
    this.#words[at + 1] = Math.floor(value / HIGH);
    return this;
  }
  /** A floating slot. */
  d(value: number): this {
    this.#doubles[this.#slot++] = value;
    return this;
  }
  /** A boolean slot. */
  b(value: boolean): this {
    return this.i(value ? 1 : 0);
  }
  /** An address slot: a tensor's first element, 0 for null. */
  p(t: Tensor | null | undefined): this {
    if (t === null || t === undefined) return this.i(0);
    if (t.storage.backend !== this.#backend) throw differentDevices(this.#backend.device, t.device);
    const address = addressOf(t);
    // Loading evicted bytes may have grown the heap and replaced the argument views.
    this.#words = this.#backend.argWords;
    this.#doubles = this.#backend.argDoubles;
    return this.i(address);
  }
  /** Several integer slots. */
  list(values: readonly number[]): this {
    for (let k = 0; k < values.length; k++) this.i(values[k]!);
    return this;
  }
  /** Integers in a fixed-size array of `size` slots. */
  array(values: readonly number[], size: number, fill = 0): this {
    for (let k = 0; k < size; k++) this.i(k < values.length ? values[k]! : fill);
    return this;
  }
  /** A 64-bit integer slot that may be a bigint. */
  big(value: number | bigint): this {
    if (typeof value === "number") return this.i(value);
    const at = this.#slot++ * 2;
    this.#words[at] = Number(value & 0xffffffffn);
    this.#words[at + 1] = Number(value >> 32n);
    return this;
  }
  /** Goes to slot `n`. */
  at(n: number): this {
    this.#slot = n;
    return this;
  }

  /** Runs a kernel that needs no workspace. */
  run(): void {
    this.#finish(this.#backend.call(this.#kernel));
  }

  /** Runs a kernel whose first slot is `scratch`: asks for its size and lends the workspace. */
  runWithScratch(): void {
    const backend = this.#backend;
    if (!backend.hasData) return;
    const bytes = backend.scratchBytes(this.#kernel);
    if (bytes <= 0) {
      this.#words[0] = 0;
      this.#words[1] = 0;
      this.#finish(backend.call(this.#kernel));
      return;
    }
    const block = scratchBlock(backend, bytes);
    this.#words = backend.argWords;
    const address = backend.allocator.address(block);
    this.#words[0] = address;
    this.#words[1] = Math.floor(address / HIGH);
    let status: number;
    try {
      status = backend.call(this.#kernel);
    } finally {
      backend.allocator.free(block);
    }
    this.#finish(status);
  }

  #finish(status: number): void {
    clock.busy = false;
    if (status !== 0) throw kernelError(this.#kernel, status, this.#backend);
  }
}

const launch = new Launch();

/** Starts an argument struct for a kernel. */
export function begin(k: Kernel, backend: Backend): Launch {
  return launch.open(k, backend);
}

function scratchBlock(backend: Backend, bytes: number): number {
  let block = backend.allocator.alloc(bytes);
  if (block >= 0) return block;
  backend.grow(bytes);
  block = backend.allocator.alloc(bytes);
  if (block >= 0) return block;
  backend.allocator.flush();
  block = backend.allocator.alloc(bytes);
  if (block >= 0) return block;
  throw new RuntimeError(`${backend.device} out of memory: ${bytes} bytes of workspace could not be had`);
}

/** The error of a kernel status, in PyTorch's words where they are the same for every operator. */
export function kernelError(k: Kernel, status: number, backend: Backend): Error {
  const { info, text } = backend.errorInfo();
  switch (status) {
    case 1:
      return Object.assign(
        new IndexError(`index ${info[0]} is out of bounds for dimension ${info[3]} with size ${info[1]}`),
        { info },
      );
    case 2:
      return new NotImplementedError(`"${k.name.slice(3)}" not implemented for dtype code ${info[0]}`);
    case 3:
      return Object.assign(
        new RuntimeError(`${k.name.slice(3)}: a value is out of range (at position ${info[1]})`),
        {
          info,
        },
      );
    case 4:
      return Object.assign(new LinAlgError("The input matrix is singular."), { info });
    case 5:
      return Object.assign(new LinAlgError("The algorithm failed to converge."), { info });
    case 6:
      return new RuntimeError(text || "CUDA error");
    default:
      return internalError(`${k.name} returned status ${status}`);
  }
}
