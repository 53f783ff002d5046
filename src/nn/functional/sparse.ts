/**
 * Embeddings.
 *
 * @module
 */
import { AssertionError, NotImplementedError, ValueError, warnOnce } from "../../base/errors.ts";
import { int64 } from "../../base/dtype.ts";
import { no_grad } from "../../autograd/grad_mode.ts";
import * as aten from "../../ops/mod.ts";
import type { Tensor } from "../../tensor.ts";
import { overwrite } from "./inplace.ts";
import { required, signature } from "../../utils/signature.ts";

export { one_hot } from "../../ops/mod.ts";

interface Embedding {
  padding_idx?: number | null;
  max_norm?: number | null;
  norm_type?: number;
  scale_grad_by_freq?: boolean;
  sparse?: boolean;
}
const EMBEDDING = signature<{ input: Tensor; weight: Tensor } & Embedding>("embedding", {
  input: required,
  weight: required,
  padding_idx: null,
  max_norm: null,
  norm_type: 2,
  scale_grad_by_freq: false,
  sparse: false,
});

/** Scales the rows of `weight` that `indices` names down to `max_norm`, in place and unrecorded. */
function renorm(weight: Tensor, indices: Tensor, max_norm: number, norm_type: number): void {
  no_grad(() => overwrite("embedding_renorm_", weight.detach(), indices, max_norm, norm_type));
}

/** Rows of `weight` by index. */
export function embedding(
  input: Tensor,
  weight: Tensor,
  padding_idx?: number | null | Embedding,
  max_norm?: number | null | Embedding,
  norm_type?: number | Embedding,
  scale_grad_by_freq?: boolean | Embedding,
  sparse?: boolean,
): Tensor;
export function embedding(...args: unknown[]): Tensor {
  const { input, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse } = EMBEDDING(args);
  const rows = padding_idx === null ? 0 : weight.size(0);
  if (padding_idx !== null && (padding_idx >= rows || padding_idx < -rows)) {
    throw new AssertionError("Padding_idx must be within num_embeddings");
  }
  const padding = padding_idx === null ? -1 : padding_idx < 0 ? rows + padding_idx : padding_idx;
  let indices = input;
  if (max_norm !== null) {
    indices = input.contiguous();
    renorm(weight, indices, max_norm, norm_type);
  }
  return aten.embedding(weight, indices, padding, scale_grad_by_freq, sparse);
}

/** How `embedding_bag` reduces. */
export type BagMode = "sum" | "mean" | "max";
const MODES: Readonly<Record<BagMode, number>> = { sum: 0, mean: 1, max: 2 };

interface EmbeddingBag {
  offsets?: Tensor | null;
  max_norm?: number | null;
  norm_type?: number;
  scale_grad_by_freq?: boolean;
  mode?: BagMode;
  sparse?: boolean;
  per_sample_weights?: Tensor | null;
  include_last_offset?: boolean;
  padding_idx?: number | null;
}
const EMBEDDING_BAG = signature<{ input: Tensor; weight: Tensor } & EmbeddingBag>("embedding_bag", {
  input: required,
  weight: required,
  offsets: null,
  max_norm: null,
  norm_type: 2,
  scale_grad_by_freq: false,
  mode: "mean",
  sparse: false,
  per_sample_weights: null,
  include_last_offset: false,
  padding_idx: null,
});

/** Sums, means or maxima of bags of embeddings, without making the embeddings themselves. */
export function embedding_bag(
  input: Tensor,
  weight: Tensor,
  offsets?: Tensor | null | EmbeddingBag,
  max_norm?: number | null | EmbeddingBag,
  norm_type?: number | EmbeddingBag,
  scale_grad_by_freq?: boolean | EmbeddingBag,
  mode?: BagMode | EmbeddingBag,
  sparse?: boolean | EmbeddingBag,
  per_sample_weights?: Tensor | null | EmbeddingBag,
  include_last_offset?: boolean | EmbeddingBag,
  padding_idx?: number | null,
): Tensor;
export function embedding_bag(...args: unknown[]): Tensor {
  const a = EMBEDDING_BAG(args);
  let { input, weight, offsets, per_sample_weights } = a;
  const { mode, max_norm, norm_type, scale_grad_by_freq, sparse, include_last_offset, padding_idx } = a;
  if (weight.dtype === int64 && input.is_floating_point()) {
    warnOnce(
      "UserWarning",
      "Argument order of nn.functional.embedding_bag was changed. Usage `embedding_bag(weight, input, ...)` is " +
        "deprecated, and should now be `embedding_bag(input, weight, ...)`.",
    );
    [weight, input] = [input, weight];
  }
  if (per_sample_weights !== null && String(input.shape) !== String(per_sample_weights.shape)) {
    throw new ValueError(
      `embedding_bag: If per_sample_weights (${per_sample_weights.shape}) is not None, then it must have the same ` +
        `shape as the input (${input.shape})`,
    );
  }
  if (input.dim() === 2) {
    if (offsets !== null) {
      throw new ValueError(
        "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length sequences. " +
          "However, found offsets of type <class 'torch.Tensor'>",
      );
    }
    offsets = aten.arange(0, input.numel(), input.size(1), { dtype: input.dtype, device: input.device });
    input = input.reshape(-1);
    per_sample_weights = per_sample_weights?.reshape(-1) ?? null;
  } else if (input.dim() === 1) {
    if (offsets === null) throw new ValueError("offsets has to be a 1D Tensor but got None");
    if (offsets.dim() !== 1) throw new ValueError("offsets has to be a 1D Tensor");
  } else {
    throw new ValueError(`input has to be 1D or 2D Tensor, but got Tensor of dimension ${input.dim()}`);
  }
  if (!Object.hasOwn(MODES, mode)) throw new ValueError("mode has to be one of sum, mean or max");
  if (mode === "max" && scale_grad_by_freq) {
    throw new ValueError("max mode does not support scaling the gradient by the frequency");
  }
  if (mode === "max" && sparse) throw new ValueError("max mode does not support sparse weights");
  if (max_norm !== null) renorm(weight, input, max_norm, norm_type);
  if (per_sample_weights !== null && mode !== "sum") {
    throw new NotImplementedError(
      "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for mode='sum' (got " +
        `mode='${mode}'). Please open a feature request on GitHub.`,
    );
  }
  return aten.embedding_bag(
    weight,
    input,
    offsets,
    scale_grad_by_freq,
    MODES[mode],
    sparse,
    per_sample_weights,
    include_last_offset,
    padding_idx,
  )[0];
}
