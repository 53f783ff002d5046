/**
 * Singular values and what is defined by them: pseudo-inverse, rank, condition number.
 *
 * @see https://pytorch.org/docs/1.13/generated/torch.linalg.svd.html
 * @module
 */
import { needsGrad } from "../../autograd/graph.ts";
import { mode } from "../../autograd/grad_mode.ts";
import { int64, Kind } from "../../base/dtype.ts";
import { RuntimeError } from "../../base/errors.ts";
import { isScalar, type Scalar, toNumber } from "../../base/scalar.ts";
import { shapeText } from "../../base/size.ts";
import { fn } from "../../dispatch/functions.ts";
import { kernel } from "../../dispatch/launch.ts";
import { type Ctx, op, type Table } from "../../dispatch/op.ts";
import type { Tensor } from "../../tensor.ts";
import {
  batchOf,
  checkFloating,
  checkKernel,
  checkMatrix,
  checkSquare,
  composite,
  emptyLike,
  epsilonOf,
  eyeLike,
  infoOf,
  launch,
  mT,
  shapeOf,
  throwOnInfo,
  workCopy,
} from "./common.ts";

const SVD = kernel("tc_svd");

/** How core/include/tc_linalg.h calls which vectors are wanted. */
const VALUES = 0, REDUCED = 1, FULL = 2;

function checkDriver(driver: string | null): void {
  if (driver !== null) {
    throw new RuntimeError(
      "torch.linalg.svd: keyword argument `driver=` is only supported on CUDA inputs with cuSOLVER backend.",
    );
  }
}

function svd(a: Tensor, full: boolean, vectors: boolean, driver: string | null): [Tensor, Tensor, Tensor] {
  checkMatrix("linalg.svd", a);
  checkFloating("linalg.svd", a);
  checkDriver(driver);
  checkKernel("linalg_svd_cpu", a);
  const [m, n] = shapeOf(a), k = Math.min(m, n), batch = batchOf(a);
  const s = emptyLike(a, [...batch, k]);
  const u = emptyLike(a, vectors ? [...batch, m, full ? m : k] : [0]);
  const vh = emptyLike(a, vectors ? [...batch, full ? n : k, n] : [0]);
  if (k === 0) {
    // No values: any basis will do.
    for (const t of [u, vh]) if (t.count > 0) t.copy_(eyeLike(a, t.sizes.at(-1)!).expand(t.sizes));
    return [u, s, vh];
  }
  const info = infoOf(a);
  launch(SVD, workCopy(a), {
    values: s,
    b: vectors ? u : null,
    c: vectors ? vh : null,
    info,
    job: !vectors ? VALUES : full ? FULL : REDUCED,
  });
  throwOnInfo("linalg.svd", info);
  return [u, s, vh];
}

/**
 * gA = U (((skew(U^T gU) S + S skew(V^T gV)) / E) + diag(gS)) V^T, where E = s_j^2 - s_i^2, and what gU and gV have
 * outside of the spans of U and V (PyTorch's svd_backward).
 */
function svdBackward(c: Ctx): Tensor {
  const k: number = c.result1.sizes.at(-1);
  const u: Tensor = c.result0.narrow(-1, 0, k),
    s: Tensor = c.result1,
    vh: Tensor = c.result2.narrow(-2, 0, k);
  const m = u.sizes.at(-2)!, n = vh.sizes.at(-1)!;
  const [hasU, hasS, hasV] = c.given as [boolean, boolean, boolean];
  const gs: Tensor = c.grads[1]!;
  if (!hasU && !hasV) {
    return m >= n ? u.matmul(gs.unsqueeze(-1).mul(vh)) : u.mul(gs.unsqueeze(-2)).matmul(vh);
  }
  const gu = hasU ? c.grads[0]!.narrow(-1, 0, k) : null, gv = hasV ? c.grads[2]!.narrow(-2, 0, k) : null;
  const skew = (t: Tensor): Tensor => t.sub(mT(t));
  const rows = s.unsqueeze(-1), columns = s.unsqueeze(-2);
  const squares = s.mul(s);
  const e = squares.unsqueeze(-2).sub(squares.unsqueeze(-1)).add(eyeLike(s, k));
  const ofU = gu === null ? null : skew(mT(u).matmul(gu)).mul(columns);
  const ofV = gv === null ? null : rows.mul(skew(vh.matmul(mT(gv))));
  let inner = (ofU === null ? ofV! : ofV === null ? ofU : ofU.add(ofV)).div(e);
  if (hasS) inner = inner.add(gs.diag_embed());
  let left = u.matmul(inner);
  if (gu !== null && m > k) {
    const scaled = gu.div(columns);
    left = left.add(scaled.sub(u.matmul(mT(u).matmul(scaled))));
  }
  let out = left.matmul(vh);
  if (gv !== null && n > k) {
    const scaled = gv.div(rows);
    out = out.add(u.matmul(scaled.sub(scaled.matmul(mT(vh)).matmul(vh))));
  }
  return out;
}

/** Singular values alone; with vectors too where the derivative will want them. */
function valuesOf(a: Tensor, driver: string | null = null): Tensor {
  const vectors = mode.grad && needsGrad(a);
  return (fn._linalg_svd!(a, false, vectors, { driver }) as unknown as Tensor[])[1]!;
}

/** What counts as zero, for each matrix: max(atol, rtol * the largest value), with PyTorch's defaults. */
function tolerance(
  a: Tensor,
  atol: Tensor | Scalar | null,
  rtol: Tensor | Scalar | null,
  largest: Tensor,
): Tensor {
  const like = largest.squeeze(-1);
  const tensor = (x: Tensor | Scalar): Tensor => isScalar(x) ? like.new_full([], toNumber(x)) : x;
  const absolute = atol === null ? like.new_zeros([]) : tensor(atol);
  const standard = like.new_full([], epsilonOf(a) * Math.max(...shapeOf(a)));
  const relative = rtol !== null
    ? tensor(rtol)
    : atol === null
    ? standard
    : absolute.new_zeros([]).where(absolute.gt(0), standard);
  return absolute.unsqueeze(-1).maximum(relative.unsqueeze(-1).mul(largest));
}

function checkTolerances(name: string, ...list: (Tensor | Scalar | null)[]): void {
  for (const t of list) {
    if (t !== null && !isScalar(t) && t.dtype.is_complex) {
      throw new RuntimeError(`${name} tensor of complex type is not supported.`);
    }
  }
}

function pinv(
  a: Tensor,
  rcond: Tensor | Scalar | null,
  hermitian: boolean,
  atol: Tensor | Scalar | null,
  rtol: Tensor | Scalar | null,
): Tensor {
  if (a.sizes.length < 2 || a.dtype.kind < Kind.float || a.dtype.itemsize < 4) {
    throw new RuntimeError(
      `linalg.pinv(${a.dtype.scalarName}{${
        shapeText(a.sizes)
      }}): expected a tensor with 2 or more dimensions of float, double, cfloat or cdouble types`,
    );
  }
  checkTolerances("torch.linalg.pinv:", rcond, atol, rtol);
  const relative = rtol ?? rcond;
  const [m, n] = shapeOf(a);
  if (a.count === 0) return emptyLike(a, [...batchOf(a), n, m]);
  if (hermitian) {
    const [values, v] = fn.linalg_eigh!(a) as unknown as [Tensor, Tensor];
    const sizes = values.abs();
    const limit = tolerance(a, atol, relative, sizes.amax([-1], true));
    return v.mul(invertAbove(values, sizes, limit).unsqueeze(-2)).matmul(mT(v));
  }
  const [u, s, vh] = fn.linalg_svd!(a, { full_matrices: false }) as unknown as [Tensor, Tensor, Tensor];
  const limit = tolerance(a, atol, relative, s.narrow(-1, 0, 1));
  return mT(vh).mul(invertAbove(s, s, limit).unsqueeze(-2)).matmul(mT(u));
}

function invertAbove(values: Tensor, sizes: Tensor, limit: Tensor): Tensor {
  return values.reciprocal().where(sizes.gt(limit), values.new_zeros([]));
}

/** Golub and Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares problems", 1973. */
export function pinvBackward(grad: Tensor, p: Tensor, a: Tensor): Tensor {
  const [m, n] = shapeOf(a), pt = mT(p), gt = mT(grad);
  if (m <= n) {
    const k = gt.matmul(p), kpt = k.matmul(pt);
    return mT(p.matmul(k)).neg().add(kpt).sub(a.matmul(p).matmul(kpt)).add(
      pt.matmul(p).matmul(gt.sub(k.matmul(a))),
    );
  }
  const k = p.matmul(gt), ptk = pt.matmul(k);
  return mT(k.matmul(p)).neg().add(gt.sub(a.matmul(k)).matmul(p).matmul(pt)).add(ptk).sub(
    ptk.matmul(p).matmul(a),
  );
}

function matrixRank(
  a: Tensor,
  tol: Tensor | Scalar | null,
  hermitian: boolean,
  atol: Tensor | Scalar | null,
  rtol: Tensor | Scalar | null,
): Tensor {
  checkMatrix("torch.linalg.matrix_rank", a, "input");
  if (a.dtype.kind < Kind.float || a.dtype.itemsize < 4) {
    throw new RuntimeError("This function doesn't handle types other than float and double");
  }
  checkTolerances("torch.linalg.matrix_rank:", tol, atol, rtol);
  if (a.count === 0) return emptyLike(a, batchOf(a), int64).zero_();
  const absolute = tol ?? atol, relative = tol === null ? rtol : 0;
  const x = a.detach();
  const s = hermitian ? (fn.linalg_eigvalsh!(x) as Tensor).abs() : valuesOf(x);
  return s.gt(tolerance(x, absolute, relative, s.amax([-1], true))).sum(-1);
}

function cond(a: Tensor, p: Scalar | string | null): Tensor {
  if (a.sizes.length < 2) {
    throw new RuntimeError("linalg.cond: The input tensor must have at least 2 dimensions.");
  }
  const order = p === null ? 2 : typeof p === "string" ? p : toNumber(p);
  if (order === 2 || order === -2) {
    if (a.count === 0) return a.new_zeros(batchOf(a));
    const s = fn.linalg_svdvals!(a) as Tensor;
    const first = s.select(-1, 0), last = s.select(-1, -1);
    return order === 2 ? first.div(last) : last.div(first);
  }
  const known = typeof order === "string" ? order === "fro" || order === "nuc" : Math.abs(order) === 1 ||
    Math.abs(order) === Infinity;
  if (!known) throw new RuntimeError(`linalg.cond got an invalid norm type: ${order}`);
  const shown = typeof order === "string" ? order : String(order).replace("Infinity", "inf");
  checkSquare(`linalg.cond(ord=${shown})`, a);
  if (a.count === 0) return a.new_zeros(batchOf(a));
  if (order === "nuc") {
    // Norms of the values themselves, so that singular matrices give infinity.
    const s = fn.linalg_svdvals!(a) as Tensor;
    return s.sum(-1).mul(s.reciprocal().sum(-1));
  }
  const norm = (t: Tensor): Tensor => fn.linalg_matrix_norm!(t, order) as Tensor;
  const [inverse, info] = fn.linalg_inv_ex!(a) as unknown as [Tensor, Tensor];
  const singular = info.ne(0).unsqueeze(-1).unsqueeze(-1);
  // Zero times infinity: as NumPy does, infinity.
  return norm(a).mul(norm(inverse.masked_fill(singular, Infinity))).nan_to_num(Infinity, Infinity, -Infinity);
}

export const svds: Table = {
  _linalg_svd: [op({
    schema:
      "_linalg_svd(Tensor A, bool full_matrices=False, bool compute_uv=True, *, str? driver=None) -> (Tensor U, Tensor S, Tensor Vh)",
    impl: svd,
    only: "hidden",
    node: "LinalgSvdBackward0",
    saves: ["result0", "result1", "result2"],
    derivative: { A: svdBackward },
    doc: "Singular value decomposition.",
  })],
  linalg_svd: [composite(
    "linalg_svd(Tensor A, bool full_matrices=True, *, str? driver=None) -> (Tensor U, Tensor S, Tensor Vh)",
    (a: Tensor, full: boolean, driver: string | null) => [
      ...fn._linalg_svd!(a, full, true, { driver }) as unknown as Tensor[],
    ],
    "Singular value decomposition A = U diag(S) Vh.",
  )],
  linalg_svdvals: [composite(
    "linalg_svdvals(Tensor A, *, str? driver=None) -> Tensor",
    (a: Tensor, driver: string | null) => valuesOf(a, driver),
    "Singular values, in decreasing order.",
  )],
  svd: [composite(
    "svd(Tensor self, bool some=True, bool compute_uv=True) -> (Tensor U, Tensor S, Tensor V)",
    (self: Tensor, some: boolean, vectors: boolean) => {
      if (self.sizes.length < 2) {
        throw new RuntimeError(
          `linalg.svd: input should have at least 2 dimensions, but has ${self.sizes.length} dimensions instead`,
        );
      }
      if (vectors) {
        const [u, s, vh] = fn._linalg_svd!(self, !some, true) as unknown as [Tensor, Tensor, Tensor];
        return [u, s, mT(vh)];
      }
      const [m, n] = shapeOf(self), batch = batchOf(self);
      return [self.new_zeros([...batch, m, m]), valuesOf(self), self.new_zeros([...batch, n, n])];
    },
    "Singular value decomposition A = U diag(S) V^T; deprecated, see `linalg.svd`.",
    "both",
  )],
  linalg_pinv: [op({
    schema:
      "linalg_pinv(Tensor self, Operand? rcond=None, bool hermitian=False, *, Operand? atol=None, Operand? rtol=None) -> Tensor",
    impl: pinv,
    only: "function",
    saves: ["self", "result"],
    derivative: {
      self: (c) => pinvBackward(c.grad, c.result, c.self),
      "rcond, atol, rtol": "nonDifferentiable",
    },
    doc: "The pseudo-inverse of Moore and Penrose.",
  })],
  pinverse: [composite(
    "pinverse(Tensor self, float rcond=1e-15) -> Tensor",
    (self: Tensor, rcond: number) => fn.linalg_pinv!(self, rcond),
    "The pseudo-inverse of Moore and Penrose.",
    "both",
  )],
  linalg_matrix_rank: [composite(
    "linalg_matrix_rank(Tensor self, Operand? tol=None, bool hermitian=False, *, Operand? atol=None, Operand? rtol=None) -> Tensor",
    matrixRank,
    "How many singular values are above a tolerance.",
  )],
  linalg_cond: [composite(
    "linalg_cond(Tensor self, Any p=None) -> Tensor",
    cond,
    "The condition number in a matrix norm.",
  )],
};
