/**
 * Eigenvalues and eigenvectors of general matrices: complex, also where they happen to be real.
 *
 * @see https://pytorch.org/docs/1.13/generated/torch.linalg.eig.html
 * @module
 */
import { needsGrad } from "../../autograd/graph.ts";
import { mode } from "../../autograd/grad_mode.ts";
import { complex128, complex64, float64, Kind } from "../../base/dtype.ts";
import { RuntimeError } from "../../base/errors.ts";
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
  workCopy,
} from "./common.ts";

const EIG = kernel("tc_eig");

function eig(a: Tensor, vectors: boolean): [Tensor, Tensor] {
  const name = vectors ? "linalg.eig" : "linalg.eigvals";
  checkSquare(name, a);
  if (a.dtype.kind < Kind.float) {
    throw new RuntimeError(`Unknown Complex ScalarType for ${a.dtype.scalarName}`);
  }
  checkKernel("linalg_eig_out_cpu", a);
  if (a.count > 0 && !a.isfinite().all().item()) {
    throw new RuntimeError(`torch.${name}: input tensor should not contain infs or NaNs.`);
  }
  const n = a.sizes.at(-1)!, dtype = a.dtype === float64 ? complex128 : complex64;
  const values = emptyLike(a, [...batchOf(a), n], dtype), info = infoOf(a);
  const v = emptyLike(a, vectors ? a.sizes : [0], dtype);
  launch(EIG, workCopy(a), { values, info, b: vectors ? v : null, job: vectors ? 1 : 0 });
  throwOnInfo(`torch.${name}`, info);
  return [values, v];
}

/** The conjugate transpose. */
const mH = (t: Tensor): Tensor => mT(t).conj();

/** A X = B for complex matrices, as a real system of twice the size. */
function solveComplex(a: Tensor, b: Tensor): Tensor {
  const row = (x: Tensor, y: Tensor): Tensor => fn.cat!([x, y], -1) as Tensor;
  const re = fn.real!(a) as Tensor, im = fn.imag!(a) as Tensor, n = a.sizes.at(-1)!;
  const both = fn.cat!([row(re, im.neg()), row(im, re)], -2) as Tensor;
  const x = fn.linalg_solve!(both, fn.cat!([fn.real!(b), fn.imag!(b)], -2)) as Tensor;
  return fn.complex!(x.narrow(-2, 0, n), x.narrow(-2, n, n)) as Tensor;
}

/** V^-H (diag(gL) + (V^H gV - V^H V diag(Re V^H gV)) / conj(l_j - l_i)) V^H (PyTorch's linalg_eig_backward). */
function eigBackward(c: Ctx): Tensor {
  const l: Tensor = c.result0, v: Tensor = c.result1;
  const [hasL, hasV] = c.given as [boolean, boolean];
  const vh = mH(v);
  let inner: Tensor | null = null;
  if (hasV) {
    const t = vh.matmul(c.grads[1]!);
    const diagonal = t.diagonal(0, -2, -1);
    const phase = (fn.imag!(diagonal) as Tensor).detach();
    if (!phase.abs().le(1e-2).all().item()) {
      throw new RuntimeError(
        "linalg_eig_backward: The eigenvectors in the complex case are specified up to multiplication by e^{i phi}. The specified loss function depends on this quantity, so it is ill-defined.",
      );
    }
    const identity = eyeLike(fn.real!(l) as Tensor, l.sizes.at(-1)!);
    const free = t.sub(vh.matmul(v.mul((fn.real!(diagonal) as Tensor).unsqueeze(-2))));
    const gaps = l.unsqueeze(-2).sub(l.unsqueeze(-1)).conj().add(identity);
    inner = free.mul(identity.neg().add(1)).div(gaps);
  }
  if (hasL) {
    const d = c.grads[0]!.diag_embed();
    inner = inner === null ? d : inner.add(d);
  }
  return solveComplex(vh, inner!.matmul(vh));
}

export const eigs: Table = {
  _linalg_eig: [op({
    schema: "_linalg_eig(Tensor self, bool vectors=True) -> (Tensor eigenvalues, Tensor eigenvectors)",
    impl: eig,
    only: "hidden",
    node: "LinalgEigBackward0",
    wirtinger: true,
    saves: ["result0", "result1"],
    derivative: { self: eigBackward },
    doc: "Eigenvalues and eigenvectors of a general matrix.",
  })],
  linalg_eig: [composite(
    "linalg_eig(Tensor self) -> (Tensor eigenvalues, Tensor eigenvectors)",
    (self: Tensor) => [...fn._linalg_eig!(self) as unknown as Tensor[]],
    "Complex eigenvalues and eigenvectors, in columns, of a general matrix.",
  )],
  linalg_eigvals: [composite(
    "linalg_eigvals(Tensor self) -> Tensor",
    (self: Tensor) => (fn._linalg_eig!(self, mode.grad && needsGrad(self)) as unknown as Tensor[])[0],
    "Complex eigenvalues of a general matrix.",
  )],
};
