/**
 * Losses.
 *
 * @module
 */
import { AssertionError, ValueError, warnOnce } from "../../base/errors.ts";
import type { Tensor } from "../../tensor.ts";
import { signature } from "../../utils/signature.ts";
import * as F from "../functional/loss.ts";
import { type Reduction, type ReductionOptions, resolveReduction } from "../reduction.ts";
import { PairwiseDistance } from "./distance.ts";
import { Module } from "./module.ts";

type Flag = boolean | null;

/** What bound arguments say about the reduction. */
interface ReductionArguments {
  size_average: Flag;
  reduce: Flag;
  reduction: Reduction;
}

const tail = { size_average: null, reduce: null, reduction: "mean" } as const;
const REDUCTION = signature<ReductionOptions>("__init__", tail);

abstract class Loss extends Module {
  reduction: Reduction;
  constructor(a: ReductionArguments) {
    super();
    this.reduction = resolveReduction(a.size_average, a.reduce, a.reduction);
  }
}

/** A loss with no options but the reduction. */
abstract class SimpleLoss extends Loss {
  constructor(
    size_average?: Flag | ReductionOptions,
    reduce?: Flag | ReductionOptions,
    reduction?: Reduction,
  );
  constructor(...args: unknown[]) {
    super(REDUCTION(args));
  }
}

/** Mean absolute error. */
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
/** log(1 + exp(-target input)) */
export class SoftMarginLoss extends SimpleLoss {
  override forward(input: Tensor, target: Tensor): Tensor {
    return F.soft_margin_loss(input, target, { reduction: this.reduction });
  }
}
/** Multi-class multi-label hinge loss. */
export class MultiLabelMarginLoss extends SimpleLoss {
  override forward(input: Tensor, target: Tensor): Tensor {
    return F.multilabel_margin_loss(input, target, { reduction: this.reduction });
  }
}

interface WeightOptions extends ReductionOptions {
  weight?: Tensor | null;
}
const WEIGHTED = signature<WeightOptions>("__init__", { weight: null, ...tail });
abstract class WeightedLoss extends Loss {
  weight!: Tensor | null;
  constructor(weight: Tensor | null, a: ReductionArguments) {
    super(a);
    this.register_buffer("weight", weight);
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
/** Negative log likelihood of class indices under log-probabilities. */
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
/** Deprecated: `NLLLoss`. */
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

/** Binary cross entropy between probabilities. */
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
/** Binary cross entropy between logits and probabilities. */
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

/** Binary cross entropy with logits, averaged over classes. */
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
/** Negative log likelihood of a Poisson distribution. */
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
/** Negative log likelihood of a normal distribution. */
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
/** Kullback-Leibler divergence of log-probabilities from a target distribution. */
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

interface MarginOptions extends ReductionOptions {
  margin?: number;
}
const HINGE = signature<MarginOptions>("HingeEmbeddingLoss", { margin: 1, ...tail });
const MARGIN = signature<MarginOptions>("__init__", { margin: 0, ...tail });
abstract class MarginLoss extends Loss {
  margin: number;
  constructor(
    margin?: number | MarginOptions,
    size_average?: Flag | MarginOptions,
    reduce?: Flag | MarginOptions,
    reduction?: Reduction,
  );
  constructor(...args: unknown[]) {
    const a = MARGIN(args);
    super(a);
    this.margin = a.margin;
  }
}
/** The input where the target is 1, max(0, margin - input) where it is -1. */
export class HingeEmbeddingLoss extends MarginLoss {
  constructor(
    margin?: number | MarginOptions,
    size_average?: Flag | MarginOptions,
    reduce?: Flag | MarginOptions,
    reduction?: Reduction,
  );
  constructor(...args: unknown[]) {
    super(HINGE(args));
  }
  override forward(input: Tensor, target: Tensor): Tensor {
    return F.hinge_embedding_loss(input, target, { margin: this.margin, reduction: this.reduction });
  }
}
/** 1 - cos where the target is 1, max(0, cos - margin) where it is -1. */
export class CosineEmbeddingLoss extends MarginLoss {
  override forward(input1: Tensor, input2: Tensor, target: Tensor): Tensor {
    return F.cosine_embedding_loss(input1, input2, target, {
      margin: this.margin,
      reduction: this.reduction,
    });
  }
}
/** max(0, -target (input1 - input2) + margin) */
export class MarginRankingLoss extends MarginLoss {
  override forward(input1: Tensor, input2: Tensor, target: Tensor): Tensor {
    return F.margin_ranking_loss(input1, input2, target, { margin: this.margin, reduction: this.reduction });
  }
}

interface SmoothL1Options extends ReductionOptions {
  beta?: number;
}
const SMOOTH_L1 = signature<SmoothL1Options>("SmoothL1Loss", { ...tail, beta: 1 });
/** Squared below `beta`, absolute above. */
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
/** Squared below `delta`, linear above. */
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

interface MultiMarginOptions extends WeightOptions {
  p?: number;
  margin?: number;
}
const MULTI_MARGIN = signature<MultiMarginOptions>("MultiMarginLoss", {
  p: 1,
  margin: 1,
  weight: null,
  ...tail,
});
/** Multi-class hinge loss. */
export class MultiMarginLoss extends WeightedLoss {
  p: number;
  margin: number;
  constructor(
    p?: number | MultiMarginOptions,
    margin?: number | MultiMarginOptions,
    weight?: Tensor | null | MultiMarginOptions,
    size_average?: Flag | MultiMarginOptions,
    reduce?: Flag | MultiMarginOptions,
    reduction?: Reduction,
  );
  constructor(...args: unknown[]) {
    const a = MULTI_MARGIN(args);
    super(a.weight, a);
    if (a.p !== 1 && a.p !== 2) throw new ValueError("only p == 1 and p == 2 supported");
    if (a.weight !== null && a.weight.dim() !== 1) throw new AssertionError("");
    this.p = a.p;
    this.margin = a.margin;
  }
  override forward(input: Tensor, target: Tensor): Tensor {
    const { p, margin, weight, reduction } = this;
    return F.multi_margin_loss(input, target, { p, margin, weight, reduction });
  }
}

interface TripletOptions extends ReductionOptions {
  margin?: number;
  p?: number;
  eps?: number;
  swap?: boolean;
}
const TRIPLET = signature<TripletOptions>("TripletMarginLoss", {
  margin: 1,
  p: 2,
  eps: 1e-6,
  swap: false,
  ...tail,
});
/** max(0, d(anchor, positive) - d(anchor, negative) + margin) with d the p-norm of the difference. */
export class TripletMarginLoss extends Loss {
  margin: number;
  p: number;
  eps: number;
  swap: boolean;
  constructor(
    margin?: number | TripletOptions,
    p?: number | TripletOptions,
    eps?: number | TripletOptions,
    swap?: boolean | TripletOptions,
    size_average?: Flag | TripletOptions,
    reduce?: Flag | TripletOptions,
    reduction?: Reduction,
  );
  constructor(...args: unknown[]) {
    const a = TRIPLET(args);
    super(a);
    this.margin = a.margin;
    this.p = a.p;
    this.eps = a.eps;
    this.swap = a.swap;
  }
  override forward(anchor: Tensor, positive: Tensor, negative: Tensor): Tensor {
    const { margin, p, eps, swap, reduction } = this;
    return F.triplet_margin_loss(anchor, positive, negative, { margin, p, eps, swap, reduction });
  }
}

interface TripletDistanceOptions {
  distance_function?: F.DistanceFunction | null;
  margin?: number;
  swap?: boolean;
  reduction?: Reduction;
}
const TRIPLET_DISTANCE = signature<TripletDistanceOptions>("TripletMarginWithDistanceLoss", {
  distance_function: null,
  margin: 1,
  swap: false,
  reduction: "mean",
});
/** The triplet margin loss with any distance. */
export class TripletMarginWithDistanceLoss extends Loss {
  distance_function: F.DistanceFunction;
  margin: number;
  swap: boolean;
  constructor(options?: TripletDistanceOptions);
  constructor(...args: unknown[]) {
    const a = TRIPLET_DISTANCE(args);
    super({ ...tail, ...a });
    this.distance_function = a.distance_function ?? new PairwiseDistance();
    this.margin = a.margin;
    this.swap = a.swap;
  }
  override forward(anchor: Tensor, positive: Tensor, negative: Tensor): Tensor {
    const { distance_function, margin, swap, reduction } = this;
    return F.triplet_margin_with_distance_loss(anchor, positive, negative, {
      distance_function,
      margin,
      swap,
      reduction,
    });
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
