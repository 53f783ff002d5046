/**
 * `torch.nn.init`: initial values. Every function fills its tensor in place, unrecorded, and returns it.
 *
 * @module
 */
import { float64 } from "../base/dtype.ts";
import { ValueError, warnOnce } from "../base/errors.ts";
import { internal } from "../base/scope.ts";
import { no_grad } from "../autograd/grad_mode.ts";
import * as linalg from "../_gen/linalg.ts";
import * as aten from "../ops/mod.ts";
import type { Tensor } from "../tensor.ts";
import { listRepr } from "../utils/pyrepr.ts";
import { required, signature } from "../utils/signature.ts";

/** Runs `fill` unrecorded, frees what it made, and returns `tensor`. */
function filled<T extends Tensor>(tensor: T, fill: () => unknown): T {
  no_grad(() => internal(() => void fill()));
  return tensor;
}

interface Target<T extends Tensor = Tensor> {
  tensor: T;
}

interface Uniform {
  a?: number;
  b?: number;
}
const UNIFORM = signature<Target & Uniform>("uniform_", { tensor: required, a: 0, b: 1 });
/** Draws from the uniform distribution on [a, b). */
export function uniform_<T extends Tensor>(tensor: T, a?: number | Uniform, b?: number | Uniform): T;
export function uniform_(...args: unknown[]): Tensor {
  const { tensor, a, b } = UNIFORM(args);
  return filled(tensor, () => tensor.uniform_(a, b));
}

interface Normal {
  mean?: number;
  std?: number;
}
const NORMAL = signature<Target & Normal>("normal_", { tensor: required, mean: 0, std: 1 });
/** Draws from the normal distribution. */
export function normal_<T extends Tensor>(tensor: T, mean?: number | Normal, std?: number | Normal): T;
export function normal_(...args: unknown[]): Tensor {
  const { tensor, mean, std } = NORMAL(args);
  return filled(tensor, () => tensor.normal_(mean, std));
}

interface TruncNormal extends Normal {
  a?: number;
  b?: number;
}
const TRUNC_NORMAL = signature<Target & TruncNormal>("trunc_normal_", {
  tensor: required,
  mean: 0,
  std: 1,
  a: -2,
  b: 2,
});

/** The cumulative distribution function of the standard normal distribution. */
function normalCdf(x: number): number {
  return (1 + Number(aten.tensor(x / Math.SQRT2, { dtype: float64 }).erf().item())) / 2;
}

/** Draws from the normal distribution cut off outside [a, b], by inversion. */
export function trunc_normal_<T extends Tensor>(
  tensor: T,
  mean?: number | TruncNormal,
  std?: number | TruncNormal,
  a?: number | TruncNormal,
  b?: number | TruncNormal,
): T;
export function trunc_normal_(...args: unknown[]): Tensor {
  const { tensor, mean, std, a, b } = TRUNC_NORMAL(args);
  if (mean < a - 2 * std || mean > b + 2 * std) {
    warnOnce(
      "UserWarning",
      "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. The distribution of values may be incorrect.",
    );
  }
  return filled(tensor, () => {
    const low = normalCdf((a - mean) / std), high = normalCdf((b - mean) / std);
    tensor.uniform_(2 * low - 1, 2 * high - 1).erfinv_().mul_(std * Math.SQRT2).add_(mean).clamp_(a, b);
  });
}

const CONSTANT = signature<Target & { val: number }>("constant_", { tensor: required, val: required });
/** Fills with `val`. */
export function constant_<T extends Tensor>(tensor: T, val: number | { val: number }): T;
export function constant_(...args: unknown[]): Tensor {
  const { tensor, val } = CONSTANT(args);
  return filled(tensor, () => tensor.fill_(val));
}

/** Fills with 1. */
export function ones_<T extends Tensor>(tensor: T): T {
  return filled(tensor, () => tensor.fill_(1));
}

/** Fills with 0. */
export function zeros_<T extends Tensor>(tensor: T): T {
  return filled(tensor, () => tensor.zero_());
}

/** Makes a matrix the identity. */
export function eye_<T extends Tensor>(tensor: T): T {
  if (tensor.dim() !== 2) throw new ValueError("Only tensors with 2 dimensions are supported");
  return filled(tensor, () => tensor.zero_().diagonal().fill_(1));
}

const DIRAC = signature<Target & { groups?: number }>("dirac_", { tensor: required, groups: 1 });
/** Makes the weight of a convolution the identity on as many channels as possible. */
export function dirac_<T extends Tensor>(tensor: T, groups?: number | { groups?: number }): T;
export function dirac_(...args: unknown[]): Tensor {
  const { tensor, groups } = DIRAC(args);
  const sizes = tensor.shape;
  if (sizes.length < 3 || sizes.length > 5) {
    throw new ValueError("Only tensors with 3, 4, or 5 dimensions are supported");
  }
  if (sizes[0]! % groups !== 0) throw new ValueError("dim 0 must be divisible by groups");
  const perGroup = sizes[0]! / groups;
  const centre = sizes.slice(2).map((n) => Math.floor(n / 2));
  return filled(tensor, () => {
    tensor.zero_();
    for (let g = 0; g < groups; g++) {
      for (let d = 0; d < Math.min(perGroup, sizes[1]!); d++) {
        [g * perGroup + d, d, ...centre].reduce<Tensor>((t, i) => t.select(0, i), tensor).fill_(1);
      }
    }
  });
}

/** Number of inputs to, and outputs from, one element of a weight. */
export function _calculate_fan_in_and_fan_out(tensor: Tensor): [fan_in: number, fan_out: number] {
  const sizes = tensor.shape;
  if (sizes.length < 2) {
    throw new ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions");
  }
  const receptiveField = sizes.slice(2).reduce((a, b) => a * b, 1);
  return [sizes[1]! * receptiveField, sizes[0]! * receptiveField];
}

/** The bias of a layer: uniform on +-1 / sqrt(fan_in of its weight). */
export function uniformFanIn(bias: Tensor, weight: Tensor): void {
  const [fanIn] = _calculate_fan_in_and_fan_out(weight);
  const bound = fanIn > 0 ? 1 / Math.sqrt(fanIn) : 0;
  uniform_(bias, -bound, bound);
}

const XAVIER = signature<Target & { gain?: number }>("xavier", { tensor: required, gain: 1 });
function xavierStd(tensor: Tensor, gain: number): number {
  const [fanIn, fanOut] = _calculate_fan_in_and_fan_out(tensor);
  return gain * Math.sqrt(2 / (fanIn + fanOut));
}
/**
 * Uniform with the variance that keeps activations and gradients at their scale.
 *
 * @see http://proceedings.mlr.press/v9/glorot10a.html
 */
export function xavier_uniform_<T extends Tensor>(tensor: T, gain?: number | { gain?: number }): T;
export function xavier_uniform_(...args: unknown[]): Tensor {
  const { tensor, gain } = XAVIER(args);
  const a = Math.sqrt(3) * xavierStd(tensor, gain);
  return filled(tensor, () => tensor.uniform_(-a, a));
}
/** Normal with the variance that keeps activations and gradients at their scale. */
export function xavier_normal_<T extends Tensor>(tensor: T, gain?: number | { gain?: number }): T;
export function xavier_normal_(...args: unknown[]): Tensor {
  const { tensor, gain } = XAVIER(args);
  const std = xavierStd(tensor, gain);
  return filled(tensor, () => tensor.normal_(0, std));
}

const LINEAR_GAINS = [
  "linear",
  "conv1d",
  "conv2d",
  "conv3d",
  "conv_transpose1d",
  "conv_transpose2d",
  "conv_transpose3d",
  "sigmoid",
];
/** By how much a nonlinearity shrinks the variance: the factor that makes up for it. */
export function calculate_gain(
  nonlinearity: string,
  param: number | null | { param?: number | null } = null,
): number {
  if (LINEAR_GAINS.includes(nonlinearity)) return 1;
  switch (nonlinearity) {
    case "tanh":
      return 5 / 3;
    case "relu":
      return Math.sqrt(2);
    case "leaky_relu": {
      const slope = (param !== null && typeof param === "object" ? param.param : param) ?? 0.01;
      if (typeof slope !== "number") throw new ValueError(`negative_slope ${slope} not a valid number`);
      return Math.sqrt(2 / (1 + slope ** 2));
    }
    case "selu":
      return 3 / 4;
    default:
      throw new ValueError(`Unsupported nonlinearity ${nonlinearity}`);
  }
}

/** Which fan keeps its variance: that of activations (`fan_in`) or of gradients. */
export type FanMode = "fan_in" | "fan_out";
interface Kaiming {
  a?: number;
  mode?: FanMode;
  nonlinearity?: string;
}
const KAIMING = signature<Target & Kaiming>("kaiming", {
  tensor: required,
  a: 0,
  mode: "fan_in",
  nonlinearity: "leaky_relu",
});
const MODES = ["fan_in", "fan_out"];

/** The standard deviation of He initialisation; null for a tensor without elements. */
function kaimingStd(tensor: Tensor, a: number, mode: string, nonlinearity: string): number | null {
  if (tensor.shape.includes(0)) {
    warnOnce("UserWarning", "Initializing zero-element tensors is a no-op");
    return null;
  }
  const which = MODES.indexOf(mode.toLowerCase());
  if (which < 0) {
    throw new ValueError(`Mode ${mode.toLowerCase()} not supported, please use one of ${listRepr(MODES)}`);
  }
  const fan = _calculate_fan_in_and_fan_out(tensor)[which]!;
  return calculate_gain(nonlinearity, a) / Math.sqrt(fan);
}
/**
 * Uniform with the variance for rectifiers.
 *
 * @see https://arxiv.org/abs/1502.01852
 */
export function kaiming_uniform_<T extends Tensor>(
  tensor: T,
  a?: number | Kaiming,
  mode?: FanMode | Kaiming,
  nonlinearity?: string | Kaiming,
): T;
export function kaiming_uniform_(...args: unknown[]): Tensor {
  const { tensor, a, mode, nonlinearity } = KAIMING(args);
  const std = kaimingStd(tensor, a, mode, nonlinearity);
  if (std === null) return tensor;
  const bound = Math.sqrt(3) * std;
  return filled(tensor, () => tensor.uniform_(-bound, bound));
}
/** Normal with the variance for rectifiers. */
export function kaiming_normal_<T extends Tensor>(
  tensor: T,
  a?: number | Kaiming,
  mode?: FanMode | Kaiming,
  nonlinearity?: string | Kaiming,
): T;
export function kaiming_normal_(...args: unknown[]): Tensor {
  const { tensor, a, mode, nonlinearity } = KAIMING(args);
  const std = kaimingStd(tensor, a, mode, nonlinearity);
  return std === null ? tensor : filled(tensor, () => tensor.normal_(0, std));
}

const ORTHOGONAL = signature<Target & { gain?: number }>("orthogonal_", { tensor: required, gain: 1 });
/**
 * A (semi-)orthogonal matrix: Q of the QR decomposition of a normal one, signs fixed by R.
 *
 * @see https://arxiv.org/abs/1312.6120
 */
export function orthogonal_<T extends Tensor>(tensor: T, gain?: number | { gain?: number }): T;
export function orthogonal_(...args: unknown[]): Tensor {
  const { tensor, gain } = ORTHOGONAL(args);
  if (tensor.dim() < 2) throw new ValueError("Only tensors with 2 or more dimensions are supported");
  if (tensor.numel() === 0) return tensor;
  const rows = tensor.size(0), cols = tensor.numel() / rows;
  return filled(tensor, () => {
    const drawn = tensor.new_empty([rows, cols]).normal_(0, 1);
    const wide = rows < cols;
    const [q, r] = linalg.qr(wide ? drawn.t() : drawn);
    const signed = q.mul(aten.diag(r, 0).sign());
    tensor.copy_((wide ? signed.t() : signed).reshape(tensor.shape)).mul_(gain);
  });
}

interface Sparse {
  sparsity: number;
  std?: number;
}
const SPARSE = signature<Target & Sparse>("sparse_", { tensor: required, sparsity: required, std: 0.01 });
/** Normal, with the share `sparsity` of every column set to 0. */
export function sparse_<T extends Tensor>(
  tensor: T,
  sparsity: number | Sparse,
  std?: number | Partial<Sparse>,
): T;
export function sparse_(...args: unknown[]): Tensor {
  const { tensor, sparsity, std } = SPARSE(args);
  if (tensor.dim() !== 2) throw new ValueError("Only tensors with 2 dimensions are supported");
  const [rows, cols] = tensor.shape as unknown as [number, number];
  const zeros = Math.ceil(sparsity * rows);
  return filled(tensor, () => {
    tensor.normal_(0, std);
    for (let c = 0; c < cols; c++) {
      tensor.select(1, c).index_fill_(0, aten.randperm(rows).narrow(0, 0, zeros), 0);
    }
  });
}

type Initializer = (...args: never[]) => Tensor;
function deprecated<F extends Initializer>(name: string, fn: F): F {
  return ((...args: never[]) => {
    warnOnce("UserWarning", `nn.init.${name} is now deprecated in favor of nn.init.${name}_.`);
    return fn(...args);
  }) as F;
}

/** Deprecated: `uniform_`. */
export const uniform: typeof uniform_ = deprecated("uniform", uniform_);
/** Deprecated: `normal_`. */
export const normal: typeof normal_ = deprecated("normal", normal_);
/** Deprecated: `constant_`. */
export const constant: typeof constant_ = deprecated("constant", constant_);
/** Deprecated: `eye_`. */
export const eye: typeof eye_ = deprecated("eye", eye_);
/** Deprecated: `dirac_`. */
export const dirac: typeof dirac_ = deprecated("dirac", dirac_);
/** Deprecated: `xavier_uniform_`. */
export const xavier_uniform: typeof xavier_uniform_ = deprecated("xavier_uniform", xavier_uniform_);
/** Deprecated: `xavier_normal_`. */
export const xavier_normal: typeof xavier_normal_ = deprecated("xavier_normal", xavier_normal_);
/** Deprecated: `kaiming_uniform_`. */
export const kaiming_uniform: typeof kaiming_uniform_ = deprecated("kaiming_uniform", kaiming_uniform_);
/** Deprecated: `kaiming_normal_`. */
export const kaiming_normal: typeof kaiming_normal_ = deprecated("kaiming_normal", kaiming_normal_);
/** Deprecated: `orthogonal_`. */
export const orthogonal: typeof orthogonal_ = deprecated("orthogonal", orthogonal_);
/** Deprecated: `sparse_`. */
export const sparse: typeof sparse_ = deprecated("sparse", sparse_);
