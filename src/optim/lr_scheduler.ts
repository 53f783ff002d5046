/**
 * `torch.optim.lr_scheduler`.
 *
 * @module
 */
export {
  LRScheduler,
  LRScheduler as _LRScheduler,
  type SchedulerOptions,
  type SchedulerState,
} from "./lr_scheduler/base.ts";
export { ChainedScheduler, SequentialLR } from "./lr_scheduler/composite.ts";
export { CosineAnnealingLR, CosineAnnealingWarmRestarts } from "./lr_scheduler/cosine.ts";
export { CyclicLR, OneCycleLR } from "./lr_scheduler/cyclic.ts";
export {
  ConstantLR,
  ExponentialLR,
  LambdaLR,
  LinearLR,
  MultiplicativeLR,
  MultiStepLR,
  PolynomialLR,
  StepLR,
} from "./lr_scheduler/decay.ts";
export { ReduceLROnPlateau } from "./lr_scheduler/plateau.ts";
