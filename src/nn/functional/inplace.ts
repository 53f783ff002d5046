/**
 * In-place forms of operators that PyTorch shows in `torch.nn.functional` alone.
 *
 * @module
 */
import { fn } from "../../dispatch/functions.ts";
import type { Tensor } from "../../tensor.ts";

/** Calls the in-place operator `name`, which changes `input` and returns it. */
export function overwrite(name: string, input: Tensor, ...args: unknown[]): Tensor {
  return fn[name]!(input, ...args) as Tensor;
}

function exported<A extends unknown[]>(name: string): (input: Tensor, ...args: A) => Tensor {
  return (input, ...args) => overwrite(name, input, ...args);
}

/** In-place form of `celu`. */
export const celu_: (input: Tensor, alpha?: number | { alpha?: number }) => Tensor = exported("celu_");
/** In-place form of `elu`. */
export const elu_: (input: Tensor, alpha?: number | { alpha?: number }) => Tensor = exported("elu_");
/** In-place form of `hardtanh`. */
export const hardtanh_: (input: Tensor, min_val?: number, max_val?: number) => Tensor = exported("hardtanh_");
/** In-place form of `leaky_relu`. */
export const leaky_relu_: (input: Tensor, negative_slope?: number) => Tensor = exported("leaky_relu_");
/** In-place form of `relu`. */
export const relu_: (input: Tensor) => Tensor = exported("relu_");
/** In-place form of `rrelu`. */
export const rrelu_: (input: Tensor, lower?: number, upper?: number, training?: boolean) => Tensor = exported(
  "rrelu_",
);
/** In-place form of `selu`. */
export const selu_: (input: Tensor) => Tensor = exported("selu_");
/** In-place form of `threshold`. */
export const threshold_: (input: Tensor, threshold: number, value: number) => Tensor = exported("threshold_");
