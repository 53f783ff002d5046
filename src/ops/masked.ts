/**
 * torch.masked: reductions and normalizations of the elements that a mask lets through. What it hides is replaced by
 * the operation's identity. In the table their names begin with `masked__`.
 *
 * @see https://pytorch.org/docs/1.13/masked.html
 * @module
 */
import { bool, type DType, float32, int64, Kind, uint8 } from "../base/dtype.ts";
import { IndexError, NotImplementedError, RuntimeError, ValueError } from "../base/errors.ts";
import { sameSizes } from "../base/size.ts";
import { fn } from "../dispatch/functions.ts";
import { op, type Row, type Table } from "../dispatch/op.ts";
import type { Tensor } from "../tensor.ts";

type Dims = readonly number[] | null;
type Mask = Tensor | null;

/** The largest and the smallest value of an integer dtype; null for bool. */
function bounds(dtype: DType): { low: number | bigint; high: number | bigint } | null {
  if (dtype.kind !== Kind.int) return null;
  if (dtype === int64) return { low: -(2n ** 63n), high: 2n ** 63n - 1n };
  const bits = 8 * dtype.itemsize;
  return dtype === uint8 ? { low: 0, high: 255 } : { low: -(2 ** (bits - 1)), high: 2 ** (bits - 1) - 1 };
}

/** The value that an operation takes no notice of. */
function identity(name: string, dtype: DType, ord = 2): number | bigint {
  const float = dtype.kind >= Kind.float;
  switch (name) {
    case "sum":
      return 0;
    case "prod":
      return 1;
    case "norm":
      return ord === -Infinity ? Infinity : 0;
    case "median":
      return NaN;
  }
  const largest = name === "amin" || name === "argmin";
  if (float) return largest ? Infinity : -Infinity;
  const limits = bounds(dtype);
  if (limits === null) throw new NotImplementedError(`identity of ${name} on ${dtype} input`);
  return largest ? limits.high : limits.low;
}

/** The mask as bools of the input's shape. */
function canonicalMask(input: Tensor, mask: Tensor): Tensor {
  if (!sameSizes(mask.sizes, input.sizes)) {
    if (mask.sizes.length > input.sizes.length) {
      throw new IndexError(
        "_input_mask expected broadcastable mask (got mask dimensionality higher than of the input)",
      );
    }
    mask = mask.broadcast_to(input.sizes);
  }
  return mask.to(bool);
}

/** The input with the operation's identity where the mask is false. */
function masked(name: string, input: Tensor, mask: Mask, ord?: number): Tensor {
  if (mask === null) return input;
  const fill = input.new_full([], identity(name, input.dtype, ord));
  return input.where(canonicalMask(input, mask), fill);
}

/** Dimensions counted from 0, in order; all of them for None and []. */
function canonicalDims(dims: Dims, rank: number): number[] {
  if (dims === null || dims.length === 0) return Array.from({ length: rank }, (_, d) => d);
  const n = Math.max(rank, 1), out: number[] = [];
  for (const d of dims) {
    if (out.includes(d)) throw new RuntimeError(`dim=${d} appears multiple times in the list of dims`);
    if (d >= n || d < -n) {
      throw new IndexError(
        `Dimension out of range (expected to be in range of [${-n}, ${n - 1}], but got ${d})`,
      );
    }
    out.push(((d % n) + n) % n);
  }
  return out.sort((a, b) => a - b);
}
const canonicalDim = (dim: number, rank: number): number => canonicalDims([dim], rank)[0]!;

const accumulated = (dtype: DType): DType => dtype.kind < Kind.float ? int64 : dtype;

function sum(input: Tensor, dim: Dims, keepdim: boolean, dtype: DType | null, mask: Mask): Tensor {
  const dims = canonicalDims(dim, input.sizes.length);
  return masked("sum", input, mask).sum(dims, keepdim, { dtype: dtype ?? accumulated(input.dtype) });
}

function prod(input: Tensor, dim: Dims, keepdim: boolean, dtype: DType | null, mask: Mask): Tensor {
  const dims = canonicalDims(dim, input.sizes.length);
  const start = masked("prod", input, mask).to(dtype ?? accumulated(input.dtype));
  return dims.reverse().reduce((x, d) => x.prod(d, keepdim), start);
}

/** How many elements the mask lets through, with the shape of the reduction. */
function count(input: Tensor, dim: Dims, keepdim: boolean, mask: Mask): Tensor {
  return sum(input.new_ones(input.sizes, { dtype: int64 }), dim, keepdim, int64, mask);
}

function mean(input: Tensor, dim: Dims, keepdim: boolean, dtype: DType | null, mask: Mask): Tensor {
  return sum(input, dim, keepdim, dtype ?? input.dtype, mask).div(count(input, dim, keepdim, mask));
}

function extremum(name: "amax" | "amin") {
  return (input: Tensor, dim: Dims, keepdim: boolean, dtype: DType | null, mask: Mask): Tensor => {
    const x = masked(name, input, mask);
    return x[name](canonicalDims(dim, x.sizes.length), keepdim).to(dtype ?? input.dtype);
  };
}

function argExtremum(name: "argmax" | "argmin") {
  return (
    input: Tensor,
    dim: number | null,
    keepdim: boolean,
    dtype: DType | null,
    mask: Mask,
  ): Tensor => masked(name, input, mask)[name](dim, keepdim).to(dtype ?? input.dtype);
}

function median(input: Tensor, dim: number, keepdim: boolean, dtype: DType | null, mask: Mask): Tensor {
  const d = canonicalDim(dim, input.sizes.length), float = input.dtype.kind >= Kind.float;
  const x = masked("median", float ? input : input.to(float32), mask);
  const [values] = x.nanmedian(d, keepdim) as unknown as [Tensor];
  if (float) return values;
  if (values.isnan().any().item()) {
    throw new ValueError("masked median expects no fully masked out rows if dtype is not floating point");
  }
  return values.to(dtype ?? input.dtype);
}

function logsumexp(input: Tensor, dim: Dims, keepdim: boolean, dtype: DType | null, mask: Mask): Tensor {
  const dims = canonicalDims(dim, input.sizes.length);
  return masked("logsumexp", input, mask).logsumexp(dims, keepdim).to(dtype ?? input.dtype);
}

function logaddexp(
  input: Tensor,
  other: Tensor,
  dtype: DType | null,
  inputMask: Mask,
  otherMask: Mask,
): Tensor {
  return masked("logsumexp", input, inputMask).logaddexp(masked("logsumexp", other, otherMask))
    .to(dtype ?? input.dtype);
}

function norm(
  input: Tensor,
  ord: number,
  dim: Dims,
  keepdim: boolean,
  dtype: DType | null,
  mask: Mask,
): Tensor {
  const x = masked("norm", input, mask, ord);
  const dims = canonicalDims(dim, input.sizes.length);
  return fn.linalg_vector_norm!(x, ord, dims, keepdim, { dtype: dtype ?? input.dtype }) as Tensor;
}

function variance(
  input: Tensor,
  dim: Dims,
  unbiased: boolean,
  keepdim: boolean,
  dtype: DType | null,
  mask: Mask,
): Tensor {
  const result = dtype ?? (input.dtype.kind >= Kind.float ? input.dtype : float32);
  const compute = result.kind >= Kind.float ? result : float32;
  const samples = count(input, dim, true, mask);
  const centered = input.sub(sum(input, dim, true, result, mask).div(samples));
  const total = sum(centered.mul(centered), dim, keepdim, compute, mask);
  let divisor = samples.reshape(total.sizes);
  if (unbiased) divisor = divisor.sub(1).clamp_min(0);
  return total.div(divisor).to(result);
}

/** A cumulative operation or a softmax: along one dimension, with a dtype. */
function along(name: string, hidden: string) {
  return (input: Tensor, dim: number, dtype: DType | null, mask: Mask): Tensor => {
    const d = canonicalDim(dim, input.sizes.length), to = dtype ?? input.dtype;
    const x = masked(hidden, input, mask);
    return (fn[name]!(x, d, { dtype: to }) as Tensor).to(to);
  };
}

function normalize(
  input: Tensor,
  ord: number,
  dim: number,
  eps: number,
  dtype: DType | null,
  mask: Mask,
): Tensor {
  const length = norm(input, ord, [canonicalDim(dim, input.sizes.length)], true, dtype, mask);
  return masked("sum", input, mask).div(length.maximum(length.new_full([], eps)));
}

/** One row: `masked__name(Tensor input, ...)`. */
// deno-lint-ignore no-explicit-any -- bodies of every signature; `bind` has checked the values
function row(schema: string, composite: (...args: any[]) => Tensor, doc: string): readonly Row[] {
  return [op({ schema: `masked__${schema} -> Tensor`, composite, only: "function", doc })];
}

const OPTIONS = "bool keepdim=False, ScalarType? dtype=None, Tensor? mask=None";
const DIMS = `(Tensor self, int[1]? dim=None, *, ${OPTIONS})`;
const DIM = "(Tensor self, int dim, *, ScalarType? dtype=None, Tensor? mask=None)";

export const maskedOps: Table = {
  masked__sum: row(`sum${DIMS}`, sum, "The sum of the elements where the mask is true."),
  masked__prod: row(`prod${DIMS}`, prod, "The product of the elements where the mask is true."),
  masked__mean: row(
    `mean${DIMS}`,
    mean,
    "The mean of the elements where the mask is true; NaN where it never is.",
  ),
  masked__amax: row(`amax${DIMS}`, extremum("amax"), "The largest element where the mask is true."),
  masked__amin: row(`amin${DIMS}`, extremum("amin"), "The smallest element where the mask is true."),
  masked__argmax: row(
    `argmax(Tensor self, int? dim=None, *, ${OPTIONS})`,
    argExtremum("argmax"),
    "The index of the largest element where the mask is true, in the input's dtype.",
  ),
  masked__argmin: row(
    `argmin(Tensor self, int? dim=None, *, ${OPTIONS})`,
    argExtremum("argmin"),
    "The index of the smallest element where the mask is true, in the input's dtype.",
  ),
  masked__median: row(
    `median(Tensor self, int dim=-1, *, ${OPTIONS})`,
    median,
    "The median of the elements where the mask is true; NaN where it never is.",
  ),
  masked__logsumexp: row(
    `logsumexp${DIMS}`,
    logsumexp,
    "log(sum(exp(x))) of the elements where the mask is true.",
  ),
  masked__logaddexp: row(
    "logaddexp(Tensor self, Tensor other, *, ScalarType? dtype=None, Tensor? input_mask=None, Tensor? other_mask=None)",
    logaddexp,
    "log(exp(input) + exp(other)), where a masked element counts as exp(-inf).",
  ),
  masked__norm: row(
    `norm(Tensor self, float ord=2, int[1]? dim=None, *, ${OPTIONS})`,
    norm,
    "The vector norm of the elements where the mask is true.",
  ),
  masked__var: row(
    `var(Tensor self, int[1]? dim=None, bool unbiased=False, *, ${OPTIONS})`,
    variance,
    "The variance of the elements where the mask is true; NaN where it never is.",
  ),
  masked__std: row(
    `std(Tensor self, int[1]? dim=None, bool unbiased=False, *, ${OPTIONS})`,
    (...args: Parameters<typeof variance>) => variance(...args).sqrt(),
    "The standard deviation of the elements where the mask is true; NaN where it never is.",
  ),
  masked__cumsum: row(
    `cumsum${DIM}`,
    along("cumsum", "sum"),
    "Sums up to each element; masked ones count as 0.",
  ),
  masked__cumprod: row(
    `cumprod${DIM}`,
    along("cumprod", "prod"),
    "Products up to each element; masked ones count as 1.",
  ),
  masked__softmax: row(
    `softmax${DIM}`,
    along("softmax", "amax"),
    "softmax of the elements where the mask is true.",
  ),
  masked__log_softmax: row(
    `log_softmax${DIM}`,
    along("log_softmax", "amax"),
    "log_softmax of the elements where the mask is true.",
  ),
  masked__softmin: row(
    `softmin${DIM}`,
    (input: Tensor, dim: number, dtype: DType | null, mask: Mask) => {
      const d = canonicalDim(dim, input.sizes.length);
      return masked("amin", input, mask).neg().softmax(d, { dtype: dtype ?? input.dtype });
    },
    "softmin of the elements where the mask is true.",
  ),
  masked__normalize: row(
    "normalize(Tensor self, float ord, int dim, *, float eps=1e-12, ScalarType? dtype=None, Tensor? mask=None)",
    normalize,
    "The elements where the mask is true divided by their norm, at least eps.",
  ),
};
