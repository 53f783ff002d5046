/**
 * `torch.autograd.graph`: hooks on saved tensors.
 *
 * @see https://pytorch.org/docs/stable/autograd.html#hooks-for-saved-tensors
 * @module
 */
import { RuntimeError, ValueError } from "../base/errors.ts";
import { mode } from "./grad_mode.ts";
import { Node, type SavedHooks, savedHooks } from "./graph.ts";
import type { Tensor } from "../tensor.ts";

export { Node };

/** Undoes a hook registration. */
class HooksGuard {
  readonly #former = savedHooks.top;
  constructor(hooks: SavedHooks) {
    savedHooks.top = hooks;
  }
  restore(): void {
    savedHooks.top = this.#former;
  }
  [Symbol.dispose](): void {
    this.restore();
  }
}

/**
 * While it holds, tensors saved for backward pass through `pack` and come back through `unpack`. With a body it runs
 * that; without, it is a guard for `using`.
 */
export function saved_tensors_hooks<T>(
  pack: SavedHooks["pack"],
  unpack: SavedHooks["unpack"],
  body?: () => T,
): T | HooksGuard {
  if (savedHooks.disabled !== null) throw new RuntimeError(savedHooks.disabled);
  // Hooks must not see what they themselves compute.
  const plain = <A, R>(f: (a: A) => R) => (a: A): R => {
    const top = savedHooks.top, grad = mode.grad;
    savedHooks.top = null;
    mode.grad = false;
    try {
      return f(a);
    } finally {
      savedHooks.top = top;
      mode.grad = grad;
    }
  };
  const guard = new HooksGuard({ pack: plain(pack), unpack: plain(unpack) });
  if (body === undefined) return guard;
  try {
    return body();
  } finally {
    guard.restore();
  }
}

/** Keeps saved tensors on the CPU. */
export function save_on_cpu<T>(_pin_memory: boolean, body: () => T): T {
  return saved_tensors_hooks(
    (t: Tensor) => ({ device: t.device, copy: t.cpu() }),
    (p: { device: Tensor["device"]; copy: Tensor }) => p.copy.to(p.device),
    body,
  ) as T;
}

/** While it holds, `saved_tensors_hooks` throws `error_message`. With a body it runs that. */
export function disable_saved_tensors_hooks<T>(error_message: string, body: () => T): T {
  const former = savedHooks.disabled;
  savedHooks.disabled = error_message;
  try {
    return body();
  } finally {
    savedHooks.disabled = former;
  }
}

/**
 * Calls `fn` with the gradients of several tensors once all of them are known (mode "all"), or with the first
 * (mode "any").
 *
 * @see https://pytorch.org/docs/stable/autograd.html#torch.autograd.graph.register_multi_grad_hook
 */
export function register_multi_grad_hook(
  tensors: readonly Tensor[],
  fn: ((grads: (Tensor | null)[]) => void) | ((grad: Tensor) => void),
  options: { mode?: "all" | "any" } = {},
): { remove(): void } {
  const mode = options.mode ?? "all";
  if (mode !== "all" && mode !== "any") {
    throw new ValueError(`Expects mode to be one of ('all', 'any') but got ${mode}`);
  }
  let grads: (Tensor | null)[] = tensors.map(() => null);
  let seen = 0;
  const handles = tensors.map((t, i) =>
    t.register_hook((g: Tensor) => {
      seen++;
      if (mode === "any") {
        if (seen === 1) (fn as (grad: Tensor) => void)(g);
      } else {
        grads[i] = g;
        if (seen === tensors.length) (fn as (grads: (Tensor | null)[]) => void)(grads);
      }
      if (seen === tensors.length) {
        seen = 0;
        grads = tensors.map(() => null);
      }
    })
  );
  return { remove: () => handles.forEach((h) => h.remove()) };
}
