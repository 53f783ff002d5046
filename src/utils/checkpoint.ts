/**
 * `torch.utils.checkpoint`: trades compute for memory by recomputing a part of the forward pass in the backward pass.
 *
 * @see https://pytorch.org/docs/stable/checkpoint.html
 * @module
 */
import { backward } from "../autograd/engine.ts";
import { Function as AutogradFunction } from "../autograd/function.ts";
import { saved_tensors_hooks } from "../autograd/graph_api.ts";
import { enable_grad, no_grad } from "../autograd/grad_mode.ts";
import { RuntimeError, warnOnce } from "../base/errors.ts";
import { fork_rng, get_rng_state, set_rng_state } from "../random.ts";
import { Tensor } from "../tensor.ts";

/** Options of {@linkcode checkpoint}. */
export interface CheckpointOptions {
  /** Restore the random state for the recomputation, so that dropout draws the same masks. */
  preserve_rng_state?: boolean;
  use_reentrant?: boolean;
}

// deno-lint-ignore no-explicit-any -- the checkpointed function is the user's
type AnyBody = (...args: any[]) => any;

class CheckpointFunction extends AutogradFunction {
  // deno-lint-ignore no-explicit-any -- see above
  static override forward(ctx: any, run: AnyBody, preserve: boolean, ...args: unknown[]): unknown {
    ctx.run = run;
    ctx.args = args.map((a) => (a instanceof Tensor ? null : a));
    ctx.at = args.flatMap((a, i) => (a instanceof Tensor ? [i] : []));
    ctx.state = preserve ? get_rng_state() : null;
    ctx.save_for_backward(...args.filter((a): a is Tensor => a instanceof Tensor));
    return no_grad(() => run(...args));
  }
  // deno-lint-ignore no-explicit-any -- see above
  static override backward(ctx: any, ...grads: (Tensor | null)[]): unknown {
    const saved: Tensor[] = ctx.saved_tensors;
    const args = [...ctx.args];
    const inputs = saved.map((t, k) => {
      const x = t.detach();
      if (t.requires_grad) x.requires_grad_(true);
      args[ctx.at[k]] = x;
      return x;
    });
    const recompute = (): unknown =>
      enable_grad(() => {
        if (ctx.state !== null) set_rng_state(ctx.state);
        return ctx.run(...args);
      });
    const result = ctx.state === null ? recompute() : fork_rng(recompute);
    const outputs = (Array.isArray(result) ? result : [result]) as unknown[];
    const roots: Tensor[] = [], seeds: (Tensor | null)[] = [];
    outputs.forEach((o, i) => {
      if (o instanceof Tensor && o.requires_grad) {
        roots.push(o);
        seeds.push(grads[i] ?? null);
      }
    });
    if (roots.length === 0) {
      throw new RuntimeError("none of output has requires_grad=True, this checkpoint() is not necessary");
    }
    backward(roots, seeds);
    const out: (Tensor | null)[] = new Array(args.length).fill(null);
    inputs.forEach((x, k) => out[ctx.at[k]] = x.grad);
    return [null, null, ...out];
  }
}

/**
 * Without a function node: what the forward pass saves is dropped at once, and the first backward node that wants its
 * saved tensors back runs the forward pass again and takes all of them from there. Works for inputs that need no
 * gradient, for keyword arguments, and for `autograd.grad`.
 */
function withoutReentry(run: AnyBody, preserve: boolean, args: readonly unknown[]): unknown {
  const state = preserve ? get_rng_state() : null;
  let again: Tensor[] | null = null;
  let count = 0;
  const recompute = (): Tensor[] => {
    const found: Tensor[] = [];
    const body = (): unknown =>
      enable_grad(() => {
        if (state !== null) set_rng_state(state);
        return saved_tensors_hooks(
          (t: Tensor) => {
            found.push(t.detach());
            return found.length - 1;
          },
          () => {
            throw new RuntimeError("Calling backward() inside of the checkpointed function is not supported");
          },
          () => run(...args),
        );
      });
    if (state === null) body();
    else fork_rng(body);
    if (found.length < count) {
      throw new RuntimeError(
        "torch.utils.checkpoint: A different number of tensors was saved during the original forward and recomputation.\n" +
          `Number of tensors saved during forward: ${count}\nNumber of tensors saved during recomputation: ${found.length}.`,
      );
    }
    return found;
  };
  const taken = new Set<number>();
  return saved_tensors_hooks(
    () => count++,
    (nr: number) => {
      again ??= recompute();
      const t = again[nr]!;
      taken.add(nr);
      // All have been given out: the next backward pass, if any, computes them again.
      if (taken.size === count) {
        again = null;
        taken.clear();
      }
      return t;
    },
    () => run(...args),
  );
}

/**
 * Runs `run(...args)` without keeping its intermediate tensors; they are computed again in the backward pass. Keywords
 * in a trailing object: `preserve_rng_state`, `use_reentrant`.
 */
export function checkpoint(run: AnyBody, ...args: unknown[]): unknown {
  let options: CheckpointOptions = {};
  const last = args[args.length - 1];
  if (
    last !== null && typeof last === "object" && ("use_reentrant" in last || "preserve_rng_state" in last)
  ) {
    options = args.pop() as CheckpointOptions;
  }
  if (options.use_reentrant === false) return withoutReentry(run, options.preserve_rng_state ?? true, args);
  if (!args.some((a) => a instanceof Tensor && a.requires_grad)) {
    warnOnce("UserWarning", "None of the inputs have requires_grad=True. Gradients will be None");
  }
  return CheckpointFunction.apply(run, options.preserve_rng_state ?? true, ...args);
}

/** Checkpoints a chain of functions in `segments` parts. */
export function checkpoint_sequential(
  functions: Iterable<AnyBody>,
  segments: number,
  input: unknown,
  options: CheckpointOptions = {},
): unknown {
  const list = [...functions];
  const size = Math.floor(list.length / segments);
  const chain = (from: number, to: number): AnyBody => (x: unknown) => {
    for (let i = from; i <= to; i++) x = list[i]!(x);
    return x;
  };
  let x = input;
  let end = -1;
  for (let start = 0; start < size * (segments - 1); start += size) {
    end = start + size - 1;
    x = checkpoint(chain(start, end), x, options);
  }
  return chain(end + 1, list.length - 1)(x);
}
