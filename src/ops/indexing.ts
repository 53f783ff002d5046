/**
 * Indexing: `x.index(...)` and `x.index_put_([...], value)` with everything that Python's brackets take, masks, and
 * reading and writing at flat positions.
 *
 * @module
 */
import { bool, int64, uint8 } from "../base/dtype.ts";
import { IndexError, RuntimeError, warnOnce } from "../base/errors.ts";
import type { Scalar } from "../base/scalar.ts";
import { numelOf, sameSizes, shapeText } from "../base/size.ts";
import { fn } from "../dispatch/functions.ts";
import { commonBackend, emptyTensor, packed } from "../dispatch/iterator.ts";
import { begin, kernel } from "../dispatch/launch.ts";
import { op, type Table } from "../dispatch/op.ts";
import { broadcast2 } from "../dispatch/promotion.ts";
import { INDEX_OP } from "../_gen/kernels.ts";
import { alias, Tensor } from "../tensor.ts";
import { type Index, resolveIndex } from "./index_args.ts";
import { getIndex, launchIndex, nonzero, type Plan, putIndex } from "./index_launch.ts";
import { updatePacked, writable } from "./updating.ts";

const MASKED_SELECT = kernel("tc_masked_select");
const MASKED_SCATTER = kernel("tc_masked_scatter");
const MASK_COUNT = kernel("tc_mask_count");

type Sizes = readonly number[];

// ---- brackets ------------------------------------------------------------------------------------------------------

function getItem(self: Tensor, indices: readonly Index[]): Tensor {
  const { view, tensors } = resolveIndex(self, indices);
  if (tensors.length > 0) return fn._index!(view, tensors);
  return view === self ? self.alias() : view;
}

/** PyTorch drops leading dimensions of size 1 of a value before it broadcasts it. */
function withoutLeadingOnes(value: Tensor): Tensor {
  let k = 0;
  while (k < value.sizes.length && value.sizes[k] === 1) k++;
  return k === 0 ? value : value.view(value.sizes.slice(k));
}

/** A value to assign as a tensor; numbers take the dtype of the place. */
function valueTensor(self: Tensor, value: Tensor | Scalar): Tensor {
  return value instanceof Tensor ? value : self.new_full([], value);
}

/** `self[indices] = value`, or `+=` with `accumulate`. */
function setItem(
  self: Tensor,
  indices: readonly Index[],
  given: Tensor | Scalar,
  accumulate: boolean,
): Tensor {
  const value = valueTensor(self, given);
  const { view, tensors } = resolveIndex(self, indices);
  if (tensors.length > 0) {
    view._index_put_(tensors as Tensor[], withoutLeadingOnes(value), accumulate);
    return self;
  }
  const fitting = sameSizes(value.sizes, view.sizes) || value.sizes.length === 0
    ? value
    : withoutLeadingOnes(value).expand(view.sizes);
  if (accumulate) view.add_(fitting);
  else view.copy_(fitting);
  return self;
}

// ---- flat positions ------------------------------------------------------------------------------------------------

/** One index tensor over all elements in logical order. */
function flatPlan(index: Tensor): Plan {
  return { indices: [index.reshape([-1])], space: [index.count], at: 0, sizes: [index.count] };
}

function flatRange(body: () => void): void {
  try {
    body();
  } catch (e) {
    const info = (e as { info?: number[] }).info;
    if (!(e instanceof IndexError) || info === undefined) throw e;
    throw new IndexError(
      `out of range: tried to access index ${info[0]} on a tensor of ${info[1]} elements.`,
    );
  }
}

function take(self: Tensor, index: Tensor): Tensor {
  if (index.dtype !== int64) {
    throw new RuntimeError(`take(): Expected a long tensor for index, but got ${index.dtype.scalarName}`);
  }
  const backend = commonBackend([self, index]);
  if (self.count === 0 && index.count > 0) throw new IndexError("take(): tried to take from an empty tensor");
  const out = emptyTensor(index.sizes, self.dtype, backend);
  const flat = packed(self);
  const line = alias(flat, [flat.count], [1], flat.offset);
  flatRange(() => launchIndex(INDEX_OP.GET, line, flatPlan(packed(index)), alias(out, [out.count], [1], 0)));
  return out;
}

function put(self: Tensor, index: Tensor, source: Tensor, accumulate: boolean): Tensor {
  if (index.dtype !== int64) {
    throw new RuntimeError(`put_(): Expected a long tensor for index, but got ${index.dtype.scalarName}`);
  }
  if (self.dtype !== source.dtype) {
    throw new RuntimeError(
      `put_(): self and source expected to have the same dtype, but got self.dtype = ${self.dtype.scalarName} and source.dtype = ${source.dtype.scalarName}`,
    );
  }
  commonBackend([self, index, source]);
  if (source.count !== index.count) {
    throw new IndexError(
      `put_(): Expected source and index to have the same number of elements, but got source.numel() = ${source.count}, index.numel() = ${index.count}`,
    );
  }
  if (self.count === 0 && index.count > 0) {
    throw new IndexError("put_(): Tried to put elements into an empty tensor");
  }
  return updatePacked(self, (out) => {
    const line = alias(out, [out.count], [1], out.offset);
    const values = packed(source).reshape([-1]);
    flatRange(() =>
      launchIndex(accumulate ? INDEX_OP.ADD : INDEX_OP.PUT, line, flatPlan(packed(index)), values)
    );
  });
}

function takeAlongDim(self: Tensor, indices: Tensor, dim: number | null): Tensor {
  if (indices.dtype !== int64 && dim === null) {
    throw new RuntimeError(
      `torch.take_along_dim(): dtype of indices should be Long but got ${indices.dtype.scalarName}`,
    );
  }
  if (dim === null) return self.reshape([-1]).gather(0, indices.reshape([-1]));
  const rank = self.sizes.length;
  if (rank !== indices.sizes.length) {
    throw new RuntimeError(
      `torch.take_along_dim(): input and indices should have the same number of dimensions, but got ${rank} dimensions for input, and ${indices.sizes.length} dimensions for indices`,
    );
  }
  if (indices.dtype !== int64) {
    throw new RuntimeError(
      `torch.take_along_dim(): dtype of indices should be Long but got ${indices.dtype.scalarName}`,
    );
  }
  const d = dim < 0 ? dim + rank : dim;
  const others = (t: Tensor, keep: number): number[] => t.sizes.map((s, i) => (i === d ? keep : s));
  const selfSizes = self.sizes[d] ?? 1, indexSizes = indices.sizes[d] ?? 1;
  const x = self.expand(broadcast2(self.sizes, others(indices, selfSizes)));
  return x.gather(dim, indices.expand(broadcast2(others(self, indexSizes), indices.sizes)));
}

// ---- masks ---------------------------------------------------------------------------------------------------------

function checkMask(name: string, mask: Tensor): void {
  if (mask.dtype !== bool && mask.dtype !== uint8) {
    throw new RuntimeError(`${name}: expected BoolTensor or ByteTensor for mask`);
  }
  if (mask.dtype === uint8) {
    const method = name === "masked_scatter" ? "masked_scatter_" : name;
    warnOnce(
      "UserWarning",
      `${method} received a mask with dtype torch.uint8, this behavior is now deprecated,please use a mask with dtype torch.bool instead.`,
    );
  }
}

const widened = (t: Tensor, sizes: Sizes): Tensor => packed(sameSizes(t.sizes, sizes) ? t : t.expand(sizes));

function maskedSelect(self: Tensor, mask: Tensor): Tensor {
  checkMask("masked_select", mask);
  const backend = commonBackend([self, mask]);
  if (!backend.hasData) {
    throw new RuntimeError("masked_select(): the number of results of a meta tensor is not known");
  }
  const sizes = broadcast2(mask.sizes, self.sizes);
  const m = widened(mask, sizes), input = widened(self, sizes);
  const count = emptyTensor([], int64, backend);
  const n = numelOf(sizes);
  if (n >= 1 << 15) backend.expectWork();
  begin(MASK_COUNT, backend).i(0).i(self.dtype.code).p(m).p(null).p(null).p(count).i(n).i(0).run();
  const out = emptyTensor([Number(count.item())], self.dtype, backend);
  if (out.count > 0) {
    begin(MASKED_SELECT, backend).i(0).i(self.dtype.code).p(m).p(input).p(out).p(null).i(n).i(0)
      .runWithScratch();
  }
  return out;
}

function maskedScatter(self: Tensor, mask: Tensor, source: Tensor): Tensor {
  if (self.dtype !== source.dtype) {
    throw new RuntimeError(
      `masked_scatter: expected self and source to have same dtypes but got${self.dtype.scalarName} and ${source.dtype.scalarName}`,
    );
  }
  const backend = commonBackend([self, mask, source]);
  return updatePacked(self, (out) => {
    // In place the mask must fit; otherwise `self` has been broadcast already.
    const m = widened(mask, out.sizes);
    if (out.count === 0 || !backend.hasData) return;
    const from = packed(source);
    try {
      begin(MASKED_SCATTER, backend).i(0).i(self.dtype.code).p(m).p(from).p(out).p(null).i(out.count).i(
        from.count,
      )
        .runWithScratch();
    } catch (e) {
      if (!(e instanceof RuntimeError) || !("info" in e)) throw e;
      throw new RuntimeError("Number of elements of source < number of ones in mask");
    }
  });
}

// ---- writing a slice into a copy -----------------------------------------------------------------------------------

/** A copy of `self` in which the slice that `part` shows is `src`. */
function embedSlice(self: Tensor, src: Tensor, part: (t: Tensor) => Tensor): Tensor {
  const out = writable(self);
  const slice = part(out);
  if (!sameSizes(slice.sizes, src.sizes)) {
    throw new RuntimeError(
      `expected src to have a size equal to the slice of self. src size = ${
        shapeText(src.sizes)
      }, slice size = ${shapeText(slice.sizes)}`,
    );
  }
  slice.copy_(src);
  return out;
}

const zerosOf = (c: { grad: Tensor; sizesOf(name: string): Sizes }, name: string): Tensor =>
  c.grad.new_zeros(c.sizesOf(name));

export const indexing: Table = {
  index: [op({
    schema: "index(Tensor self, Index[] indices) -> Tensor",
    composite: getItem,
    varargs: "indices",
    only: "method",
    doc:
      "Python's `self[...]`: integers, `Slice(start, stop, step)` or text such as `'1:3'`, `'...'`, null for a new dimension, booleans, masks, index tensors and lists. A view unless tensors, masks or lists take part.",
  })],
  _index: [op({
    schema: "index(Tensor self, Tensor?[] indices) -> Tensor",
    impl: getIndex,
    only: "hidden",
    saves: ["indices"],
    derivative: {
      self: (c) => fn._index_put!(c.grad.new_zeros(c.sizesOf("self")), c.indices, c.grad, true),
      indices: "nonDifferentiable",
    },
    doc: "The elements at the broadcast index tensors; null takes a dimension whole.",
  })],
  _index_put: [op({
    schema: "index_put(Tensor self, Tensor?[] indices, Tensor values, bool accumulate=False) -> Tensor",
    impl: (self: Tensor, indices: (Tensor | null)[], values: Tensor, accumulate: boolean) => {
      const out = writable(self);
      putIndex(out, indices, values, accumulate);
      return out;
    },
    direct: true,
    inplace: true,
    only: "hidden",
    saves: ["indices"],
    derivative: {
      self: (c) => c.accumulate ? c.grad : fn._index_put!(c.grad, c.indices, c.grad.new_zeros([]), false),
      indices: "nonDifferentiable",
      values: (c) => fn._index!(c.grad, c.indices),
    },
    doc: "Writes or adds at the broadcast index tensors.",
  })],
  index_put: [op({
    schema: "index_put(Tensor self, Index[] indices, Operand values, bool accumulate=False) -> Tensor",
    composite: (self: Tensor, indices: readonly Index[], values: Tensor | Scalar, accumulate: boolean) => {
      if (indices.every((x) => x instanceof Tensor && x.sizes.length > 0)) {
        return fn._index_put!(self, indices, withoutLeadingOnes(valueTensor(self, values)), accumulate);
      }
      return setItem(self.clone(), indices, values, accumulate);
    },
    doc: "A copy in which the elements at the indices are `values`, or have them added with `accumulate`.",
  })],
  index_put_: [op({
    schema: "index_put_(Tensor self, Index[] indices, Operand values, bool accumulate=False) -> Tensor",
    composite: setItem,
    only: "method",
    doc: "Python's `self[...] = values`, with the indices in an array; with `accumulate` adds them instead.",
  })],
  take: [op({
    schema: "take(Tensor self, Tensor index) -> Tensor",
    impl: take,
    saves: ["index"],
    derivative: {
      self: (c) => zerosOf(c, "self").put(c.index, c.grad, true),
      index: "nonDifferentiable",
    },
    doc: "The elements at flat positions.",
  })],
  put: [op({
    schema: "put(Tensor self, Tensor index, Tensor source, bool accumulate=False) -> Tensor",
    impl: put,
    direct: true,
    inplace: true,
    saves: ["index"],
    derivative: {
      self: (c) => c.accumulate ? c.grad : c.grad.put(c.index, c.grad.new_zeros(c.index.sizes), false),
      index: "nonDifferentiable",
      source: (c) => c.grad.take(c.index).reshape(c.sizesOf("source")),
    },
    doc: "A copy with `source` written to flat positions, or added there.",
  })],
  take_along_dim: [op({
    schema: "take_along_dim(Tensor self, Tensor indices, int? dim=None) -> Tensor",
    composite: takeAlongDim,
    doc: "The elements at the indices along a dimension; both are broadcast over the others.",
  })],
  masked_select: [op({
    schema: "masked_select(Tensor self, Tensor mask) -> Tensor",
    impl: maskedSelect,
    saves: ["mask"],
    derivative: {
      self: (c) => {
        const sizes = broadcast2(c.sizesOf("self"), c.mask.sizes);
        return c.grad.new_zeros(sizes).masked_scatter(c.mask, c.grad);
      },
      mask: "nonDifferentiable",
    },
    doc: "The elements at which `mask` is true, in a row.",
  })],
  masked_scatter: [op({
    schema: "masked_scatter(Tensor self, Tensor mask, Tensor source) -> Tensor",
    composite: (self: Tensor, mask: Tensor, source: Tensor) => {
      checkMask("masked_scatter", mask);
      const sizes = broadcast2(mask.sizes, self.sizes);
      return fn._masked_scatter!(sameSizes(self.sizes, sizes) ? self : self.expand(sizes), mask, source);
    },
    doc: "A copy in which the elements at which `mask` is true are those of `source` in order.",
  })],
  masked_scatter_: [op({
    schema: "masked_scatter_(Tensor self, Tensor mask, Tensor source) -> Tensor",
    composite: (self: Tensor, mask: Tensor, source: Tensor) => {
      checkMask("masked_scatter", mask);
      return self._masked_scatter_(mask, source);
    },
    only: "method",
    doc: "Writes the elements of `source` in order to where `mask` is true.",
  })],
  _masked_scatter: [op({
    schema: "masked_scatter(Tensor self, Tensor mask, Tensor source) -> Tensor",
    impl: maskedScatter,
    direct: true,
    inplace: true,
    only: "hidden",
    saves: ["mask"],
    derivative: {
      self: (c) => c.grad.masked_fill(c.mask, 0),
      mask: "nonDifferentiable",
      source: (c) => {
        const sizes: Sizes = c.sizesOf("source");
        const taken: Tensor = c.grad.masked_select(c.mask);
        const rest = numelOf(sizes) - taken.count;
        return (rest === 0 ? taken : fn.cat!([taken, c.grad.new_zeros([rest])])).reshape(sizes);
      },
    },
    doc: "masked_scatter with a mask that fits.",
  })],
  nonzero: [
    op({
      schema: "nonzero(Tensor self) -> Tensor",
      impl: (self: Tensor) => nonzero(self, false),
      doc: "The coordinates of the elements that are not zero, one row each.",
    }),
    op({
      schema: "nonzero.as_tuple(Tensor self, *, bool as_tuple) -> Any",
      composite: (self: Tensor, asTuple: boolean) => {
        if (!asTuple) return self.nonzero();
        // A number counts as one element.
        return fn._nonzero_rows!(self.sizes.length === 0 ? self.unsqueeze(0) : self).unbind(0);
      },
      doc: "The coordinates of the elements that are not zero, one tensor for each dimension.",
    }),
  ],
  _nonzero_rows: [op({
    schema: "_nonzero_rows(Tensor self) -> Tensor",
    impl: (self: Tensor) => nonzero(self, true),
    only: "hidden",
    doc: "The coordinates of the elements that are not zero, one row for each dimension.",
  })],
  argwhere: [op({
    schema: "argwhere(Tensor self) -> Tensor",
    composite: (self: Tensor) => self.nonzero(),
    doc: "The coordinates of the elements that are not zero, one row each.",
  })],
  diagonal_scatter: [op({
    schema: "diagonal_scatter(Tensor self, Tensor src, int offset=0, int dim1=0, int dim2=1) -> Tensor",
    impl: (self: Tensor, src: Tensor, offset: number, dim1: number, dim2: number) =>
      embedSlice(self, src, (t) => t.diagonal(offset, dim1, dim2)),
    derivative: {
      self: (c) => c.grad.diagonal_scatter(zerosOf(c, "src"), c.offset, c.dim1, c.dim2),
      src: (c) => c.grad.diagonal(c.offset, c.dim1, c.dim2),
    },
    doc: "A copy with `src` on a diagonal.",
  })],
  select_scatter: [op({
    schema: "select_scatter(Tensor self, Tensor src, int dim, int index) -> Tensor",
    impl: (self: Tensor, src: Tensor, dim: number, index: number) =>
      embedSlice(self, src, (t) => t.select(dim, index)),
    derivative: {
      self: (c) => c.grad.select_scatter(zerosOf(c, "src"), c.dim, c.index),
      src: (c) => c.grad.select(c.dim, c.index),
    },
    doc: "A copy with `src` at an index along a dimension.",
  })],
  as_strided_scatter: [op({
    schema:
      "as_strided_scatter(Tensor self, Tensor src, int[] size, int[] stride, int? storage_offset=None) -> Tensor",
    impl: (self: Tensor, src: Tensor, size: Sizes, stride: Sizes, offset: number | null) =>
      embedSlice(self, src, (t) => t.as_strided(size, stride, offset)),
    derivative: {
      self: (c) => c.grad.as_strided_scatter(zerosOf(c, "src"), c.size, c.stride, c.storage_offset),
      src: (c) => c.grad.contiguous().as_strided(c.size, c.stride, c.storage_offset),
    },
    doc: "A copy with `src` at a strided part of the elements.",
  })],
  slice_scatter: [op({
    schema:
      "slice_scatter(Tensor self, Tensor src, int dim=0, int? start=None, int? end=None, int step=1) -> Tensor",
    impl: (self: Tensor, src: Tensor, dim: number, start: number | null, end: number | null, step: number) =>
      embedSlice(self, src, (t) => t.slice(dim, start, end, step)),
    derivative: {
      self: (c) => c.grad.slice_scatter(zerosOf(c, "src"), c.dim, c.start, c.end, c.step),
      src: (c) => c.grad.slice(c.dim, c.start, c.end, c.step),
    },
    doc: "A copy with `src` in a slice along a dimension.",
  })],
};
