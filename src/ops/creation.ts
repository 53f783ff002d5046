/**
 * Creation from nothing: zeros, ones, full, arange, linspace, eye, and the like. `tensor()` and its kin, which take
 * JavaScript data, are in `from_data.ts`.
 *
 * @module
 */
import { backendOf } from "../backend/registry.ts";
import type { Backend } from "../base/backend.ts";
import type { Device } from "../base/device.ts";
import { bool, type DType, float64, get_default_dtype, int64, Kind, toReal } from "../base/dtype.ts";
import { RuntimeError } from "../base/errors.ts";
import { Complex, type Scalar, scalarDtype, scalarKind, toNumber } from "../base/scalar.ts";
import { shapeText } from "../base/size.ts";
import { allocate } from "../base/storage.ts";
import { emptyLike, emptyTensor, runCopy, runPointwise } from "../dispatch/iterator.ts";
import { op, type RowSpec, type Table } from "../dispatch/op.ts";
import { resultType } from "../dispatch/promotion.ts";
import { alias, type Tensor, wrapStorage } from "../tensor.ts";
import { formula } from "./elementwise.ts";

type Sizes = readonly number[];

/** The keywords that factories share. */
export const OPTIONS =
  "ScalarType? dtype=None, Any layout=None, Device? device=None, bool? pin_memory=None, bool requires_grad=False";

function checkSizes(size: Sizes): void {
  for (const s of size) {
    if (s < 0) {
      throw new RuntimeError(`Trying to create tensor with negative dimension ${s}: ${shapeText(size)}`);
    }
  }
}

/** The types of PyTorch's `Scalar::to`. */
const SCALAR_NAMES: Readonly<Record<string, string>> = {
  float32: "float",
  float64: "double",
  float16: "at::Half",
  bfloat16: "at::BFloat16",
  bool: "bool",
  uint8: "uint8_t",
  int8: "int8_t",
  int16: "int16_t",
  int32: "int",
  int64: "int64_t",
};

/** Fills with a number. */
export function fillTensor(t: Tensor, value: Scalar): Tensor {
  if (t.dtype.kind === Kind.complex) {
    // Part by part: a complex tensor's memory is its real one's with a last dimension of 2.
    const strides = t.strides.map((s) => 2 * s);
    const part = (k: number): Tensor => alias(t, t.sizes, strides, 2 * t.offset + k, toReal(t.dtype));
    fillTensor(part(0), value instanceof Complex ? value.re : value);
    fillTensor(part(1), value instanceof Complex ? value.im : 0);
    return t;
  }
  if (value instanceof Complex) {
    if (value.im !== 0) {
      throw new RuntimeError(
        `value cannot be converted to type ${SCALAR_NAMES[t.dtype.name]} without overflow`,
      );
    }
    return fillTensor(t, value.re);
  }
  runPointwise(formula("copy"), t.dtype.compute, t, [value]);
  return t;
}

/** A new row-major tensor; `value` null: uninitialised. */
export function filled(
  size: Sizes,
  value: Scalar | null,
  dtype: DType,
  backend: Backend,
  requiresGrad: boolean,
): Tensor {
  checkSizes(size);
  const t = emptyTensor(size, dtype, backend);
  if (value !== null) fillTensor(t, value);
  if (requiresGrad) t.requires_grad_(true);
  return t;
}

const make = (name: string, value: Scalar | null, doc: string): RowSpec => ({
  schema: `${name}(int[] size, *, ${OPTIONS}, Any memory_format=None) -> Tensor`,
  impl: (size: Sizes, dtype: DType | null, _l: unknown, device: Device | null, _p: unknown, grad: boolean) =>
    filled(size, value, dtype ?? get_default_dtype(), backendOf(device), grad),
  plain: true,
  varargs: "size",
  doc,
});

const makeLike = (name: string, value: Scalar | null, doc: string): RowSpec => ({
  schema: `${name}(Tensor self, *, ${OPTIONS}, Any memory_format=None) -> Tensor`,
  impl: (
    self: Tensor,
    dtype: DType | null,
    _l: unknown,
    device: Device | null,
    _p: unknown,
    grad: boolean,
  ) => {
    const t = emptyLike(
      self,
      dtype ?? self.dtype,
      device === null ? self.storage.backend : backendOf(device),
    );
    if (value !== null) fillTensor(t, value);
    return grad ? t.requires_grad_(true) : t;
  },
  plain: true,
  only: "function",
  doc,
});

/** Filled, of self's dtype and on its device unless said otherwise. */
function filledLike(
  self: Tensor,
  size: Sizes,
  value: Scalar | null,
  dtype: DType | null,
  device: Device | null,
  grad: boolean,
): Tensor {
  const backend = device === null ? self.storage.backend : backendOf(device);
  return filled(size, value, dtype ?? self.dtype, backend, grad);
}

const makeNew = (name: string, value: Scalar | null, doc: string): RowSpec => ({
  schema: `${name}(Tensor self, int[] size, *, ${OPTIONS}) -> Tensor`,
  impl: (
    self: Tensor,
    size: Sizes,
    dtype: DType | null,
    _l: unknown,
    device: Device | null,
    _p: unknown,
    grad: boolean,
  ) => filledLike(self, size, value, dtype, device, grad),
  plain: true,
  varargs: "size",
  only: "method",
  doc,
});

/** start, start + step, ...: computed in double, as PyTorch does for float dtypes, exactly for integers. */
function arange(
  start: Scalar,
  end: Scalar,
  step: Scalar,
  dtype: DType | null,
  backend: Backend,
  grad: boolean,
): Tensor {
  const d = dtype ??
    ([start, end, step].some((x) => scalarKind(x) === Kind.float) ? get_default_dtype() : int64);
  if (d.kind === Kind.complex) throw new RuntimeError(`"arange_cpu" not implemented for '${d.scalarName}'`);
  for (const x of [start, end, step]) {
    if (x instanceof Complex) {
      throw new RuntimeError("value cannot be converted to type double without overflow");
    }
  }
  const a = toNumber(start), b = toNumber(end), s = toNumber(step);
  if (s === 0) throw new RuntimeError("step must be nonzero");
  if (!Number.isFinite(a) || !Number.isFinite(b)) throw new RuntimeError(`unsupported range: ${a} -> ${b}`);
  if ((s > 0 && a > b) || (s < 0 && a < b)) {
    throw new RuntimeError("upper bound and larger bound inconsistent with step sign");
  }
  const n = Math.ceil((b - a) / s);
  return grad ? ramp(n, a, s, d, backend).requires_grad_(true) : ramp(n, a, s, d, backend);
}

/** `n` numbers a, a + s, ...; written by the host, which is exact in every dtype. */
function ramp(n: number, a: number, s: number, d: DType, backend: Backend): Tensor {
  const t = emptyTensor([n], d, backend);
  if (n === 0 || !backend.hasData) return t;
  if (d.kind < Kind.float && d !== bool) {
    const values = d === int64 ? new BigInt64Array(n) : new d.array(n) as Int32Array;
    if (values instanceof BigInt64Array) {
      for (let i = 0; i < n; i++) values[i] = BigInt(Math.trunc(a + i * s));
    } else for (let i = 0; i < n; i++) values[i] = a + i * s;
    backend.write(t.storage.resident(), new Uint8Array(values.buffer, 0, values.byteLength));
    return t;
  }
  const values = new Float64Array(n);
  for (let i = 0; i < n; i++) values[i] = a + i * s;
  return writeDoubles(t, values);
}

/** Puts doubles into a tensor of any dtype. */
export function writeDoubles(t: Tensor, values: Float64Array): Tensor {
  const backend = t.storage.backend;
  if (t.count === 0 || !backend.hasData) return t;
  if (t.dtype.array === Float32Array && t.dtype.kind === Kind.float) {
    const f = Float32Array.from(values);
    backend.write(t.storage.resident(), new Uint8Array(f.buffer));
    return t;
  }
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  if (t.dtype === float64) {
    backend.write(t.storage.resident(), bytes);
    return t;
  }
  const wide = wrapStorage(allocate(backend, bytes.length), float64, [values.length], values.length);
  backend.write(wide.storage.resident(), bytes);
  runCopy(t, alias(wide, t.sizes, t.strides, 0));
  return t;
}

/** PyTorch fills from both ends, so that the last element is exactly `end`. */
function linspaceValues(a: number, b: number, steps: number, d: DType): Float64Array {
  if (steps < 0) throw new RuntimeError("number of steps must be non-negative");
  const values = new Float64Array(steps);
  if (steps === 1) values[0] = a;
  if (steps <= 1) return values;
  const f = d.kind < Kind.float || d === float64 ? (x: number) => x : Math.fround;
  if (d.kind < Kind.float) [a, b] = [Math.trunc(a), Math.trunc(b)];
  const step = f((f(b) - f(a)) / (steps - 1));
  const half = Math.floor(steps / 2);
  for (let i = 0; i < steps; i++) {
    values[i] = i < half ? f(f(a) + f(step * i)) : f(f(b) - f(step * (steps - 1 - i)));
  }
  return values;
}

function spaced(
  values: (d: DType) => Float64Array,
  dtype: DType | null,
  device: Device | null,
  grad: boolean,
): Tensor {
  const d = dtype ?? get_default_dtype();
  const v = values(d);
  const t = writeDoubles(emptyTensor([v.length], d, backendOf(device)), v);
  return grad ? t.requires_grad_(true) : t;
}

function eye(n: number, m: number, dtype: DType | null, device: Device | null, grad: boolean): Tensor {
  if (n < 0) throw new RuntimeError(`n must be greater or equal to 0, got ${n}`);
  if (m < 0) throw new RuntimeError(`m must be greater or equal to 0, got ${m}`);
  const t = filled([n, m], 0, dtype ?? get_default_dtype(), backendOf(device), false);
  const k = Math.min(n, m);
  if (k > 0) fillTensor(alias(t, [k], [m + 1], 0), 1);
  return grad ? t.requires_grad_(true) : t;
}

/** The dtype of `full` follows its value. */
function fullDtype(value: Scalar, dtype: DType | null): DType {
  return dtype ?? scalarDtype(value);
}

export const creation: Table = {
  empty: [op(make("empty", null, "A tensor with uninitialised elements."))],
  zeros: [op(make("zeros", 0, "A tensor of zeros."))],
  ones: [op(make("ones", 1, "A tensor of ones."))],
  full: [op({
    schema: `full(int[] size, Scalar fill_value, *, ${OPTIONS}) -> Tensor`,
    impl: (
      size: Sizes,
      value: Scalar,
      dtype: DType | null,
      _l: unknown,
      device: Device | null,
      _p: unknown,
      grad: boolean,
    ) => filled(size, value, fullDtype(value, dtype), backendOf(device), grad),
    plain: true,
    doc: "A tensor filled with one value.",
  })],
  empty_like: [op(makeLike("empty_like", null, "Uninitialised, of the same shape and dtype."))],
  zeros_like: [op(makeLike("zeros_like", 0, "Zeros of the same shape and dtype."))],
  ones_like: [op(makeLike("ones_like", 1, "Ones of the same shape and dtype."))],
  full_like: [op({
    schema: `full_like(Tensor self, Scalar fill_value, *, ${OPTIONS}, Any memory_format=None) -> Tensor`,
    impl: (
      self: Tensor,
      value: Scalar,
      dtype: DType | null,
      _l: unknown,
      device: Device | null,
      _p: unknown,
      grad: boolean,
    ) => {
      const t = fillTensor(
        emptyLike(self, dtype ?? self.dtype, device === null ? self.storage.backend : backendOf(device)),
        value,
      );
      return grad ? t.requires_grad_(true) : t;
    },
    plain: true,
    only: "function",
    doc: "One value in the same shape and dtype.",
  })],
  new_empty: [op(makeNew("new_empty", null, "Uninitialised, of the same dtype and device."))],
  new_zeros: [op(makeNew("new_zeros", 0, "Zeros of the same dtype and device."))],
  new_ones: [op(makeNew("new_ones", 1, "Ones of the same dtype and device."))],
  new_full: [op({
    schema: `new_full(Tensor self, int[] size, Scalar fill_value, *, ${OPTIONS}) -> Tensor`,
    impl: (
      self: Tensor,
      size: Sizes,
      value: Scalar,
      dtype: DType | null,
      _l: unknown,
      device: Device | null,
      _p: unknown,
      grad: boolean,
    ) => filledLike(self, size, value, dtype, device, grad),
    plain: true,
    only: "method",
    doc: "One value, of the same dtype and device.",
  })],
  empty_strided: [op({
    schema: `empty_strided(int[] size, int[] stride, *, ${OPTIONS}) -> Tensor`,
    impl: (
      size: Sizes,
      stride: Sizes,
      dtype: DType | null,
      _l: unknown,
      device: Device | null,
      _p: unknown,
      grad: boolean,
    ) => {
      const t = strided(size, stride, dtype ?? get_default_dtype(), backendOf(device));
      return grad ? t.requires_grad_(true) : t;
    },
    plain: true,
    doc: "Uninitialised, with the given strides.",
  })],
  new_empty_strided: [op({
    schema: `new_empty_strided(Tensor self, int[] size, int[] stride, *, ${OPTIONS}) -> Tensor`,
    impl: (
      self: Tensor,
      size: Sizes,
      stride: Sizes,
      dtype: DType | null,
      _l: unknown,
      device: Device | null,
    ) =>
      strided(size, stride, dtype ?? self.dtype, device === null ? self.storage.backend : backendOf(device)),
    plain: true,
    only: "method",
    doc: "Uninitialised, with the given strides, of the same dtype and device.",
  })],
  arange: [
    op({
      schema: `arange(Scalar end, *, ${OPTIONS}) -> Tensor`,
      impl: (
        end: Scalar,
        dtype: DType | null,
        _l: unknown,
        device: Device | null,
        _p: unknown,
        grad: boolean,
      ) => arange(0, end, 1, dtype, backendOf(device), grad),
      doc: "0, 1, ... below `end`.",
    }),
    op({
      schema: `arange.start_step(Scalar start, Scalar end, Scalar step=1, *, ${OPTIONS}) -> Tensor`,
      impl: (
        start: Scalar,
        end: Scalar,
        step: Scalar,
        dtype: DType | null,
        _l: unknown,
        device: Device | null,
        _p: unknown,
        grad: boolean,
      ) => arange(start, end, step, dtype, backendOf(device), grad),
      doc: "start, start + step, ... below `end`.",
    }),
  ],
  range: [op({
    schema: `range(Scalar start, Scalar end, Scalar step=1, *, ${OPTIONS}) -> Tensor`,
    impl: (
      start: Scalar,
      end: Scalar,
      step: Scalar,
      dtype: DType | null,
      _l: unknown,
      device: Device | null,
    ) => {
      const a = toNumber(start), b = toNumber(end), s = toNumber(step);
      return ramp(Math.floor((b - a) / s) + 1, a, s, dtype ?? get_default_dtype(), backendOf(device));
    },
    doc: "start, start + step, ... up to and with `end` (deprecated; see arange).",
  })],
  linspace: [op({
    schema: `linspace(Scalar start, Scalar end, int steps, *, ${OPTIONS}) -> Tensor`,
    impl: (
      start: Scalar,
      end: Scalar,
      steps: number,
      dtype: DType | null,
      _l: unknown,
      device: Device | null,
      _p: unknown,
      grad: boolean,
    ) => spaced((d) => linspaceValues(toNumber(start), toNumber(end), steps, d), dtype, device, grad),
    doc: "`steps` numbers from `start` to `end`, evenly spaced.",
  })],
  logspace: [op({
    schema: `logspace(Scalar start, Scalar end, int steps, float base=10.0, *, ${OPTIONS}) -> Tensor`,
    impl: (
      start: Scalar,
      end: Scalar,
      steps: number,
      base: number,
      dtype: DType | null,
      _l: unknown,
      device: Device | null,
      _p: unknown,
      grad: boolean,
    ) =>
      spaced(
        (d) => linspaceValues(toNumber(start), toNumber(end), steps, d).map((e) => base ** e),
        dtype,
        device,
        grad,
      ),
    doc: "base^start to base^end, evenly spaced exponents.",
  })],
  eye: [
    op({
      schema: `eye(int n, *, ${OPTIONS}) -> Tensor`,
      impl: (
        n: number,
        dtype: DType | null,
        _l: unknown,
        device: Device | null,
        _p: unknown,
        grad: boolean,
      ) => eye(n, n, dtype, device, grad),
      doc: "The identity matrix.",
    }),
    op({
      schema: `eye.m(int n, int m, *, ${OPTIONS}) -> Tensor`,
      impl: (
        n: number,
        m: number,
        dtype: DType | null,
        _l: unknown,
        device: Device | null,
        _p: unknown,
        grad: boolean,
      ) => eye(n, m, dtype, device, grad),
      doc: "Ones on the diagonal.",
    }),
  ],
  fill_: [
    op({
      schema: "fill_(Tensor self, Scalar value) -> Tensor",
      impl: (self: Tensor, value: Scalar) => void fillTensor(self, value),
      mutates: true,
      node: "FillBackward0",
      derivative: { self: (c) => c.grad.new_zeros(c.grad.sizes) },
      doc: "Fills with a number.",
    }),
    op({
      schema: "fill_.tensor(Tensor self, Tensor value) -> Tensor",
      impl: (self: Tensor, value: Tensor) => {
        if (value.sizes.length > 0) {
          throw new RuntimeError(
            `fill_ only supports 0-dimension value tensor but got tensor with ${value.sizes.length} dimensions.`,
          );
        }
        runPointwise(formula("copy"), self.dtype.compute, self, [value]);
      },
      mutates: true,
      node: "FillBackward1",
      derivative: { self: (c) => c.grad.new_zeros(c.grad.sizes), value: (c) => c.grad.sum() },
      doc: "Fills with the value of a 0-dim tensor.",
    }),
  ],
  fill: [op({
    schema: "fill(Tensor self, Operand value) -> Tensor",
    composite: (self: Tensor, value: Scalar | Tensor) => self.clone().fill_(value as Scalar),
    only: "function",
    doc: "A copy filled with one value.",
  })],
  zero_: [op({
    schema: "zero_(Tensor self) -> Tensor",
    impl: (self: Tensor) => void fillTensor(self, 0),
    mutates: true,
    derivative: { self: (c) => c.grad.new_zeros(c.grad.sizes) },
    doc: "Fills with zeros.",
  })],
  meshgrid: [op({
    schema: "meshgrid(Tensor[] tensors, *, str? indexing=None) -> Tensor[]",
    composite: (tensors: Tensor[], indexing: string | null) => {
      if (tensors.length === 0) throw new RuntimeError("meshgrid expects a non-empty TensorList");
      for (const t of tensors) {
        if (t.sizes.length > 1) {
          throw new RuntimeError(
            `torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: ${shapeText(t.sizes)}`,
          );
        }
      }
      if (indexing !== null && indexing !== "ij" && indexing !== "xy") {
        throw new RuntimeError(
          `torch.meshgrid: indexing must be one of "xy" or "ij", but received: ${indexing}`,
        );
      }
      const swap = indexing === "xy" && tensors.length >= 2;
      const list = swap ? [tensors[1]!, tensors[0]!, ...tensors.slice(2)] : tensors;
      const size = list.map((t) => t.count);
      const grids = list.map((t, i) => t.reshape(size.map((_, k) => (k === i ? -1 : 1))).expand(size));
      if (!swap) return grids;
      const turned = grids.map((g) => g.transpose(0, 1));
      return [turned[1]!, turned[0]!, ...turned.slice(2)];
    },
    varargs: "tensors",
    only: "function",
    doc: "Coordinate grids of 1-D tensors.",
  })],
  result_type: [op({
    schema: "result_type(Operand tensor, Operand other) -> ScalarType",
    composite: (a: Tensor | Scalar, b: Tensor | Scalar) => resultType([a, b]),
    only: "function",
    doc: "The dtype that an operation of the two would give.",
  })],
};

function strided(size: Sizes, stride: Sizes, dtype: DType, backend: Backend): Tensor {
  checkSizes(size);
  if (size.length !== stride.length) {
    throw new RuntimeError(
      `dimensionality of sizes (${size.length}) must match dimensionality of strides (${stride.length})`,
    );
  }
  const reach = size.some((s) => s === 0) ? 0 : 1 + size.reduce((a, n, i) => a + (n - 1) * stride[i]!, 0);
  const base = wrapStorage(allocate(backend, reach * dtype.itemsize), dtype, [reach], reach);
  return alias(base, size, stride, 0);
}
