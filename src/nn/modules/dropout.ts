/**
 * Dropout layers.
 *
 * @module
 */
import type { Tensor } from "../../tensor.ts";
import { pyrepr } from "../../utils/pyrepr.ts";
import { signature } from "../../utils/signature.ts";
import * as F from "../functional/dropout.ts";
import { Module } from "./module.ts";

/** Arguments of dropout layers. */
export interface DropoutOptions {
  p?: number;
  inplace?: boolean;
}
const DROPOUT = signature<DropoutOptions>("Dropout", { p: 0.5, inplace: false });

abstract class DropoutNd extends Module {
  p: number;
  inplace: boolean;

  constructor(p?: number | DropoutOptions, inplace?: boolean | DropoutOptions);
  constructor(...args: unknown[]) {
    super();
    const { p, inplace } = DROPOUT(args);
    F.checkProbability(p);
    this.p = p;
    this.inplace = inplace;
  }

  override extra_repr(): string {
    return `p=${pyrepr(this.p)}, inplace=${pyrepr(this.inplace)}`;
  }
}

/**
 * In training zeroes elements with probability `p` and scales the rest by 1 / (1 - p).
 *
 * @see https://arxiv.org/abs/1207.0580
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Dropout.html
 */
export class Dropout extends DropoutNd {
  override forward(input: Tensor): Tensor {
    return F.dropout(input, this.p, this.training, this.inplace);
  }
}
/**
 * Zeroes whole channels of (N, C, L).
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Dropout1d.html
 */
export class Dropout1d extends DropoutNd {
  override forward(input: Tensor): Tensor {
    return F.dropout1d(input, this.p, this.training, this.inplace);
  }
}
/**
 * Zeroes whole channels of (N, C, H, W).
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Dropout2d.html
 */
export class Dropout2d extends DropoutNd {
  override forward(input: Tensor): Tensor {
    return F.dropout2d(input, this.p, this.training, this.inplace);
  }
}
/**
 * Zeroes whole channels of (N, C, D, H, W).
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Dropout3d.html
 */
export class Dropout3d extends DropoutNd {
  override forward(input: Tensor): Tensor {
    return F.dropout3d(input, this.p, this.training, this.inplace);
  }
}
/**
 * Dropout that keeps mean and variance of self-normalizing activations.
 *
 * @see https://arxiv.org/abs/1706.02515
 * @see https://pytorch.org/docs/stable/generated/torch.nn.AlphaDropout.html
 */
export class AlphaDropout extends DropoutNd {
  override forward(input: Tensor): Tensor {
    return F.alpha_dropout(input, this.p, this.training);
  }
}
/**
 * Alpha dropout of whole channels.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.FeatureAlphaDropout.html
 */
export class FeatureAlphaDropout extends DropoutNd {
  override forward(input: Tensor): Tensor {
    return F.feature_alpha_dropout(input, this.p, this.training);
  }
}
