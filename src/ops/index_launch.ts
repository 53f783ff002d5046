/**
 * Launching `tc_index`: advanced indexing with index tensors of any broadcast shape, read, write and accumulate.
 *
 * @module
 */
import { INDEX_OP, LIMITS, SLOT } from "../_gen/kernels.ts";
import { bool, type DType, int64, Kind, uint8 } from "../base/dtype.ts";
import { IndexError, RuntimeError, warnOnce } from "../base/errors.ts";
import { Complex, type Scalar, toNumber } from "../base/scalar.ts";
import { numelOf, sameSizes, shapeText } from "../base/size.ts";
import { emptyTensor, packed } from "../dispatch/iterator.ts";
import { begin, kernel } from "../dispatch/launch.ts";
import { broadcastAll } from "../dispatch/promotion.ts";
import type { Tensor } from "../tensor.ts";
import { realParts } from "./updating.ts";

const INDEX = kernel("tc_index");
const NONZERO_COUNT = kernel("tc_nonzero_count");
const NONZERO = kernel("tc_nonzero");

type Sizes = readonly number[];

/** The number of elements that are not zero, and their coordinates: (count, rank), or transposed as one row each. */
export function nonzero(self: Tensor, asRows: boolean): Tensor {
  const backend = self.storage.backend;
  if (!backend.hasData) {
    throw new RuntimeError("nonzero(): the number of results of a meta tensor is not known");
  }
  const rank = self.sizes.length;
  if (rank > LIMITS.TC_MAX_DIMS) {
    throw new RuntimeError(
      `nonzero is not supported for tensors with more than ${LIMITS.TC_MAX_DIMS} dimensions`,
    );
  }
  const input = packed(self);
  const count = emptyTensor([], int64, backend);
  const write = (k: typeof NONZERO, out: Tensor | null): void => {
    const l = begin(k, backend).i(0).i(self.dtype.code).p(input).p(out).p(count).b(asRows).i(rank).list(
      self.sizes,
    );
    if (k === NONZERO) l.runWithScratch();
    else l.run();
  };
  if (self.count >= 1 << 15) backend.expectWork();
  write(NONZERO_COUNT, null);
  const n = Number(count.item());
  const out = emptyTensor(asRows ? [rank, n] : [n, rank], int64, backend);
  if (out.count > 0) write(NONZERO, out);
  return out;
}

const isMask = (t: Tensor): boolean => t.dtype === bool || t.dtype === uint8;

/** Masks become the coordinates of their set elements. */
function expandMasks(self: Tensor, indices: readonly (Tensor | null)[]): (Tensor | null)[] {
  const out: (Tensor | null)[] = [];
  for (const t of indices) {
    if (t === null || !isMask(t)) {
      out.push(t);
      continue;
    }
    if (t.dtype === uint8) {
      warnOnce(
        "UserWarning",
        "indexing with dtype torch.uint8 is now deprecated, please use a dtype torch.bool instead.",
      );
    }
    t.sizes.forEach((size, j) => {
      const at = out.length + j;
      if (size !== self.sizes[at]) {
        throw new IndexError(
          `The shape of the mask ${
            shapeText(t.sizes)
          } at index ${j} does not match the shape of the indexed tensor ${
            shapeText(self.sizes)
          } at index ${at}`,
        );
      }
    });
    const rows = nonzero(t, true);
    for (let j = 0; j < t.sizes.length; j++) out.push(rows.select(0, j));
  }
  return out;
}

/** An advanced index made ready: which dimensions are indexed, by what, and the shape of the result. */
export interface Plan {
  /** Of each dimension of self: its index tensor, int64. */
  readonly indices: readonly (Tensor | null)[];
  /** The broadcast shape of the index tensors. */
  readonly space: Sizes;
  /** Where that shape stands among the dimensions of the result. */
  readonly at: number;
  /** Sizes of the result of reading. */
  readonly sizes: Sizes;
}

/** Checks and broadcasts index tensors, as ATen/native/TensorAdvancedIndexing.cpp does. */
export function planIndex(self: Tensor, given: readonly (Tensor | null)[]): Plan {
  const rank = self.sizes.length;
  if (given.length > rank) {
    throw new IndexError(`too many indices for tensor of dimension ${rank} (got ${given.length})`);
  }
  for (const t of given) {
    if (t !== null && t.dtype !== int64 && !isMask(t)) {
      throw new IndexError("tensors used as indices must be long, byte or bool tensors");
    }
    if (t !== null && t.storage.backend !== self.storage.backend && t.device.type !== "cpu") {
      throw new RuntimeError(
        `indices should be either on cpu or on the same device as the indexed tensor (${self.device})`,
      );
    }
  }
  const indices = expandMasks(self, given).map((t) =>
    t !== null && t.storage.backend !== self.storage.backend ? t.to(self.device) : t
  );
  if (indices.length > rank) throw new IndexError(`too many indices for tensor of dimension ${rank}`);
  while (indices.length < rank) indices.push(null);
  const used = indices.filter((t) => t !== null);
  if (used.length > LIMITS.TC_MAX_INDICES) {
    throw new RuntimeError(`index(): at most ${LIMITS.TC_MAX_INDICES} index tensors, but got ${used.length}`);
  }
  let space: Sizes;
  try {
    space = broadcastAll(used.map((t) => t.sizes));
  } catch {
    throw new IndexError(
      `shape mismatch: indexing tensors could not be broadcast together with shapes ${
        used.map((t) => shapeText(t.sizes)).join(", ")
      }`,
    );
  }
  // Where the indexed dimensions are neighbours the result has the index shape in their place, otherwise in front.
  const first = indices.findIndex((t) => t !== null);
  let last = first;
  while (last < rank && indices[last] !== null) last++;
  const adjacent = used.length === last - first;
  const kept = self.sizes.filter((_, i) => indices[i] === null);
  const at = adjacent && first > 0 ? first : 0;
  const sizes = [...kept.slice(0, at), ...space, ...kept.slice(at)];
  if (indices.some((t, i) => t !== null && self.sizes[i] === 0) && numelOf(space) !== 0) {
    throw new IndexError("index is out of bounds for dimension with size 0");
  }
  return { indices, space, at, sizes };
}

/** A bad index, worded by `text`; the kernel found it before it wrote anything. */
export function checkedIndex(
  run: () => void,
  text: (index: number, size: number, dim: number, position: number) => Error,
): void {
  try {
    run();
  } catch (e) {
    const info = (e as { info?: number[] }).info;
    if (!(e instanceof IndexError) || info === undefined) throw e;
    throw text(info[0]!, info[1]!, info[3]!, info[2]!);
  }
}

const AT = SLOT.tc_index_args;

/** Dimensions with strides in several tensors, merged where all of them allow. */
interface Space {
  shape: number[];
  strides: number[][];
}

function merged(sizes: Sizes, stridesOf: (i: number) => number[]): Space {
  const s: Space = { shape: [], strides: [] };
  for (let i = sizes.length - 1; i >= 0; i--) {
    const size = sizes[i]!;
    if (size === 1) continue;
    const strides = stridesOf(i);
    const inner = s.strides.at(-1), n = s.shape.at(-1);
    if (inner !== undefined && strides.every((x, k) => x === inner[k]! * n!)) {
      s.shape[s.shape.length - 1]! *= size;
    } else {
      s.shape.push(size);
      s.strides.push(strides);
    }
  }
  return s;
}

/** Writes a number as kernels take it: a double for float dtypes, else an integer. */
export function numberSlots(value: Scalar, dtype: DType): (k: ReturnType<typeof begin>) => void {
  if (dtype.kind === Kind.complex) {
    const z = value instanceof Complex ? value : { re: toNumber(value), im: 0 };
    return (k) => void k.d(z.re).d(z.im);
  }
  if (dtype.kind === Kind.float) return (k) => void k.d(toNumber(value)).i(0);
  if (typeof value === "bigint") {
    if (value < -(1n << 63n) || value >= 1n << 63n) throw new RuntimeError("Overflow when unpacking long");
    return (k) => void k.big(value).i(0);
  }
  const n = Math.trunc(toNumber(value));
  return (k) => void k.i(dtype === bool ? (toNumber(value) !== 0 ? 1 : 0) : n).i(0);
}

/**
 * Reads `values` from `self` (GET), writes them there (PUT) or adds them (ADD). `values` has the plan's sizes and any
 * strides; null: the number `value`.
 */
export function launchIndex(
  op: number,
  self: Tensor,
  plan: Plan,
  values: Tensor | null,
  value: Scalar = 0,
): void {
  const backend = self.storage.backend;
  if (!backend.hasData || numelOf(plan.sizes) === 0) return;
  const { space, at } = plan;
  const used: { t: Tensor; dim: number }[] = [];
  const kept: number[] = [];
  plan.indices.forEach((t, dim) => t === null ? kept.push(dim) : used.push({ t, dim }));
  const valueStride = (i: number): number => values === null ? 0 : values.strides[i]!;
  const indexStride = (t: Tensor, i: number): number => {
    const j = i - (space.length - t.sizes.length);
    return j < 0 || t.sizes[j] === 1 ? 0 : t.strides[j]!;
  };
  const index = merged(space, (i) => [valueStride(at + i), ...used.map((u) => indexStride(u.t, i))]);
  // The k-th kept dimension stands in front of the index shape or behind it.
  const slice = merged(kept.map((d) => self.sizes[d]!), (k) => [
    valueStride(k < at ? k : k + space.length),
    self.strides[kept[k]!]!,
  ]);
  if (numelOf(plan.sizes) >= 1 << 14) backend.expectWork();
  const k = begin(INDEX, backend).i(op).i(self.dtype.code).p(self).p(values);
  numberSlots(value, self.dtype)(k);
  k.i(used.length);
  for (const u of used) k.p(u.t);
  k.at(AT.size).list(used.map((u) => self.sizes[u.dim]!));
  k.at(AT.self_stride).list(used.map((u) => self.strides[u.dim]!));
  k.at(AT.index_ndim).i(index.shape.length).list(index.shape);
  index.strides.forEach((s, d) => {
    k.at(AT.index_values_stride + d).i(s[0]!);
    k.at(AT.index_stride + d * LIMITS.TC_MAX_INDICES).list(s.slice(1));
  });
  k.at(AT.slice_ndim).i(slice.shape.length).list(slice.shape);
  slice.strides.forEach((s, d) => k.at(AT.slice_stride + d * 2).list(s));
  k.run();
}

/** Is `sizes` broadcastable to `to`, as a value is to the place it is written to? */
function isExpandable(sizes: Sizes, to: Sizes): boolean {
  if (sizes.length > to.length) return false;
  const extra = to.length - sizes.length;
  return sizes.every((s, i) => s === 1 || s === to[i + extra]);
}

/** Writes or adds `values` at an advanced index of `self`, in place. */
export function putIndex(
  self: Tensor,
  given: readonly (Tensor | null)[],
  values: Tensor,
  accumulate: boolean,
): void {
  const plan = planIndex(self, given);
  if (values.dtype !== self.dtype) {
    throw new RuntimeError(
      `Index put requires the source and destination dtypes match, got ${self.dtype.scalarName} for the destination and ${values.dtype.scalarName} for the source.`,
    );
  }
  if (!isExpandable(values.sizes, plan.sizes)) {
    throw new RuntimeError(
      `shape mismatch: value tensor of shape ${
        shapeText(values.sizes)
      } cannot be broadcast to indexing result of shape ${shapeText(plan.sizes)}`,
    );
  }
  let from = values.storage.backend === self.storage.backend ? values : values.to(self.device);
  if (from.storage === self.storage) from = from.clone();
  const wide = sameSizes(from.sizes, plan.sizes) ? from : from.expand(plan.sizes);
  if (accumulate && self.dtype.kind === Kind.complex) {
    // Parts are added apart, in a dimension of their own at the end.
    const parts = { ...plan, indices: [...plan.indices, null], sizes: [...plan.sizes, 2] };
    launchIndex(INDEX_OP.ADD, realParts(self), parts, realParts(wide));
  } else launchIndex(accumulate ? INDEX_OP.ADD : INDEX_OP.PUT, self, plan, wide);
}

/** The elements at an advanced index of `self`, in a new tensor. */
export function getIndex(self: Tensor, given: readonly (Tensor | null)[]): Tensor {
  const plan = planIndex(self, given);
  const out = emptyTensor(plan.sizes, self.dtype, self.storage.backend);
  launchIndex(INDEX_OP.GET, self, plan, out);
  return out;
}
