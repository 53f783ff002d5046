/**
 * Folding of batch normalization into the layer before it, for evaluation.
 *
 * @module
 */
import { AssertionError } from "../../base/errors.ts";
import { no_grad } from "../../autograd/grad_mode.ts";
import * as aten from "../../ops/mod.ts";
import type { Tensor } from "../../tensor.ts";
import { deepcopy } from "../../utils/copy.ts";
import type { NormBase } from "../modules/batchnorm.ts";
import type { ConvNd } from "../modules/conv.ts";
import type { Linear } from "../modules/linear.ts";
import type { Module } from "../modules/module.ts";
import { Parameter } from "../parameter.ts";

function checkEval(...modules: Module[]): void {
  if (modules.some((m) => m.training)) throw new AssertionError("Fusion only for eval!");
}

/** Weight and bias of a layer with a batch normalization folded in; outputs stand along dimension `dim`. */
function fold(
  weight: Tensor,
  bias: Tensor | null,
  mean: Tensor,
  variance: Tensor,
  eps: number,
  scale: Tensor | null,
  shift: Tensor | null,
  dim: number,
): [Parameter, Parameter] {
  return no_grad(() => {
    const factor = variance.add(eps).rsqrt().mul(scale ?? aten.ones_like(mean));
    const shape = weight.shape.map((_, d) => d === dim ? -1 : 1);
    const b = (bias ?? aten.zeros_like(mean)).sub(mean).mul(factor).add(shift ?? aten.zeros_like(mean));
    return [new Parameter(weight.mul(factor.reshape(shape))), new Parameter(b)];
  });
}

/** Weight and bias of a convolution with a batch normalization folded in. */
export function fuse_conv_bn_weights(
  conv_w: Tensor,
  conv_b: Tensor | null,
  bn_rm: Tensor,
  bn_rv: Tensor,
  bn_eps: number,
  bn_w: Tensor | null,
  bn_b: Tensor | null,
  transpose = false,
): [Parameter, Parameter] {
  return fold(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, transpose ? 1 : 0);
}

/** A convolution that does the work of `conv` followed by `bn`, both in evaluation mode. */
export function fuse_conv_bn_eval<M extends ConvNd>(conv: M, bn: NormBase, transpose = false): M {
  checkEval(conv, bn);
  const fused = deepcopy(conv);
  const { running_mean, running_var, eps, weight, bias } = bn;
  [fused.weight, fused.bias] = fuse_conv_bn_weights(
    conv.weight,
    conv.bias,
    running_mean!,
    running_var!,
    eps,
    weight,
    bias,
    transpose,
  );
  return fused;
}

/** Weight and bias of a linear layer with a batch normalization folded in. */
export function fuse_linear_bn_weights(
  linear_w: Tensor,
  linear_b: Tensor | null,
  bn_rm: Tensor,
  bn_rv: Tensor,
  bn_eps: number,
  bn_w: Tensor,
  bn_b: Tensor,
): [Parameter, Parameter] {
  return fold(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, 0);
}

/** A linear layer that does the work of `linear` followed by `bn`, both in evaluation mode. */
export function fuse_linear_bn_eval<M extends Linear>(linear: M, bn: NormBase): M {
  checkEval(linear, bn);
  const fused = deepcopy(linear);
  const { running_mean, running_var, eps, weight, bias } = bn;
  [fused.weight, fused.bias] = fold(
    linear.weight,
    linear.bias,
    running_mean!,
    running_var!,
    eps,
    weight,
    bias,
    0,
  );
  return fused;
}
