/**
 * Loss functions.
 *
 * @module
 */
import { internal } from "../../base/scope.ts";
import { no_grad } from "../../autograd/grad_mode.ts";
import { ValueError, warnOnce } from "../../base/errors.ts";
import * as aten from "../../ops/mod.ts";
import type { Tensor } from "../../tensor.ts";
import { required, signature } from "../../utils/signature.ts";
import {
  broadcastPair,
  code,
  type Flag,
  type Pair,
  reduceBy,
  sameShape,
  SIMPLE,
  type SimpleLoss,
  tail,
} from "./loss_common.ts";
import { type Reduction, reductionCode, type ReductionOptions, resolveReduction } from "../reduction.ts";

/** Mean absolute error. */
export const l1_loss: SimpleLoss = (...args: unknown[]): Tensor => {
  const a = SIMPLE(args);
  const [input, target] = broadcastPair(a.input, a.target);
  return aten.l1_loss(input, target, code(a));
};

/** Mean squared error. */
export const mse_loss: SimpleLoss = (...args: unknown[]): Tensor => {
  const a = SIMPLE(args);
  const [input, target] = broadcastPair(a.input, a.target);
  return aten.mse_loss(input, target, code(a));
};

interface SmoothL1 extends ReductionOptions {
  beta?: number;
}
const SMOOTH_L1 = signature<Pair & SmoothL1>("smooth_l1_loss", {
  input: required,
  target: required,
  ...tail,
  beta: 1,
});
/** Squared below `beta`, absolute above. */
export function smooth_l1_loss(
  input: Tensor,
  target: Tensor,
  size_average?: Flag | SmoothL1,
  reduce?: Flag | SmoothL1,
  reduction?: Reduction | SmoothL1,
  beta?: number,
): Tensor;
export function smooth_l1_loss(...args: unknown[]): Tensor {
  const a = SMOOTH_L1(args);
  const [input, target] = broadcastPair(a.input, a.target);
  return aten.smooth_l1_loss(input, target, code(a), a.beta);
}

interface Huber {
  reduction?: Reduction;
  delta?: number;
}
const HUBER = signature<Pair & Huber>("huber_loss", {
  input: required,
  target: required,
  reduction: "mean",
  delta: 1,
});
/** Squared below `delta`, linear above. */
export function huber_loss(
  input: Tensor,
  target: Tensor,
  reduction?: Reduction | Huber,
  delta?: number | Huber,
): Tensor;
export function huber_loss(...args: unknown[]): Tensor {
  const a = HUBER(args);
  const [input, target] = broadcastPair(a.input, a.target);
  return aten.huber_loss(input, target, reductionCode(a.reduction), a.delta);
}

interface CrossEntropy extends ReductionOptions {
  weight?: Tensor | null;
  ignore_index?: number;
  label_smoothing?: number;
}
const CROSS_ENTROPY = signature<Pair & CrossEntropy>("cross_entropy", {
  input: required,
  target: required,
  weight: null,
  size_average: null,
  ignore_index: -100,
  reduce: null,
  reduction: "mean",
  label_smoothing: 0,
});
/** Cross entropy between logits and class indices or class probabilities. */
export function cross_entropy(
  input: Tensor,
  target: Tensor,
  weight?: Tensor | null | CrossEntropy,
  size_average?: Flag | CrossEntropy,
  ignore_index?: number | CrossEntropy,
  reduce?: Flag | CrossEntropy,
  reduction?: Reduction | CrossEntropy,
  label_smoothing?: number,
): Tensor;
export function cross_entropy(...args: unknown[]): Tensor {
  const a = CROSS_ENTROPY(args);
  return aten.cross_entropy_loss(a.input, a.target, a.weight, code(a), a.ignore_index, a.label_smoothing);
}

type NLL = Omit<CrossEntropy, "label_smoothing">;
const NLL_LOSS = signature<Pair & NLL>("nll_loss", {
  input: required,
  target: required,
  weight: null,
  size_average: null,
  ignore_index: -100,
  reduce: null,
  reduction: "mean",
});
/** Negative log likelihood of class indices under log-probabilities. */
export function nll_loss(
  input: Tensor,
  target: Tensor,
  weight?: Tensor | null | NLL,
  size_average?: Flag | NLL,
  ignore_index?: number | NLL,
  reduce?: Flag | NLL,
  reduction?: Reduction | NLL,
): Tensor;
export function nll_loss(...args: unknown[]): Tensor {
  const a = NLL_LOSS(args);
  return aten.nll_loss(a.input, a.target, a.weight, code(a), a.ignore_index);
}

interface PoissonNLL extends ReductionOptions {
  log_input?: boolean;
  full?: boolean;
  eps?: number;
}
const POISSON_NLL = signature<Pair & PoissonNLL>("poisson_nll_loss", {
  input: required,
  target: required,
  log_input: true,
  full: false,
  size_average: null,
  eps: 1e-8,
  reduce: null,
  reduction: "mean",
});
/** Negative log likelihood of a Poisson distribution. */
export function poisson_nll_loss(
  input: Tensor,
  target: Tensor,
  log_input?: boolean | PoissonNLL,
  full?: boolean | PoissonNLL,
  size_average?: Flag | PoissonNLL,
  eps?: number | PoissonNLL,
  reduce?: Flag | PoissonNLL,
  reduction?: Reduction | PoissonNLL,
): Tensor;
export function poisson_nll_loss(...args: unknown[]): Tensor {
  const a = POISSON_NLL(args);
  const reduction = resolveReduction(a.size_average, a.reduce, a.reduction);
  if (reduction !== "none" && reduction !== "mean" && reduction !== "sum") {
    throw new ValueError(`${reduction} is not valid`);
  }
  return aten.poisson_nll_loss(a.input, a.target, a.log_input, a.full, a.eps, reductionCode(reduction));
}

interface GaussianNLL {
  full?: boolean;
  eps?: number;
  reduction?: Reduction;
}
const GAUSSIAN_NLL = signature<Pair & { var: Tensor } & GaussianNLL>("gaussian_nll_loss", {
  input: required,
  target: required,
  var: required,
  full: false,
  eps: 1e-6,
  reduction: "mean",
});
/** Negative log likelihood of a normal distribution with the given variance. */
export function gaussian_nll_loss(
  input: Tensor,
  target: Tensor,
  variance: Tensor,
  full?: boolean | GaussianNLL,
  eps?: number | GaussianNLL,
  reduction?: Reduction | GaussianNLL,
): Tensor;
export function gaussian_nll_loss(...args: unknown[]): Tensor {
  return internal(() => {
    const { input, target, full, eps, reduction, ...rest } = GAUSSIAN_NLL(args);
    let variance = rest.var;
    if (!sameShape(variance, input)) {
      const outer = String(input.shape.slice(0, -1));
      if (outer === String([...variance.shape])) variance = variance.unsqueeze(-1);
      else if (outer !== String(variance.shape.slice(0, -1)) || variance.size(-1) !== 1) {
        throw new ValueError("var is of incorrect size");
      }
    }
    if (reduction !== "none" && reduction !== "mean" && reduction !== "sum") {
      throw new ValueError(`${reduction} is not valid`);
    }
    if (variance.lt(0).any().item()) throw new ValueError("var has negative entry/entries");
    variance = variance.clone();
    no_grad(() => variance.clamp_(eps)); // a bound on the value; the gradient passes
    let loss = variance.log().add(input.sub(target).pow(2).div(variance)).mul(0.5);
    if (full) loss = loss.add(0.5 * Math.log(2 * Math.PI));
    return reduceBy(loss, reductionCode(reduction));
  });
}

interface KLDiv extends ReductionOptions {
  log_target?: boolean;
}
const KL_DIV = signature<Pair & KLDiv>("kl_div", {
  input: required,
  target: required,
  ...tail,
  log_target: false,
});
/** Kullback-Leibler divergence of log-probabilities from a target distribution. */
export function kl_div(
  input: Tensor,
  target: Tensor,
  size_average?: Flag | KLDiv,
  reduce?: Flag | KLDiv,
  reduction?: Reduction | KLDiv,
  log_target?: boolean,
): Tensor;
export function kl_div(...args: unknown[]): Tensor {
  const a = KL_DIV(args);
  const { input, target, log_target } = a;
  if (a.size_average !== null || a.reduce !== null) {
    return aten.kl_div(input, target, code(a), { log_target });
  }
  if (a.reduction === "mean") {
    warnOnce(
      "UserWarning",
      "reduction: 'mean' divides the total loss by both the batch size and the support size.'batchmean' divides only " +
        "by the batch size, and aligns with the KL div math definition.'mean' will be changed to behave the same as " +
        "'batchmean' in the next major release.",
    );
  }
  if (a.reduction !== "batchmean") {
    return aten.kl_div(input, target, reductionCode(a.reduction), { log_target });
  }
  const sum = aten.kl_div(input, target, reductionCode("sum"), { log_target });
  return input.dim() === 0 ? sum : sum.div(input.size(0));
}

interface BCE extends ReductionOptions {
  weight?: Tensor | null;
}
const BCE_LOSS = signature<Pair & BCE>("binary_cross_entropy", {
  input: required,
  target: required,
  weight: null,
  ...tail,
});
/** Binary cross entropy between probabilities. */
export function binary_cross_entropy(
  input: Tensor,
  target: Tensor,
  weight?: Tensor | null | BCE,
  size_average?: Flag | BCE,
  reduce?: Flag | BCE,
  reduction?: Reduction,
): Tensor;
export function binary_cross_entropy(...args: unknown[]): Tensor {
  const a = BCE_LOSS(args);
  const reduction = code(a);
  if (!sameShape(a.input, a.target)) {
    throw new ValueError(
      `Using a target size (${a.target.shape}) that is different to the input size (${a.input.shape}) is deprecated. ` +
        "Please ensure they have the same size.",
    );
  }
  const weight = a.weight === null ? null : aten.broadcast_tensors([a.weight, a.target])[0]!;
  return aten.binary_cross_entropy(a.input, a.target, weight, reduction);
}

interface BCELogits extends BCE {
  pos_weight?: Tensor | null;
}
const BCE_LOGITS = signature<Pair & BCELogits>("binary_cross_entropy_with_logits", {
  input: required,
  target: required,
  weight: null,
  ...tail,
  pos_weight: null,
});
/** Binary cross entropy between logits and probabilities, computed stably. */
export function binary_cross_entropy_with_logits(
  input: Tensor,
  target: Tensor,
  weight?: Tensor | null | BCELogits,
  size_average?: Flag | BCELogits,
  reduce?: Flag | BCELogits,
  reduction?: Reduction | BCELogits,
  pos_weight?: Tensor | null,
): Tensor;
export function binary_cross_entropy_with_logits(...args: unknown[]): Tensor {
  const a = BCE_LOGITS(args);
  const reduction = code(a);
  if (!sameShape(a.input, a.target)) {
    throw new ValueError(`Target size (${a.target.shape}) must be the same as input size (${a.input.shape})`);
  }
  return aten.binary_cross_entropy_with_logits(a.input, a.target, a.weight, a.pos_weight, reduction);
}

const MULTILABEL_SOFT = signature<Pair & BCE>("multilabel_soft_margin_loss", {
  input: required,
  target: required,
  weight: null,
  ...tail,
});
/** Binary cross entropy with logits, averaged over classes. */
export function multilabel_soft_margin_loss(
  input: Tensor,
  target: Tensor,
  weight?: Tensor | null | BCE,
  size_average?: Flag | BCE,
  reduce?: Flag | BCE,
  reduction?: Reduction,
): Tensor;
export function multilabel_soft_margin_loss(...args: unknown[]): Tensor {
  return internal(() => {
    const { input, target, weight, ...a } = MULTILABEL_SOFT(args);
    const reduction = resolveReduction(a.size_average, a.reduce, a.reduction);
    const positive = target.mul(aten.log_sigmoid(input));
    const negative = target.neg().add(1).mul(aten.log_sigmoid(input.neg()));
    let loss = positive.add(negative).neg();
    if (weight !== null) loss = loss.mul(weight);
    const classDim = input.dim() - 1;
    loss = loss.sum(classDim).div(input.size(classDim));
    if (reduction !== "none" && reduction !== "mean" && reduction !== "sum") {
      throw new ValueError(`${reduction} is not valid`);
    }
    return reduceBy(loss, reductionCode(reduction));
  });
}

interface CTC {
  blank?: number;
  reduction?: Reduction;
  zero_infinity?: boolean;
}
type Lengths = Tensor | readonly number[];
const CTC_LOSS = signature<
  { log_probs: Tensor; targets: Tensor; input_lengths: Lengths; target_lengths: Lengths } & CTC
>(
  "ctc_loss",
  {
    log_probs: required,
    targets: required,
    input_lengths: required,
    target_lengths: required,
    blank: 0,
    reduction: "mean",
    zero_infinity: false,
  },
);
/**
 * Connectionist temporal classification.
 *
 * @see https://www.cs.toronto.edu/~graves/icml_2006.pdf
 */
export function ctc_loss(
  log_probs: Tensor,
  targets: Tensor,
  input_lengths: Lengths,
  target_lengths: Lengths,
  blank?: number | CTC,
  reduction?: Reduction | CTC,
  zero_infinity?: boolean,
): Tensor;
export function ctc_loss(...args: unknown[]): Tensor {
  const a = CTC_LOSS(args);
  const reduction = reductionCode(a.reduction);
  return aten.ctc_loss(
    a.log_probs,
    a.targets,
    a.input_lengths,
    a.target_lengths,
    a.blank,
    reduction,
    a.zero_infinity,
  );
}
