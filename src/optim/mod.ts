/**
 * `torch.optim`.
 *
 * @module
 */
export * as lr_scheduler from "./lr_scheduler.ts";
export * as swa_utils from "./swa_utils.ts";
export { Adam, type AdamOptions, AdamW } from "./adam.ts";
export {
  Adamax,
  type AdamaxOptions,
  NAdam,
  type NAdamOptions,
  RAdam,
  type RAdamOptions,
} from "./adam_variants.ts";
export {
  Adadelta,
  type AdadeltaOptions,
  Adagrad,
  type AdagradOptions,
  ASGD,
  type ASGDOptions,
  RMSprop,
  type RMSpropOptions,
  Rprop,
  type RpropOptions,
} from "./adaptive.ts";
export { LBFGS, type LBFGSOptions } from "./lbfgs.ts";
export {
  type Closure,
  Optimizer,
  type OptimizerStateDict,
  type ParamGroup,
  type ParamGroupInput,
  type Params,
  type ParamState,
} from "./optimizer.ts";
export { SGD, type SGDOptions } from "./sgd.ts";
export { SparseAdam, type SparseAdamOptions } from "./sparse_adam.ts";
