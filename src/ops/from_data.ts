/**
 * Tensors from JavaScript data, and back: `tensor`, `frombuffer`, `from_numpy`, `item`, `tolist`, `to_typed_array`.
 *
 * @module
 */
import { backendOf } from "../backend/registry.ts";
import type { Backend } from "../base/backend.ts";
import type { Device } from "../base/device.ts";
import {
  bool,
  complex128,
  type DType,
  float32,
  float64,
  get_default_dtype,
  int16,
  int32,
  int64,
  int8,
  Kind,
  toComplex,
  type TypedArray,
  uint8,
} from "../base/dtype.ts";
import { RuntimeError, ValueError, warnOnce } from "../base/errors.ts";
import { Complex, PyFloat } from "../base/scalar.ts";
import { contiguousStrides, numelOf } from "../base/size.ts";
import { packed, runCopy } from "../dispatch/iterator.ts";
import { emptyTensor } from "../dispatch/iterator.ts";
import { addressOf } from "../dispatch/launch.ts";
import { resolved } from "../dispatch/lazy.ts";
import { alias, Tensor } from "../tensor.ts";

/** Nested arrays of numbers, booleans or bigints, of equal lengths at each depth. */
export type NestedArray<T> = readonly (T | NestedArray<T>)[];
export type Element = number | boolean | bigint | PyFloat | Complex;
/** What `torch.tensor` takes. */
export type TensorData =
  | Element
  | NestedArray<Element | Tensor>
  | TypedArray
  | Float32Array
  | BigUint64Array
  | Uint32Array
  | Uint8ClampedArray
  | Tensor;

export interface TensorOptions {
  dtype?: DType | null;
  device?: Device | string | null;
  requires_grad?: boolean;
  pin_memory?: boolean;
}

/** The dtype whose elements a typed array holds. */
export function dtypeOfArray(a: ArrayBufferView): DType {
  if (a instanceof Float32Array) return float32;
  if (a instanceof Float64Array) return float64;
  if (a instanceof BigInt64Array || a instanceof BigUint64Array) return int64;
  if (a instanceof Int32Array) return int32;
  if (a instanceof Int16Array) return int16;
  if (a instanceof Int8Array) return int8;
  if (a instanceof Uint8Array || a instanceof Uint8ClampedArray) return uint8;
  if (a instanceof Uint16Array) return int32;
  if (a instanceof Uint32Array) return int64;
  throw new TypeError(`tensor(): cannot use a ${a.constructor.name}`);
}

/** Uploads a typed array whose elements are those of `dtype`. */
function fromTyped(a: ArrayBufferView, sizes: readonly number[], dtype: DType, backend: Backend): Tensor {
  const t = emptyTensor(sizes, dtype, backend);
  if (t.count > 0) backend.write(t.storage.resident(), new Uint8Array(a.buffer, a.byteOffset, a.byteLength));
  return t;
}

function widened(a: ArrayBufferView): ArrayBufferView {
  if (a instanceof Uint16Array) return Int32Array.from(a);
  if (a instanceof Uint32Array) return BigInt64Array.from(a, (x) => BigInt(x));
  return a;
}

/** Converts on the device. */
function cast(t: Tensor, dtype: DType): Tensor {
  if (t.dtype === dtype) return t;
  const out = emptyTensor(t.sizes, dtype, t.storage.backend);
  runCopy(out, t);
  return out;
}

function shapeOf(data: unknown): number[] {
  const shape: number[] = [];
  let x: unknown = data;
  for (;;) {
    if (Array.isArray(x)) {
      shape.push(x.length);
      if (x.length === 0) break;
      x = x[0];
    } else if (ArrayBuffer.isView(x)) {
      shape.push((x as Uint8Array).length);
      break;
    } else if (x instanceof Tensor) {
      shape.push(...x.sizes);
      break;
    } else break;
  }
  return shape;
}

/** The highest kind among the leaves; visits and checks every level. */
function scan(
  data: unknown,
  shape: readonly number[],
  depth: number,
  seen: { kind: Kind; big: boolean; values: unknown[]; dtype: DType | null },
): void {
  if (depth < shape.length) {
    const isList = Array.isArray(data) || ArrayBuffer.isView(data);
    if (data instanceof Tensor) {
      flattenTensor(data, seen);
      return;
    }
    if (!isList) {
      throw new TypeError(
        `tensor(): expected sequence of length ${shape[depth]} at dim ${depth} (got ${describe(data)})`,
      );
    }
    const list = data as ArrayLike<unknown>;
    if (list.length !== shape[depth]) {
      throw new ValueError(
        `expected sequence of length ${shape[depth]} at dim ${depth} (got ${list.length})`,
      );
    }
    if (ArrayBuffer.isView(data)) {
      const d = dtypeOfArray(data);
      if (d.kind > seen.kind) seen.kind = d.kind;
      seen.dtype ??= d;
    }
    for (let i = 0; i < list.length; i++) scan(list[i], shape, depth + 1, seen);
    return;
  }
  if (typeof data === "number" || data instanceof PyFloat) {
    if (seen.kind < Kind.float) seen.kind = Kind.float;
  } else if (typeof data === "bigint") {
    seen.big = true;
    if (seen.kind < Kind.int) seen.kind = Kind.int;
  } else if (data instanceof Complex) seen.kind = Kind.complex;
  else if (data instanceof Tensor) {
    flattenTensor(data, seen);
    return;
  } else if (typeof data !== "boolean") {
    if (Array.isArray(data)) {
      throw new ValueError(`expected a number at dim ${depth}, but got a sequence of length ${data.length}`);
    }
    throw new TypeError(`tensor(): cannot use ${describe(data)} as an element`);
  }
  seen.values.push(data instanceof PyFloat ? data.value : data);
}

function flattenTensor(t: Tensor, seen: { kind: Kind; values: unknown[]; dtype: DType | null }): void {
  if (t.dtype.kind > seen.kind) seen.kind = t.dtype.kind;
  seen.dtype ??= t.dtype;
  const flat = toTyped(t);
  for (let i = 0; i < flat.length; i++) seen.values.push(flat[i]);
}

function describe(x: unknown): string {
  return x === null ? "null" : typeof x === "object" ? x.constructor?.name ?? "object" : typeof x;
}

/** A tensor of JavaScript data: the body of `torch.tensor`. */
export function tensorFrom(data: TensorData, options: TensorOptions = {}): Tensor {
  const backend = backendOf(options.device);
  let t: Tensor;
  if (data instanceof Tensor) {
    warnOnce(
      "UserWarning",
      "To copy construct from a tensor, it is recommended to use sourceTensor.clone().detach() or sourceTensor.clone().detach().requires_grad_(True), rather than torch.tensor(sourceTensor).",
    );
    t = emptyTensor(data.sizes, options.dtype ?? data.dtype, data.storage.backend);
    runCopy(t, data);
    if (backend !== t.storage.backend && options.device) t = t.to(options.device);
  } else if (ArrayBuffer.isView(data)) {
    const d = dtypeOfArray(data);
    const a = widened(data) as TypedArray;
    t = cast(fromTyped(a, [a.length], d, backend), options.dtype ?? d);
  } else {
    const shape = shapeOf(data);
    const seen = {
      kind: Kind.bool as Kind,
      big: false,
      values: [] as unknown[],
      dtype: null as DType | null,
    };
    scan(data, shape, 0, seen);
    const natural = seen.values.length === 0
      ? get_default_dtype()
      : seen.kind === Kind.bool
      ? bool
      : seen.kind === Kind.int
      ? seen.dtype ?? int64
      : seen.kind === Kind.float
      ? (seen.dtype?.kind === Kind.float ? seen.dtype : get_default_dtype())
      : toComplex(get_default_dtype());
    t = upload(seen, shape, options.dtype ?? natural, backend);
  }
  if (options.requires_grad) {
    if (!t.dtype.isDifferentiable) {
      throw new RuntimeError("Only Tensors of floating point and complex dtype can require gradients");
    }
    t.requires_grad_(true);
  }
  return t;
}

function upload(
  seen: { kind: Kind; big: boolean; values: unknown[] },
  shape: readonly number[],
  dtype: DType,
  backend: Backend,
): Tensor {
  const values = seen.values;
  if (dtype.kind === Kind.complex || seen.kind === Kind.complex) {
    const pairs = new Float64Array(values.length * 2);
    values.forEach((v, i) => {
      pairs[2 * i] = v instanceof Complex ? v.re : Number(v);
      pairs[2 * i + 1] = v instanceof Complex ? v.im : 0;
    });
    return cast(fromTyped(pairs, shape, complex128, backend), dtype);
  }
  if (dtype === int64 || (seen.big && dtype.kind === Kind.int)) {
    const ints = new BigInt64Array(values.length);
    values.forEach((v, i) => {
      if (typeof v === "number" && !Number.isFinite(v)) {
        throw new RuntimeError(`cannot convert float ${Number.isNaN(v) ? "NaN" : "infinity"} to integer`);
      }
      const b = typeof v === "bigint" ? v : BigInt(Math.trunc(Number(v)));
      if (b < -(2n ** 63n) || b >= 2n ** 63n) throw new RuntimeError("Overflow when unpacking long");
      ints[i] = b;
    });
    return cast(fromTyped(ints, shape, int64, backend), dtype);
  }
  if (dtype.kind === Kind.int) {
    values.forEach((v) => {
      if (typeof v === "number" && !Number.isFinite(v)) {
        throw new RuntimeError(`cannot convert float ${Number.isNaN(v) ? "NaN" : "infinity"} to integer`);
      }
    });
    return fromTyped(
      (dtype.array as Int32ArrayConstructor).from(values as number[], Math.trunc),
      shape,
      dtype,
      backend,
    );
  }
  if (dtype === bool) return fromTyped(Uint8Array.from(values, (v) => (v ? 1 : 0)), shape, bool, backend);
  if (dtype === float32) {
    return fromTyped(Float32Array.from(values as number[], Number), shape, float32, backend);
  }
  return cast(fromTyped(Float64Array.from(values as number[], Number), shape, float64, backend), dtype);
}

/** A tensor of the given bytes, copied; little-endian elements of `dtype`. */
export function fromBuffer(
  buffer: ArrayBufferLike | ArrayBufferView,
  dtype: DType,
  count = -1,
  offset = 0,
  device: Device | string | null = null,
): Tensor {
  const bytes = ArrayBuffer.isView(buffer)
    ? new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)
    : new Uint8Array(buffer);
  if (bytes.length === 0 || count === 0) {
    throw new ValueError(`both buffer length (${bytes.length}) and count (${count}) must not be 0`);
  }
  if (offset < 0 || offset >= bytes.length) {
    throw new ValueError(
      `offset (${offset} bytes) must be non-negative and no greater than buffer length (${bytes.length} bytes) minus 1`,
    );
  }
  if (count < 0) {
    const rest = bytes.length - offset;
    if (rest % dtype.itemsize !== 0) {
      throw new ValueError(
        `buffer length (${rest} bytes) after offset (${offset} bytes) must be a multiple of element size (${dtype.itemsize})`,
      );
    }
    count = rest / dtype.itemsize;
  }
  if (offset + count * dtype.itemsize > bytes.length) {
    throw new ValueError(
      `requested buffer length (${count} * ${dtype.itemsize} bytes) after offset (${offset} bytes) must not be greater than actual buffer length (${bytes.length} bytes)`,
    );
  }
  const backend = backendOf(device);
  const t = emptyTensor([count], dtype, backend);
  backend.write(t.storage.resident(), bytes.subarray(offset, offset + count * dtype.itemsize));
  return t;
}

/** What the npm package `ndarray` calls an array: `data[offset + i * stride[0] + ...]`. */
export interface NDArrayLike {
  data: ArrayLike<number | bigint>;
  shape: readonly number[];
  stride?: readonly number[];
  offset?: number;
}

/** A tensor of an ndarray-like object or a typed array; the elements are copied. */
export function fromNumpy(x: NDArrayLike | TypedArray): Tensor {
  if (ArrayBuffer.isView(x)) return tensorFrom(x as TypedArray);
  const data = x.data;
  const flat = ArrayBuffer.isView(data)
    ? tensorFrom(data as unknown as TypedArray)
    : tensorFrom(Array.from(data));
  const strides = x.stride ?? contiguousStrides(x.shape);
  const offset = x.offset ?? 0;
  let low = offset, high = offset;
  x.shape.forEach((n, i) => {
    if (n > 0) {
      if (strides[i]! < 0) low += (n - 1) * strides[i]!;
      else high += (n - 1) * strides[i]!;
    }
  });
  if (numelOf(x.shape) > 0 && (low < 0 || high >= flat.count)) {
    throw new ValueError(
      `from_numpy(): expected indices within the ${flat.count} elements of data, but got ${low} to ${high}`,
    );
  }
  const out = emptyTensor(x.shape, flat.dtype, flat.storage.backend);
  runCopy(out, alias(flat, x.shape, strides, offset));
  return out;
}

/** The elements in row-major order, as a typed array of their own. */
export function toTyped(t: Tensor): TypedArray {
  const dense = packed(resolved(t));
  const backend = dense.storage.backend;
  if (!backend.hasData) throw new RuntimeError("Cannot copy out of meta tensor; no data!");
  if (t.count === 0) return new t.dtype.array(0);
  const bytes = backend.read(addressOf(dense), dense.nbytes);
  return new t.dtype.array(bytes.buffer);
}

/** 16-bit float words to numbers. */
export function halfToNumber(h: number): number {
  const sign = h & 0x8000 ? -1 : 1, e = (h >> 10) & 31, f = h & 1023;
  if (e === 0) return sign * f * 2 ** -24;
  return e === 31 ? (f ? NaN : sign * Infinity) : sign * (1 + f / 1024) * 2 ** (e - 15);
}
const word = new Uint32Array(1), wordFloat = new Float32Array(word.buffer);
export function bfloatToNumber(h: number): number {
  word[0] = h << 16;
  return wordFloat[0]!;
}

/** Elements as JavaScript values: numbers (bigints beyond 2^53), booleans, Complex. */
export function elements(t: Tensor): (number | bigint | boolean | Complex)[] {
  const a = toTyped(t);
  switch (t.dtype.name) {
    case "bool":
      return Array.from(a as Uint8Array, (x) => x !== 0);
    case "int64":
      return Array.from(a as BigInt64Array, safeInt);
    case "float16":
      return Array.from(a as Uint16Array, halfToNumber);
    case "bfloat16":
      return Array.from(a as Uint16Array, bfloatToNumber);
    case "complex64":
    case "complex128": {
      const f = a as Float32Array;
      return Array.from({ length: f.length / 2 }, (_, i) => new Complex(f[2 * i]!, f[2 * i + 1]!));
    }
    default:
      return Array.from(a as Float32Array);
  }
}

function safeInt(x: bigint): number | bigint {
  return x >= BigInt(Number.MIN_SAFE_INTEGER) && x <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(x) : x;
}

/** The one element of a tensor. */
export function itemOf(lazyOrNot: Tensor): number | bigint | boolean | Complex {
  const t = resolved(lazyOrNot);
  if (t.count !== 1) {
    throw new ValueError(`only one element tensors can be converted to Python scalars`);
  }
  const backend = t.storage.backend;
  if (!backend.hasData) throw new RuntimeError("Tensor.item() cannot be called on meta tensors");
  const bytes = backend.read(addressOf(t), t.dtype.itemsize);
  const view = new DataView(bytes.buffer);
  switch (t.dtype.name) {
    case "float32":
      return view.getFloat32(0, true);
    case "float64":
      return view.getFloat64(0, true);
    case "int64":
      return safeInt(view.getBigInt64(0, true));
    case "int32":
      return view.getInt32(0, true);
    case "int16":
      return view.getInt16(0, true);
    case "int8":
      return view.getInt8(0);
    case "uint8":
      return view.getUint8(0);
    case "bool":
      return view.getUint8(0) !== 0;
    case "float16":
      return halfToNumber(view.getUint16(0, true));
    case "bfloat16":
      return bfloatToNumber(view.getUint16(0, true));
    case "complex64":
      return new Complex(view.getFloat32(0, true), view.getFloat32(4, true));
    default:
      return new Complex(view.getFloat64(0, true), view.getFloat64(8, true));
  }
}

/** Nested lists of the elements. */
export function toList(t: Tensor): unknown {
  const flat = elements(t);
  if (t.sizes.length === 0) return flat[0];
  const build = (depth: number, start: number, span: number): unknown => {
    const n = t.sizes[depth]!;
    if (depth === t.sizes.length - 1) return flat.slice(start, start + n);
    const step = n === 0 ? 0 : span / n;
    return Array.from({ length: n }, (_, i) => build(depth + 1, start + i * step, step));
  };
  return build(0, 0, t.count);
}
