/**
 * Loss functions with a margin.
 *
 * @module
 */
import { RuntimeError, ValueError } from "../../base/errors.ts";
import * as aten from "../../ops/mod.ts";
import type { Tensor } from "../../tensor.ts";
import { required, signature } from "../../utils/signature.ts";
import { type Reduction, reductionCode, type ReductionOptions } from "../reduction.ts";
import { code, type Flag, type Pair, reduceBy, SIMPLE, type SimpleLoss, tail } from "./loss_common.ts";

/** log(1 + exp(-target input)), targets -1 or 1 */
export const soft_margin_loss: SimpleLoss = (...args: unknown[]): Tensor => {
  const a = SIMPLE(args);
  return aten.soft_margin_loss(a.input, a.target, code(a));
};

/** Multi-class multi-label hinge loss. */
export const multilabel_margin_loss: SimpleLoss = (...args: unknown[]): Tensor => {
  const a = SIMPLE(args);
  return aten.multilabel_margin_loss(a.input, a.target, code(a));
};

interface Margin extends ReductionOptions {
  margin?: number;
}
type MarginLoss<M extends number> = (
  input: Tensor,
  target: Tensor,
  margin?: M | Margin,
  size_average?: Flag | Margin,
  reduce?: Flag | Margin,
  reduction?: Reduction,
) => Tensor;
const HINGE = signature<Pair & Margin>("hinge_embedding_loss", {
  input: required,
  target: required,
  margin: 1,
  ...tail,
});
/** The input where the target is 1, max(0, margin - input) where it is -1. */
export const hinge_embedding_loss: MarginLoss<number> = (...args: unknown[]): Tensor => {
  const a = HINGE(args);
  return aten.hinge_embedding_loss(a.input, a.target, a.margin, code(a));
};

interface TwoInputs {
  input1: Tensor;
  input2: Tensor;
  target: Tensor;
}
type TwoInputsLoss = (
  input1: Tensor,
  input2: Tensor,
  target: Tensor,
  margin?: number | Margin,
  size_average?: Flag | Margin,
  reduce?: Flag | Margin,
  reduction?: Reduction,
) => Tensor;
const TWO_INPUTS = signature<TwoInputs & Margin>("loss", {
  input1: required,
  input2: required,
  target: required,
  margin: 0,
  ...tail,
});
/** max(0, -target (input1 - input2) + margin) */
export const margin_ranking_loss: TwoInputsLoss = (...args: unknown[]): Tensor => {
  const a = TWO_INPUTS(args);
  const reduction = code(a);
  const { input1, input2, target } = a;
  if (input1.dim() !== input2.dim() || input1.dim() !== target.dim()) {
    throw new RuntimeError(
      `margin_ranking_loss : All input tensors should have same dimension but got sizes: input1: ${input1.shape}, ` +
        `input2: ${input2.shape}, target: ${target.shape} `,
    );
  }
  return aten.margin_ranking_loss(input1, input2, target, a.margin, reduction);
};

/** 1 - cos where the target is 1, max(0, cos - margin) where it is -1. */
export const cosine_embedding_loss: TwoInputsLoss = (...args: unknown[]): Tensor => {
  const a = TWO_INPUTS(args);
  return aten.cosine_embedding_loss(a.input1, a.input2, a.target, a.margin, code(a));
};

interface MultiMargin extends ReductionOptions {
  p?: number;
  margin?: number;
  weight?: Tensor | null;
}
const MULTI_MARGIN = signature<Pair & MultiMargin>("multi_margin_loss", {
  input: required,
  target: required,
  p: 1,
  margin: 1,
  weight: null,
  ...tail,
});
/** Multi-class hinge loss. */
export function multi_margin_loss(
  input: Tensor,
  target: Tensor,
  p?: number | MultiMargin,
  margin?: number | MultiMargin,
  weight?: Tensor | null | MultiMargin,
  size_average?: Flag | MultiMargin,
  reduce?: Flag | MultiMargin,
  reduction?: Reduction,
): Tensor;
export function multi_margin_loss(...args: unknown[]): Tensor {
  const a = MULTI_MARGIN(args);
  const reduction = code(a);
  if (a.p !== 1 && a.p !== 2) throw new ValueError("only p == 1 and p == 2 supported");
  if (a.weight !== null && a.weight.dim() !== 1) throw new ValueError("weight must be one-dimensional");
  return aten.multi_margin_loss(a.input, a.target, a.p, a.margin, a.weight, reduction);
}

interface Triplet {
  anchor: Tensor;
  positive: Tensor;
  negative: Tensor;
}
interface TripletMargin extends ReductionOptions {
  margin?: number;
  p?: number;
  eps?: number;
  swap?: boolean;
}
const TRIPLET = signature<Triplet & TripletMargin>("triplet_margin_loss", {
  anchor: required,
  positive: required,
  negative: required,
  margin: 1,
  p: 2,
  eps: 1e-6,
  swap: false,
  ...tail,
});
/** max(0, d(anchor, positive) - d(anchor, negative) + margin) with d the p-norm of the difference. */
export function triplet_margin_loss(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  margin?: number | TripletMargin,
  p?: number | TripletMargin,
  eps?: number | TripletMargin,
  swap?: boolean | TripletMargin,
  size_average?: Flag | TripletMargin,
  reduce?: Flag | TripletMargin,
  reduction?: Reduction,
): Tensor;
export function triplet_margin_loss(...args: unknown[]): Tensor {
  const a = TRIPLET(args);
  return aten.triplet_margin_loss(a.anchor, a.positive, a.negative, a.margin, a.p, a.eps, a.swap, code(a));
}

/** A distance between batches of vectors. */
export type DistanceFunction = (x1: Tensor, x2: Tensor) => Tensor;
interface TripletWithDistance {
  distance_function?: DistanceFunction | null;
  margin?: number;
  swap?: boolean;
  reduction?: Reduction;
}
const TRIPLET_DISTANCE = signature<Triplet & TripletWithDistance>("triplet_margin_with_distance_loss", {
  anchor: required,
  positive: required,
  negative: required,
  distance_function: null,
  margin: 1,
  swap: false,
  reduction: "mean",
});
/** The triplet margin loss with any distance. */
export function triplet_margin_with_distance_loss(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  options?: TripletWithDistance,
): Tensor;
export function triplet_margin_with_distance_loss(...args: unknown[]): Tensor {
  const { anchor, positive, negative, distance_function, margin, swap, reduction } = TRIPLET_DISTANCE(args);
  const distance: DistanceFunction = distance_function ?? ((x, y) => aten.pairwise_distance(x, y));
  const near = distance(anchor, positive);
  let far = distance(anchor, negative);
  if (swap) far = aten.minimum(far, distance(positive, negative));
  return reduceBy(near.sub(far).add(margin).clamp_min(0), reductionCode(reduction));
}
