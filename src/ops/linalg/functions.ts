/**
 * Functions of matrices: powers, the exponential, products of several, Vandermonde's matrix.
 *
 * @see https://pytorch.org/docs/1.13/generated/torch.linalg.matrix_exp.html
 * @module
 */
import { float64, Kind } from "../../base/dtype.ts";
import { RuntimeError, warnOnce } from "../../base/errors.ts";
import { shapeText } from "../../base/size.ts";
import { fn } from "../../dispatch/functions.ts";
import { op, type Table } from "../../dispatch/op.ts";
import type { Tensor } from "../../tensor.ts";
import { checkFloating, checkKernel, checkSquare, composite, eyeLike, mT } from "./common.ts";

function matrixPower(a: Tensor, n: number): Tensor {
  checkSquare("linalg.matrix_power", a);
  if (n === 0) return a.clone().copy_(eyeLike(a, a.sizes.at(-1)!).expand(a.sizes));
  if (n === 1) return a.clone();
  let base = n < 0 ? fn.linalg_inv!(a) as Tensor : a, result: Tensor | null = null;
  for (let e = Math.abs(n); e > 0; e = Math.floor(e / 2)) {
    if (e % 2 === 1) result = result === null ? base : result.matmul(base);
    if (e > 1) base = base.matmul(base);
  }
  return result!;
}

/** 1-norms up to which Taylor polynomials of degrees 8 and 16 have the dtype's full accuracy. */
const LIMITS = { double: [4.99e-2, 7.83e-1], single: [5.8e-1, 2.3] } as const;

/**
 * Scaling and squaring with Taylor polynomials (Bader, Blanes and Casas, "Computing the matrix exponential with an
 * optimized Taylor polynomial approximation", 2019, for degree 8; Paterson and Stockmeyer's scheme for degree 16).
 * Every matrix of a batch is scaled by its own power of two.
 */
function matrixExp(a: Tensor): Tensor {
  checkSquare("linalg.matrix_exp", a);
  checkFloating("matrix_exp", a);
  checkKernel("matrix_exp", a);
  const n = a.sizes.at(-1)!;
  if (a.count === 0) return a.clone();
  if (n === 1) return a.exp();
  const sizes = a.abs().sum(-2).amax([-1]);
  const [small, large] = LIMITS[a.dtype === float64 ? "double" : "single"];
  const identity = eyeLike(a, n);
  if (Number(sizes.max().item()) <= small) return degree8(a, identity);
  const squarings = sizes.div(large).log2().ceil().clamp(0, 1100).nan_to_num(0);
  // Two factors, each in range where their product is not.
  const half = squarings.div(2).floor();
  const factor = (t: Tensor): Tensor => t.neg().exp2().unsqueeze(-1).unsqueeze(-1);
  let result = degree16(a.mul(factor(half)).mul(factor(squarings.sub(half))), identity);
  const most = Number(squarings.max().item()), uniform = most === Number(squarings.min().item());
  for (let i = 0; i < most; i++) {
    const squared = result.matmul(result);
    result = uniform ? squared : squared.where(squarings.gt(i).unsqueeze(-1).unsqueeze(-1), result);
  }
  return result;
}

/** Three products. The constants solve the equations that make the product of two polynomials the series to degree 8. */
function degree8(a: Tensor, identity: Tensor): Tensor {
  const root = Math.sqrt(177), x3 = 2 / 3;
  const x1 = x3 * ((1 + root) / 88), x2 = x3 * ((1 + root) / 352);
  const x4 = (-271 + 29 * root) / (315 * x3), x5 = (11 * (-1 + root)) / (1260 * x3);
  const x6 = (11 * (-9 + root)) / (5040 * x3), x7 = (89 - root) / (5040 * x3);
  const y2 = (857 - 58 * root) / 630;
  const a2 = a.matmul(a);
  const a4 = a2.matmul(a.mul(x1).add(a2.mul(x2)));
  const a8 = a2.mul(x3).add(a4).matmul(identity.mul(x4).add(a.mul(x5)).add(a2.mul(x6)).add(a4.mul(x7)));
  return identity.add(a).add(a2.mul(y2)).add(a8);
}

/** Six products: a polynomial in A^4 whose coefficients are polynomials in A of degree 3. */
function degree16(a: Tensor, identity: Tensor): Tensor {
  const a2 = a.matmul(a), a3 = a2.matmul(a), a4 = a2.matmul(a2);
  let factorial = 1;
  const inverse = Array.from({ length: 17 }, (_, k) => 1 / (factorial *= k === 0 ? 1 : k));
  const group = (k: number): Tensor =>
    identity.mul(inverse[k]!).add(a.mul(inverse[k + 1]!)).add(a2.mul(inverse[k + 2]!)).add(
      a3.mul(inverse[k + 3]!),
    );
  let result = group(12).add(a4.mul(inverse[16]!));
  for (let k = 8; k >= 0; k -= 4) result = group(k).add(a4.matmul(result));
  return result;
}

/** The derivative is a corner of a larger exponential: exp((A^T, G; 0, A^T)) = (exp(A)^T, gA; 0, exp(A)^T). */
function matrixExpBackward(grad: Tensor, a: Tensor): Tensor {
  const n = a.sizes.at(-1)!, t = mT(a);
  const top = fn.cat!([t, grad], -1) as Tensor;
  const bottom = fn.cat!([t.new_zeros(t.sizes), t], -1) as Tensor;
  const both = fn.linalg_matrix_exp!(fn.cat!([top, bottom], -2) as Tensor) as Tensor;
  return both.narrow(-2, 0, n).narrow(-1, n, n);
}

/** Dynamic programming over the products (Cormen et al., section 15.2). */
function multiDot(list: readonly Tensor[]): Tensor {
  if (list.length < 2) {
    throw new RuntimeError("multi_dot(): expected at least 2 tensors but got " + list.length);
  }
  const first = list[0]!, last = list[list.length - 1]!;
  const mats = checkedMatrices(list);
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

/** The factors of a chain as matrices that fit. */
function checkedMatrices(list: readonly Tensor[]): Tensor[] {
  const end = list.length - 1;
  const mats = list.map((t, i) => {
    const rank = t.sizes.length;
    if ((i === 0 || i === end) && rank !== 1 && rank !== 2) {
      throw new RuntimeError(
        `multi_dot(): the ${i === 0 ? "first" : "last"} tensor must be 1D or 2D but got ${rank}D`,
      );
    }
    if (i > 0 && i < end && rank !== 2) {
      throw new RuntimeError(`multi_dot(): tensor ${i} must be 2D but got ${rank}D`);
    }
    return rank === 2 ? t : t.unsqueeze(i === 0 ? 0 : 1);
  });
  list.forEach((t, i) => {
    if (t.dtype !== list[0]!.dtype) {
      throw new RuntimeError(
        `multi_dot(): all tensors must have be the same dtype but tensor 0 is ${
          cName(list[0]!)
        } and tensor ${i} ${cName(t)}`,
      );
    }
  });
  for (let i = 1; i < mats.length; i++) {
    if (mats[i - 1]!.sizes[1] !== mats[i]!.sizes[0]) {
      throw new RuntimeError(
        `multi_dot(): tensors ${i - 1} and ${i} with shapes ${shapeText(mats[i - 1]!.sizes)} and ${
          shapeText(mats[i]!.sizes)
        } cannot be multiplied`,
      );
    }
  }
  return mats;
}

/** The dtype's name in C++, as this one sentence of PyTorch has it. */
function cName(t: Tensor): string {
  const names: Readonly<Record<string, string>> = {
    Float: "float",
    Double: "double",
    Long: "long int",
    Half: "c10::Half",
    BFloat16: "c10::BFloat16",
    Bool: "bool",
    Byte: "unsigned char",
    Char: "signed char",
  };
  return names[t.dtype.scalarName] ?? t.dtype.scalarName.toLowerCase();
}

function vander(x: Tensor, n: number | null): Tensor {
  const count = n ?? x.sizes.at(-1) ?? 0;
  if (count <= 1) throw new RuntimeError("N must be greater than 1.");
  const base = x.dtype.kind < Kind.int ? x.long() : x;
  const powers = base.unsqueeze(-1).expand([...base.sizes, count - 1]).cumprod(-1);
  return fn.cat!([powers.new_ones([...base.sizes, 1]), powers], -1) as Tensor;
}

export const matrixFunctions: Table = {
  linalg_matrix_power: [composite(
    "linalg_matrix_power(Tensor self, int n) -> Tensor",
    matrixPower,
    "A matrix to an integer power.",
  )],
  matrix_power: [
    composite(
      "matrix_power(Tensor self, int n) -> Tensor",
      matrixPower,
      "A matrix to an integer power.",
      "both",
    ),
  ],
  linalg_matrix_exp: [op({
    schema: "linalg_matrix_exp(Tensor self) -> Tensor",
    impl: matrixExp,
    only: "function",
    saves: ["self"],
    derivative: { self: (c) => matrixExpBackward(c.grad, c.self) },
    doc: "The matrix exponential.",
  })],
  matrix_exp: [composite(
    "matrix_exp(Tensor self) -> Tensor",
    (self: Tensor) => fn.linalg_matrix_exp!(self),
    "The matrix exponential.",
    "both",
  )],
  linalg_multi_dot: [composite(
    "linalg_multi_dot(Tensor[] tensors) -> Tensor",
    multiDot,
    "The product of several matrices in the cheapest order.",
  )],
  chain_matmul: [op({
    schema: "chain_matmul(Tensor[] matrices) -> Tensor",
    composite: (list: Tensor[]) => {
      warnOnce(
        "UserWarning",
        "torch.chain_matmul is deprecated and will be removed in a future PyTorch release. Use torch.linalg.multi_dot instead, which accepts a list of two or more tensors rather than multiple parameters.",
      );
      return list.length === 1 ? list[0]! : multiDot(list);
    },
    varargs: "matrices",
    only: "function",
    doc: "The product of several matrices; deprecated, see `linalg.multi_dot`.",
  })],
  linalg_vander: [composite(
    "linalg_vander(Tensor x, *, int? N=None) -> Tensor",
    vander,
    "Vandermonde matrices: powers of every element, ascending.",
  )],
};
