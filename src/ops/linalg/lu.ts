/**
 * LU factorisations: `linalg.lu`, `lu_factor`, `lu_solve`, `lu_unpack` and the older `torch.lu` family.
 *
 * Derivatives: with A = P L U, gA = P L^-T (tril(L^T gL, -1) + triu(gU U^T)) U^-T for square A. A wide A's right part
 * is P L U2, a tall A's lower part L2 U1: their gradients go straight to A, and what depends on L (U) is taken off.
 *
 * @see https://pytorch.org/docs/1.13/generated/torch.linalg.lu.html
 * @module
 */
import { int32 } from "../../base/dtype.ts";
import { RuntimeError, warnOnce } from "../../base/errors.ts";
import { shapeText } from "../../base/size.ts";
import { fn } from "../../dispatch/functions.ts";
import { kernel } from "../../dispatch/launch.ts";
import { type Ctx, op, type Table } from "../../dispatch/op.ts";
import type { Tensor } from "../../tensor.ts";
import {
  batchOf,
  broadcastBatch,
  checkEquation,
  checkKernel,
  checkMatrix,
  checkSameDtype,
  checkSquare,
  composite,
  emptyLike,
  eyeLike,
  infoOf,
  launch,
  mT,
  shapeOf,
  throwOnInfo,
  workCopy,
} from "./common.ts";

const LU = kernel("tc_lu"), LU_SOLVE = kernel("tc_lu_solve"), SWAP = kernel("tc_row_swaps");

/** LU factors, pivots and info of a batch. */
export function factorise(a: Tensor): [Tensor, Tensor, Tensor] {
  const lu = workCopy(a);
  const pivots = emptyLike(a, [...batchOf(a), Math.min(...shapeOf(a))], int32);
  const info = infoOf(a);
  launch(LU, lu, { pivots, info });
  return [lu, pivots, info];
}

/** A^-1 B or A^-T B for packed factors whose batch is B's; B's bytes are overwritten. */
export function solveInPlace(lu: Tensor, pivots: Tensor, b: Tensor, transposed = false): Tensor {
  if (b.count > 0) launch(LU_SOLVE, lu, { b, pivots, k: b.sizes.at(-1)!, transposed });
  return b;
}

/** The permutation matrix P of A = P L U, whose pivots are given. */
function permutation(pivots: Tensor, m: number, like: Tensor): Tensor {
  const p = workCopy(eyeLike(like, m).expand([...pivots.sizes.slice(0, -1), m, m]));
  if (p.count > 0 && pivots.count > 0) {
    launch(SWAP, p, { pivots, k: pivots.sizes.at(-1)!, transposed: true });
  }
  return p;
}

const lower = (lu: Tensor): Tensor => {
  const [m, n] = shapeOf(lu), k = Math.min(m, n);
  return lu.narrow(-1, 0, k).tril(-1).add(fn.eye!(m, k, { dtype: lu.dtype, device: lu.device }) as Tensor);
};
const upper = (lu: Tensor): Tensor => lu.narrow(-2, 0, Math.min(...shapeOf(lu))).triu();

function luBackward(p: Tensor, l: Tensor, u: Tensor, gl: Tensor, gu: Tensor): Tensor {
  const m = l.sizes.at(-2)!, n = u.sizes.at(-1)!, k = Math.min(m, n);
  const l1 = l.narrow(-2, 0, k), u1 = u.narrow(-1, 0, k);
  let ofL = mT(l1).matmul(gl.narrow(-2, 0, k)), ofU = gu.narrow(-1, 0, k).matmul(mT(u1));
  const solveL = (t: Tensor): Tensor =>
    fn.linalg_solve_triangular!(mT(l1), t, { upper: true, unitriangular: true }) as Tensor;
  const solveU = (t: Tensor): Tensor =>
    fn.linalg_solve_triangular!(mT(u1), t, { upper: false, left: false }) as Tensor;
  let rest: Tensor | null = null;
  if (m < n) {
    const gu2 = gu.narrow(-1, k, n - k);
    ofL = ofL.sub(gu2.matmul(mT(u.narrow(-1, k, n - k))));
    rest = solveL(gu2);
  } else if (m > n) {
    const gl2 = gl.narrow(-2, k, m - k);
    ofU = ofU.sub(mT(l.narrow(-2, k, m - k)).matmul(gl2));
    rest = solveU(gl2);
  }
  const square = solveU(solveL(ofL.tril(-1).add(ofU.triu())));
  return p.matmul(rest === null ? square : fn.cat!([square, rest], m < n ? -1 : -2) as Tensor);
}

function luFactorBackward(c: Ctx): Tensor {
  const lu: Tensor = c.result0, g: Tensor = c.grads[0]!, k = Math.min(...shapeOf(lu));
  const p = permutation(c.result1, lu.sizes.at(-2)!, lu);
  return luBackward(p, lower(lu), upper(lu), g.narrow(-1, 0, k).tril(-1), g.narrow(-2, 0, k).triu());
}

function checkTwo(name: string, a: Tensor): void {
  if (a.sizes.length < 2) {
    throw new RuntimeError(
      `${name}: Expected tensor with 2 or more dimensions. Got size: ${shapeText(a.sizes)} instead`,
    );
  }
}

function checkLu(name: string, a: Tensor, pivot: boolean): void {
  checkTwo(name, a);
  checkKernel("lu_cpu", a);
  if (!pivot) throw new RuntimeError("linalg.lu_factor: LU without pivoting is not implemented on the CPU");
}

function luSolve(lu: Tensor, pivots: Tensor, b: Tensor, left: boolean, adjoint: boolean): Tensor {
  checkSquare("torch.linalg.lu_solve", lu);
  checkSameDtype("linalg.lu_solve", lu, b, "LU", "B");
  if (pivots.dtype !== int32) {
    throw new RuntimeError("linalg.lu_solve: pivots should be a Tensor of scalar type torch.int32");
  }
  checkMatrix("linalg.lu_solve", b, "B");
  checkEquation("linalg.lu_solve", lu, b, left);
  if (pivots.sizes.at(-1) !== lu.sizes.at(-1)) {
    throw new RuntimeError(
      "linalg.lu_solve: Number of pivots per batch should be same as the dimension of the matrix",
    );
  }
  if (pivots.sizes.slice(0, -1).join() !== batchOf(lu).join()) {
    throw new RuntimeError(
      `linalg.lu_solve: Expected LU.shape[:-1] and pivots.shape to be the same, but got pivots with shape ${
        shapeText(pivots.sizes)
      } instead`,
    );
  }
  checkKernel("lu_solve_cpu", lu);
  const rhs = left ? b : mT(b);
  const [factors, wide] = broadcastBatch(lu, rhs);
  const order = pivots.expand([...batchOf(factors), pivots.sizes.at(-1)!]);
  const x = solveInPlace(factors.contiguous(), order.contiguous(), workCopy(wide), adjoint === left);
  return left ? x : mT(x);
}

/** The gradient of the packed factors: that of A, taken through P, L and U. */
function luSolveBackward(c: Ctx): Tensor {
  const lu: Tensor = c.LU, x: Tensor = c.result;
  const gb = fn.linalg_lu_solve!(lu, c.pivots, c.grad, { left: c.left, adjoint: !c.adjoint }) as Tensor;
  const one = c.left ? gb.matmul(mT(x)) : mT(x).matmul(gb);
  const ga = (c.adjoint ? mT(one) : one).neg();
  const g = mT(permutation(c.pivots, lu.sizes.at(-1)!, lu)).matmul(ga);
  return g.matmul(mT(upper(lu))).tril(-1).add(mT(lower(lu)).matmul(g).triu());
}

function checkPivots(lu: Tensor, pivots: Tensor): void {
  if (pivots.dtype !== int32 || !pivots.is_contiguous()) {
    throw new RuntimeError(
      "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 dtype.",
    );
  }
  const m = lu.sizes.at(-2)!;
  const wrong = pivots.count > 0 && Boolean(pivots.lt(1).logical_or(pivots.gt(m)).any().item());
  if (wrong || pivots.sizes.at(-1) !== Math.min(...shapeOf(lu))) {
    throw new RuntimeError(
      "pivots passed to lu_unpack must be between 1 and LU.size(-2) inclusive.Did you properly pass the result of lu_factor?",
    );
  }
}

export const lus: Table = {
  linalg_lu_factor_ex: [op({
    schema:
      "linalg_lu_factor_ex(Tensor A, *, bool pivot=True, bool check_errors=False) -> (Tensor LU, Tensor pivots, Tensor info)",
    impl: (a: Tensor, pivot: boolean, check: boolean) => {
      checkLu("torch.lu_factor", a, pivot);
      const out = factorise(a);
      if (check) throwOnInfo("torch.linalg.lu_factor_ex", out[2]);
      return out;
    },
    only: "function",
    saves: ["result0", "result1"],
    derivative: { A: luFactorBackward },
    doc: "LU factors in one matrix, pivots, and LAPACK's info.",
  })],
  linalg_lu_factor: [composite(
    "linalg_lu_factor(Tensor A, *, bool pivot=True) -> (Tensor LU, Tensor pivots)",
    (a: Tensor, pivot: boolean) => {
      const [lu, pivots, info] = fn.linalg_lu_factor_ex!(a, { pivot }) as unknown as Tensor[];
      throwOnInfo("torch.linalg.lu_factor", info!);
      return [lu, pivots];
    },
    "LU factors in one matrix, and pivots.",
  )],
  linalg_lu: [op({
    schema: "linalg_lu(Tensor A, *, bool pivot=True) -> (Tensor P, Tensor L, Tensor U)",
    impl: (a: Tensor, pivot: boolean) => {
      checkLu("linalg.lu", a, pivot);
      const [lu, pivots] = factorise(a);
      return [permutation(pivots, a.sizes.at(-2)!, a), lower(lu), upper(lu)];
    },
    only: "function",
    nonDifferentiableResults: [0],
    saves: ["results"],
    derivative: {
      A: (c) => luBackward(c.results[0], c.results[1], c.results[2], c.grads[1]!, c.grads[2]!),
    },
    doc: "The factors P, L, U of A = P L U.",
  })],
  lu_unpack: [op({
    schema:
      "lu_unpack(Tensor LU_data, Tensor LU_pivots, bool unpack_data=True, bool unpack_pivots=True) -> (Tensor P, Tensor L, Tensor U)",
    impl: (lu: Tensor, pivots: Tensor, data: boolean, order: boolean) => {
      checkTwo("torch.lu_unpack", lu);
      if (order) checkPivots(lu, pivots);
      const none = (): Tensor => emptyLike(lu, [0]);
      return [
        order ? permutation(pivots, lu.sizes.at(-2)!, lu) : none(),
        data ? lower(lu) : none(),
        data ? upper(lu) : none(),
      ];
    },
    only: "function",
    nonDifferentiableResults: [0],
    derivative: {
      LU_data: (c) => {
        if (!c.unpack_data) return null;
        const [m, n] = shapeOf({ sizes: c.sizesOf("LU_data") }), k = Math.min(m, n);
        const gl = c.grads[1]!.tril(-1), gu = c.grads[2]!.triu();
        if (m === n) return gl.add(gu);
        const dim = m > n ? -2 : -1;
        const both = gl.narrow(-2, 0, k).add(gu.narrow(-1, 0, k));
        const rest = m > n ? gl.narrow(-2, k, m - k) : gu.narrow(-1, k, n - k);
        return fn.cat!([both, rest], dim);
      },
      LU_pivots: "nonDifferentiable",
    },
    doc: "P, L and U from the packed factors and pivots of `lu_factor`.",
  })],
  linalg_lu_solve: [op({
    schema:
      "linalg_lu_solve(Tensor LU, Tensor pivots, Tensor B, *, bool left=True, bool adjoint=False) -> Tensor",
    impl: luSolve,
    only: "function",
    saves: ["LU", "pivots", "result"],
    derivative: {
      LU: luSolveBackward,
      pivots: "nonDifferentiable",
      B: (c) => fn.linalg_lu_solve!(c.LU, c.pivots, c.grad, { left: c.left, adjoint: !c.adjoint }) as Tensor,
    },
    doc: "Solves A X = B or X A = B from A's packed LU factors; adjoint: with A's transpose.",
  })],
  lu_solve: [composite(
    "lu_solve(Tensor self, Tensor LU_data, Tensor LU_pivots) -> Tensor",
    (b: Tensor, lu: Tensor, pivots: Tensor) => {
      warnOnce("UserWarning", LU_SOLVE_DEPRECATED);
      return fn.linalg_lu_solve!(lu, pivots, b);
    },
    "Solves A X = B from A's packed LU factors; deprecated, see `linalg.lu_solve`.",
    "both",
  )],
  lu: [op({
    schema: "lu(Tensor A, bool pivot=True, bool get_infos=False) -> Any",
    composite: (a: Tensor, pivot: boolean, infos: boolean) => {
      warnOnce("UserWarning", LU_DEPRECATED);
      const all = fn.linalg_lu_factor_ex!(a, { pivot }) as unknown as Tensor[];
      return infos ? all : [all[0], all[1]];
    },
    doc: "LU factors in one matrix, and pivots; deprecated, see `linalg.lu_factor`.",
  })],
};

const LU_SOLVE_DEPRECATED =
  `torch.lu_solve is deprecated in favor of torch.linalg.lu_solveand will be removed in a future PyTorch release.
Note that torch.linalg.lu_solve has its arguments reversed.
X = torch.lu_solve(B, LU, pivots)
should be replaced with
X = torch.linalg.lu_solve(LU, pivots, B)`;

const LU_DEPRECATED =
  `torch.lu is deprecated in favor of torch.linalg.lu_factor / torch.linalg.lu_factor_ex and will be removed in a future PyTorch release.
LU, pivots = torch.lu(A, compute_pivots)
should be replaced with
LU, pivots = torch.linalg.lu_factor(A, compute_pivots)
and
LU, pivots, info = torch.lu(A, compute_pivots, get_infos=True)
should be replaced with
LU, pivots, info = torch.linalg.lu_factor_ex(A, compute_pivots)`;
