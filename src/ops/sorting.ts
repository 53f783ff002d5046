/**
 * Sorting, selecting and searching.
 *
 * @module
 */
import { float32, float64, int32, int64, Kind } from "../base/dtype.ts";
import { IndexError, RuntimeError } from "../base/errors.ts";
import type { Scalar } from "../base/scalar.ts";
import { numelOf, sameSizes, shapeText } from "../base/size.ts";
import { fn } from "../dispatch/functions.ts";
import { emptyTensor, packed, packedAs } from "../dispatch/iterator.ts";
import { begin, kernel } from "../dispatch/launch.ts";
import { type Ctx, op, type Row, type Table } from "../dispatch/op.ts";
import { resultType } from "../dispatch/promotion.ts";
import { reducedSizes, splitAround, wrapDim } from "../dispatch/reduction.ts";
import type { Kernel } from "../base/backend.ts";
import { Tensor } from "../tensor.ts";
import { streamed } from "./random_fill.ts";
import { valueSelectingBackward } from "./reduction.ts";
import { refuse } from "./refuse.ts";

const SORT = kernel("tc_sort");
const TOPK = kernel("tc_topk");
const KTHVALUE = kernel("tc_kthvalue");
const MEDIAN = kernel("tc_median");
const MODE = kernel("tc_mode");
const SEARCHSORTED = kernel("tc_searchsorted");

type Pair = [values: Tensor, indices: Tensor];

function sort(self: Tensor, dim: number, descending: boolean): Pair {
  const d = wrapDim(dim, self.sizes.length);
  if (self.dtype.kind === Kind.complex) refuse("sorting_kernel_method_name", self.dtype);
  const backend = self.storage.backend;
  const values = emptyTensor(self.sizes, self.dtype, backend),
    indices = emptyTensor(self.sizes, int64, backend);
  if (self.count === 0 || !backend.hasData) return [values, indices];
  if (self.count >= 1 << 13) backend.expectWork();
  const [outer, n, inner] = splitAround(self.sizes, d);
  begin(SORT, backend).i(0).i(self.dtype.code).p(packed(self)).p(values).p(indices).i(outer).i(n).i(inner).b(
    descending,
  )
    .runWithScratch();
  return [values, indices];
}

interface Selection {
  k?: number;
  largest?: boolean;
  sorted?: boolean;
  ignoreNan?: boolean;
}

/** Picks elements of each line along `d`; `sizes`: the result's, which has as many there as are picked. */
function pick(which: Kernel, self: Tensor, d: number, sizes: readonly number[], s: Selection): Pair {
  const backend = self.storage.backend;
  const values = emptyTensor(sizes, self.dtype, backend), indices = emptyTensor(sizes, int64, backend);
  if (values.count === 0 || !backend.hasData) return [values, indices];
  if (self.count >= 1 << 13) backend.expectWork();
  const [outer, n, inner] = splitAround(self.sizes, d);
  begin(which, backend).i(0).i(self.dtype.code).p(packed(self)).p(values).p(indices).i(outer).i(n).i(inner).i(
    s.k ?? 0,
  )
    .b(s.largest ?? false).b(s.sorted ?? false).b(s.ignoreNan ?? false).runWithScratch();
  return [values, indices];
}

/** A selection that takes one element of each line, `keepdim` or not. */
function pickOne(
  which: Kernel,
  name: string,
  self: Tensor,
  dim: number,
  keepdim: boolean,
  s: Selection = {},
): Pair {
  const rank = self.sizes.length;
  const d = wrapDim(dim, rank);
  if (rank > 0 && self.sizes[d] === 0) {
    throw new IndexError(`${name}(): Expected reduction dim ${d} to have non-zero size.`);
  }
  return pick(which, self, d, reducedSizes(self.sizes, self.sizes.map((_, i) => i === d), keepdim), s);
}

function topk(self: Tensor, k: number, dim: number, largest: boolean, sorted: boolean): Pair {
  const rank = self.sizes.length;
  const d = wrapDim(dim, rank);
  if (k < 0 || k > (rank === 0 ? 1 : self.sizes[d]!)) throw new RuntimeError("selected index k out of range");
  if (self.dtype.kind === Kind.complex || self.dtype.kind === Kind.bool) refuse("topk_cpu", self.dtype);
  // A 0-dim tensor gives its one element whatever k is.
  const sizes = self.sizes.map((n, i) => (i === d ? k : n));
  return pick(TOPK, self, d, sizes, { k: rank === 0 ? 1 : k, largest, sorted });
}

function kthvalue(self: Tensor, k: number, dim: number, keepdim: boolean): Pair {
  const rank = self.sizes.length;
  const d = wrapDim(dim, rank);
  const n = rank === 0 ? 1 : self.sizes[d]!;
  if (n === 0) throw new IndexError(`kthvalue(): Expected reduction dim ${d} to have non-zero size.`);
  if (k < 1 || k > n) throw new RuntimeError(`kthvalue(): selected number k out of range for dimension ${d}`);
  if (self.dtype.kind === Kind.complex || self.dtype.kind === Kind.bool) refuse("kthvalue_cpu", self.dtype);
  return pickOne(KTHVALUE, "kthvalue", self, d, keepdim, { k });
}

function checkMedian(self: Tensor): void {
  if (self.dtype.kind === Kind.complex || self.dtype.kind === Kind.bool) refuse("median_cpu", self.dtype);
}

/** The median of all elements. Of none it is NaN, which integers hold as their smallest number. */
function medianOfAll(self: Tensor, ignoreNan: boolean): Tensor {
  checkMedian(self);
  if (self.count === 0) {
    const smallest = self.dtype === int64 ? -(1n << 63n) : self.dtype === int32 ? -(2 ** 31) : 0;
    return self.new_full([], self.dtype.kind === Kind.float ? NaN : smallest);
  }
  const flat = packed(self).reshape([-1]);
  return pickOne(MEDIAN, "median", flat, 0, false, { ignoreNan })[0];
}

/** The gradient of a value that stands for all equal elements is shared among them. */
function shareAmongEqual(c: Ctx): Tensor {
  const self: Tensor = c.self, result: Tensor = c.result;
  const mask = result.isnan().item() ? self.isnan() : self.eq(result);
  return c.grad.div(mask.sum()).mul(mask);
}

function medians(name: "median" | "nanmedian", ignoreNan: boolean): readonly Row[] {
  const node = ignoreNan ? "Nanmedian" : "Median";
  const doc = ignoreNan ? ", leaving NaN aside" : "";
  return [
    op({
      schema: `${name}(Tensor self) -> Tensor`,
      impl: (self: Tensor) => medianOfAll(self, ignoreNan),
      node: `${node}Backward0`,
      saves: ["self", "result"],
      derivative: { self: shareAmongEqual },
      doc: `The median of all elements${doc}: of an even number the lower one.`,
    }),
    op({
      schema: `${name}.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)`,
      impl: (self: Tensor, dim: number, keepdim: boolean) => {
        checkMedian(self);
        return pickOne(MEDIAN, "median", self, dim, keepdim, { ignoreNan });
      },
      node: `${node}Backward1`,
      saves: ["result1"],
      derivative: { self: (c) => valueSelectingBackward(c, c.dim, c.keepdim, c.result1) },
      doc: `The medians along a dimension${doc}, and where they are.`,
    }),
  ];
}

// ---- searching -----------------------------------------------------------------------------------------------------

interface Search {
  out_int32: boolean;
  right: boolean;
  side: string | null;
  sorter: Tensor | null;
}

function checkSearch(boundaries: Tensor, values: Tensor, s: Search): void {
  const fail = (text: string): never => {
    throw new RuntimeError(`torch.searchsorted(): ${text}`);
  };
  const { side, sorter } = s;
  if (side !== null && side !== "left" && side !== "right") {
    fail(`side can only be 'left' or 'right' but got ${side}`);
  }
  if (s.right && side === "left") {
    fail("side and right can't be set to opposites, got side of left while right was True");
  }
  const b = boundaries.sizes, v = values.sizes;
  if (v.length === 0 && b.length !== 1) {
    fail(
      `input value can be a scalar only when boundaries tensor dimension is 1, but we got boundaries tensor dim(${b.length}) and input value's dim(${v.length}) numel(${values.count})`,
    );
  }
  if (b.length === 0) fail("boundaries tensor should have positive dimension, but got 0 dimension");
  if (b.length !== 1 && !(b.length === v.length && b.slice(0, -1).every((x, i) => x === v[i]))) {
    fail(
      `boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries tensor and input value tensor must match, but we got boundaries tensor ${
        shapeText(b)
      } and input value tensor ${shapeText(v)}`,
    );
  }
  if (sorter !== null) {
    if (!sameSizes(sorter.sizes, b)) {
      fail(
        `boundary and sorter must have the same size, but got boundary tensor ${
          shapeText(b)
        }and got sorter tensor ${shapeText(sorter.sizes)}`,
      );
    }
    if (sorter.dtype !== int64) {
      fail(`sorter must be a tensor of long dtype but got dtype ${sorter.dtype.scalarName}`);
    }
  }
}

function searchsorted(boundaries: Tensor, given: Tensor | Scalar, s: Search): Tensor {
  const dtype = resultType([boundaries, given]);
  const values = given instanceof Tensor ? given : boundaries.new_full([], given, { dtype });
  checkSearch(boundaries, values, s);
  if (dtype.kind === Kind.complex || dtype.kind === Kind.bool) refuse("searchsorted_out_cpu", dtype);
  const backend = boundaries.storage.backend;
  const out = emptyTensor(values.sizes, s.out_int32 ? int32 : int64, backend);
  if (out.count === 0 || !backend.hasData) return out;
  if (out.count >= 1 << 14) backend.expectWork();
  const n = boundaries.sizes.at(-1)!;
  const m = values.sizes.at(-1) ?? 1;
  const rows = numelOf(values.sizes.slice(0, -1));
  const b = packedAs(boundaries, dtype), v = packedAs(values, dtype);
  const sorter = s.sorter === null ? null : packed(s.sorter);
  begin(SEARCHSORTED, backend).i(dtype.code).i(out.dtype.code).b(s.right || s.side === "right").b(
    boundaries.sizes.length === 1,
  )
    .p(b).p(v).p(out).p(sorter).i(rows).i(n).i(m).run();
  return out;
}

function bucketize(values: Tensor | Scalar, boundaries: Tensor, out_int32: boolean, right: boolean): Tensor {
  if (boundaries.sizes.length !== 1) {
    throw new RuntimeError(`boundaries tensor must be 1 dimension, but got dim(${boundaries.sizes.length})`);
  }
  return searchsorted(boundaries, values, { out_int32, right, side: null, sorter: null });
}

// ---- quantiles -----------------------------------------------------------------------------------------------------

const INTERPOLATIONS = ["linear", "lower", "higher", "midpoint", "nearest"];

/** quantile and nanquantile, in PyTorch's steps (ATen/native/Sorting.cpp, quantile_compute). */
function quantile(
  self: Tensor,
  q: Tensor | number,
  dim: number | null,
  keepdim: boolean,
  interpolation: string,
  ignoreNan: boolean,
): Tensor {
  const fail = (text: string): never => {
    throw new RuntimeError(`quantile() ${text}`);
  };
  if (typeof q === "number" && !(q >= 0 && q <= 1)) {
    fail(`q must be in the range [0, 1] but got ${streamed(q)}`);
  }
  if (self.count === 0) fail("input tensor must be non-empty");
  if (self.dtype !== float32 && self.dtype !== float64) {
    fail("input tensor must be either float or double dtype");
  }
  if (q instanceof Tensor) {
    if (q.sizes.length > 1) fail("q must be a scalar or 1D tensor");
    if (q.dtype !== self.dtype) fail("q tensor must be same dtype as the input tensor");
    if (q.device.type !== self.device.type) fail("q tensor must be on the same device as the input tensor");
  }
  if (!INTERPOLATIONS.includes(interpolation)) {
    fail(`interpolation must be one of linear, lower, higher, midpoint or nearest, but got ${interpolation}`);
  }
  const rank = self.sizes.length;
  const d = dim === null ? 0 : wrapDim(dim, rank);
  const places = q instanceof Tensor ? q : self.new_full([], q);
  if (
    places.count > 0 && self.storage.backend.hasData && !places.ge(0).logical_and(places.le(1)).all().item()
  ) {
    fail("q values must be in the range [0, 1]");
  }
  const flat = places.sizes.length === 0;
  let sizes = dim === null ? self.sizes.map(() => 1) : self.sizes.map((s, i) => (i === d ? 1 : s));
  if (!keepdim) sizes = dim === null ? [] : sizes.filter((_, i) => i !== d);
  if (!flat) sizes = [places.count, ...sizes];

  // Lines last, sorted: dim null means one line of all elements.
  const lines = dim === null ? self.flatten() : rank === 0 ? self.unsqueeze(0) : self.movedim(d, -1);
  const sorted: Tensor = lines.sort(-1).values;
  const last = sorted.sizes.at(-1)! - 1;
  const column = places.reshape([-1]);
  let ranks: Tensor;
  if (ignoreNan) {
    const count: Tensor = sorted.isnan().logical_not().sum(-1, true);
    ranks = column.mul(count.sub(1)).masked_fill(count.eq(0), 0);
  } else {
    // One NaN makes the whole line NaN.
    const at: Tensor = column.mul(last);
    ranks = at.masked_fill(sorted.isnan().any(-1, true), last);
  }
  if (interpolation === "lower") ranks = ranks.floor();
  else if (interpolation === "higher") ranks = ranks.ceil();
  else if (interpolation === "nearest") ranks = ranks.round();
  const below = ranks.to(int64);
  let values: Tensor = sorted.gather(-1, below);
  if (interpolation === "linear" || interpolation === "midpoint") {
    const weights = interpolation === "midpoint" ? fn.full_like!(ranks, 0.5) : ranks.sub(below);
    values = values.lerp(sorted.gather(-1, ranks.ceil().to(int64)), weights);
  }
  return (flat ? values.squeeze(-1) : values.movedim(-1, 0)).reshape(sizes);
}

function quantiles(name: "quantile" | "nanquantile", ignoreNan: boolean): readonly Row[] {
  const rest = "int? dim=None, bool keepdim=False, *, str interpolation='linear') -> Tensor";
  const doc = `The quantiles of the elements, of all or along a dimension${
    ignoreNan ? ", leaving NaN aside" : ""
  }.`;
  const body = (
    self: Tensor,
    q: Tensor | number,
    dim: number | null,
    keepdim: boolean,
    interpolation: string,
  ): Tensor => quantile(self, q, dim, keepdim, interpolation, ignoreNan);
  return [
    op({ schema: `${name}(Tensor self, Tensor q, ${rest}`, composite: body, doc }),
    op({ schema: `${name}.scalar(Tensor self, float q, ${rest}`, composite: body, doc }),
  ];
}

export const sorting: Table = {
  sort: [op({
    schema:
      "sort(Tensor self, int dim=-1, bool descending=False, *, bool? stable=None) -> (Tensor values, Tensor indices)",
    impl: sort,
    saves: ["result1"],
    derivative: { self: (c) => valueSelectingBackward(c, c.dim, true, c.result1) },
    doc: "The elements along a dimension in order, equal ones as they stood, and where they were.",
  })],
  argsort: [op({
    schema: "argsort(Tensor self, int dim=-1, bool descending=False, *, bool stable=False) -> Tensor",
    impl: (self: Tensor, dim: number, descending: boolean) => sort(self, dim, descending)[1],
    doc: "The indices that sort along a dimension.",
  })],
  msort: [op({
    schema: "msort(Tensor self) -> Tensor",
    composite: (self: Tensor) => self.sort(0).values,
    doc: "Sorts along the first dimension.",
  })],
  topk: [op({
    schema:
      "topk(Tensor self, int k, int dim=-1, bool largest=True, bool sorted=True) -> (Tensor values, Tensor indices)",
    impl: topk,
    saves: ["result1"],
    derivative: { self: (c) => valueSelectingBackward(c, c.dim, true, c.result1) },
    doc: "The `k` largest elements along a dimension, and where they are.",
  })],
  kthvalue: [op({
    schema: "kthvalue(Tensor self, int k, int dim=-1, bool keepdim=False) -> (Tensor values, Tensor indices)",
    impl: kthvalue,
    saves: ["result1"],
    derivative: { self: (c) => valueSelectingBackward(c, c.dim, c.keepdim, c.result1) },
    doc: "The `k`-th smallest element along a dimension, and where it is.",
  })],
  median: medians("median", false),
  nanmedian: medians("nanmedian", true),
  mode: [op({
    schema: "mode(Tensor self, int dim=-1, bool keepdim=False) -> (Tensor values, Tensor indices)",
    impl: (self: Tensor, dim: number, keepdim: boolean) => {
      if (self.dtype.kind === Kind.complex) refuse("mode_cpu", self.dtype);
      return pickOne(MODE, "mode", self, dim, keepdim);
    },
    saves: ["result1"],
    derivative: { self: (c) => valueSelectingBackward(c, c.dim, c.keepdim, c.result1) },
    doc: "The most frequent value along a dimension, and where it stands last.",
  })],
  quantile: quantiles("quantile", false),
  nanquantile: quantiles("nanquantile", true),
  searchsorted: [op({
    schema:
      "searchsorted(Tensor sorted_sequence, Operand self, *, bool out_int32=False, bool right=False, str? side=None, Tensor? sorter=None) -> Tensor",
    impl: (
      sorted: Tensor,
      self: Tensor | Scalar,
      out_int32: boolean,
      right: boolean,
      side: string | null,
      sorter: Tensor | null,
    ) => searchsorted(sorted, self, { out_int32, right, side, sorter }),
    only: "function",
    doc: "Where values go in a sorted sequence.",
  })],
  bucketize: [op({
    schema: "bucketize(Operand self, Tensor boundaries, *, bool out_int32=False, bool right=False) -> Tensor",
    impl: bucketize,
    only: "function",
    doc: "The buckets between sorted boundaries into which values fall.",
  })],
};
