/**
 * Activation functions.
 *
 * @module
 */
import { internal } from "../../base/scope.ts";
import type { DType } from "../../base/dtype.ts";
import { RuntimeError, warnOnce } from "../../base/errors.ts";
import * as aten from "../../ops/mod.ts";
import type { Tensor } from "../../tensor.ts";
import { overwrite } from "./inplace.ts";
import { required, signature } from "../../utils/signature.ts";

export { celu_, elu_, hardtanh_, leaky_relu_, relu_, rrelu_, selu_, threshold_ } from "./inplace.ts";
export { gelu, hardshrink, log_sigmoid as logsigmoid, prelu, softplus, softshrink } from "../../ops/mod.ts";

interface Input {
  input: Tensor;
}
interface Inplace {
  inplace?: boolean;
}

interface Threshold extends Inplace {
  threshold?: number;
  value?: number;
}
const THRESHOLD = signature<Input & Inplace & Required<Omit<Threshold, "inplace">>>("threshold", {
  input: required,
  threshold: required,
  value: required,
  inplace: false,
});
/** `x` where it is above `threshold`, else `value`. */
export function threshold(
  input: Tensor,
  threshold: number | Threshold,
  value?: number | Threshold,
  inplace?: boolean | Inplace,
): Tensor;
export function threshold(...args: unknown[]): Tensor {
  const { input, threshold, value, inplace } = THRESHOLD(args);
  return inplace ? overwrite("threshold_", input, threshold, value) : aten.threshold(input, threshold, value);
}

const RELU = signature<Input & Inplace>("relu", { input: required, inplace: false });
/** max(0, x) */
export function relu(input: Tensor, inplace?: boolean | Inplace): Tensor;
export function relu(...args: unknown[]): Tensor {
  const { input, inplace } = RELU(args);
  return inplace ? overwrite("relu_", input) : aten.relu(input);
}

const GLU = signature<Input & { dim?: number }>("glu", { input: required, dim: -1 });
/** The first half along `dim` times the sigmoid of the second half. */
export function glu(input: Tensor, dim?: number | { dim?: number }): Tensor;
export function glu(...args: unknown[]): Tensor {
  const { input, dim } = GLU(args);
  if (input.dim() === 0) {
    throw new RuntimeError("glu does not support scalars because halving size must be even");
  }
  return aten.glu(input, dim);
}

interface Hardtanh extends Inplace {
  min_val?: number;
  max_val?: number;
}
const HARDTANH = signature<Input & Hardtanh>("hardtanh", {
  input: required,
  min_val: -1,
  max_val: 1,
  inplace: false,
});
/** x clamped to [min_val, max_val] */
export function hardtanh(
  input: Tensor,
  min_val?: number | Hardtanh,
  max_val?: number | Hardtanh,
  inplace?: boolean | Inplace,
): Tensor;
export function hardtanh(...args: unknown[]): Tensor {
  const { input, min_val, max_val, inplace } = HARDTANH(args);
  return inplace ? overwrite("hardtanh_", input, min_val, max_val) : aten.hardtanh(input, min_val, max_val);
}

const RELU6 = signature<Input & Inplace>("relu6", { input: required, inplace: false });
/** min(max(0, x), 6) */
export function relu6(input: Tensor, inplace?: boolean | Inplace): Tensor;
export function relu6(...args: unknown[]): Tensor {
  const { input, inplace } = RELU6(args);
  return inplace ? overwrite("relu6_", input) : aten.relu6(input);
}

interface Alpha extends Inplace {
  alpha?: number;
}
const ELU = signature<Input & Alpha>("elu", { input: required, alpha: 1, inplace: false });
/** x if x > 0, else alpha (exp(x) - 1) */
export function elu(input: Tensor, alpha?: number | Alpha, inplace?: boolean | Inplace): Tensor;
export function elu(...args: unknown[]): Tensor {
  const { input, alpha, inplace } = ELU(args);
  return inplace ? overwrite("elu_", input, alpha) : aten.elu(input, alpha);
}

const SELU = signature<Input & Inplace>("selu", { input: required, inplace: false });
/** Self-normalizing ELU. */
export function selu(input: Tensor, inplace?: boolean | Inplace): Tensor;
export function selu(...args: unknown[]): Tensor {
  const { input, inplace } = SELU(args);
  return inplace ? overwrite("selu_", input) : aten.selu(input);
}

const CELU = signature<Input & Alpha>("celu", { input: required, alpha: 1, inplace: false });
/** max(0, x) + min(0, alpha (exp(x / alpha) - 1)) */
export function celu(input: Tensor, alpha?: number | Alpha, inplace?: boolean | Inplace): Tensor;
export function celu(...args: unknown[]): Tensor {
  const { input, alpha, inplace } = CELU(args);
  return inplace ? overwrite("celu_", input, alpha) : aten.celu(input, alpha);
}

interface LeakyReLU extends Inplace {
  negative_slope?: number;
}
const LEAKY_RELU = signature<Input & LeakyReLU>("leaky_relu", {
  input: required,
  negative_slope: 0.01,
  inplace: false,
});
/** x if x > 0, else negative_slope x */
export function leaky_relu(
  input: Tensor,
  negative_slope?: number | LeakyReLU,
  inplace?: boolean | Inplace,
): Tensor;
export function leaky_relu(...args: unknown[]): Tensor {
  const { input, negative_slope, inplace } = LEAKY_RELU(args);
  return inplace ? overwrite("leaky_relu_", input, negative_slope) : aten.leaky_relu(input, negative_slope);
}

interface RReLU extends Inplace {
  lower?: number;
  upper?: number;
  training?: boolean;
}
const RRELU = signature<Input & RReLU>("rrelu", {
  input: required,
  lower: 1 / 8,
  upper: 1 / 3,
  training: false,
  inplace: false,
});
/** Leaky ReLU whose slope is drawn from [lower, upper) in training and is their mean otherwise. */
export function rrelu(
  input: Tensor,
  lower?: number | RReLU,
  upper?: number | RReLU,
  training?: boolean | RReLU,
  inplace?: boolean | Inplace,
): Tensor;
export function rrelu(...args: unknown[]): Tensor {
  const { input, lower, upper, training, inplace } = RRELU(args);
  return inplace
    ? overwrite("rrelu_", input, lower, upper, training)
    : aten.rrelu(input, lower, upper, training);
}

/** x - tanh(x) */
export function tanhshrink(input: Tensor): Tensor {
  return input.sub(input.tanh());
}

/** x / (1 + |x|) */
export function softsign(input: Tensor): Tensor {
  return input.div(input.abs().add(1));
}

interface Softmax {
  dim?: number | null;
  _stacklevel?: number;
  dtype?: DType | null;
}
const SOFTMAX = signature<Input & Softmax>("softmax", {
  input: required,
  dim: null,
  _stacklevel: 3,
  dtype: null,
});

/** The dimension that PyTorch takes if none is given, with its warning. */
function implicitDim(name: string, input: Tensor): number {
  warnOnce(
    "UserWarning",
    `Implicit dimension choice for ${name} has been deprecated. Change the call to include dim=X as an argument.`,
  );
  const n = input.dim();
  return n === 0 || n === 1 || n === 3 ? 0 : 1;
}

/** exp(x) / sum exp(x) along `dim` */
export function softmax(
  input: Tensor,
  dim?: number | null | Softmax,
  _stacklevel?: number | Softmax,
  dtype?: DType | null,
): Tensor;
export function softmax(...args: unknown[]): Tensor {
  const { input, dim, dtype } = SOFTMAX(args);
  return aten.softmax(input, dim ?? implicitDim("softmax", input), dtype);
}

/** softmax(-x) */
export function softmin(
  input: Tensor,
  dim?: number | null | Softmax,
  _stacklevel?: number | Softmax,
  dtype?: DType | null,
): Tensor;
export function softmin(...args: unknown[]): Tensor {
  const { input, dim, dtype } = SOFTMAX(args);
  return aten.softmax(input.neg(), dim ?? implicitDim("softmin", input), dtype);
}

/** log(softmax(x)), computed stably */
export function log_softmax(
  input: Tensor,
  dim?: number | null | Softmax,
  _stacklevel?: number | Softmax,
  dtype?: DType | null,
): Tensor;
export function log_softmax(...args: unknown[]): Tensor {
  const { input, dim, dtype } = SOFTMAX(args);
  return aten.log_softmax(input, dim ?? implicitDim("log_softmax", input), dtype);
}

interface GumbelSoftmax {
  tau?: number;
  hard?: boolean;
  eps?: number;
  dim?: number;
}
const GUMBEL = signature<{ logits: Tensor } & GumbelSoftmax>("gumbel_softmax", {
  logits: required,
  tau: 1,
  hard: false,
  eps: 1e-10,
  dim: -1,
});
/**
 * Samples of the Gumbel-Softmax distribution; `hard` ones are one-hot in the forward pass and soft in the backward.
 *
 * @see https://arxiv.org/abs/1611.01144
 */
export function gumbel_softmax(
  logits: Tensor,
  tau?: number | GumbelSoftmax,
  hard?: boolean | GumbelSoftmax,
  eps?: number | GumbelSoftmax,
  dim?: number,
): Tensor;
export function gumbel_softmax(...args: unknown[]): Tensor {
  return internal(() => {
    const { logits, tau, hard, eps, dim } = GUMBEL(args);
    if (eps !== 1e-10) warnOnce("UserWarning", "`eps` parameter is deprecated and has no effect.");
    const noise = aten.empty_like(logits).exponential_().log().neg();
    const soft = logits.add(noise).div(tau).softmax(dim);
    if (!hard) return soft;
    const index = soft.argmax(dim, true);
    const oneHot = aten.zeros_like(logits).scatter_(dim, index, 1);
    return oneHot.sub(soft.detach()).add(soft);
  });
}

/** Deprecated: `torch.tanh`. */
export function tanh(input: Tensor): Tensor {
  warnOnce("UserWarning", "nn.functional.tanh is deprecated. Use torch.tanh instead.");
  return input.tanh();
}

/** Deprecated: `torch.sigmoid`. */
export function sigmoid(input: Tensor): Tensor {
  warnOnce("UserWarning", "nn.functional.sigmoid is deprecated. Use torch.sigmoid instead.");
  return input.sigmoid();
}

const HARDSIGMOID = signature<Input & Inplace>("hardsigmoid", { input: required, inplace: false });
/** min(max(0, x + 3), 6) / 6 */
export function hardsigmoid(input: Tensor, inplace?: boolean | Inplace): Tensor;
export function hardsigmoid(...args: unknown[]): Tensor {
  const { input, inplace } = HARDSIGMOID(args);
  return inplace ? overwrite("hardsigmoid_", input) : aten.hardsigmoid(input);
}

const SILU = signature<Input & Inplace>("silu", { input: required, inplace: false });
/** x sigmoid(x) */
export function silu(input: Tensor, inplace?: boolean | Inplace): Tensor;
export function silu(...args: unknown[]): Tensor {
  const { input, inplace } = SILU(args);
  return inplace ? overwrite("silu_", input) : aten.silu(input);
}

const MISH = signature<Input & Inplace>("mish", { input: required, inplace: false });
/** x tanh(softplus(x)) */
export function mish(input: Tensor, inplace?: boolean | Inplace): Tensor;
export function mish(...args: unknown[]): Tensor {
  const { input, inplace } = MISH(args);
  return inplace ? overwrite("mish_", input) : aten.mish(input);
}

const HARDSWISH = signature<Input & Inplace>("hardswish", { input: required, inplace: false });
/** x hardsigmoid(x) */
export function hardswish(input: Tensor, inplace?: boolean | Inplace): Tensor;
export function hardswish(...args: unknown[]): Tensor {
  const { input, inplace } = HARDSWISH(args);
  return inplace ? overwrite("hardswish_", input) : aten.hardswish(input);
}
