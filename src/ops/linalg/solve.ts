/**
 * Square systems, inverses and determinants. All of them factorise by LU; the backward pass uses the same factors,
 * unless it is recorded itself: then it solves anew, so that second derivatives reach A.
 *
 * @see https://pytorch.org/docs/1.13/generated/torch.linalg.solve.html
 * @module
 */
import { mode } from "../../autograd/grad_mode.ts";
import { int32 } from "../../base/dtype.ts";
import { RuntimeError, warnOnce } from "../../base/errors.ts";
import { numelOf } from "../../base/size.ts";
import { fn } from "../../dispatch/functions.ts";
import { packed } from "../../dispatch/iterator.ts";
import { kernel } from "../../dispatch/launch.ts";
import { type Ctx, op, type Table } from "../../dispatch/op.ts";
import { broadcastAll } from "../../dispatch/promotion.ts";
import type { Tensor } from "../../tensor.ts";
import {
  batchOf,
  broadcastBatch,
  checkEquation,
  checkFloating,
  checkKernel,
  checkMatrix,
  checkSameDtype,
  checkSquare,
  composite,
  epsilonOf,
  eyeLike,
  type Ints,
  isVectorCase,
  launch,
  mT,
  throwOnInfo,
  workCopy,
} from "./common.ts";
import { factorise, solveInPlace } from "./lu.ts";

const TRIANGULAR = kernel("tc_triangular_solve");

/** A^-T B, or X A^T = B, from factors that were kept; without a graph. */
function adjointSolve(lu: Tensor, pivots: Tensor, b: Tensor, left: boolean): Tensor {
  return fn.linalg_lu_solve!(lu, pivots, b, { left, adjoint: true }) as Tensor;
}

function solveForward(a: Tensor, b: Tensor, left: boolean, check: boolean): Tensor[] {
  checkSquare("linalg.solve", a);
  checkFloating("linalg.solve", a, false);
  checkSameDtype("linalg.solve", a, b, "A", "B");
  const vector = isVectorCase(a, b) && (left || b.sizes.length === 1);
  const rhs = vector ? b.unsqueeze(-1) : b;
  checkMatrix("linalg.solve", rhs, "B");
  checkEquation("linalg.solve", a, rhs, left);
  checkKernel("linalg_solve_cpu", a);
  const across = left || vector ? rhs : mT(rhs);
  const [lu, pivots, info] = factorise(a);
  if (check) throwOnInfo("torch.linalg.solve", info);
  const [factors, wide] = broadcastBatch(lu, across);
  const order = pivots.expand([...batchOf(factors), pivots.sizes.at(-1)!]);
  const x = solveInPlace(packed(factors), packed(order), workCopy(wide), !(left || vector));
  const out = left || vector ? x : mT(x);
  return [vector ? out.squeeze(-1) : out, lu, pivots, info];
}

function solveBackward(c: Ctx): Tensor[] {
  const vector = isVectorCase(c.A, c.B) && (c.left || c.B.sizes.length === 1);
  const left = c.left || vector;
  const g: Tensor = vector ? c.grads[0]!.unsqueeze(-1) : c.grads[0]!;
  const x: Tensor = vector ? c.result0.unsqueeze(-1) : c.result0;
  const gb = mode.grad
    ? fn.linalg_solve!(mT(c.A), g, { left }) as Tensor
    : adjointSolve(c.result1, c.result2, g, left);
  const ga = left ? gb.matmul(mT(x)).neg() : mT(x).matmul(gb).neg();
  return [ga, vector ? gb.squeeze(-1) : gb];
}

/** The permutation's sign: one for each row that was exchanged. */
function signOf(pivots: Tensor, like: Tensor): Tensor {
  const expected = fn.arange!(1, pivots.sizes.at(-1)! + 1, { dtype: int32, device: pivots.device }) as Tensor;
  return pivots.ne(expected).sum(-1).remainder(2).mul(-2).add(1).to(like.dtype);
}

const column = (t: Tensor): Tensor => t.unsqueeze(-1).unsqueeze(-1);
const diagonal = (t: Tensor): Tensor => t.diagonal(0, -2, -1);

/** A^-T times a number for each matrix. */
function scaledInverse(c: Ctx, scale: Tensor, lu: Tensor, pivots: Tensor): Tensor {
  const n = c.A.sizes.at(-1)!;
  const d = eyeLike(c.A, n).mul(column(scale));
  return mode.grad
    ? (fn.linalg_solve_ex!(mT(c.A), d) as unknown as Tensor[])[0]!
    : adjointSolve(lu, pivots, d.expand(c.A.sizes), true);
}

/** The cofactors of a matrix, each a determinant of its own: right for every rank, and differentiable again. */
function cofactors(a: Tensor): Tensor {
  const n = a.sizes.at(-1)!;
  if (n === 1) return a.new_ones(a.sizes);
  const without = (t: Tensor, d: number, k: number): Tensor =>
    fn.cat!([t.narrow(d, 0, k), t.narrow(d, k + 1, n - k - 1)], d) as Tensor;
  const rows = Array.from({ length: n }, (_, i) => {
    const rest = without(a, -2, i);
    const row = Array.from({ length: n }, (_, j) => {
      const minor = fn.linalg_det!(without(rest, -1, j)) as Tensor;
      return (i + j) % 2 === 0 ? minor : minor.neg();
    });
    return fn.stack!(row, -1) as Tensor;
  });
  return fn.stack!(rows, -2) as Tensor;
}

/** The cofactors from A = U S V^T: det(U) det(V) U diag(products of the other singular values) V^T. */
function cofactorsOf(a: Tensor): Tensor {
  const [u, s, vh] = fn.linalg_svd!(a, { full_matrices: false }) as unknown as [Tensor, Tensor, Tensor];
  const n = s.sizes.at(-1)!;
  // Products of all values but one: off the diagonal the value, on it 1.
  const others = s.unsqueeze(-2).expand([...s.sizes, n]).masked_fill(
    (fn.eye!(n, { device: a.device }) as Tensor).bool(),
    1,
  ).prod(-1);
  const sign = (fn.linalg_det!(u) as Tensor).mul(fn.linalg_det!(vh) as Tensor);
  return u.mul(others.mul(sign.unsqueeze(-1)).unsqueeze(-2)).matmul(vh);
}

function detBackward(c: Ctx): Tensor {
  const a: Tensor = c.A, det: Tensor = c.result0, g: Tensor = c.grads[0]!;
  if (a.count === 0) return a.new_zeros(a.sizes);
  // The inverse times the determinant loses as many digits as the pivots' quotient has zeros; cofactors lose none.
  // Differentiable ones are dear, so large matrices get them only where there is no inverse.
  const n = a.sizes.at(-1)!, eps = epsilonOf(a);
  const limit = !mode.grad ? Math.sqrt(eps) : n <= 16 ? Math.sqrt(Math.sqrt(eps)) : 64 * n * eps;
  const size = diagonal(c.result1).abs();
  const singular = size.amin(-1).le(size.amax(-1).mul(limit)).any().item();
  if (!singular) return scaledInverse(c, g.mul(det), c.result1, c.result2);
  return (mode.grad ? cofactors(a) : cofactorsOf(a)).mul(column(g));
}

function tensorinv(self: Tensor, ind: number): Tensor {
  if (ind <= 0) {
    throw new RuntimeError(`Expected a strictly positive integer for 'ind', but got ${ind}`);
  }
  const last = self.sizes.slice(ind), first = self.sizes.slice(0, ind);
  if (numelOf(last) !== numelOf(first)) {
    throw new RuntimeError(
      `Expected self to satisfy the requirement prod(self.shape[ind:]) == prod(self.shape[:ind]), but got ${
        numelOf(last)
      } != ${numelOf(first)}`,
    );
  }
  const [inverse, info] = fn.linalg_inv_ex!(
    self.reshape([numelOf(first), numelOf(last)]),
  ) as unknown as Tensor[];
  throwOnInfo("inv", info!);
  return inverse!.reshape([...last, ...first]);
}

function tensorsolve(self: Tensor, other: Tensor, dims: Ints | null): Tensor {
  let a = self;
  if (dims !== null) {
    const rank = self.sizes.length;
    // The last of `dims` becomes the last dimension, in their order.
    a = self.movedim(dims, dims.map((_, i) => rank - dims.length + i));
  }
  const solution = a.sizes.slice(other.sizes.length);
  const unknowns = numelOf(solution), equations = numelOf(other.sizes);
  if (unknowns !== equations) {
    throw new RuntimeError(
      `Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == prod(self.shape[:other.ndim]), but got ${unknowns} != ${equations}`,
    );
  }
  return (fn.linalg_solve!(a.reshape([unknowns, unknowns]), other.flatten()) as Tensor).reshape(solution);
}

function triangular(a: Tensor, b: Tensor, upper: boolean, left: boolean, unit: boolean): Tensor {
  checkSquare("linalg.solve_triangular", a);
  checkMatrix("linalg.solve_triangular", b, "B");
  checkEquation("linalg.solve_triangular", a, b, left);
  checkKernel("triangular_solve_cpu", a);
  const [wideA, wideB] = broadcastBatch(a, left ? b : mT(b));
  const x = workCopy(wideB);
  // A transposed matrix is solved with where it lies.
  const flipped = !wideA.is_contiguous() && mT(wideA).is_contiguous();
  const flat = flipped ? mT(wideA) : packed(wideA);
  if (x.count > 0) {
    launch(TRIANGULAR, flat, {
      b: x,
      k: x.sizes.at(-1)!,
      upper: flipped ? !upper : upper,
      unit,
      transposed: flipped === left,
    });
  }
  return left ? x : packed(mT(x));
}

export const solves: Table = {
  _linalg_solve_ex: [op({
    schema:
      "_linalg_solve_ex(Tensor A, Tensor B, *, bool left=True, bool check_errors=False) -> (Tensor result, Tensor LU, Tensor pivots, Tensor info)",
    impl: solveForward,
    only: "hidden",
    node: "LinalgSolveExBackward0",
    nonDifferentiableResults: [1],
    saves: ["A", "B", "result0", "result1", "result2"],
    derivative: { "A, B": solveBackward },
    doc: "Solves A X = B; with A's factors.",
  })],
  linalg_solve_ex: [composite(
    "linalg_solve_ex(Tensor A, Tensor B, *, bool left=True, bool check_errors=False) -> (Tensor result, Tensor info)",
    (a: Tensor, b: Tensor, left: boolean, check: boolean) => {
      const all = fn._linalg_solve_ex!(a, b, { left, check_errors: check }) as unknown as Tensor[];
      return [all[0], all[3]];
    },
    "Solves A X = B or X A = B; info tells singular matrices.",
  )],
  linalg_solve: [composite(
    "linalg_solve(Tensor A, Tensor B, *, bool left=True) -> Tensor",
    (a: Tensor, b: Tensor, left: boolean) =>
      (fn._linalg_solve_ex!(a, b, { left, check_errors: true }) as unknown as Tensor[])[0],
    "Solves A X = B, or X A = B with left=False.",
  )],
  linalg_inv_ex: [op({
    schema: "linalg_inv_ex(Tensor A, *, bool check_errors=False) -> (Tensor inverse, Tensor info)",
    impl: (a: Tensor, check: boolean) => {
      checkSquare("linalg.inv", a);
      checkFloating("linalg.inv", a, false);
      checkKernel("linalg_inv_cpu", a);
      const [lu, pivots, info] = factorise(a);
      if (check) throwOnInfo("linalg.inv", info);
      return [solveInPlace(lu, pivots, workCopy(eyeLike(a, a.sizes.at(-1)!).expand(a.sizes))), info];
    },
    only: "function",
    saves: ["result0"],
    derivative: { A: (c) => mT(c.result0).matmul(c.grads[0]!.matmul(mT(c.result0))).neg() },
    doc: "The inverse; info tells singular matrices.",
  })],
  linalg_inv: [composite(
    "linalg_inv(Tensor A) -> Tensor",
    (a: Tensor) => (fn.linalg_inv_ex!(a, { check_errors: true }) as unknown as Tensor[])[0],
    "The inverse of a square matrix.",
  )],
  inverse: [composite(
    "inverse(Tensor self) -> Tensor",
    (self: Tensor) => fn.linalg_inv!(self),
    "The inverse of a square matrix.",
    "both",
  )],
  linalg_tensorinv: [composite(
    "linalg_tensorinv(Tensor self, int ind=2) -> Tensor",
    tensorinv,
    "The inverse of a tensor seen as a matrix.",
  )],
  linalg_tensorsolve: [composite(
    "linalg_tensorsolve(Tensor self, Tensor other, int[]? dims=None) -> Tensor",
    tensorsolve,
    "Solves tensordot(self, X) = other.",
  )],
  _linalg_det: [op({
    schema: "_linalg_det(Tensor A) -> (Tensor result, Tensor LU, Tensor pivots)",
    impl: (a: Tensor) => {
      checkSquare("linalg.det", a);
      checkFloating("linalg.det", a);
      checkKernel("lu_cpu", a);
      const [lu, pivots] = factorise(a);
      return [diagonal(lu).prod(-1).mul(signOf(pivots, a)), lu, pivots];
    },
    only: "hidden",
    node: "LinalgDetBackward0",
    nonDifferentiableResults: [1],
    saves: ["A", "result0", "result1", "result2"],
    derivative: { A: detBackward },
    doc: "Determinant; with A's factors.",
  })],
  linalg_det: [composite(
    "linalg_det(Tensor A) -> Tensor",
    (a: Tensor) => (fn._linalg_det!(a) as unknown as Tensor[])[0],
    "Determinant.",
  )],
  det: [
    composite("det(Tensor self) -> Tensor", (self: Tensor) => fn.linalg_det!(self), "Determinant.", "both"),
  ],
  _linalg_slogdet: [op({
    schema: "_linalg_slogdet(Tensor A) -> (Tensor sign, Tensor logabsdet, Tensor LU, Tensor pivots)",
    impl: (a: Tensor) => {
      checkSquare("linalg.slogdet", a);
      checkFloating("linalg.slogdet", a, false);
      checkKernel("lu_cpu", a);
      const [lu, pivots] = factorise(a);
      const d = diagonal(lu);
      return [d.sign().prod(-1).mul(signOf(pivots, a)), d.abs().log().sum(-1), lu, pivots];
    },
    only: "hidden",
    node: "LinalgSlogdetBackward0",
    nonDifferentiableResults: [0, 2],
    saves: ["A", "result2", "result3"],
    derivative: { A: (c) => scaledInverse(c, c.grads[1]!, c.result2, c.result3) },
    doc: "Sign and logarithm of the determinant; with A's factors.",
  })],
  linalg_slogdet: [composite(
    "linalg_slogdet(Tensor A) -> (Tensor sign, Tensor logabsdet)",
    (a: Tensor) => (fn._linalg_slogdet!(a) as unknown as Tensor[]).slice(0, 2),
    "Sign and logarithm of the determinant's magnitude.",
  )],
  slogdet: [composite(
    "slogdet(Tensor self) -> (Tensor sign, Tensor logabsdet)",
    (self: Tensor) => [...fn.linalg_slogdet!(self) as unknown as Tensor[]],
    "Sign and logarithm of the determinant's magnitude.",
    "both",
  )],
  logdet: [composite(
    "logdet(Tensor self) -> Tensor",
    (self: Tensor) => {
      checkSquare("logdet", self);
      const [sign, log] = fn.linalg_slogdet!(self) as unknown as [Tensor, Tensor];
      return log.add(sign.detach().log());
    },
    "Logarithm of the determinant.",
    "both",
  )],
  linalg_solve_triangular: [op({
    schema:
      "linalg_solve_triangular(Tensor self, Tensor B, *, bool upper, bool left=True, bool unitriangular=False) -> Tensor",
    impl: triangular,
    only: "function",
    saves: ["self", "result"],
    derivative: {
      "self, B": (c) => {
        const gb = fn.linalg_solve_triangular!(mT(c.self), c.grad, {
          upper: !c.upper,
          left: c.left,
          unitriangular: c.unitriangular,
        }) as Tensor;
        if (!c.needs("self")) return [null, gb];
        const full = c.left ? gb.matmul(mT(c.result)).neg() : mT(c.result).matmul(gb).neg();
        const skip = c.unitriangular ? 1 : 0;
        return [c.upper ? full.triu(skip) : full.tril(-skip), gb];
      },
    },
    doc: "Solves a triangular system.",
  })],
  triangular_solve: [composite(
    "triangular_solve(Tensor self, Tensor A, bool upper=True, bool transpose=False, bool unitriangular=False) -> (Tensor solution, Tensor cloned_coefficient)",
    (self: Tensor, a: Tensor, upper: boolean, transpose: boolean, unitriangular: boolean) => {
      checkTriangular(self, a);
      warnOnce("UserWarning", TRIANGULAR_DEPRECATED);
      const x = fn.linalg_solve_triangular!(transpose ? mT(a) : a, self, {
        upper: transpose ? !upper : upper,
        unitriangular,
      }) as Tensor;
      return [x, a.expand([...broadcastAll([batchOf(a), batchOf(self)]), ...a.sizes.slice(-2)]).clone()];
    },
    "Solves a triangular system; deprecated, see `linalg.solve_triangular`.",
    "both",
  )],
};

function checkTriangular(b: Tensor, a: Tensor): void {
  for (const [name, t] of [["b", b], ["A", a]] as const) {
    if (t.sizes.length < 2) {
      throw new RuntimeError(
        `torch.triangular_solve: Expected ${name} to have at least 2 dimensions, but it has ${t.sizes.length} dimensions instead`,
      );
    }
  }
  checkOldSolve("triangular_solve", b, a);
}

/** The checks of PyTorch's older solvers. */
export function checkOldSolve(name: string, b: Tensor, a: Tensor): void {
  if (a.dtype !== b.dtype) {
    throw new RuntimeError(
      `Expected b and A to have the same dtype, but found b of type ${b.dtype.scalarName} and A of type ${a.dtype.scalarName} instead.`,
    );
  }
  const [m, n] = a.sizes.slice(-2), [p, q] = b.sizes.slice(-2);
  if (m !== n) {
    throw new RuntimeError(`A must be batches of square matrices, but they are ${m} by ${n} matrices`);
  }
  if (m !== p) {
    throw new RuntimeError(
      `Incompatible matrix sizes for ${name}: each A matrix is ${m} by ${n} but each b matrix is ${p} by ${q}`,
    );
  }
}

const TRIANGULAR_DEPRECATED =
  `torch.triangular_solve is deprecated in favor of torch.linalg.solve_triangularand will be removed in a future PyTorch release.
torch.linalg.solve_triangular has its arguments reversed and does not return a copy of one of the inputs.
X = torch.triangular_solve(B, A).solution
should be replaced with
X = torch.linalg.solve_triangular(A, B).`;
