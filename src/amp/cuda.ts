/**
 * `torch.cuda.amp`.
 *
 * @see https://pytorch.org/docs/stable/amp.html
 * @module
 */
export { cudaAutocast as autocast } from "./autocast.ts";
export { GradScaler, type GradScalerOptions } from "./grad_scaler.ts";
