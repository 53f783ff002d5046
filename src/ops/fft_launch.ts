/**
 * Launching Fourier transforms: one dimension after the other, each with the plan of its length.
 *
 * @module
 */
import { FFT_KIND } from "../_gen/kernels.ts";
import type { Backend } from "../base/backend.ts";
import { type DType, float32, toComplex, toReal, uint8 } from "../base/dtype.ts";
import { external } from "../base/scope.ts";
import { numelOf } from "../base/size.ts";
import { drop, retain } from "../base/storage.ts";
import { emptyTensor } from "../dispatch/iterator.ts";
import { begin, kernel } from "../dispatch/launch.ts";
import type { Tensor } from "../tensor.ts";

const PLAN = kernel("tc_fft_plan");
const FFT = kernel("tc_fft");
const MAX_DIMS = 64;

/** Work from which threads are worth having. */
const PARALLEL = 1 << 14;

/** Plans by backend; the longest unused go when there are more bytes of them than this. */
const PLAN_BYTES = 64 * 1024 * 1024;
const plans = new WeakMap<Backend, Map<string, Tensor>>();

/** The plan for transforms of length `n` of numbers with parts of dtype `real`. */
function planOf(n: number, real: DType, isReal: boolean, backend: Backend): Tensor {
  let cache = plans.get(backend);
  if (cache === undefined) plans.set(backend, cache = new Map());
  const key = `${real.name} ${isReal} ${n}`;
  const found = cache.get(key);
  if (found !== undefined) {
    cache.delete(key);
    cache.set(key, found);
    return found;
  }
  begin(PLAN, backend).i(0).i(real.code).i(n).b(isReal).i(0).run();
  const bytes = backend.errorInfo().info[0]!;
  // It outlives the call that needs it.
  const plan = external(() => emptyTensor([bytes], uint8, backend));
  retain(plan.storage);
  begin(PLAN, backend).i(0).i(real.code).i(n).b(isReal).p(plan).runWithScratch();
  cache.set(key, plan);
  let total = [...cache.values()].reduce((sum, t) => sum + t.count, 0);
  for (const [old, t] of cache) {
    if (total <= PLAN_BYTES || t === plan) break;
    total -= t.count;
    cache.delete(old);
    drop(t.storage);
  }
  return plan;
}

/** Transforms `input` into `out` along dimension `dim`, whose signals are `n` long. */
function transform(
  kind: number,
  out: Tensor,
  input: Tensor,
  dim: number,
  n: number,
  inverse: boolean,
  scale: number,
): void {
  const backend = out.storage.backend;
  if (out.count === 0 || !backend.hasData) return;
  if (out.count >= PARALLEL) backend.expectWork();
  const real = toReal(out.dtype);
  const plan = planOf(n, real, kind !== FFT_KIND.C2C, backend);
  const batch: number[] = [];
  for (let d = out.sizes.length - 1; d >= 0; d--) if (d !== dim && out.sizes[d] !== 1) batch.push(d);
  const k = begin(FFT, backend).i(0).i(real.code).i(kind).b(inverse).i(n).p(plan).d(scale).p(input).p(out)
    .i(input.strides[dim]!).i(out.strides[dim]!).i(batch.length);
  k.array(batch.map((d) => out.sizes[d]!), MAX_DIMS, 1);
  for (const d of batch) k.i(out.strides[d]!).i(input.strides[d]!);
  k.runWithScratch();
}

/** How much of the scaling by 1 / (product of the lengths) a transform does. */
export const Normalization = { none: 0, byRootN: 1, byN: 2 } as const;

function scaleOf(sizes: readonly number[], normalization: number): number {
  if (normalization === Normalization.none) return 1;
  const n = numelOf(sizes);
  return normalization === Normalization.byN ? 1 / n : 1 / Math.sqrt(n);
}

/** Complex to complex over dimensions `dims`. */
export function c2c(self: Tensor, dims: readonly number[], normalization: number, forward: boolean): Tensor {
  const scale = scaleOf(dims.map((d) => self.sizes[d]!), normalization);
  const out = emptyTensor(self.sizes, self.dtype, self.storage.backend);
  c2cInto(out, self, dims, forward, scale);
  return out;
}

/** The last of `dims` first, as it lies best in memory; after that in place. */
function c2cInto(
  out: Tensor,
  self: Tensor,
  dims: readonly number[],
  forward: boolean,
  scale: number,
): void {
  let from = self;
  for (let k = dims.length - 1; k >= 0; k--) {
    const d = dims[k]!;
    transform(FFT_KIND.C2C, out, from, d, self.sizes[d]!, !forward, k === dims.length - 1 ? scale : 1);
    from = out;
  }
}

/** Real to the first half of its coefficients along the last of `dims`, then complex over the others. */
export function r2c(self: Tensor, dims: readonly number[], normalization: number, forward: boolean): Tensor {
  const last = dims[dims.length - 1]!, n = self.sizes[last]!;
  const scale = scaleOf(dims.map((d) => self.sizes[d]!), normalization);
  const sizes = self.sizes.slice();
  sizes[last] = Math.floor(n / 2) + 1;
  const out = emptyTensor(sizes, toComplex(self.dtype), self.storage.backend);
  transform(FFT_KIND.R2C, out, self, last, n, !forward, scale);
  c2cInto(out, out, dims.slice(0, -1), forward, 1);
  return out;
}

/** Complex over all but the last of `dims`, then half of the coefficients of `n` real numbers to these. */
export function c2r(
  self: Tensor,
  dims: readonly number[],
  normalization: number,
  n: number,
  forward: boolean,
): Tensor {
  const last = dims[dims.length - 1]!, others = dims.slice(0, -1);
  const scale = scaleOf([...others.map((d) => self.sizes[d]!), n], normalization);
  const from = others.length === 0 ? self : c2c(self, others, Normalization.none, forward);
  const sizes = self.sizes.slice();
  sizes[last] = n;
  const out = emptyTensor(sizes, toReal(self.dtype), self.storage.backend);
  transform(FFT_KIND.C2R, out, from, last, n, !forward, scale);
  return out;
}

/** Is it a dtype of the parts that there are kernels for? */
export function isTransformable(real: DType): boolean {
  return real === float32 || real.name === "float64";
}
