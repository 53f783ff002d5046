/**
 * Special functions: Gamma and its derivatives, zeta, Bessel and Airy functions, orthogonal polynomials, the normal
 * distribution. Kernels: core/special_functions.h.
 *
 * @see https://pytorch.org/docs/stable/special.html
 * @module
 */
import type { PointwiseName } from "../_gen/kernels.ts";
import { Kind } from "../base/dtype.ts";
import { RuntimeError } from "../base/errors.ts";
import { fn } from "../dispatch/functions.ts";
import { type Ctx, op, type Row, type RowSpec, type Table } from "../dispatch/op.ts";
import { resultType2, toFloating } from "../dispatch/promotion.ts";
import { Tensor } from "../tensor.ts";
import { binaryIn, type Operand, unaryFloat, withParams } from "./elementwise.ts";

const special = (name: string, ...args: unknown[]): Tensor => fn[`special_${name}`]!(...args) as Tensor;

/** A function of torch and of torch.special, with its derivative; integers become floats. */
function both(name: PointwiseName, doc: string, row: Partial<RowSpec>): readonly Row[] {
  return [op({
    schema: `${name}(Tensor self) -> Tensor`,
    impl: unaryFloat(name),
    plain: true,
    direct: true,
    inplace: true,
    aliases: [`special_${name}`],
    doc,
    ...row,
  })];
}

/** A function of torch.special alone. Without a derivative, as in PyTorch, results do not require grad. */
function only(name: string, doc: string, row: Partial<RowSpec> = {}, kernel = name): readonly Row[] {
  return [op({
    schema: `special_${name}(Tensor self) -> Tensor`,
    impl: unaryFloat(kernel as PointwiseName),
    plain: true,
    direct: true,
    only: "function",
    doc,
    ...row,
  })];
}

const twoFloats = (name: PointwiseName) => (a: Operand, b: Operand): Tensor =>
  binaryIn(name, a, b, toFloating(resultType2(a, b)));

/** A polynomial of the degree n, elementwise. */
function polynomial(name: PointwiseName, doc: string): readonly Row[] {
  return [op({
    schema: `special_${name}(Operand x, Operand n) -> Tensor`,
    impl: twoFloats(name),
    plain: true,
    direct: true,
    only: "function",
    doc,
  })];
}

/** P(a, x) and Q(a, x): PyTorch has the derivative in x only. */
function incompleteGamma(
  name: "igamma" | "igammac",
  alias: string,
  sign: 1 | -1,
  doc: string,
): readonly Row[] {
  return [op({
    schema: `${name}(Tensor self, Tensor other) -> Tensor`,
    impl: (a: Tensor, x: Tensor) => {
      const dtype = resultType2(a, x);
      if (dtype.kind < Kind.float) {
        throw new RuntimeError(`"${name}_cpu" not implemented for '${dtype.scalarName}'`);
      }
      return binaryIn(name, a, x, dtype);
    },
    plain: true,
    direct: true,
    inplace: true,
    aliases: [alias],
    saves: { self: "other", other: "other" },
    derivative: {
      self: `notImplemented: ${name}: input`,
      other: (c) => {
        const a: Tensor = c.self, x: Tensor = c.other;
        return c.grad.mul(a.sub(1).mul(x.log()).sub(x).sub(a.lgamma()).exp()).mul(sign);
      },
    },
    doc,
  })];
}

/** d i1 / dx = i0 - i1 / x and its scaled twin; 1 / 2 at 0, where the quotient says nothing. */
function besselSlope(c: Ctx, slope: (x: Tensor) => Tensor): Tensor {
  const x: Tensor = c.self, zero = x.eq(0);
  return c.grad.mul(slope(x.masked_fill(zero, 1)).masked_fill(zero, 0.5));
}

function polygamma(self: Tensor, n: number): Tensor {
  if (n < 0) throw new RuntimeError("polygamma(n, x) does not support negative n.");
  return withParams(n === 0 ? "digamma" : "polygamma", self, [n], toFloating(self.dtype));
}
const polygammaRow = {
  plain: true,
  direct: true,
  saves: ["self"],
  derivative: { self: (c: Ctx) => c.grad.mul(c.self.polygamma(c.n + 1)) },
  doc: "The n-th derivative of digamma.",
} as const;

/** Arguments of the lgammas whose sum multivariate lgamma is, along a new last dimension. */
function mvlgammaTerms(self: Tensor, p: number): Tensor {
  const steps = fn.arange!(-p / 2 + 0.5, 0.5, 0.5, { dtype: toFloating(self.dtype), device: self.device });
  return self.unsqueeze(-1).add(steps as Tensor);
}

const SQRT_2_PI = Math.sqrt(2 * Math.PI);

export const specials: Table = {
  lgamma: both("lgamma", "Logarithm of the absolute value of the Gamma function.", {
    aliases: ["special_gammaln"],
    saves: ["self"],
    derivative: { self: (c) => c.grad.mul(c.self.digamma()) },
  }),
  digamma: both("digamma", "Derivative of lgamma.", {
    aliases: ["special_digamma", "special_psi"],
    saves: ["self"],
    derivative: { self: (c) => c.grad.mul(c.self.polygamma(1)) },
  }),
  polygamma: [
    op({
      schema: "polygamma(int n, Tensor self) -> Tensor",
      impl: (n: number, self: Tensor) => polygamma(self, n),
      only: "function",
      aliases: ["special_polygamma"],
      ...polygammaRow,
    }),
    op({
      schema: "polygamma(Tensor self, int n) -> Tensor",
      impl: polygamma,
      only: "method",
      inplace: true,
      ...polygammaRow,
    }),
  ],
  mvlgamma: [op({
    schema: "mvlgamma(Tensor self, int p) -> Tensor",
    impl: (self: Tensor, p: number) => {
      if (p < 1) throw new RuntimeError("p has to be greater than or equal to 1");
      return mvlgammaTerms(self, p).lgamma().sum(-1).add(p * (p - 1) / 4 * Math.log(Math.PI));
    },
    inplace: true,
    aliases: ["special_multigammaln"],
    saves: ["self"],
    derivative: { self: (c) => c.grad.mul(mvlgammaTerms(c.self, c.p).digamma().sum(-1)) },
    doc: "Logarithm of the multivariate Gamma function of dimension p.",
  })],
  igamma: incompleteGamma(
    "igamma",
    "special_gammainc",
    1,
    "Regularized lower incomplete Gamma function P(a, x).",
  ),
  igammac: incompleteGamma(
    "igammac",
    "special_gammaincc",
    -1,
    "Regularized upper incomplete Gamma function Q(a, x) = 1 - P(a, x).",
  ),
  special_zeta: [op({
    schema: "special_zeta(Operand self, Operand other) -> Tensor",
    impl: twoFloats("zeta"),
    plain: true,
    direct: true,
    only: "function",
    saves: { self: "other", other: "other" },
    derivative: {
      self: "notImplemented: zeta",
      other: (c) => {
        const s: Tensor = c.self instanceof Tensor ? c.self : c.other.new_full([], c.self);
        return c.grad.mul(s.neg()).mul(special("zeta", s.add(1), c.other));
      },
    },
    doc: "Hurwitz zeta function: the sum of (other + k)^-self over k = 0, 1, ...",
  })],
  special_entr: only("entr", "-x log(x); 0 at 0, -inf below.", {
    saves: ["self"],
    derivative: { self: (c) => c.grad.mul(c.self.log().add(1).neg()) },
  }),
  special_ndtr: only("ndtr", "Cumulative distribution function of the standard normal distribution.", {
    saves: ["self"],
    derivative: { self: (c) => c.grad.mul(c.self.square().div(-2).exp().div(SQRT_2_PI)) },
  }),
  special_log_ndtr: only("log_ndtr", "Logarithm of ndtr, accurate far below 0 too.", {
    saves: ["self"],
    derivative: {
      self: (c) => c.grad.div(special("erfcx", c.self.mul(-Math.SQRT1_2))).mul(Math.sqrt(2 / Math.PI)),
    },
  }),
  special_ndtri: only("ndtri", "Inverse of ndtr.", {
    saves: ["result"],
    derivative: { self: (c) => c.grad.mul(c.result.square().div(2).exp()).mul(SQRT_2_PI) },
  }),
  special_erfcx: only("erfcx", "Scaled complementary error function, exp(x^2) erfc(x).", {
    saves: ["self", "result"],
    derivative: { self: (c) => c.grad.mul(c.self.mul(c.result).mul(2).sub(2 / Math.sqrt(Math.PI))) },
  }),
  i0: both("i0", "Modified Bessel function of the first kind of order 0.", {
    saves: ["self"],
    derivative: { self: (c) => c.grad.mul(special("i1", c.self)) },
  }),
  special_i0e: only("i0e", "i0 scaled by exp(-|x|).", {
    saves: ["self", "result"],
    derivative: { self: (c) => c.grad.mul(special("i1e", c.self).sub(c.self.sgn().mul(c.result))) },
  }),
  special_i1: only("i1", "Modified Bessel function of the first kind of order 1.", {
    saves: ["self", "result"],
    derivative: { self: (c) => besselSlope(c, (x) => fn.i0!(x).sub(c.result.div(x))) },
  }),
  special_i1e: only("i1e", "i1 scaled by exp(-|x|).", {
    saves: ["self", "result"],
    derivative: {
      self: (c) => besselSlope(c, (x) => special("i0e", x).sub(c.result.mul(x.sgn().add(x.reciprocal())))),
    },
  }),
  special_modified_bessel_i0: only(
    "modified_bessel_i0",
    "Modified Bessel function of the first kind, order 0.",
    {},
    "i0",
  ),
  special_modified_bessel_i1: only(
    "modified_bessel_i1",
    "Modified Bessel function of the first kind, order 1.",
    {},
    "i1",
  ),
  special_modified_bessel_k0: only(
    "modified_bessel_k0",
    "Modified Bessel function of the second kind, order 0.",
  ),
  special_modified_bessel_k1: only(
    "modified_bessel_k1",
    "Modified Bessel function of the second kind, order 1.",
  ),
  special_scaled_modified_bessel_k0: only(
    "scaled_modified_bessel_k0",
    "modified_bessel_k0 scaled by exp(x).",
  ),
  special_scaled_modified_bessel_k1: only(
    "scaled_modified_bessel_k1",
    "modified_bessel_k1 scaled by exp(x).",
  ),
  special_bessel_j0: only("bessel_j0", "Bessel function of the first kind, order 0."),
  special_bessel_j1: only("bessel_j1", "Bessel function of the first kind, order 1."),
  special_bessel_y0: only("bessel_y0", "Bessel function of the second kind, order 0."),
  special_bessel_y1: only("bessel_y1", "Bessel function of the second kind, order 1."),
  special_spherical_bessel_j0: only(
    "spherical_bessel_j0",
    "Spherical Bessel function of the first kind, order 0.",
  ),
  special_airy_ai: only("airy_ai", "Airy function Ai."),
  special_chebyshev_polynomial_t: polynomial(
    "chebyshev_polynomial_t",
    "Chebyshev polynomial of the first kind.",
  ),
  special_chebyshev_polynomial_u: polynomial(
    "chebyshev_polynomial_u",
    "Chebyshev polynomial of the second kind.",
  ),
  special_chebyshev_polynomial_v: polynomial(
    "chebyshev_polynomial_v",
    "Chebyshev polynomial of the third kind.",
  ),
  special_chebyshev_polynomial_w: polynomial(
    "chebyshev_polynomial_w",
    "Chebyshev polynomial of the fourth kind.",
  ),
  special_shifted_chebyshev_polynomial_t: polynomial(
    "shifted_chebyshev_polynomial_t",
    "chebyshev_polynomial_t of 2 x - 1.",
  ),
  special_shifted_chebyshev_polynomial_u: polynomial(
    "shifted_chebyshev_polynomial_u",
    "chebyshev_polynomial_u of 2 x - 1.",
  ),
  special_shifted_chebyshev_polynomial_v: polynomial(
    "shifted_chebyshev_polynomial_v",
    "chebyshev_polynomial_v of 2 x - 1.",
  ),
  special_shifted_chebyshev_polynomial_w: polynomial(
    "shifted_chebyshev_polynomial_w",
    "chebyshev_polynomial_w of 2 x - 1.",
  ),
  special_hermite_polynomial_h: polynomial("hermite_polynomial_h", "Physicist's Hermite polynomial."),
  special_hermite_polynomial_he: polynomial("hermite_polynomial_he", "Probabilist's Hermite polynomial."),
  special_laguerre_polynomial_l: polynomial("laguerre_polynomial_l", "Laguerre polynomial."),
  special_legendre_polynomial_p: polynomial("legendre_polynomial_p", "Legendre polynomial."),
};
