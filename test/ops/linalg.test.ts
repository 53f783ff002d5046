/**
 * Linear algebra: against PyTorch's recorded answers (test/fixtures/linalg.json, whose matrices come from a formula),
 * against what factorisations promise, against numerical derivatives, and the error texts.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import * as torch from "../../src/mod.ts";
import type { Tensor } from "../../src/tensor.ts";

const L = torch.linalg;
const { float32, float64 } = torch;

/** Numbers in [-1, 1), as test/fixtures/record_linalg.py makes them. */
function uniform(seed: number, count: number): number[] {
  let x = seed * 2 + 1;
  return Array.from({ length: count }, () => {
    x = x * 16807 % 2147483647;
    return x / 2147483647 * 2 - 1;
  });
}

interface Packed {
  shape: number[];
  dtype: "float32" | "float64";
  data: string;
}
interface Recorded {
  kind: string;
  m: number;
  n: number;
  seed: number;
  dtype: "float32" | "float64";
  given: Packed | null;
  svdvals: Packed;
  rank: number;
  sign?: number | null;
  ldl_pivots?: number[];
  u?: Packed;
  vh?: Packed;
  eigvalsh?: Packed;
  eigh?: Packed;
  ld?: Packed;
  exp?: Packed;
  r?: Packed;
}
const fixture = JSON.parse(
  readFileSync(new URL("../fixtures/linalg.json", import.meta.url), "utf8"),
) as { cases: Recorded[] };

function unpack(p: Packed): Tensor {
  const bytes = Uint8Array.from(atob(p.data), (c) => c.charCodeAt(0));
  return torch.frombuffer(bytes, { dtype: torch[p.dtype] }).reshape(p.shape);
}

const random = (seed: number, ...shape: number[]): Tensor =>
  torch.tensor(uniform(seed, shape.reduce((a, b) => a * b, 1)), { dtype: float64 }).reshape(shape);

const powers = (from: number, to: number, n: number): Tensor =>
  torch.tensor(
    Array.from({ length: n }, (_, i) => 10 ** (n === 1 ? from : from + (to - from) * i / (n - 1))),
    {
      dtype: float64,
    },
  );

function matrixOf(c: Recorded): Tensor {
  if (c.given !== null) return unpack(c.given);
  let a = random(c.seed, c.m, c.n);
  if (c.kind === "deficient") {
    const r = Math.ceil(Math.min(c.m, c.n) / 2);
    a = a.narrow(1, 0, r).matmul(random(c.seed + 1, r, c.n));
  }
  if (c.kind === "graded") a = a.mul(powers(0, -6, c.m).unsqueeze(1)).mul(powers(0, -3, c.n));
  if (c.kind === "tiny") a = a.mul(1e-25);
  if (c.kind === "large") a = a.mul(1e20);
  return a.to(torch[c.dtype]);
}

const eps = (t: Tensor): number => (t.dtype === float64 ? 2 ** -52 : 2 ** -23);
const size = (t: Tensor): number => (t.numel() === 0 ? 0 : Number(t.abs().max().item()));

/** Largest difference, in units of the dtype's epsilon times the size of `want`. */
function units(got: Tensor, want: Tensor): number {
  expect([...got.shape]).toEqual([...want.shape]);
  expect(got.dtype).toBe(want.dtype);
  return size(got.sub(want)) / (eps(want) * (size(want) || 1));
}

describe("recorded answers", () => {
  for (const c of fixture.cases) {
    test(`${c.kind} ${c.m} by ${c.n}, ${c.dtype}, #${c.seed}`, () => {
      const a = matrixOf(c), s = unpack(c.svdvals);
      expect(units(L.svdvals(a), s)).toBeLessThan(20);
      expect(L.matrix_rank(a).item()).toBe(c.rank);
      const [u, values, vh] = L.svd(a, { full_matrices: false });
      expect(units(values, s)).toBeLessThan(20);
      expect(units(u.mul(values).matmul(vh), a)).toBeLessThan(100);
      // Vectors are as sharp as their values lie apart; signs are LAPACK's.
      const gap = (v: Tensor): number => v.numel() < 2 ? 1 : Number(v.diff().abs().min().item()) / size(v);
      if (c.u) expect(units(u, unpack(c.u)) * gap(s)).toBeLessThan(50);
      if (c.vh) expect(units(vh, unpack(c.vh)) * gap(s)).toBeLessThan(50);
      if (c.eigvalsh) {
        const sym = a.add(a.mT), l = unpack(c.eigvalsh);
        const [values, vectors] = L.eigh(sym);
        expect(units(values, l)).toBeLessThan(20);
        expect(units(L.eigvalsh(sym), l)).toBeLessThan(20);
        if (c.eigh) {
          const want = unpack(c.eigh);
          // Of larger matrices, rounding decides about the number of steps, and so about signs.
          const signs = c.n <= 8 ? torch.ones_like(l) : vectors.mul(want).sum(0).sign();
          expect(units(vectors.mul(signs), want) * gap(l)).toBeLessThan(50);
        }
        if (c.ld) {
          const [ld, pivots] = L.ldl_factor(sym);
          expect(pivots.tolist()).toEqual(c.ldl_pivots);
          expect(units(ld, unpack(c.ld))).toBeLessThan(2000);
        }
      }
      if (typeof c.sign === "number") expect(L.slogdet(a).sign.item()).toBe(c.sign);
      if (c.exp) expect(units(torch.matrix_exp(a.mul(3)), unpack(c.exp))).toBeLessThan(500);
      if (c.r) expect(units(L.qr(a).R, unpack(c.r))).toBeLessThan(100);
    });
  }
});

describe("derivatives", () => {
  const leaf = (t: Tensor): Tensor => t.clone().detach().requires_grad_(true);
  const shapes = [[3, 3], [4, 2], [2, 4], [2, 3, 2]];
  const check = (f: (...t: Tensor[]) => Tensor | Tensor[], ...inputs: Tensor[]): void => {
    const leaves = inputs.map(leaf);
    expect(torch.autograd.gradcheck(f as never, leaves as never)).toBe(true);
    expect(torch.autograd.gradgradcheck(f as never, leaves as never)).toBe(true);
  };
  const square = (seed: number, n = 3, batch: number[] = []): Tensor =>
    random(seed, ...batch, n, n).add(torch.eye(n, { dtype: float64 }).mul(2));
  // What does not depend on signs.
  test.each(shapes.map((s) => [s]))("svd of %j", (shape) => {
    const a = random(11, ...shape);
    check((x) => {
      const [u, s, vh] = L.svd(x, { full_matrices: false });
      return [s, u.abs(), vh.mul(vh), u.mul(s.unsqueeze(-2)).matmul(vh)];
    }, a);
    check((x) => L.svdvals(x), a);
    check((x) => L.svd(x, { full_matrices: false })[0]!.abs(), a);
    check((x) => L.svd(x, { full_matrices: false })[2]!.abs(), a);
  });
  test.each(shapes.map((s) => [s]))("lu, qr and pinv of %j", (shape) => {
    const a = random(23, ...shape);
    check((x) => [...L.lu_factor(x)].slice(0, 1), a);
    check((x) => [...L.lu(x)].slice(1), a);
    check((x) => [...torch.lu_unpack(...(L.lu_factor(x) as unknown as [Tensor, Tensor]))].slice(1), a);
    check((x) => [...L.qr(x)], a);
    check((x) => L.pinv(x), a);
    for (const ord of ["fro", "nuc", 2, -2, 1, -1, Infinity, -Infinity] as const) {
      check((x) => L.matrix_norm(x, ord as never), a);
    }
  });
  test("symmetric", () => {
    const sym = (x: Tensor): Tensor => x.add(x.mT);
    for (const a of [random(5, 4, 4), random(6, 2, 3, 3)]) {
      check((x) => {
        const [l, v] = L.eigh(sym(x));
        return [l, v.abs()];
      }, a);
      check((x) => L.eigvalsh(sym(x)), a);
      check((x) => L.pinv(sym(x), { hermitian: true }), a);
      check((x) => L.cholesky(x.matmul(x.mT).add(torch.eye(a.shape.at(-1)!, { dtype: float64 }))), a);
    }
  });
  test("general eigenvalues", () => {
    // One with a complex pair, one that is symmetric, and both as a batch.
    const a = random(91, 4, 4), b = a.add(a.mT);
    for (const x of [a, b, torch.stack([a, b])]) {
      check((t) => {
        const [l, v] = L.eig(t);
        return [torch.real(l), torch.imag(l).pow(2), torch.real(v).pow(2).add(torch.imag(v).pow(2))];
      }, x);
      check((t) => torch.real(L.eigvals(t)).pow(3), x);
    }
    expect(() => torch.real(L.eig(leaf(a)).eigenvectors).sum().backward()).toThrow(
      "The specified loss function depends on this quantity, so it is ill-defined.",
    );
  });
  test("systems", () => {
    for (const batch of [[], [2]]) {
      const a = square(31, 3, batch), b = random(32, ...batch, 3, 2), c = random(33, ...batch, 2, 3);
      check((x, y) => L.solve(x, y), a, b);
      check((x, y) => L.solve(x, y, { left: false }), a, c);
      check((x, y) => L.solve(x, y), a, random(34, ...batch, 3));
      check((x) => L.inv(x), a);
      check((x) => L.det(x), a);
      check((x) => L.slogdet(x)[1]!, a);
      check((x) => L.matrix_power(x, -3), a);
      check((x) => torch.matrix_exp(x), a);
      check((x) => L.cond(x), a);
      check((x) => L.cond(x, 1), a);
      check((x, y) => L.lstsq(x, y).solution, random(35, ...batch, 4, 3), random(36, ...batch, 4, 2));
      check((x, y) => L.solve_triangular(x, y, { upper: true }), a, b);
      check((x, y) => L.solve_triangular(x, y, { upper: false, left: false, unitriangular: true }), a, c);
      check((x, y) => torch.cholesky_solve(y, x.tril()), a, b);
      check((x) => torch.cholesky_inverse(x.tril()), a);
      for (const [left, adjoint] of [[true, true], [true, false], [false, true], [false, false]] as const) {
        check(
          (x, y) => L.lu_solve(...(L.lu_factor(x) as unknown as [Tensor, Tensor]), y, { left, adjoint }),
          a,
          left ? b : c,
        );
      }
      check((x, y) => L.householder_product(x, y), random(37, ...batch, 4, 2), random(38, ...batch, 2));
    }
    check((x) => L.tensorinv(x, 1), square(41, 4).reshape([4, 2, 2]));
    check((x, y) => L.tensorsolve(x, y), square(42, 4).reshape([2, 2, 4]), random(43, 2, 2));
    check((x, y, z) => L.multi_dot([x, y, z]), random(44, 2), random(45, 2, 3), random(46, 3, 2));
    check((x) => L.vander(x), random(47, 3));
  });
  test("the determinant of singular matrices", () => {
    const a = random(51, 4, 2).matmul(random(52, 2, 4)); // rank 2: no cofactor
    const b = random(53, 4, 3).matmul(random(54, 3, 4)); // rank 3: cofactors of rank 1
    for (const x of [a, b, torch.stack([a, b, square(55, 4)])]) {
      const t = leaf(x);
      L.det(t).sum().backward();
      const h = 1e-6, numeric = torch.zeros_like(x);
      const flat = x.reshape([-1]), out = numeric.view([-1]);
      for (let i = 0; i < flat.numel(); i++) {
        const step = torch.zeros_like(flat);
        step.select(0, i).fill_(h);
        const at = (y: Tensor): Tensor => L.det(y.reshape([...x.shape])).sum();
        out.select(0, i).copy_(at(flat.add(step)).sub(at(flat.sub(step))).div(2 * h));
      }
      expect(size(t.grad!.sub(numeric))).toBeLessThan(1e-8);
    }
    check((x) => L.det(x), b);
  });
  test("singular values alone do not divide by gaps", () => {
    const t = leaf(torch.eye(3, { dtype: float64 }));
    L.svd(t).S.sum().backward();
    expect(t.grad!.tolist()).toEqual([[1, 0, 0], [0, 1, 0], [0, 0, 1]]);
    const u = leaf(torch.eye(2, { dtype: float64 }));
    L.eigh(u).eigenvalues.sum().backward();
    expect(u.grad!.tolist()).toEqual([[1, 0], [0, 1]]);
  });
});

describe("least squares", () => {
  const drivers = ["gels", "gelsy", "gelsd", "gelss"] as const;
  test.each(drivers)("%s solves tall, square and wide systems", (driver) => {
    for (const [m, n] of [[7, 3], [5, 5], [3, 7]] as const) {
      const a = random(61, 2, m, n), b = random(62, 2, m, 2);
      const out = L.lstsq(a, b, { driver });
      expect(size(out.solution.sub(L.pinv(a).matmul(b)))).toBeLessThan(1e-12);
      expect([...out.rank.shape]).toEqual(driver === "gels" ? [0] : [2]);
      expect([...out.residuals.shape]).toEqual(m > n && driver !== "gelsy" ? [2, 2] : [0]);
      if (m > n && driver !== "gelsy") {
        const rest = a.matmul(out.solution).sub(b);
        expect(size(out.residuals.sub(rest.mul(rest).sum(-2)))).toBeLessThan(1e-14);
      }
    }
  });
  test.each(drivers.slice(1))("%s gives the shortest solution where rank is lacking", (driver) => {
    for (const [m, n] of [[7, 5], [5, 7], [6, 6]] as const) {
      const a = random(63, m, 3).matmul(random(64, 3, n)), b = random(65, m, 2);
      const out = L.lstsq(a, b, { driver });
      expect(out.rank.item()).toBe(3);
      expect(size(out.solution.sub(L.pinv(a).matmul(b)))).toBeLessThan(1e-11);
    }
  });
});

describe("shapes at the edge", () => {
  test("no rows, no columns, no matrices", () => {
    const shape = (t: Tensor): number[] => [...t.shape];
    for (const [m, n] of [[0, 0], [3, 0], [0, 3]] as const) {
      const a = torch.zeros([2, m, n]);
      const [u, s, vh] = L.svd(a);
      expect([u, s, vh].map(shape)).toEqual([[2, m, m], [2, 0], [2, n, n]]);
      expect(u.sum().item()).toBe(2 * m);
      expect(shape(L.pinv(a))).toEqual([2, n, m]);
      expect(L.matrix_rank(a).tolist()).toEqual([0, 0]);
      const [p, l, up] = L.lu(a);
      expect([p, l, up].map(shape)).toEqual([[2, m, m], [2, m, 0], [2, 0, n]]);
      expect(shape(L.qr(a, "complete").Q)).toEqual([2, m, m]);
      expect(shape(L.lstsq(a, torch.zeros([2, m, 4])).solution)).toEqual([2, n, 4]);
    }
    const none = torch.zeros([0, 3, 3]);
    expect(shape(L.eigh(none).eigenvectors)).toEqual([0, 3, 3]);
    expect(shape(L.inv(none))).toEqual([0, 3, 3]);
    expect(shape(L.svdvals(none))).toEqual([0, 3]);
    expect(L.det(torch.zeros([0, 0])).item()).toBe(1);
    expect(shape(torch.matrix_exp(none))).toEqual([0, 3, 3]);
  });
  test("triangles of views are read where they lie", () => {
    const a = random(71, 2, 40, 40).add(torch.eye(40, { dtype: float64 }).mul(9)), b = random(72, 2, 40, 3);
    for (const upper of [true, false]) {
      for (const t of [a, a.mT, a.flip([0]), a.mT.clone().mT]) {
        const x = L.solve_triangular(t, b, { upper });
        expect(size((upper ? t.triu() : t.tril()).matmul(x).sub(b))).toBeLessThan(1e-13);
        const y = L.solve_triangular(t, b.mT, { upper, left: false });
        expect(size(y.matmul(upper ? t.triu() : t.tril()).sub(b.mT))).toBeLessThan(1e-13);
      }
    }
  });
});

const v = torch.zeros([3]), m = torch.zeros([3, 4]), Z = torch.zeros([3, 3]), Zb = torch.zeros([2, 3, 3]);
const pivots = torch.ones([3], { dtype: torch.int32 });
// The sentences of PyTorch 1.13.
const errors: [string, () => unknown, string][] = [
  ["svd", () => L.svd(v), "linalg.svd: The input tensor A must have at least 2 dimensions."],
  [
    "svd of NaN",
    () => L.svd(Z.add(NaN)),
    "linalg.svd: The algorithm failed to converge because the input matrix contained non-finite values.",
  ],
  [
    "svd driver",
    () => L.svd(Z, { driver: "gesvd" }),
    "torch.linalg.svd: keyword argument `driver=` is only supported on CUDA inputs with cuSOLVER backend.",
  ],
  ["eigh UPLO", () => L.eigh(Z, "X"), "Expected UPLO argument to be 'L' or 'U', but got X"],
  [
    "eigh of NaN",
    () => L.eigh(Z.add(NaN)),
    "linalg.eigh: The algorithm failed to converge because the input matrix is ill-conditioned or has too many repeated eigenvalues (error code: 2).",
  ],
  [
    "eigh",
    () => L.eigh(m),
    "linalg.eigh: A must be batches of square matrices, but they are 3 by 4 matrices",
  ],
  [
    "inv",
    () => L.inv(Zb),
    "linalg.inv: (Batch element 0): The diagonal element 1 is zero, the inversion could not be completed because the input matrix is singular.",
  ],
  [
    "inv of half",
    () => L.inv(Z.half()),
    "linalg.inv: Low precision dtypes not supported. Got Half",
  ],
  [
    "solve",
    () => L.solve(Z, v),
    "torch.linalg.solve: The solver failed because the input matrix is singular.",
  ],
  [
    "solve shapes",
    () => L.solve(torch.eye(3), torch.zeros([2, 4]), { left: false }),
    "linalg.solve: Incompatible shapes of A and B for the equation XA = B (3x3 and 2x4)",
  ],
  [
    "lu_factor",
    () => L.lu_factor(Zb),
    "torch.linalg.lu_factor: (Batch element 0): U[1,1] is zero and using it on lu_solve would result in a division by zero. If you still want to perform the factorization, consider calling linalg.lu(A, pivot) or linalg.lu_factor_ex(A, pivot)",
  ],
  ["lu", () => L.lu(v), "linalg.lu: Expected tensor with 2 or more dimensions. Got size: [3] instead"],
  [
    "lu pivot",
    () => L.lu(Z, { pivot: false }),
    "linalg.lu_factor: LU without pivoting is not implemented on the CPU",
  ],
  [
    "lu_solve pivots",
    () => L.lu_solve(Z, pivots.long(), Z),
    "linalg.lu_solve: pivots should be a Tensor of scalar type torch.int32",
  ],
  [
    "lu_unpack",
    () => torch.lu_unpack(Z, pivots.sub(1)),
    "pivots passed to lu_unpack must be between 1 and LU.size(-2) inclusive.Did you properly pass the result of lu_factor?",
  ],
  [
    "cholesky",
    () => L.cholesky(Z),
    "linalg.cholesky: The factorization could not be completed because the input is not positive-definite (the leading minor of order 1 is not positive-definite).",
  ],
  [
    "cholesky_solve",
    () => torch.cholesky_solve(torch.zeros([3, 2]), torch.zeros([4, 4])),
    "Incompatible matrix sizes for cholesky_solve: each A matrix is 4 by 4 but each b matrix is 3 by 2",
  ],
  [
    "lstsq driver",
    () => L.lstsq(Z, Z, { driver: "foo" }),
    "torch.linalg.lstsq: parameter `driver` should be one of (gels, gelsy, gelsd, gelss)",
  ],
  [
    "lstsq",
    () => L.lstsq(torch.zeros([5, 3]), torch.zeros([4, 2])),
    "torch.linalg.lstsq: input.size(-2) should match other.size(-2)",
  ],
  [
    "ldl_solve",
    () => L.ldl_solve(Z, pivots.slice(0, 0, 2), Z),
    "torch.linalg.ldl_solve: Expected LD.shape[:-1] and pivots.shape to be the same, but got pivots with shape [2] instead",
  ],
  [
    "ormqr",
    () => torch.ormqr(torch.zeros([4, 3]), v, torch.zeros([5, 2])),
    "torch.ormqr: other.shape[-2] must be equal to input.shape[-2]",
  ],
  [
    "householder_product",
    () => L.householder_product(m, v),
    "torch.linalg.householder_product: input.shape[-2] must be greater than or equal to input.shape[-1]",
  ],
  [
    "pinv",
    () => L.pinv(v),
    "linalg.pinv(Float{[3]}): expected a tensor with 2 or more dimensions of float, double, cfloat or cdouble types",
  ],
  ["matrix_norm", () => L.matrix_norm(Z, 3), "linalg.matrix_norm: Order 3 not supported."],
  [
    "matrix_norm dims",
    () => L.matrix_norm(Zb, "fro", [1, 1]),
    "linalg.matrix_norm: dims must be different. Got (1, 1)",
  ],
  [
    "empty 2-norm",
    () => L.matrix_norm(torch.zeros([0, 3]), 2),
    "amax(): Expected reduction dim -1 to have non-zero size.",
  ],
  [
    "norm",
    () => L.norm(Zb, 2),
    "linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got 3D.",
  ],
  ["cond", () => L.cond(Z, "foo"), "linalg.cond got an invalid norm type: foo"],
  [
    "multi_dot",
    () => L.multi_dot([m, m]),
    "multi_dot(): tensors 0 and 1 with shapes [3, 4] and [3, 4] cannot be multiplied",
  ],
  ["vander", () => L.vander(v, { N: 1 }), "N must be greater than 1."],
  [
    "tensorinv",
    () => L.tensorinv(torch.zeros([2, 2]), 1),
    "inv: The diagonal element 1 is zero, the inversion could not be completed because the input matrix is singular.",
  ],
  [
    "pca_lowrank",
    () => torch.pca_lowrank(torch.zeros([10, 8]), { q: 20 }),
    "q(=20) must be non-negative integer and not greater than min(m, n)=8",
  ],
];

test.each(errors)("%s fails in PyTorch's words", (_, f, text) => {
  let got = "";
  try {
    f();
  } catch (e) {
    got = (e as Error).message;
  }
  expect(got).toBe(text);
});

test("general eigenvalues", () => {
  for (const dtype of [float32, float64]) {
    for (const n of [1, 2, 3, 7, 30]) {
      const a = random(n + 100, 2, n, n).to(dtype);
      const [l, v] = L.eig(a);
      const left = a.to(v.dtype).matmul(v), right = v.mul(l.unsqueeze(-2));
      expect(size(left.sub(right).abs())).toBeLessThan(100 * n * eps(a));
      expect(size(torch.real(L.eigvals(a).sum(-1)).sub(a.diagonal(0, -2, -1).sum(-1)))).toBeLessThan(
        100 * n * eps(a),
      );
    }
  }
  // A turn by 90 degrees: LAPACK puts the eigenvalue with the positive imaginary part first.
  const [l, v] = L.eig(torch.tensor([[0, -1], [1, 0]], { dtype: float64 }));
  expect([torch.real(l).tolist(), torch.imag(l).tolist()]).toEqual([[0, 0], [1, -1]]);
  expect(size(torch.imag(v).select(0, 0))).toBe(0);
  expect(() => L.eig(torch.full([2, 2], Infinity))).toThrow(
    "torch.linalg.eig: input tensor should not contain infs or NaNs.",
  );
  expect(() => L.eigvals(torch.ones([2, 3]))).toThrow(
    "linalg.eigvals: A must be batches of square matrices, but they are 2 by 3 matrices",
  );
});

test("low rank", () => {
  const a = random(81, 30, 4).matmul(random(82, 4, 20)).to(float32);
  for (const x of [a, a.mT, a.expand([2, 30, 20])]) {
    const [u, s, vv] = torch.svd_lowrank(x, { q: 6 }) as unknown as [Tensor, Tensor, Tensor];
    expect(size(u.mul(s.unsqueeze(-2)).matmul(vv.mT).sub(x))).toBeLessThan(1e-4);
  }
  const [, s] = torch.pca_lowrank(a, { q: 4 }) as unknown as [Tensor, Tensor];
  expect(size(s.sub(L.svdvals(a.sub(a.mean([0], true))).narrow(0, 0, 4)))).toBeLessThan(1e-4);
});
