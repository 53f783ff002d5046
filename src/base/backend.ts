/**
 * What a device must be able to do: hold bytes, copy them, and run kernels. It knows nothing about tensors or
 * operators. `src/backend/{wasm,cuda,meta}.ts` implement it.
 *
 * @module
 */
import type { Allocator } from "./allocator.ts";
import type { Device } from "./device.ts";

/** A kernel by name, with the resolved entry of each backend cached on it. */
export class Kernel {
  readonly name: string;
  /** The wasm export, once resolved. */
  wasm: ((args: number) => number) | null = null;
  /** The native library's entry, once resolved. */
  native: ((args: number) => number) | null = null;
  constructor(name: string) {
    this.name = name;
  }
}

/** One device. */
export interface Backend {
  readonly device: Device;
  /** False for `meta`: tensors have shapes and dtypes but no bytes. */
  readonly hasData: boolean;
  readonly allocator: Allocator;
  /** The most bytes that there can be, where that is known. */
  readonly maxBytes?: number | undefined;

  /** The argument area that `call` passes to a kernel: 8-byte slots seen as words and as doubles. */
  readonly argWords: Int32Array;
  readonly argDoubles: Float64Array;

  /** Gives the allocator at least `bytes` more, or returns false. */
  grow(bytes: number): boolean;

  /** Copies bytes out of the device. */
  read(address: number, bytes: number): Uint8Array<ArrayBuffer>;
  /** Copies bytes to the device. */
  write(address: number, bytes: Uint8Array): void;

  /** Runs a kernel on the argument area and returns its status. */
  call(kernel: Kernel): number;
  /** Runs `<kernel>_scratch` on the argument area: how much workspace the kernel wants. */
  scratchBytes(kernel: Kernel): number;
  /** The four numbers of the last failed kernel, and a text where the device has one. */
  errorInfo(): { info: number[]; text: string };

  /** Called before work of noticeable size, so that threads may be started. */
  expectWork(): void;
  /** Waits until everything launched has run. */
  synchronize(): void;
}
