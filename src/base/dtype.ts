/**
 * Data types, with PyTorch's names, ScalarType codes (those of `core/include/tc.h`) and promotion lattice.
 *
 * @module
 */
import { RuntimeError } from "./errors.ts";

/** Typed arrays that can hold a tensor's elements. */
export type TypedArray =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Float32Array
  | Float64Array;

interface TypedArrayConstructor {
  new (length: number): TypedArray;
  new (buffer: ArrayBufferLike, byteOffset?: number, length?: number): TypedArray;
  readonly BYTES_PER_ELEMENT: number;
}

/** The element kind, in promotion order. */
export const Kind = { bool: 0, int: 1, float: 2, complex: 3 } as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

/** A data type: `torch.float32`, `torch.int64`, ... Compare by identity. */
export class DType {
  /** PyTorch's name without `torch.`. */
  readonly name: string;
  /** The number by which kernels know it. */
  readonly code: number;
  /** Bytes per element. */
  readonly itemsize: number;
  readonly kind: Kind;
  /** The dtype in which elementwise formulas are evaluated: `core/include/tc_pointwise.h`. */
  readonly compute: number;
  /** The dtype's name in PyTorch's error texts: `Float`, `Long`, ... */
  readonly scalarName: string;
  /** What `to_typed_array()` gives; float16 and bfloat16 as raw 16-bit words, complex as (re, im) pairs. */
  readonly array: TypedArrayConstructor;

  constructor(
    name: string,
    code: number,
    itemsize: number,
    kind: Kind,
    compute: number,
    scalarName: string,
    array: TypedArrayConstructor,
  ) {
    this.name = name;
    this.code = code;
    this.itemsize = itemsize;
    this.kind = kind;
    this.compute = compute;
    this.scalarName = scalarName;
    this.array = array;
  }

  get is_floating_point(): boolean {
    return this.kind === Kind.float;
  }
  get is_complex(): boolean {
    return this.kind === Kind.complex;
  }
  get is_signed(): boolean {
    return this !== uint8 && this !== bool;
  }
  /** Can values of this dtype have gradients? */
  get isDifferentiable(): boolean {
    return this.kind >= Kind.float;
  }

  toString(): string {
    return `torch.${this.name}`;
  }
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }
}

const I32 = 3, I64 = 4, F32 = 6, F64 = 7, C64 = 9, C128 = 10;

export const uint8: DType = new DType("uint8", 0, 1, Kind.int, I32, "Byte", Uint8Array);
export const int8: DType = new DType("int8", 1, 1, Kind.int, I32, "Char", Int8Array);
export const int16: DType = new DType("int16", 2, 2, Kind.int, I32, "Short", Int16Array);
export const int32: DType = new DType("int32", 3, 4, Kind.int, I32, "Int", Int32Array);
export const int64: DType = new DType("int64", 4, 8, Kind.int, I64, "Long", BigInt64Array);
export const float16: DType = new DType("float16", 5, 2, Kind.float, F32, "Half", Uint16Array);
export const float32: DType = new DType("float32", 6, 4, Kind.float, F32, "Float", Float32Array);
export const float64: DType = new DType("float64", 7, 8, Kind.float, F64, "Double", Float64Array);
export const complex64: DType = new DType("complex64", 9, 8, Kind.complex, C64, "ComplexFloat", Float32Array);
export const complex128: DType = new DType(
  "complex128",
  10,
  16,
  Kind.complex,
  C128,
  "ComplexDouble",
  Float64Array,
);
export const bool: DType = new DType("bool", 11, 1, Kind.bool, I32, "Bool", Uint8Array);
export const bfloat16: DType = new DType("bfloat16", 12, 2, Kind.float, F32, "BFloat16", Uint16Array);

/** Every dtype. */
export const dtypes: readonly DType[] = [
  uint8,
  int8,
  int16,
  int32,
  int64,
  float16,
  float32,
  float64,
  complex64,
  complex128,
  bool,
  bfloat16,
];

/** dtype by kernel code. */
export const dtypeByCode: readonly (DType | undefined)[] = (() => {
  const table: (DType | undefined)[] = new Array(13).fill(undefined);
  for (const d of dtypes) table[d.code] = d;
  return table;
})();

/** PyTorch's other names: `torch.float`, `torch.long`, ... */
export const dtypeAliases: Readonly<Record<string, DType>> = {
  float: float32,
  double: float64,
  half: float16,
  long: int64,
  int: int32,
  short: int16,
  cfloat: complex64,
  cdouble: complex128,
};

let defaultDtype: DType = float32;

/** The dtype of floats without one of their own. */
export function get_default_dtype(): DType {
  return defaultDtype;
}

/** Sets the default float dtype. */
export function set_default_dtype(d: DType): void {
  if (!(d instanceof DType)) throw new TypeError("invalid dtype object");
  if (d.kind !== Kind.float) {
    throw new TypeError(`only floating-point types are supported as the default type`);
  }
  defaultDtype = d;
}

/** The complex dtype whose parts are of dtype `d`. */
export function toComplex(d: DType): DType {
  return d === float64 || d === complex128 ? complex128 : complex64;
}

/** The dtype of the parts of complex dtype `d`; a real dtype is itself. */
export function toReal(d: DType): DType {
  return d === complex128 ? float64 : d === complex64 ? float32 : d;
}

/**
 * The dtype that both convert to: PyTorch's `torch.promote_types`.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.promote_types.html
 */
export function promote_types(a: DType, b: DType): DType {
  if (a === b) return a;
  if (a.kind === Kind.complex || b.kind === Kind.complex) {
    const real = promote_types(toReal(a), toReal(b));
    return real === float64 ? complex128 : complex64;
  }
  if (a.kind !== b.kind) return a.kind > b.kind ? a : b;
  if (a.kind === Kind.float) {
    if (a.itemsize !== b.itemsize) return a.itemsize > b.itemsize ? a : b;
    return float32; // float16 with bfloat16
  }
  if (a === uint8 || b === uint8) {
    const other = a === uint8 ? b : a;
    return other === int8 ? int16 : other;
  }
  return a.itemsize > b.itemsize ? a : b;
}

/** May a result of dtype `from` be written into a tensor of dtype `to`? PyTorch's `torch.can_cast`. */
export function can_cast(from: DType, to: DType): boolean {
  if (from.kind === Kind.complex && to.kind !== Kind.complex) return false;
  if (from.kind >= Kind.float && to.kind < Kind.float) return false;
  return !(from.kind !== Kind.bool && to.kind === Kind.bool);
}

/** Throws PyTorch's error if a result may not be written into `to`. */
export function checkCast(from: DType, to: DType): void {
  if (can_cast(from, to)) return;
  throw new RuntimeError(
    `result type ${from.scalarName} can't be cast to the desired output type ${to.scalarName}`,
  );
}
