/**
 * Singular values of large matrices from a random sketch (Halko, Martinsson and Tropp, "Finding structure with
 * randomness", 2009).
 *
 * @see https://pytorch.org/docs/1.13/generated/torch.svd_lowrank.html
 * @module
 */
import { ValueError } from "../../base/errors.ts";
import { fn } from "../../dispatch/functions.ts";
import type { Table } from "../../dispatch/op.ts";
import type { Tensor } from "../../tensor.ts";
import { composite, mT, shapeOf } from "./common.ts";

/** An orthonormal basis of what A (A - M) maps a random sample of `q` vectors to. */
function basis(a: Tensor, q: number, niter: number, m: Tensor | null): Tensor {
  const orthonormal = (t: Tensor): Tensor => (fn.linalg_qr!(t) as unknown as Tensor[])[0]!;
  const times = (t: Tensor): Tensor => m === null ? a.matmul(t) : a.matmul(t).sub(m.matmul(t));
  const back = (t: Tensor): Tensor => m === null ? mT(a).matmul(t) : mT(a).matmul(t).sub(mT(m).matmul(t));
  let out = orthonormal(
    times(fn.randn!([a.sizes.at(-1)!, q], { dtype: a.dtype, device: a.device }) as Tensor),
  );
  for (let i = 0; i < niter; i++) out = orthonormal(times(orthonormal(back(out))));
  return out;
}

function svdLowrank(a: Tensor, q: number, niter: number, m: Tensor | null): [Tensor, Tensor, Tensor] {
  const [rows, cols] = shapeOf(a);
  const flip = rows < cols || cols > q;
  const [x, shift] = flip ? [mT(a), m === null ? null : mT(m)] : [a, m];
  const sketch = basis(x, q, niter, shift);
  // The rows of Q^T x, or the columns of x^T Q: a matrix of q rows or columns has the values that are sought.
  const projected = mT(x).matmul(sketch);
  const small = shift === null ? projected : projected.sub(mT(shift).matmul(sketch));
  const [u, s, vh] = fn.linalg_svd!(flip ? small : mT(small), { full_matrices: false }) as unknown as [
    Tensor,
    Tensor,
    Tensor,
  ];
  return flip ? [u, s, sketch.matmul(mT(vh))] : [sketch.matmul(u), s, mT(vh)];
}

function pcaLowrank(a: Tensor, q: number | null, center: boolean, niter: number): [Tensor, Tensor, Tensor] {
  const [m, n] = shapeOf(a);
  const rank = q ?? Math.min(6, m, n);
  if (!(rank >= 0 && rank <= Math.min(m, n))) {
    throw new ValueError(
      `q(=${rank}) must be non-negative integer and not greater than min(m, n)=${Math.min(m, n)}`,
    );
  }
  if (!(niter >= 0)) throw new ValueError(`niter(=${niter}) must be non-negative integer`);
  return svdLowrank(center ? a.sub(a.mean([-2], true)) : a, rank, niter, null);
}

export const lowRank: Table = {
  svd_lowrank: [composite(
    "svd_lowrank(Tensor A, int? q=6, int? niter=2, Tensor? M=None) -> (Tensor, Tensor, Tensor)",
    (a: Tensor, q: number | null, niter: number | null, m: Tensor | null) =>
      svdLowrank(a, q ?? 6, niter ?? 2, m),
    "An approximate singular value decomposition of low rank.",
  )],
  pca_lowrank: [composite(
    "pca_lowrank(Tensor A, int? q=None, bool center=True, int niter=2) -> (Tensor, Tensor, Tensor)",
    pcaLowrank,
    "Principal components of a low-rank matrix.",
  )],
};
