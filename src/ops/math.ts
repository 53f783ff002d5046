/**
 * Exponentials, logarithms, powers, rounding, angles, hyperbolic and error functions.
 *
 * @module
 */
import type { PointwiseName } from "../_gen/kernels.ts";
import { Kind } from "../base/dtype.ts";
import { RuntimeError } from "../base/errors.ts";
import { type Ctx, op, type Row, type RowSpec, type Table } from "../dispatch/op.ts";
import { resultType2, toFloating } from "../dispatch/promotion.ts";
import { Tensor } from "../tensor.ts";
import { binaryIn, type Operand, unaryFloat, unarySame, withParams } from "./elementwise.ts";

/** A unary function of floats with its derivative: `d` gives d result / d self. */
function smooth(
  name: PointwiseName,
  doc: string,
  saves: "self" | "result",
  d: (c: Ctx) => Tensor,
  more: Partial<RowSpec> = {},
): readonly Row[] {
  return [op({
    schema: `${name}(Tensor self) -> Tensor`,
    impl: unaryFloat(name),
    plain: true,
    direct: true,
    inplace: true,
    saves: [saves],
    derivative: { self: d },
    doc,
    ...more,
  })];
}

/** A rounding function: integers stay as they are, gradient zero. */
function rounding(name: PointwiseName, doc: string, more: Partial<RowSpec> = {}): readonly Row[] {
  return [op({
    schema: `${name}(Tensor self) -> Tensor`,
    impl: unarySame(name, "identity"),
    plain: true,
    direct: true,
    inplace: true,
    derivative: { self: (c) => c.grad.new_zeros(c.grad.sizes) },
    doc,
    ...more,
  })];
}

const LN2 = Math.LN2, LN10 = Math.LN10;

/** self * log(other) with 0 where self is 0. */
function xlog(name: "xlogy" | "xlog1py", doc: string, more: Partial<RowSpec>): readonly Row[] {
  const shifted = (c: Ctx) => name === "xlogy" ? c.other : asTensor(c.other, c.grad).add(1);
  return [op({
    schema: `${name === "xlogy" ? name : "special_xlog1py"}(Operand self, Operand other) -> Tensor`,
    impl: (a: Operand, b: Operand) => binaryIn(name, a, b, toFloating(resultType2(a, b))),
    plain: true,
    direct: true,
    inplace: true,
    saves: { self: "self, other", other: "self, other" },
    derivative: {
      self: (c) => {
        const other = asTensor(shifted(c), c.grad);
        const zero = c.self.eq(0).logical_and(other.le(0));
        return c.grad.mul(other.log()).masked_fill(zero, 0);
      },
      other: (c) => c.grad.mul(asTensor(c.self, c.grad)).div(shifted(c)),
    },
    doc,
    ...more,
  })];
}

function asTensor(x: Operand, like: Tensor): Tensor {
  return x instanceof Tensor ? x : like.new_full([], Number(x));
}

function softMaximum(name: "logaddexp" | "logaddexp2", doc: string): readonly Row[] {
  const exp = (t: Tensor) => name === "logaddexp" ? t.exp() : t.exp2();
  return [op({
    schema: `${name}(Tensor self, Tensor other) -> Tensor`,
    impl: (a: Tensor, b: Tensor) => binaryIn(name, a, b, toFloating(resultType2(a, b))),
    plain: true,
    direct: true,
    saves: ["self", "other"],
    derivative: {
      self: (c) => c.grad.mul(exp(c.self.sub(c.other).neg()).add(1).reciprocal()),
      other: (c) => c.grad.mul(exp(c.other.sub(c.self).neg()).add(1).reciprocal()),
    },
    doc,
  })];
}

export const math: Table = {
  exp: smooth("exp", "Returns e raised to each element.", "result", (c) => c.grad.mul(c.result)),
  exp2: smooth("exp2", "Returns 2 raised to each element.", "result", (c) => c.grad.mul(c.result).mul(LN2), {
    aliases: ["special_exp2"],
  }),
  expm1: smooth("expm1", "Returns e^x - 1, accurate near 0.", "result", (c) => c.grad.mul(c.result.add(1)), {
    aliases: ["special_expm1"],
  }),
  log: smooth("log", "Natural logarithm.", "self", (c) => c.grad.div(c.self)),
  log2: smooth("log2", "Base-2 logarithm.", "self", (c) => c.grad.div(c.self.mul(LN2))),
  log10: smooth("log10", "Base-10 logarithm.", "self", (c) => c.grad.div(c.self.mul(LN10))),
  log1p: smooth(
    "log1p",
    "Natural logarithm of 1 + x, accurate near 0.",
    "self",
    (c) => c.grad.div(c.self.add(1)),
    { aliases: ["special_log1p"] },
  ),
  sqrt: smooth("sqrt", "Square root.", "result", (c) => c.grad.div(c.result.mul(2))),
  rsqrt: smooth(
    "rsqrt",
    "Reciprocal of the square root.",
    "result",
    (c) => c.grad.mul(-0.5).mul(c.result.pow(3)),
  ),
  sin: smooth("sin", "Sine.", "self", (c) => c.grad.mul(c.self.cos())),
  cos: smooth("cos", "Cosine.", "self", (c) => c.grad.mul(c.self.sin().neg())),
  tan: smooth("tan", "Tangent.", "result", (c) => c.grad.mul(c.result.mul(c.result).add(1))),
  asin: smooth("asin", "Arcsine.", "self", (c) => c.grad.mul(c.self.mul(c.self).rsub(1).rsqrt()), {
    aliases: ["arcsin"],
  }),
  acos: smooth("acos", "Arccosine.", "self", (c) => c.grad.neg().mul(c.self.mul(c.self).rsub(1).rsqrt()), {
    aliases: ["arccos"],
  }),
  atan: smooth("atan", "Arctangent.", "self", (c) => c.grad.div(c.self.mul(c.self).add(1)), {
    aliases: ["arctan"],
  }),
  sinh: smooth("sinh", "Hyperbolic sine.", "self", (c) => c.grad.mul(c.self.cosh())),
  cosh: smooth("cosh", "Hyperbolic cosine.", "self", (c) => c.grad.mul(c.self.sinh())),
  tanh: smooth("tanh", "Hyperbolic tangent.", "result", (c) => c.grad.tanh_backward(c.result)),
  tanh_backward: [op({
    schema: "tanh_backward(Tensor self, Tensor output) -> Tensor",
    impl: (grad: Tensor, output: Tensor) => binaryIn("tanh_backward", grad, output, output.dtype),
    plain: true,
    saves: { self: "output", output: "self, output" },
    derivative: {
      self: (c) => c.grad.tanh_backward(c.output),
      output: (c) => c.grad.mul(c.self).mul(c.output).mul(-2),
    },
    doc: "Gradient of tanh from its result.",
  })],
  asinh: smooth(
    "asinh",
    "Inverse hyperbolic sine.",
    "self",
    (c) => c.grad.mul(c.self.mul(c.self).add(1).rsqrt()),
    {
      aliases: ["arcsinh"],
    },
  ),
  acosh: smooth(
    "acosh",
    "Inverse hyperbolic cosine.",
    "self",
    (c) =>
      // The root of a product is not that of its factors where these are complex.
      c.grad.mul(
        c.self.dtype.kind === Kind.complex
          ? c.self.add(1).rsqrt().mul(c.self.sub(1).rsqrt())
          : c.self.mul(c.self).sub(1).rsqrt(),
      ),
    {
      aliases: ["arccosh"],
    },
  ),
  atanh: smooth(
    "atanh",
    "Inverse hyperbolic tangent.",
    "self",
    (c) => c.grad.div(c.self.mul(c.self).rsub(1)),
    {
      aliases: ["arctanh"],
    },
  ),
  erf: smooth(
    "erf",
    "Error function.",
    "self",
    (c) => c.grad.mul(c.self.mul(c.self).neg().exp()).mul(2 / Math.sqrt(Math.PI)),
    { aliases: ["special_erf"] },
  ),
  erfc: smooth(
    "erfc",
    "Complementary error function.",
    "self",
    (c) => c.grad.mul(c.self.mul(c.self).neg().exp()).mul(-2 / Math.sqrt(Math.PI)),
    { aliases: ["special_erfc"] },
  ),
  erfinv: smooth(
    "erfinv",
    "Inverse error function.",
    "result",
    (c) => c.grad.mul(c.result.mul(c.result).exp()).mul(Math.sqrt(Math.PI) / 2),
    { aliases: ["special_erfinv"] },
  ),
  deg2rad: smooth("deg2rad", "Degrees to radians.", "self", (c) => c.grad.mul(Math.PI / 180), { saves: [] }),
  rad2deg: smooth("rad2deg", "Radians to degrees.", "self", (c) => c.grad.mul(180 / Math.PI), { saves: [] }),
  sinc: smooth("sinc", "Normalized sinc: sin(pi x) / (pi x).", "self", (c) => {
    const x = c.self.mul(Math.PI);
    const d = x.cos().mul(x).sub(x.sin()).div(x.mul(c.self));
    return c.grad.mul(d.masked_fill(c.self.eq(0), 0));
  }, { aliases: ["special_sinc"] }),
  ceil: rounding("ceil", "Rounds up."),
  floor: rounding("floor", "Rounds down."),
  trunc: rounding("trunc", "Rounds towards zero.", { aliases: ["fix"] }),
  round: [op({
    schema: "round(Tensor self, *, int decimals=0) -> Tensor",
    impl: (self: Tensor, decimals: number) => {
      if (decimals === 0) return unarySame("round", "identity")(self);
      if (self.dtype.kind < Kind.float) {
        throw new RuntimeError(`"round_vml_cpu" not implemented for '${self.dtype.scalarName}'`);
      }
      return withParams(decimals > 0 ? "round_decimals" : "round_tens", self, [10 ** Math.abs(decimals)]);
    },
    plain: true,
    direct: true,
    inplace: true,
    aliases: ["special_round"],
    derivative: { self: (c) => c.grad.new_zeros(c.grad.sizes) },
    doc: "Rounds to the nearest integer, halves to even.",
  })],
  frac: [op({
    schema: "frac(Tensor self) -> Tensor",
    impl: unarySame("frac"),
    plain: true,
    direct: true,
    inplace: true,
    derivative: { self: (c) => c.grad },
    doc: "The fractional part of each element.",
  })],
  atan2: [op({
    schema: "atan2(Tensor self, Tensor other) -> Tensor",
    impl: (a: Tensor, b: Tensor) => binaryIn("atan2", a, b, toFloating(resultType2(a, b))),
    plain: true,
    direct: true,
    inplace: true,
    aliases: ["arctan2"],
    saves: ["self", "other"],
    derivative: {
      "self, other": (c) => {
        const r = c.grad.div(c.self.mul(c.self).add(c.other.mul(c.other)));
        return [r.mul(c.other), r.mul(c.self.neg())];
      },
    },
    doc: "The angle of the point (other, self).",
  })],
  hypot: [op({
    schema: "hypot(Tensor self, Tensor other) -> Tensor",
    impl: (a: Tensor, b: Tensor) => binaryIn("hypot", a, b, resultType2(a, b)),
    plain: true,
    direct: true,
    inplace: true,
    saves: ["self", "other", "result"],
    derivative: {
      self: (c) => c.grad.mul(c.self.div(c.result)),
      other: (c) => c.grad.mul(c.other.div(c.result)),
    },
    doc: "The length of the hypotenuse.",
  })],
  copysign: [op({
    schema: "copysign(Tensor self, Operand other) -> Tensor",
    impl: (a: Tensor, b: Operand) => binaryIn("copysign", a, b, toFloating(resultType2(a, b))),
    plain: true,
    direct: true,
    inplace: true,
    saves: ["self", "result"],
    derivative: {
      self: (c) => c.grad.mul(c.result.div(c.self).masked_fill(c.self.eq(0), 0)),
      other: (c) => c.grad.new_zeros(c.grad.sizes),
    },
    doc: "The magnitude of `self` with the sign of `other`.",
  })],
  nextafter: [op({
    schema: "nextafter(Tensor self, Tensor other) -> Tensor",
    impl: (a: Tensor, b: Tensor) => binaryIn("nextafter", a, b, resultType2(a, b)),
    plain: true,
    direct: true,
    inplace: true,
    derivative: { self: "notImplemented", other: "notImplemented" },
    doc: "The next representable number towards `other`.",
  })],
  heaviside: [op({
    schema: "heaviside(Tensor self, Tensor values) -> Tensor",
    impl: (a: Tensor, b: Tensor) => {
      if (a.dtype !== b.dtype) {
        throw new RuntimeError("heaviside is not yet implemented for tensors with different dtypes.");
      }
      return binaryIn("heaviside", a, b, a.dtype);
    },
    plain: true,
    direct: true,
    inplace: true,
    derivative: { self: "notImplemented", values: "notImplemented" },
    doc: "The Heaviside step function.",
  })],
  gcd: [op({
    schema: "gcd(Tensor self, Tensor other) -> Tensor",
    impl: (a: Tensor, b: Tensor) => integerOnly("gcd", a, b),
    plain: true,
    direct: true,
    inplace: true,
    doc: "Greatest common divisor.",
  })],
  lcm: [op({
    schema: "lcm(Tensor self, Tensor other) -> Tensor",
    impl: (a: Tensor, b: Tensor) => integerOnly("lcm", a, b),
    plain: true,
    direct: true,
    inplace: true,
    doc: "Least common multiple.",
  })],
  ldexp: [op({
    schema: "ldexp(Tensor self, Tensor other) -> Tensor",
    composite: (self: Tensor, other: Tensor) =>
      self.mul(other.new_full([], 2, { dtype: toFloating(other.dtype) }).pow(other)),
    inplace: true,
    doc: "self * 2^other.",
  })],
  logaddexp: softMaximum("logaddexp", "log(exp(self) + exp(other))."),
  logaddexp2: softMaximum("logaddexp2", "log2(2^self + 2^other)."),
  xlogy: xlog("xlogy", "self * log(other), 0 where self is 0.", {
    aliases: ["special_xlogy"],
  }),
  special_xlog1py: xlog("xlog1py", "self * log1p(other), 0 where self is 0.", {
    inplace: false,
    only: "function",
  }),
  logit: [op({
    schema: "logit(Tensor self, float? eps=None) -> Tensor",
    impl: (self: Tensor, eps: number | null) =>
      withParams("logit", self, [eps ?? -1], toFloating(self.dtype)),
    plain: true,
    direct: true,
    inplace: true,
    aliases: ["special_logit"],
    saves: ["self"],
    derivative: {
      self: (c) => {
        const d = c.grad.div(c.self.mul(c.self.rsub(1)));
        const low = c.eps ?? 0;
        const inside = c.self.ge(low).logical_and(c.self.le(1 - low));
        return c.eps === null ? d.where(inside, d.new_full([], NaN)) : d.where(inside, d.new_zeros([]));
      },
    },
    doc: "log(x / (1 - x)), with x clamped to [eps, 1 - eps].",
  })],
  sigmoid: smooth("sigmoid", "1 / (1 + exp(-x)).", "result", (c) => c.grad.sigmoid_backward(c.result), {
    aliases: ["special_expit"],
  }),
  sigmoid_backward: [op({
    schema: "sigmoid_backward(Tensor self, Tensor output) -> Tensor",
    impl: (grad: Tensor, output: Tensor) => binaryIn("sigmoid_backward", grad, output, output.dtype),
    plain: true,
    saves: { self: "output", output: "self, output" },
    derivative: {
      self: (c) => c.grad.sigmoid_backward(c.output),
      output: (c) => c.grad.mul(c.self).mul(c.output.mul(-2).add(1)),
    },
    doc: "Gradient of sigmoid from its result.",
  })],
};

function integerOnly(name: "gcd" | "lcm", a: Tensor, b: Tensor): Tensor {
  const dtype = resultType2(a, b);
  if (dtype.kind !== Kind.int) {
    throw new RuntimeError(`"${name}_cpu" not implemented for '${dtype.scalarName}'`);
  }
  return binaryIn(name, a, b, dtype);
}
