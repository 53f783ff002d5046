/**
 * Normalization functions.
 *
 * @module
 */
import { internal } from "../../base/scope.ts";
import { RuntimeError, ValueError } from "../../base/errors.ts";
import { Size } from "../../base/size.ts";
import { finfo } from "../../config.ts";
import * as aten from "../../ops/mod.ts";
import type { Tensor } from "../../tensor.ts";
import { required, signature } from "../../utils/signature.ts";

interface Affine {
  weight?: Tensor | null;
  bias?: Tensor | null;
}

function verifyBatchSize(size: readonly number[]): void {
  let n = size[0]!;
  for (let i = 2; i < size.length; i++) n *= size[i]!;
  if (n === 1) {
    const text = size instanceof Size ? String(size) : `[${size.join(", ")}]`;
    throw new ValueError(`Expected more than 1 value per channel when training, got input size ${text}`);
  }
}

interface BatchNorm extends Affine {
  training?: boolean;
  momentum?: number;
  eps?: number;
}
type Running = { running_mean: Tensor | null; running_var: Tensor | null };
const BATCH_NORM = signature<{ input: Tensor } & Running & BatchNorm>("batch_norm", {
  input: required,
  running_mean: required,
  running_var: required,
  weight: null,
  bias: null,
  training: false,
  momentum: 0.1,
  eps: 1e-5,
});
/**
 * Normalizes every channel over the batch; in training with the batch's own statistics, which also update the running
 * ones.
 *
 * @see https://arxiv.org/abs/1502.03167
 */
export function batch_norm(
  input: Tensor,
  running_mean: Tensor | null,
  running_var: Tensor | null,
  weight?: Tensor | null | BatchNorm,
  bias?: Tensor | null | BatchNorm,
  training?: boolean | BatchNorm,
  momentum?: number | BatchNorm,
  eps?: number,
): Tensor;
export function batch_norm(...args: unknown[]): Tensor {
  const a = BATCH_NORM(args);
  if (a.training) verifyBatchSize(a.input.shape);
  return aten.batch_norm(
    a.input,
    a.weight,
    a.bias,
    a.running_mean,
    a.running_var,
    a.training,
    a.momentum,
    a.eps,
    true,
  );
}

interface InstanceNorm extends Affine {
  running_mean?: Tensor | null;
  running_var?: Tensor | null;
  use_input_stats?: boolean;
  momentum?: number;
  eps?: number;
}
const INSTANCE_NORM = signature<{ input: Tensor } & InstanceNorm>("instance_norm", {
  input: required,
  running_mean: null,
  running_var: null,
  weight: null,
  bias: null,
  use_input_stats: true,
  momentum: 0.1,
  eps: 1e-5,
});
/** Normalizes every channel of every sample by itself. */
export function instance_norm(
  input: Tensor,
  running_mean?: Tensor | null | InstanceNorm,
  running_var?: Tensor | null,
  weight?: Tensor | null | InstanceNorm,
  bias?: Tensor | null | InstanceNorm,
  use_input_stats?: boolean | InstanceNorm,
  momentum?: number | InstanceNorm,
  eps?: number,
): Tensor;
export function instance_norm(...args: unknown[]): Tensor {
  const a = INSTANCE_NORM(args);
  if (a.use_input_stats) {
    const size = a.input.shape;
    if (size.slice(2).reduce((x, y) => x * y, 1) === 1) {
      throw new ValueError(`Expected more than 1 spatial element when training, got input size ${size}`);
    }
  }
  return aten.instance_norm(
    a.input,
    a.weight,
    a.bias,
    a.running_mean,
    a.running_var,
    a.use_input_stats,
    a.momentum,
    a.eps,
    true,
  );
}

interface LayerNorm extends Affine {
  eps?: number;
}
const LAYER_NORM = signature<{ input: Tensor; normalized_shape: readonly number[] } & LayerNorm>(
  "layer_norm",
  {
    input: required,
    normalized_shape: required,
    weight: null,
    bias: null,
    eps: 1e-5,
  },
);
/**
 * Normalizes over the last dimensions, those of `normalized_shape`.
 *
 * @see https://arxiv.org/abs/1607.06450
 */
export function layer_norm(
  input: Tensor,
  normalized_shape: readonly number[],
  weight?: Tensor | null | LayerNorm,
  bias?: Tensor | null | LayerNorm,
  eps?: number | LayerNorm,
): Tensor;
export function layer_norm(...args: unknown[]): Tensor {
  const { input, normalized_shape, weight, bias, eps } = LAYER_NORM(args);
  return aten.layer_norm(input, normalized_shape, weight, bias, eps);
}

interface RMSNorm {
  weight?: Tensor | null;
  eps?: number | null;
}
const RMS_NORM = signature<{ input: Tensor; normalized_shape: readonly number[] } & RMSNorm>("rms_norm", {
  input: required,
  normalized_shape: required,
  weight: null,
  eps: null,
});
/**
 * Divides by the root of the mean square over the last dimensions, those of `normalized_shape`; eps null: the machine
 * epsilon of the dtype.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.functional.rms_norm.html
 */
export function rms_norm(
  input: Tensor,
  normalized_shape: readonly number[],
  weight?: Tensor | null | RMSNorm,
  eps?: number | null | RMSNorm,
): Tensor;
export function rms_norm(...args: unknown[]): Tensor {
  const { input, normalized_shape, weight, eps } = RMS_NORM(args);
  const n = normalized_shape.length, sizes = input.shape;
  if (String(sizes.slice(sizes.length - n)) !== String(normalized_shape)) {
    throw new RuntimeError(
      `Given normalized_shape=[${normalized_shape.join(", ")}], expected input with shape [*, ${
        normalized_shape.join(", ")
      }], but got input of size[${sizes.join(", ")}]`,
    );
  }
  const dims = normalized_shape.map((_, i) => i - n);
  return internal(() => {
    // Half precision is computed in float32.
    const x = input.dtype.itemsize < 4 ? input.float() : input;
    const scale = x.mul(x).mean(dims, true).add(eps ?? finfo(input.dtype).eps).rsqrt();
    const out = x.mul(scale).to(input.dtype);
    return weight === null ? out : out.mul(weight);
  });
}

const GROUP_NORM = signature<{ input: Tensor; num_groups: number } & LayerNorm>("group_norm", {
  input: required,
  num_groups: required,
  weight: null,
  bias: null,
  eps: 1e-5,
});
/**
 * Normalizes every group of channels of every sample.
 *
 * @see https://arxiv.org/abs/1803.08494
 */
export function group_norm(
  input: Tensor,
  num_groups: number,
  weight?: Tensor | null | LayerNorm,
  bias?: Tensor | null | LayerNorm,
  eps?: number | LayerNorm,
): Tensor;
export function group_norm(...args: unknown[]): Tensor {
  const { input, num_groups, weight, bias, eps } = GROUP_NORM(args);
  const size = input.shape;
  verifyBatchSize([Math.floor((size[0]! * size[1]!) / num_groups), num_groups, ...size.slice(2)]);
  return aten.group_norm(input, num_groups, weight, bias, eps);
}

interface LocalResponseNorm {
  alpha?: number;
  beta?: number;
  k?: number;
}
const LOCAL_RESPONSE_NORM = signature<{ input: Tensor; size: number } & LocalResponseNorm>(
  "local_response_norm",
  {
    input: required,
    size: required,
    alpha: 1e-4,
    beta: 0.75,
    k: 1,
  },
);
/** Divides by a power of the mean square over `size` neighbouring channels. */
export function local_response_norm(
  input: Tensor,
  size: number,
  alpha?: number | LocalResponseNorm,
  beta?: number | LocalResponseNorm,
  k?: number | LocalResponseNorm,
): Tensor;
export function local_response_norm(...args: unknown[]): Tensor {
  return internal(() => {
    const { input, size, alpha, beta, k } = LOCAL_RESPONSE_NORM(args);
    const dim = input.dim();
    if (dim < 3) {
      throw new ValueError(
        `Expected 3D or higher dimensionality                          input (got ${dim} dimensions)`,
      );
    }
    if (input.numel() === 0) return input;
    const before = Math.floor(size / 2), after = Math.floor((size - 1) / 2);
    const square = input.mul(input).unsqueeze(1);
    let mean: Tensor;
    if (dim === 3) {
      mean = aten.avg_pool2d(aten.pad(square, [0, 0, before, after]), [size, 1], 1).squeeze(1);
    } else {
      const [n, c, h] = input.shape as unknown as [number, number, number];
      const padded = aten.pad(square.view(n, 1, c, h, -1), [0, 0, 0, 0, before, after]);
      mean = aten.avg_pool3d(padded, [size, 1, 1], 1).squeeze(1).view(input.shape);
    }
    return input.div(mean.mul(alpha).add(k).pow(beta));
  });
}

interface Normalize {
  p?: number;
  dim?: number;
  eps?: number;
  out?: Tensor | null;
}
const NORMALIZE = signature<{ input: Tensor } & Normalize>("normalize", {
  input: required,
  p: 2,
  dim: 1,
  eps: 1e-12,
  out: null,
});
/** Divides by the p-norm along `dim`. */
export function normalize(
  input: Tensor,
  p?: number | Normalize,
  dim?: number | Normalize,
  eps?: number | Normalize,
  out?: Tensor | null,
): Tensor;
export function normalize(...args: unknown[]): Tensor {
  return internal(() => {
    const { input, p, dim, eps, out } = NORMALIZE(args);
    const denominator = input.norm(p, dim, true).clamp_min(eps).expand_as(input);
    return out === null ? input.div(denominator) : aten.div(input, denominator, { out });
  });
}
