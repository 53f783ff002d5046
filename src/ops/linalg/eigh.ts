/**
 * Eigenvalues and eigenvectors of symmetric matrices.
 *
 * @see https://pytorch.org/docs/1.13/generated/torch.linalg.eigh.html
 * @module
 */
import { needsGrad } from "../../autograd/graph.ts";
import { mode } from "../../autograd/grad_mode.ts";
import { RuntimeError, warnOnce } from "../../base/errors.ts";
import { fn } from "../../dispatch/functions.ts";
import { kernel } from "../../dispatch/launch.ts";
import { type Ctx, op, type Table } from "../../dispatch/op.ts";
import type { Tensor } from "../../tensor.ts";
import {
  batchOf,
  checkKernel,
  checkSquare,
  composite,
  emptyLike,
  eyeLike,
  infoOf,
  launch,
  mT,
  throwOnInfo,
} from "./common.ts";

const EIGH = kernel("tc_eigh");

function isUpper(uplo: string): boolean {
  const letter = uplo.toUpperCase();
  if (letter !== "U" && letter !== "L") {
    throw new RuntimeError(`Expected UPLO argument to be 'L' or 'U', but got ${uplo}`);
  }
  return letter === "U";
}

function eigh(a: Tensor, upper: boolean, vectors: boolean, name: string): [Tensor, Tensor] {
  checkSquare(name, a);
  checkKernel("linalg_eigh_cpu", a);
  const n = a.sizes.at(-1)!;
  // One triangle counts: it is reflected into the other.
  const v = upper ? a.triu().add(mT(a.triu(1))) : a.tril().add(mT(a.tril(-1)));
  const values = emptyLike(a, [...batchOf(a), n]), info = infoOf(a);
  launch(EIGH, v, { values, info, job: vectors ? 1 : 0 });
  throwOnInfo(name, info);
  return [values, vectors ? v : emptyLike(a, [0])];
}

/** V (skew(V^T gV) / (l_j - l_i) + diag(gL)) V^T. */
function eighBackward(c: Ctx): Tensor {
  const l: Tensor = c.result0, v: Tensor = c.result1;
  if (!c.compute_v) {
    throw new RuntimeError(
      "linalg_eig_backward: torch.symeig(A, eigenvectors=False) is not differentiable. Use torch.linalg.eigvalsh(A) instead.",
    );
  }
  const [hasL, hasV] = c.given as [boolean, boolean];
  if (!hasV) return v.mul(c.grads[0]!.unsqueeze(-2)).matmul(mT(v));
  const t = mT(v).matmul(c.grads[1]!);
  const gaps = l.unsqueeze(-2).sub(l.unsqueeze(-1)).add(eyeLike(l, l.sizes.at(-1)!));
  let inner = t.sub(mT(t)).mul(0.5).div(gaps);
  if (hasL) inner = inner.add(c.grads[0]!.diag_embed());
  return v.matmul(inner).matmul(mT(v));
}

export const eighs: Table = {
  _linalg_eigh: [op({
    schema:
      "_linalg_eigh(Tensor A, str UPLO='L', bool compute_v=True, str name='linalg.eigh') -> (Tensor eigenvalues, Tensor eigenvectors)",
    impl: (a: Tensor, uplo: string, vectors: boolean, name: string) => eigh(a, isUpper(uplo), vectors, name),
    only: "hidden",
    node: "LinalgEighBackward0",
    saves: ["result0", "result1"],
    derivative: { A: eighBackward },
    doc: "Eigenvalues and eigenvectors of a symmetric matrix.",
  })],
  linalg_eigh: [composite(
    "linalg_eigh(Tensor self, str UPLO='L') -> (Tensor eigenvalues, Tensor eigenvectors)",
    (self: Tensor, uplo: string) => [...fn._linalg_eigh!(self, uplo) as unknown as Tensor[]],
    "Eigenvalues, ascending, and eigenvectors, in columns, of a symmetric matrix.",
  )],
  linalg_eigvalsh: [composite(
    "linalg_eigvalsh(Tensor self, str UPLO='L') -> Tensor",
    (self: Tensor, uplo: string) =>
      (fn._linalg_eigh!(self, uplo, mode.grad && needsGrad(self)) as unknown as Tensor[])[0],
    "Eigenvalues of a symmetric matrix, ascending.",
  )],
  symeig: [composite(
    "symeig(Tensor self, bool eigenvectors=False, bool upper=True) -> (Tensor eigenvalues, Tensor eigenvectors)",
    (self: Tensor, vectors: boolean, upper: boolean) => {
      warnOnce("UserWarning", SYMEIG_DEPRECATED);
      return [...fn._linalg_eigh!(self, upper ? "U" : "L", vectors, "linalg.symeig") as unknown as Tensor[]];
    },
    "Eigenvalues and eigenvectors of a symmetric matrix; deprecated, see `linalg.eigh`.",
    "both",
  )],
};

const SYMEIG_DEPRECATED =
  `torch.symeig is deprecated in favor of torch.linalg.eigh and will be removed in a future PyTorch release.
The default behavior has changed from using the upper triangular portion of the matrix by default to using the lower triangular portion.
L, _ = torch.symeig(A, upper=upper)
should be replaced with
L = torch.linalg.eigvalsh(A, UPLO='U' if upper else 'L')
and
L, V = torch.symeig(A, eigenvectors=True)
should be replaced with
L, V = torch.linalg.eigh(A, UPLO='U' if upper else 'L')`;
