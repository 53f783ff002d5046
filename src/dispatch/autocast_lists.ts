/**
 * What autocast does to which operators: the lists of PyTorch 1.13's autocast_mode.cpp.
 *
 * @see https://pytorch.org/docs/1.13/amp.html#autocast-op-reference
 * @module
 */

/**
 * - `lower`: runs in the lower precision
 * - `full`: runs in float32
 * - `accumulate`: of a narrower input, with dtype float32 if no dtype is given
 * - `widest`: runs in the widest of its inputs' dtypes
 * - `banned`: refused, as it overflows too easily
 */
export type Policy = "lower" | "full" | "accumulate" | "widest" | "banned";

function table(lists: Partial<Record<Policy, string>>): ReadonlyMap<string, Policy> {
  return new Map(
    Object.entries(lists).flatMap(([policy, names]) =>
      names.split(/\s+/).filter(Boolean).map((name) => [name, policy as Policy])
    ),
  );
}

/** On a CUDA device. */
export const CUDA_LISTS: ReadonlyMap<string, Policy> = table({
  lower:
    `convolution conv1d conv2d conv3d conv_tbc conv_transpose1d conv_transpose2d conv_transpose3d prelu addmm addmv
    addr matmul einsum mm mv linear addbmm baddbmm bmm chain_matmul linalg_multi_dot lstm_cell gru_cell rnn_tanh_cell
    rnn_relu_cell lstm gru rnn_tanh rnn_relu`,
  full:
    `acos asin cosh erfinv exp expm1 log log10 log2 log1p reciprocal rsqrt sinh tan pow softplus layer_norm
    native_layer_norm group_norm cosine_similarity poisson_nll_loss cosine_embedding_loss nll_loss hinge_embedding_loss
    kl_div l1_loss smooth_l1_loss huber_loss mse_loss margin_ranking_loss multilabel_margin_loss soft_margin_loss
    triplet_margin_loss multi_margin_loss binary_cross_entropy_with_logits cross_entropy_loss dist pdist cdist renorm
    logsumexp norm`,
  accumulate: "prod softmax log_softmax cumprod cumsum sum",
  widest: "addcdiv addcmul atan2 bilinear cross dot grid_sampler index_put tensordot scatter_add cat stack",
  banned: "binary_cross_entropy",
});

/** On the CPU. */
export const CPU_LISTS: ReadonlyMap<string, Policy> = table({
  lower: "convolution conv1d conv2d conv3d conv_tbc bmm mm baddbmm addmm addbmm linear matmul",
  full:
    `conv_transpose1d conv_transpose2d conv_transpose3d avg_pool3d binary_cross_entropy grid_sampler prod quantile
    nanquantile cdist trace cholesky cholesky_inverse cholesky_solve inverse orgqr pinverse max_pool3d
    adaptive_avg_pool3d mse_loss cosine_embedding_loss nll_loss hinge_embedding_loss poisson_nll_loss cross_entropy_loss
    l1_loss huber_loss margin_ranking_loss soft_margin_loss triplet_margin_loss multi_margin_loss ctc_loss kl_div
    multilabel_margin_loss binary_cross_entropy_with_logits smooth_l1_loss linalg_matrix_norm linalg_cond
    linalg_matrix_rank linalg_solve linalg_cholesky linalg_svdvals linalg_eigvals linalg_eigvalsh linalg_inv
    linalg_householder_product linalg_tensorinv linalg_tensorsolve linalg_qr linalg_cholesky_ex linalg_svd linalg_eig
    linalg_eigh linalg_lstsq linalg_inv_ex`,
  widest: "stack cat index_copy",
});
