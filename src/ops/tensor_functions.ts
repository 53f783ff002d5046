/**
 * Functions that only ask a tensor something or call one method of it, under the names that `torch` has for them.
 *
 * @module
 */
import { type DType, get_default_dtype } from "../base/dtype.ts";
import type { Device } from "../base/device.ts";
import type { Scalar } from "../base/scalar.ts";
import { sameSizes } from "../base/size.ts";
import { fn } from "../dispatch/functions.ts";
import type { Tensor } from "../tensor.ts";
import type { Index } from "./index_args.ts";

/** The number of the CUDA device that the tensor is on; -1 for the CPU. */
export function get_device(input: Tensor): number {
  return input.get_device();
}
export function is_conj(input: Tensor): boolean {
  return input.is_conj();
}
export function is_neg(input: Tensor): boolean {
  return input.is_neg();
}
export function is_inference(input: Tensor): boolean {
  return input.is_inference();
}
export function is_signed(input: Tensor): boolean {
  return input.is_signed();
}
export function is_same_size(input: Tensor, other: Tensor): boolean {
  return sameSizes(input.sizes, other.sizes);
}
export function detach_(input: Tensor): Tensor {
  return input.detach_();
}
export function index_put_(
  input: Tensor,
  indices: readonly Index[],
  values: Tensor | Scalar,
  accumulate = false,
): Tensor {
  return input.index_put_(indices, values, accumulate);
}

/** A 0-dim tensor. */
export function scalar_tensor(
  s: Scalar,
  options: { dtype?: DType | null; device?: Device | string | null; requires_grad?: boolean } = {},
): Tensor {
  return fn.full!([], s, { dtype: get_default_dtype(), ...options }) as Tensor;
}
