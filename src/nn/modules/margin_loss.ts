/**
 * Losses with a margin.
 *
 * @module
 */
import { AssertionError, ValueError } from "../../base/errors.ts";
import type { Tensor } from "../../tensor.ts";
import { signature } from "../../utils/signature.ts";
import * as F from "../functional/margin_loss.ts";
import type { Reduction, ReductionOptions } from "../reduction.ts";
import { PairwiseDistance } from "./distance.ts";
import { type Flag, Loss, SimpleLoss, tail, WeightedLoss, type WeightOptions } from "./loss_base.ts";

/**
 * log(1 + exp(-target input))
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.SoftMarginLoss.html
 */
export class SoftMarginLoss extends SimpleLoss {
  override forward(input: Tensor, target: Tensor): Tensor {
    return F.soft_margin_loss(input, target, { reduction: this.reduction });
  }
}
/**
 * Multi-class multi-label hinge loss.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.MultiLabelMarginLoss.html
 */
export class MultiLabelMarginLoss extends SimpleLoss {
  override forward(input: Tensor, target: Tensor): Tensor {
    return F.multilabel_margin_loss(input, target, { reduction: this.reduction });
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
/**
 * The input where the target is 1, max(0, margin - input) where it is -1.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.HingeEmbeddingLoss.html
 */
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
/**
 * 1 - cos where the target is 1, max(0, cos - margin) where it is -1.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.CosineEmbeddingLoss.html
 */
export class CosineEmbeddingLoss extends MarginLoss {
  override forward(input1: Tensor, input2: Tensor, target: Tensor): Tensor {
    return F.cosine_embedding_loss(input1, input2, target, {
      margin: this.margin,
      reduction: this.reduction,
    });
  }
}
/**
 * max(0, -target (input1 - input2) + margin)
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.MarginRankingLoss.html
 */
export class MarginRankingLoss extends MarginLoss {
  override forward(input1: Tensor, input2: Tensor, target: Tensor): Tensor {
    return F.margin_ranking_loss(input1, input2, target, { margin: this.margin, reduction: this.reduction });
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
/**
 * Multi-class hinge loss.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.MultiMarginLoss.html
 */
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
/**
 * max(0, d(anchor, positive) - d(anchor, negative) + margin) with d the p-norm of the difference.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.TripletMarginLoss.html
 */
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
/**
 * The triplet margin loss with any distance.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.TripletMarginWithDistanceLoss.html
 */
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
