/**
 * Dropout functions.
 *
 * @module
 */
import { RuntimeError, ValueError, warnOnce } from "../../base/errors.ts";
import * as aten from "../../ops/mod.ts";
import type { Tensor } from "../../tensor.ts";
import { overwrite } from "./inplace.ts";
import { floatRepr, pyrepr } from "../../utils/pyrepr.ts";
import { required, signature } from "../../utils/signature.ts";

interface Dropout {
  p?: number;
  training?: boolean;
  inplace?: boolean;
}
const DROPOUT = signature<{ input: Tensor } & Dropout>("dropout", {
  input: required,
  p: 0.5,
  training: true,
  inplace: false,
});
// The two variants for self-normalizing networks are off by default.
const ALPHA_DROPOUT = signature<{ input: Tensor } & Dropout>("alpha_dropout", {
  input: required,
  p: 0.5,
  training: false,
  inplace: false,
});

/** Throws PyTorch's error if `p` is no probability. */
export function checkProbability(p: number): void {
  if (!(p >= 0 && p <= 1)) {
    const text = Number.isInteger(p) ? pyrepr(p) : floatRepr(p);
    throw new ValueError(`dropout probability has to be between 0 and 1, but got ${text}`);
  }
}

/**
 * In training zeroes elements with probability `p` and scales the rest by 1 / (1 - p).
 *
 * @see https://arxiv.org/abs/1207.0580
 */
export function dropout(
  input: Tensor,
  p?: number | Dropout,
  training?: boolean | Dropout,
  inplace?: boolean | Dropout,
): Tensor;
export function dropout(...args: unknown[]): Tensor {
  const { input, p, training, inplace } = DROPOUT(args);
  checkProbability(p);
  return inplace ? overwrite("dropout_", input, p, training) : aten.dropout(input, p, training);
}

/**
 * Dropout that keeps mean and variance of self-normalizing activations.
 *
 * @see https://arxiv.org/abs/1706.02515
 */
export function alpha_dropout(
  input: Tensor,
  p?: number | Dropout,
  training?: boolean | Dropout,
  inplace?: boolean | Dropout,
): Tensor;
export function alpha_dropout(...args: unknown[]): Tensor {
  const { input, p, training, inplace } = ALPHA_DROPOUT(args);
  checkProbability(p);
  return inplace ? overwrite("alpha_dropout_", input, p, training) : aten.alpha_dropout(input, p, training);
}

/** Alpha dropout of whole channels. */
export function feature_alpha_dropout(
  input: Tensor,
  p?: number | Dropout,
  training?: boolean | Dropout,
  inplace?: boolean | Dropout,
): Tensor;
export function feature_alpha_dropout(...args: unknown[]): Tensor {
  const { input, p, training, inplace } = ALPHA_DROPOUT(args);
  checkProbability(p);
  return inplace
    ? overwrite("feature_alpha_dropout_", input, p, training)
    : aten.feature_alpha_dropout(input, p, training);
}

function featureDropout(
  input: Tensor,
  p: number,
  training: boolean,
  inplace: boolean,
  batched: boolean,
): Tensor {
  const x = batched ? input : inplace ? input.unsqueeze_(0) : input.unsqueeze(0);
  const y = inplace ? overwrite("feature_dropout_", x, p, training) : aten.feature_dropout(x, p, training);
  return batched ? y : inplace ? y.squeeze_(0) : y.squeeze(0);
}

/** Zeroes whole channels of (N, C, L) or (C, L). */
export function dropout1d(
  input: Tensor,
  p?: number | Dropout,
  training?: boolean | Dropout,
  inplace?: boolean | Dropout,
): Tensor;
export function dropout1d(...args: unknown[]): Tensor {
  const { input, p, training, inplace } = DROPOUT(args);
  checkProbability(p);
  const n = input.dim();
  if (n !== 2 && n !== 3) {
    throw new RuntimeError(
      `dropout1d: Expected 2D or 3D input, but received a ${n}D input. Note that dropout1d exists to provide ` +
        "channel-wise dropout on inputs with 1 spatial dimension, a channel dimension, and an optional batch " +
        "dimension (i.e. 2D or 3D inputs).",
    );
  }
  return featureDropout(input, p, training, inplace, n === 3);
}

function warnDims(name: string, n: number, spatial: number): void {
  warnOnce(
    "UserWarning",
    `${name}: Received a ${n}-D input to ${name}, which is deprecated and will result in an error in a future ` +
      "release. To retain the behavior and silence this warning, please use dropout instead. Note that " +
      `${name} exists to provide channel-wise dropout on inputs with ${spatial} spatial dimensions, a channel ` +
      `dimension, and an optional batch dimension (i.e. ${spatial + 1}D or ${spatial + 2}D inputs).`,
  );
}

/** Zeroes whole channels of (N, C, H, W). */
export function dropout2d(
  input: Tensor,
  p?: number | Dropout,
  training?: boolean | Dropout,
  inplace?: boolean | Dropout,
): Tensor;
export function dropout2d(...args: unknown[]): Tensor {
  const { input, p, training, inplace } = DROPOUT(args);
  checkProbability(p);
  const n = input.dim();
  if (n !== 3 && n !== 4) warnDims("dropout2d", n, 2);
  if (n === 3) {
    warnOnce(
      "UserWarning",
      "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout behavior is desired - " +
        "input is interpreted as shape (N, C, L), where C is the channel dim. This behavior will change in a future " +
        "release to interpret the input as one without a batch dimension, i.e. shape (C, H, W). To maintain the 1D " +
        "channel-wise dropout behavior, please switch to using dropout1d instead.",
    );
  }
  return featureDropout(input, p, training, inplace, true);
}

/** Zeroes whole channels of (N, C, D, H, W) or (C, D, H, W). */
export function dropout3d(
  input: Tensor,
  p?: number | Dropout,
  training?: boolean | Dropout,
  inplace?: boolean | Dropout,
): Tensor;
export function dropout3d(...args: unknown[]): Tensor {
  const { input, p, training, inplace } = DROPOUT(args);
  checkProbability(p);
  const n = input.dim();
  if (n !== 4 && n !== 5) warnDims("dropout3d", n, 3);
  return featureDropout(input, p, training, inplace, n === 5);
}
