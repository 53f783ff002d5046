/**
 * What the families of `torch.linalg` share: checks in PyTorch's words, launches, small helpers.
 *
 * @module
 */
import { type DType, float32, float64, int32, Kind } from "../../base/dtype.ts";
import { IndexError, LinAlgError, NotImplementedError, RuntimeError } from "../../base/errors.ts";
import { numelOf, shapeText } from "../../base/size.ts";
import { fn } from "../../dispatch/functions.ts";
import { emptyTensor, runCopy } from "../../dispatch/iterator.ts";
import { begin, kernel } from "../../dispatch/launch.ts";
import { op, type Row } from "../../dispatch/op.ts";
import { broadcastAll } from "../../dispatch/promotion.ts";
import type { Tensor } from "../../tensor.ts";

/** Numbers in a list argument. */
export type Ints = readonly number[];

/** What a kernel of core/include/tc_linalg.h is given besides `a`. */
interface Operands {
  k?: number;
  b?: Tensor | null;
  c?: Tensor | null;
  values?: Tensor | null;
  pivots?: Tensor | null;
  rank?: Tensor | null;
  info?: Tensor | null;
  upper?: boolean;
  unit?: boolean;
  transposed?: boolean;
  left?: boolean;
  job?: number;
  tolerance?: number;
}

/** Kernels without a CUDA twin: their matrices are worked on by the CPU, as PyTorch does without cuSOLVER. */
const HOST_ONLY = ["tc_ldl", "tc_ldl_solve", "tc_ormqr", "tc_eigh", "tc_eig", "tc_svd", "tc_gelsy"];

function launchOnHost(k: ReturnType<typeof kernel>, a: Tensor, o: Operands): void {
  const moved: [Tensor, Tensor][] = [];
  const host = (t: Tensor | null | undefined): Tensor | null => {
    if (t === null || t === undefined) return null;
    const there = t.cpu();
    moved.push([t, there]);
    return there;
  };
  const { b, c, values, pivots, rank, info } = o;
  launch(k, host(a)!, {
    ...o,
    ...{
      b: host(b),
      c: host(c),
      values: host(values),
      pivots: host(pivots),
      rank: host(rank),
      info: host(info),
    },
  });
  for (const [here, there] of moved) here.copy_(there);
}

/** Runs a kernel on `a`'s own bytes, a batch of packed matrices. */
export function launch(k: ReturnType<typeof kernel>, a: Tensor, o: Operands): void {
  const [m, n] = a.sizes.slice(-2) as [number, number];
  const batch = numelOf(a.sizes.slice(0, -2));
  if (batch === 0 || m === 0 || n === 0) return;
  const backend = a.storage.backend;
  if (a.is_cuda && HOST_ONLY.includes(k.name)) return launchOnHost(k, a, o);
  if (a.count * Math.min(m, n) > 1 << 16) backend.expectWork();
  begin(k, backend).i(0).i(a.dtype.code).i(batch).i(m).i(n).i(o.k ?? 0).p(a).p(o.b).p(o.c).p(o.values)
    .p(o.pivots).p(o.rank).p(o.info).b(o.upper ?? false).b(o.unit ?? false).b(o.transposed ?? false)
    .b(o.left ?? false).i(o.job ?? 0).d(o.tolerance ?? 0).runWithScratch();
}

/** A fresh row-major copy to work on. */
export function workCopy(t: Tensor): Tensor {
  const out = emptyTensor(t.sizes, t.dtype, t.storage.backend);
  runCopy(out, t);
  return out;
}

/** An empty tensor where `like` lives, of its dtype unless another is given. */
export function emptyLike(like: Tensor, sizes: Ints, dtype: DType = like.dtype): Tensor {
  return emptyTensor(sizes, dtype, like.storage.backend);
}

/** LAPACK's status, one for each matrix, all zero. */
export function infoOf(a: Tensor): Tensor {
  return emptyLike(a, a.sizes.slice(0, -2), int32).zero_();
}

/** The transpose of every matrix. */
export const mT = (t: Tensor): Tensor => t.transpose(-2, -1);

/** Rows and columns of a batch of matrices. */
export const shapeOf = (t: { readonly sizes: Ints }): [number, number] =>
  t.sizes.slice(-2) as [number, number];

/** The sizes in front of the matrices. */
export const batchOf = (t: { readonly sizes: Ints }): number[] => t.sizes.slice(0, -2);

/** An identity matrix where `like` lives. */
export const eyeLike = (like: Tensor, n: number): Tensor =>
  fn.eye!(n, { dtype: like.dtype, device: like.device }) as Tensor;

/** 2^-52 or 2^-23: the dtype's machine epsilon. */
export const epsilonOf = (t: Tensor): number => (t.dtype === float64 ? 2 ** -52 : 2 ** -23);

/** Swaps the first and the second size of two matrices' batches for their common one. */
export function broadcastBatch(a: Tensor, b: Tensor): [Tensor, Tensor] {
  const batch = broadcastAll([batchOf(a), batchOf(b)]);
  return [a.expand([...batch, ...shapeOf(a)]), b.expand([...batch, ...shapeOf(b)])];
}

/** Is `b` a vector (or a batch of them) for matrices `a`? PyTorch's rule. */
export function isVectorCase(a: Tensor, b: Tensor): boolean {
  return b.sizes.length === 1 ||
    (a.sizes.length - 1 === b.sizes.length && b.sizes.every((s, i) => s === a.sizes[i]));
}

/** Refuses tensors with fewer than two dimensions. */
export function checkMatrix(name: string, a: Tensor, what = "A"): void {
  if (a.sizes.length < 2) {
    throw new RuntimeError(`${name}: The input tensor ${what} must have at least 2 dimensions.`);
  }
}

/** Refuses matrices that are not square. */
export function checkSquare(name: string, a: Tensor, what = "A"): void {
  checkMatrix(name, a, what);
  const [m, n] = shapeOf(a);
  if (m !== n) {
    throw new RuntimeError(
      `${name}: ${what} must be batches of square matrices, but they are ${m} by ${n} matrices`,
    );
  }
}

/** Refuses integers and, if `low` is false, half precision. */
export function checkFloating(name: string, a: Tensor, low = true): void {
  if (a.dtype.kind < Kind.float) {
    throw new RuntimeError(
      `${name}: Expected a floating point or complex tensor as input. Got ${a.dtype.scalarName}`,
    );
  }
  if (!low && a.dtype !== float32 && a.dtype !== float64 && !a.dtype.is_complex) {
    throw new RuntimeError(`${name}: Low precision dtypes not supported. Got ${a.dtype.scalarName}`);
  }
}

/** Refuses dtypes that the kernels do not know, naming PyTorch's kernel. */
export function checkKernel(kernelName: string, a: Tensor): void {
  if (a.dtype !== float32 && a.dtype !== float64) {
    throw new NotImplementedError(`"${kernelName}" not implemented for '${a.dtype.scalarName}'`);
  }
}

/** Refuses operands of two dtypes. */
export function checkSameDtype(name: string, a: Tensor, b: Tensor, aName: string, bName: string): void {
  if (a.dtype !== b.dtype) {
    throw new RuntimeError(
      `${name}: Expected ${aName} and ${bName} to have the same dtype, but found ${aName} of type ${a.dtype.scalarName} and ${bName} of type ${b.dtype.scalarName} instead`,
    );
  }
}

/** Refuses right-hand sides that do not fit. */
export function checkEquation(name: string, a: Tensor, b: Tensor, left: boolean): void {
  if ((left ? b.sizes.at(-2) : b.sizes.at(-1)) !== a.sizes.at(-1)) {
    const [m, n] = shapeOf(a), [p, q] = shapeOf(b);
    throw new RuntimeError(
      `${name}: Incompatible shapes of A and B for the equation ${
        left ? "AX = B" : "XA = B"
      } (${m}x${n} and ${p}x${q})`,
    );
  }
}

/** The error for a matrix whose LAPACK status is not 0, if there is one; PyTorch's `_linalg_check_errors`. */
export function throwOnInfo(name: string, info: Tensor): void {
  const list = [info.reshape([-1]).tolist()].flat() as number[];
  const batch = list.findIndex((x) => x !== 0);
  if (batch < 0) return;
  const code = list[batch]!;
  const where = info.sizes.length === 0 ? `${name}: ` : `${name}: (Batch element ${batch}): `;
  if (name.includes("lu_factor")) {
    throw new RuntimeError(
      `${where}U[${code},${code}] is zero and using it on lu_solve would result in a division by zero. If you still want to perform the factorization, consider calling linalg.lu(A, pivot) or linalg.lu_factor_ex(A, pivot)`,
    );
  }
  throw new LinAlgError(where + reason(name, code));
}

function reason(name: string, code: number): string {
  const failed = "The algorithm failed to converge because the input matrix";
  if (name.includes("inv")) {
    return `The diagonal element ${code} is zero, the inversion could not be completed because the input matrix is singular.`;
  }
  if (name.includes("solve")) return "The solver failed because the input matrix is singular.";
  if (name.includes("cholesky")) {
    return `The factorization could not be completed because the input is not positive-definite (the leading minor of order ${code} is not positive-definite).`;
  }
  if (name.includes("svd")) {
    return code < 0
      ? `${failed} contained non-finite values.`
      : `${failed} is ill-conditioned or has too many repeated singular values (error code: ${code}).`;
  }
  if (name.includes("lstsq")) {
    return `The least squares solution could not be computed because the input matrix does not have full rank (error code: ${code}).`;
  }
  if (name.includes("eig")) {
    return `${failed} is ill-conditioned or has too many repeated eigenvalues (error code: ${code}).`;
  }
  return `Unknown error code: ${code}.`;
}

/** Refuses to reduce over nothing, as PyTorch's amax and amin do. */
export function checkNotEmpty(name: string, a: Tensor, dim: number, shown: number): void {
  if (a.sizes[dim] === 0) {
    throw new IndexError(`${name}(): Expected reduction dim ${shown} to have non-zero size.`);
  }
}

/** A composite row; most of this family are functions only. */
export const composite = (
  schema: string,
  body: (...args: never[]) => unknown,
  doc: string,
  only: "function" | "hidden" | "both" = "function",
): Row => op({ schema, composite: body as never, ...(only === "both" ? {} : { only }), doc });

export { shapeText };
