/**
 * Reading and writing along one dimension: gather, scatter, and whole slices (index_select, index_add, ...).
 *
 * @module
 */
import { ROWS_OP, SCATTER_OP, SLOT } from "../_gen/kernels.ts";
import { type DType, int32, int64, Kind } from "../base/dtype.ts";
import { IndexError, RuntimeError, warnOnce } from "../base/errors.ts";
import { Complex, type Scalar, toNumber } from "../base/scalar.ts";
import { sameSizes, shapeText } from "../base/size.ts";
import { fn } from "../dispatch/functions.ts";
import { commonBackend, emptyTensor, packed } from "../dispatch/iterator.ts";
import { begin, kernel } from "../dispatch/launch.ts";
import { type Ctx, op, type Table } from "../dispatch/op.ts";
import { splitAround, wrapDim } from "../dispatch/reduction.ts";
import { alias, Tensor } from "../tensor.ts";
import { numberSlots } from "./index_launch.ts";
import { updatePacked, writable } from "./updating.ts";

const GATHER = kernel("tc_gather");
const SCATTER = kernel("tc_scatter");
const INDEX_SELECT = kernel("tc_index_select");
const INDEX_ROWS = kernel("tc_index_rows");

type Sizes = readonly number[];

/** A 0-dim tensor as one of one element: these operators know no difference. */
function atLeast1d(t: Tensor): Tensor {
  return t.sizes.length > 0 ? t : alias(t, [1], [1], t.offset);
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

const outOfBounds = (index: number, size: number, dim: number): Error =>
  new RuntimeError(`index ${index} is out of bounds for dimension ${dim} with size ${size}`);

// ---- gather and scatter --------------------------------------------------------------------------------------------

/** The dimensions besides `dim`, innermost first, merged where three tensors allow; sizes are those of the index. */
function otherDims(
  sizes: Sizes,
  dim: number,
  tensors: readonly (Tensor | null)[],
): { shape: number[]; strides: number[][] } {
  const shape: number[] = [], strides: number[][] = [];
  for (let i = sizes.length - 1; i >= 0; i--) {
    const size = sizes[i]!;
    if (i === dim || size === 1) continue;
    const here = tensors.map((t) => t === null ? 0 : t.strides[i]!);
    const inner = strides.at(-1), n = shape.at(-1);
    if (inner !== undefined && here.every((s, k) => s === inner[k]! * n!)) shape[shape.length - 1]! *= size;
    else {
      shape.push(size);
      strides.push(here);
    }
  }
  return { shape, strides };
}

function gather(self: Tensor, dim: number, index: Tensor): Tensor {
  const backend = commonBackend([self, index]);
  const d = wrapDim(dim, self.sizes.length);
  const out = emptyTensor(index.sizes, self.dtype, backend);
  if (index.count === 0) return out;
  if (index.dtype !== int64) throw new RuntimeError("gather(): Expected dtype int64 for index");
  const x = atLeast1d(self), at = atLeast1d(index);
  if (x.sizes.length !== at.sizes.length) {
    throw new RuntimeError("Index tensor must have the same number of dimensions as input tensor");
  }
  at.sizes.forEach((size, i) => {
    if (i !== d && size > x.sizes[i]!) {
      throw new RuntimeError(
        `Size does not match at dimension ${i} expected index ${
          shapeText(index.sizes)
        } to be smaller than self ${shapeText(self.sizes)} apart from dimension ${d}`,
      );
    }
  });
  if (!backend.hasData) return out;
  if (out.count >= 1 << 15) backend.expectWork();
  const to = atLeast1d(out);
  const { shape, strides } = otherDims(at.sizes, d, [to, x, at]);
  const slots = SLOT.tc_gather_args;
  checkedIndex(() => {
    const k = begin(GATHER, backend).i(self.dtype.code).p(to).p(x).p(at).i(x.sizes[d]!).i(at.sizes[d]!);
    k.i(to.strides[d]!).i(x.strides[d]!).i(at.strides[d]!).i(d).i(shape.length).list(shape);
    k.at(slots.stride).list(strides.flat()).run();
  }, outOfBounds);
  return out;
}

/** What a scatter writes: elements of a tensor, or a number. */
type Source = Tensor | Scalar;

function checkScatter(self: Tensor, d: number, index: Tensor, src: Source): void {
  if (index.count > 0 && index.dtype !== int64) {
    throw new RuntimeError("scatter(): Expected dtype int64 for index");
  }
  if (src instanceof Tensor && src.dtype !== self.dtype) {
    throw new RuntimeError("scatter(): Expected self.dtype to be equal to src.dtype");
  }
  if (index.count === 0) return;
  const x = atLeast1d(self), at = atLeast1d(index), from = src instanceof Tensor ? atLeast1d(src) : null;
  if (x.sizes.length !== at.sizes.length) {
    throw new RuntimeError("Index tensor must have the same number of dimensions as self tensor");
  }
  let wrong = at.sizes.some((s, i) => i !== d && s > x.sizes[i]!);
  if (from !== null && !wrong) {
    wrong = at.sizes.some((s, i) => s > from.sizes[wrapDim(i, from.sizes.length)]!);
  }
  if (from !== null && from.sizes.length !== at.sizes.length) {
    throw new RuntimeError("Index tensor must have the same number of dimensions as src tensor");
  }
  if (wrong) {
    const smaller = `Expected index ${shapeText(index.sizes)} to be smaller than self ${
      shapeText(self.sizes)
    } apart from dimension ${d}`;
    throw new RuntimeError(
      src instanceof Tensor ? `${smaller} and to be smaller size than src ${shapeText(src.sizes)}` : smaller,
    );
  }
}

/** Numbers that a dtype cannot hold are refused. */
function checkValue(value: Source, dtype: DType): void {
  if (value instanceof Complex && dtype.kind !== Kind.complex && value.im !== 0) {
    const name = dtype.name === "float32" ? "float" : dtype.name === "float64" ? "double" : dtype.name;
    throw new RuntimeError(`value cannot be converted to type ${name} without overflow`);
  }
}

function scatter(
  op: number,
  self: Tensor,
  dim: number,
  index: Tensor,
  src: Source,
  includeSelf = true,
): Tensor {
  const d = wrapDim(dim, self.sizes.length);
  const backend = commonBackend([self, index, src]);
  checkScatter(self, d, index, src);
  checkValue(src, self.dtype);
  const write = (out: Tensor): void => {
    if (index.count === 0 || !backend.hasData) return;
    if (index.count >= 1 << 15) backend.expectWork();
    const to = atLeast1d(out), at = atLeast1d(index);
    let from = src instanceof Tensor ? atLeast1d(src) : null;
    if (from !== null && from.storage === to.storage) from = packed(from.clone());
    const { shape, strides } = otherDims(at.sizes, d, [to, from, at]);
    const slots = SLOT.tc_scatter_args;
    checkedIndex(() => {
      const k = begin(SCATTER, backend).i(0).i(op).b(includeSelf).i(self.dtype.code).p(to).p(from).p(at);
      numberSlots(src instanceof Tensor ? 0 : src, self.dtype)(k);
      k.i(to.sizes[d]!).i(at.sizes[d]!).i(to.strides[d]!).i(from?.strides[d] ?? 0).i(at.strides[d]!).i(d).i(
        to.count,
      );
      k.i(shape.length).list(shape);
      k.at(slots.stride).list(strides.flat()).runWithScratch();
    }, outOfBounds);
  };
  if (op === SCATTER_OP.MEAN) return updatePacked(self, write);
  const out = writable(self);
  write(out);
  return out;
}

function oldReduce(name: string): number {
  if (name === "add") return SCATTER_OP.ADD;
  if (name === "multiply") return SCATTER_OP.MUL;
  throw new RuntimeError("reduce argument must be either add or multiply.");
}

const REDUCE_NAMES: Readonly<Record<string, number>> = {
  sum: SCATTER_OP.ADD,
  prod: SCATTER_OP.MUL,
  mean: SCATTER_OP.MEAN,
  amax: SCATTER_OP.AMAX,
  amin: SCATTER_OP.AMIN,
};

function scatterReduce(
  self: Tensor,
  dim: number,
  index: Tensor,
  src: Tensor,
  reduce: string,
  includeSelf: boolean,
): Tensor {
  const op = REDUCE_NAMES[reduce];
  if (op === undefined) {
    throw new RuntimeError("reduce argument must be either sum, prod, mean, amax or amin.");
  }
  if (op === SCATTER_OP.MEAN && self.dtype.kind === Kind.bool) {
    throw new RuntimeError(`"scatter_gather_tensor_cpu_reduce_mean" not implemented for 'Bool'`);
  }
  return scatter(op, self, dim, index, src, includeSelf);
}

/** The part of a source that an index of smaller size reads. */
function readPart(src: Tensor, sizes: Sizes): Tensor {
  let part = src;
  sizes.forEach((n, i) => {
    if (n !== part.sizes[i]) part = part.narrow(i, 0, n);
  });
  return part;
}

/** A gradient of the index's shape as one of the whole source. */
function fillPart(grad: Tensor, sizes: Sizes): Tensor {
  let g = grad;
  sizes.forEach((n, i) => {
    const have = g.sizes[i]!;
    if (have === n) return;
    const rest = g.sizes.slice();
    rest[i] = n - have;
    g = fn.cat!([g, g.new_zeros(rest)], i);
  });
  return g;
}

/** The parts that a backward formula of scatter_reduce or index_reduce is made of. */
interface Along {
  /** `t` at the index, in the source's shape. */
  read(t: Tensor): Tensor;
  /** `to` with `values` added at the index. */
  add(to: Tensor, values: Tensor): Tensor;
  /** The same operator with another source. */
  again(self: Tensor, source: Tensor): Tensor;
  /** `t` with zeros at the index. */
  clear(t: Tensor): Tensor;
}

/**
 * Gradients of scatter_reduce and index_reduce (torch/csrc/autograd/FunctionsManual.cpp, scatter_reduce_backward). A
 * source that is the one zero of its product gets the product of the others.
 */
function reduceBackward(c: Ctx, source: Tensor, a: Along): [Tensor, Tensor] {
  const self: Tensor = c.self, grad: Tensor = c.grad, result: Tensor = c.result;
  let own: Tensor, theirs: Tensor;
  if (c.reduce === "sum") {
    own = grad;
    theirs = a.read(grad);
  } else if (c.reduce === "prod") {
    const whole = self.masked_fill(self.eq(0), 1);
    own = grad.mul(a.again(whole, source)).div(whole);
    const isZero = source.eq(0);
    const zeros = a.read(a.add(fn.zeros_like!(self), isZero.to(self.dtype)));
    const single = isZero.logical_and(zeros.eq(1));
    const others = a.again(self, source.masked_fill(single, 1));
    theirs = a.read(grad.mul(others)).where(
      single,
      a.read(grad.mul(result)).div(source.masked_fill(isZero, 1)),
    );
  } else if (c.reduce === "mean") {
    const start = c.include_self ? fn.ones_like!(grad) : fn.zeros_like!(grad);
    const count = a.add(start, fn.ones_like!(source)).clamp_min(1);
    own = grad.div(count);
    theirs = a.read(own);
  } else {
    const mine = self.eq(result).to(self.dtype), hit = source.eq(a.read(result)).to(self.dtype);
    const shared = grad.div(a.add(mine, hit));
    own = mine.mul(shared);
    theirs = hit.mul(a.read(shared));
  }
  return [c.include_self ? own : a.clear(own), theirs];
}

function scatterReduceBackward(c: Ctx): Tensor[] {
  const index: Tensor = c.index, dim: number = c.dim;
  if (index.count === 0) return [c.grad, c.grad.new_zeros(c.sizesOf("src"))];
  const source = readPart(c.src, index.sizes);
  const [own, theirs] = reduceBackward(c, source, {
    read: (t) => t.gather(dim, index),
    add: (to, values) => to.scatter_add(dim, index, values),
    again: (self, src) => self.scatter_reduce(dim, index, src, c.reduce, { include_self: c.include_self }),
    clear: (t) => t.scatter(dim, index, 0),
  });
  return [own, fillPart(theirs, c.sizesOf("src"))];
}

// ---- whole slices --------------------------------------------------------------------------------------------------

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
    const at = packed(index), rows = from !== null && from.storage === out.storage ? from.clone() : from;
    checkedIndex(() => {
      const k = begin(INDEX_ROWS, backend).i(0).i(u.op).b(u.includeSelf ?? true).i(self.dtype.code).i(
        at.dtype.code,
      )
        .b(u.wrap ?? false).p(out).p(rows).p(at);
      numberSlots(source instanceof Tensor ? 0 : source, self.dtype)(k);
      // One slot: alpha is a real number.
      if (self.dtype.kind >= Kind.float) k.d(toNumber(u.alpha ?? 1));
      else k.i(Math.trunc(toNumber(u.alpha ?? 1)));
      k.i(outer).i(n).i(at.count).i(inner).i(d).runWithScratch();
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
  if (self.dtype.kind === Kind.bool) throw new RuntimeError(`"index_func_" not implemented for 'Bool'`);
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

export const scatters: Table = {
  gather: [op({
    schema: "gather(Tensor self, int dim, Tensor index, *, bool sparse_grad=False) -> Tensor",
    impl: gather,
    saves: ["index"],
    derivative: {
      self: (c) => c.grad.new_zeros(c.sizesOf("self")).scatter_add(c.dim, c.index, c.grad),
      index: "nonDifferentiable",
    },
    doc: "The elements that `index` names along a dimension.",
  })],
  scatter: [
    op({
      schema: "scatter(Tensor self, int dim, Tensor index, Tensor src) -> Tensor",
      impl: (self: Tensor, dim: number, index: Tensor, src: Tensor) =>
        scatter(SCATTER_OP.ASSIGN, self, dim, index, src),
      direct: true,
      inplace: true,
      saves: ["index"],
      derivative: {
        self: (c) => c.grad.scatter(c.dim, c.index, 0),
        index: "nonDifferentiable",
        src: (c) => fillPart(c.grad.gather(c.dim, c.index), c.sizesOf("src")),
      },
      doc: "A copy with the elements of `src` written to the indices along a dimension.",
    }),
    op({
      schema: "scatter.value(Tensor self, int dim, Tensor index, Scalar value) -> Tensor",
      impl: (self: Tensor, dim: number, index: Tensor, value: Scalar) =>
        scatter(SCATTER_OP.ASSIGN, self, dim, index, value),
      direct: true,
      inplace: true,
      node: "ScatterBackward1",
      saves: ["index"],
      derivative: { self: (c) => c.grad.scatter(c.dim, c.index, 0), index: "nonDifferentiable" },
      doc: "A copy with a number written to the indices along a dimension.",
    }),
    op({
      schema: "scatter.reduce(Tensor self, int dim, Tensor index, Tensor src, *, str reduce) -> Tensor",
      impl: (self: Tensor, dim: number, index: Tensor, src: Tensor, reduce: string) =>
        scatter(oldReduce(reduce), self, dim, index, src),
      direct: true,
      inplace: true,
      node: "NotImplemented",
      derivative: { self: notImplemented, index: "nonDifferentiable", src: notImplemented },
      doc: "A copy with the elements of `src` added to or multiplied with those at the indices.",
    }),
    op({
      schema:
        "scatter.value_reduce(Tensor self, int dim, Tensor index, Scalar value, *, str reduce) -> Tensor",
      impl: (self: Tensor, dim: number, index: Tensor, value: Scalar, reduce: string) =>
        scatter(oldReduce(reduce), self, dim, index, value),
      direct: true,
      inplace: true,
      node: "NotImplemented",
      derivative: { self: notImplemented, index: "nonDifferentiable" },
      doc: "A copy with a number added to or multiplied with the elements at the indices.",
    }),
  ],
  scatter_add: [op({
    schema: "scatter_add(Tensor self, int dim, Tensor index, Tensor src) -> Tensor",
    impl: (self: Tensor, dim: number, index: Tensor, src: Tensor) =>
      scatter(SCATTER_OP.ADD, self, dim, index, src),
    direct: true,
    inplace: true,
    saves: ["index"],
    derivative: {
      self: (c) => c.grad,
      index: "nonDifferentiable",
      src: (c) => fillPart(c.grad.gather(c.dim, c.index), c.sizesOf("src")),
    },
    doc: "A copy with the elements of `src` added at the indices along a dimension.",
  })],
  scatter_reduce: [op({
    schema:
      "scatter_reduce(Tensor self, int dim, Tensor index, Tensor src, str reduce, *, bool include_self=True) -> Tensor",
    impl: scatterReduce,
    direct: true,
    inplace: true,
    saves: ["self", "index", "src", "result"],
    derivative: { "self, src": scatterReduceBackward, index: "nonDifferentiable" },
    doc: "A copy with the elements of `src` reduced into the indices: sum, prod, mean, amax or amin.",
  })],
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
      value: (c) => c.grad.index_select(c.dim, c.index.reshape([-1]).unique()).sum(),
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

function notImplemented(): never {
  throw new RuntimeError("derivative for aten::scatter is not implemented");
}
