/**
 * `torch.amp`: automatic mixed precision.
 *
 * @see https://pytorch.org/docs/stable/amp.html
 * @module
 */
export { autocast, type AutocastGuard, type AutocastOptions } from "./autocast.ts";
export { GradScaler, type GradScalerOptions } from "./grad_scaler.ts";
