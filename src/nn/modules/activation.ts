/**
 * Activations.
 *
 * @module
 */
import { AssertionError, warnOnce } from "../../base/errors.ts";
import type { DType } from "../../base/dtype.ts";
import * as aten from "../../ops/mod.ts";
import type { Tensor } from "../../tensor.ts";
import { floatRepr, pyrepr, stringRepr } from "../../utils/pyrepr.ts";
import { required, signature } from "../../utils/signature.ts";
import * as F from "../functional/activation.ts";
import { Parameter } from "../parameter.ts";
import { type DeviceLike, type FactoryOptions, Module } from "./module.ts";

interface Inplace {
  inplace?: boolean;
}
const INPLACE = signature<Inplace>("__init__", { inplace: false });

/** An activation whose only option is to overwrite its input. */
abstract class InplaceActivation extends Module {
  inplace: boolean;
  constructor(inplace?: boolean | Inplace);
  constructor(...args: unknown[]) {
    super();
    this.inplace = INPLACE(args).inplace;
  }
  override extra_repr(): string {
    return this.inplace ? "inplace=True" : "";
  }
}

/**
 * max(0, x)
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.ReLU.html
 */
export class ReLU extends InplaceActivation {
  override forward(input: Tensor): Tensor {
    return F.relu(input, this.inplace);
  }
}
/**
 * Self-normalizing ELU.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.SELU.html
 */
export class SELU extends InplaceActivation {
  override forward(input: Tensor): Tensor {
    return F.selu(input, this.inplace);
  }
}
/**
 * x sigmoid(x)
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.SiLU.html
 */
export class SiLU extends InplaceActivation {
  override forward(input: Tensor): Tensor {
    return F.silu(input, this.inplace);
  }
}
/**
 * x tanh(softplus(x))
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Mish.html
 */
export class Mish extends InplaceActivation {
  override forward(input: Tensor): Tensor {
    return F.mish(input, this.inplace);
  }
}
/**
 * x hardsigmoid(x)
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Hardswish.html
 */
export class Hardswish extends InplaceActivation {
  override forward(input: Tensor): Tensor {
    return F.hardswish(input, this.inplace);
  }
  override extra_repr(): string {
    return "";
  }
}
/**
 * min(max(0, x + 3), 6) / 6
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Hardsigmoid.html
 */
export class Hardsigmoid extends InplaceActivation {
  override forward(input: Tensor): Tensor {
    return F.hardsigmoid(input, this.inplace);
  }
  override extra_repr(): string {
    return "";
  }
}

/**
 * 1 / (1 + exp(-x))
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Sigmoid.html
 */
export class Sigmoid extends Module {
  override forward(input: Tensor): Tensor {
    return aten.sigmoid(input);
  }
}
/**
 * tanh(x)
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Tanh.html
 */
export class Tanh extends Module {
  override forward(input: Tensor): Tensor {
    return aten.tanh(input);
  }
}
/**
 * log(sigmoid(x))
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.LogSigmoid.html
 */
export class LogSigmoid extends Module {
  override forward(input: Tensor): Tensor {
    return aten.log_sigmoid(input);
  }
}
/**
 * x / (1 + |x|)
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Softsign.html
 */
export class Softsign extends Module {
  override forward(input: Tensor): Tensor {
    return F.softsign(input);
  }
}
/**
 * x - tanh(x)
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Tanhshrink.html
 */
export class Tanhshrink extends Module {
  override forward(input: Tensor): Tensor {
    return F.tanhshrink(input);
  }
}

interface ThresholdOptions extends Inplace {
  threshold: number;
  value: number;
}
const THRESHOLD = signature<ThresholdOptions>("Threshold", {
  threshold: required,
  value: required,
  inplace: false,
});
/**
 * x where it is above `threshold`, else `value`.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Threshold.html
 */
export class Threshold extends Module {
  threshold: number;
  value: number;
  inplace: boolean;
  constructor(options: ThresholdOptions);
  constructor(threshold: number, value: number, inplace?: boolean | Inplace);
  constructor(...args: unknown[]) {
    super();
    const { threshold, value, inplace } = THRESHOLD(args);
    this.threshold = threshold;
    this.value = value;
    this.inplace = inplace;
  }
  override forward(input: Tensor): Tensor {
    return F.threshold(input, this.threshold, this.value, this.inplace);
  }
  override extra_repr(): string {
    return `threshold=${pyrepr(this.threshold)}, value=${pyrepr(this.value)}${
      this.inplace ? ", inplace=True" : ""
    }`;
  }
}

interface RReLUOptions extends Inplace {
  lower?: number;
  upper?: number;
}
const RRELU = signature<RReLUOptions>("RReLU", { lower: 1 / 8, upper: 1 / 3, inplace: false });
/**
 * Leaky ReLU with a random slope in training.
 *
 * @see https://arxiv.org/abs/1505.00853
 * @see https://pytorch.org/docs/stable/generated/torch.nn.RReLU.html
 */
export class RReLU extends Module {
  lower: number;
  upper: number;
  inplace: boolean;
  constructor(lower?: number | RReLUOptions, upper?: number | RReLUOptions, inplace?: boolean | Inplace);
  constructor(...args: unknown[]) {
    super();
    const { lower, upper, inplace } = RRELU(args);
    this.lower = lower;
    this.upper = upper;
    this.inplace = inplace;
  }
  override forward(input: Tensor): Tensor {
    return F.rrelu(input, this.lower, this.upper, this.training, this.inplace);
  }
  override extra_repr(): string {
    return `lower=${pyrepr(this.lower)}, upper=${pyrepr(this.upper)}${this.inplace ? ", inplace=True" : ""}`;
  }
}

interface HardtanhOptions extends Inplace {
  min_val?: number;
  max_val?: number;
  /** Deprecated: `min_val`. */
  min_value?: number | null;
  /** Deprecated: `max_val`. */
  max_value?: number | null;
}
const HARDTANH = signature<HardtanhOptions>("Hardtanh", {
  min_val: -1,
  max_val: 1,
  inplace: false,
  min_value: null,
  max_value: null,
});
/**
 * x clamped to [min_val, max_val]
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Hardtanh.html
 */
export class Hardtanh extends Module {
  min_val: number;
  max_val: number;
  inplace: boolean;
  constructor(
    min_val?: number | HardtanhOptions,
    max_val?: number | HardtanhOptions,
    inplace?: boolean | Inplace,
  );
  constructor(...args: unknown[]) {
    super();
    const { min_val, max_val, inplace, min_value, max_value } = HARDTANH(args);
    for (
      const [old, now, given] of [["min_value", "min_val", min_value], ["max_value", "max_val", max_value]]
    ) {
      if (given !== null) {
        warnOnce("UserWarning", `keyword argument ${old} is deprecated and rename to ${now}`);
      }
    }
    this.min_val = min_value ?? min_val;
    this.max_val = max_value ?? max_val;
    this.inplace = inplace;
    if (!(this.max_val > this.min_val)) throw new AssertionError("");
  }
  override forward(input: Tensor): Tensor {
    return F.hardtanh(input, this.min_val, this.max_val, this.inplace);
  }
  override extra_repr(): string {
    const inplace = this.inplace ? ", inplace=True" : "";
    return `min_val=${floatRepr(this.min_val)}, max_val=${floatRepr(this.max_val)}${inplace}`;
  }
}
/**
 * min(max(0, x), 6)
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.ReLU6.html
 */
export class ReLU6 extends Hardtanh {
  constructor(inplace?: boolean | Inplace);
  constructor(...args: unknown[]) {
    super(0, 6, INPLACE(args));
  }
  override extra_repr(): string {
    return this.inplace ? "inplace=True" : "";
  }
}

interface AlphaOptions extends Inplace {
  alpha?: number;
}
const ALPHA = signature<AlphaOptions>("__init__", { alpha: 1, inplace: false });
abstract class AlphaActivation extends Module {
  alpha: number;
  inplace: boolean;
  constructor(alpha?: number | AlphaOptions, inplace?: boolean | Inplace);
  constructor(...args: unknown[]) {
    super();
    const { alpha, inplace } = ALPHA(args);
    this.alpha = alpha;
    this.inplace = inplace;
  }
  override extra_repr(): string {
    return `alpha=${floatRepr(this.alpha)}${this.inplace ? ", inplace=True" : ""}`;
  }
}
/**
 * x if x > 0, else alpha (exp(x) - 1)
 *
 * @see https://arxiv.org/abs/1511.07289
 * @see https://pytorch.org/docs/stable/generated/torch.nn.ELU.html
 */
export class ELU extends AlphaActivation {
  override forward(input: Tensor): Tensor {
    return F.elu(input, this.alpha, this.inplace);
  }
}
/**
 * max(0, x) + min(0, alpha (exp(x / alpha) - 1))
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.CELU.html
 */
export class CELU extends AlphaActivation {
  override forward(input: Tensor): Tensor {
    return F.celu(input, this.alpha, this.inplace);
  }
}

interface LeakyReLUOptions extends Inplace {
  negative_slope?: number;
}
const LEAKY_RELU = signature<LeakyReLUOptions>("LeakyReLU", { negative_slope: 0.01, inplace: false });
/**
 * x if x > 0, else negative_slope x
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.LeakyReLU.html
 */
export class LeakyReLU extends Module {
  negative_slope: number;
  inplace: boolean;
  constructor(negative_slope?: number | LeakyReLUOptions, inplace?: boolean | Inplace);
  constructor(...args: unknown[]) {
    super();
    const { negative_slope, inplace } = LEAKY_RELU(args);
    this.negative_slope = negative_slope;
    this.inplace = inplace;
  }
  override forward(input: Tensor): Tensor {
    return F.leaky_relu(input, this.negative_slope, this.inplace);
  }
  override extra_repr(): string {
    return `negative_slope=${pyrepr(this.negative_slope)}${this.inplace ? ", inplace=True" : ""}`;
  }
}

const GLU_ARGS = signature<{ dim?: number }>("GLU", { dim: -1 });
/**
 * The first half along `dim` times the sigmoid of the second half.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.GLU.html
 */
export class GLU extends Module {
  dim: number;
  constructor(dim?: number | { dim?: number });
  constructor(...args: unknown[]) {
    super();
    this.dim = GLU_ARGS(args).dim;
  }
  override forward(input: Tensor): Tensor {
    return F.glu(input, this.dim);
  }
  override extra_repr(): string {
    return `dim=${this.dim}`;
  }
}

/** Whether GELU is exact or computed with tanh. */
export type GELUApproximation = "none" | "tanh";
const GELU_ARGS = signature<{ approximate?: GELUApproximation }>("GELU", { approximate: "none" });
/**
 * x Phi(x)
 *
 * @see https://arxiv.org/abs/1606.08415
 * @see https://pytorch.org/docs/stable/generated/torch.nn.GELU.html
 */
export class GELU extends Module {
  approximate: GELUApproximation;
  constructor(approximate?: GELUApproximation | { approximate?: GELUApproximation });
  constructor(...args: unknown[]) {
    super();
    this.approximate = GELU_ARGS(args).approximate;
  }
  override forward(input: Tensor): Tensor {
    return aten.gelu(input, { approximate: this.approximate });
  }
  override extra_repr(): string {
    return `approximate=${stringRepr(this.approximate)}`;
  }
}

const LAMBD = signature<{ lambd?: number }>("__init__", { lambd: 0.5 });
abstract class Shrink extends Module {
  lambd: number;
  constructor(lambd?: number | { lambd?: number });
  constructor(...args: unknown[]) {
    super();
    this.lambd = LAMBD(args).lambd;
  }
  override extra_repr(): string {
    return pyrepr(this.lambd);
  }
}
/**
 * x outside [-lambd, lambd], else 0
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Hardshrink.html
 */
export class Hardshrink extends Shrink {
  override forward(input: Tensor): Tensor {
    return aten.hardshrink(input, this.lambd);
  }
}
/**
 * x moved by lambd towards 0
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Softshrink.html
 */
export class Softshrink extends Shrink {
  override forward(input: Tensor): Tensor {
    return aten.softshrink(input, this.lambd);
  }
}

interface SoftplusOptions {
  beta?: number;
  threshold?: number;
}
const SOFTPLUS = signature<SoftplusOptions>("Softplus", { beta: 1, threshold: 20 });
/**
 * log(1 + exp(beta x)) / beta; x itself where beta x is above `threshold`.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Softplus.html
 */
export class Softplus extends Module {
  beta: number;
  threshold: number;
  constructor(beta?: number | SoftplusOptions, threshold?: number | SoftplusOptions);
  constructor(...args: unknown[]) {
    super();
    const { beta, threshold } = SOFTPLUS(args);
    this.beta = beta;
    this.threshold = threshold;
  }
  override forward(input: Tensor): Tensor {
    return aten.softplus(input, this.beta, this.threshold);
  }
  override extra_repr(): string {
    return `beta=${pyrepr(this.beta)}, threshold=${pyrepr(this.threshold)}`;
  }
}

/** Arguments of `nn.PReLU`. */
export interface PReLUOptions extends FactoryOptions {
  num_parameters?: number;
  init?: number;
}
const PRELU = signature<PReLUOptions>("PReLU", { num_parameters: 1, init: 0.25, device: null, dtype: null });
/**
 * Leaky ReLU with learned slopes, one in all or one per channel.
 *
 * @see https://arxiv.org/abs/1502.01852
 * @see https://pytorch.org/docs/stable/generated/torch.nn.PReLU.html
 */
export class PReLU extends Module {
  num_parameters: number;
  weight: Parameter;
  constructor(
    num_parameters?: number | PReLUOptions,
    init?: number | PReLUOptions,
    device?: DeviceLike | null | PReLUOptions,
    dtype?: DType | null,
  );
  constructor(...args: unknown[]) {
    super();
    const { num_parameters, init, device, dtype } = PRELU(args);
    this.num_parameters = num_parameters;
    this.weight = new Parameter(aten.empty([num_parameters], { device, dtype }).fill_(init));
  }
  override forward(input: Tensor): Tensor {
    return aten.prelu(input, this.weight);
  }
  override extra_repr(): string {
    return `num_parameters=${this.num_parameters}`;
  }
}

interface DimOptions {
  dim?: number | null;
}
const DIM = signature<DimOptions>("__init__", { dim: null });
abstract class SoftmaxActivation extends Module {
  dim: number | null;
  constructor(dim?: number | null | DimOptions);
  constructor(...args: unknown[]) {
    super();
    this.dim = DIM(args).dim;
  }
  override extra_repr(): string {
    return `dim=${pyrepr(this.dim)}`;
  }
}
/**
 * exp(x) / sum exp(x) along `dim`
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Softmax.html
 */
export class Softmax extends SoftmaxActivation {
  override forward(input: Tensor): Tensor {
    return F.softmax(input, this.dim);
  }
}
/**
 * softmax(-x)
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Softmin.html
 */
export class Softmin extends SoftmaxActivation {
  override forward(input: Tensor): Tensor {
    return F.softmin(input, this.dim);
  }
}
/**
 * log(softmax(x)), computed stably
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.LogSoftmax.html
 */
export class LogSoftmax extends SoftmaxActivation {
  override forward(input: Tensor): Tensor {
    return F.log_softmax(input, this.dim);
  }
}
/**
 * Softmax over the channels of (N, C, H, W) or (C, H, W).
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Softmax2d.html
 */
export class Softmax2d extends Module {
  override forward(input: Tensor): Tensor {
    if (input.dim() !== 3 && input.dim() !== 4) {
      throw new AssertionError("Softmax2d requires a 3D or 4D tensor as input");
    }
    return F.softmax(input, -3);
  }
}
