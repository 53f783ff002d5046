/**
 * The elementwise launcher: from operands to the iteration space that `tc_pointwise` walks. Broadcasting becomes
 * stride 0, dimensions that all operands walk alike are merged, numbers are passed in the struct, and every operand
 * keeps its own dtype (kernels convert while loading and storing).
 *
 * @module
 */
import type { Backend } from "../base/backend.ts";
import { checkCast, type DType, Kind } from "../base/dtype.ts";
import { differentDevices, RuntimeError } from "../base/errors.ts";
import { Complex, PyFloat, type Scalar } from "../base/scalar.ts";
import {
  isContiguous,
  isNonOverlappingAndDense,
  numelOf,
  preservedStrides,
  sameSizes,
  shapeText,
} from "../base/size.ts";
import { allocate, clock } from "../base/storage.ts";
import { alias, Tensor, wrapStorage } from "../tensor.ts";
import { addressOf, kernel, kernelError } from "./launch.ts";
import { target } from "./target.ts";

const POINTWISE = kernel("tc_pointwise");
const COPY = kernel("tc_copy");

/** Slot numbers of tc_pointwise_args: core/include/tc_pointwise.h. */
const DTYPE = 4, DATA = 10, SCALAR = 16, PARAM = 22, SHAPE = 26, STRIDE = 90, IMAGINARY = 474, OPERANDS = 6;

/** From this many elements on threads are worth having. */
const PARALLEL = 1 << 15;

const HIGH = 4294967296;
const F64 = 7, I64 = 4, C128 = 10;

/** An operand of an elementwise kernel. */
export type Operand = Tensor | Scalar;

/** The new tensor that elementwise results go into, or the target of the in-place call in progress. */
export function resultFor(
  sizes: readonly number[],
  dtype: DType,
  backend: Backend,
  like: Tensor | null,
): Tensor {
  const into = target.tensor;
  if (into !== null) {
    target.tensor = null;
    if (!sameSizes(into.sizes, sizes)) {
      throw new RuntimeError(
        `output with shape ${shapeText(into.sizes)} doesn't match the broadcast shape ${shapeText(sizes)}`,
      );
    }
    checkCast(dtype, into.dtype);
    if (!into.packed) checkInternalOverlap(into);
    return into;
  }
  // Results keep the memory order of a permuted operand, as in PyTorch.
  if (like !== null && !like.packed && sameSizes(like.sizes, sizes)) return emptyLike(like, dtype, backend);
  const count = numelOf(sizes);
  return wrapStorage(allocate(backend, count * dtype.itemsize), dtype, sizes, count);
}

/** A tensor with uninitialised elements that keeps the memory order of `like`. */
export function emptyLike(like: Tensor, dtype: DType, backend: Backend): Tensor {
  const t = emptyTensor(like.sizes, dtype, backend);
  if (!like.packed) {
    t.strides = preservedStrides(like.sizes, like.strides);
    t.packed = isContiguous(t.sizes, t.strides);
  }
  return t;
}

/** Writing to a tensor in which several elements share a place is refused, as in PyTorch. */
export function checkInternalOverlap(t: Tensor): void {
  for (let i = 0; i < t.sizes.length; i++) {
    if (t.sizes[i]! > 1 && t.strides[i] === 0) {
      throw new RuntimeError(
        "unsupported operation: more than one element of the written-to tensor refers to a single memory location. " +
          "Please clone() the tensor before performing the operation.",
      );
    }
  }
}

/** Reading from a tensor that overlaps the written one without being the same view is refused, as in PyTorch. */
function checkPartialOverlap(out: Tensor, x: Tensor): void {
  if (x.storage !== out.storage || x === out || out.count === 0 || x.count === 0) return;
  if (x.offset === out.offset && sameSizes(x.strides, out.strides) && sameSizes(x.sizes, out.sizes)) return;
  if (!isNonOverlappingAndDense(x.sizes, x.strides) || !isNonOverlappingAndDense(out.sizes, out.strides)) {
    return;
  }
  if (x.offset < out.offset + out.count && out.offset < x.offset + x.count) {
    throw new RuntimeError(
      "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single memory " +
        "location. Please clone() the tensor before performing the operation.",
    );
  }
}

/** The backend of a set of operands; PyTorch's error if they are on several devices. */
export function commonBackend(operands: readonly unknown[]): Backend {
  let found: Tensor | null = null;
  for (const x of operands) {
    if (!(x instanceof Tensor)) continue;
    if (found === null) found = x;
    else if (x.storage.backend !== found.storage.backend) {
      // A 0-dim CPU tensor may meet tensors of any device; it is passed as a number.
      if (x.sizes.length === 0 && x.device.type === "cpu") continue;
      if (found.sizes.length === 0 && found.device.type === "cpu") found = x;
      else {
        throw differentDevices(found.device, x.device);
      }
    }
  }
  if (found === null) throw new RuntimeError("expected at least one tensor operand");
  return found.storage.backend;
}

/** Runs one formula: `out <- op(inputs)`. `compute` is the dtype code in which it is evaluated. */
export function runPointwise(
  op: number,
  compute: number,
  out: Tensor,
  inputs: readonly Operand[],
  params: readonly number[] | null = null,
): void {
  const backend = out.storage.backend;
  const count = out.count;
  if (count === 0 || !backend.hasData) return;
  clock.tick++;
  if (count >= PARALLEL) backend.expectWork();

  // The common case: memory order will do for all operands.
  const n = inputs.length;
  let flat = out.packed;
  for (let k = 0; k < n; k++) {
    const x = inputs[k]!;
    if (!(x instanceof Tensor)) continue;
    if (x.storage === out.storage) checkPartialOverlap(out, x);
    if (x.count !== count || !x.packed) flat = false;
  }
  if (!out.packed) flat = isUniform(out, inputs);

  // Addresses first: loading evicted bytes may replace the argument views.
  const at: number[] = addresses;
  at[0] = addressOf(out);
  for (let k = 0; k < n; k++) {
    const x = inputs[k]!;
    at[k + 1] = x instanceof Tensor && x.storage.backend === backend ? addressOf(x) : 0;
  }
  const w = backend.argWords, f = backend.argDoubles;
  w[0] = op;
  w[1] = 0;
  w[4] = n + 1;
  w[5] = 0;
  w[6] = compute;
  w[7] = 0;
  for (let k = 0; k <= n; k++) {
    const d = (DATA + k) * 2;
    const address = at[k]!;
    w[d] = address;
    w[d + 1] = address < HIGH ? 0 : Math.floor(address / HIGH);
    const x = k === 0 ? out : inputs[k - 1]!;
    const c = (DTYPE + k) * 2;
    w[c + 1] = 0;
    if (address !== 0) w[c] = (x as Tensor).dtype.code;
    else w[c] = writeScalar(x instanceof Tensor ? (x.item() as Scalar) : x as Scalar, SCALAR + k, w, f);
  }
  if (params !== null) { for (let k = 0; k < params.length; k++) f[PARAM + k] = params[k]!; }
  if (flat) {
    w[2] = 1;
    w[3] = 0;
    w[SHAPE * 2] = count;
    w[SHAPE * 2 + 1] = count < HIGH ? 0 : Math.floor(count / HIGH);
    for (let k = 0; k <= n; k++) {
      const s = (STRIDE + k) * 2;
      w[s] = at[k] === 0 ? 0 : 1;
      w[s + 1] = 0;
    }
  } else {
    const ndim = writeSpace(out, inputs, n, w);
    w[2] = ndim;
    w[3] = 0;
  }
  const status = backend.call(POINTWISE);
  if (status !== 0) throw kernelError(POINTWISE, status, backend);
}

const addresses: number[] = [0, 0, 0, 0, 0, 0];

/** Do all tensors have the result's shape and strides, so that memory order will do? */
function isUniform(out: Tensor, inputs: readonly Operand[]): boolean {
  for (const x of inputs) {
    if (x instanceof Tensor && (!sameSizes(x.sizes, out.sizes) || !sameSizes(x.strides, out.strides))) {
      return false;
    }
  }
  return isNonOverlappingAndDense(out.sizes, out.strides);
}

/** A number into scalar slot `slot`; returns the dtype code that says how to read it. */
function writeScalar(x: Scalar, slot: number, w: Int32Array, f: Float64Array): number {
  if (typeof x === "number") {
    if (Number.isInteger(x) && Math.abs(x) <= Number.MAX_SAFE_INTEGER && !Object.is(x, -0)) {
      w[slot * 2] = x;
      w[slot * 2 + 1] = Math.floor(x / HIGH);
      return I64;
    }
    f[slot] = x;
    return F64;
  }
  if (typeof x === "bigint") {
    w[slot * 2] = Number(BigInt.asIntN(32, x));
    w[slot * 2 + 1] = Number(BigInt.asIntN(32, x >> 32n));
    return I64;
  }
  if (typeof x === "boolean") {
    w[slot * 2] = x ? 1 : 0;
    w[slot * 2 + 1] = 0;
    return I64;
  }
  if (x instanceof PyFloat) {
    f[slot] = x.value;
    return F64;
  }
  if (x instanceof Complex) {
    f[slot] = x.re;
    f[slot - SCALAR + IMAGINARY] = x.im;
    return C128;
  }
  throw new TypeError(`expected a number, but got ${String(x)}`);
}

const spaceShape: number[] = [];
const spaceStride: number[][] = Array.from({ length: OPERANDS }, () => []);

/** Writes the broadcast and merged iteration space, innermost dimension first; returns its rank. */
function writeSpace(out: Tensor, inputs: readonly Operand[], n: number, w: Int32Array): number {
  const rank = out.sizes.length;
  let ndim = 0;
  const order = dimensionOrder(out);
  for (let q = 0; q < rank; q++) {
    const i = order === null ? rank - 1 - q : order[q]!;
    const size = out.sizes[i]!;
    if (size === 1) continue;
    spaceShape[ndim] = size;
    spaceStride[0]![ndim] = out.strides[i]!;
    for (let k = 0; k < n; k++) {
      const x = inputs[k]!;
      let s = 0;
      if (x instanceof Tensor && addresses[k + 1] !== 0) {
        const j = i - (rank - x.sizes.length);
        if (j >= 0 && x.sizes[j] !== 1) s = x.strides[j]!;
      }
      spaceStride[k + 1]![ndim] = s;
    }
    if (ndim > 0 && mergeable(ndim, n)) spaceShape[ndim - 1]! *= size;
    else ndim++;
  }
  for (let d = 0; d < ndim; d++) {
    const s = (SHAPE + d) * 2;
    put(w, s, spaceShape[d]!);
    for (let k = 0; k <= n; k++) put(w, (STRIDE + d * OPERANDS + k) * 2, spaceStride[k]![d]!);
  }
  return ndim;
}

function put(w: Int32Array, at: number, value: number): void {
  w[at] = value;
  w[at + 1] = Math.floor(value / HIGH);
}

/** May dimension `d` be merged into `d - 1`? */
function mergeable(d: number, n: number): boolean {
  const size = spaceShape[d - 1]!;
  for (let k = 0; k <= n; k++) if (spaceStride[k]![d] !== spaceStride[k]![d - 1]! * size) return false;
  return true;
}

/** Dimensions by ascending stride of the result, so that writes run along memory; null where they already do. */
function dimensionOrder(out: Tensor): number[] | null {
  if (out.packed) return null;
  const order = out.sizes.map((_, i) => out.sizes.length - 1 - i);
  return order.sort((a, b) => Math.abs(out.strides[a]!) - Math.abs(out.strides[b]!) || b - a);
}

/** Copies values with conversion: `out <- from`, `from` broadcast to `out`'s shape. Same device. */
export function runCopy(out: Tensor, from: Tensor): void {
  const backend = out.storage.backend;
  if (out.count === 0 || !backend.hasData) return;
  clock.tick++;
  if (out.count >= PARALLEL) backend.expectWork();
  const outAt = addressOf(out);
  const fromAt = addressOf(from);
  const w = backend.argWords;
  put(w, 2, out.dtype.code);
  put(w, 4, from.dtype.code);
  put(w, 6, outAt);
  put(w, 8, fromAt);
  let ndim = 0;
  if (out.packed && from.packed && out.count === from.count) {
    ndim = 1;
    put(w, 10, out.count);
    put(w, COPY_STRIDE * 2, 1);
    put(w, COPY_STRIDE * 2 + 2, 1);
  } else {
    const rank = out.sizes.length;
    const order = dimensionOrder(out);
    for (let q = 0; q < rank; q++) {
      const i = order === null ? rank - 1 - q : order[q]!;
      const size = out.sizes[i]!;
      if (size === 1) continue;
      const j = i - (rank - from.sizes.length);
      spaceShape[ndim] = size;
      spaceStride[0]![ndim] = out.strides[i]!;
      spaceStride[1]![ndim] = j >= 0 && from.sizes[j] !== 1 ? from.strides[j]! : 0;
      if (ndim > 0 && mergeable(ndim, 1)) spaceShape[ndim - 1]! *= size;
      else ndim++;
    }
    for (let d = 0; d < ndim; d++) {
      put(w, (5 + d) * 2, spaceShape[d]!);
      put(w, (COPY_STRIDE + d * 2) * 2, spaceStride[0]![d]!);
      put(w, (COPY_STRIDE + d * 2 + 1) * 2, spaceStride[1]![d]!);
    }
  }
  put(w, 0, ndim);
  const status = backend.call(COPY);
  if (status !== 0) throw kernelError(COPY, status, backend);
}

/** Slot of tc_copy_args.stride. */
const COPY_STRIDE = 69;

/** A contiguous tensor with uninitialised elements. */
export function emptyTensor(sizes: readonly number[], dtype: DType, backend: Backend): Tensor {
  const count = numelOf(sizes);
  return wrapStorage(allocate(backend, count * dtype.itemsize), dtype, sizes, count);
}

/** `t` itself if it is row-major, else a row-major copy. For kernels; never recorded. */
export function packed(t: Tensor): Tensor {
  return t.packed ? t : packedCopy(t, t.dtype);
}

/** Slots that a launch may have written before it asks for a packed operand. */
const SLOTS = 32;

/** A row-major copy. It may be made while a launch is being written: what that wrote so far stays. */
function packedCopy(t: Tensor, dtype: DType): Tensor {
  const backend = t.storage.backend;
  const out = emptyTensor(t.sizes, dtype, backend);
  const written = backend.argWords.slice(0, 2 * SLOTS);
  runCopy(out, t);
  backend.argWords.set(written);
  return out;
}

/** `t` converted to `dtype` and row-major; `t` itself if it already is. For kernels; never recorded. */
export function packedAs(t: Tensor, dtype: DType): Tensor {
  return t.dtype === dtype ? packed(t) : packedCopy(t, dtype);
}

/** The same bytes seen with other sizes and strides, for kernels. */
export function reshaped(t: Tensor, sizes: readonly number[]): Tensor {
  const strides = new Array<number>(sizes.length);
  let s = 1;
  for (let i = sizes.length - 1; i >= 0; i--) {
    strides[i] = s;
    s *= Math.max(1, sizes[i]!);
  }
  return alias(t, sizes, strides, t.offset);
}

/** Is this a number of integer or bool kind? */
export function isIntegral(d: DType): boolean {
  return d.kind <= Kind.int;
}
