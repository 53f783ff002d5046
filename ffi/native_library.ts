/**
 * A native library with the kernel ABI of core/include/tc.h, as the two bridges (deno.ts, koffi.ts) open it.
 *
 * Every function of the library has one of three C signatures, so a bridge knows nothing about any kernel:
 *
 * - `int32_t f(args *)`: kernels and most of the runtime (ffi/cuda/tc_runtime.h);
 * - `int32_t f(args *, void *host)`: copies from and to memory of the program;
 * - `int64_t f(args *)`: `tc_<kernel>_scratch`.
 *
 * `args` is a struct of 8-byte slots in a Uint8Array. Device addresses are numbers: real ones lie below 2^53.
 *
 * @module
 */

/** As in ffi/cuda/tc_runtime.h. A library with another number is refused. */
export const ABI_VERSION = 1;

/** `int32_t f(args *)`; the result is a `tc_status`. */
export type StatusFunction = (args: Uint8Array) => number;
/** `int32_t f(args *, void *host)`. */
export type HostFunction = (args: Uint8Array, host: Uint8Array) => number;
/** `int64_t f(args *)`. */
export type SizeFunction = (args: Uint8Array) => number;

/** What a function of a library that is not ours takes and returns; handles and addresses are u64. */
export type ForeignType = "i32" | "u64" | "buffer";
export type ForeignFunction = (...args: (number | bigint | Uint8Array)[]) => number | bigint;

/** An open library. Looking up a function costs microseconds: keep what you looked up. */
export interface NativeLibrary {
  readonly path: string;
  /** A function of the first kind, or undefined if the library has none of that name. */
  statusFunction(name: string): StatusFunction | undefined;
  /** A function of the second kind. */
  hostFunction(name: string): HostFunction | undefined;
  /** A function of the third kind. */
  sizeFunction(name: string): SizeFunction | undefined;
  /** A function with a signature of its own: of a library that is not ours. */
  foreignFunction(
    name: string,
    parameters: readonly ForeignType[],
    result: "i32" | "u64",
  ): ForeignFunction | undefined;
  /** Where a buffer of the program lies, for slots that point to host memory. The buffer must be kept alive. */
  address(buffer: Uint8Array): number;
  /** Unloads the library; functions that were looked up must not be called any more. */
  close(): void;
}

/** Why the library cannot be used: one sentence for the user. */
export class LibraryError extends Error {
  override name = "LibraryError";
}
