/**
 * Calling a module with other parameters: `torch.nn.utils.stateless`.
 *
 * @module
 */
import type { Tensor } from "../../tensor.ts";
import type { Module } from "../modules/module.ts";
import { setTensor, tensorOf } from "./tensors.ts";

/** Tensors by dotted name. */
export type TensorsByName = ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>;

/**
 * Calls `module` with the given tensors in place of its parameters and buffers of these names; the module itself is
 * left as it was.
 */
export function functional_call(
  module: Module,
  parameters_and_buffers: TensorsByName,
  args: unknown,
  kwargs: Readonly<Record<string, unknown>> | null = null,
): unknown {
  const tensors = parameters_and_buffers instanceof Map
    ? [...parameters_and_buffers as Map<string, Tensor>]
    : Object.entries(parameters_and_buffers);
  const replaced: [Module, string, Tensor][] = [];
  try {
    for (const [path, tensor] of tensors) {
      const dot = path.lastIndexOf(".");
      const owner = module.get_submodule(path.slice(0, Math.max(0, dot))), name = path.slice(dot + 1);
      // A name that is not there is as wrong as in Python.
      if (owner._parameters.has(name)) module.get_parameter(path);
      else module.get_buffer(path);
      replaced.push([owner, name, tensorOf(owner, name)]);
      setTensor(owner, name, tensor);
    }
    const input = Array.isArray(args) ? args : [args];
    return kwargs === null ? module.call(...input) : module.call(...input, kwargs);
  } finally {
    for (const [owner, name, tensor] of replaced.reverse()) setTensor(owner, name, tensor);
  }
}
