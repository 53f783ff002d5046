/**
 * Reductions.
 *
 * @module
 */
import { REDUCE_OP } from "../_gen/kernels.ts";
import { bool, type DType, float64, int64, Kind, toComplex, toReal } from "../base/dtype.ts";
import { IndexError, RuntimeError } from "../base/errors.ts";
import { type Scalar, toNumber } from "../base/scalar.ts";
import { contiguousStrides, numelOf } from "../base/size.ts";
import { fn } from "../dispatch/functions.ts";
import { type Ctx, op, type Table } from "../dispatch/op.ts";
import { emptyTensor, packed, packedAs, reshaped } from "../dispatch/iterator.ts";
import { begin, kernel } from "../dispatch/launch.ts";
import { dimMask, reduce, reducedSizes, wrapDim } from "../dispatch/reduction.ts";
import { toFloating } from "../dispatch/promotion.ts";
import { alias, type Tensor } from "../tensor.ts";
import { refuse } from "./refuse.ts";

const PROD = kernel("tc_complex_prod");

type Dims = readonly number[] | null;

/** In which dtype a reduction accumulates. */
function accumulation(d: DType): number {
  return d.kind < Kind.float ? int64.compute : d.compute;
}

/** `keepdim` undone: the gradient with the reduced dimensions back at size 1. */
function unreduce(grad: Tensor, sizes: readonly number[], dims: Dims, keepdim: boolean): Tensor {
  if (keepdim || sizes.length === 0) return grad;
  const mask = dimMask(dims, sizes.length);
  if (mask.every(Boolean)) return grad.view(sizes.map(() => 1));
  let g = grad;
  mask.forEach((m, i) => {
    if (m) g = g.unsqueeze(i);
  });
  return g;
}

const expandBack = (c: Ctx, dims: Dims, keepdim: boolean): Tensor =>
  unreduce(c.grad, c.sizesOf("self"), dims, keepdim).expand(c.sizesOf("self"));

function sumDtype(self: Tensor, dtype: DType | null): DType {
  return dtype ?? (self.dtype.kind < Kind.float ? int64 : self.dtype);
}

function sumOver(
  self: Tensor,
  dims: Dims,
  keepdim: boolean,
  dtype: DType | null,
  op: number = REDUCE_OP.SUM,
): Tensor {
  const out = sumDtype(self, dtype);
  if (out.kind === Kind.complex || self.dtype.kind === Kind.complex) {
    return complexSum(self, dims, keepdim, out, op);
  }
  return reduce(self, dimMask(dims, self.sizes.length), keepdim, {
    op,
    compute: accumulation(out),
    outDtype: out,
  })[0];
}

/** Sums and means of complex numbers are those of their parts. */
function complexSum(self: Tensor, dims: Dims, keepdim: boolean, out: DType, op: number): Tensor {
  const mask = dimMask(dims, self.sizes.length);
  if (out.kind !== Kind.complex) return complexSum(self, dims, keepdim, toComplex(out), op).to(out);
  const x = self.dtype === out ? self : packedAs(self, out);
  if (op === REDUCE_OP.PROD) return complexProduct(x, mask, keepdim);
  if (op === REDUCE_OP.NANSUM) throw new RuntimeError("nansum does not support complex inputs");
  const real = toReal(out);
  const parts = alias(x, [...x.sizes, 2], [...x.strides.map((s) => 2 * s), 1], 2 * x.offset, real);
  const sums = reduce(parts, [...mask, false], keepdim, { op, compute: real.compute, outDtype: real })[0];
  const sizes = sums.sizes.slice(0, -1);
  return alias(sums, sizes, contiguousStrides(sizes), 0, out);
}

/** Line by line, the reduced dimensions brought to the end. */
function complexProduct(x: Tensor, mask: readonly boolean[], keepdim: boolean): Tensor {
  const kept = x.sizes.map((_, i) => i).filter((i) => !mask[i]);
  const order = [...kept, ...x.sizes.map((_, i) => i).filter((i) => mask[i])];
  const pick = (list: readonly number[]): number[] => order.map((i) => list[i]!);
  const lines = packed(alias(x, pick(x.sizes), pick(x.strides), x.offset));
  const backend = x.storage.backend;
  const out = emptyTensor(reducedSizes(x.sizes, mask, keepdim), x.dtype, backend);
  const n = numelOf(x.sizes.filter((_, i) => mask[i]));
  if (out.count > 0 && backend.hasData) {
    begin(PROD, backend).i(x.dtype.code).b(false).p(lines).p(out).i(out.count).i(n).i(1).run();
  }
  return out;
}

function refuseComplex(self: Tensor, kernelName: string): void {
  if (self.dtype.kind === Kind.complex) refuse(kernelName, self.dtype);
}

function meanOver(self: Tensor, dims: Dims, keepdim: boolean, dtype: DType | null): Tensor {
  const out = dtype ?? self.dtype;
  if (out.kind < Kind.float) {
    throw new RuntimeError(
      `mean(): could not infer output dtype. ${
        dtype === null ? "Input" : "Optional"
      } dtype must be either a floating point or complex dtype. Got: ${out.scalarName}`,
    );
  }
  if (out.kind === Kind.complex || self.dtype.kind === Kind.complex) {
    return complexSum(self, dims, keepdim, out, REDUCE_OP.MEAN);
  }
  return reduce(self, dimMask(dims, self.sizes.length), keepdim, {
    op: REDUCE_OP.MEAN,
    compute: accumulation(out),
    outDtype: out,
  })[0];
}

function countOf(sizes: readonly number[], dims: Dims): number {
  return numelOf(sizes.filter((_, i) => dimMask(dims, sizes.length)[i]));
}

function checkNotEmpty(name: string, self: Tensor, dims: Dims): void {
  const rank = self.sizes.length;
  if (self.count > 0) {
    if (dims !== null) dims.forEach((d) => wrapDim(d, rank));
    return;
  }
  if (dims === null || dims.length === 0) {
    throw new RuntimeError(
      `${name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with the 'dim' argument.`,
    );
  }
  for (const d of dims) {
    const i = wrapDim(d, rank);
    if (self.sizes[i] === 0) {
      throw new IndexError(`${name}(): Expected reduction dim ${i} to have non-zero size.`);
    }
  }
}

function extremum(
  self: Tensor,
  dims: Dims,
  keepdim: boolean,
  which: "MAX" | "MIN",
  indices: boolean,
): [Tensor, Tensor | null] {
  return reduce(self, dimMask(dims, self.sizes.length), keepdim, {
    op: REDUCE_OP[which],
    compute: accumulation(self.dtype),
    outDtype: self.dtype,
    ...(indices ? { out2Dtype: int64 } : {}),
  });
}

/** Gradient of a selection along one dimension: to where the indices point. */
export function valueSelectingBackward(c: Ctx, dim: number, keepdim: boolean, indices: Tensor): Tensor {
  const sizes = c.sizesOf("self");
  if (sizes.length === 0) return c.grad;
  const g = keepdim ? c.grad : c.grad.unsqueeze(dim);
  const i = keepdim ? indices : indices.unsqueeze(dim);
  return c.grad.new_zeros(sizes).scatter_add(dim, i, g);
}

/** Gradient of amax, amin, max() and min(): shared evenly among equal values. */
function evenly(c: Ctx, dims: Dims, keepdim: boolean): Tensor {
  const sizes = c.sizesOf("self");
  const result = unreduce(c.result, sizes, dims, keepdim);
  const mask = c.self.eq(result);
  const count = sizes.length === 0 ? mask : mask.sum(dims ?? [], true);
  return unreduce(c.grad, sizes, dims, keepdim).mul(mask).div(count);
}

function argExtremum(name: "argmax" | "argmin", self: Tensor, dim: number | null, keepdim: boolean): Tensor {
  if (self.dtype === bool) throw new RuntimeError(`"${name}_cpu" not implemented for 'Bool'`);
  refuseComplex(self, `${name}_cpu`);
  if (dim === null) {
    if (self.count === 0) {
      throw new IndexError(`${name}(): Expected reduction dim to be specified for input.numel() == 0.`);
    }
  } else checkNotEmpty(name, self, [dim]);
  const r = {
    op: name === "argmax" ? REDUCE_OP.ARGMAX : REDUCE_OP.ARGMIN,
    compute: accumulation(self.dtype),
    outDtype: int64,
  };
  return reduce(self, dimMask(dim === null ? null : [dim], self.sizes.length), keepdim, r)[0];
}

function extremes(which: "MAX" | "MIN") {
  const name = which === "MAX" ? "max" : "min";
  const elementwise = which === "MAX" ? "maximum" : "minimum";
  const camel = which === "MAX" ? "Max" : "Min";
  return [
    op({
      schema: `${name}(Tensor self) -> Tensor`,
      impl: (self: Tensor) => {
        if (self.count === 0) {
          throw new RuntimeError(
            `${name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with the 'dim' argument.`,
          );
        }
        refuseComplex(self, `${name}_all`);
        return extremum(self, null, false, which, false)[0];
      },
      node: `${camel}Backward1`,
      saves: ["self", "result"],
      derivative: { self: (c) => evenly(c, null, false) },
      doc: `The ${name}imum of all elements.`,
    }),
    op({
      schema: `${name}.other(Tensor self, Tensor other) -> Tensor`,
      composite: (self: Tensor, other: Tensor) => self[elementwise](other),
      doc: `The elementwise ${name}imum.`,
    }),
    op({
      schema: `${name}.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)`,
      impl: (self: Tensor, dim: number, keepdim: boolean) => {
        checkNotEmpty(name, self, [dim]);
        refuseComplex(self, `${name}_cpu`);
        return extremum(self, [dim], keepdim, which, true);
      },
      node: `${camel}Backward0`,
      saves: ["result1"],
      derivative: { self: (c) => valueSelectingBackward(c, c.dim, c.keepdim, c.result1) },
      doc: `The ${name}imum along a dimension and where it is.`,
    }),
  ];
}

/** Variance and its derivative; `std` divides by the result. */
function moments(name: "var" | "std") {
  const code = name === "var" ? REDUCE_OP.VAR : REDUCE_OP.STD;
  const run = (self: Tensor, dims: Dims, correction: number, keepdim: boolean): Tensor => {
    if (self.dtype.kind < Kind.float) {
      throw new RuntimeError(`${name} only support floating point and complex dtypes`);
    }
    if (self.dtype.kind === Kind.complex) {
      // The variance of a complex number is that of its parts together.
      const [x, y] = [fn.real!(self), fn.imag!(self)].map((part: Tensor) =>
        part.var(dims, { correction, keepdim })
      );
      return name === "var" ? x!.add(y!) : x!.add(y!).sqrt();
    }
    return reduce(self, dimMask(dims, self.sizes.length), keepdim, {
      op: code,
      compute: accumulation(self.dtype),
      outDtype: self.dtype,
      params: [correction, 0],
    })[0];
  };
  const derivative = (c: Ctx, dims: Dims, correction: number, keepdim: boolean): Tensor => {
    const sizes = c.sizesOf("self");
    const n = countOf(sizes, dims);
    let g = unreduce(c.grad, sizes, dims, keepdim);
    if (name === "std") {
      const r = unreduce(c.result, sizes, dims, keepdim);
      g = g.div(r.mul(2)).masked_fill(r.eq(0), 0);
    }
    const centered = c.self.sub(sizes.length === 0 ? c.self : c.self.mean(dims ?? [], true));
    return g.mul(2 / (n - correction)).mul(centered);
  };
  const saves = name === "var" ? ["self"] : ["self", "result"];
  const doc = name === "var" ? "Variance." : "Standard deviation.";
  return [
    op({
      schema: `${name}(Tensor self, bool unbiased=True) -> Tensor`,
      impl: (self: Tensor, unbiased: boolean) => run(self, null, unbiased ? 1 : 0, false),
      saves,
      derivative: { self: (c) => derivative(c, null, c.unbiased ? 1 : 0, false) },
      doc,
    }),
    op({
      schema: `${name}.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> Tensor`,
      impl: (self: Tensor, dim: Dims, unbiased: boolean, keepdim: boolean) =>
        run(self, dim, unbiased ? 1 : 0, keepdim),
      saves,
      derivative: { self: (c) => derivative(c, c.dim, c.unbiased ? 1 : 0, c.keepdim) },
      doc,
    }),
    op({
      schema:
        `${name}.correction(Tensor self, int[1]? dim=None, *, int? correction=None, bool keepdim=False) -> Tensor`,
      impl: (self: Tensor, dim: Dims, correction: number | null, keepdim: boolean) =>
        run(self, dim, correction ?? 1, keepdim),
      saves,
      derivative: { self: (c) => derivative(c, c.dim, c.correction ?? 1, c.keepdim) },
      doc,
    }),
  ];
}

function withMean(name: "var" | "std") {
  return [
    op({
      schema: `${name}_mean(Tensor self, bool unbiased=True) -> (Tensor, Tensor)`,
      composite: (self: Tensor, unbiased: boolean) => [self[name](unbiased), self.mean()],
      only: "function",
      doc: `${name} and mean.`,
    }),
    op({
      schema:
        `${name}_mean.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> (Tensor, Tensor)`,
      composite: (self: Tensor, dim: Dims, unbiased: boolean, keepdim: boolean) => [
        self[name](dim, unbiased, keepdim),
        self.mean(dim ?? [], keepdim),
      ],
      only: "function",
      doc: `${name} and mean.`,
    }),
    op({
      schema:
        `${name}_mean.correction(Tensor self, int[1]? dim=None, *, int? correction=None, bool keepdim=False) -> (Tensor, Tensor)`,
      composite: (self: Tensor, dim: Dims, correction: number | null, keepdim: boolean) => [
        self[name](dim, { correction: correction ?? 1, keepdim }),
        self.mean(dim ?? [], keepdim),
      ],
      only: "function",
      doc: `${name} and mean.`,
    }),
  ];
}

/** Product of all other elements along a dimension, also where elements are 0. */
function prodBackward(grad: Tensor, self: Tensor, result: Tensor, dim: number | null): Tensor {
  if (self.sizes.length === 0) return grad.clone();
  if (!self.detach().eq(0).any().item()) return grad.mul(result).div(self);
  const x = dim === null ? self.reshape([-1]) : self;
  const d = dim ?? 0;
  const n = x.sizes[d]!;
  if (n === 0) return grad.new_zeros(self.sizes);
  const ones = x.new_ones(x.sizes.map((s, i) => (i === d ? 1 : s)));
  const cat = (a: Tensor, b: Tensor) => n === 1 ? a : fn.cat!([a, b], d);
  const before = cat(ones, x.narrow(d, 0, n - 1).cumprod(d));
  const after = cat(ones, x.narrow(d, 1, n - 1).flip([d]).cumprod(d)).flip([d]);
  return grad.mul(before.mul(after)).reshape(self.sizes);
}

function normOf(self: Tensor, p: number, dims: Dims, keepdim: boolean, dtype: DType | null): Tensor {
  if (self.dtype.kind === Kind.complex) {
    return normOf(self.abs(), p, dims, keepdim, dtype === null ? null : toReal(dtype));
  }
  const out = dtype ?? toFloating(self.dtype);
  const x = self.dtype.kind < Kind.float ? packedAs(self, out) : self;
  return reduce(x, dimMask(dims, self.sizes.length), keepdim, {
    op: REDUCE_OP.NORM,
    compute: accumulation(out),
    outDtype: out,
    params: [p, 0],
  })[0];
}

function normBackward(c: Ctx, p: number, dims: Dims, keepdim: boolean): Tensor {
  const self: Tensor = c.self;
  const sizes = c.sizesOf("self");
  const g = unreduce(c.grad, sizes, dims, keepdim), r = unreduce(c.result, sizes, dims, keepdim);
  if (p === 0) return self.new_zeros(sizes);
  if (p === 1) return g.mul(self.sgn());
  if (p === 2) return g.mul(self.div(r).masked_fill(r.eq(0), 0));
  if (!Number.isFinite(p)) {
    const hit = self.abs().eq(r).logical_or(self.isnan().logical_and(r.isnan()));
    const count = sizes.length === 0 ? hit : hit.sum(dims ?? [], true);
    return g.div(count).mul(self.sgn()).mul(hit);
  }
  if (p < 1) {
    return g.mul(self.sgn().mul(self.abs().pow(p - 1).masked_fill(self.eq(0), 0)).mul(r.pow(1 - p)));
  }
  if (p < 2) {
    return g.mul(self.sgn().mul(self.abs().pow(p - 1)).div(r.pow(p - 1)).masked_fill(r.eq(0), 0));
  }
  return g.mul(self.mul(self.abs().pow(p - 2)).div(r.pow(p - 1)).masked_fill(r.eq(0), 0));
}

const anyAll = (name: "any" | "all", doc: string) => {
  const code = name === "any" ? REDUCE_OP.ANY : REDUCE_OP.ALL;
  const run = (given: Tensor, dims: Dims, keepdim: boolean): Tensor => {
    const self = given.dtype.kind === Kind.complex ? given.ne(0) : given;
    return reduce(self, dimMask(dims, self.sizes.length), keepdim, {
      op: code,
      compute: accumulation(self.dtype),
      outDtype: self.dtype.name === "uint8" ? self.dtype : bool,
    })[0];
  };
  return [
    op({ schema: `${name}(Tensor self) -> Tensor`, impl: (self: Tensor) => run(self, null, false), doc }),
    op({
      schema: `${name}.dim(Tensor self, int dim, bool keepdim=False) -> Tensor`,
      impl: (self: Tensor, dim: number, keepdim: boolean) => run(self, [dim], keepdim),
      doc,
    }),
  ];
};

export const reductions: Table = {
  sum: [
    op({
      schema: "sum(Tensor self, *, ScalarType? dtype=None) -> Tensor",
      impl: (self: Tensor, dtype: DType | null) => sumOver(self, null, false, dtype),
      derivative: { self: (c) => expandBack(c, null, false) },
      doc: "The sum of all elements.",
    }),
    op({
      schema: "sum.dim(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
      impl: (self: Tensor, dim: Dims, keepdim: boolean, dtype: DType | null) =>
        sumOver(self, dim, keepdim, dtype),
      node: "SumBackward1",
      derivative: { self: (c) => expandBack(c, c.dim, c.keepdim) },
      doc: "The sum over the given dimensions.",
    }),
  ],
  nansum: [op({
    schema: "nansum(Tensor self, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
    impl: (self: Tensor, dim: Dims, keepdim: boolean, dtype: DType | null) =>
      sumOver(self, dim, keepdim, dtype, self.dtype.kind < Kind.float ? REDUCE_OP.SUM : REDUCE_OP.NANSUM),
    saves: ["self"],
    derivative: { self: (c) => expandBack(c, c.dim, c.keepdim).mul(c.self.isnan().logical_not()) },
    doc: "The sum, treating NaN as zero.",
  })],
  mean: [
    op({
      schema: "mean(Tensor self, *, ScalarType? dtype=None) -> Tensor",
      impl: (self: Tensor, dtype: DType | null) => meanOver(self, null, false, dtype),
      derivative: { self: (c) => expandBack(c, null, false).div(numelOf(c.sizesOf("self"))) },
      doc: "The mean of all elements.",
    }),
    op({
      schema: "mean.dim(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
      impl: (self: Tensor, dim: Dims, keepdim: boolean, dtype: DType | null) =>
        meanOver(self, dim, keepdim, dtype),
      node: "MeanBackward1",
      derivative: { self: (c) => expandBack(c, c.dim, c.keepdim).div(countOf(c.sizesOf("self"), c.dim)) },
      doc: "The mean over the given dimensions.",
    }),
  ],
  nanmean: [op({
    schema: "nanmean(Tensor self, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
    composite: (self: Tensor, dim: Dims, keepdim: boolean, dtype: DType | null) => {
      if (self.dtype.kind !== Kind.float) {
        throw new RuntimeError(
          `nanmean(): expected input to have floating point dtype but got ${self.dtype.scalarName}`,
        );
      }
      const count = self.detach().isnan().logical_not().sum(dim, keepdim);
      return self.nansum(dim, keepdim, { dtype }).div(count);
    },
    doc: "The mean of the elements that are not NaN.",
  })],
  prod: [
    op({
      schema: "prod(Tensor self, *, ScalarType? dtype=None) -> Tensor",
      impl: (self: Tensor, dtype: DType | null) => sumOver(self, null, false, dtype, REDUCE_OP.PROD),
      saves: ["self", "result"],
      derivative: { self: (c) => prodBackward(c.grad, c.self, c.result, null) },
      doc: "The product of all elements.",
    }),
    op({
      schema: "prod.dim(Tensor self, int dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
      impl: (self: Tensor, dim: number, keepdim: boolean, dtype: DType | null) =>
        sumOver(self, [dim], keepdim, dtype, REDUCE_OP.PROD),
      node: "ProdBackward1",
      saves: ["self", "result"],
      derivative: {
        self: (c) => {
          const sizes = c.sizesOf("self");
          return prodBackward(
            unreduce(c.grad, sizes, [c.dim], c.keepdim),
            c.self,
            unreduce(c.result, sizes, [c.dim], c.keepdim),
            sizes.length === 0 ? null : wrapDim(c.dim, sizes.length),
          );
        },
      },
      doc: "The product over a dimension.",
    }),
  ],
  max: extremes("MAX"),
  min: extremes("MIN"),
  amax: [op({
    schema: "amax(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor",
    impl: (self: Tensor, dim: Dims, keepdim: boolean) => {
      checkNotEmpty("amax", self, dim);
      refuseComplex(self, "max_values_cpu");
      return extremum(self, dim, keepdim, "MAX", false)[0];
    },
    saves: ["self", "result"],
    derivative: { self: (c) => evenly(c, c.dim, c.keepdim) },
    doc: "The maximum over the given dimensions; equal values share the gradient.",
  })],
  amin: [op({
    schema: "amin(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor",
    impl: (self: Tensor, dim: Dims, keepdim: boolean) => {
      checkNotEmpty("amin", self, dim);
      refuseComplex(self, "min_values_cpu");
      return extremum(self, dim, keepdim, "MIN", false)[0];
    },
    saves: ["self", "result"],
    derivative: { self: (c) => evenly(c, c.dim, c.keepdim) },
    doc: "The minimum over the given dimensions; equal values share the gradient.",
  })],
  aminmax: [op({
    schema: "aminmax(Tensor self, *, int? dim=None, bool keepdim=False) -> (Tensor min, Tensor max)",
    impl: (self: Tensor, dim: number | null, keepdim: boolean) => {
      if (self.count === 0 && dim === null) {
        throw new RuntimeError(
          "aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity.",
        );
      }
      refuseComplex(self, "aminmax_cpu");
      const dims = dim === null ? null : [dim];
      if (dims !== null) checkNotEmpty("aminmax", self, dims);
      const ends = [
        extremum(self, dims, keepdim, "MIN", false)[0],
        extremum(self, dims, keepdim, "MAX", false)[0],
      ];
      // PyTorch gives a 0-dim tensor's result one dimension when it is to be kept.
      return keepdim && self.sizes.length === 0 ? ends.map((t) => reshaped(t, [1])) : ends;
    },
    saves: ["self", "results"],
    derivative: {
      self: (c) => {
        const dims = c.dim === null ? null : [c.dim];
        const part = (k: number): Tensor =>
          evenly(
            { self: c.self, grad: c.grads[k], result: c.results[k], sizesOf: c.sizesOf } as unknown as Ctx,
            dims,
            c.keepdim,
          );
        return part(0).add(part(1));
      },
    },
    doc: "The minimum and the maximum.",
  })],
  argmax: [op({
    schema: "argmax(Tensor self, int? dim=None, bool keepdim=False) -> Tensor",
    impl: (self: Tensor, dim: number | null, keepdim: boolean) => argExtremum("argmax", self, dim, keepdim),
    doc: "The index of the maximum.",
  })],
  argmin: [op({
    schema: "argmin(Tensor self, int? dim=None, bool keepdim=False) -> Tensor",
    impl: (self: Tensor, dim: number | null, keepdim: boolean) => argExtremum("argmin", self, dim, keepdim),
    doc: "The index of the minimum.",
  })],
  any: anyAll("any", "Is any element true?"),
  all: anyAll("all", "Are all elements true?"),
  count_nonzero: [op({
    schema: "count_nonzero(Tensor self, int[1]? dim=None) -> Tensor",
    impl: (given: Tensor, dim: Dims) => {
      const self = given.dtype.kind === Kind.complex ? given.ne(0) : given;
      return reduce(self, dimMask(dim, self.sizes.length), false, {
        op: REDUCE_OP.COUNT_NONZERO,
        compute: accumulation(self.dtype),
        outDtype: int64,
      })[0];
    },
    doc: "How many elements are not zero.",
  })],
  var: moments("var"),
  std: moments("std"),
  var_mean: withMean("var"),
  std_mean: withMean("std"),
  logsumexp: [op({
    schema: "logsumexp(Tensor self, int[1] dim, bool keepdim=False) -> Tensor",
    impl: (self: Tensor, dim: Dims, keepdim: boolean) => {
      if (self.dtype.kind === Kind.complex) {
        throw new RuntimeError(
          `logsumexp(): Expected floating point type for result tensor, but got: ${self.dtype.scalarName}`,
        );
      }
      const d = toFloating(self.dtype);
      const x = self.dtype === d ? self : packedAs(self, d);
      return reduce(x, dimMask(dim, self.sizes.length), keepdim, {
        op: REDUCE_OP.LOGSUMEXP,
        compute: accumulation(d),
        outDtype: d,
      })[0];
    },
    aliases: ["special_logsumexp"],
    saves: ["self", "result"],
    derivative: {
      self: (c) => {
        const sizes = c.sizesOf("self");
        const r = unreduce(c.result, sizes, c.dim, c.keepdim);
        return unreduce(c.grad, sizes, c.dim, c.keepdim).mul(c.self.sub(r).exp());
      },
    },
    doc: "log(sum(exp(x))), computed without overflow.",
  })],
  linalg_vector_norm: [op({
    schema:
      "linalg_vector_norm(Tensor self, Scalar ord=2, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
    impl: (self: Tensor, ord: Scalar, dim: Dims, keepdim: boolean, dtype: DType | null) => {
      if (self.dtype.kind < Kind.float) {
        throw new RuntimeError(
          `linalg.vector_norm: Expected a floating point or complex tensor as input. Got ${self.dtype.scalarName}`,
        );
      }
      return normOf(self, toNumber(ord), dim, keepdim, dtype);
    },
    only: "function",
    saves: ["self", "result"],
    derivative: { self: (c) => normBackward(c, toNumber(c.ord), c.dim, c.keepdim) },
    doc: "A vector norm over the given dimensions.",
  })],
  norm: [op({
    schema:
      "norm(Tensor self, Any p=2, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
    composite: (
      self: Tensor,
      p: Scalar | string | null,
      dim: Dims,
      keepdim: boolean,
      dtype: DType | null,
    ) => {
      if (p === "nuc") return fn.nuclear_norm!(self, dim, keepdim);
      if (typeof p === "string" && p !== "fro" && p !== "inf" && p !== "-inf") {
        throw new RuntimeError(`only valid string values are 'fro' and 'nuc', found ${p}`);
      }
      const order = p === null || p === "fro"
        ? 2
        : p === "inf"
        ? Infinity
        : p === "-inf"
        ? -Infinity
        : toNumber(p as Scalar);
      return self.norm_of(order, dim, keepdim, { dtype });
    },
    doc: "A norm over the given dimensions, by default the Frobenius norm.",
  })],
  norm_of: [op({
    schema:
      "norm_of(Tensor self, float p, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
    impl: (self: Tensor, p: number, dim: Dims, keepdim: boolean, dtype: DType | null) => {
      if (self.dtype.kind < Kind.float) {
        throw new RuntimeError(
          `norm(): input dtype should be either floating point or complex. Got ${self.dtype.scalarName} instead.`,
        );
      }
      return normOf(self, p, dim, keepdim, dtype);
    },
    only: "method",
    node: "NormBackward1",
    saves: ["self", "result"],
    derivative: { self: (c) => normBackward(c, c.p, c.dim, c.keepdim) },
    doc: "The vector p-norm behind `norm`.",
  })],
  dist: [op({
    schema: "dist(Tensor self, Tensor other, float p=2) -> Tensor",
    composite: (self: Tensor, other: Tensor, p: number) => self.sub(other).norm(p),
    doc: "The p-norm of the difference.",
  })],
  sum_to_size: [op({
    schema: "sum_to_size(Tensor self, int[] size) -> Tensor",
    composite: (self: Tensor, size: readonly number[]) => {
      const extra = self.sizes.length - size.length;
      const dims: number[] = [];
      let fits = extra >= 0;
      for (let i = 0; i < self.sizes.length; i++) {
        const want = i < extra ? 1 : size[i - extra];
        if (i < extra || (want === 1 && self.sizes[i] !== 1)) dims.push(i);
        else if (want !== self.sizes[i]) fits = false;
      }
      if (!fits) {
        throw new RuntimeError(
          `size {[${size.join(", ")}]} is not expandable to size {[${self.sizes.join(", ")}]}.`,
        );
      }
      const summed = dims.length === 0 ? self : self.sum(dims, true);
      return extra > 0 ? summed.view(size) : summed;
    },
    varargs: "size",
    only: "method",
    doc: "Sums dimensions so that the result has the given size: what undoes broadcasting.",
  })],
  equal: [op({
    schema: "equal(Tensor self, Tensor other) -> bool",
    composite: (self: Tensor, other: Tensor) => {
      if (self.dtype !== other.dtype) {
        throw new RuntimeError(
          `Expected object of data type ${self.dtype.scalarName} but got data type ${other.dtype.scalarName} for argument #2 'other' in call to equal`,
        );
      }
      if (self.sizes.length !== other.sizes.length || self.sizes.some((s, i) => s !== other.sizes[i])) {
        return false;
      }
      return self.count === 0 || self.eq(other).all().item() === true;
    },
    doc: "Are shapes and all elements equal?",
  })],
  isclose: [op({
    schema:
      "isclose(Tensor self, Tensor other, float rtol=1e-05, float atol=1e-08, bool equal_nan=False) -> Tensor",
    composite: (self: Tensor, other: Tensor, rtol: number, atol: number, equal_nan: boolean) => {
      if (self.dtype !== other.dtype) {
        throw new RuntimeError(`${self.dtype.scalarName} did not match ${other.dtype.scalarName}`);
      }
      if (rtol < 0) throw new RuntimeError(`rtol must be greater than or equal to zero, but got ${rtol}`);
      if (atol < 0) throw new RuntimeError(`atol must be greater than or equal to zero, but got ${atol}`);
      const a = self.detach(), b = other.detach();
      let close = a.eq(b);
      if (equal_nan && a.dtype.kind >= Kind.float) close = close.logical_or(a.isnan().logical_and(b.isnan()));
      if (rtol === 0 && atol === 0) return close;
      const wide = a.dtype.kind < Kind.float ? float64 : a.dtype;
      const x = a.to(wide), y = b.to(wide);
      const error = x.sub(y).abs();
      return close.logical_or(error.isfinite().logical_and(error.le(y.abs().mul(rtol).add(atol))));
    },
    doc: "Is |self - other| <= atol + rtol * |other|, elementwise?",
  })],
  allclose: [op({
    schema:
      "allclose(Tensor self, Tensor other, float rtol=1e-05, float atol=1e-08, bool equal_nan=False) -> bool",
    composite: (self: Tensor, other: Tensor, rtol: number, atol: number, equal_nan: boolean) =>
      self.isclose(other, rtol, atol, equal_nan).all().item() === true,
    doc: "Are all elements close?",
  })],
};
