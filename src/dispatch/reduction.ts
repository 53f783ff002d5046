/**
 * Launching reductions: splits a tensor's dimensions into kept and reduced ones and merges what can be red.
 *
 * @module
 */
import { Kernel } from "../base/backend.ts";
import type { DType } from "../base/dtype.ts";
import { IndexError, RuntimeError } from "../base/errors.ts";
import { numelOf } from "../base/size.ts";
import { alias, Tensor } from "../tensor.ts";
import { emptyTensor } from "./iterator.ts";
import { begin } from "./launch.ts";

const REDUCE = new Kernel("tc_reduce");
const MAX_DIMS = 64;

/** `dim` as 0..rank-1; PyTorch's error otherwise. A 0-dim tensor counts as having one dimension. */
export function wrapDim(dim: number, rank: number): number {
  const n = Math.max(rank, 1);
  if (dim < -n || dim >= n) {
    throw new IndexError(
      `Dimension out of range (expected to be in range of [${-n}, ${n - 1}], but got ${dim})`,
    );
  }
  return dim < 0 ? dim + n : dim;
}

/** Which dimensions `dims` names; null or empty: all. */
export function dimMask(dims: readonly number[] | null, rank: number): boolean[] {
  const mask = new Array<boolean>(rank).fill(false);
  if (dims === null || dims.length === 0) return mask.fill(true);
  for (const d of dims) {
    const i = wrapDim(d, rank);
    if (rank === 0) continue;
    if (mask[i]) throw new RuntimeError(`dim ${i} appears multiple times in the list of dims`);
    mask[i] = true;
  }
  return mask;
}

/** The shape after reducing. */
export function reducedSizes(sizes: readonly number[], mask: readonly boolean[], keepdim: boolean): number[] {
  const out: number[] = [];
  for (let i = 0; i < sizes.length; i++) {
    if (!mask[i]) out.push(sizes[i]!);
    else if (keepdim) out.push(1);
  }
  return out;
}

/** Dimensions with their strides in up to two tensors, innermost first, merged where all strides allow. */
interface Space {
  shape: number[];
  a: number[];
  b: number[];
}

function collect(t: Tensor, b: readonly number[] | null, take: (i: number) => boolean): Space {
  const s: Space = { shape: [], a: [], b: [] };
  for (let i = t.sizes.length - 1; i >= 0; i--) {
    const size = t.sizes[i]!, stride = t.strides[i]!;
    if (!take(i) || size === 1) continue;
    const k = s.shape.length - 1;
    if (k >= 0 && stride === s.a[k]! * s.shape[k]! && (b === null || b[i] === s.b[k]! * s.shape[k]!)) {
      s.shape[k]! *= size;
    } else {
      s.shape.push(size);
      s.a.push(stride);
      s.b.push(b?.[i] ?? 0);
    }
  }
  return s;
}

/** What a reduction computes and where it puts it. */
export interface Reduction {
  op: number;
  /** dtype code of the accumulation. */
  compute: number;
  outDtype: DType;
  /** Indices or the mean. */
  out2Dtype?: DType;
  params?: readonly [number, number];
}

/** Runs a reduction over the dimensions in `mask`; returns the result and, if asked for, the second one. */
export function reduce(
  self: Tensor,
  mask: readonly boolean[],
  keepdim: boolean,
  r: Reduction,
): [Tensor, Tensor | null] {
  const backend = self.storage.backend;
  const outSizes = reducedSizes(self.sizes, mask, keepdim);
  const out = emptyTensor(outSizes, r.outDtype, backend);
  const out2 = r.out2Dtype === undefined ? null : emptyTensor(outSizes, r.out2Dtype, backend);
  if (out.count === 0 || !backend.hasData) return [out, out2];
  const rank = self.sizes.length;
  // Strides of the result along the input's dimensions.
  const outStrides = new Array<number>(rank).fill(0);
  let step = 1;
  for (let i = rank - 1; i >= 0; i--) {
    if (mask[i]) continue;
    outStrides[i] = step;
    step *= self.sizes[i]!;
  }
  const keep = collect(self, outStrides, (i) => !mask[i]);
  const red = collect(self, null, (i) => mask[i]!);
  if (self.count >= 1 << 15) backend.expectWork();
  const k = begin(REDUCE, backend);
  k.i(0).i(r.op).i(self.dtype.code).i(r.outDtype.code).i(r.compute).p(self).p(out).p(out2);
  k.d(r.params?.[0] ?? 0).d(r.params?.[1] ?? 0).i(keep.shape.length).i(red.shape.length);
  const at = 12;
  k.at(at).list(keep.shape);
  k.at(at + MAX_DIMS).list(keep.a);
  k.at(at + 2 * MAX_DIMS).list(keep.b);
  k.at(at + 3 * MAX_DIMS).list(red.shape);
  k.at(at + 4 * MAX_DIMS).list(red.a);
  k.runWithScratch();
  return [out, out2];
}

/** A tensor as (outer, n, inner) around `dim`: what softmax, sort and scan kernels take. */
export function splitAround(
  sizes: readonly number[],
  dim: number,
): [outer: number, n: number, inner: number] {
  if (sizes.length === 0) return [1, 1, 1];
  return [numelOf(sizes.slice(0, dim)), sizes[dim]!, numelOf(sizes.slice(dim + 1))];
}

/** Seen with a size-1 dimension at `dim`. */
export function withDim(t: Tensor, dim: number): Tensor {
  const sizes = t.sizes.slice(), strides = t.strides.slice();
  sizes.splice(dim, 0, 1);
  strides.splice(dim, 0, 1);
  return alias(t, sizes, strides, t.offset);
}
