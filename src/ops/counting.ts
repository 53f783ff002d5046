/**
 * Distinct elements, counts and histograms.
 *
 * @module
 */
import { bfloat16, bool, type DType, float32, float64, int32, int64, Kind } from "../base/dtype.ts";
import { IndexError, RuntimeError } from "../base/errors.ts";
import type { Scalar } from "../base/scalar.ts";
import { sameSizes, shapeText } from "../base/size.ts";
import { fn } from "../dispatch/functions.ts";
import { emptyTensor, packed, packedAs } from "../dispatch/iterator.ts";
import { begin, kernel } from "../dispatch/launch.ts";
import { op, type Row, type Table } from "../dispatch/op.ts";
import { resultType } from "../dispatch/promotion.ts";
import { wrapDim } from "../dispatch/reduction.ts";
import { Tensor } from "../tensor.ts";
import { cxxName, streamed } from "./random_fill.ts";

const UNIQUE = kernel("tc_unique");
const UNIQUE_ROWS = kernel("tc_unique_rows");
const BINCOUNT = kernel("tc_bincount");
const HISTC = kernel("tc_histc");

function refuse(name: string, d: DType): never {
  throw new RuntimeError(`"${name}" not implemented for '${d.scalarName}'`);
}

// ---- unique --------------------------------------------------------------------------------------------------------

type Unique = [values: Tensor, inverse: Tensor, counts: Tensor];

/** A copy of the first `n` places along dimension 0. */
function head(t: Tensor, n: number): Tensor {
  return n === t.sizes[0] ? t : t.narrow(0, 0, n).clone();
}

/** The distinct elements of all of `self`; sorted, or in their order where `consecutive`. */
function uniqueOfAll(self: Tensor, consecutive: boolean, inverse: boolean, counts: boolean): Unique {
  if (self.dtype.kind === Kind.complex) refuse("unique", self.dtype);
  const backend = self.storage.backend;
  const n = self.count;
  const values = emptyTensor([n], self.dtype, backend);
  const places = emptyTensor(inverse ? self.sizes : [0], int64, backend);
  const times = emptyTensor(counts ? [n] : [0], int64, backend);
  if (n === 0 || !backend.hasData) return [values, places, times];
  const found = emptyTensor([], int64, backend);
  begin(UNIQUE, backend).i(0).i(self.dtype.code).b(consecutive).p(packed(self)).p(values).p(
    inverse ? places : null,
  )
    .p(counts ? times : null).p(found).i(n).runWithScratch();
  const count = Number(found.item());
  return [head(values, count), places, counts ? head(times, count) : times];
}

/** The distinct slices along `dim`. */
function uniqueAlong(
  self: Tensor,
  dim: number,
  consecutive: boolean,
  inverse: boolean,
  counts: boolean,
): Unique {
  if (self.sizes.length === 0) {
    throw new IndexError(`Dimension specified as ${dim} but tensor has no dimensions`);
  }
  const d = wrapDim(dim, self.sizes.length);
  if (self.dtype.kind === Kind.complex) refuse("unique_dim", self.dtype);
  const backend = self.storage.backend;
  const n = self.sizes[d]!;
  const zeros = self.sizes.filter((s) => s === 0).length;
  if (n === 0) {
    if (zeros !== 1) {
      throw new RuntimeError(
        "Number of zero sized dimensions is more than one, so unique cannot be applied",
      );
    }
    return [self.clone(), emptyTensor([0], int64, backend), emptyTensor([0], int64, backend)];
  }
  if (zeros !== 0) {
    throw new RuntimeError(
      "There are 0 sized dimensions, and they aren't selected, so unique cannot be applied",
    );
  }
  // PyTorch swaps dimensions here, which decides the order in which the elements of two slices are compared.
  const rows = packed(self.transpose(d, 0));
  const order = emptyTensor([n], int64, backend);
  const places = emptyTensor(inverse ? [n] : [0], int64, backend),
    times = emptyTensor(counts ? [n] : [0], int64, backend);
  const found = emptyTensor([], int64, backend);
  begin(UNIQUE_ROWS, backend).i(0).i(self.dtype.code).b(consecutive).p(rows).p(order).p(
    inverse ? places : null,
  )
    .p(counts ? times : null).p(found).i(n).i(rows.count / n).runWithScratch();
  const count = backend.hasData ? Number(found.item()) : n;
  return [self.index_select(d, head(order, count)), places, counts ? head(times, count) : times];
}

function unique(self: Tensor, inverse: boolean, counts: boolean, dim: number | null): Unique {
  return dim === null
    ? fn._unique2!(self, true, inverse, counts)
    : fn.unique_dim!(self, dim, true, inverse, counts);
}

/** What Python's `torch.unique` returns: a tensor, or as many as were asked for. */
function asked(all: Unique, inverse: boolean, counts: boolean): Tensor | Tensor[] {
  if (!inverse && !counts) return all[0];
  return [all[0], ...(inverse ? [all[1]] : []), ...(counts ? [all[2]] : [])];
}

// ---- histograms ----------------------------------------------------------------------------------------------------

function bincount(self: Tensor, weights: Tensor | null, minlength: number): Tensor {
  if (minlength < 0) throw new RuntimeError("minlength should be >= 0");
  if (self.dtype.kind !== Kind.int) refuse("bincount_cpu", self.dtype);
  if (self.sizes.length === 1 && self.count === 0) return self.new_zeros([minlength], { dtype: int64 });
  if (self.sizes.length !== 1 || self.min().item() < 0) {
    throw new RuntimeError("bincount only supports 1-d non-negative integral inputs.");
  }
  if (weights !== null && !(weights.sizes.length === 1 && weights.count === self.count)) {
    throw new RuntimeError("weights should be 1-d and have the same length as input");
  }
  const backend = self.storage.backend;
  const bins = Math.max(Number(self.max().item()) + 1, minlength);
  const dtype = weights === null ? int64 : weights.dtype === float32 ? float32 : float64;
  const out = emptyTensor([bins], dtype, backend);
  const w = weights === null ? null : packedAs(weights, dtype);
  begin(BINCOUNT, backend).i(self.dtype.code).i(dtype.code).p(packed(self)).p(w).p(out).i(self.count).i(bins)
    .run();
  return out;
}

const isReal = (d: DType): boolean => d === float32 || d === float64;

/** The smallest and the largest element, which are where a histogram without a range begins and ends. */
function extent(self: Tensor): [number, number] {
  return [Number(self.min().item()), Number(self.max().item())];
}

const isFiniteRange = (low: number, high: number): boolean => Number.isFinite(low) && Number.isFinite(high);
const rangeText = (low: number, high: number): string => `[${streamed(low)}, ${streamed(high)}]`;

function histc(self: Tensor, bins: number, min: number, max: number): Tensor {
  if (self.dtype === bfloat16) return histc(self.to(float32), bins, min, max).to(bfloat16);
  if (!isReal(self.dtype)) refuse("histogram_cpu", self.dtype);
  if (bins <= 0) {
    throw new RuntimeError(`torch.histogram(): bins must be > 0, but got ${bins} for dimension 0`);
  }
  const backend = self.storage.backend;
  const out = emptyTensor([bins], self.dtype, backend);
  if (!backend.hasData) return out;
  let [low, high] = min === max && self.count > 0 ? extent(self) : [min, max];
  if (!isFiniteRange(low, high)) {
    throw new RuntimeError(`torch.histc: range of ${rangeText(low, high)} is not finite`);
  }
  if (low > high) throw new RuntimeError("torch.histc: max must be larger than min");
  if (low === high) {
    low -= 1;
    high += 1;
  }
  begin(HISTC, backend).i(self.dtype.code).p(packed(self)).p(null).p(out).i(self.count).i(bins).d(low).d(high)
    .run();
  return out;
}

function checkHistogram(self: Tensor, edges: Tensor | null, bins: number, weight: Tensor | null): void {
  const fail = (text: string): never => {
    throw new RuntimeError(`torch.histogramdd: ${text}`);
  };
  const name = (d: DType): string => d === int64 ? "long int" : cxxName(d);
  if (edges !== null) {
    if (edges.dtype !== self.dtype) {
      fail(
        `input tensor and bins tensors should have the same dtype, but got input with dtype ${
          name(self.dtype)
        } and bins for dimension 0 with dtype ${name(edges.dtype)}`,
      );
    }
    if (edges.sizes.length !== 1) {
      fail(
        `bins tensor should have one dimension, but got ${edges.sizes.length} dimensions in the bins tensor for dimension 0`,
      );
    }
    if (edges.count === 0) {
      fail(
        "bins tensor should have at least 1 element, but got 0 elements in the bins tensor for dimension 0",
      );
    }
  }
  if (weight !== null) {
    if (weight.dtype !== self.dtype) {
      fail(
        `if weight tensor is provided, input tensor and weight tensor should have the same dtype, but got input(${
          name(self.dtype)
        }), and weight(${name(weight.dtype)})`,
      );
    }
    if (!sameSizes(weight.sizes, self.sizes)) {
      fail(
        `if weight tensor is provided it should have the same shape as the input tensor excluding its innermost dimension, but got input with shape ${
          shapeText([self.count, 1])
        } and weight with shape ${shapeText([weight.count])}`,
      );
    }
  }
  if (bins <= 0) {
    throw new RuntimeError(`torch.histogram(): bins must be > 0, but got ${bins} for dimension 0`);
  }
  if (!isReal(self.dtype)) refuse("histogramdd", self.dtype);
}

/** `bins` equal steps over `range`, or over the elements. */
function equalEdges(self: Tensor, bins: number, range: readonly number[] | null): Tensor {
  if (range !== null && range.length !== 2) {
    throw new RuntimeError(
      `torch.histogramdd: for a 1-dimensional histogram range should have 2 elements, but got ${range.length}`,
    );
  }
  let [low, high] = range === null ? self.count === 0 ? [0, 1] : extent(self) : range as [number, number];
  if (!isFiniteRange(low, high)) {
    throw new RuntimeError(`torch.histogramdd: dimension 0's range ${rangeText(low, high)} is not finite`);
  }
  if (low > high) {
    throw new RuntimeError(
      `torch.histogramdd: min should not exceed max, but got min ${streamed(low)} max ${
        streamed(high)
      } for dimension 0`,
    );
  }
  if (low === high) {
    low -= 0.5;
    high += 0.5;
  }
  return fn.linspace!(low, high, bins + 1, { dtype: self.dtype, device: self.device });
}

/** Counts of the elements between edges; the last bin holds its right edge too. */
function histogram(self: Tensor, edges: Tensor, weight: Tensor | null, density: boolean): [Tensor, Tensor] {
  const bins = edges.count - 1;
  const x = self.reshape([-1]);
  const first = edges.select(0, 0), last = edges.select(0, bins);
  const inside = x.ge(first).logical_and(x.le(last));
  const bin = fn.searchsorted!(edges, x, { right: true }).sub(1).clamp_max(bins - 1);
  // What lies outside goes to a bin of its own, which is cut off.
  const placed = bin.where(inside, bin.new_full([], bins));
  const counted = placed.bincount(weight === null ? null : weight.reshape([-1]), bins + 1);
  const hist = counted.narrow(0, 0, bins).to(self.dtype).contiguous();
  return [density ? hist.div(hist.sum()).div(edges.diff()) : hist.clone(), edges];
}

// ---- others --------------------------------------------------------------------------------------------------------

/** Is each element one of the tests? Looks it up in the sorted tests. */
function isin(elements: Tensor | Scalar, tests: Tensor | Scalar, invert: boolean): Tensor {
  const like = elements instanceof Tensor ? elements : tests as Tensor;
  const dtype = resultType([elements, tests]);
  const asTensor = (x: Tensor | Scalar): Tensor => x instanceof Tensor ? x : like.new_full([], x, { dtype });
  const a = asTensor(elements), b = asTensor(tests);
  for (const t of [a, b]) {
    if (t.dtype.kind === Kind.bool || t.dtype.kind === Kind.complex) {
      throw new RuntimeError(`Unsupported input type encountered for isin(): ${t.dtype.scalarName}`);
    }
  }
  if (b.count === 0) return a.new_full(a.sizes, invert, { dtype: bool });
  const sorted: Tensor = b.to(dtype).reshape([-1]).sort().values;
  const x = a.to(dtype).reshape([-1]);
  const place = fn.searchsorted!(sorted, x).clamp_max(sorted.count - 1);
  const found = sorted.index_select(0, place).eq(x).reshape(a.sizes);
  return invert ? found.logical_not() : found;
}

function isinRow(name: string, parameters: string): Row {
  return op({
    schema: `${name}(${parameters}, *, bool assume_unique=False, bool invert=False) -> Tensor`,
    impl: (elements: Tensor | Scalar, tests: Tensor | Scalar, _unique: boolean, invert: boolean) =>
      isin(elements, tests, invert),
    only: "function",
    doc: "Is each element one of the test elements?",
  });
}

/** 0 repeats[0] times, 1 repeats[1] times, ... */
function repeatedIndices(repeats: Tensor, outputSize: number | null): Tensor {
  if (repeats.sizes.length !== 1) throw new RuntimeError("repeat_interleave only accept 1D vector as repeat");
  if (repeats.dtype !== int64 && repeats.dtype !== int32) refuse("repeat_interleave_cpu", repeats.dtype);
  if (repeats.count === 0) return repeats.new_empty([0]);
  if (repeats.min().item() < 0) throw new RuntimeError("repeats can not be negative");
  const ends = repeats.cumsum(0);
  const total = Number(ends.select(0, -1).item());
  if (outputSize !== null && outputSize !== total) {
    throw new RuntimeError("allocated size does not match required size");
  }
  const places = fn.arange!(total, { device: repeats.device });
  return fn.searchsorted!(ends, places, { right: true }).to(repeats.dtype);
}

function repeatInterleave(
  self: Tensor,
  repeats: Tensor,
  dim: number | null,
  outputSize: number | null,
): Tensor {
  const x = dim === null ? self.flatten() : self;
  const d = dim === null ? 0 : wrapDim(dim, x.sizes.length);
  const n = x.sizes[d] ?? 1;
  if (repeats.sizes.length > 1) throw new RuntimeError("repeats must be 0-dim or 1-dim tensor");
  if (repeats.count === 1) repeats = repeats.reshape([1]).expand([n]);
  else if (repeats.count !== n) throw new RuntimeError("repeats must have the same size as input along dim");
  return x.index_select(d, fn.repeat_interleave!(repeats, { output_size: outputSize }));
}

const UNIQUE_OPTIONS = "bool return_inverse=False, bool return_counts=False";

export const counting: Table = {
  _unique2: [op({
    schema: `_unique2(Tensor self, bool sorted=True, ${UNIQUE_OPTIONS}) -> (Tensor, Tensor, Tensor)`,
    impl: (self: Tensor, _sorted: boolean, inverse: boolean, counts: boolean) =>
      uniqueOfAll(self, false, inverse, counts),
    only: "hidden",
    node: "Unique2Backward0",
    derivative: { self: "notImplemented" },
    doc: "The distinct elements in order.",
  })],
  unique_dim: [op({
    schema:
      `unique_dim(Tensor self, int dim, bool sorted=True, ${UNIQUE_OPTIONS}) -> (Tensor, Tensor, Tensor)`,
    impl: (self: Tensor, dim: number, _sorted: boolean, inverse: boolean, counts: boolean) =>
      uniqueAlong(self, dim, false, inverse, counts),
    only: "hidden",
    derivative: { self: "notImplemented" },
    doc: "The distinct slices along a dimension in lexicographic order.",
  })],
  _unique_consecutive: [op({
    schema: `unique_consecutive(Tensor self, ${UNIQUE_OPTIONS}, int? dim=None) -> (Tensor, Tensor, Tensor)`,
    impl: (self: Tensor, inverse: boolean, counts: boolean, dim: number | null) =>
      dim === null ? uniqueOfAll(self, true, inverse, counts) : uniqueAlong(self, dim, true, inverse, counts),
    only: "hidden",
    derivative: { self: "notImplemented" },
    doc: "The elements or slices that differ from the one before.",
  })],
  unique: [
    op({
      schema: "unique(Tensor self, bool sorted=True, *, int? dim=None) -> Tensor",
      composite: (self: Tensor, _sorted: boolean, dim: number | null) => unique(self, false, false, dim)[0],
      doc: "The distinct elements, or slices along `dim`, in order.",
    }),
    op({
      schema: `unique.options(Tensor self, bool sorted=True, ${UNIQUE_OPTIONS}, int? dim=None) -> Any`,
      composite: (self: Tensor, _sorted: boolean, inverse: boolean, counts: boolean, dim: number | null) =>
        asked(unique(self, inverse, counts, dim), inverse, counts),
      doc:
        "The distinct elements, or slices along `dim`, in order; on request where each went and how many there were.",
    }),
  ],
  unique_consecutive: [
    op({
      schema: "unique_consecutive(Tensor self, *, int? dim=None) -> Tensor",
      composite: (self: Tensor, dim: number | null) => fn._unique_consecutive!(self, false, false, dim)[0],
      doc: "The first of each run of equal elements, or slices along `dim`.",
    }),
    op({
      schema: `unique_consecutive.options(Tensor self, ${UNIQUE_OPTIONS}, int? dim=None) -> Any`,
      composite: (self: Tensor, inverse: boolean, counts: boolean, dim: number | null) =>
        asked(fn._unique_consecutive!(self, inverse, counts, dim), inverse, counts),
      doc: "The first of each run; on request where each element went and how long the runs were.",
    }),
  ],
  bincount: [op({
    schema: "bincount(Tensor self, Tensor? weights=None, int minlength=0) -> Tensor",
    impl: bincount,
    doc: "How often each integer occurs, or the sum of its weights.",
  })],
  histc: [op({
    schema: "histc(Tensor self, int bins=100, float min=0, float max=0) -> Tensor",
    impl: histc,
    doc:
      "Counts of the elements in equal steps between `min` and `max`, or between the smallest and the largest.",
  })],
  histogram: [
    op({
      schema:
        "histogram(Tensor self, Tensor bins, *, Tensor? weight=None, bool density=False) -> (Tensor hist, Tensor bin_edges)",
      impl: (self: Tensor, bins: Tensor, weight: Tensor | null, density: boolean) => {
        checkHistogram(self, bins, bins.count - 1, weight);
        return histogram(self, bins.clone(), weight, density);
      },
      derivative: { self: "notImplemented", bins: "notImplemented", weight: "notImplemented" },
      doc: "Counts of the elements between the given edges.",
    }),
    op({
      schema:
        "histogram.bin_ct(Tensor self, int bins=100, *, float[]? range=None, Tensor? weight=None, bool density=False) -> (Tensor hist, Tensor bin_edges)",
      impl: (
        self: Tensor,
        bins: number,
        range: readonly number[] | null,
        weight: Tensor | null,
        density: boolean,
      ) => {
        checkHistogram(self, null, bins, weight);
        return histogram(self, equalEdges(self, bins, range), weight, density);
      },
      derivative: { self: "notImplemented", weight: "notImplemented" },
      doc: "Counts of the elements in equal steps.",
    }),
  ],
  isin: [
    isinRow("isin", "Tensor elements, Tensor test_elements"),
    isinRow("isin.Scalar_Tensor", "Scalar element, Tensor test_elements"),
    isinRow("isin.Tensor_Scalar", "Tensor elements, Scalar test_element"),
  ],
  repeat_interleave: [
    op({
      schema: "repeat_interleave(Tensor repeats, *, int? output_size=None) -> Tensor",
      impl: repeatedIndices,
      only: "function",
      doc: "Each index as often as `repeats` says.",
    }),
    op({
      schema:
        "repeat_interleave.self_Tensor(Tensor self, Tensor repeats, int? dim=None, *, int? output_size=None) -> Tensor",
      composite: repeatInterleave,
      doc: "Each element, or slice along `dim`, as often as `repeats` says.",
    }),
    op({
      schema:
        "repeat_interleave.self_int(Tensor self, int repeats, int? dim=None, *, int? output_size=None) -> Tensor",
      composite: (self: Tensor, repeats: number, dim: number | null, outputSize: number | null) =>
        repeatInterleave(self, self.new_full([1], repeats, { dtype: int64 }), dim, outputSize),
      doc: "Each element, or slice along `dim`, several times.",
    }),
  ],
};
