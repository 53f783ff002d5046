/**
 * Distinct elements, membership and repetition.
 *
 * @module
 */
import { bool, int32, int64, Kind } from "../base/dtype.ts";
import { IndexError, RuntimeError } from "../base/errors.ts";
import type { Scalar } from "../base/scalar.ts";
import { fn } from "../dispatch/functions.ts";
import { emptyTensor, packed } from "../dispatch/iterator.ts";
import { begin, kernel } from "../dispatch/launch.ts";
import { op, type Row, type Table } from "../dispatch/op.ts";
import { resultType } from "../dispatch/promotion.ts";
import { wrapDim } from "../dispatch/reduction.ts";
import { Tensor } from "../tensor.ts";
import { refuse } from "./refuse.ts";

const UNIQUE = kernel("tc_unique");
const UNIQUE_ROWS = kernel("tc_unique_rows");

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
