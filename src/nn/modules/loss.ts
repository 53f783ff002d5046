/**
 * Losses.
 *
 * @module
 */
import { warnOnce } from "../../base/errors.ts";
import type { Tensor } from "../../tensor.ts";
import { signature } from "../../utils/signature.ts";
import * as F from "../functional/loss.ts";
import type { Reduction, ReductionOptions } from "../reduction.ts";
import {
  type Flag,
  Loss,
  SimpleLoss,
  tail,
  WEIGHTED,
  WeightedLoss,
  type WeightOptions,
} from "./loss_base.ts";

/**
 * Mean absolute error.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.L1Loss.html
 */
export class L1Loss extends SimpleLoss {
  override forward(input: Tensor, target: Tensor): Tensor {
    return F.l1_loss(input, target, { reduction: this.reduction });
  }
}
/**
 * Mean squared error.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.MSELoss.html
 */
export class MSELoss extends SimpleLoss {
  override forward(input: Tensor, target: Tensor): Tensor {
    return F.mse_loss(input, target, { reduction: this.reduction });
  }
}
interface ClassOptions extends WeightOptions {
  ignore_index?: number;
}
const NLL_LOSS = signature<ClassOptions>("NLLLoss", {
  weight: null,
  size_average: null,
  ignore_index: -100,
  reduce: null,
  reduction: "mean",
});
/**
 * Negative log likelihood of class indices under log-probabilities.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.NLLLoss.html
 */
export class NLLLoss extends WeightedLoss {
  ignore_index: number;
  constructor(
    weight?: Tensor | null | ClassOptions,
    size_average?: Flag | ClassOptions,
    ignore_index?: number | ClassOptions,
    reduce?: Flag | ClassOptions,
    reduction?: Reduction,
  );
  constructor(...args: unknown[]) {
    const a = NLL_LOSS(args);
    super(a.weight, a);
    this.ignore_index = a.ignore_index;
  }
  override forward(input: Tensor, target: Tensor): Tensor {
    const { weight, ignore_index, reduction } = this;
    return F.nll_loss(input, target, { weight, ignore_index, reduction });
  }
}
/**
 * Deprecated: `NLLLoss`.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.NLLLoss2d.html
 */
export class NLLLoss2d extends NLLLoss {
  constructor(
    weight?: Tensor | null | ClassOptions,
    size_average?: Flag | ClassOptions,
    ignore_index?: number | ClassOptions,
    reduce?: Flag | ClassOptions,
    reduction?: Reduction,
  ) {
    warnOnce(
      "UserWarning",
      "NLLLoss2d has been deprecated. Please use NLLLoss instead as a drop-in replacement and see " +
        "https://pytorch.org/docs/master/nn.html#torch.nn.NLLLoss for more details.",
    );
    super(weight, size_average, ignore_index, reduce, reduction);
  }
}

interface CrossEntropyOptions extends ClassOptions {
  label_smoothing?: number;
}
const CROSS_ENTROPY = signature<CrossEntropyOptions>("CrossEntropyLoss", {
  weight: null,
  size_average: null,
  ignore_index: -100,
  reduce: null,
  reduction: "mean",
  label_smoothing: 0,
});
/**
 * Cross entropy between logits and class indices or class probabilities.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
 */
export class CrossEntropyLoss extends WeightedLoss {
  ignore_index: number;
  label_smoothing: number;
  constructor(
    weight?: Tensor | null | CrossEntropyOptions,
    size_average?: Flag | CrossEntropyOptions,
    ignore_index?: number | CrossEntropyOptions,
    reduce?: Flag | CrossEntropyOptions,
    reduction?: Reduction | CrossEntropyOptions,
    label_smoothing?: number,
  );
  constructor(...args: unknown[]) {
    const a = CROSS_ENTROPY(args);
    super(a.weight, a);
    this.ignore_index = a.ignore_index;
    this.label_smoothing = a.label_smoothing;
  }
  override forward(input: Tensor, target: Tensor): Tensor {
    const { weight, ignore_index, reduction, label_smoothing } = this;
    return F.cross_entropy(input, target, { weight, ignore_index, reduction, label_smoothing });
  }
}

/**
 * Binary cross entropy between probabilities.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.BCELoss.html
 */
export class BCELoss extends WeightedLoss {
  constructor(
    weight?: Tensor | null | WeightOptions,
    size_average?: Flag | WeightOptions,
    reduce?: Flag | WeightOptions,
    reduction?: Reduction,
  );
  constructor(...args: unknown[]) {
    const a = WEIGHTED(args);
    super(a.weight, a);
  }
  override forward(input: Tensor, target: Tensor): Tensor {
    return F.binary_cross_entropy(input, target, { weight: this.weight, reduction: this.reduction });
  }
}

interface BCELogitsOptions extends WeightOptions {
  pos_weight?: Tensor | null;
}
const BCE_LOGITS = signature<BCELogitsOptions>("BCEWithLogitsLoss", {
  weight: null,
  ...tail,
  pos_weight: null,
});
/**
 * Binary cross entropy between logits and probabilities.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
 */
export class BCEWithLogitsLoss extends WeightedLoss {
  pos_weight!: Tensor | null;
  constructor(
    weight?: Tensor | null | BCELogitsOptions,
    size_average?: Flag | BCELogitsOptions,
    reduce?: Flag | BCELogitsOptions,
    reduction?: Reduction | BCELogitsOptions,
    pos_weight?: Tensor | null,
  );
  constructor(...args: unknown[]) {
    const a = BCE_LOGITS(args);
    super(a.weight, a);
    this.register_buffer("pos_weight", a.pos_weight);
  }
  override forward(input: Tensor, target: Tensor): Tensor {
    const { weight, pos_weight, reduction } = this;
    return F.binary_cross_entropy_with_logits(input, target, { weight, pos_weight, reduction });
  }
}

/**
 * Binary cross entropy with logits, averaged over classes.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.MultiLabelSoftMarginLoss.html
 */
export class MultiLabelSoftMarginLoss extends WeightedLoss {
  constructor(
    weight?: Tensor | null | WeightOptions,
    size_average?: Flag | WeightOptions,
    reduce?: Flag | WeightOptions,
    reduction?: Reduction,
  );
  constructor(...args: unknown[]) {
    const a = WEIGHTED(args);
    super(a.weight, a);
  }
  override forward(input: Tensor, target: Tensor): Tensor {
    return F.multilabel_soft_margin_loss(input, target, { weight: this.weight, reduction: this.reduction });
  }
}

interface PoissonOptions extends ReductionOptions {
  log_input?: boolean;
  full?: boolean;
  eps?: number;
}
const POISSON = signature<PoissonOptions>("PoissonNLLLoss", {
  log_input: true,
  full: false,
  size_average: null,
  eps: 1e-8,
  reduce: null,
  reduction: "mean",
});
/**
 * Negative log likelihood of a Poisson distribution.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.PoissonNLLLoss.html
 */
export class PoissonNLLLoss extends Loss {
  log_input: boolean;
  full: boolean;
  eps: number;
  constructor(
    log_input?: boolean | PoissonOptions,
    full?: boolean | PoissonOptions,
    size_average?: Flag | PoissonOptions,
    eps?: number | PoissonOptions,
    reduce?: Flag | PoissonOptions,
    reduction?: Reduction,
  );
  constructor(...args: unknown[]) {
    const a = POISSON(args);
    super(a);
    this.log_input = a.log_input;
    this.full = a.full;
    this.eps = a.eps;
  }
  override forward(input: Tensor, target: Tensor): Tensor {
    const { log_input, full, eps, reduction } = this;
    return F.poisson_nll_loss(input, target, { log_input, full, eps, reduction });
  }
}

interface GaussianOptions {
  full?: boolean;
  eps?: number;
  reduction?: Reduction;
}
const GAUSSIAN = signature<GaussianOptions>("GaussianNLLLoss", { full: false, eps: 1e-6, reduction: "mean" });
/**
 * Negative log likelihood of a normal distribution.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.GaussianNLLLoss.html
 */
export class GaussianNLLLoss extends Loss {
  full: boolean;
  eps: number;
  constructor(options?: GaussianOptions);
  constructor(...args: unknown[]) {
    const a = GAUSSIAN(args);
    super({ ...tail, ...a });
    this.full = a.full;
    this.eps = a.eps;
  }
  override forward(input: Tensor, target: Tensor, variance: Tensor): Tensor {
    const { full, eps, reduction } = this;
    return F.gaussian_nll_loss(input, target, variance, { full, eps, reduction });
  }
}

interface KLDivOptions extends ReductionOptions {
  log_target?: boolean;
}
const KL_DIV = signature<KLDivOptions>("KLDivLoss", { ...tail, log_target: false });
/**
 * Kullback-Leibler divergence of log-probabilities from a target distribution.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.KLDivLoss.html
 */
export class KLDivLoss extends Loss {
  log_target: boolean;
  constructor(
    size_average?: Flag | KLDivOptions,
    reduce?: Flag | KLDivOptions,
    reduction?: Reduction | KLDivOptions,
    log_target?: boolean,
  );
  constructor(...args: unknown[]) {
    const a = KL_DIV(args);
    super(a);
    this.log_target = a.log_target;
  }
  override forward(input: Tensor, target: Tensor): Tensor {
    return F.kl_div(input, target, { reduction: this.reduction, log_target: this.log_target });
  }
}

interface SmoothL1Options extends ReductionOptions {
  beta?: number;
}
const SMOOTH_L1 = signature<SmoothL1Options>("SmoothL1Loss", { ...tail, beta: 1 });
/**
 * Squared below `beta`, absolute above.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.SmoothL1Loss.html
 */
export class SmoothL1Loss extends Loss {
  beta: number;
  constructor(
    size_average?: Flag | SmoothL1Options,
    reduce?: Flag | SmoothL1Options,
    reduction?: Reduction | SmoothL1Options,
    beta?: number,
  );
  constructor(...args: unknown[]) {
    const a = SMOOTH_L1(args);
    super(a);
    this.beta = a.beta;
  }
  override forward(input: Tensor, target: Tensor): Tensor {
    return F.smooth_l1_loss(input, target, { reduction: this.reduction, beta: this.beta });
  }
}

interface HuberOptions {
  reduction?: Reduction;
  delta?: number;
}
const HUBER = signature<HuberOptions>("HuberLoss", { reduction: "mean", delta: 1 });
/**
 * Squared below `delta`, linear above.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.HuberLoss.html
 */
export class HuberLoss extends Loss {
  delta: number;
  constructor(reduction?: Reduction | HuberOptions, delta?: number | HuberOptions);
  constructor(...args: unknown[]) {
    const a = HUBER(args);
    super({ ...tail, ...a });
    this.delta = a.delta;
  }
  override forward(input: Tensor, target: Tensor): Tensor {
    return F.huber_loss(input, target, this.reduction, this.delta);
  }
}

interface CTCOptions {
  blank?: number;
  reduction?: Reduction;
  zero_infinity?: boolean;
}
const CTC = signature<CTCOptions>("CTCLoss", { blank: 0, reduction: "mean", zero_infinity: false });
/**
 * Connectionist temporal classification.
 *
 * @see https://www.cs.toronto.edu/~graves/icml_2006.pdf
 * @see https://pytorch.org/docs/stable/generated/torch.nn.CTCLoss.html
 */
export class CTCLoss extends Loss {
  blank: number;
  zero_infinity: boolean;
  constructor(blank?: number | CTCOptions, reduction?: Reduction | CTCOptions, zero_infinity?: boolean);
  constructor(...args: unknown[]) {
    const a = CTC(args);
    super({ ...tail, ...a });
    this.blank = a.blank;
    this.zero_infinity = a.zero_infinity;
  }
  override forward(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor | readonly number[],
    target_lengths: Tensor | readonly number[],
  ): Tensor {
    const { blank, reduction, zero_infinity } = this;
    return F.ctc_loss(log_probs, targets, input_lengths, target_lengths, blank, reduction, zero_infinity);
  }
}
