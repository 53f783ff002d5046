/**
 * `torch.nn.functional`.
 *
 * @module
 */
export * from "./functional/activation.ts";
export * from "./functional/attention.ts";
export * from "./functional/dropout.ts";
export * from "./functional/loss.ts";
export type { SimpleLoss } from "./functional/loss_common.ts";
export * from "./functional/margin_loss.ts";
export * from "./functional/normalization.ts";
export * from "./functional/pooling.ts";
export * from "./functional/sparse.ts";
export * from "./functional/vision.ts";
export {
  bilinear,
  conv1d,
  conv2d,
  conv3d,
  conv_tbc,
  conv_transpose1d,
  conv_transpose2d,
  conv_transpose3d,
  cosine_similarity,
  linear,
  pairwise_distance,
  pdist,
} from "../ops/mod.ts";
