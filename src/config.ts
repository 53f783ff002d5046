/**
 * Settings and facts: threads, memory, limits of dtypes, versions.
 *
 * @module
 */
import { cpuBackend } from "./backend/wasm.ts";
import { type DType, get_default_dtype, Kind } from "./base/dtype.ts";
import { RuntimeError } from "./base/errors.ts";
import { internal } from "./base/scope.ts";
import { holdings, mib } from "./base/holdings.ts";
import { listedStorages, setSoftLimit, softLimit, stats } from "./base/storage.ts";
import { Tensor } from "./tensor.ts";

/** The library's version. */
export const __version__ = "0.1.0";
export const version: { readonly tstorch: string; readonly torch: string } = {
  tstorch: __version__,
  torch: "1.13.1",
};

/** Is `x` a Tensor? */
export function is_tensor(x: unknown): x is Tensor {
  return x instanceof Tensor;
}
export function is_storage(_x: unknown): boolean {
  return false;
}
export function is_floating_point(input: Tensor): boolean {
  return input.dtype.kind === Kind.float;
}
export function is_complex(input: Tensor): boolean {
  return input.dtype.kind === Kind.complex;
}
export function is_nonzero(input: Tensor): boolean {
  return input.is_nonzero();
}
/** The number of elements. */
export function numel(input: Tensor): number {
  return input.numel();
}

/**
 * Sets how many threads kernels may use.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.set_num_threads.html
 */
export function set_num_threads(n: number): void {
  if (!Number.isInteger(n) || n <= 0) throw new RuntimeError("set_num_threads expects a positive integer");
  cpuBackend.core!.threads.setLimit(n);
}
/** How many threads kernels may use. */
export function get_num_threads(): number {
  return cpuBackend.core!.threads.info().limit;
}
export function get_num_interop_threads(): number {
  return 1;
}

/** What the library runs on, as text: build of the core, threads (and why not more), memory. */
export function show_config(): string {
  const core = cpuBackend.core!;
  const t = core.threads.info();
  const lines = [
    `tstorch ${__version__}`,
    `  - WebAssembly core: ${core.variant}`,
    `  - threads: ${t.count} in use, ${t.limit} wanted, ${t.max} possible${
      t.reason === null ? "" : ` (${t.reason})`
    }`,
    `  - heap: ${mib(core.byteLength)} of at most ${mib(core.maxByteLength)}`,
    `  - soft limit for unreferenced tensors: ${mib(softLimit())}`,
  ];
  return lines.join("\n") + "\n";
}

/** Counters of the CPU heap; names as in `torch.cuda.memory_stats` where the meaning is the same. Bytes. */
export function memory_stats(): Record<string, number> {
  const a = cpuBackend.allocator;
  return {
    "allocated_bytes.all.current": a.allocated,
    "allocated_bytes.all.peak": a.peak,
    "allocation.all.allocated": a.allocations,
    "reserved_bytes.all.current": a.reserved,
    "evictable.current": listedStorages().length,
    "evictions": stats.evictions,
    "evicted_bytes": stats.evictedBytes,
    "loads": stats.loads,
    "loaded_bytes": stats.loadedBytes,
    "finalized": stats.finalized,
    "soft_limit_bytes": softLimit(),
  };
}

/**
 * {@linkcode memory_stats} as a table, and the tensors in memory by size: those that the program or an autograd graph may
 * hold. `torch.utils.find_leaks` tells where tensors were made.
 */
export function memory_summary(): string {
  const stats: [string, number | string][] = Object.entries(memory_stats())
    .map(([name, n]) => [name, /bytes/.test(name) ? mib(n) : n]);
  const width = Math.max(...stats.map(([name]) => name.length));
  const lines = stats.map(([name, n]) => `${name.padEnd(width)}  ${n}`);
  const tensors = holdings(listedStorages().filter((s) => s.backend === cpuBackend)).slice(0, 10);
  if (tensors.length > 0) lines.push("", "tensors in memory that the program or a graph may hold, by size:");
  for (const { bytes, count, held } of tensors) {
    lines.push(
      `  ${String(count).padStart(8)} x ${mib(bytes).padEnd(12)}${mib(bytes * count).padStart(12)}` +
        (held > 0 ? `  (${held} held by graphs)` : ""),
    );
  }
  return lines.join("\n") + "\n";
}

/** Sets the soft limit on the resident bytes of tensors that only the user may still hold (docs/memory.md). */
export function set_memory_limit(bytes: number): void {
  if (!(bytes > 0)) {
    throw new RuntimeError(`set_memory_limit(): expected a positive number of bytes, but got ${bytes}`);
  }
  setSoftLimit(bytes);
}

/** Runs `body` and frees at once every tensor it made except those it returns. Never needed, sometimes faster. */
export function scope<T>(body: () => T): T {
  return internal(body);
}

/** Limits of a float dtype, as `torch.finfo`. */
export interface FInfo {
  bits: number;
  eps: number;
  max: number;
  min: number;
  tiny: number;
  smallest_normal: number;
  resolution: number;
  dtype: string;
  toString(): string;
}

const FLOATS: Record<string, [bits: number, eps: number, max: number, tiny: number, resolution: number]> = {
  float16: [16, 2 ** -10, 65504, 2 ** -14, 1e-3],
  bfloat16: [16, 2 ** -7, 3.3895313892515355e38, 2 ** -126, 1e-2],
  float32: [32, 2 ** -23, 3.4028234663852886e38, 2 ** -126, 1e-6],
  float64: [64, Number.EPSILON, Number.MAX_VALUE, 2 ** -1022, 1e-15],
};

/** C's `%g`: six significant digits. */
function general(x: number): string {
  const e = x === 0 ? 0 : Math.floor(Math.log10(Math.abs(x)));
  if (e >= -4 && e < 6) return String(Number(x.toPrecision(6)));
  const [mantissa, exponent] = x.toExponential(5).split("e") as [string, string];
  return `${Number(mantissa)}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
}

/** @see https://pytorch.org/docs/stable/type_info.html */
export function finfo(dtype: DType = get_default_dtype()): FInfo {
  const f =
    FLOATS[dtype.name === "complex64" ? "float32" : dtype.name === "complex128" ? "float64" : dtype.name];
  if (!f) {
    throw new TypeError(
      "torch.finfo() requires a floating point input type. Use torch.iinfo to handle 'torch.finfo'",
    );
  }
  const [bits, eps, max, tiny, resolution] = f;
  const info = { bits, eps, max, min: -max, tiny, smallest_normal: tiny, resolution, dtype: dtype.name };
  return Object.assign(info, {
    toString: () =>
      `finfo(resolution=${general(resolution)}, min=${general(-max)}, max=${general(max)}, eps=${
        general(eps)
      }, smallest_normal=${general(tiny)}, tiny=${general(tiny)}, dtype=${dtype.name})`,
  });
}

/** Limits of an integer dtype; int64's as bigints. */
export interface IInfo {
  bits: number;
  max: number | bigint;
  min: number | bigint;
  dtype: string;
  toString(): string;
}

/** @see https://pytorch.org/docs/stable/type_info.html */
export function iinfo(dtype: DType): IInfo {
  if (dtype.kind !== Kind.int) {
    throw new TypeError(
      "torch.iinfo() requires an integer input type. Use torch.finfo to handle 'torch.iinfo'",
    );
  }
  const bits = dtype.itemsize * 8;
  const unsigned = !dtype.is_signed;
  const wide = dtype.itemsize === 8;
  const max = wide ? 2n ** 63n - 1n : unsigned ? 2 ** bits - 1 : 2 ** (bits - 1) - 1;
  const min = wide ? -(2n ** 63n) : unsigned ? 0 : -(2 ** (bits - 1));
  return {
    bits,
    max,
    min,
    dtype: dtype.name,
    toString: () => `iinfo(min=${general(Number(min))}, max=${general(Number(max))}, dtype=${dtype.name})`,
  };
}
