/**
 * `torch.autograd.graph`: hooks on saved tensors.
 *
 * @see https://pytorch.org/docs/stable/autograd.html#hooks-for-saved-tensors
 * @module
 */
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
