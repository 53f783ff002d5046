/**
 * `torch.autograd`.
 *
 * @see https://pytorch.org/docs/stable/autograd.html
 * @module
 */
export { backward, grad, type GradOptions } from "./engine.ts";
export { Function, FunctionCtx, once_differentiable } from "./function.ts";
export { detect_anomaly, set_detect_anomaly } from "./anomaly.ts";
export * as graph from "./graph_api.ts";
export { enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled } from "./grad_mode.ts";
export * as forward_ad from "./forward_ad.ts";
export * as functional from "./functional.ts";
export { gradcheck, gradgradcheck } from "./gradcheck.ts";
export { type Node, RemovableHandle } from "./graph.ts";
