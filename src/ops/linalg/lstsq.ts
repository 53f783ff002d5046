/**
 * Least squares by LAPACK's four methods: `gels` (QR or LQ, full rank), `gelsy` (QR with column pivoting), `gelsd` and
 * `gelss` (singular values).
 *
 * @see https://pytorch.org/docs/1.13/generated/torch.linalg.lstsq.html
 * @module
 */
import { float32, float64, int64 } from "../../base/dtype.ts";
import { RuntimeError } from "../../base/errors.ts";
import { fn } from "../../dispatch/functions.ts";
import { kernel } from "../../dispatch/launch.ts";
import { type Ctx, op, type Table } from "../../dispatch/op.ts";
import type { Tensor } from "../../tensor.ts";
import {
  batchOf,
  broadcastBatch,
  emptyLike,
  epsilonOf,
  isVectorCase,
  launch,
  mT,
  shapeOf,
  throwOnInfo,
  workCopy,
} from "./common.ts";
import { applyQ, geqrf } from "./qr.ts";
import { pinvBackward } from "./svd.ts";

const GELSY = kernel("tc_gelsy");

const NAME = "torch.linalg.lstsq";
const DRIVERS = ["gels", "gelsy", "gelsd", "gelss"];

function check(a: Tensor, b: Tensor, driver: string): void {
  if (a.sizes.length < 2) throw new RuntimeError(`${NAME}: input must have at least 2 dimensions.`);
  if (b.sizes.length < 1) throw new RuntimeError(`${NAME}: other must have at least 1 dimension.`);
  if (a.dtype !== b.dtype) {
    throw new RuntimeError(
      `${NAME}: Expected input and other to have the same dtype, but got input's dtype ${a.dtype.scalarName} and other's dtype ${b.dtype.scalarName}`,
    );
  }
  const vector = isVectorCase(a, b);
  if (a.sizes.at(-2) !== (vector ? b.sizes.at(-1) : b.sizes.at(-2))) {
    throw new RuntimeError(
      vector
        ? `${NAME}: input.size(-2) should match other.size(-1)`
        : `${NAME}: input.size(-2) should match other.size(-2)`,
    );
  }
  if (!DRIVERS.includes(driver)) {
    throw new RuntimeError(`${NAME}: parameter \`driver\` should be one of (gels, gelsy, gelsd, gelss)`);
  }
  if (a.dtype !== float32 && a.dtype !== float64) {
    throw new RuntimeError("This function doesn't handle types other than float and double");
  }
}

/** By QR; a wide matrix by that of its transpose: the shortest solution is X = Q R^-T B. */
function gels(a: Tensor, b: Tensor): Tensor {
  const [m, n] = shapeOf(a), k = Math.min(m, n);
  const wide = m < n;
  const [f, tau] = geqrf(wide ? mT(a) : a);
  const r = f.narrow(-2, 0, k);
  const zero = r.diagonal(0, -2, -1).eq(0);
  // A matrix of zeros has the solution 0, as in LAPACK; another one without full rank has none here.
  const blank = a.eq(0).flatten(-2).all(-1);
  const first = zero.long().argmax(-1).add(1).masked_fill(zero.any(-1).logical_not(), 0);
  throwOnInfo(NAME, first.masked_fill(blank, 0));
  if (!wide) {
    const qb = applyQ(f, tau, workCopy(b), true);
    const x = fn.linalg_solve_triangular!(r, qb.narrow(-2, 0, n), { upper: true }) as Tensor;
    return x.masked_fill(blank.unsqueeze(-1).unsqueeze(-1), 0);
  }
  const y = fn.linalg_solve_triangular!(mT(r), b, { upper: false }) as Tensor;
  const x = y.new_zeros([...batchOf(b), n, b.sizes.at(-1)!]);
  x.narrow(-2, 0, k).copy_(y.masked_fill(blank.unsqueeze(-1).unsqueeze(-1), 0));
  return applyQ(f, tau, x, false);
}

function gelsy(a: Tensor, b: Tensor, rcond: number): [Tensor, Tensor] {
  const [m, n] = shapeOf(a), k = b.sizes.at(-1)!;
  const x = b.new_zeros([...batchOf(b), Math.max(m, n), k]);
  x.narrow(-2, 0, m).copy_(b);
  const rank = emptyLike(a, batchOf(a), int64).zero_();
  launch(GELSY, workCopy(a), { b: x, k, rank, tolerance: rcond });
  return [x.narrow(-2, 0, n), rank];
}

function bySingularValues(a: Tensor, b: Tensor, rcond: number): [Tensor, Tensor, Tensor] {
  const [u, s, vh] = fn.linalg_svd!(a, { full_matrices: false }) as unknown as [Tensor, Tensor, Tensor];
  const large = s.gt(s.narrow(-1, 0, 1).mul(rcond));
  const inverse = s.reciprocal().where(large, s.new_zeros([]));
  return [mT(vh).matmul(mT(u).matmul(b).mul(inverse.unsqueeze(-1))), large.sum(-1), s];
}

function lstsq(self: Tensor, other: Tensor, rcond: number | null, driver: string | null): Tensor[] {
  const how = driver ?? "gelsy";
  check(self, other, how);
  const vector = isVectorCase(self, other);
  const [a, b] = broadcastBatch(self, vector ? other.unsqueeze(-1) : other);
  const [m, n] = shapeOf(a), k = b.sizes.at(-1)!, batch = batchOf(a);
  const none = (dtype = a.dtype): Tensor => emptyLike(a, [0], dtype);
  let x: Tensor, rank = none(int64), values = none();
  const limit = rcond ?? epsilonOf(a) * Math.max(m, n);
  if (a.count === 0) {
    x = b.new_zeros([...batch, n, k]);
    if (how !== "gels") rank = emptyLike(a, batch, int64).zero_();
    if (how === "gelsd" || how === "gelss") values = emptyLike(a, [...batch, Math.min(m, n)]);
  } else if (how === "gels") {
    x = gels(a, b);
  } else if (how === "gelsy") {
    [x, rank] = gelsy(a, b, limit);
  } else {
    [x, rank, values] = bySingularValues(a, b, limit);
  }
  let residuals = none();
  if (m > n && how !== "gelsy" && (how === "gels" || Boolean(rank.eq(n).all().item()))) {
    const rest = b.sub(a.matmul(x));
    residuals = rest.mul(rest).sum(-2);
  }
  return [vector ? x.squeeze(-1) : x, residuals, rank, values];
}

/** Through the pseudo-inverse: X = A^+ B. */
function lstsqBackward(c: Ctx): (Tensor | null)[] {
  const vector = isVectorCase(c.self, c.b);
  const grad: Tensor = vector ? c.grads[0]!.unsqueeze(-1) : c.grads[0]!;
  const b: Tensor = vector ? c.b.unsqueeze(-1) : c.b;
  const inverse = fn.linalg_pinv!(c.self) as Tensor;
  const gb = c.needs("b") ? mT(inverse).matmul(grad) : null;
  return [
    c.needs("self") ? pinvBackward(grad.matmul(mT(b)), inverse, c.self) : null,
    gb !== null && vector ? gb.squeeze(-1) : gb,
  ];
}

export const leastSquares: Table = {
  linalg_lstsq: [op({
    schema:
      "linalg_lstsq(Tensor self, Tensor b, float? rcond=None, *, str? driver=None) -> (Tensor solution, Tensor residuals, Tensor rank, Tensor singular_values)",
    impl: lstsq,
    only: "function",
    nonDifferentiableResults: [1, 2, 3],
    saves: ["self", "b"],
    derivative: { "self, b": lstsqBackward },
    doc: "Solutions of A X = B in the sense of least squares.",
  })],
};
