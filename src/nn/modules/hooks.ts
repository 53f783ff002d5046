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
/** Called before `state_dict()` is made. */
export type StateDictPreHook<M = Module> = (module: M, prefix: string, keep_vars: boolean) => void;
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
  stateDictPre = new Map<number, StateDictPreHook>();
  loadPre = new Map<number, LoadStateDictPreHook>();
  loadPost = new Map<number, LoadStateDictPostHook>();

  copy(): ModuleHooks {
    const c = new ModuleHooks();
    c.forwardPre = new Map(this.forwardPre);
    c.forward = new Map(this.forward);
    c.backward = new Map(this.backward);
    c.backwardPre = new Map(this.backwardPre);
    c.stateDict = new Map(this.stateDict);
    c.stateDictPre = new Map(this.stateDictPre);
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
  backwardPre: new Map<number, BackwardPreHook>(),
  get isEmpty(): boolean {
    return this.forwardPre.size + this.forward.size + this.backward.size + this.backwardPre.size === 0;
  },
};

/** Options of `register_forward_hook` and `register_forward_pre_hook`. */
export interface ForwardHookOptions {
  /** Runs before the hooks that are there already. */
  prepend?: boolean;
  /** The hook gets the keywords of the call, its trailing plain object, as an argument after the positional ones. */
  with_kwargs?: boolean;
  /** Also runs when `forward` throws (forward hooks only). */
  always_call?: boolean;
}

/** How a hook was registered, for hooks that were not registered plainly. */
const options = new WeakMap<object, ForwardHookOptions>();

/** Adds a hook, in front with `prepend`; its options are found again with `hookOptions`. */
export function addForwardHook<H extends object>(
  hooks: Map<number, H>,
  hook: H,
  o: ForwardHookOptions,
): RemovableHandle {
  if (o.with_kwargs || o.always_call) {
    // One function may be registered in several ways.
    const given = hook as unknown as (...args: unknown[]) => unknown;
    const own = ((...args: unknown[]) => given(...args)) as unknown as H;
    options.set(own, o);
    hook = own;
  }
  const before = o.prepend ? [...hooks] : [];
  if (o.prepend) hooks.clear();
  const handle = RemovableHandle.add(hooks, hook);
  for (const [id, h] of before) hooks.set(id, h);
  return handle;
}

/** The options that a hook was registered with. */
export function hookOptions(hook: object): ForwardHookOptions {
  return options.get(hook) ?? {};
}

/** Registers a hook that runs before the backward of all modules. */
export function register_module_full_backward_pre_hook(hook: BackwardPreHook): RemovableHandle {
  return RemovableHandle.add(globalHooks.backwardPre, hook);
}

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

/** Deprecated: `register_module_full_backward_hook`. */
export const register_module_backward_hook: typeof register_module_full_backward_hook =
  register_module_full_backward_hook;
