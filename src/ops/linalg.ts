/**
 * `torch.linalg`: factorisations, solves, determinants, inverses, powers.
 *
 * Derivatives follow Giles, "Collected matrix derivative results for forward and reverse mode algorithmic
 * differentiation" (2008), and PyTorch's FunctionsManual.cpp.
 *
 * @module
 */
import { type DType, float32, float64, int32, Kind } from "../base/dtype.ts";
import { LinAlgError, NotImplementedError, RuntimeError } from "../base/errors.ts";
import { type Scalar, toNumber } from "../base/scalar.ts";
import { numelOf, shapeText } from "../base/size.ts";
import { fn } from "../dispatch/functions.ts";
import { emptyTensor, packed, runCopy } from "../dispatch/iterator.ts";
import { begin, kernel } from "../dispatch/launch.ts";
import { op, type Table } from "../dispatch/op.ts";
import { broadcastAll } from "../dispatch/promotion.ts";
import type { Tensor } from "../tensor.ts";

const LU = kernel("tc_lu"), LU_SOLVE = kernel("tc_lu_solve"), CHOLESKY = kernel("tc_cholesky");
const GEQRF = kernel("tc_geqrf"), ORGQR = kernel("tc_orgqr"), TRIANGULAR = kernel("tc_triangular_solve");

type Ints = readonly number[];

interface Operands {
  b?: Tensor | null;
  pivots?: Tensor | null;
  tau?: Tensor | null;
  info?: Tensor | null;
  k?: number;
  upper?: boolean;
  unit?: boolean;
}

/** Runs a factorisation on `a`'s own bytes. */
function launch(k: typeof LU, a: Tensor, o: Operands): void {
  const [m, n] = a.sizes.slice(-2) as [number, number];
  const batch = numelOf(a.sizes.slice(0, -2));
  if (batch === 0 || a.count === 0) return;
  if (a.count * n > 1 << 16) a.storage.backend.expectWork();
  begin(k, a.storage.backend).i(a.dtype.code).i(batch).i(m).i(n).i(o.k ?? 0).p(a).p(o.b).p(o.pivots).p(o.tau)
    .p(o.info)
    .b(o.upper ?? false).b(o.unit ?? false).run();
}

/** A fresh row-major copy to work on. */
function workCopy(t: Tensor): Tensor {
  const out = emptyTensor(t.sizes, t.dtype, t.storage.backend);
  runCopy(out, t);
  return out;
}

function checkFloat(name: string, a: Tensor): void {
  if (a.dtype !== float32 && a.dtype !== float64) {
    if (a.dtype.kind < Kind.float) {
      throw new RuntimeError(
        `${name}: Expected a floating point or complex tensor as input. Got ${a.dtype.scalarName}`,
      );
    }
    throw new NotImplementedError(`"${name.replace(".", "_")}" not implemented for '${a.dtype.scalarName}'`);
  }
}

function checkMatrix(name: string, a: Tensor, what = "A"): void {
  if (a.sizes.length < 2) {
    throw new RuntimeError(`${name}: The input tensor ${what} must have at least 2 dimensions.`);
  }
}

function checkSquare(name: string, a: Tensor, what = "A"): void {
  checkMatrix(name, a, what);
  const [m, n] = a.sizes.slice(-2);
  if (m !== n) {
    throw new RuntimeError(
      `${name}: ${what} must be batches of square matrices, but they are ${m} by ${n} matrices`,
    );
  }
  checkFloat(name, a);
}

/** LU factors, pivots and info of a batch. */
function factorise(a: Tensor): [Tensor, Tensor, Tensor] {
  const batch = a.sizes.slice(0, -2), steps = Math.min(a.sizes.at(-2)!, a.sizes.at(-1)!);
  const lu = workCopy(a);
  const pivots = emptyTensor([...batch, steps], int32, a.storage.backend);
  const info = emptyTensor(batch, int32, a.storage.backend).zero_();
  launch(LU, lu, { pivots, info });
  return [lu, pivots, info];
}

/** The first failing matrix of a batch as LAPACK's info, or 0. */
function firstFailure(info: Tensor): { batch: number; at: number } | null {
  const list = [info.reshape([-1]).tolist()].flat() as number[];
  const batch = list.findIndex((x) => x !== 0);
  return batch < 0 ? null : { batch, at: list[batch]! };
}

function where(info: Tensor, batch: number): string {
  return info.sizes.length === 0 ? "" : `(Batch element ${batch}): `;
}

function throwIfSingular(name: string, info: Tensor): void {
  const f = firstFailure(info);
  if (f === null) return;
  const doing = name === "linalg.inv" ? "inversion" : "solve";
  throw new LinAlgError(
    name === "linalg.inv"
      ? `${name}: ${
        where(info, f.batch)
      }The diagonal element ${f.at} is zero, the ${doing} could not be completed because the input matrix is singular.`
      : `torch.${name}: ${where(info, f.batch)}The solver failed because the input matrix is singular.`,
  );
}

const mT = (t: Tensor): Tensor => t.transpose(-2, -1);

/** Is `b` a vector (or a batch of them) for matrices `a`? PyTorch's rule. */
function isVectorCase(a: Tensor, b: Tensor): boolean {
  return b.sizes.length === 1 ||
    (a.sizes.length - 1 === b.sizes.length && b.sizes.every((s, i) => s === a.sizes[i]));
}

function solveMatrix(a: Tensor, b: Tensor): [Tensor, Tensor] {
  const batch = broadcastAll([a.sizes.slice(0, -2), b.sizes.slice(0, -2)]);
  const n = a.sizes.at(-1)!, k = b.sizes.at(-1)!;
  const [lu, pivots, info] = factorise(a.expand([...batch, n, n]));
  const x = workCopy(b.expand([...batch, n, k]));
  launch(LU_SOLVE, lu, { b: x, pivots, k });
  return [x, info];
}

/** det from LU: the product of the diagonal with the permutation's sign. */
function signOf(pivots: Tensor, n: number): Tensor {
  const expected = fn.arange!(1, n + 1, { dtype: int32, device: pivots.device }) as Tensor;
  return pivots.ne(expected).sum(-1).remainder(2).mul(-2).add(1);
}

/** Lower triangle with the diagonal halved: the projection in Cholesky's derivative. */
function phi(t: Tensor): Tensor {
  return t.tril().sub(t.diagonal(0, -2, -1).mul(0.5).diag_embed());
}

function throwIfNotPositive(name: string, info: Tensor): void {
  const f = firstFailure(info);
  if (f === null) return;
  throw new LinAlgError(
    `${name}: ${
      where(info, f.batch)
    }The factorization could not be completed because the input is not positive-definite (the leading minor of order ${f.at} is not positive-definite).`,
  );
}

function cholesky(a: Tensor): [Tensor, Tensor] {
  const l = workCopy(a);
  const info = emptyTensor(a.sizes.slice(0, -2), int32, a.storage.backend).zero_();
  launch(CHOLESKY, l, { info });
  return [l.tril(), info];
}

function qr(a: Tensor, mode: string): [Tensor, Tensor] {
  const [m, n] = a.sizes.slice(-2) as [number, number];
  const batch = a.sizes.slice(0, -2), k = Math.min(m, n);
  const work = workCopy(a);
  const tau = emptyTensor([...batch, k], a.dtype, a.storage.backend);
  launch(GEQRF, work, { tau });
  const r = (mode === "complete" ? work : work.narrow(-2, 0, k)).triu();
  if (mode === "r") return [emptyTensor([0], a.dtype, a.storage.backend), packed(r)];
  const columns = mode === "complete" ? m : k;
  const q = emptyTensor([...batch, m, columns], a.dtype, a.storage.backend).zero_();
  q.narrow(-1, 0, k).copy_(work.narrow(-1, 0, k));
  launch(ORGQR, q, { tau, k });
  return [q, packed(r)];
}

function matrixPower(a: Tensor, n: number): Tensor {
  checkMatrix("linalg.matrix_power", a);
  if (a.sizes.at(-1) !== a.sizes.at(-2)) {
    throw new RuntimeError(
      `linalg.matrix_power: A must be batches of square matrices, but they are ${a.sizes.at(-2)} by ${
        a.sizes.at(-1)
      } matrices`,
    );
  }
  if (n === 0) return a.mul(0).add(fn.eye!(a.sizes.at(-1)!, { dtype: a.dtype, device: a.device }) as Tensor);
  if (n < 0) return matrixPower(fn.linalg_inv!(a) as Tensor, -n);
  let base = a, result: Tensor | null = null;
  for (let e = n; e > 0; e = Math.floor(e / 2)) {
    if (e % 2 === 1) result = result === null ? base : result.matmul(base);
    if (e > 1) base = base.matmul(base);
  }
  return result === a ? a.clone() : result!;
}

/** Taylor polynomial of degree 18 after scaling by a power of two, squared back. */
function matrixExp(a: Tensor): Tensor {
  checkSquare("linalg.matrix_exp", a);
  const n = a.sizes.at(-1)!;
  if (a.count === 0) return a.clone();
  const norm = Number(a.detach().abs().sum(-2).max().item());
  const squarings = norm > 1 ? Math.ceil(Math.log2(norm)) + 1 : 0;
  const x = a.div(2 ** squarings);
  const identity = (fn.eye!(n, { dtype: a.dtype, device: a.device }) as Tensor).expand(a.sizes);
  let result = identity;
  // Horner's scheme.
  for (let k = 18; k >= 1; k--) result = identity.add(x.matmul(result).div(k));
  for (let i = 0; i < squarings; i++) result = result.matmul(result);
  return result;
}

function matrixNorm(
  a: Tensor,
  ord: Scalar | string,
  dim: Ints,
  keepdim: boolean,
  dtype: DType | null,
): Tensor {
  checkMatrix("linalg.matrix_norm", a);
  const x = dtype === null ? a : a.to(dtype);
  if (ord === "fro") return fn.linalg_vector_norm!(x, 2, dim, keepdim);
  const p = typeof ord === "string" ? NaN : toNumber(ord);
  const rank = a.sizes.length;
  const [r, c] = dim.map((d) => (d < 0 ? d + rank : d)) as [number, number];
  if (Math.abs(p) === 1 || Math.abs(p) === Infinity) {
    const columns = Math.abs(p) === 1;
    const sums = fn.linalg_vector_norm!(x, 1, [columns ? r : c], true) as Tensor;
    const over = columns ? c : r;
    const out = p > 0 ? sums.amax([over], true) : sums.amin([over], true);
    return keepdim ? out : out.squeeze(Math.max(r, c)).squeeze(Math.min(r, c));
  }
  throw new NotImplementedError(
    `linalg.matrix_norm: order ${String(ord)} needs singular values, which are not implemented yet`,
  );
}

const aliasRow = (schema: string, composite: (...args: never[]) => unknown, doc: string, only?: "function") =>
  op({ schema, composite: composite as never, ...(only === undefined ? {} : { only }), doc });

export const linearAlgebra: Table = {
  linalg_lu_factor_ex: [op({
    schema:
      "linalg_lu_factor_ex(Tensor self, *, bool pivot=True, bool check_errors=False) -> (Tensor LU, Tensor pivots, Tensor info)",
    impl: (self: Tensor, _pivot: boolean, check: boolean) => {
      checkMatrix("torch.linalg.lu_factor_ex", self);
      checkFloat("torch.linalg.lu_factor_ex", self);
      const out = factorise(self);
      if (check) throwIfSingular("linalg.lu_factor_ex", out[2]);
      return out;
    },
    only: "function",
    saves: ["result0", "result1"],
    derivative: {
      self: (c) => {
        // dA = P L^-T (tril(L^T dL, -1) + triu(dU U^T)) U^-T for square matrices.
        const lu: Tensor = c.result0;
        const [m, n] = lu.sizes.slice(-2) as [number, number];
        if (m !== n) {
          throw new NotImplementedError(
            "the derivative for 'linalg_lu_factor_ex' of matrices that are not square is not implemented.",
          );
        }
        const identity = fn.eye!(n, { dtype: lu.dtype, device: lu.device }) as Tensor;
        const l = lu.tril(-1).add(identity), u = lu.triu();
        const g: Tensor = c.grads[0]!;
        const inner = mT(l).matmul(g.tril(-1)).tril(-1).add(g.triu().matmul(mT(u)).triu());
        const left = fn.linalg_solve_triangular!(mT(l), inner, {
          upper: true,
          unitriangular: true,
        }) as Tensor;
        const both = fn.linalg_solve_triangular!(mT(u), left, { upper: false, left: false }) as Tensor;
        return permutation(c.result1, n, lu.dtype).matmul(both);
      },
    },
    doc: "LU factors, pivots and LAPACK's info.",
  })],
  linalg_lu_factor: [aliasRow(
    "linalg_lu_factor(Tensor self, *, bool pivot=True) -> (Tensor LU, Tensor pivots)",
    (self: Tensor) =>
      (fn.linalg_lu_factor_ex!(self, { check_errors: true }) as unknown as Tensor[]).slice(0, 2),
    "LU factors and pivots.",
    "function",
  )],
  linalg_solve_ex: [op({
    schema:
      "linalg_solve_ex(Tensor self, Tensor B, *, bool left=True, bool check_errors=False) -> (Tensor result, Tensor info)",
    impl: (self: Tensor, b: Tensor, left: boolean, check: boolean) => {
      checkSquare("linalg.solve", self);
      if (self.dtype !== b.dtype) {
        throw new RuntimeError(
          `linalg.solve: Expected A and B to have the same dtype, but found A of type ${self.dtype.scalarName} and B of type ${b.dtype.scalarName} instead`,
        );
      }
      const vector = isVectorCase(self, b);
      const rhs = vector ? b.unsqueeze(-1) : b;
      const n = self.sizes.at(-1);
      if ((left || vector ? rhs.sizes.at(-2) : rhs.sizes.at(-1)) !== n) {
        throw new RuntimeError(
          `linalg.solve: Incompatible shapes of A and B for the equation ${left ? "AX = B" : "XA = B"} (${
            self.sizes.at(-2)
          }x${n} and ${rhs.sizes.at(-2)}x${rhs.sizes.at(-1)})`,
        );
      }
      const [x, info] = left || vector ? solveMatrix(self, rhs) : solveMatrix(mT(self), mT(rhs));
      if (check) throwIfSingular("linalg.solve", info);
      const out = left || vector ? x : mT(x);
      return [vector ? out.squeeze(-1) : out, info];
    },
    only: "function",
    node: "LinalgSolveExBackward0",
    saves: ["self", "B", "result0"],
    derivative: {
      "self, B": (c) => {
        const vector = isVectorCase(c.self, c.B);
        const g: Tensor = vector ? c.grads[0]!.unsqueeze(-1) : c.grads[0]!;
        const x: Tensor = vector ? c.result0.unsqueeze(-1) : c.result0;
        const gb = fn.linalg_solve!(mT(c.self), g, { left: c.left || vector }) as Tensor;
        const ga = c.left || vector ? gb.matmul(mT(x)).neg() : mT(x).matmul(gb).neg();
        return [ga, vector ? gb.squeeze(-1) : gb];
      },
    },
    doc: "Solves A X = B; info tells singular matrices.",
  })],
  linalg_solve: [aliasRow(
    "linalg_solve(Tensor self, Tensor B, *, bool left=True) -> Tensor",
    (self: Tensor, b: Tensor, left: boolean) =>
      (fn.linalg_solve_ex!(self, b, { left, check_errors: true }) as unknown as Tensor[])[0],
    "Solves A X = B.",
    "function",
  )],
  linalg_inv_ex: [op({
    schema: "linalg_inv_ex(Tensor self, *, bool check_errors=False) -> (Tensor inverse, Tensor info)",
    impl: (self: Tensor, check: boolean) => {
      checkSquare("linalg.inv", self);
      const n = self.sizes.at(-1)!;
      const identity = (fn.eye!(n, { dtype: self.dtype, device: self.device }) as Tensor).expand(self.sizes);
      const [x, info] = solveMatrix(self, identity);
      if (check) throwIfSingular("linalg.inv", info);
      return [x, info];
    },
    only: "function",
    saves: ["result0"],
    derivative: { self: (c) => mT(c.result0).matmul(c.grads[0]!.matmul(mT(c.result0))).neg() },
    doc: "The inverse; info tells singular matrices.",
  })],
  linalg_inv: [aliasRow(
    "linalg_inv(Tensor self) -> Tensor",
    (self: Tensor) => (fn.linalg_inv_ex!(self, { check_errors: true }) as unknown as Tensor[])[0],
    "The inverse of a square matrix.",
    "function",
  )],
  inverse: [
    aliasRow(
      "inverse(Tensor self) -> Tensor",
      (self: Tensor) => fn.linalg_inv!(self),
      "The inverse of a square matrix.",
    ),
  ],
  linalg_det: [op({
    schema: "linalg_det(Tensor self) -> Tensor",
    impl: (self: Tensor) => {
      checkSquare("linalg.det", self);
      const [lu, pivots] = factorise(self);
      return lu.diagonal(0, -2, -1).prod(-1).mul(signOf(pivots, self.sizes.at(-1)!).to(self.dtype));
    },
    only: "function",
    saves: ["self", "result"],
    derivative: { self: (c) => detBackward(c.grad, c.self, c.result) },
    doc: "Determinant.",
  })],
  det: [aliasRow("det(Tensor self) -> Tensor", (self: Tensor) => fn.linalg_det!(self), "Determinant.")],
  linalg_slogdet: [op({
    schema: "linalg_slogdet(Tensor self) -> (Tensor sign, Tensor logabsdet)",
    impl: (self: Tensor) => {
      checkSquare("linalg.slogdet", self);
      const [lu, pivots] = factorise(self);
      const d = lu.diagonal(0, -2, -1);
      return [
        d.sign().prod(-1).mul(signOf(pivots, self.sizes.at(-1)!).to(self.dtype)),
        d.abs().log().sum(-1),
      ];
    },
    only: "function",
    nonDifferentiableResults: [0],
    saves: ["self"],
    derivative: {
      self: (c) => mT(fn.linalg_inv!(c.self) as Tensor).mul(c.grads[1]!.unsqueeze(-1).unsqueeze(-1)),
    },
    doc: "Sign and logarithm of the determinant's magnitude.",
  })],
  slogdet: [
    aliasRow(
      "slogdet(Tensor self) -> (Tensor sign, Tensor logabsdet)",
      (self: Tensor) => fn.linalg_slogdet!(self),
      "Sign and log-magnitude of the determinant.",
    ),
  ],
  logdet: [aliasRow(
    "logdet(Tensor self) -> Tensor",
    (self: Tensor) => {
      const [sign, log] = fn.linalg_slogdet!(self) as unknown as [Tensor, Tensor];
      return log.add(sign.detach().log());
    },
    "Logarithm of the determinant.",
  )],
  linalg_cholesky_ex: [op({
    schema:
      "linalg_cholesky_ex(Tensor self, *, bool upper=False, bool check_errors=False) -> (Tensor L, Tensor info)",
    impl: (self: Tensor, upper: boolean, check: boolean) => {
      checkSquare("linalg.cholesky", self);
      const [l, info] = cholesky(self);
      if (check) throwIfNotPositive("linalg.cholesky", info);
      return [upper ? packed(mT(l)) : l, info];
    },
    only: "function",
    saves: ["result0"],
    derivative: {
      self: (c) => {
        const l: Tensor = c.upper ? mT(c.result0) : c.result0,
          g: Tensor = c.upper ? mT(c.grads[0]!) : c.grads[0]!;
        // L^-T phi(L^T g) L^-1, made symmetric.
        const p = phi(mT(l).matmul(g.tril()));
        const left = fn.linalg_solve_triangular!(mT(l), p, { upper: true }) as Tensor;
        const s = fn.linalg_solve_triangular!(l, left, { upper: false, left: false }) as Tensor;
        return s.add(mT(s)).mul(0.5);
      },
    },
    doc: "Cholesky factor; info tells matrices that are not positive definite.",
  })],
  linalg_cholesky: [aliasRow(
    "linalg_cholesky(Tensor self, *, bool upper=False) -> Tensor",
    (self: Tensor, upper: boolean) =>
      (fn.linalg_cholesky_ex!(self, { upper, check_errors: true }) as unknown as Tensor[])[0],
    "Cholesky factor of a positive definite matrix.",
    "function",
  )],
  cholesky: [
    aliasRow(
      "cholesky(Tensor self, bool upper=False) -> Tensor",
      (self: Tensor, upper: boolean) => fn.linalg_cholesky!(self, { upper }),
      "Cholesky factor.",
    ),
  ],
  cholesky_solve: [op({
    schema: "cholesky_solve(Tensor self, Tensor input2, bool upper=False) -> Tensor",
    impl: (self: Tensor, factor: Tensor, upper: boolean) => {
      const l = upper ? mT(factor) : factor;
      const y = fn.linalg_solve_triangular!(l, self, { upper: false }) as Tensor;
      return fn.linalg_solve_triangular!(mT(l), y, { upper: true });
    },
    saves: ["self", "input2", "result"],
    derivative: {
      "self, input2": (c) => {
        const gs = fn.cholesky_solve!(c.grad, c.input2, c.upper) as Tensor;
        const common = gs.matmul(mT(c.result));
        const both = common.add(mT(common));
        return [gs, (c.upper ? c.input2.matmul(both) : both.matmul(c.input2)).neg()];
      },
    },
    doc: "Solves A X = B from A's Cholesky factor.",
  })],
  cholesky_inverse: [op({
    schema: "cholesky_inverse(Tensor self, bool upper=False) -> Tensor",
    impl: (self: Tensor, upper: boolean) =>
      fn.cholesky_solve!(
        (fn.eye!(self.sizes.at(-1)!, { dtype: self.dtype, device: self.device }) as Tensor).expand(
          self.sizes,
        ),
        self,
        upper,
      ),
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
  linalg_qr: [op({
    schema: "linalg_qr(Tensor self, str mode='reduced') -> (Tensor Q, Tensor R)",
    impl: (self: Tensor, mode: string) => {
      checkMatrix("linalg.qr", self);
      checkFloat("linalg.qr", self);
      if (mode !== "reduced" && mode !== "complete" && mode !== "r") {
        throw new RuntimeError(
          `qr received unrecognized mode '${mode}' but expected one of 'reduced' (default), 'r', or 'complete'`,
        );
      }
      return qr(self, mode);
    },
    only: "function",
    saves: ["results"],
    derivative: {
      self: (c) => {
        const [q, r] = c.results as [Tensor, Tensor];
        const [gq, gr] = c.grads as [Tensor, Tensor];
        if (c.mode === "r") {
          throw new RuntimeError(
            "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. Please use linalg.qr(A, mode='reduced') if you are going to require gradients.",
          );
        }
        const [m, n] = c.sizesOf("self").slice(-2) as [number, number];
        if (c.mode === "complete" && m > n) {
          throw new RuntimeError(
            "The QR decomposition is not differentiable when mode='complete' and nrows > ncols.",
          );
        }
        if (m >= n) return qrBackward(q, r, gq, gr);
        // Wide: the left square part has the factorisation, the rest is Q^T times the input.
        const r1 = r.narrow(-1, 0, m), g1 = gr.narrow(-1, 0, m), g2 = gr.narrow(-1, m, n - m);
        const rest = q.matmul(r.narrow(-1, m, n - m));
        const left = qrBackward(q, r1, gq.add(rest.matmul(mT(g2))), g1);
        return fn.cat!([left, q.matmul(g2)], -1);
      },
    },
    doc: "QR factorisation by Householder reflections.",
  })],
  qr: [aliasRow(
    "qr(Tensor self, bool some=True) -> (Tensor Q, Tensor R)",
    (self: Tensor, some: boolean) => fn.linalg_qr!(self, some ? "reduced" : "complete"),
    "QR factorisation.",
  )],
  geqrf: [op({
    schema: "geqrf(Tensor self) -> (Tensor a, Tensor tau)",
    impl: (self: Tensor) => {
      checkMatrix("torch.geqrf", self);
      checkFloat("torch.geqrf", self);
      const a = workCopy(self);
      const tau = emptyTensor(
        [...self.sizes.slice(0, -2), Math.min(self.sizes.at(-2)!, self.sizes.at(-1)!)],
        self.dtype,
        self.storage.backend,
      );
      launch(GEQRF, a, { tau });
      return [a, tau];
    },
    derivative: { self: "notImplemented" },
    doc: "QR factorisation in LAPACK's form: reflectors and their factors.",
  })],
  linalg_householder_product: [aliasRow(
    "linalg_householder_product(Tensor self, Tensor tau) -> Tensor",
    householderProduct,
    "The product of Householder reflections.",
    "function",
  )],
  orgqr: [
    aliasRow(
      "orgqr(Tensor self, Tensor input2) -> Tensor",
      householderProduct,
      "The product of Householder reflections.",
    ),
  ],
  linalg_solve_triangular: [op({
    schema:
      "linalg_solve_triangular(Tensor self, Tensor B, *, bool upper, bool left=True, bool unitriangular=False) -> Tensor",
    impl: (self: Tensor, b: Tensor, upper: boolean, left: boolean, unit: boolean) => {
      checkSquare("linalg.solve_triangular", self);
      checkMatrix("linalg.solve_triangular", b, "B");
      if ((left ? b.sizes.at(-2) : b.sizes.at(-1)) !== self.sizes.at(-1)) {
        throw new RuntimeError(
          `linalg.solve_triangular: Incompatible shapes of A and B for the equation ${
            left ? "AX = B" : "XA = B"
          } (${self.sizes.at(-2)}x${self.sizes.at(-1)} and ${b.sizes.at(-2)}x${b.sizes.at(-1)})`,
        );
      }
      const batch = broadcastAll([self.sizes.slice(0, -2), b.sizes.slice(0, -2)]);
      const a = left ? self : mT(self), rhs = left ? b : mT(b);
      const n = a.sizes.at(-1)!, k = rhs.sizes.at(-1)!;
      const x = workCopy(rhs.expand([...batch, n, k]));
      launch(TRIANGULAR, packed(a.expand([...batch, n, n])), { b: x, k, upper: left ? upper : !upper, unit });
      return left ? x : packed(mT(x));
    },
    only: "function",
    saves: ["self", "result"],
    derivative: {
      "self, B": (c) => {
        const gb = fn.linalg_solve_triangular!(mT(c.self), c.grad, {
          upper: !c.upper,
          left: c.left,
          unitriangular: c.unitriangular,
        }) as Tensor;
        const full = c.left ? gb.matmul(mT(c.result)).neg() : mT(c.result).matmul(gb).neg();
        const skip = c.unitriangular ? 1 : 0;
        return [c.upper ? full.triu(skip) : full.tril(-skip), gb];
      },
    },
    doc: "Solves a triangular system.",
  })],
  triangular_solve: [aliasRow(
    "triangular_solve(Tensor self, Tensor A, bool upper=True, bool transpose=False, bool unitriangular=False) -> (Tensor solution, Tensor cloned_coefficient)",
    (self: Tensor, a: Tensor, upper: boolean, transpose: boolean, unitriangular: boolean) => [
      fn.linalg_solve_triangular!(transpose ? mT(a) : a, self, {
        upper: transpose ? !upper : upper,
        unitriangular,
      }),
      a.clone(),
    ],
    "Solves a triangular system.",
  )],
  linalg_matrix_power: [
    aliasRow(
      "linalg_matrix_power(Tensor self, int n) -> Tensor",
      matrixPower,
      "A matrix to an integer power.",
      "function",
    ),
  ],
  matrix_power: [
    aliasRow("matrix_power(Tensor self, int n) -> Tensor", matrixPower, "A matrix to an integer power."),
  ],
  linalg_matrix_exp: [
    aliasRow("linalg_matrix_exp(Tensor self) -> Tensor", matrixExp, "The matrix exponential.", "function"),
  ],
  matrix_exp: [aliasRow("matrix_exp(Tensor self) -> Tensor", matrixExp, "The matrix exponential.")],
  linalg_multi_dot: [aliasRow(
    "linalg_multi_dot(Tensor[] tensors) -> Tensor",
    (list: Tensor[]) => {
      if (list.length < 2) {
        throw new RuntimeError("multi_dot(): expected at least 2 tensors but got " + list.length);
      }
      return bestOrder(list);
    },
    "The product of several matrices in the cheapest order.",
    "function",
  )],
  linalg_matrix_norm: [
    op({
      schema:
        "linalg_matrix_norm(Tensor self, Scalar ord, int[] dim=[-2,-1], bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
      composite: matrixNorm,
      only: "function",
      doc: "A matrix norm.",
    }),
    op({
      schema:
        "linalg_matrix_norm.str(Tensor self, str ord='fro', int[] dim=[-2,-1], bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
      composite: matrixNorm,
      only: "function",
      doc: "A matrix norm.",
    }),
  ],
  linalg_norm: [op({
    schema:
      "linalg_norm(Tensor self, Any ord=None, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
    composite: (
      self: Tensor,
      ord: Scalar | string | null,
      dim: Ints | null,
      keepdim: boolean,
      dtype: DType | null,
    ) => {
      if (ord === null) return fn.linalg_vector_norm!(self, 2, dim, keepdim, { dtype });
      const matrix = dim === null ? self.sizes.length === 2 : dim.length === 2;
      if (dim === null && self.sizes.length > 2) {
        throw new RuntimeError(
          "linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got " +
            `${self.sizes.length}D.`,
        );
      }
      return matrix
        ? matrixNorm(self, ord, dim ?? [0, 1], keepdim, dtype)
        : fn.linalg_vector_norm!(self, ord as Scalar, dim, keepdim, { dtype });
    },
    only: "function",
    doc: "A vector or matrix norm.",
  })],
  linalg_tensorinv: [aliasRow(
    "linalg_tensorinv(Tensor self, int ind=2) -> Tensor",
    (self: Tensor, ind: number) => {
      if (ind <= 0) throw new RuntimeError("Expected a strictly positive integer for 'ind'");
      const last = self.sizes.slice(ind), first = self.sizes.slice(0, ind);
      if (numelOf(last) !== numelOf(first)) {
        throw new RuntimeError(
          `Expected self to satisfy the requirement prod(self.shape[ind:]) == prod(self.shape[:ind]), but got ${
            numelOf(last)
          } != ${numelOf(first)}`,
        );
      }
      return (fn.linalg_inv!(self.reshape([numelOf(first), numelOf(last)])) as Tensor).reshape([
        ...last,
        ...first,
      ]);
    },
    "The inverse of a tensor seen as a matrix.",
    "function",
  )],
};

function permutation(pivots: Tensor, n: number, dtype: DType): Tensor {
  const batch = pivots.sizes.slice(0, -1), rows = numelOf(batch);
  const list = pivots.reshape([rows, -1]).tolist() as number[][];
  const orders = list.map((p) => {
    const order = Array.from({ length: n }, (_, i) => i);
    p.forEach((q, i) => [order[i], order[q - 1]] = [order[q - 1]!, order[i]!]);
    return order;
  });
  const index = pivots.new_tensor(orders.flat().map(BigInt), { dtype: null }).view([...batch, n]);
  return mT(fn.one_hot!(index, n) as Tensor).to(dtype);
}

function detBackward(grad: Tensor, a: Tensor, det: Tensor): Tensor {
  const n = a.sizes.at(-1)!;
  const g = grad.unsqueeze(-1).unsqueeze(-1);
  if (n === 0) return a.new_zeros(a.sizes);
  if (!det.detach().eq(0).any().item()) {
    return mT(fn.linalg_inv!(a) as Tensor).mul(det.unsqueeze(-1).unsqueeze(-1)).mul(g);
  }
  // Singular: the matrix of cofactors, each a determinant of its own.
  const rows: Tensor[] = [];
  for (let i = 0; i < n; i++) {
    const row: Tensor[] = [];
    for (let j = 0; j < n; j++) {
      const without = (t: Tensor, d: number, k: number): Tensor =>
        fn.cat!([t.narrow(d, 0, k), t.narrow(d, k + 1, n - k - 1)], d) as Tensor;
      const minor = without(without(a, -2, i), -1, j);
      const d = n === 1 ? a.new_ones(a.sizes.slice(0, -2)) : fn.linalg_det!(minor) as Tensor;
      row.push((i + j) % 2 === 0 ? d : d.neg());
    }
    rows.push(fn.stack!(row, -1) as Tensor);
  }
  return (fn.stack!(rows, -2) as Tensor).mul(g);
}

/** Reverse mode of A = Q R with R square: (gQ + Q syminvadj(triu(gR R^T - Q^T gQ))) R^-T. */
function qrBackward(q: Tensor, r: Tensor, gq: Tensor, gr: Tensor): Tensor {
  const t = gr.matmul(mT(r)).sub(mT(q).matmul(gq)).triu();
  const s = t.add(mT(t));
  const sym = s.sub(s.diagonal(0, -2, -1).mul(0.5).diag_embed());
  const inner = gq.add(q.matmul(sym));
  return fn.linalg_solve_triangular!(mT(r), inner, { upper: false, left: false }) as Tensor;
}

function householderProduct(v: Tensor, tau: Tensor): Tensor {
  checkMatrix("torch.linalg.householder_product", v, "input");
  const [m, n] = v.sizes.slice(-2) as [number, number];
  if (m < n) {
    throw new RuntimeError(
      "torch.linalg.householder_product: input.shape[-2] must be greater than or equal to input.shape[-1]",
    );
  }
  const k = tau.sizes.at(-1)!;
  if (k > n) {
    throw new RuntimeError(
      "torch.linalg.householder_product: input.shape[-1] must be greater than or equal to tau.shape[-1]",
    );
  }
  const identity = fn.eye!(m, n, { dtype: v.dtype, device: v.device }) as Tensor;
  let q = identity.expand(v.sizes);
  for (let j = k - 1; j >= 0; j--) {
    const below = v.select(-1, j).unsqueeze(-1).tril(-(j + 1));
    const w = below.add(identity.select(-1, j).unsqueeze(-1));
    q = q.sub(w.matmul(mT(w).matmul(q)).mul(tau.select(-1, j).unsqueeze(-1).unsqueeze(-1)));
  }
  return q === v ? q.clone() : q;
}

/** Dynamic programming over the products (Cormen et al., section 15.2). */
function bestOrder(list: readonly Tensor[]): Tensor {
  const first = list[0]!, last = list[list.length - 1]!;
  const mats = list.map((t, i) =>
    i === 0 && t.sizes.length === 1
      ? t.unsqueeze(0)
      : i === list.length - 1 && t.sizes.length === 1
      ? t.unsqueeze(1)
      : t
  );
  mats.forEach((t, i) => {
    if (t.sizes.length !== 2) {
      throw new RuntimeError(`multi_dot(): tensor ${i} must be 2D but got ${shapeText(t.sizes)}`);
    }
    if (i > 0 && mats[i - 1]!.sizes[1] !== t.sizes[0]) {
      throw new RuntimeError(
        `multi_dot(): tensors ${i - 1} and ${i} with shapes ${shapeText(mats[i - 1]!.sizes)} and ${
          shapeText(t.sizes)
        } cannot be multiplied`,
      );
    }
  });
  const n = mats.length;
  const p = [mats[0]!.sizes[0]!, ...mats.map((t) => t.sizes[1]!)];
  const cost = Array.from({ length: n }, () => new Array<number>(n).fill(0));
  const split = Array.from({ length: n }, () => new Array<number>(n).fill(0));
  for (let l = 1; l < n; l++) {
    for (let i = 0; i + l < n; i++) {
      const j = i + l;
      cost[i]![j] = Infinity;
      for (let k = i; k < j; k++) {
        const q = cost[i]![k]! + cost[k + 1]![j]! + p[i]! * p[k + 1]! * p[j + 1]!;
        if (q < cost[i]![j]!) [cost[i]![j], split[i]![j]] = [q, k];
      }
    }
  }
  const multiply = (i: number, j: number): Tensor =>
    i === j ? mats[i]! : multiply(i, split[i]![j]!).mm(multiply(split[i]![j]! + 1, j));
  let out = multiply(0, n - 1);
  if (last.sizes.length === 1) out = out.squeeze(1);
  return first.sizes.length === 1 ? out.squeeze(0) : out;
}
