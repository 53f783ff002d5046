/**
 * Arithmetic, comparison, logic and bits.
 *
 * @module
 */
import { bool, can_cast, complex128, DType, float32, float64, Kind, toReal } from "../base/dtype.ts";
import { RuntimeError } from "../base/errors.ts";
import {
  Complex,
  isZero,
  negative,
  pyfloat,
  type Scalar,
  scalarDtype,
  scalarKind,
  toNumber,
} from "../base/scalar.ts";
import { type Ctx, op, type Table } from "../dispatch/op.ts";
import { resultFor, runPointwise } from "../dispatch/iterator.ts";
import { target } from "../dispatch/target.ts";
import { resultType, resultType2, toFloating } from "../dispatch/promotion.ts";
import { Tensor } from "../tensor.ts";
import { complexRefusal } from "./complex_refusals.ts";
import {
  binaryIn,
  binaryPromote,
  binaryTo,
  compare,
  formula,
  numberParams,
  type Operand,
  tensorOf,
  ternaryIn,
  test,
  unaryFloat,
  unarySame,
  withParams,
} from "./elementwise.ts";

function isBool(x: Operand): boolean {
  return x instanceof Tensor ? x.dtype === bool : typeof x === "boolean";
}

function checkAlpha(dtype: DType, alpha: Scalar): void {
  if (typeof alpha === "boolean" && dtype !== bool) {
    throw new RuntimeError("Boolean alpha only supported for Boolean results.");
  }
  if (dtype.kind < Kind.complex && alpha instanceof Complex) {
    throw new RuntimeError("For non-complex input tensors, argument alpha must not be a complex number.");
  }
  if (dtype.kind < Kind.float && scalarKind(alpha) >= Kind.float) {
    throw new RuntimeError("For integral input tensors, argument alpha must not be a floating point number.");
  }
}

function addOrSub(plain: "add" | "sub", scaled: "add_alpha" | "sub_alpha") {
  return (self: Operand, other: Operand, alpha: Scalar): Tensor => {
    const dtype = resultType2(self, other);
    if (plain === "sub" && (isBool(self) || isBool(other))) {
      throw new RuntimeError(
        isBool(self) && isBool(other)
          ? "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or `logical_xor()` operator instead."
          : "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a mask, use the `~` or `logical_not()` operator instead.",
      );
    }
    if (alpha === 1) return binaryIn(plain, self, other, dtype);
    checkAlpha(dtype, alpha);
    return binaryIn(scaled, self, other, dtype, numberParams(dtype, alpha));
  };
}

const scaleBy = (g: Tensor, alpha: Scalar): Tensor => alpha === 1 ? g : g.mul(alpha);

/** Rethrows the kernel's refusal of an integer zero as PyTorch's error. */
function zeroDivision<T>(body: () => T): T {
  try {
    return body();
  } catch (e) {
    if (e instanceof RuntimeError && /a value is out of range/.test(e.message)) {
      throw new RuntimeError("ZeroDivisionError");
    }
    throw e;
  }
}

function divide(self: Operand, other: Operand, rounding: string | null): Tensor {
  const common = resultType2(self, other);
  if (rounding === null) return binaryIn("div", self, other, toFloating(common));
  if (rounding !== "trunc" && rounding !== "floor") {
    throw new RuntimeError(
      `div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '${rounding}'`,
    );
  }
  return zeroDivision(() => binaryIn(rounding === "trunc" ? "div_trunc" : "div_floor", self, other, common));
}

function power(self: Operand, exponent: Operand): Tensor {
  const dtype = resultType2(self, exponent);
  if (exponent instanceof Complex && exponent.im === 0) return power(self, pyfloat(exponent.re));
  if (!(exponent instanceof Tensor) && !(exponent instanceof Complex) && self instanceof Tensor) {
    const e = toNumber(exponent);
    if (dtype.kind < Kind.float && e < 0) {
      throw new RuntimeError("Integers to negative integer powers are not allowed.");
    }
    if (dtype.kind >= Kind.float) {
      if (e === 2) return withParams("square", self, null, dtype);
      if (e === 3) return withParams("cube", self, null, dtype);
      if (e === 0.5) return withParams("sqrt", self, null, dtype);
      if (e === -0.5) return withParams("rsqrt", self, null, dtype);
      if (e === -1) return withParams("reciprocal", self, null, dtype);
      if (e === -2) return withParams("reciprocal", withParams("square", self, null, dtype), null, dtype);
      if (e === 1) return withParams("copy", self, null, dtype);
      if (e === 0 && dtype.kind === Kind.complex) {
        const out = resultFor(self.sizes, dtype, self.storage.backend, self);
        runPointwise(formula("copy"), dtype.compute, out, [1]);
        return out;
      }
    }
  }
  return binaryIn("pow", self, exponent, dtype);
}

/** d pow / d self = exponent * self^(exponent - 1), 0 where the exponent is 0. */
function powBackwardSelf(c: Ctx): Tensor {
  const { grad, self, exponent } = c;
  if (exponent instanceof Tensor) {
    const safe = exponent.eq(0).logical_not();
    const d = exponent.mul(self.pow(exponent.sub(1)));
    return grad.mul(d.where(safe, d.new_zeros([])));
  }
  if (isZero(exponent)) return grad.new_zeros(grad.sizes);
  if (exponent instanceof Complex) {
    return grad.mul(self.pow(new Complex(exponent.re - 1, exponent.im)).mul(exponent));
  }
  const e = toNumber(exponent);
  if (e === 2) return grad.mul(self).mul(2);
  return grad.mul(self.pow(pyfloat(e - 1)).mul(exponent));
}

function isNonNegative(x: Tensor): Tensor {
  return x.dtype.kind === Kind.complex ? x.real.ge(0).logical_and(x.imag.eq(0)) : x.ge(0);
}

function powBackwardExponent(c: Ctx): Tensor {
  const { grad, self, exponent, result } = c;
  const base = self instanceof Tensor ? self : grad.new_full([], self, { dtype: result.dtype });
  const zero = result.new_zeros([]);
  // At base 0 and a non-negative exponent the limit is 0, where 0 * log 0 would be NaN.
  const atZero = base.eq(0).logical_and(isNonNegative(exponent));
  return grad.mul(zero.where(atZero, result.mul(base.log())));
}

/** PyTorch has in-place forms of comparisons; they keep the tensor's dtype. */
const comparison = (name: "eq" | "ne" | "lt" | "le" | "gt" | "ge", doc: string, alias: string) =>
  op({
    schema: `${name}(Operand self, Operand other) -> Tensor`,
    impl: compare(name),
    plain: true,
    direct: true,
    inplace: true,
    aliases: [alias],
    doc,
  });

const logical = (name: "logical_and" | "logical_or" | "logical_xor", doc: string) =>
  op({
    schema: `${name}(Tensor self, Operand other) -> Tensor`,
    impl: compare(name),
    plain: true,
    direct: true,
    inplace: true,
    doc,
  });

function bitwise(
  name: "bitwise_and" | "bitwise_or" | "bitwise_xor",
  onBool: "logical_and" | "logical_or" | "logical_xor",
) {
  return (self: Operand, other: Operand): Tensor => {
    const dtype = resultType2(self, other);
    if (dtype.kind >= Kind.float) {
      throw new RuntimeError(`"${name}_cpu" not implemented for '${dtype.scalarName}'`);
    }
    return dtype === bool ? binaryTo(onBool, self, other, bool, bool) : binaryIn(name, self, other, dtype);
  };
}

function shift(name: "bitwise_left_shift" | "bitwise_right_shift") {
  return (self: Operand, other: Operand): Tensor => {
    const dtype = resultType2(self, other);
    if (dtype.kind !== Kind.int) {
      throw new RuntimeError(
        `"${
          name === "bitwise_left_shift" ? "lshift" : "rshift"
        }_cpu" not implemented for '${dtype.scalarName}'`,
      );
    }
    return binaryIn(name, self, other, dtype);
  };
}

const maskOfWinner = (c: Ctx, greater: "ge" | "le", name: "self" | "other"): Tensor => {
  const { grad, self, other } = c;
  const mine = name === "self" ? self : other, theirs = name === "self" ? other : self;
  const strict = greater === "ge" ? mine.le(theirs) : mine.ge(theirs);
  // Equal values share the gradient.
  return grad.div(2).where(mine.eq(theirs), grad).masked_fill(
    strict.logical_and(mine.eq(theirs).logical_not()),
    0,
  );
};

/** clamp with numbers: gradient 1 inside and on the bounds. */
function clampMask(self: Tensor, min: Operand | null, max: Operand | null): Tensor {
  const low = min === null ? null : self.ge(min), high = max === null ? null : self.le(max);
  return low === null ? high! : high === null ? low : low.logical_and(high);
}

function clamp(self: Tensor, min: Operand | null, max: Operand | null): Tensor {
  if (min === null && max === null) {
    throw new RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None");
  }
  const operands: Operand[] = [self];
  if (min !== null) operands.push(min);
  if (max !== null) operands.push(max);
  const dtype = resultType(operands);
  if (dtype.kind === Kind.complex) throw complexRefusal("clamp", dtype);
  if (min === null) return binaryIn("minimum", self, max!, dtype);
  if (max === null) return binaryIn("maximum", self, min, dtype);
  if (
    !(min instanceof Tensor) && !(max instanceof Tensor) &&
    (Number.isNaN(Number(min)) || Number.isNaN(Number(max)))
  ) {
    return binaryIn("mul", self, NaN, dtype);
  }
  return ternaryIn("clamp", self, min, max, dtype);
}

const clampDerivative = {
  self: (c: Ctx) => c.grad.where(clampMask(c.self, c.min, c.max), c.grad.new_zeros([])),
  min: (c: Ctx) => {
    const hit = c.max === null ? c.self.lt(c.min) : c.self.lt(c.min).logical_and(c.min.lt(c.max));
    return c.grad.where(hit, c.grad.new_zeros([]));
  },
  max: (c: Ctx) => {
    const hit = c.min === null ? c.self.gt(c.max) : c.self.gt(c.max).logical_or(c.max.lt(c.min));
    return c.grad.where(hit, c.grad.new_zeros([]));
  },
};

function where(self: Operand, condition: Tensor, other: Operand): Tensor {
  if (condition.dtype !== bool && condition.dtype.name !== "uint8") {
    throw new RuntimeError(
      `where expected condition to be a boolean tensor, but got a tensor with dtype ${condition.dtype.scalarName}`,
    );
  }
  const dtype = resultType([self, other]);
  return ternaryIn("where", condition, self, other, dtype);
}

function remainderDivisor(c: Ctx, mode: "floor" | "trunc"): Tensor {
  return c.grad.neg().mul(c.self.div(c.other, { rounding_mode: mode }));
}

export const arithmetic: Table = {
  add: [op({
    schema: "add(Operand self, Operand other, *, Scalar alpha=1) -> Tensor",
    impl: addOrSub("add", "add_alpha"),
    plain: true,
    direct: true,
    inplace: true,
    derivative: { self: (c) => c.grad, other: (c) => scaleBy(c.grad, c.alpha) },
    doc: "Adds `other`, scaled by `alpha`, to `self`.",
  })],
  sub: [op({
    schema: "sub(Operand self, Operand other, *, Scalar alpha=1) -> Tensor",
    impl: addOrSub("sub", "sub_alpha"),
    plain: true,
    direct: true,
    inplace: true,
    aliases: ["subtract"],
    derivative: { self: (c) => c.grad, other: (c) => c.grad.mul(negative(c.alpha)) },
    doc: "Subtracts `other`, scaled by `alpha`, from `self`.",
  })],
  rsub: [op({
    schema: "rsub(Tensor self, Operand other, *, Scalar alpha=1) -> Tensor",
    impl: (self: Tensor, other: Operand, alpha: Scalar) => addOrSub("sub", "sub_alpha")(other, self, alpha),
    node: ([, other]) => other instanceof Tensor ? "RsubBackward0" : "RsubBackward1",
    plain: true,
    derivative: { self: (c) => c.grad.mul(negative(c.alpha)), other: (c) => c.grad },
    doc: "Subtracts `self`, scaled by `alpha`, from `other`.",
  })],
  mul: [op({
    schema: "mul(Operand self, Operand other) -> Tensor",
    impl: binaryPromote("mul"),
    plain: true,
    direct: true,
    inplace: true,
    aliases: ["multiply"],
    saves: { self: "other", other: "self" },
    derivative: { self: (c) => c.grad.mul(c.other), other: (c) => c.grad.mul(c.self) },
    doc: "Multiplies `self` by `other`.",
  })],
  div: [op({
    schema: "div(Operand self, Operand other, *, str? rounding_mode=None) -> Tensor",
    impl: divide,
    plain: true,
    direct: true,
    inplace: true,
    aliases: ["divide"],
    saves: { self: "other", other: "self, other" },
    derivative: {
      self: (c) => c.rounding_mode === null ? c.grad.div(c.other) : c.grad.new_zeros(c.grad.sizes),
      other: (c) =>
        c.rounding_mode === null
          ? c.grad.neg().mul(div(c.self, c.other).div(c.other))
          : c.grad.new_zeros(c.grad.sizes),
    },
    doc: "Divides `self` by `other`; `rounding_mode` is null, `'trunc'` or `'floor'`.",
  })],
  true_divide: [op({
    schema: "true_divide(Operand self, Operand other) -> Tensor",
    impl: (self: Operand, other: Operand) => divide(self, other, null),
    plain: true,
    direct: true,
    node: "DivBackward0",
    saves: { self: "other", other: "self, other" },
    derivative: {
      self: (c) => c.grad.div(c.other),
      other: (c) => c.grad.neg().mul(div(c.self, c.other).div(c.other)),
    },
    inplace: true,
    doc: "Divides in floating point: `div` without rounding.",
  })],
  floor_divide: [op({
    schema: "floor_divide(Operand self, Operand other) -> Tensor",
    impl: (self: Operand, other: Operand) => divide(self, other, "floor"),
    plain: true,
    direct: true,
    inplace: true,
    doc: "Divides and rounds down.",
  })],
  remainder: [op({
    schema: "remainder(Operand self, Operand other) -> Tensor",
    impl: (a: Operand, b: Operand) => zeroDivision(() => binaryPromote("remainder")(a, b)),
    plain: true,
    direct: true,
    inplace: true,
    saves: { self: "other", other: "other" },
    derivative: { self: (c) => c.grad, other: (c) => remainderDivisor(c, "floor") },
    doc: "Python's modulus: the result has the sign of the divisor.",
  })],
  fmod: [op({
    schema: "fmod(Tensor self, Operand other) -> Tensor",
    impl: (a: Operand, b: Operand) => zeroDivision(() => binaryPromote("fmod")(a, b)),
    plain: true,
    direct: true,
    inplace: true,
    saves: { self: "other", other: "other" },
    derivative: { self: (c) => c.grad, other: (c) => remainderDivisor(c, "trunc") },
    doc: "C's fmod: the result has the sign of the dividend.",
  })],
  pow: [op({
    schema: "pow(Operand self, Operand exponent) -> Tensor",
    impl: power,
    node: ([self, exponent]) =>
      !(exponent instanceof Tensor)
        ? "PowBackward0"
        : self instanceof Tensor
        ? "PowBackward1"
        : "PowBackward2",
    plain: true,
    direct: true,
    inplace: true,
    saves: { self: "self, exponent", exponent: "self, exponent", result: "exponent" },
    derivative: { self: powBackwardSelf, exponent: powBackwardExponent },
    doc: "Raises `self` to the power `exponent`.",
  })],
  float_power: [op({
    schema: "float_power(Operand self, Operand exponent) -> Tensor",
    composite: (self: Operand, exponent: Operand) => {
      const wide = [self, exponent].some((x) =>
          x instanceof Tensor ? x.dtype.kind === Kind.complex : x instanceof Complex
        )
        ? complex128
        : float64;
      const d = (x: Operand) =>
        x instanceof Tensor ? x.to(wide) : x;
      const a = d(self), b = d(exponent);
      return a instanceof Tensor
        ? a.pow(b)
        : tensorOf("float_power", a, b).new_full([], a, { dtype: wide }).pow(b);
    },
    inplace: true,
    doc: "Power in double precision.",
  })],
  square: [op({
    schema: "square(Tensor self) -> Tensor",
    composite: (self: Tensor) => self.pow(2),
    inplace: true,
    doc: "Returns the square of each element.",
  })],
  neg: [op({
    schema: "neg(Tensor self) -> Tensor",
    impl: (self: Tensor) => {
      if (self.dtype === bool) {
        throw new RuntimeError(
          "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, use the `~` or `logical_not()` operator instead.",
        );
      }
      return unarySame("neg")(self);
    },
    plain: true,
    direct: true,
    inplace: true,
    aliases: ["negative"],
    derivative: { self: (c) => c.grad.neg() },
    doc: "Returns the negative of each element.",
  })],
  positive: [op({
    schema: "positive(Tensor self) -> Tensor",
    composite: (self: Tensor) => {
      if (self.dtype === bool) throw new RuntimeError("The `+` operator, on a bool tensor is not supported.");
      return self;
    },
    doc: "Returns the input.",
  })],
  abs: [op({
    schema: "abs(Tensor self) -> Tensor",
    impl: (self: Tensor) => {
      const d = toReal(self.dtype);
      if (d !== self.dtype && target.tensor !== null) {
        throw new RuntimeError("In-place abs is not supported for complex tensors.");
      }
      const out = resultFor(self.sizes, d, self.storage.backend, self);
      runPointwise(formula("abs"), self.dtype.compute, out, [self]);
      return out;
    },
    plain: true,
    direct: true,
    inplace: true,
    aliases: ["absolute"],
    saves: ["self"],
    derivative: { self: (c) => c.grad.mul(c.self.sgn()) },
    doc: "Returns the absolute value of each element.",
  })],
  sign: [op({
    schema: "sign(Tensor self) -> Tensor",
    impl: (self: Tensor) => {
      if (self.dtype.kind === Kind.complex) throw complexRefusal("sign", self.dtype);
      return unarySame("sign")(self);
    },
    plain: true,
    direct: true,
    inplace: true,
    derivative: { self: (c) => c.grad.new_zeros(c.grad.sizes) },
    doc: "Returns -1, 0 or 1 by the sign of each element.",
  })],
  reciprocal: [op({
    schema: "reciprocal(Tensor self) -> Tensor",
    impl: unaryFloat("reciprocal"),
    plain: true,
    direct: true,
    inplace: true,
    saves: ["result"],
    derivative: { self: (c) => c.grad.neg().mul(c.result.mul(c.result)) },
    doc: "Returns 1 divided by each element.",
  })],
  maximum: [op({
    schema: "maximum(Tensor self, Tensor other) -> Tensor",
    impl: binaryPromote("maximum"),
    plain: true,
    direct: true,
    saves: ["self", "other"],
    derivative: { self: (c) => maskOfWinner(c, "ge", "self"), other: (c) => maskOfWinner(c, "ge", "other") },
    doc: "The larger of two elements; NaN if either is.",
  })],
  minimum: [op({
    schema: "minimum(Tensor self, Tensor other) -> Tensor",
    impl: binaryPromote("minimum"),
    plain: true,
    direct: true,
    saves: ["self", "other"],
    derivative: { self: (c) => maskOfWinner(c, "le", "self"), other: (c) => maskOfWinner(c, "le", "other") },
    doc: "The smaller of two elements; NaN if either is.",
  })],
  fmax: [op({
    schema: "fmax(Tensor self, Tensor other) -> Tensor",
    impl: (a: Tensor, b: Tensor) =>
      binaryIn(resultType2(a, b).kind < Kind.float ? "maximum" : "fmax", a, b, resultType2(a, b)),
    plain: true,
    direct: true,
    saves: ["self", "other"],
    derivative: {
      self: (c) => c.grad.masked_fill(c.self.ge(c.other).logical_or(c.other.isnan()).logical_not(), 0),
      other: (c) => c.grad.masked_fill(c.self.ge(c.other).logical_or(c.other.isnan()), 0),
    },
    doc: "The larger of two elements; a number wins over NaN.",
  })],
  fmin: [op({
    schema: "fmin(Tensor self, Tensor other) -> Tensor",
    impl: (a: Tensor, b: Tensor) =>
      binaryIn(resultType2(a, b).kind < Kind.float ? "minimum" : "fmin", a, b, resultType2(a, b)),
    plain: true,
    direct: true,
    saves: ["self", "other"],
    derivative: {
      self: (c) => c.grad.masked_fill(c.self.le(c.other).logical_or(c.other.isnan()).logical_not(), 0),
      other: (c) => c.grad.masked_fill(c.self.le(c.other).logical_or(c.other.isnan()), 0),
    },
    doc: "The smaller of two elements; a number wins over NaN.",
  })],
  clamp: [op({
    schema: "clamp(Tensor self, Operand? min=None, Operand? max=None) -> Tensor",
    impl: clamp,
    plain: true,
    direct: true,
    inplace: true,
    aliases: ["clip"],
    node: "ClampBackward1",
    saves: ["self", "min", "max"],
    derivative: clampDerivative,
    doc: "Limits each element to [min, max].",
  })],
  clamp_min: [op({
    schema: "clamp_min(Tensor self, Operand min) -> Tensor",
    impl: (self: Tensor, min: Operand) => clamp(self, min, null),
    plain: true,
    direct: true,
    inplace: true,
    saves: ["self", "min"],
    derivative: {
      self: (c) => c.grad.where(c.self.ge(c.min), c.grad.new_zeros([])),
      min: (c) => c.grad.where(c.self.lt(c.min), c.grad.new_zeros([])),
    },
    doc: "Limits each element from below.",
  })],
  clamp_max: [op({
    schema: "clamp_max(Tensor self, Operand max) -> Tensor",
    impl: (self: Tensor, max: Operand) => clamp(self, null, max),
    plain: true,
    direct: true,
    inplace: true,
    saves: ["self", "max"],
    derivative: {
      self: (c) => c.grad.where(c.self.le(c.max), c.grad.new_zeros([])),
      max: (c) => c.grad.where(c.self.gt(c.max), c.grad.new_zeros([])),
    },
    doc: "Limits each element from above.",
  })],
  lerp: [op({
    schema: "lerp(Tensor self, Tensor end, Operand weight) -> Tensor",
    impl: (self: Tensor, end: Tensor, weight: Operand) => {
      if (self.dtype !== end.dtype) {
        throw new RuntimeError(
          `expected dtype ${self.dtype.name} for \`end\` but got dtype ${end.dtype.name}`,
        );
      }
      if (weight instanceof Tensor && weight.dtype !== self.dtype) {
        throw new RuntimeError(
          `expected dtype ${self.dtype.name} for \`weight\` but got dtype ${weight.dtype.name}`,
        );
      }
      return ternaryIn("lerp", self, end, weight, self.dtype);
    },
    plain: true,
    direct: true,
    inplace: true,
    saves: { self: "weight", end: "weight", weight: "self, end" },
    derivative: {
      self: (c) => c.grad.sub(c.grad.mul(c.weight)),
      end: (c) => c.grad.mul(c.weight),
      weight: (c) => c.grad.mul(c.end.sub(c.self)),
    },
    doc: "Interpolates linearly: `self + weight * (end - self)`.",
  })],
  addcmul: [op({
    schema: "addcmul(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor",
    impl: (self: Tensor, a: Tensor, b: Tensor, value: Scalar) => {
      const dtype = resultType([self, a, b]);
      return ternaryIn("addcmul", self, a, b, dtype, numberParams(dtype, value));
    },
    plain: true,
    direct: true,
    inplace: true,
    saves: { tensor1: "tensor2", tensor2: "tensor1" },
    derivative: {
      self: (c) => c.grad,
      tensor1: (c) => c.grad.mul(c.tensor2.mul(c.value)),
      tensor2: (c) => c.grad.mul(c.tensor1.mul(c.value)),
    },
    doc: "`self + value * tensor1 * tensor2`.",
  })],
  addcdiv: [op({
    schema: "addcdiv(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor",
    impl: (self: Tensor, a: Tensor, b: Tensor, value: Scalar) => {
      if (a.dtype.kind < Kind.float && b.dtype.kind < Kind.float) {
        throw new RuntimeError(
          "Integer division with addcdiv is no longer supported, and in a future  release addcdiv will perform a true division of tensor1 and tensor2. The historic addcdiv behavior can be implemented as (input + value * torch.trunc(tensor1 / tensor2)).to(input.dtype) for integer inputs and as (input + value * tensor1 / tensor2) for float inputs. The future addcdiv behavior is just the latter implementation: (input + value * tensor1 / tensor2), for all dtypes.",
        );
      }
      const dtype = resultType([self, a, b]);
      return ternaryIn("addcdiv", self, a, b, dtype, numberParams(dtype, value));
    },
    plain: true,
    direct: true,
    inplace: true,
    saves: { tensor1: "tensor2", tensor2: "tensor1, tensor2" },
    derivative: {
      self: (c) => c.grad,
      tensor1: (c) => c.grad.mul(c.value).div(c.tensor2),
      tensor2: (c) => c.grad.neg().mul(c.tensor1.mul(c.value).div(c.tensor2.mul(c.tensor2))),
    },
    doc: "`self + value * tensor1 / tensor2`.",
  })],
  where: [
    op({
      schema: "where(Tensor condition, Operand self, Operand other) -> Tensor",
      impl: (condition: Tensor, self: Operand, other: Operand) => where(self, condition, other),
      plain: true,
      only: "function",
      saves: ["condition"],
      derivative: {
        condition: "nonDifferentiable",
        self: (c) => c.grad.where(c.condition, c.grad.new_zeros([])),
        other: (c) => c.grad.new_zeros([]).where(c.condition, c.grad),
      },
      doc: "`self` where `condition` is true, else `other`.",
    }),
    op({
      schema: "where(Tensor self, Tensor condition, Operand other) -> Tensor",
      impl: where,
      plain: true,
      only: "method",
      saves: ["condition"],
      derivative: {
        self: (c) => c.grad.where(c.condition, c.grad.new_zeros([])),
        condition: "nonDifferentiable",
        other: (c) => c.grad.new_zeros([]).where(c.condition, c.grad),
      },
      doc: "`self` where `condition` is true, else `other`.",
    }),
    op({
      schema: "where(Tensor condition) -> Tensor[]",
      composite: (condition: Tensor) => condition.nonzero({ as_tuple: true }),
      only: "function",
      doc: "The indices of true elements, one tensor per dimension.",
    }),
  ],
  masked_fill: [op({
    schema: "masked_fill(Tensor self, Tensor mask, Operand value) -> Tensor",
    impl: (self: Tensor, mask: Tensor, value: Operand) => {
      if (mask.dtype !== bool && mask.dtype.name !== "uint8") {
        throw new RuntimeError(`expected mask dtype to be Bool but got ${mask.dtype.scalarName}`);
      }
      if (value instanceof Tensor && value.sizes.length > 0) {
        throw new RuntimeError(
          `masked_fill only supports a 0-dimensional value tensor, but got tensor with ${value.sizes.length} dimension(s).`,
        );
      }
      const kind = value instanceof Tensor ? value.dtype.kind : scalarKind(value);
      if (
        value instanceof Tensor
          ? !can_cast(value.dtype, self.dtype)
          : kind > Math.max(self.dtype.kind, Kind.int)
      ) {
        throw new RuntimeError(
          `value cannot be converted to type ${
            self.dtype === float32 ? "float" : self.dtype.name
          }_t without overflow`,
        );
      }
      return ternaryIn("where", mask, value, self, self.dtype);
    },
    plain: true,
    direct: true,
    inplace: true,
    saves: ["mask"],
    derivative: {
      self: (c) => c.grad.masked_fill(c.mask, 0),
      mask: "nonDifferentiable",
      value: (c) => c.grad.where(c.mask, c.grad.new_zeros([])).sum(),
    },
    doc: "Fills elements with `value` where `mask` is true.",
  })],
  eq: [comparison("eq", "Elementwise equality.", "_eq")],
  ne: [comparison("ne", "Elementwise inequality.", "not_equal")],
  lt: [comparison("lt", "Elementwise `self < other`.", "less")],
  le: [comparison("le", "Elementwise `self <= other`.", "less_equal")],
  gt: [comparison("gt", "Elementwise `self > other`.", "greater")],
  ge: [comparison("ge", "Elementwise `self >= other`.", "greater_equal")],
  logical_and: [logical("logical_and", "Elementwise logical AND.")],
  logical_or: [logical("logical_or", "Elementwise logical OR.")],
  logical_xor: [logical("logical_xor", "Elementwise logical XOR.")],
  logical_not: [op({
    schema: "logical_not(Tensor self) -> Tensor",
    impl: test("logical_not"),
    plain: true,
    direct: true,
    inplace: true,
    doc: "Elementwise logical NOT.",
  })],
  bitwise_not: [op({
    schema: "bitwise_not(Tensor self) -> Tensor",
    impl: (self: Tensor) => {
      if (self.dtype.kind >= Kind.float) {
        throw new RuntimeError(`"bitwise_not_cpu" not implemented for '${self.dtype.scalarName}'`);
      }
      return self.dtype === bool ? test("logical_not")(self) : unarySame("bitwise_not")(self);
    },
    plain: true,
    direct: true,
    inplace: true,
    doc: "Bitwise NOT; logical NOT of bools.",
  })],
  bitwise_and: [op({
    schema: "bitwise_and(Operand self, Operand other) -> Tensor",
    impl: bitwise("bitwise_and", "logical_and"),
    plain: true,
    direct: true,
    inplace: true,
    doc: "Bitwise AND.",
  })],
  bitwise_or: [op({
    schema: "bitwise_or(Operand self, Operand other) -> Tensor",
    impl: bitwise("bitwise_or", "logical_or"),
    plain: true,
    direct: true,
    inplace: true,
    doc: "Bitwise OR.",
  })],
  bitwise_xor: [op({
    schema: "bitwise_xor(Operand self, Operand other) -> Tensor",
    impl: bitwise("bitwise_xor", "logical_xor"),
    plain: true,
    direct: true,
    inplace: true,
    doc: "Bitwise XOR.",
  })],
  bitwise_left_shift: [op({
    schema: "bitwise_left_shift(Operand self, Operand other) -> Tensor",
    impl: shift("bitwise_left_shift"),
    plain: true,
    direct: true,
    inplace: true,
    doc: "Arithmetic left shift.",
  })],
  bitwise_right_shift: [op({
    schema: "bitwise_right_shift(Operand self, Operand other) -> Tensor",
    impl: shift("bitwise_right_shift"),
    plain: true,
    direct: true,
    inplace: true,
    doc: "Arithmetic right shift.",
  })],
  isnan: [op({
    schema: "isnan(Tensor self) -> Tensor",
    impl: floatTest("isnan", false),
    plain: true,
    doc: "Is each element NaN?",
  })],
  isinf: [op({
    schema: "isinf(Tensor self) -> Tensor",
    impl: floatTest("isinf", false),
    plain: true,
    doc: "Is each element infinite?",
  })],
  isposinf: [op({
    schema: "isposinf(Tensor self) -> Tensor",
    impl: floatTest("isposinf", false),
    plain: true,
    doc: "Is each element positive infinity?",
  })],
  isneginf: [op({
    schema: "isneginf(Tensor self) -> Tensor",
    impl: floatTest("isneginf", false),
    plain: true,
    doc: "Is each element negative infinity?",
  })],
  isfinite: [op({
    schema: "isfinite(Tensor self) -> Tensor",
    impl: floatTest("isfinite", true),
    plain: true,
    doc: "Is each element finite?",
  })],
  signbit: [op({
    schema: "signbit(Tensor self) -> Tensor",
    impl: test("signbit"),
    plain: true,
    doc: "Is the sign bit of each element set?",
  })],
  nan_to_num: [op({
    schema: "nan_to_num(Tensor self, float? nan=None, float? posinf=None, float? neginf=None) -> Tensor",
    impl: (self: Tensor, nan: number | null, posinf: number | null, neginf: number | null) => {
      if (self.dtype.kind < Kind.float) return withParams("copy", self, null);
      const largest = largestFinite(self.dtype);
      return withParams("nan_to_num", self, [nan ?? 0, posinf ?? largest, neginf ?? -largest]);
    },
    plain: true,
    direct: true,
    inplace: true,
    saves: ["self"],
    derivative: {
      self: (c) => c.grad.mul(c.self.isinf().logical_or(c.self.isnan()).logical_not()),
    },
    doc: "Replaces NaN and the infinities by numbers.",
  })],
};

function floatTest(name: "isnan" | "isinf" | "isposinf" | "isneginf" | "isfinite", ofIntegers: boolean) {
  const body = test(name);
  return (self: Tensor): Tensor => {
    if (self.dtype.kind >= Kind.float) return body(self);
    const out = resultFor(self.sizes, bool, self.storage.backend, self);
    runPointwise(formula("copy"), bool.compute, out, [ofIntegers]);
    return out;
  };
}

/** The largest finite value of a float dtype. */
export function largestFinite(d: DType): number {
  switch (d.name) {
    case "float16":
      return 65504;
    case "bfloat16":
      return 3.3895313892515355e38;
    case "float64":
      return Number.MAX_VALUE;
    default:
      return 3.4028234663852886e38;
  }
}

// Derivatives may divide or raise a number by a tensor.
function div(a: Operand, b: Operand): Tensor {
  return a instanceof Tensor
    ? a.div(b)
    : (b as Tensor).new_full([], a, { dtype: toFloating(scalarDtype(a)) }).div(b);
}
