/**
 * Full backward hooks of modules: identity functions around a module's input and output that see the gradients pass.
 *
 * @module
 */
import { RuntimeError } from "../../base/errors.ts";
import { escape } from "../../base/storage.ts";
import { Function as AutogradFunction } from "../../autograd/function.ts";
import { is_grad_enabled } from "../../autograd/grad_mode.ts";
import { Tensor } from "../../tensor.ts";
import type { BackwardHook, BackwardPreHook, Grads } from "./hooks.ts";
import type { Module } from "./module.ts";

/** The context of `BackwardHookFunction`: it carries the hook. */
interface HookContext {
  hook: (grads: Grads) => Grads;
  mark_non_differentiable(...tensors: Tensor[]): void;
}

/** The identity on tensors; its backward hands the gradients to a hook. */
class BackwardHookFunction extends AutogradFunction {
  static override forward(ctx: HookContext, hook: (grads: Grads) => Grads, ...tensors: Tensor[]): Tensor[] {
    ctx.hook = hook;
    ctx.mark_non_differentiable(...tensors.filter((t) => !t.requires_grad));
    return tensors.map((t) => t.view_as(t));
  }
  static override backward(ctx: HookContext, ...grads: Grads): (Tensor | null)[] {
    return [null, ...ctx.hook(grads)];
  }
}

/** One call of a module with backward hooks. */
export class BackwardHooks {
  readonly #module: Module;
  readonly #hooks: readonly BackwardHook[];
  readonly #preHooks: readonly BackwardPreHook[];
  #inputCount = 0;
  #inputSeen = false;
  #gradOutputs: Grads | null = null;

  constructor(module: Module, hooks: readonly BackwardHook[], preHooks: readonly BackwardPreHook[]) {
    this.#module = module;
    this.#hooks = hooks;
    this.#preHooks = preHooks;
  }

  /** Puts the identity around `args`; null if none of them requires a gradient. */
  static #wrap(args: unknown[], hook: (grads: Grads) => Grads): unknown[] | null {
    const at: number[] = [], tensors: Tensor[] = [];
    args.forEach((a, i) => {
      if (!(a instanceof Tensor)) return;
      at.push(i);
      tensors.push(a);
    });
    if (!is_grad_enabled() || !tensors.some((t) => t.requires_grad)) return null;
    // Hooks see a gradient per argument, null for arguments that are no tensors.
    const wrapped = BackwardHookFunction.apply((grads: Grads) => {
      const all: Grads = new Array<Tensor | null>(args.length).fill(null);
      at.forEach((i, k) => all[i] = grads[k]!);
      const changed = hook(all);
      return at.map((i) => changed[i]!);
    }, ...tensors) as Tensor | Tensor[];
    const list = Array.isArray(wrapped) ? wrapped : [wrapped];
    const out = [...args];
    at.forEach((i, k) => out[i] = list[k]);
    return out;
  }

  wrapInput(input: unknown[]): unknown[] {
    this.#inputCount = input.length;
    const wrapped = BackwardHooks.#wrap(
      input,
      (grads) => this.#gradOutputs === null ? grads : this.#callHooks(grads),
    );
    this.#inputSeen = wrapped !== null;
    return wrapped ?? input;
  }

  wrapOutput(result: unknown): unknown {
    const single = !Array.isArray(result);
    const wrapped = BackwardHooks.#wrap(single ? [result] : result, (grads) => {
      let outputs = grads;
      for (const hook of this.#preHooks) outputs = hook(this.#module, outputs) ?? outputs;
      // They are needed until the gradients of the inputs are known; the engine would free them before.
      for (const g of outputs) if (g !== null) escape(g.storage);
      this.#gradOutputs = outputs;
      if (!this.#inputSeen) {
        const changed = this.#callHooks(new Array<Tensor | null>(this.#inputCount).fill(null));
        if (changed.some((g) => g !== null)) {
          throw new RuntimeError(
            "Backward hook for Modules where no input requires gradient should always return None or None for all " +
              "gradients.",
          );
        }
      }
      return outputs;
    });
    return wrapped === null ? result : single ? wrapped[0] : wrapped;
  }

  #callHooks(inputs: Grads): Grads {
    const outputs = this.#gradOutputs!;
    this.#gradOutputs = null;
    let grads = inputs;
    for (const hook of this.#hooks) {
      const changed = hook(this.#module, grads, outputs);
      if (changed === undefined || changed === null) continue;
      if (changed.length !== grads.length) {
        throw new RuntimeError(
          `Backward hook returned an invalid number of grad_input, got ${changed.length}, but expected ${grads.length}`,
        );
      }
      grads = changed;
    }
    return grads;
  }
}
