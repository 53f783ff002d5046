/**
 * Bodies that elementwise rows share: which dtype they compute in and which they return.
 *
 * @module
 */
import { COMPLEX_FORMULAS, POINTWISE, type PointwiseName } from "../_gen/kernels.ts";
import { bool, type DType, get_default_dtype, Kind } from "../base/dtype.ts";
import { RuntimeError } from "../base/errors.ts";
import { Complex, type Scalar, toNumber } from "../base/scalar.ts";
import { broadcast2, broadcastAll, resultType, resultType2, toFloating } from "../dispatch/promotion.ts";
import { commonBackend, type Operand, resultFor, runPointwise } from "../dispatch/iterator.ts";
import { Tensor } from "../tensor.ts";
import { complexRefusal } from "./complex_refusals.ts";

/** The number of a formula of core/pointwise.def. */
export function formula(name: PointwiseName): number {
  return POINTWISE[name].op;
}

const FLOATS_ONLY = "FLOAT";

function checkKind(name: PointwiseName, d: DType, as: string = name): void {
  if (d.kind < Kind.float && POINTWISE[name].types === FLOATS_ONLY) {
    throw new RuntimeError(`"${as}" not implemented for '${d.scalarName}'`);
  }
  if (d.kind === Kind.complex && !COMPLEX_FORMULAS.has(name)) throw complexRefusal(name, d);
}

/** The parameter of a formula with one number (alpha, value): of a complex one, its parts. */
export function numberParams(d: DType, x: Scalar): readonly number[] {
  if (d.kind !== Kind.complex) return [toNumber(x)];
  return x instanceof Complex ? [x.re, x.im] : [toNumber(x), 0];
}

type Params = readonly number[] | null;

/** Integers become floats: exp, sin, sqrt, ... */
export function unaryFloat(name: PointwiseName): (self: Tensor) => Tensor {
  const op = formula(name);
  return (self) => {
    const d = toFloating(self.dtype);
    checkKind(name, d);
    const out = resultFor(self.sizes, d, self.storage.backend, self);
    runPointwise(op, d.compute, out, [self]);
    return out;
  };
}

/** The result has the input's dtype. `integers`: what to do where there is no formula for integers. */
export function unarySame(
  name: PointwiseName,
  integers: "identity" | "refuse" = "refuse",
): (self: Tensor) => Tensor {
  const op = formula(name), copy = formula("copy");
  return (self) => {
    const identity = self.dtype.kind < Kind.float && POINTWISE[name].types === FLOATS_ONLY;
    if (!identity || integers === "refuse") checkKind(name, self.dtype);
    const out = resultFor(self.sizes, self.dtype, self.storage.backend, self);
    runPointwise(identity ? copy : op, self.dtype.compute, out, [self]);
    return out;
  };
}

/** One input, numbers as parameters, the result in `dtype` (default: the input's). */
export function withParams(
  name: PointwiseName,
  self: Tensor,
  params: Params,
  dtype: DType = self.dtype,
): Tensor {
  checkKind(name, dtype);
  const out = resultFor(self.sizes, dtype, self.storage.backend, self);
  runPointwise(formula(name), dtype.compute, out, [self], params);
  return out;
}

/** One input, bool result. */
export function test(name: PointwiseName): (self: Tensor) => Tensor {
  const op = formula(name);
  return (self) => {
    if (self.dtype.kind === Kind.complex) checkKind(name, self.dtype);
    const out = resultFor(self.sizes, bool, self.storage.backend, self);
    runPointwise(op, self.dtype.compute, out, [self]);
    return out;
  };
}

function sizesOf(x: Operand): readonly number[] {
  return x instanceof Tensor ? x.sizes : [];
}

/** Two operands computed and returned in `dtype`. */
export function binaryIn(
  name: PointwiseName,
  a: Operand,
  b: Operand,
  dtype: DType,
  params: Params = null,
): Tensor {
  return binaryTo(name, a, b, dtype, dtype, params);
}

/** Python's name of a number's type. */
function scalarTypeName(x: Operand): string {
  return typeof x === "boolean" ? "bool" : Number.isInteger(x) || typeof x === "bigint" ? "int" : "float";
}

/** The tensor among two operands; two numbers are refused. */
export function tensorOf(name: string, a: Operand, b: Operand): Tensor {
  if (a instanceof Tensor) return a;
  if (b instanceof Tensor) return b;
  throw new TypeError(`${name}(): argument 'input' (position 1) must be Tensor, not ${scalarTypeName(a)}`);
}

/** Two operands computed in `compute`, returned in `result`. */
export function binaryTo(
  name: PointwiseName,
  a: Operand,
  b: Operand,
  compute: DType,
  result: DType,
  params: Params = null,
): Tensor {
  checkKind(name, compute);
  const like = tensorOf(name, a, b);
  const both = a instanceof Tensor && b instanceof Tensor;
  const sizes = both ? broadcast2(a.sizes, b.sizes) : like.sizes;
  const backend = both && a.storage.backend !== b.storage.backend
    ? commonBackend([a, b])
    : like.storage.backend;
  const out = resultFor(sizes, result, backend, like);
  runPointwise(formula(name), compute.compute, out, [a, b], params);
  return out;
}

/** Arithmetic: the promoted dtype. */
export function binaryPromote(name: PointwiseName): (a: Operand, b: Operand) => Tensor {
  return (a, b) => binaryIn(name, a, b, resultType2(a, b));
}

/** Comparisons: computed in the promoted dtype, bool result. */
export function compare(name: PointwiseName): (a: Operand, b: Operand) => Tensor {
  return (a, b) => binaryTo(name, a, b, resultType2(a, b), bool);
}

/** Three operands computed and returned in `dtype`. */
export function ternaryIn(
  name: PointwiseName,
  a: Operand,
  b: Operand,
  c: Operand,
  dtype: DType = resultType([a, b, c]),
  params: Params = null,
): Tensor {
  checkKind(name, dtype);
  const backend = commonBackend([a, b, c]);
  const sizes = broadcastAll([sizesOf(a), sizesOf(b), sizesOf(c)]);
  const like = a instanceof Tensor ? a : b instanceof Tensor ? b : null;
  const out = resultFor(sizes, dtype, backend, like);
  runPointwise(formula(name), dtype.compute, out, [a, b, c], params);
  return out;
}

/** Two operands of one float dtype: backward formulas of (grad, self). */
export function backward2(name: PointwiseName): (grad: Tensor, other: Tensor) => Tensor {
  const op = formula(name);
  return (grad, other) => {
    const out = resultFor(broadcast2(grad.sizes, other.sizes), other.dtype, grad.storage.backend, grad);
    runPointwise(op, other.dtype.compute, out, [grad, other]);
    return out;
  };
}

/** The default float dtype if `d` is none. */
export function floatOr(d: DType): DType {
  return d.kind >= Kind.float ? d : get_default_dtype();
}

export type { Operand, Scalar };
