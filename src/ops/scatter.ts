/**
 * Reading and writing elements along one dimension: gather and scatter.
 *
 * @module
 */
import { SCATTER_OP, SLOT } from "../_gen/kernels.ts";
import { type DType, int64, Kind } from "../base/dtype.ts";
import { RuntimeError } from "../base/errors.ts";
import { Complex, type Scalar } from "../base/scalar.ts";
import { shapeText } from "../base/size.ts";
import { fn } from "../dispatch/functions.ts";
import { commonBackend, emptyTensor, packed } from "../dispatch/iterator.ts";
import { begin, kernel } from "../dispatch/launch.ts";
import { type Ctx, op, type Table } from "../dispatch/op.ts";
import { wrapDim } from "../dispatch/reduction.ts";
import { target } from "../dispatch/target.ts";
import { alias, Tensor } from "../tensor.ts";
import { checkedIndex, numberSlots } from "./index_launch.ts";
import { reduceBackward } from "./reduce_backward.ts";
import { refuse } from "./refuse.ts";
import { realParts, updatePacked, writable } from "./updating.ts";

const GATHER = kernel("tc_gather");
const SCATTER = kernel("tc_scatter");

type Sizes = readonly number[];

/** A 0-dim tensor as one of one element: these operators know no difference. */
function atLeast1d(t: Tensor): Tensor {
  return t.sizes.length > 0 ? t : alias(t, [1], [1], t.offset);
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
    if (op === SCATTER_OP.ADD && out.dtype.kind === Kind.complex && src instanceof Tensor) {
      // Parts are added apart.
      const to = realParts(atLeast1d(out)), at = atLeast1d(index);
      target.tensor = to;
      scatter(op, to, d, at.unsqueeze(-1).expand([...at.sizes, 2]), realParts(atLeast1d(src)));
      return;
    }
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
    refuse("scatter_gather_tensor_cpu_reduce_mean", self.dtype);
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
};

function notImplemented(): never {
  throw new RuntimeError("derivative for aten::scatter is not implemented");
}
