/**
 * Tensors and scalars in an optimizer's state. PyTorch keeps step counts and the like in 0-dimensional tensors; here
 * they are numbers that read as such tensors.
 *
 * @module
 */
import { external } from "../base/scope.ts";
import * as aten from "../ops/mod.ts";
import { Tensor } from "../tensor.ts";
import type { ParamState } from "./optimizer.ts";

/** A tensor for a state. It outlives the scope that the step may be in. */
export function stateTensor(make: () => Tensor): Tensor {
  return external(make);
}

const SCALARS = Symbol("scalars");

interface HasScalars {
  [SCALARS]?: Record<string, number>;
}

/** The scalars of a state, to read and to change. */
export function scalarsOf(state: ParamState): Record<string, number> {
  return (state as HasScalars)[SCALARS]!;
}

/** Makes `name` a scalar of the state: a tensor to those who read it, a number in `scalarsOf`. */
export function defineScalar(state: ParamState, name: string, value: number): void {
  const cells = (state as HasScalars)[SCALARS] ??= {};
  cells[name] = value;
  Object.defineProperty(state, name, {
    enumerable: true,
    configurable: true,
    get: () => aten.tensor(cells[name]!),
    set: (v: Tensor | number) => cells[name] = v instanceof Tensor ? Number(v.item()) : v,
  });
}

/** A loaded state whose entries in `names` are tensors or numbers, with these as scalars. */
export function restoreScalars(state: ParamState, names: readonly string[]): ParamState {
  const restored: ParamState = {};
  for (const [name, value] of Object.entries(state)) {
    if (names.includes(name)) {
      defineScalar(restored, name, value instanceof Tensor ? Number(value.item()) : Number(value));
    } else restored[name] = value;
  }
  return restored;
}
