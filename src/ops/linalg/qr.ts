/**
 * QR factorisations and what they are made of: Householder reflections in LAPACK's form.
 *
 * @see https://pytorch.org/docs/1.13/generated/torch.linalg.qr.html
 * @module
 */
import { needsGrad } from "../../autograd/graph.ts";
import { mode as gradMode } from "../../autograd/grad_mode.ts";
import { RuntimeError, warnOnce } from "../../base/errors.ts";
import { shapeText } from "../../base/size.ts";
import { fn } from "../../dispatch/functions.ts";
import { packed } from "../../dispatch/iterator.ts";
import { kernel } from "../../dispatch/launch.ts";
import { type Ctx, op, type Table } from "../../dispatch/op.ts";
import type { Tensor } from "../../tensor.ts";
import {
  batchOf,
  checkFloating,
  checkKernel,
  checkMatrix,
  composite,
  emptyLike,
  eyeLike,
  launch,
  mT,
  shapeOf,
  workCopy,
} from "./common.ts";

const GEQRF = kernel("tc_geqrf"), ORGQR = kernel("tc_orgqr"), ORMQR = kernel("tc_ormqr");

/** Reflectors, R, and the reflectors' factors. */
export function geqrf(a: Tensor): [Tensor, Tensor] {
  const f = workCopy(a), tau = emptyLike(a, [...batchOf(a), Math.min(...shapeOf(a))]);
  launch(GEQRF, f, { values: tau });
  return [f, tau];
}

/** Q B or Q^T B for packed reflectors; B's bytes are overwritten. */
export function applyQ(f: Tensor, tau: Tensor, b: Tensor, transposed: boolean): Tensor {
  if (b.count > 0) launch(ORMQR, f, { values: tau, b, k: b.sizes.at(-1)!, left: true, transposed });
  return b;
}

function qr(a: Tensor, mode: string): [Tensor, Tensor] {
  checkMatrix("linalg.qr", a);
  checkFloating("linalg.qr", a);
  if (mode !== "reduced" && mode !== "complete" && mode !== "r") {
    throw new RuntimeError(
      `qr received unrecognized mode '${mode}' but expected one of 'reduced' (default), 'r', or 'complete'`,
    );
  }
  checkKernel("geqrf_cpu", a);
  const [m, n] = shapeOf(a), k = Math.min(m, n);
  const [f, tau] = geqrf(a);
  const r = packed((mode === "complete" ? f : f.narrow(-2, 0, k)).triu());
  if (mode === "r") return [emptyLike(a, [0]), r];
  const columns = mode === "complete" ? m : k;
  if (k === 0) return [workCopy(eyeLike(a, m).narrow(-1, 0, columns).expand([...batchOf(a), m, columns])), r];
  const q = columns === n ? f : emptyLike(a, [...batchOf(a), m, columns]).zero_();
  if (q !== f) q.narrow(-1, 0, k).copy_(f.narrow(-1, 0, k));
  launch(ORGQR, q, { values: tau, k });
  return [q, r];
}

/** Reverse mode of A = Q R with R square: (gQ + Q syminvadj(triu(gR R^T - Q^T gQ))) R^-T. */
function squareBackward(q: Tensor, r: Tensor, gq: Tensor, gr: Tensor): Tensor {
  const t = gr.matmul(mT(r)).sub(mT(q).matmul(gq)).triu();
  const s = t.add(mT(t));
  const sym = s.sub(s.diagonal(0, -2, -1).mul(0.5).diag_embed());
  const inner = gq.add(q.matmul(sym));
  return fn.linalg_solve_triangular!(mT(r), inner, { upper: false, left: false }) as Tensor;
}

function qrBackward(c: Ctx): Tensor {
  const [q, r] = c.results as [Tensor, Tensor];
  const [gq, gr] = c.grads as [Tensor, Tensor];
  if (c.mode === "r") {
    throw new RuntimeError(
      "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. Please use linalg.qr(A, mode='reduced') if you are going to differentiate through linalg.qr.",
    );
  }
  const [m, n] = shapeOf({ sizes: c.sizesOf("A") });
  if (c.mode === "complete" && m > n) {
    throw new RuntimeError(
      "The QR decomposition is not differentiable when mode='complete' and nrows > ncols.",
    );
  }
  if (m >= n) return squareBackward(q, r, gq, gr);
  // Wide: the left square part has the factorisation, the rest is Q^T times the input.
  const r1 = r.narrow(-1, 0, m), g1 = gr.narrow(-1, 0, m), g2 = gr.narrow(-1, m, n - m);
  const rest = q.matmul(r.narrow(-1, m, n - m));
  const left = squareBackward(q, r1, gq.add(rest.matmul(mT(g2))), g1);
  return fn.cat!([left, q.matmul(g2)], -1) as Tensor;
}

function checkHouseholder(v: Tensor, tau: Tensor): void {
  const name = "torch.linalg.householder_product";
  if (v.sizes.length < 2) throw new RuntimeError(`${name}: input must have at least 2 dimensions.`);
  const [m, n] = shapeOf(v);
  if (m < n) {
    throw new RuntimeError(`${name}: input.shape[-2] must be greater than or equal to input.shape[-1]`);
  }
  if (n < tau.sizes.at(-1)!) {
    throw new RuntimeError(`${name}: input.shape[-1] must be greater than or equal to tau.shape[-1]`);
  }
  if (v.sizes.length - tau.sizes.length !== 1) {
    throw new RuntimeError(
      `${name}: Expected tau to have one dimension less than input, but got tau.ndim equal to ${tau.sizes.length} and input.ndim is equal to ${v.sizes.length}`,
    );
  }
  if (batchOf(v).join() !== tau.sizes.slice(0, -1).join()) {
    throw new RuntimeError(
      `${name}: Expected batch dimensions of tau to be equal to input.shape[:-2], but got ${
        shapeText(tau.sizes.slice(0, -1))
      }`,
    );
  }
  if (tau.dtype !== v.dtype) {
    throw new RuntimeError(
      `${name}: tau dtype ${tau.dtype.scalarName} does not match input dtype ${v.dtype.scalarName}`,
    );
  }
  checkKernel("orgqr_cpu", v);
}

/** By the kernel, or, where a derivative is wanted, one differentiable reflection after the other. */
function householderProduct(v: Tensor, tau: Tensor): Tensor {
  checkHouseholder(v, tau);
  if (!gradMode.grad || !(needsGrad(v) || needsGrad(tau))) return fn._orgqr!(v, tau) as Tensor;
  const [m, n] = shapeOf(v);
  const identity = fn.eye!(m, n, { dtype: v.dtype, device: v.device }) as Tensor;
  let q = identity.expand(v.sizes);
  for (let j = tau.sizes.at(-1)! - 1; j >= 0; j--) {
    const below = v.select(-1, j).unsqueeze(-1).tril(-(j + 1));
    const w = below.add(identity.select(-1, j).unsqueeze(-1));
    q = q.sub(w.matmul(mT(w).matmul(q)).mul(tau.select(-1, j).unsqueeze(-1).unsqueeze(-1)));
  }
  return tau.sizes.at(-1) === 0 ? q.clone() : q;
}

function ormqr(input: Tensor, tau: Tensor, other: Tensor, left: boolean, transpose: boolean): Tensor {
  checkOrmqr(input, tau, other, left);
  const k = tau.sizes.at(-1)!;
  const b = workCopy(other);
  if (b.count === 0 || k === 0) return b;
  const f = packed(input.narrow(-1, 0, k));
  launch(ORMQR, f, {
    values: packed(tau),
    b,
    k: left ? other.sizes.at(-1)! : other.sizes.at(-2)!,
    left,
    transposed: transpose,
  });
  return b;
}

function checkOrmqr(input: Tensor, tau: Tensor, other: Tensor, left: boolean): void {
  const name = "torch.ormqr", dim = left ? -2 : -1;
  if (input.sizes.length < 2) throw new RuntimeError(`${name}: input must have at least 2 dimensions.`);
  if (other.sizes.length < 2) throw new RuntimeError(`${name}: other must have at least 2 dimensions.`);
  if (other.sizes.at(dim)! < tau.sizes.at(-1)!) {
    throw new RuntimeError(
      `${name}: other.shape[${dim}] must be greater than or equal to tau.shape[-1]`,
    );
  }
  if (other.sizes.at(dim) !== input.sizes.at(-2)) {
    throw new RuntimeError(`${name}: other.shape[${dim}] must be equal to input.shape[-2]`);
  }
  const ranks = (what: string, t: Tensor, expected: string): string =>
    `${name}: Expected ${what} to have ${expected}, but got ${what}.ndim equal to ${t.sizes.length} and input.ndim is equal to ${input.sizes.length}`;
  if (input.sizes.length - tau.sizes.length !== 1) {
    throw new RuntimeError(ranks("tau", tau, "one dimension less than input"));
  }
  if (input.sizes.length !== other.sizes.length) {
    throw new RuntimeError(ranks("other", other, "the same number of dimensions as input"));
  }
  for (const [what, t, cut] of [["tau", tau, -1], ["other", other, -2]] as const) {
    if (t.sizes.slice(0, cut).join() !== batchOf(input).join()) {
      throw new RuntimeError(
        `${name}: Expected batch dimensions of ${what} to be equal to input.shape[:-2], but got ${
          shapeText(t.sizes.slice(0, cut))
        }`,
      );
    }
    if (t.dtype !== input.dtype) {
      throw new RuntimeError(
        `${name}: Expected input and ${what} to have the same dtype, but input has dtype${input.dtype.scalarName} and ${what} has dtype ${t.dtype.scalarName}`,
      );
    }
  }
  checkKernel("ormqr_cpu", input);
}

export const qrs: Table = {
  linalg_qr: [op({
    schema: "linalg_qr(Tensor A, str mode='reduced') -> (Tensor Q, Tensor R)",
    impl: qr,
    only: "function",
    saves: ["results"],
    derivative: { A: qrBackward },
    doc: "QR factorisation by Householder reflections.",
  })],
  qr: [composite(
    "qr(Tensor self, bool some=True) -> (Tensor Q, Tensor R)",
    (self: Tensor, some: boolean) => {
      warnOnce("UserWarning", QR_DEPRECATED);
      return [...fn.linalg_qr!(self, some ? "reduced" : "complete") as unknown as Tensor[]];
    },
    "QR factorisation; deprecated, see `linalg.qr`.",
    "both",
  )],
  geqrf: [op({
    schema: "geqrf(Tensor self) -> (Tensor a, Tensor tau)",
    impl: (self: Tensor) => {
      if (self.sizes.length < 2) {
        throw new RuntimeError("torch.geqrf: input must have at least 2 dimensions.");
      }
      checkKernel("geqrf_cpu", self);
      return geqrf(self);
    },
    derivative: { self: "notImplemented" },
    doc: "QR factorisation in LAPACK's form: reflectors and their factors.",
  })],
  _orgqr: [op({
    schema: "_orgqr(Tensor self, Tensor tau) -> Tensor",
    impl: (v: Tensor, tau: Tensor) => {
      const q = workCopy(v);
      launch(ORGQR, q, { values: packed(tau), k: tau.sizes.at(-1)! });
      return q;
    },
    derivative: { self: "notImplemented", tau: "notImplemented" },
    only: "hidden",
    doc: "The product of Householder reflections, without a derivative.",
  })],
  linalg_householder_product: [composite(
    "linalg_householder_product(Tensor input, Tensor tau) -> Tensor",
    householderProduct,
    "The first columns of a product of Householder reflections.",
  )],
  orgqr: [composite(
    "orgqr(Tensor self, Tensor input2) -> Tensor",
    householderProduct,
    "The first columns of a product of Householder reflections.",
    "both",
  )],
  ormqr: [op({
    schema:
      "ormqr(Tensor self, Tensor input2, Tensor input3, bool left=True, bool transpose=False) -> Tensor",
    impl: ormqr,
    derivative: { self: "notImplemented", input2: "notImplemented", input3: "notImplemented" },
    doc: "Multiplies input3 by a product of Householder reflections, or by its transpose.",
  })],
};

const QR_DEPRECATED =
  `torch.qr is deprecated in favor of torch.linalg.qr and will be removed in a future PyTorch release.
The boolean parameter 'some' has been replaced with a string parameter 'mode'.
Q, R = torch.qr(A, some)
should be replaced with
Q, R = torch.linalg.qr(A, 'reduced' if some else 'complete')`;
