/**
 * Cholesky factors, and L D L^T of symmetric matrices that need not be positive definite.
 *
 * @see https://pytorch.org/docs/1.13/generated/torch.linalg.cholesky.html
 * @module
 */
import { int32 } from "../../base/dtype.ts";
import { RuntimeError, warnOnce } from "../../base/errors.ts";
import { shapeText } from "../../base/size.ts";
import { fn } from "../../dispatch/functions.ts";
import { packed } from "../../dispatch/iterator.ts";
import { kernel } from "../../dispatch/launch.ts";
import { type Ctx, op, type Table } from "../../dispatch/op.ts";
import type { Tensor } from "../../tensor.ts";
import {
  batchOf,
  broadcastBatch,
  checkFloating,
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
import { checkOldSolve } from "./solve.ts";

const CHOLESKY = kernel("tc_cholesky"), LDL = kernel("tc_ldl"), LDL_SOLVE = kernel("tc_ldl_solve");

/** Lower triangle with the diagonal halved: the projection in Cholesky's derivative. */
function phi(t: Tensor): Tensor {
  return t.tril().sub(t.diagonal(0, -2, -1).mul(0.5).diag_embed());
}

/** L^-T phi(L^T g) L^-1, made symmetric. */
function choleskyBackward(c: Ctx): Tensor {
  const l: Tensor = c.upper ? mT(c.result0) : c.result0, g: Tensor = c.upper ? mT(c.grads[0]!) : c.grads[0]!;
  const p = phi(mT(l).matmul(g.tril()));
  const left = fn.linalg_solve_triangular!(mT(l), p, { upper: true }) as Tensor;
  const s = fn.linalg_solve_triangular!(l, left, { upper: false, left: false }) as Tensor;
  return s.add(mT(s)).mul(0.5);
}

function choleskySolve(self: Tensor, factor: Tensor, upper: boolean): Tensor {
  for (const [name, t] of [["b", self], ["u", factor]] as const) {
    if (t.sizes.length < 2) {
      throw new RuntimeError(
        `${name} should have at least 2 dimensions, but has ${t.sizes.length} dimensions instead`,
      );
    }
  }
  checkOldSolve("cholesky_solve", self, factor);
  checkKernel("cholesky_solve_cpu", self);
  const l = upper ? mT(factor) : factor;
  const y = fn.linalg_solve_triangular!(l, self, { upper: false }) as Tensor;
  return fn.linalg_solve_triangular!(mT(l), y, { upper: true }) as Tensor;
}

function ldlFactor(self: Tensor): [Tensor, Tensor, Tensor] {
  checkSquare("torch.linalg.ldl_factor_ex", self);
  checkFloating("torch.linalg.ldl_factor_ex", self);
  checkKernel("ldl_factor_kernel_cpu", self);
  const ld = packed(self.tril());
  const pivots = emptyLike(self, self.sizes.slice(0, -1), int32), info = infoOf(self);
  launch(LDL, ld, { pivots, info });
  return [ld, pivots, info];
}

function ldlSolve(ld: Tensor, pivots: Tensor, b: Tensor): Tensor {
  checkSquare("torch.linalg.ldl_solve", ld);
  checkFloating("torch.linalg.ldl_solve", ld);
  b.size(-2);
  checkOldSolve("torch.linalg.ldl_solve", b, ld);
  if (pivots.sizes.join() !== ld.sizes.slice(0, -1).join()) {
    throw new RuntimeError(
      `torch.linalg.ldl_solve: Expected LD.shape[:-1] and pivots.shape to be the same, but got pivots with shape ${
        shapeText(pivots.sizes)
      } instead`,
    );
  }
  if (pivots.dtype.is_floating_point || pivots.dtype.is_complex) {
    throw new RuntimeError(
      `torch.linalg.ldl_solve: Expected pivots to be integers. Got ${pivots.dtype.scalarName}`,
    );
  }
  checkKernel("ldl_solve_kernel_cpu", ld);
  const [factors, wide] = broadcastBatch(ld, b);
  const order = pivots.to(int32).expand([...batchOf(factors), ld.sizes.at(-1)!]);
  const x = workCopy(wide);
  if (x.count > 0) launch(LDL_SOLVE, packed(factors), { b: x, k: x.sizes.at(-1)!, pivots: packed(order) });
  return x;
}

const choleskyOf = (self: Tensor, upper: boolean, check: string | null): [Tensor, Tensor] => {
  checkKernel("cholesky_cpu", self);
  const l = workCopy(upper ? mT(self) : self), info = infoOf(self);
  launch(CHOLESKY, l, { info });
  if (check !== null) throwOnInfo(check, info);
  return [upper ? mT(l) : l, info];
};

export const choleskys: Table = {
  linalg_cholesky_ex: [op({
    schema:
      "linalg_cholesky_ex(Tensor self, *, bool upper=False, bool check_errors=False) -> (Tensor L, Tensor info)",
    impl: (self: Tensor, upper: boolean, check: boolean) => {
      checkSquare("linalg.cholesky", self);
      checkFloating("linalg.cholesky", self);
      return choleskyOf(self, upper, check ? "linalg.cholesky" : null);
    },
    only: "function",
    saves: ["result0"],
    derivative: { self: choleskyBackward },
    doc: "Cholesky factor; info tells matrices that are not positive definite.",
  })],
  linalg_cholesky: [composite(
    "linalg_cholesky(Tensor self, *, bool upper=False) -> Tensor",
    (self: Tensor, upper: boolean) =>
      (fn.linalg_cholesky_ex!(self, { upper, check_errors: true }) as unknown as Tensor[])[0],
    "Cholesky factor of a positive definite matrix.",
  )],
  cholesky: [op({
    schema: "cholesky(Tensor self, bool upper=False) -> Tensor",
    impl: (self: Tensor, upper: boolean) => {
      warnOnce("UserWarning", CHOLESKY_DEPRECATED);
      checkSquare("cholesky", self);
      return choleskyOf(self, upper, "cholesky")[0];
    },
    saves: ["result0"],
    derivative: { self: choleskyBackward },
    doc: "Cholesky factor; deprecated, see `linalg.cholesky`.",
  })],
  cholesky_solve: [op({
    schema: "cholesky_solve(Tensor self, Tensor input2, bool upper=False) -> Tensor",
    impl: choleskySolve,
    saves: ["self", "input2", "result"],
    derivative: {
      "self, input2": (c) => {
        const gs = fn.cholesky_solve!(c.grad, c.input2, c.upper) as Tensor;
        if (!c.needs("input2")) return [gs, null];
        const common = gs.matmul(mT(c.result));
        const both = common.add(mT(common));
        return [gs, (c.upper ? c.input2.matmul(both) : both.matmul(c.input2)).neg()];
      },
    },
    doc: "Solves A X = B from A's Cholesky factor.",
  })],
  cholesky_inverse: [op({
    schema: "cholesky_inverse(Tensor self, bool upper=False) -> Tensor",
    impl: (self: Tensor, upper: boolean) => {
      checkSquare("cholesky_inverse", self);
      checkKernel("cholesky_inverse_out_cpu", self);
      return choleskySolve(eyeLike(self, self.sizes.at(-1)!).expand(self.sizes), self, upper);
    },
    saves: ["self", "result"],
    derivative: {
      self: (c) => {
        const common = c.grad.add(mT(c.grad));
        const inner = c.result.matmul(common).matmul(c.result);
        return (c.upper ? c.self.matmul(inner) : inner.matmul(c.self)).neg();
      },
    },
    doc: "The inverse of A from its Cholesky factor.",
  })],
  linalg_ldl_factor_ex: [op({
    schema:
      "linalg_ldl_factor_ex(Tensor self, *, bool hermitian=False, bool check_errors=False) -> (Tensor LD, Tensor pivots, Tensor info)",
    impl: (self: Tensor, _hermitian: boolean, check: boolean) => {
      const all = ldlFactor(self);
      if (check) throwOnInfo("torch.linalg.ldl_factor_ex", all[2]);
      return all;
    },
    only: "function",
    derivative: { self: "notImplemented" },
    doc: "L D L^T of a symmetric matrix, in LAPACK's form; info tells singular matrices.",
  })],
  linalg_ldl_factor: [composite(
    "linalg_ldl_factor(Tensor self, *, bool hermitian=False) -> (Tensor LD, Tensor pivots)",
    (self: Tensor, hermitian: boolean) => {
      const [ld, pivots, info] = fn.linalg_ldl_factor_ex!(self, { hermitian }) as unknown as Tensor[];
      throwOnInfo("torch.linalg.ldl_factor", info!);
      return [ld, pivots];
    },
    "L D L^T of a symmetric matrix, in LAPACK's form.",
  )],
  linalg_ldl_solve: [op({
    schema: "linalg_ldl_solve(Tensor LD, Tensor pivots, Tensor B, *, bool hermitian=False) -> Tensor",
    impl: ldlSolve,
    only: "function",
    derivative: { LD: "notImplemented", pivots: "nonDifferentiable", B: "notImplemented" },
    doc: "Solves A X = B from A's L D L^T factors.",
  })],
};

const CHOLESKY_DEPRECATED =
  `torch.cholesky is deprecated in favor of torch.linalg.cholesky and will be removed in a future PyTorch release.
L = torch.cholesky(A)
should be replaced with
L = torch.linalg.cholesky(A)
and
U = torch.cholesky(A, upper=True)
should be replaced with
U = torch.linalg.cholesky(A).mH().
This transform will produce equivalent results for all valid (symmetric positive definite) inputs.`;
