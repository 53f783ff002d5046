/**
 * User-defined differentiable functions: `torch.autograd.Function`.
 *
 * @see https://pytorch.org/docs/stable/autograd.html#function
 * @module
 */
import { RuntimeError } from "../base/errors.ts";
import { external } from "../base/scope.ts";
import { escape } from "../base/storage.ts";
import { alias, countWrite, Tensor } from "../tensor.ts";
import { mode } from "./grad_mode.ts";
import { needsGrad, Node, SavedTensor, ViewInfo } from "./graph.ts";
import { rebase } from "./inplace.ts";

/** What `forward` and `backward` share: saved tensors, flags, and anything a user puts on it. */
export class FunctionCtx {
  /** Which inputs want a gradient. */
  needs_input_grad: boolean[] = [];
  // deno-lint-ignore no-explicit-any -- users keep what they like on the context
  [key: string]: any;

  #toSave: (Tensor | null)[] = [];
  #saved: (SavedTensor | null)[] | null = null;
  #node: Node | null = null;
  /** @internal */
  readonly dirty: Set<Tensor> = new Set();
  /** @internal */
  readonly nonDifferentiable: Set<Tensor> = new Set();
  /** @internal */
  materializeGrads = true;

  /** Keeps tensors (inputs, outputs or others) for `backward`. */
  save_for_backward(...tensors: (Tensor | null | undefined)[]): void {
    this.#toSave = tensors.map((t) => t ?? null);
  }
  /** The tensors given to `save_for_backward`. */
  get saved_tensors(): Tensor[] {
    const node = this.#node;
    if (this.#saved === null) {
      if (node !== null) throw new RuntimeError(SECOND_TIME);
      return this.#toSave as Tensor[];
    }
    return this.#saved.map((s) => s === null ? null : s.unpack(node!)) as Tensor[];
  }
  /** Tensors that `forward` changed in place. */
  mark_dirty(...tensors: Tensor[]): void {
    for (const t of tensors) this.dirty.add(t);
  }
  /** Outputs without a gradient. */
  mark_non_differentiable(...tensors: Tensor[]): void {
    for (const t of tensors) this.nonDifferentiable.add(t);
  }
  /** With false, `backward` gets null for outputs without a gradient instead of zeros. */
  set_materialize_grads(value: boolean): void {
    this.materializeGrads = value;
  }

  /** @internal Called once the outputs are known. */
  attach(node: Node, outputs: readonly Tensor[]): void {
    this.#node = node;
    this.#saved = this.#toSave.map((t) =>
      t === null ? null : new SavedTensor(t, outputs.includes(t) ? node : t.node)
    );
    this.#toSave = [];
  }
  /** @internal */
  release(): void {
    for (const s of this.#saved ?? []) s?.release();
    this.#saved = null;
  }
}

const SECOND_TIME =
  "Trying to backward through the graph a second time (or directly access saved tensors after they have already been " +
  "freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). Specify " +
  "retain_graph=True if you need to backward through the graph a second time or if you need to access saved tensors " +
  "after calling backward.";

/** The node of a custom function. */
class FunctionNode extends Node {
  readonly #definition: typeof Function;
  readonly #ctx: FunctionCtx;
  readonly #outputs: { sizes: readonly number[]; like: Tensor }[];
  /** Which arguments were tensors. */
  readonly #isTensor: boolean[];

  constructor(
    definition: typeof Function,
    ctx: FunctionCtx,
    args: readonly unknown[],
    outputs: readonly Tensor[],
  ) {
    const tensors = args.filter((a): a is Tensor => a instanceof Tensor);
    super(tensors.length);
    this.#definition = definition;
    this.#ctx = ctx;
    this.#isTensor = args.map((a) => a instanceof Tensor);
    // Zeros for missing gradients need only sizes, dtype and device.
    this.#outputs = outputs.map((t) => ({ sizes: t.sizes, like: alias(t, [0], [1], 0) }));
    tensors.forEach((t, i) => {
      if (t.dtype.isDifferentiable) this.connect(i, t);
    });
  }
  get results(): number {
    return this.#outputs.length;
  }
  name(): string {
    return `${this.#definition.name}Backward`;
  }
  release(): void {
    this.#ctx.release();
  }
  apply(grads: (Tensor | null)[]): (Tensor | null)[] {
    const given = this.#ctx.materializeGrads
      ? grads.map((g, i) => g ?? this.#outputs[i]!.like.new_zeros(this.#outputs[i]!.sizes))
      : grads;
    // A user's backward may keep what it is given.
    for (const g of given) if (g !== null) escape(g.storage);
    const result = external(() => this.#definition.backward(this.#ctx, ...given));
    const list = (Array.isArray(result) ? result : [result]) as (Tensor | null | undefined)[];
    const wanted = this.#isTensor.length;
    const extra = list.slice(wanted);
    if (list.length < wanted || extra.some((g) => g !== null && g !== undefined)) {
      throw new RuntimeError(
        `function ${this.name()} returned an incorrect number of gradients (expected ${wanted}, got ${list.length})`,
      );
    }
    const out: (Tensor | null)[] = [];
    this.#isTensor.forEach((isTensor, i) => {
      const g = list[i] ?? null;
      if (isTensor) out.push(g);
      else if (g !== null) {
        throw new RuntimeError(
          `function ${this.name()} returned a gradient different from None at position ${
            i + 1
          }, but the corresponding forward input was not a Variable`,
        );
      }
    });
    return out;
  }
}

/**
 * Base class of custom differentiable functions: define static `forward(ctx, ...)` and `backward(ctx, ...grads)`, call
 * with `MyFunction.apply(...)`.
 */
export class Function {
  /** Computes the outputs; what `backward` needs goes onto `ctx`. */
  // deno-lint-ignore no-explicit-any -- arguments are the user's
  static forward(_ctx: any, ..._args: any[]): any {
    throw new RuntimeError(
      "You must implement the forward function for custom autograd.Function.",
    );
  }
  /** The gradient of each argument of `forward` from the gradients of its outputs. */
  // deno-lint-ignore no-explicit-any -- see forward
  static backward(_ctx: any, ..._grads: any[]): any {
    throw new RuntimeError(
      "You must implement either the backward or vjp method for your custom autograd.Function to use it with backward mode AD.",
    );
  }

  /** Runs the function and records it. */
  // deno-lint-ignore no-explicit-any -- see forward
  static apply(this: typeof Function, ...args: any[]): any {
    const ctx = new FunctionCtx();
    const recorded = mode.grad && args.some((a) => a instanceof Tensor && needsGrad(a));
    ctx.needs_input_grad = args.map((a) => a instanceof Tensor && needsGrad(a));
    const grad = mode.grad;
    mode.grad = false;
    let result: unknown;
    try {
      result = this.forward(ctx, ...args);
    } finally {
      mode.grad = grad;
    }
    const outputs = (Array.isArray(result) ? result : [result]) as unknown[];
    if (!recorded) return result;
    const inputs = args.filter((a): a is Tensor => a instanceof Tensor);
    // An input that is returned as it is becomes a view, so that its own history stays.
    const tensors = outputs.map((o) => {
      if (!(o instanceof Tensor)) return o;
      if (inputs.includes(o) && !ctx.dirty.has(o)) {
        const v = alias(o, o.sizes, o.strides, o.offset);
        v.view_ = new ViewInfo(o.view_?.base ?? o, "default");
        return v;
      }
      return o;
    });
    const results = tensors.filter((t): t is Tensor => t instanceof Tensor);
    const node = new FunctionNode(this, ctx, args, results);
    results.forEach((t, i) => {
      if (ctx.nonDifferentiable.has(t) || !t.dtype.isDifferentiable) return;
      if (ctx.dirty.has(t)) {
        if (t.leafGrad) {
          throw new RuntimeError(
            "a leaf Variable that requires grad is being used in an in-place operation.",
          );
        }
        countWrite(t);
        rebase(t, node);
        t.outputNr = i;
        return;
      }
      t.node = node;
      t.outputNr = i;
    });
    ctx.attach(node, results);
    return Array.isArray(result) ? tensors : tensors[0];
  }
}

/** Marks a backward as not differentiable again. */
export function once_differentiable<T extends (...args: never[]) => unknown>(f: T): T {
  return ((...args: never[]) => {
    const grad = mode.grad;
    mode.grad = false;
    try {
      return f(...args);
    } finally {
      mode.grad = grad;
    }
  }) as unknown as T;
}
