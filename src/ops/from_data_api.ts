/**
 * `torch.tensor` and its kin: tensors from JavaScript data.
 *
 * @module
 */
import { Device } from "../base/device.ts";
import {
  bfloat16,
  bool,
  DType,
  float16,
  float32,
  float64,
  get_default_dtype,
  int16,
  int32,
  int64,
  int8,
  uint8,
} from "../base/dtype.ts";
import { ValueError } from "../base/errors.ts";
import { Tensor } from "../tensor.ts";
import {
  fromBuffer,
  fromNumpy,
  type NDArrayLike,
  type TensorData,
  tensorFrom,
  type TensorOptions,
} from "./from_data.ts";
import type { TypedArray } from "../base/dtype.ts";

export type { NDArrayLike, TensorData, TensorOptions } from "./from_data.ts";

/**
 * A tensor with a copy of `data`: nested arrays, a typed array or a number. Numbers give the default dtype, booleans
 * bool, bigints int64, typed arrays their own dtype; `dtype` for the rest.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.tensor.html
 */
export function tensor(data: TensorData, options: TensorOptions = {}): Tensor {
  if (options.dtype !== undefined && options.dtype !== null && !(options.dtype instanceof DType)) {
    throw new TypeError(`tensor(): argument 'dtype' must be torch.dtype, not ${typeof options.dtype}`);
  }
  return tensorFrom(data, options);
}

/** Like {@linkcode tensor}, but a tensor that already has the dtype and device is returned as it is. */
export function as_tensor(data: TensorData, options: TensorOptions = {}): Tensor {
  if (!(data instanceof Tensor)) return tensorFrom(data, options);
  return data.to(options.device ?? data.device, options.dtype ?? data.dtype);
}

/** Alias of {@linkcode as_tensor} that also sets `requires_grad`. */
export function asarray(data: TensorData, options: TensorOptions & { copy?: boolean } = {}): Tensor {
  const t = as_tensor(data, options);
  const own = options.copy && t === data ? t.clone() : t;
  return options.requires_grad === undefined ? own : own.detach().requires_grad_(options.requires_grad);
}

/** Options of {@linkcode frombuffer}. */
export interface FromBufferOptions {
  dtype: DType;
  count?: number;
  offset?: number;
  requires_grad?: boolean;
  device?: Device | string | null;
}

/**
 * A 1-D tensor of little-endian bytes, copied.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.frombuffer.html
 */
export function frombuffer(buffer: ArrayBufferLike | ArrayBufferView, options: FromBufferOptions): Tensor {
  const t = fromBuffer(
    buffer,
    options.dtype,
    options.count ?? -1,
    options.offset ?? 0,
    options.device ?? null,
  );
  return options.requires_grad ? t.requires_grad_(true) : t;
}

/** A tensor of an ndarray-like object `{ data, shape, stride?, offset? }` or of a typed array; copied. */
export function from_numpy(x: NDArrayLike | TypedArray): Tensor {
  return fromNumpy(x);
}

/** PyTorch's legacy constructors: sizes as numbers, or data as an array. */
function legacy(name: string, dtype: DType | null) {
  return function (...args: (number | TensorData)[]): Tensor {
    const d = dtype ?? get_default_dtype();
    const first = args[0];
    if (args.length === 0) return tensorFrom([], { dtype: d });
    if (typeof first === "number") {
      if (!args.every((a) => typeof a === "number" && Number.isInteger(a))) {
        throw new ValueError(`${name}(): expected sizes as integers, but got (${args.join(", ")})`);
      }
      return tensorFrom([], { dtype: d }).new_empty(args as number[]);
    }
    if (first instanceof Tensor) return first.to(d);
    return tensorFrom(first as TensorData, { dtype: d });
  };
}

export const FloatTensor: (...args: (number | TensorData)[]) => Tensor = legacy("FloatTensor", float32);
export const DoubleTensor: (...args: (number | TensorData)[]) => Tensor = legacy("DoubleTensor", float64);
export const HalfTensor: (...args: (number | TensorData)[]) => Tensor = legacy("HalfTensor", float16);
export const BFloat16Tensor: (...args: (number | TensorData)[]) => Tensor = legacy(
  "BFloat16Tensor",
  bfloat16,
);
export const LongTensor: (...args: (number | TensorData)[]) => Tensor = legacy("LongTensor", int64);
export const IntTensor: (...args: (number | TensorData)[]) => Tensor = legacy("IntTensor", int32);
export const ShortTensor: (...args: (number | TensorData)[]) => Tensor = legacy("ShortTensor", int16);
export const CharTensor: (...args: (number | TensorData)[]) => Tensor = legacy("CharTensor", int8);
export const ByteTensor: (...args: (number | TensorData)[]) => Tensor = legacy("ByteTensor", uint8);
export const BoolTensor: (...args: (number | TensorData)[]) => Tensor = legacy("BoolTensor", bool);
