/**
 * Hooks of modules: those of one module, and the global ones that run for every module.
 *
 * @module
 */
import type { Tensor } from "../../tensor.ts";
import { RemovableHandle } from "../../utils/hooks.ts";
import type { Module } from "./module.ts";
import type { IncompatibleKeys, LocalMetadata, StateDict } from "./state_dict.ts";

/** Gradients of a module's inputs or outputs; null where there is none. */
export type Grads = (Tensor | null)[];

/** May replace the input: an array of arguments, or the one argument. */
// deno-lint-ignore no-explicit-any
export type ForwardPreHook<M = Module> = (module: M, input: any[]) => unknown;
/** May replace the output. */
// deno-lint-ignore no-explicit-any
export type ForwardHook<M = Module> = (module: M, input: any[], output: any) => unknown;
/** May replace the gradients with respect to the input. */
export type BackwardHook<M = Module> = (
  module: M,
  grad_input: Grads,
  grad_output: Grads,
) => Grads | null | void;
/** May replace the gradients with respect to the output. */
export type BackwardPreHook<M = Module> = (module: M, grad_output: Grads) => Grads | null | void;
/** May change the state_dict in place or return another. */
export type StateDictHook<M = Module> = (
  module: M,
  state_dict: StateDict,
  prefix: string,
  metadata: LocalMetadata,
) => StateDict | null | void;
/** May change what `load_state_dict` is about to read. */
export type LoadStateDictPreHook = (
  state_dict: Map<string, unknown>,
  prefix: string,
  metadata: LocalMetadata,
  strict: boolean,
  missing_keys: string[],
  unexpected_keys: string[],
  error_msgs: string[],
) => void;
/** May change the lists of keys that did not match. */
export type LoadStateDictPostHook<M = Module> = (module: M, incompatible_keys: IncompatibleKeys) => void;

/** The hooks that one module has. */
export class ModuleHooks {
  forwardPre = new Map<number, ForwardPreHook>();
  forward = new Map<number, ForwardHook>();
  backward = new Map<number, BackwardHook>();
  backwardPre = new Map<number, BackwardPreHook>();
  stateDict = new Map<number, StateDictHook>();
  loadPre = new Map<number, LoadStateDictPreHook>();
  loadPost = new Map<number, LoadStateDictPostHook>();

  copy(): ModuleHooks {
    const c = new ModuleHooks();
    c.forwardPre = new Map(this.forwardPre);
    c.forward = new Map(this.forward);
    c.backward = new Map(this.backward);
    c.backwardPre = new Map(this.backwardPre);
    c.stateDict = new Map(this.stateDict);
    c.loadPre = new Map(this.loadPre);
    c.loadPost = new Map(this.loadPost);
    return c;
  }
}

/** The hooks that run for every module, before the module's own. */
export const globalHooks = {
  forwardPre: new Map<number, ForwardPreHook>(),
  forward: new Map<number, ForwardHook>(),
  backward: new Map<number, BackwardHook>(),
  get isEmpty(): boolean {
    return this.forwardPre.size + this.forward.size + this.backward.size === 0;
  },
};

/** Registers a forward pre-hook for all modules. */
export function register_module_forward_pre_hook(hook: ForwardPreHook): RemovableHandle {
  return RemovableHandle.add(globalHooks.forwardPre, hook);
}

/** Registers a forward hook for all modules. */
export function register_module_forward_hook(hook: ForwardHook): RemovableHandle {
  return RemovableHandle.add(globalHooks.forward, hook);
}

/** Registers a backward hook for all modules. */
export function register_module_full_backward_hook(hook: BackwardHook): RemovableHandle {
  return RemovableHandle.add(globalHooks.backward, hook);
}
