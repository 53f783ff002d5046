/**
 * The gradients that scatter_reduce and index_reduce share.
 *
 * @module
 */
import { fn } from "../dispatch/functions.ts";
import type { Ctx } from "../dispatch/op.ts";
import type { Tensor } from "../tensor.ts";

/** The parts that a backward formula of scatter_reduce or index_reduce is made of. */
export interface Along {
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
export function reduceBackward(c: Ctx, source: Tensor, a: Along): [Tensor, Tensor] {
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
