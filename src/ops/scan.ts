/**
 * Cumulative operators, and differences.
 *
 * @module
 */
import { SCAN_OP } from "../_gen/kernels.ts";
import { mode } from "../autograd/grad_mode.ts";
import { bool, type DType, int64, Kind, toReal, uint8 } from "../base/dtype.ts";
import { RuntimeError } from "../base/errors.ts";
import { fn } from "../dispatch/functions.ts";
import { emptyTensor, packed, packedAs } from "../dispatch/iterator.ts";
import { begin, kernel } from "../dispatch/launch.ts";
import { type Ctx, op, type Row, type Table } from "../dispatch/op.ts";
import { splitAround, wrapDim } from "../dispatch/reduction.ts";
import type { Tensor } from "../tensor.ts";
import { largestFinite } from "./arithmetic.ts";
import { refuse } from "./refuse.ts";
import { takeTarget } from "./updating.ts";

const SCAN = kernel("tc_scan");
const PROD = kernel("tc_complex_prod");

function scan(op: number, x: Tensor, dim: number, dtype: DType, indices: Tensor | null = null): Tensor {
  const backend = x.storage.backend;
  const out = emptyTensor(x.sizes, dtype, backend);
  if (out.count === 0 || !backend.hasData) return out;
  if (out.count >= 1 << 15) backend.expectWork();
  // Sums of complex numbers are sums of their parts.
  const parts = dtype.kind === Kind.complex ? 2 : 1, real = toReal(dtype);
  const compute = dtype.kind < Kind.float ? int64.code : real.compute;
  const [outer, n, inner] = splitAround(x.sizes, dim);
  if (op === SCAN_OP.PROD && parts === 2) {
    begin(PROD, backend).i(dtype.code).b(true).p(x).p(out).i(outer).i(n).i(inner).run();
    return out;
  }
  begin(SCAN, backend).i(op).i(toReal(x.dtype).code).i(real.code).i(compute).p(x).p(out).p(indices).i(outer)
    .i(n)
    .i(inner * parts).run();
  return out;
}

/** cumsum and cumprod: integers become int64 unless a dtype is asked for or the result goes into `self`. */
function cumulate(name: "cumsum" | "cumprod", self: Tensor, dim: number, dtype: DType | null): Tensor {
  const d = wrapDim(dim, self.sizes.length);
  const into = takeTarget();
  const out = into !== null ? into.dtype : dtype ?? (self.dtype.kind < Kind.float ? int64 : self.dtype);
  if (out === bool) refuse(`${name}_out_cpu`, out);
  const result = scan(name === "cumsum" ? SCAN_OP.SUM : SCAN_OP.PROD, packedAs(self, out), d, out);
  return into === null ? result : into.copy_(result);
}

function extremes(name: "cummax" | "cummin", self: Tensor, dim: number): [Tensor, Tensor] {
  const d = wrapDim(dim, self.sizes.length);
  if (self.dtype.kind === Kind.complex) refuse(`${name}_cpu`, self.dtype);
  const indices = emptyTensor(self.sizes, int64, self.storage.backend);
  const values = scan(name === "cummax" ? SCAN_OP.MAX : SCAN_OP.MIN, packed(self), d, self.dtype, indices);
  return [values, indices];
}

const reversedSum = (x: Tensor, dim: number): Tensor => x.flip([dim]).cumsum(dim).flip([dim]);

/** Nothing is accumulated along `dim`. */
const isTrivial = (sizes: readonly number[], dim: number): boolean =>
  sizes.length === 0 || sizes[wrapDim(dim, sizes.length)]! <= 1;

/**
 * Gradient of cumprod: with x_k not 0 it is the sum over j >= k of g_j y_j / x_k; where there are zeros the products
 * without x_k are needed (torch/csrc/autograd/FunctionsManual.cpp, cumprod_backward).
 */
function cumprodBackward(c: Ctx): Tensor {
  const self: Tensor = c.self, result: Tensor = c.result, grad: Tensor = c.grad;
  if (isTrivial(self.sizes, c.dim)) return grad;
  const dim = wrapDim(c.dim, self.sizes.length);
  const w = result.mul(grad);
  const isZero = self.eq(0);
  if (self.count === 0 || !isZero.any().item()) return reversedSum(w, dim).div(self);
  return mode.grad ? omittedProducts(grad, self, dim) : aroundZeros(grad, self, result, w, isZero, dim);
}

/** In linear time: elements before a line's first zero, the zero itself, and what follows (gradient 0 after the second). */
function aroundZeros(
  grad: Tensor,
  self: Tensor,
  result: Tensor,
  w: Tensor,
  isZero: Tensor,
  dim: number,
): Tensor {
  const seen = isZero.cumsum(dim);
  const before = seen.eq(0), once = seen.eq(1);
  const early = reversedSum(w.masked_fill(before.logical_not(), 0), dim).div(self);
  const firstIndex = once.to(uint8).argmax(dim, true);
  const first = fn.zeros_like!(once).scatter(dim, firstIndex, true).logical_and(once);
  const between = once.logical_and(first.logical_not());
  const upTo = result.gather(dim, firstIndex.sub(1).clamp_min(0)).masked_fill(firstIndex.eq(0), 1);
  const atZero = self.masked_fill(between.logical_not(), 1).cumprod(dim)
    .mul(grad.masked_fill(once.logical_not(), 0)).sum(dim, true).mul(upTo);
  const zero = grad.new_zeros([]);
  return early.where(before, atZero.where(first, zero));
}

/** In quadratic time, but made of operators with derivatives: for each k the products of all others up to j >= k. */
function omittedProducts(grad: Tensor, self: Tensor, dim: number): Tensor {
  const n = self.sizes[dim]!;
  const parts: Tensor[] = [];
  for (let k = 0; k < n; k++) {
    const upTo = self.narrow(dim, 0, k).prod(dim, true);
    const products = k === n - 1
      ? upTo
      : fn.cat!([upTo, upTo.mul(self.narrow(dim, k + 1, n - k - 1).cumprod(dim))], dim);
    parts.push(grad.narrow(dim, k, n - k).mul(products).sum(dim));
  }
  return fn.stack!(parts, dim);
}

/** Sums g_j exp(x_i - y_j) over j >= i in log space, positive and negative gradients apart. */
function logcumsumexpBackward(c: Ctx): Tensor {
  const grad: Tensor = c.grad;
  if (grad.sizes.length === 0 || grad.count === 0) return grad;
  const dim = c.dim;
  const lowest = grad.new_full([], -largestFinite(grad.dtype));
  const reversed = (x: Tensor): Tensor => x.flip([dim]).logcumsumexp(dim).flip([dim]);
  const part = (mask: Tensor, logs: Tensor): Tensor =>
    reversed(logs.where(mask, lowest).sub(c.result)).add(c.self).exp();
  return part(grad.gt(0), grad.log()).sub(part(grad.lt(0), grad.neg().log()));
}

function cumulative(
  name: "cumsum" | "cumprod",
  doc: string,
  derivative: (c: Ctx) => Tensor,
  saves: string[],
): Row {
  return op({
    schema: `${name}(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor`,
    impl: (self: Tensor, dim: number, dtype: DType | null) => cumulate(name, self, dim, dtype),
    direct: true,
    inplace: true,
    saves,
    derivative: { self: derivative },
    doc,
  });
}

function extreme(name: "cummax" | "cummin", doc: string): Row {
  return op({
    schema: `${name}(Tensor self, int dim) -> (Tensor values, Tensor indices)`,
    impl: (self: Tensor, dim: number) => extremes(name, self, dim),
    saves: ["result1"],
    derivative: {
      self: (c) =>
        c.sizesOf("self").length === 0
          ? c.grad
          : c.grad.new_zeros(c.sizesOf("self")).scatter_add(c.dim, c.result1, c.grad),
    },
    doc,
  });
}

function checkJoin(self: Tensor, other: Tensor | null, dim: number): void {
  if (other === null) return;
  if (other.sizes.length !== self.sizes.length) {
    throw new RuntimeError("diff expects prepend or append to be the same dimension as input");
  }
  other.sizes.forEach((s, i) => {
    if (i !== dim && s !== self.sizes[i]) {
      throw new RuntimeError(
        `diff expects the shape of tensor to prepend or append to match that of input except along the differencing dimension; input.size(${i}) = ${
          self.sizes[i]
        }, but got tensor.size(${i}) = ${s}`,
      );
    }
  });
}

function diff(self: Tensor, n: number, dim: number, prepend: Tensor | null, append: Tensor | null): Tensor {
  if (self.sizes.length === 0) throw new RuntimeError("diff expects input to be at least one-dimensional");
  const d = wrapDim(dim, self.sizes.length);
  checkJoin(self, prepend, d);
  checkJoin(self, append, d);
  let x = self;
  if (n > 0 && (prepend !== null || append !== null)) {
    x = fn.cat!([prepend, self, append].filter((t) => t !== null), d);
  }
  for (let k = 0; k < n; k++) {
    const size = x.sizes[d]!;
    if (size === 0) break;
    const after = x.narrow(d, 1, size - 1), before = x.narrow(d, 0, size - 1);
    x = x.dtype === bool ? after.logical_xor(before) : after.sub(before);
  }
  return x === self ? self.clone() : x;
}

export const scans: Table = {
  cumsum: [cumulative(
    "cumsum",
    "The sums of the elements so far along a dimension.",
    (c) => isTrivial(c.sizesOf("self"), c.dim) ? c.grad : reversedSum(c.grad, c.dim),
    [],
  )],
  cumprod: [cumulative("cumprod", "The products of the elements so far along a dimension.", cumprodBackward, [
    "self",
    "result",
  ])],
  cummax: [extreme("cummax", "The largest element so far along a dimension, and where it is.")],
  cummin: [extreme("cummin", "The smallest element so far along a dimension, and where it is.")],
  logcumsumexp: [op({
    schema: "logcumsumexp(Tensor self, int dim) -> Tensor",
    impl: (self: Tensor, dim: number) => {
      const d = wrapDim(dim, self.sizes.length);
      if (self.dtype.kind !== Kind.float) refuse("logcumsumexp_out_cpu", self.dtype);
      return scan(SCAN_OP.LOGSUMEXP, packed(self), d, self.dtype);
    },
    saves: ["self", "result"],
    derivative: { self: logcumsumexpBackward },
    doc: "The logarithm of the sum of the exponentials so far along a dimension.",
  })],
  diff: [op({
    schema: "diff(Tensor self, int n=1, int dim=-1, Tensor? prepend=None, Tensor? append=None) -> Tensor",
    composite: diff,
    doc: "The n-th differences of neighbours along a dimension.",
  })],
};
