/**
 * Numbers as operator arguments. JavaScript cannot tell 1.0 from 1, so a whole number counts as Python's int and
 * `pyfloat(2)` marks the float.
 *
 * @module
 */
import {
  bool,
  complex128,
  complex64,
  DType,
  float64,
  get_default_dtype,
  int64,
  Kind,
  toComplex,
} from "./dtype.ts";

/** A number that counts as a Python float even when it is whole. */
export class PyFloat {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
  valueOf(): number {
    return this.value;
  }
  toString(): string {
    return Number.isInteger(this.value) ? this.value.toFixed(1) : String(this.value);
  }
}

/** A complex number: `torch.complex_number(re, im)`, and what `item()` of a complex tensor gives. */
export class Complex {
  readonly re: number;
  readonly im: number;
  constructor(re: number, im: number) {
    this.re = re;
    this.im = im;
  }
  toString(): string {
    return `(${this.re}${this.im < 0 || Object.is(this.im, -0) ? "-" : "+"}${Math.abs(this.im)}j)`;
  }
}

/** `-x`. */
export function negative(x: Scalar): Scalar {
  return x instanceof Complex
    ? new Complex(-x.re, -x.im)
    : x instanceof PyFloat
    ? new PyFloat(-x.value)
    : -Number(x);
}

/** Is it 0? */
export function isZero(x: Scalar): boolean {
  return x instanceof Complex ? x.re === 0 && x.im === 0 : Number(x) === 0;
}

/** What PyTorch's schemas call a Scalar. */
export type Scalar = number | bigint | boolean | PyFloat | Complex;

/** `torch.pyfloat(2)`: Python's `2.0`. */
export function pyfloat(value: number): PyFloat {
  return new PyFloat(value);
}

export function isScalar(x: unknown): x is Scalar {
  const t = typeof x;
  return t === "number" || t === "bigint" || t === "boolean" || x instanceof PyFloat || x instanceof Complex;
}

/** The promotion category of a number: Python's bool, int, float or complex. */
export function scalarKind(x: Scalar): Kind {
  if (typeof x === "number") return Number.isInteger(x) ? Kind.int : Kind.float;
  if (typeof x === "bigint") return Kind.int;
  if (typeof x === "boolean") return Kind.bool;
  return x instanceof PyFloat ? Kind.float : Kind.complex;
}

/** The dtype a tensor made of this number alone would have. */
export function scalarDtype(x: Scalar): DType {
  switch (scalarKind(x)) {
    case Kind.bool:
      return bool;
    case Kind.int:
      return int64;
    case Kind.float:
      return get_default_dtype();
    default:
      return get_default_dtype() === float64 ? complex128 : complex64;
  }
}

/** The number as a JavaScript double. */
export function toNumber(x: Scalar): number {
  return x instanceof Complex ? x.re : Number(x);
}

/** The dtype of an operation between a tensor of `dtype` with dimensions and a number of category `kind`. */
export function promoteWithKind(dtype: DType, kind: Kind): DType {
  if (kind <= dtype.kind) return dtype;
  if (kind === Kind.complex) return toComplex(dtype.kind === Kind.float ? dtype : get_default_dtype());
  return kind === Kind.float ? get_default_dtype() : int64;
}
