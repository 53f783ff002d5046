/**
 * `torch.nn.modules`.
 *
 * @module
 */
export * from "./activation.ts";
export { type AdaptiveLogSoftmaxOptions, AdaptiveLogSoftmaxWithLoss, type ASMoutput } from "./adaptive.ts";
export { MultiheadAttention, type MultiheadAttentionOptions } from "./attention.ts";
export { BatchNorm1d, BatchNorm2d, BatchNorm3d, type NormOptions, SyncBatchNorm } from "./batchnorm.ts";
export * from "./container.ts";
export {
  Conv1d,
  Conv2d,
  Conv3d,
  type ConvOptions,
  ConvTranspose1d,
  ConvTranspose2d,
  ConvTranspose3d,
  type ConvTransposeOptions,
  type Padding,
  type PaddingMode,
} from "./conv.ts";
export { DataParallel } from "./data_parallel.ts";
export * from "./distance.ts";
export * from "./dropout.ts";
export * from "./flatten.ts";
export * from "./fold.ts";
export { InstanceNorm1d, InstanceNorm2d, InstanceNorm3d } from "./instancenorm.ts";
export * from "./lazy.ts";
export { Bilinear, type BilinearOptions, Identity, Linear, type LinearOptions } from "./linear.ts";
export * from "./loss.ts";
export * from "./margin_loss.ts";
export { type DeviceLike, type FactoryOptions, Module } from "./module.ts";
export {
  type ForwardHookOptions,
  register_module_backward_hook,
  register_module_forward_hook,
  register_module_forward_pre_hook,
  register_module_full_backward_hook,
  register_module_full_backward_pre_hook,
} from "./hooks.ts";
export * from "./normalization.ts";
export * from "./padding.ts";
export * from "./pixelshuffle.ts";
export * from "./pooling.ts";
export {
  GRU,
  type GRUOptions,
  LSTM,
  type LSTMOptions,
  type LSTMState,
  RNN,
  RNNBase,
  type RNNOptions,
} from "./rnn.ts";
export { GRUCell, LSTMCell, RNNCell, RNNCellBase, type RNNCellOptions } from "./rnn_cell.ts";
export * from "./sparse.ts";
export { IncompatibleKeys, StateDict, type StateDictLike } from "./state_dict.ts";
export {
  Transformer,
  TransformerDecoder,
  TransformerDecoderLayer,
  TransformerEncoder,
  TransformerEncoderLayer,
  type TransformerLayerOptions,
  type TransformerOptions,
} from "./transformer.ts";
export * from "./upsampling.ts";
export type { IntOrTuple } from "./utils.ts";
