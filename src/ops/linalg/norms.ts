/**
 * Norms of matrices, and `linalg.norm` of either kind.
 *
 * @see https://pytorch.org/docs/1.13/generated/torch.linalg.matrix_norm.html
 * @module
 */
import { can_cast, type DType, Kind } from "../../base/dtype.ts";
import { RuntimeError } from "../../base/errors.ts";
import { type Scalar, toNumber } from "../../base/scalar.ts";
import { fn } from "../../dispatch/functions.ts";
import { op, type Table } from "../../dispatch/op.ts";
import { wrapDim } from "../../dispatch/reduction.ts";
import type { Tensor } from "../../tensor.ts";
import { checkFloating, checkMatrix, checkNotEmpty, composite, type Ints, shapeText } from "./common.ts";

const NAME = "linalg.matrix_norm";

function checkDtype(a: Tensor, dtype: DType | null): void {
  if (dtype === null) return;
  if (dtype.kind < Kind.float) {
    throw new RuntimeError(
      `${NAME}: dtype should be floating point or complex, but got ${dtype.scalarName}`,
    );
  }
  if (a.dtype.is_complex && !dtype.is_complex) {
    throw new RuntimeError(
      `${NAME}: dtype should be complex for complex inputs, but got ${dtype.scalarName}`,
    );
  }
  if (dtype.itemsize < a.dtype.itemsize || !can_cast(a.dtype, dtype)) {
    throw new RuntimeError(
      `${NAME}: the dtype of the input (${a.dtype.scalarName}) should be convertible without narrowing to the specified dtype (${dtype.scalarName})`,
    );
  }
}

/** The two dimensions as positions, in their order. */
function twoDims(a: Tensor, dim: Ints): [number, number] {
  if (dim.length !== 2) throw new RuntimeError(`${NAME}: dim must be a 2-tuple. Got ${dim.join(", ")}`);
  const [first, second] = dim.map((d) => wrapDim(d, a.sizes.length)) as [number, number];
  if (first === second) {
    throw new RuntimeError(`${NAME}: dims must be different. Got (${dim.join(", ")})`);
  }
  return [first, second];
}

function withoutDims(t: Tensor, dims: readonly [number, number], keepdim: boolean): Tensor {
  if (!keepdim) return t;
  const [low, high] = dims[0] < dims[1] ? dims : [dims[1], dims[0]];
  return t.unsqueeze(low).unsqueeze(high);
}

/** Norms by singular values: of the matrices that the two dimensions span. */
function spectral(
  a: Tensor,
  dims: readonly [number, number],
  keepdim: boolean,
  pick: (s: Tensor) => Tensor,
): Tensor {
  const s = fn.linalg_svdvals!(a.movedim(dims, [-2, -1])) as Tensor;
  return withoutDims(pick(s), dims, keepdim);
}

function matrixNorm(
  a: Tensor,
  ord: Scalar | string,
  dim: Ints,
  keepdim: boolean,
  dtype: DType | null,
): Tensor {
  checkMatrix(NAME, a);
  checkFloating(NAME, a);
  const p = typeof ord === "string" ? ord : toNumber(ord);
  const size = typeof p === "string" ? NaN : Math.abs(p);
  if (p !== "fro" && p !== "nuc" && size !== 1 && size !== 2 && size !== Infinity) {
    throw new RuntimeError(`${NAME}: Order ${p} not supported.`);
  }
  const dims = twoDims(a, dim);
  checkDtype(a, dtype);
  if (p === "fro") return fn.linalg_vector_norm!(a, 2, dims, keepdim, { dtype }) as Tensor;
  const x = dtype === null ? a : a.to(dtype);
  if (p === "nuc") return spectral(x, dims, keepdim, (s) => s.sum(-1));
  if (typeof p === "string") throw new RuntimeError(`${NAME}: Order ${p} not supported.`);
  const largest = p > 0, extreme = largest ? "amax" : "amin";
  if (size === 2) {
    return spectral(x, dims, keepdim, (s) => {
      checkNotEmpty(extreme, s, s.sizes.length - 1, -1);
      return s[extreme]([-1]);
    });
  }
  // 1: the sums of columns, over rows; infinity: the other way round.
  let [over, along] = size === 1 ? dims : [dims[1], dims[0]];
  const sums = fn.linalg_vector_norm!(x, 1, [over], keepdim) as Tensor;
  if (!keepdim && along > over) along--;
  checkNotEmpty(extreme, sums, along, along);
  over = along;
  return sums[extreme]([over], keepdim);
}

function norm(
  a: Tensor,
  ord: Scalar | string | null,
  dim: Ints | null,
  keepdim: boolean,
  dtype: DType | null,
): Tensor {
  if (dim !== null && dim.length !== 1 && dim.length !== 2) {
    throw new RuntimeError(
      `linalg.norm: If dim is specified, it must be of length 1 or 2. Got ${shapeText(dim)}`,
    );
  }
  if (ord === null) return fn.linalg_vector_norm!(a, 2, dim, keepdim, { dtype }) as Tensor;
  if (dim === null && a.sizes.length !== 1 && a.sizes.length !== 2) {
    throw new RuntimeError(
      `linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got ${a.sizes.length}D.`,
    );
  }
  const matrix = typeof ord === "string" || (dim === null ? a.sizes.length : dim.length) === 2;
  return matrix
    ? matrixNorm(a, ord, dim ?? (a.sizes.length === 2 ? [0, 1] : [-2, -1]), keepdim, dtype)
    : fn.linalg_vector_norm!(a, ord, dim, keepdim, { dtype }) as Tensor;
}

function oldNuclear(a: Tensor, dim: Ints | null, keepdim: boolean): Tensor {
  if (dim === null && a.sizes.length !== 2) {
    const n = a.sizes.length;
    throw new RuntimeError(
      `Expected a tensor with 2 dimensions, but got a tensor with ${n} dimension${
        n === 1 ? "" : "s"
      } instead.`,
    );
  }
  if (dim !== null && dim.length !== 2) {
    throw new RuntimeError(`nuclear norm requires a 'dim' argument of size 2`);
  }
  return matrixNorm(a, "nuc", dim ?? [0, 1], keepdim, null);
}

export const norms: Table = {
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
  linalg_norm: [composite(
    "linalg_norm(Tensor self, Any ord=None, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
    norm,
    "A vector or matrix norm.",
  )],
  nuclear_norm: [composite(
    "nuclear_norm(Tensor self, int[2]? dim=None, bool keepdim=False) -> Tensor",
    oldNuclear,
    "The sum of the singular values.",
  )],
  frobenius_norm: [composite(
    "frobenius_norm(Tensor self, int[1]? dim=None, bool keepdim=False) -> Tensor",
    (a: Tensor, dim: Ints | null, keepdim: boolean) => fn.linalg_vector_norm!(a, 2, dim, keepdim),
    "The root of the sum of squares.",
  )],
};
