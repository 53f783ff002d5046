/**
 * Clipping of gradients.
 *
 * @module
 */
import { RuntimeError, warnOnce } from "../../base/errors.ts";
import { internal } from "../../base/scope.ts";
import { no_grad } from "../../autograd/grad_mode.ts";
import * as aten from "../../ops/mod.ts";
import { Tensor } from "../../tensor.ts";
import { floatRepr } from "../../utils/pyrepr.ts";
import { required, signature } from "../../utils/signature.ts";
import { clampAll, isUniform, measureAll, scaleAll } from "../../utils/tensor_list.ts";

/** One parameter or several. */
export type Parameters = Tensor | Iterable<Tensor>;

/** The gradients of those that have one. */
function gradients(parameters: Parameters): Tensor[] {
  const list = parameters instanceof Tensor ? [parameters] : [...parameters];
  return list.map((p) => p.grad).filter((g): g is Tensor => g !== null);
}

interface ClipOptions {
  norm_type?: number;
  error_if_nonfinite?: boolean;
}
const CLIP_NORM = signature<{ parameters: Parameters; max_norm: number } & ClipOptions>("clip_grad_norm_", {
  parameters: required,
  max_norm: required,
  norm_type: 2,
  error_if_nonfinite: false,
});
/**
 * Scales all gradients together so that their norm, taken over all of them, is at most `max_norm`. Returns the norm
 * before.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_norm_.html
 */
export function clip_grad_norm_(
  parameters: Parameters,
  max_norm: number | ClipOptions & { max_norm: number },
  norm_type?: number | ClipOptions,
  error_if_nonfinite?: boolean | ClipOptions,
): Tensor;
export function clip_grad_norm_(...args: unknown[]): Tensor {
  const { parameters, max_norm, norm_type, error_if_nonfinite } = CLIP_NORM(args);
  const grads = gradients(parameters);
  if (grads.length === 0) return aten.tensor(0);
  const order = Number(norm_type);
  return no_grad(() =>
    internal(() => {
      const total = totalNorm(grads, order);
      if (error_if_nonfinite) checkFinite(total, order);
      scale(grads, coefficient(total, max_norm));
      return total;
    })
  );
}

/**
 * The norm of all tensors together, as of one long vector: what `clip_grad_norm_` measures.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.utils.get_total_norm.html
 */
export function get_total_norm(
  tensors: Parameters,
  norm_type: number = 2,
  error_if_nonfinite = false,
): Tensor {
  const list = tensors instanceof Tensor ? [tensors] : [...tensors];
  if (list.length === 0) return aten.tensor(0);
  return no_grad(() =>
    internal(() => {
      const total = totalNorm(list, Number(norm_type));
      if (error_if_nonfinite) checkFinite(total, Number(norm_type));
      return total;
    })
  );
}

/**
 * Scales the gradients of `parameters` as if their norm were `total_norm`, so that it is at most `max_norm`.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.utils.clip_grads_with_norm_.html
 */
export function clip_grads_with_norm_(parameters: Parameters, max_norm: number, total_norm: Tensor): void {
  const grads = gradients(parameters);
  if (grads.length === 0) return;
  no_grad(() => internal(() => scale(grads, coefficient(total_norm, max_norm))));
}

/** How much to scale by. */
function coefficient(total: Tensor, maxNorm: number): Tensor {
  return total.add(1e-6).reciprocal().mul(Number(maxNorm)).clamp_max(1);
}

function checkFinite(total: Tensor, order: number): void {
  if (Number.isFinite(Number(total.item()))) return;
  throw new RuntimeError(
    `The total norm of order ${floatRepr(order)} for gradients from \`parameters\` is non-finite, so it ` +
      "cannot be clipped. To disable this error and scale the gradients by the non-finite norm anyway, set " +
      "`error_if_nonfinite=False`",
  );
}

/** The norm of all the gradients together. */
function totalNorm(grads: readonly Tensor[], order: number): Tensor {
  const { device, dtype } = grads[0]!;
  const how = order === 1 ? "SUMABS" : order === 2 ? "SUMSQ" : order === Infinity ? "MAXABS" : null;
  if (how !== null && onCpu(grads)) {
    const parts = measureAll(how, grads);
    const whole = parts.reduce((a, b) => order === Infinity ? Math.max(a, b) : a + b, 0);
    return aten.full([], order === 2 ? Math.sqrt(whole) : whole, { device, dtype });
  }
  const norms = grads.map((g) => (order === Infinity ? g.abs().max() : g.norm(order)).to(device));
  const all = aten.stack(norms);
  return order === Infinity ? all.max() : all.norm(order);
}

function scale(grads: readonly Tensor[], by: Tensor): void {
  if (onCpu(grads)) {
    const factor = Number(by.item());
    if (factor !== 1) scaleAll(grads, factor);
  } else for (const g of grads) g.mul_(by.to(g.device));
}

/** Can these be worked on all at once, and is reading a number of the result without waiting for a device? */
function onCpu(tensors: readonly Tensor[]): boolean {
  return tensors[0]!.device.type === "cpu" && isUniform(tensors);
}

/** Deprecated: `clip_grad_norm_`. */
export const clip_grad_norm: typeof clip_grad_norm_ = (...args) => {
  warnOnce(
    "UserWarning",
    "torch.nn.utils.clip_grad_norm is now deprecated in favor of torch.nn.utils.clip_grad_norm_.",
  );
  return clip_grad_norm_(...args);
};

const CLIP_VALUE = signature<{ parameters: Parameters; clip_value: number }>("clip_grad_value_", {
  parameters: required,
  clip_value: required,
});
/** Clamps all gradients to [-clip_value, clip_value]. */
export function clip_grad_value_(parameters: Parameters, clip_value: number | { clip_value: number }): void;
export function clip_grad_value_(...args: unknown[]): void {
  const { parameters, clip_value } = CLIP_VALUE(args);
  no_grad(() => {
    const grads = gradients(parameters);
    if (isUniform(grads)) clampAll(grads, Number(clip_value));
    else for (const g of grads) g.clamp_(-clip_value, clip_value);
  });
}
