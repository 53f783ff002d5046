/**
 * Tensors of modules by name, for utilities that replace them.
 *
 * @module
 */
import { escape } from "../../base/storage.ts";
import type { Tensor } from "../../tensor.ts";
import type { Module } from "../modules/module.ts";

/** What a property of a module holds. */
export function tensorOf(module: Module, name: string): Tensor {
  return (module as unknown as Record<string, Tensor>)[name]!;
}

/** Sets a property of a module; the tensor outlives the scope that it may be made in. */
export function setTensor(module: Module, name: string, value: Tensor): void {
  (module as unknown as Record<string, Tensor>)[name] = value;
  escape(value.storage);
}

/** Removes a property of a module. */
export function removeTensor(module: Module, name: string): void {
  Reflect.deleteProperty(module, name);
}

/** The matrix whose rows are the slices of `weight` along `dim`. */
export function asMatrix(weight: Tensor, dim: number): Tensor {
  const w = dim === 0
    ? weight
    : weight.permute([dim, ...weight.shape.map((_, d) => d).filter((d) => d !== dim)]);
  return w.reshape(w.size(0), -1);
}
