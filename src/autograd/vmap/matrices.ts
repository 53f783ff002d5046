/**
 * Batching rules of products and of linear algebra.
 *
 * @module
 */
import { fn } from "../../dispatch/functions.ts";
import type { Tensor } from "../../tensor.ts";
import type { Call, Rule } from "./call.ts";
import { leading } from "./views.ts";

/** `a @ b` of samples: vectors become matrices of one row or column for the product. */
function matmul(c: Call, a: Tensor, b: Tensor): unknown {
  const rowOnly = a.sizes.length === 1, columnOnly = b.sizes.length === 1;
  const rank = Math.max(a.sizes.length, b.sizes.length, 2);
  const widen = (t: Tensor, vector: boolean, at: number): Tensor => {
    const x = c.front(t);
    if (!vector) return c.has(t) ? c.aligned(t, c.has(a) && c.has(b) ? rank : t.sizes.length) : x;
    let y = x.unsqueeze(at);
    if (c.has(t) && c.has(a) && c.has(b)) { while (y.sizes.length < rank + 1) y = y.unsqueeze(1); }
    return y;
  };
  if (a.count === 0 || b.count === 0) return null;
  let x = widen(a, rowOnly, -2), y = widen(b, columnOnly, -1);
  // With one operand batched the other may still have more dimensions: the samples stay in front.
  if (c.has(a) !== c.has(b)) {
    const full = rank + 1;
    const pad = (t: Tensor): Tensor => {
      while (t.sizes.length < full) t = t.unsqueeze(1);
      return t;
    };
    if (c.has(a)) { if (y.sizes.length > 2) x = pad(x); }
    else y = pad(y);
  }
  let out = fn.matmul!(x, y) as Tensor;
  if (columnOnly) out = out.squeeze(-1);
  if (rowOnly) out = out.squeeze(columnOnly ? -1 : -2);
  return c.wrap(out);
}

const product: Rule = (c) => matmul(c, c.args[0] as Tensor, c.args[1] as Tensor);

/** beta * self + alpha * (a @ b) */
const added: Rule = (c) => {
  const [self, a, b, beta, alpha] = c.args as [Tensor, Tensor, Tensor, number, number];
  if (!a.dtype.is_floating_point) return null;
  const ab = (fn.matmul!(a, b) as Tensor).mul(alpha);
  return beta === 0 ? ab : self.mul(beta).add(ab);
};

const square = leading(2);

/** Matrix products and decompositions. */
export const matrixRules: Record<string, Rule> = {
  mm: product,
  mv: product,
  dot: product,
  bmm: product,
  matmul_batched: product,
  addmm: added,
  baddbmm: added,
  linear: (c) => {
    const [input, weight, bias] = c.args as [Tensor, Tensor, Tensor | null];
    if (!c.has(weight) && !c.has(bias)) {
      return c.wrap(fn.linear!(c.front(input), weight, bias));
    }
    const out = input.matmul(weight.t());
    return bias === null ? out : out.add(bias);
  },
  linalg_lu_factor_ex: square,
  linalg_inv_ex: square,
  linalg_det: square,
  linalg_slogdet: square,
  linalg_cholesky_ex: square,
  cholesky_inverse: square,
  linalg_qr: square,
  geqrf: square,
  cholesky_solve: square,
  linalg_solve_triangular: square,
};

/** Composites that would otherwise look at layouts. */
export const matrixComposites: Record<string, Rule> = { matmul: product };
