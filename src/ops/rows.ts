/**
 * Reading and writing whole slices along one dimension: index_select, index_add, index_copy, index_fill, index_reduce.
 *
 * @module
 */
import { ROWS_OP } from "../_gen/kernels.ts";
import { type DType, int32, int64, Kind, toReal } from "../base/dtype.ts";
import { IndexError, RuntimeError, warnOnce } from "../base/errors.ts";
import { Complex, type Scalar, toNumber } from "../base/scalar.ts";
import { sameSizes, shapeText } from "../base/size.ts";
import { commonBackend, emptyTensor, packed } from "../dispatch/iterator.ts";
import { begin, kernel } from "../dispatch/launch.ts";
import { type Ctx, op, type Table } from "../dispatch/op.ts";
import { splitAround, wrapDim } from "../dispatch/reduction.ts";
import { Tensor } from "../tensor.ts";
import { checkedIndex, numberSlots } from "./index_launch.ts";
import { reduceBackward } from "./reduce_backward.ts";
import { refuse } from "./refuse.ts";
import { updatePacked } from "./updating.ts";

const INDEX_SELECT = kernel("tc_index_select");
const INDEX_ROWS = kernel("tc_index_rows");

type Sizes = readonly number[];

/** What is written: slices of a tensor, or a number. */
type Source = Tensor | Scalar;

const isIndexDtype = (d: DType): boolean => d === int64 || d === int32;

const rangeInSelf = (): Error => new IndexError("index out of range in self");

/** Rows of `self` along `d`, in a new tensor of the given sizes. */
export function selectRows(self: Tensor, d: number, index: Tensor, sizes: Sizes): Tensor {
  const backend = self.storage.backend;
  const out = emptyTensor(sizes, self.dtype, backend);
  if (out.count === 0 || !backend.hasData) return out;
  if (out.count >= 1 << 15) backend.expectWork();
  // Rows may lie apart as long as each is in one piece.
  const rows = self.sizes.length === 2 && d === 0 && self.strides[1] === 1 ? self : packed(self);
  const [outer, n, inner] = splitAround(rows.sizes, d);
  const rowStride = rows.packed ? inner : rows.strides[0]!;
  const at = packed(index);
  checkedIndex(
    () =>
      begin(INDEX_SELECT, backend).i(self.dtype.code).i(at.dtype.code).i(0).p(out).p(rows).p(at).i(outer).i(n)
        .i(at.count)
        .i(inner).i(n * rowStride).i(rowStride).i(d).run(),
    rangeInSelf,
  );
  return out;
}

function indexSelect(self: Tensor, dim: number, index: Tensor): Tensor {
  commonBackend([self, index]);
  const rank = self.sizes.length;
  const d = wrapDim(dim, rank);
  if (index.sizes.length > 1) throw new IndexError("index_select(): Index is supposed to be a vector");
  if (!isIndexDtype(index.dtype)) {
    throw new RuntimeError("index_select(): Expected dtype int32 or int64 for index");
  }
  const sizes = self.sizes.map((n, i) => (i === d ? index.count : n));
  if (rank > 0 && self.sizes[d] === 0 && index.count > 0 && sizes.every((n) => n !== 0)) {
    throw new RuntimeError("index_select(): self indexing axis dim should be positive");
  }
  return selectRows(self, d, index, sizes);
}

/** Checks of index_add and index_reduce. */
function checkIndexFunc(name: string, self: Tensor, d: number, index: Tensor, source: Tensor): void {
  commonBackend([self, index, source]);
  if (index.sizes.length > 1) {
    throw new IndexError(
      `${name}_(): Index is supposed to be a vector, but got dim: ${index.sizes.length} with type: ${index.dtype.scalarName} and size: ${
        shapeText(index.sizes)
      }`,
    );
  }
  if (!isIndexDtype(index.dtype)) {
    throw new RuntimeError(
      `${name}_(): Expected dtype int32/int64 for index but got: ${index.dtype.scalarName}`,
    );
  }
  if (self.dtype !== source.dtype) {
    throw new RuntimeError(
      `${name}_(): self (${self.dtype.scalarName}) and source (${source.dtype.scalarName}) must have the same scalar type`,
    );
  }
  const rank = source.sizes.length;
  if (d !== 0 && d >= rank) {
    throw new RuntimeError(
      `${name}_(): Indexing dim ${d} is out of bounds of the source tensor with dim ${rank}`,
    );
  }
  const length = rank === 0 ? 1 : source.sizes[d]!;
  if (index.count !== length) {
    throw new RuntimeError(
      `${name}_(): Number of indices (${index.count}) should be equal to source.size(dim): (${length}), for dim: ${d}`,
    );
  }
}

/** `source` broadcast to the slices of `self` that it goes to. */
function asRows(self: Tensor, d: number, count: number, source: Tensor): Tensor {
  if (self.sizes.length === 0) return source.reshape([]);
  if (source.sizes.length === 0 && self.sizes.length > 1) {
    throw new IndexError("select() cannot be applied to a 0-dim tensor.");
  }
  const want = self.sizes.map((n, i) => (i === d ? count : n));
  if (sameSizes(source.sizes, want)) return source;
  // PyTorch adds slice by slice, so errors speak of slices.
  const slice = self.sizes.filter((_, i) => i !== d), given = source.sizes.filter((_, i) => i !== d);
  for (let i = 1; i <= Math.min(slice.length, given.length); i++) {
    const a = slice.at(-i)!, b = given.at(-i)!;
    if (a !== b && a !== 1 && b !== 1) {
      throw new RuntimeError(
        `The size of tensor a (${a}) must match the size of tensor b (${b}) at non-singleton dimension ${
          slice.length - i
        }`,
      );
    }
  }
  if (given.length > slice.length || given.some((b, i) => b !== 1 && slice.at(i - given.length) === 1)) {
    const broad = given.map((b, i) => Math.max(b, slice.at(i - given.length) ?? 1));
    throw new RuntimeError(
      `output with shape ${shapeText(slice)} doesn't match the broadcast shape ${shapeText(broad)}`,
    );
  }
  return source.expand(want);
}

interface RowsUpdate {
  op: number;
  includeSelf?: boolean;
  wrap?: boolean;
  alpha?: Scalar;
}

/** self op= source at whole slices. */
function updateRows(
  self: Tensor,
  d: number,
  index: Tensor,
  source: Source,
  u: RowsUpdate,
  range: (index: number, size: number, dim: number) => Error,
): Tensor {
  const from = source instanceof Tensor ? packed(source) : null;
  return updatePacked(self, (out) => {
    const backend = out.storage.backend;
    if (index.count === 0 || out.count === 0 || !backend.hasData) return;
    if (out.count >= 1 << 15) backend.expectWork();
    const [outer, n, inner] = splitAround(out.sizes, d);
    // Complex numbers are added part by part.
    const parts = u.op === ROWS_OP.ADD && self.dtype.kind === Kind.complex ? 2 : 1;
    const dtype = parts === 2 ? toReal(self.dtype) : self.dtype;
    const at = packed(index), rows = from !== null && from.storage === out.storage ? from.clone() : from;
    checkedIndex(() => {
      const k = begin(INDEX_ROWS, backend).i(0).i(u.op).b(u.includeSelf ?? true).i(dtype.code).i(
        at.dtype.code,
      )
        .b(u.wrap ?? false).p(out).p(rows).p(at);
      numberSlots(source instanceof Tensor ? 0 : source, self.dtype)(k);
      // One slot: alpha is a real number.
      if (dtype.kind >= Kind.float) k.d(toNumber(u.alpha ?? 1));
      else k.i(Math.trunc(toNumber(u.alpha ?? 1)));
      k.i(outer).i(n).i(at.count).i(inner * parts).i(d).runWithScratch();
    }, range);
  });
}

function indexAdd(self: Tensor, dim: number, index: Tensor, source: Tensor, alpha: Scalar): Tensor {
  const d = wrapDim(dim, self.sizes.length);
  checkIndexFunc("index_add", self, d, index, source);
  const rows = asRows(self, d, index.count, source);
  return updateRows(self, d, index, rows, { op: ROWS_OP.ADD, alpha }, rangeInSelf);
}

function indexCopy(self: Tensor, dim: number, index: Tensor, source: Tensor): Tensor {
  const rank = self.sizes.length, d = wrapDim(dim, rank);
  commonBackend([self, index, source]);
  const fail = (text: string): never => {
    throw new IndexError(`index_copy_(): ${text}`);
  };
  const n = source.sizes.length;
  if (index.sizes.length > 1) fail(`Index should have dimension 1 or 0 (got ${index.sizes.length})`);
  if (n === 0 && index.count !== 1) {
    fail(`When source is scalar, index should have one element (got ${index.count})`);
  }
  if (n !== rank && n !== 0 && rank !== 0) {
    fail(
      `When source and destination are not scalars, their dimensionality must match. Source dimensionality (${n}), destination dimensionality (${rank})`,
    );
  }
  if (index.dtype !== int64) {
    throw new RuntimeError(
      `index_copy_(): Expected a long tensor for index, but got ${index.dtype.scalarName}`,
    );
  }
  if (self.dtype !== source.dtype) {
    throw new RuntimeError(
      `index_copy_(): self and source expected to have the same dtype, but got (self) ${self.dtype.scalarName} and (source) ${source.dtype.scalarName}`,
    );
  }
  const slice = (sizes: Sizes): number[] => sizes.filter((_, i) => i !== d);
  if (!sameSizes(slice(self.sizes), slice(source.sizes))) {
    throw new RuntimeError(
      `index_copy_(): Source/destination tensor must have same slice shapes. Destination slice shape: ${
        slice(self.sizes).join(" ")
      } at dimension ${d} and source slice shape: ${slice(source.sizes).join(" ")} at dimension 0.`,
    );
  }
  if (n > 0 && index.count !== source.sizes[d]) {
    fail(`Number of indices (${index.count}) should be equal to source.size(dim) (${source.sizes[d]})`);
  }
  return updateRows(
    self,
    d,
    index,
    source,
    { op: ROWS_OP.COPY },
    (i, size) =>
      new IndexError(`index_copy_(): index ${i} is out of bounds for dimension ${d} with size ${size}`),
  );
}

function indexFill(self: Tensor, dim: number, index: Tensor, value: Source): Tensor {
  commonBackend([self, index, value]);
  if (value instanceof Tensor && value.sizes.length !== 0) {
    throw new RuntimeError(
      `index_fill_ only supports a 0-dimensional value tensor, but got tensor with ${value.sizes.length} dimension(s).`,
    );
  }
  if (index.dtype !== int64) throw new IndexError("index_fill_(): Expected dtype int64 for index.");
  const number: Scalar = value instanceof Tensor ? value.item() : value;
  if (number instanceof Complex && self.dtype.kind !== Kind.complex) {
    throw new RuntimeError("index_fill_(): Converting complex Scalar to non-complex type is not supported");
  }
  if (index.sizes.length > 1) throw new RuntimeError("Index has to be a vector/scalar");
  const d = wrapDim(dim, self.sizes.length);
  return updateRows(
    self,
    d,
    index,
    number,
    { op: ROWS_OP.COPY, wrap: true },
    (i, size) => new IndexError(`index ${i} is out of bounds for dimension ${d} with size ${size}`),
  );
}

const ROW_REDUCTIONS: Readonly<Record<string, number>> = {
  prod: ROWS_OP.MUL,
  mean: ROWS_OP.MEAN,
  amax: ROWS_OP.AMAX,
  amin: ROWS_OP.AMIN,
};

function indexReduce(
  self: Tensor,
  dim: number,
  index: Tensor,
  source: Tensor,
  reduce: string,
  includeSelf: boolean,
): Tensor {
  const op = ROW_REDUCTIONS[reduce];
  if (op === undefined) {
    throw new RuntimeError(
      `index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got ${reduce}.`,
    );
  }
  warnOnce("UserWarning", "index_reduce() is in beta and the API may change at any time.");
  const d = wrapDim(dim, self.sizes.length);
  checkIndexFunc("index_reduce", self, d, index, source);
  if (self.dtype.kind === Kind.bool) refuse("index_func_", self.dtype);
  const rows = asRows(self, d, index.count, source);
  return updateRows(self, d, index, rows, { op, includeSelf }, rangeInSelf);
}

/** The gradient at the slices that a source went to, in its shape. */
function rowsOf(c: Ctx, name: string): Tensor {
  const sizes: Sizes = c.sizesOf(name);
  const rows: Tensor = c.grad.index_select(c.dim, c.index);
  return sizes.length > 0 ? rows : rows.reshape([]);
}

function indexReduceBackward(c: Ctx): Tensor[] {
  const dim: number = c.dim, index: Tensor = c.index;
  const self: Tensor = c.self;
  const source = asRows(self, wrapDim(dim, self.sizes.length), index.count, c.source);
  return reduceBackward(c, source, {
    read: (t) => t.index_select(dim, index),
    add: (to, values) => to.index_add(dim, index, values),
    again: (x, src) => x.index_reduce(dim, index, src, c.reduce, { include_self: c.include_self }),
    clear: (t) => t.index_fill(dim, index, 0),
  });
}

export const rows: Table = {
  index_select: [op({
    schema: "index_select(Tensor self, int dim, Tensor index) -> Tensor",
    impl: indexSelect,
    saves: ["index"],
    derivative: {
      self: (c) => c.grad.new_zeros(c.sizesOf("self")).index_add(c.dim, c.index, c.grad),
      index: "nonDifferentiable",
    },
    doc: "The slices at the indices along a dimension.",
  })],
  index_add: [op({
    schema: "index_add(Tensor self, int dim, Tensor index, Tensor source, *, Scalar alpha=1) -> Tensor",
    impl: indexAdd,
    direct: true,
    inplace: true,
    saves: ["index"],
    derivative: {
      self: (c) => c.grad,
      index: "nonDifferentiable",
      source: (c) => c.alpha === 1 ? rowsOf(c, "source") : rowsOf(c, "source").mul(c.alpha),
    },
    doc: "A copy with the slices of `source`, scaled by `alpha`, added at the indices along a dimension.",
  })],
  index_copy: [op({
    schema: "index_copy(Tensor self, int dim, Tensor index, Tensor source) -> Tensor",
    impl: indexCopy,
    direct: true,
    inplace: true,
    saves: ["index"],
    derivative: {
      self: (c) => c.grad.index_fill(c.dim, c.index, 0),
      index: "nonDifferentiable",
      source: (c) => rowsOf(c, "source"),
    },
    doc: "A copy with the slices of `source` at the indices along a dimension.",
  })],
  index_fill: [op({
    schema: "index_fill(Tensor self, int dim, Tensor index, Operand value) -> Tensor",
    impl: indexFill,
    direct: true,
    inplace: true,
    saves: ["index"],
    derivative: {
      self: (c) => c.grad.index_fill(c.dim, c.index, 0),
      index: "nonDifferentiable",
      value: (c) => {
        const size = c.grad.sizes.length === 0 ? 1 : c.grad.sizes[wrapDim(c.dim, c.grad.sizes.length)]!;
        return c.grad.index_select(c.dim, c.index.reshape([-1]).remainder(size).unique()).sum();
      },
    },
    doc: "A copy with one value in the slices at the indices along a dimension.",
  })],
  index_reduce: [op({
    schema:
      "index_reduce(Tensor self, int dim, Tensor index, Tensor source, str reduce, *, bool include_self=True) -> Tensor",
    impl: indexReduce,
    direct: true,
    inplace: true,
    saves: ["self", "index", "source", "result"],
    derivative: { "self, source": indexReduceBackward, index: "nonDifferentiable" },
    doc: "A copy with the slices of `source` reduced into the indices: prod, mean, amax or amin.",
  })],
};
