/**
 * Counts and histograms.
 *
 * @module
 */
import { bfloat16, type DType, float32, float64, int64, Kind } from "../base/dtype.ts";
import { RuntimeError } from "../base/errors.ts";
import { sameSizes, shapeText } from "../base/size.ts";
import { fn } from "../dispatch/functions.ts";
import { emptyTensor, packed, packedAs } from "../dispatch/iterator.ts";
import { begin, kernel } from "../dispatch/launch.ts";
import { op, type Row, type Table } from "../dispatch/op.ts";
import { Tensor } from "../tensor.ts";
import { cxxName, streamed } from "./random_fill.ts";
import { refuse } from "./refuse.ts";

const BINCOUNT = kernel("tc_bincount");
const HISTC = kernel("tc_histc");

type Range = readonly number[] | null;

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

function checkBins(bins: number, d: number): void {
  if (bins <= 0) {
    throw new RuntimeError(`torch.histogram(): bins must be > 0, but got ${bins} for dimension ${d}`);
  }
}

function histc(self: Tensor, bins: number, min: number, max: number): Tensor {
  if (self.dtype === bfloat16) return histc(self.to(float32), bins, min, max).to(bfloat16);
  if (self.dtype.kind === Kind.complex) refuse("aminmax_cpu", self.dtype);
  if (!isReal(self.dtype)) refuse("histogram_cpu", self.dtype);
  checkBins(bins, 0);
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

// ---- histogram, histogramdd ----------------------------------------------------------------------------------------

function fail(text: string): never {
  throw new RuntimeError(`torch.histogramdd: ${text}`);
}

/** Number of bins or their edges, for one dimension. */
type Bins = number | Tensor;

/** Checks of a histogram of the points in the rows of `self`. */
function check(self: Tensor, bins: readonly Bins[], weight: Tensor | null): void {
  const dims = self.sizes.at(-1)!;
  const name = (d: DType): string => d === int64 ? "long int" : cxxName(d);
  const edges = bins.filter((b) => b instanceof Tensor);
  if (edges.length > 0 && bins.length !== dims) {
    fail(
      `expected ${dims} sequences of bin edges for a ${dims}-dimensional histogram but got ${bins.length}`,
    );
  }
  edges.forEach((e, d) => {
    if (e.dtype !== self.dtype) {
      fail(
        `input tensor and bins tensors should have the same dtype, but got input with dtype ${
          name(self.dtype)
        } and bins for dimension ${d} with dtype ${name(e.dtype)}`,
      );
    }
    if (e.sizes.length !== 1) {
      fail(
        `bins tensor should have one dimension, but got ${e.sizes.length} dimensions in the bins tensor for dimension ${d}`,
      );
    }
    if (e.count === 0) {
      fail(
        `bins tensor should have at least 1 element, but got 0 elements in the bins tensor for dimension ${d}`,
      );
    }
  });
  if (weight !== null) {
    if (weight.dtype !== self.dtype) {
      fail(
        `if weight tensor is provided, input tensor and weight tensor should have the same dtype, but got input(${
          name(self.dtype)
        }), and weight(${name(weight.dtype)})`,
      );
    }
    if (!sameSizes(weight.sizes, self.sizes.slice(0, -1))) {
      fail(
        `if weight tensor is provided it should have the same shape as the input tensor excluding its innermost dimension, but got input with shape ${
          shapeText(self.sizes)
        } and weight with shape ${shapeText(weight.sizes)}`,
      );
    }
  }
  for (let d = 0; d < dims; d++) {
    const b = bins[d] ?? 0;
    checkBins(b instanceof Tensor ? b.count - 1 : b, d);
  }
  if (!isReal(self.dtype)) refuse("histogramdd", self.dtype);
}

/** `bins` equal steps over [low, high], or over the elements of a column. */
function equalEdges(column: Tensor, bins: number, range: Range, d: number): Tensor {
  const given = range === null ? null : [range[2 * d]!, range[2 * d + 1]!] as [number, number];
  let [low, high] = given ?? (column.count === 0 ? [0, 1] : extent(column));
  if (!isFiniteRange(low, high)) fail(`dimension ${d}'s range ${rangeText(low, high)} is not finite`);
  if (low > high) {
    fail(`min should not exceed max, but got min ${streamed(low)} max ${streamed(high)} for dimension ${d}`);
  }
  if (low === high) {
    low -= 0.5;
    high += 0.5;
  }
  return fn.linspace!(low, high, bins + 1, { dtype: column.dtype, device: column.device });
}

/** Which bin each element falls into, the last one with its right edge; and whether it falls into any. */
function place(column: Tensor, edges: Tensor): { bin: Tensor; inside: Tensor } {
  const bins = edges.count - 1;
  const inside = column.ge(edges.select(0, 0)).logical_and(column.le(edges.select(0, bins)));
  return { bin: fn.searchsorted!(edges, column, { right: true }).sub(1).clamp_max(bins - 1), inside };
}

/** The histogram of the points in the rows of `points`, and the edges of its bins in each dimension. */
function histogram(
  self: Tensor,
  bins: readonly Bins[],
  range: Range,
  weight: Tensor | null,
  density: boolean,
): [Tensor, Tensor[]] {
  check(self, bins, weight);
  const dims = self.sizes.at(-1)!;
  if (range !== null && range.length !== 2 * dims) {
    fail(
      `for a ${dims}-dimensional histogram range should have ${2 * dims} elements, but got ${range.length}`,
    );
  }
  const points = self.detach().reshape([-1, dims]);
  const columns = Array.from({ length: dims }, (_, d): Tensor => points.select(1, d).contiguous());
  const edges = columns.map((column, d) => {
    const b = bins[d]!;
    return b instanceof Tensor ? b.detach().clone() : equalEdges(column, b, range, d);
  });
  const sizes = edges.map((e) => e.count - 1);
  const total = sizes.reduce((a, b) => a * b, 1);
  let flat: Tensor | null = null, inside: Tensor | null = null;
  columns.forEach((column, d) => {
    const p = place(column, edges[d]!);
    flat = flat === null ? p.bin : (flat as Tensor).mul(sizes[d]!).add(p.bin);
    inside = inside === null ? p.inside : (inside as Tensor).logical_and(p.inside);
  });
  // What lies outside goes to a bin of its own, which is cut off.
  const bin = flat!.where(inside!, flat!.new_full([], total));
  const counts = bin.bincount(weight === null ? null : weight.detach().reshape([-1]), total + 1);
  let hist = counts.narrow(0, 0, total).to(self.dtype).clone().view(sizes);
  if (density) {
    hist = hist.div(hist.sum());
    edges.forEach((e, d) => hist = hist.div(e.diff().view(sizes.map((n, i) => (i === d ? n : 1)))));
  }
  return [hist, edges];
}

/** Elements as points with one coordinate. */
function histogramOfAll(
  self: Tensor,
  bins: Bins,
  range: Range,
  weight: Tensor | null,
  density: boolean,
): [Tensor, Tensor] {
  const [hist, edges] = histogram(
    self.reshape([-1, 1]),
    [bins],
    range,
    weight?.reshape([-1]) ?? null,
    density,
  );
  return [hist, edges[0]!];
}

const REST = "Tensor? weight=None, bool density=False";

function histogramdd(name: string, bins: string, list: (bins: never, dims: number) => readonly Bins[]): Row {
  return op({
    schema: `${name}(Tensor self, ${bins}, float[]? range=None, ${REST}) -> Any`,
    composite: (self: Tensor, b: never, range: Range, weight: Tensor | null, density: boolean) => {
      if (self.sizes.length < 2) fail("input tensor should have at least 2 dimensions");
      const [hist, edges] = histogram(self, list(b, self.sizes.at(-1)!), range, weight, density);
      return Object.assign([hist, edges], { hist, bin_edges: edges });
    },
    only: "function",
    doc: "A histogram of points in several dimensions: `hist` and the list `bin_edges`.",
  });
}

export const histograms: Table = {
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
      schema: `histogram(Tensor self, Tensor bins, *, ${REST}) -> (Tensor hist, Tensor bin_edges)`,
      impl: (self: Tensor, bins: Tensor, weight: Tensor | null, density: boolean) =>
        histogramOfAll(self, bins, null, weight, density),
      node: "NotImplemented",
      derivative: { self: "notImplemented", bins: "notImplemented", weight: "notImplemented" },
      doc: "Counts of the elements between the given edges.",
    }),
    op({
      schema:
        `histogram.bin_ct(Tensor self, int bins=100, *, float[]? range=None, ${REST}) -> (Tensor hist, Tensor bin_edges)`,
      impl: histogramOfAll,
      node: "NotImplemented",
      derivative: { self: "notImplemented", weight: "notImplemented" },
      doc: "Counts of the elements in equal steps.",
    }),
  ],
  histogramdd: [
    histogramdd("histogramdd", "int[] bins", (bins: readonly number[]) => bins),
    histogramdd(
      "histogramdd.int_bins",
      "int bins",
      (bins: number, dims) => new Array<number>(dims).fill(bins),
    ),
    histogramdd("histogramdd.TensorList_bins", "Tensor[] bins", (bins: readonly Tensor[]) => bins),
  ],
};
