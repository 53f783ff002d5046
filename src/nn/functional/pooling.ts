/**
 * Pooling functions.
 *
 * @module
 */
import { ValueError } from "../../base/errors.ts";
import * as aten from "../../ops/mod.ts";
import type { Tensor } from "../../tensor.ts";
import { required, signature } from "../../utils/signature.ts";
import { type IntOrTuple, listWithDefault, type MaybeIntOrTuple, ntuple } from "../modules/utils.ts";

export { adaptive_avg_pool1d, avg_pool1d, avg_pool2d, avg_pool3d } from "../../ops/mod.ts";

interface Input {
  input: Tensor;
}
/** Values and the flat indices they were found at. */
export type WithIndices = [Tensor, Tensor];

interface MaxPool {
  stride?: IntOrTuple | null;
  padding?: IntOrTuple;
  dilation?: IntOrTuple;
  ceil_mode?: boolean;
  return_indices?: boolean;
}
const MAX_POOL = signature<Input & { kernel_size: IntOrTuple } & MaxPool>("max_pool", {
  input: required,
  kernel_size: required,
  stride: null,
  padding: 0,
  dilation: 1,
  ceil_mode: false,
  return_indices: false,
});
type MaxPoolOp = (
  input: Tensor,
  kernel_size: IntOrTuple,
  stride: IntOrTuple,
  padding: IntOrTuple,
  dilation: IntOrTuple,
  ceil_mode: boolean,
) => Tensor;
type MaxPoolWithIndicesOp = (...args: Parameters<MaxPoolOp>) => WithIndices;

function maxPool(args: unknown[], plain: MaxPoolOp, withIndices: MaxPoolWithIndicesOp): Tensor | WithIndices {
  const { input, kernel_size, stride, padding, dilation, ceil_mode, return_indices } = MAX_POOL(args);
  const step = stride ?? []; // the kernel's size, in the operator's terms
  return return_indices
    ? withIndices(input, kernel_size, step, padding, dilation, ceil_mode)
    : plain(input, kernel_size, step, padding, dilation, ceil_mode);
}

/** A pooling function: its result carries indices if `return_indices` is true. */
export interface MaxPoolFunction {
  (input: Tensor, kernel_size: IntOrTuple, options: MaxPool & { return_indices: true }): WithIndices;
  (
    input: Tensor,
    kernel_size: IntOrTuple,
    stride?: IntOrTuple | null | (MaxPool & { return_indices?: false }),
    padding?: IntOrTuple | (MaxPool & { return_indices?: false }),
    dilation?: IntOrTuple | (MaxPool & { return_indices?: false }),
    ceil_mode?: boolean | (MaxPool & { return_indices?: false }),
    return_indices?: false,
  ): Tensor;
  (
    input: Tensor,
    kernel_size: IntOrTuple,
    stride?: IntOrTuple | null | MaxPool,
    padding?: IntOrTuple | MaxPool,
    dilation?: IntOrTuple | MaxPool,
    ceil_mode?: boolean | MaxPool,
    return_indices?: boolean,
  ): Tensor | WithIndices;
}

/** Maximum over windows of the last dimension. */
export const max_pool1d =
  ((...args: unknown[]) => maxPool(args, aten.max_pool1d, aten.max_pool1d_with_indices)) as MaxPoolFunction;
/** Maximum over windows of the last two dimensions. */
export const max_pool2d =
  ((...args: unknown[]) => maxPool(args, aten.max_pool2d, aten.max_pool2d_with_indices)) as MaxPoolFunction;
/** Maximum over windows of the last three dimensions. */
export const max_pool3d =
  ((...args: unknown[]) => maxPool(args, aten.max_pool3d, aten.max_pool3d_with_indices)) as MaxPoolFunction;

/** A pooling function whose result carries indices. */
type MaxPoolWithIndices = (
  input: Tensor,
  kernel_size: IntOrTuple,
  stride?: IntOrTuple | null | MaxPool,
  padding?: IntOrTuple | MaxPool,
  dilation?: IntOrTuple | MaxPool,
  ceil_mode?: boolean | MaxPool,
) => WithIndices;
const always = (op: MaxPoolWithIndicesOp): MaxPoolWithIndices => (...args: unknown[]) =>
  maxPool(args, op as unknown as MaxPoolOp, op) as WithIndices;
/** `max_pool1d` with `return_indices`. */
export const max_pool1d_with_indices: MaxPoolWithIndices = always(aten.max_pool1d_with_indices);
/** `max_pool2d` with `return_indices`. */
export const max_pool2d_with_indices: MaxPoolWithIndices = always(aten.max_pool2d_with_indices);
/** `max_pool3d` with `return_indices`. */
export const max_pool3d_with_indices: MaxPoolWithIndices = always(aten.max_pool3d_with_indices);

interface Unpool {
  stride?: IntOrTuple | null;
  padding?: IntOrTuple;
  output_size?: readonly number[] | null;
}
const UNPOOL = signature<Input & { indices: Tensor; kernel_size: IntOrTuple } & Unpool>("max_unpool", {
  input: required,
  indices: required,
  kernel_size: required,
  stride: null,
  padding: 0,
  output_size: null,
});

/** The arguments of an unpooling as tuples of n, the output size worked out and checked. */
function unpool(args: unknown[], n: number): [Tensor, Tensor, number[], number[], number[]] {
  const { input, indices, kernel_size, stride, padding, output_size } = UNPOOL(args);
  const kernel = ntuple(kernel_size, n),
    step = stride === null ? kernel : ntuple(stride, n),
    pad = ntuple(padding, n);
  const sizes = input.shape.slice(-n);
  const natural = kernel.map((k, d) => (sizes[d]! - 1) * step[d]! + k - 2 * pad[d]!);
  if (output_size === null) return [input, indices, natural, step, pad];
  const size = output_size.length === n + 2 ? output_size.slice(2) : [...output_size];
  if (size.length !== n) {
    throw new ValueError(
      `output_size should be a sequence containing ${n} or ${
        n + 2
      } elements, but it has a length of '${size.length}'`,
    );
  }
  size.forEach((s, d) => {
    const least = natural[d]! - step[d]!, most = natural[d]! + step[d]!;
    if (!(least < s && s < most)) {
      throw new ValueError(
        `invalid output_size "[${size.join(", ")}]" (dim ${d} must be between ${least} and ${most})`,
      );
    }
  });
  return [input, indices, size, step, pad];
}

/** Puts maxima back where they were found; zeros elsewhere. */
export function max_unpool1d(
  input: Tensor,
  indices: Tensor,
  kernel_size: IntOrTuple,
  stride?: IntOrTuple | null | Unpool,
  padding?: IntOrTuple | Unpool,
  output_size?: readonly number[] | null | Unpool,
): Tensor;
export function max_unpool1d(...args: unknown[]): Tensor {
  const [input, indices, size] = unpool(args, 1);
  return aten.max_unpool(input, indices, size);
}

/** Puts maxima back where they were found; zeros elsewhere. */
export function max_unpool2d(
  input: Tensor,
  indices: Tensor,
  kernel_size: IntOrTuple,
  stride?: IntOrTuple | null | Unpool,
  padding?: IntOrTuple | Unpool,
  output_size?: readonly number[] | null | Unpool,
): Tensor;
export function max_unpool2d(...args: unknown[]): Tensor {
  const [input, indices, size] = unpool(args, 2);
  return aten.max_unpool(input, indices, size);
}

/** Puts maxima back where they were found; zeros elsewhere. */
export function max_unpool3d(
  input: Tensor,
  indices: Tensor,
  kernel_size: IntOrTuple,
  stride?: IntOrTuple | null | Unpool,
  padding?: IntOrTuple | Unpool,
  output_size?: readonly number[] | null | Unpool,
): Tensor;
export function max_unpool3d(...args: unknown[]): Tensor {
  const [input, indices, size] = unpool(args, 3);
  return aten.max_unpool(input, indices, size);
}

interface LPPool {
  stride?: IntOrTuple | null;
  ceil_mode?: boolean;
}
const LP_POOL = signature<Input & { norm_type: number; kernel_size: IntOrTuple } & LPPool>("lp_pool", {
  input: required,
  norm_type: required,
  kernel_size: required,
  stride: null,
  ceil_mode: false,
});

function lpPool(args: unknown[], n: 1 | 2): Tensor {
  const { input, norm_type, kernel_size, stride, ceil_mode } = LP_POOL(args);
  const power = input.pow(norm_type), step = stride ?? [];
  const mean = n === 1
    ? aten.avg_pool1d(power, kernel_size, step, 0, ceil_mode)
    : aten.avg_pool2d(power, kernel_size, step, 0, ceil_mode);
  const area = ntuple(kernel_size, n).reduce((a, b) => a * b, 1);
  return aten.sign(mean).mul(aten.relu(mean.abs())).mul(area).pow(1 / norm_type);
}

/** The p-norm over windows of the last dimension. */
export function lp_pool1d(
  input: Tensor,
  norm_type: number,
  kernel_size: IntOrTuple,
  stride?: IntOrTuple | null | LPPool,
  ceil_mode?: boolean | LPPool,
): Tensor;
export function lp_pool1d(...args: unknown[]): Tensor {
  return lpPool(args, 1);
}

/** The p-norm over windows of the last two dimensions. */
export function lp_pool2d(
  input: Tensor,
  norm_type: number,
  kernel_size: IntOrTuple,
  stride?: IntOrTuple | null | LPPool,
  ceil_mode?: boolean | LPPool,
): Tensor;
export function lp_pool2d(...args: unknown[]): Tensor {
  return lpPool(args, 2);
}

interface AdaptiveMax {
  return_indices?: boolean;
}
const ADAPTIVE = signature<Input & { output_size: MaybeIntOrTuple } & AdaptiveMax>("adaptive_pool", {
  input: required,
  output_size: required,
  return_indices: false,
});

/** An adaptive pooling function: its result carries indices if `return_indices` is true. */
export interface AdaptiveMaxPoolFunction {
  (input: Tensor, output_size: MaybeIntOrTuple, return_indices: true | { return_indices: true }): WithIndices;
  (input: Tensor, output_size: MaybeIntOrTuple, return_indices?: false | { return_indices?: false }): Tensor;
  (input: Tensor, output_size: MaybeIntOrTuple, return_indices: boolean): Tensor | WithIndices;
}

function adaptiveMax(n: number, op: (input: Tensor, size: number[]) => WithIndices): AdaptiveMaxPoolFunction {
  return ((...args: unknown[]) => {
    const { input, output_size, return_indices } = ADAPTIVE(args);
    const result = op(input, listWithDefault(output_size, input.shape, n));
    return return_indices ? result : result[0];
  }) as AdaptiveMaxPoolFunction;
}

/** Maximum over as many windows as the output has elements. */
export const adaptive_max_pool1d: AdaptiveMaxPoolFunction = adaptiveMax(
  1,
  (x, s) => aten.adaptive_max_pool1d(x, s),
);
/** Maximum over as many windows as the output has elements; null in `output_size` keeps the input's size. */
export const adaptive_max_pool2d: AdaptiveMaxPoolFunction = adaptiveMax(
  2,
  (x, s) => aten.adaptive_max_pool2d(x, s),
);
/** Maximum over as many windows as the output has elements; null in `output_size` keeps the input's size. */
export const adaptive_max_pool3d: AdaptiveMaxPoolFunction = adaptiveMax(
  3,
  (x, s) => aten.adaptive_max_pool3d(x, s),
);

/** `adaptive_max_pool1d` with `return_indices`. */
export const adaptive_max_pool1d_with_indices = (input: Tensor, output_size: MaybeIntOrTuple): WithIndices =>
  adaptive_max_pool1d(input, output_size, true);
/** `adaptive_max_pool2d` with `return_indices`. */
export const adaptive_max_pool2d_with_indices = (input: Tensor, output_size: MaybeIntOrTuple): WithIndices =>
  adaptive_max_pool2d(input, output_size, true);
/** `adaptive_max_pool3d` with `return_indices`. */
export const adaptive_max_pool3d_with_indices = (input: Tensor, output_size: MaybeIntOrTuple): WithIndices =>
  adaptive_max_pool3d(input, output_size, true);

/** Mean over as many windows as the output has elements; null in `output_size` keeps the input's size. */
export function adaptive_avg_pool2d(
  input: Tensor,
  output_size: MaybeIntOrTuple | { output_size: MaybeIntOrTuple },
): Tensor;
export function adaptive_avg_pool2d(...args: unknown[]): Tensor {
  const { input, output_size } = ADAPTIVE(args);
  return aten.adaptive_avg_pool2d(input, listWithDefault(output_size, input.shape, 2));
}

/** Mean over as many windows as the output has elements; null in `output_size` keeps the input's size. */
export function adaptive_avg_pool3d(
  input: Tensor,
  output_size: MaybeIntOrTuple | { output_size: MaybeIntOrTuple },
): Tensor;
export function adaptive_avg_pool3d(...args: unknown[]): Tensor {
  const { input, output_size } = ADAPTIVE(args);
  return aten.adaptive_avg_pool3d(input, listWithDefault(output_size, input.shape, 3));
}

interface FractionalMaxPool {
  output_size?: IntOrTuple | null;
  output_ratio?: IntOrTuple | null;
  return_indices?: boolean;
  _random_samples?: Tensor | null;
}
const FRACTIONAL = signature<Input & { kernel_size: IntOrTuple } & FractionalMaxPool>("fractional_max_pool", {
  input: required,
  kernel_size: required,
  output_size: null,
  output_ratio: null,
  return_indices: false,
  _random_samples: null,
});

function fractionalMaxPool(args: unknown[], n: 2 | 3): Tensor | WithIndices {
  const { input, kernel_size, output_size, output_ratio, return_indices, _random_samples } = FRACTIONAL(args);
  if (output_size === null && output_ratio === null) {
    throw new ValueError(
      `fractional_max_pool${n}d requires specifying either an output_size or an output_ratio`,
    );
  }
  const sizes = input.shape;
  const spatial = sizes.slice(-n);
  const size = output_size === null
    ? ntuple(output_ratio!, n).map((r, d) => Math.trunc(spatial[d]! * r))
    : ntuple(output_size, n);
  const batch = sizes.length === n + 1 ? 1 : sizes[0]!;
  const samples = _random_samples ??
    aten.rand([batch, sizes.at(-n - 1)!, n], { dtype: input.dtype, device: input.device });
  const op = n === 2 ? aten.fractional_max_pool2d : aten.fractional_max_pool3d;
  const result = op(input, ntuple(kernel_size, n), size, samples);
  return return_indices ? result : result[0];
}

/**
 * Maximum over windows of random size.
 *
 * @see https://arxiv.org/abs/1412.6071
 */
export function fractional_max_pool2d(
  input: Tensor,
  kernel_size: IntOrTuple,
  output_size?: IntOrTuple | null | FractionalMaxPool,
  output_ratio?: IntOrTuple | null | FractionalMaxPool,
  return_indices?: boolean | FractionalMaxPool,
  _random_samples?: Tensor | null,
): Tensor | WithIndices;
export function fractional_max_pool2d(...args: unknown[]): Tensor | WithIndices {
  return fractionalMaxPool(args, 2);
}

/** Maximum over windows of random size. */
export function fractional_max_pool3d(
  input: Tensor,
  kernel_size: IntOrTuple,
  output_size?: IntOrTuple | null | FractionalMaxPool,
  output_ratio?: IntOrTuple | null | FractionalMaxPool,
  return_indices?: boolean | FractionalMaxPool,
  _random_samples?: Tensor | null,
): Tensor | WithIndices;
export function fractional_max_pool3d(...args: unknown[]): Tensor | WithIndices {
  return fractionalMaxPool(args, 3);
}
