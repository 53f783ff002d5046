/**
 * Weight normalization.
 *
 * @module
 */
import { internal } from "../../base/scope.ts";
import { RuntimeError, ValueError } from "../../base/errors.ts";
import type { Tensor } from "../../tensor.ts";
import { required, signature } from "../../utils/signature.ts";
import { no_grad } from "../../autograd/grad_mode.ts";
import type { ForwardPreHook } from "../modules/hooks.ts";
import type { Module } from "../modules/module.ts";
import { is_lazy, Parameter } from "../parameter.ts";
import { removeTensor, setTensor, tensorOf } from "./tensors.ts";

/** The norm of every slice of `v` along `dim`, shaped to broadcast; -1: of the whole. */
export function normExcept(v: Tensor, dim: number): Tensor {
  if (dim === -1) return v.norm();
  return v.norm(2, v.shape.map((_, d) => d).filter((d) => d !== dim), true);
}

interface WeightNormHook extends ForwardPreHook {
  weightNorm: { name: string; dim: number };
}

/** The hook that normalizes the parameter `name` of `module`, with its number. */
function find(module: Module, name: string): [number, WeightNormHook] | null {
  for (const [id, hook] of module._hooks?.forwardPre ?? []) {
    const h = hook as Partial<WeightNormHook>;
    if (h.weightNorm?.name === name) return [id, hook as WeightNormHook];
  }
  return null;
}

function compute(module: Module, name: string, dim: number): Tensor {
  const g = tensorOf(module, `${name}_g`), v = tensorOf(module, `${name}_v`);
  return internal(() => v.mul(g.div(normExcept(v, dim))));
}

interface WeightNorm {
  name?: string;
  dim?: number | null;
}
const WEIGHT_NORM = signature<{ module: Module } & WeightNorm>("weight_norm", {
  module: required,
  name: "weight",
  dim: 0,
});
/**
 * Replaces a parameter by its direction and its norm, `weight_v` and `weight_g`; dim null: one norm for the whole.
 *
 * @see https://arxiv.org/abs/1602.07868
 */
export function weight_norm<M extends Module>(
  module: M,
  name?: string | WeightNorm,
  dim?: number | null | WeightNorm,
): M;
export function weight_norm(...args: unknown[]): Module {
  const { module, name, dim: given } = WEIGHT_NORM(args);
  const dim = given ?? -1;
  if (find(module, name)) {
    throw new RuntimeError(`Cannot register two weight_norm hooks on the same parameter ${name}`);
  }
  const weight = tensorOf(module, name);
  if (is_lazy(weight)) {
    throw new ValueError(
      "The module passed to `WeightNorm` can't have uninitialized parameters. Make sure to run the dummy forward before " +
        "applying weight normalization",
    );
  }
  removeTensor(module, name);
  module.register_parameter(`${name}_g`, new Parameter(no_grad(() => normExcept(weight, dim))));
  module.register_parameter(`${name}_v`, new Parameter(weight.detach()));
  setTensor(module, name, compute(module, name, dim));
  const hook = (m: Module): void => setTensor(m, name, compute(m, name, dim));
  module.register_forward_pre_hook(Object.assign(hook, { weightNorm: { name, dim } }));
  return module;
}

/** Undoes `weight_norm`. */
export function remove_weight_norm<M extends Module>(module: M, name = "weight"): M {
  const found = find(module, name);
  if (found === null) throw new ValueError(`weight_norm of '${name}' not found in ${module}`);
  const [id, hook] = found;
  const weight = compute(module, name, hook.weightNorm.dim).detach();
  for (const n of [name, `${name}_g`, `${name}_v`]) removeTensor(module, n);
  setTensor(module, name, new Parameter(weight));
  module._hooks!.forwardPre.delete(id);
  return module;
}
