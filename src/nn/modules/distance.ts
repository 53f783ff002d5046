/**
 * Distances between batches of vectors.
 *
 * @module
 */
import * as aten from "../../ops/mod.ts";
import type { Tensor } from "../../tensor.ts";
import { signature } from "../../utils/signature.ts";
import { Module } from "./module.ts";

interface PairwiseOptions {
  p?: number;
  eps?: number;
  keepdim?: boolean;
}
const PAIRWISE = signature<PairwiseOptions>("PairwiseDistance", { p: 2, eps: 1e-6, keepdim: false });
/**
 * The p-norm of the difference.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.PairwiseDistance.html
 */
export class PairwiseDistance extends Module {
  norm: number;
  eps: number;
  keepdim: boolean;
  constructor(
    p?: number | PairwiseOptions,
    eps?: number | PairwiseOptions,
    keepdim?: boolean | PairwiseOptions,
  );
  constructor(...args: unknown[]) {
    super();
    const { p, eps, keepdim } = PAIRWISE(args);
    this.norm = p;
    this.eps = eps;
    this.keepdim = keepdim;
  }
  override forward(x1: Tensor, x2: Tensor): Tensor {
    return aten.pairwise_distance(x1, x2, this.norm, this.eps, this.keepdim);
  }
}

interface CosineOptions {
  dim?: number;
  eps?: number;
}
const COSINE = signature<CosineOptions>("CosineSimilarity", { dim: 1, eps: 1e-8 });
/**
 * The cosine of the angle between vectors along `dim`.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.CosineSimilarity.html
 */
export class CosineSimilarity extends Module {
  dim: number;
  eps: number;
  constructor(dim?: number | CosineOptions, eps?: number | CosineOptions);
  constructor(...args: unknown[]) {
    super();
    const { dim, eps } = COSINE(args);
    this.dim = dim;
    this.eps = eps;
  }
  override forward(x1: Tensor, x2: Tensor): Tensor {
    return aten.cosine_similarity(x1, x2, this.dim, this.eps);
  }
}
