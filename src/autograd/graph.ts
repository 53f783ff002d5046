/**
 * The autograd graph: nodes, edges and saved tensors. `engine.ts` walks it; `dispatch/dispatcher.ts` records it.
 *
 * @module
 */
import { IndexError, RuntimeError } from "../base/errors.ts";
import { external } from "../base/scope.ts";
import { drop, escape, retain } from "../base/storage.ts";
import { alias, installAutograd, Tensor } from "../tensor.ts";
import { anomaly } from "./anomaly.ts";
import { mode } from "./grad_mode.ts";

/** A hook on a gradient: may return a replacement. */
// deno-lint-ignore no-explicit-any -- users type their own hooks
export type GradHook = (grad: any) => Tensor | void | null;

/** Removes a hook when asked. */
export class RemovableHandle {
  readonly #remove: () => void;
  readonly id: number;
  static #next = 0;
  constructor(remove: () => void) {
    this.#remove = remove;
    this.id = RemovableHandle.#next++;
  }
  remove(): void {
    this.#remove();
  }
  [Symbol.dispose](): void {
    this.#remove();
  }
}

/** What only tensors with gradients or hooks need. */
export class GradMeta {
  grad: Tensor | null = null;
  accumulator: AccumulateGrad | null = null;
  hooks: Map<number, GradHook> | null = null;
  /** `register_post_accumulate_grad_hook`, called with the leaf. */
  postHooks: Map<number, (leaf: Tensor) => void> | null = null;
  retainsGrad = false;
}

/** The meta part of a tensor, made on first use. */
export function gradMeta(t: Tensor): GradMeta {
  return t.meta ??= new GradMeta();
}

/** What a view remembers of its base, so that in-place writes reach both graphs: autograd/inplace.ts. */
export class ViewInfo {
  readonly base: Tensor;
  /** The base's version when `view.node` was last right. */
  version: number;
  /** Outputs of multi-view ops and views made without recording may not be written in place while they need grad. */
  readonly creation: "default" | "no_grad" | "multi_output";
  /** The base's node at that time. */
  baseNode: Node | null = null;
  constructor(base: Tensor, creation: ViewInfo["creation"]) {
    this.base = base;
    this.version = base.storage.version;
    this.creation = creation;
  }
}

/** Pack and unpack functions of `saved_tensors_hooks`. */
export interface SavedHooks {
  // deno-lint-ignore no-explicit-any -- what a user's pack returns is the user's
  pack: (t: Tensor) => any;
  // deno-lint-ignore no-explicit-any -- see above
  unpack: (packed: any) => Tensor;
}

/** The innermost `saved_tensors_hooks`, null without. */
export const savedHooks: { top: SavedHooks | null; disabled: string | null } = { top: null, disabled: null };

/**
 * A tensor kept for the backward pass.
 *
 * Note [Version counter]: an in-place write counts up its storage's version; unpacking compares with the version at
 * saving, so a derivative is never computed from values that have been overwritten.
 */
export class SavedTensor {
  #tensor: Tensor | null;
  readonly #version: number;
  readonly #node: Node | null;
  readonly #nr: number;
  readonly #hooks: SavedHooks | null;
  // deno-lint-ignore no-explicit-any -- what a user's pack returned
  #packed: any = undefined;

  /** `node`: the node that makes the tensor, given where it is not recorded on the tensor yet. */
  constructor(t: Tensor, node: Node | null = t.node) {
    if (t.inference && !mode.inference) {
      throw new RuntimeError(
        "Inference tensors cannot be saved for backward. To work around you can make a clone to get a normal tensor and " +
          "use it in autograd.",
      );
    }
    this.#version = t.storage.version;
    this.#node = node;
    this.#nr = t.outputNr;
    const hooks = savedHooks.top;
    this.#hooks = hooks;
    if (hooks !== null) {
      this.#tensor = null;
      escape(t.storage); // whatever scope it was made in, the hook may keep it
      this.#packed = external(() => hooks.pack(t));
    } else {
      this.#tensor = t;
      retain(t.storage);
    }
  }

  /** The tensor, with the graph it had when it was saved. */
  unpack(_owner: Node): Tensor {
    if (this.#hooks !== null) return external(() => this.#hooks!.unpack(this.#packed));
    const t = this.#tensor!;
    if (t.storage.version !== this.#version) {
      const made = this.#node === null ? "" : `, which is output ${this.#nr} of ${this.#node.name()},`;
      throw new RuntimeError(
        "one of the variables needed for gradient computation has been modified by an inplace operation: " +
          `[torch.${t.dtype.scalarName}Tensor ${sizeText(t.sizes)}]${
            made || ""
          } is at version ${t.storage.version}; ` +
          `expected version ${this.#version} instead. Hint: ` +
          (anomaly.enabled
            ? "the backtrace further above shows the operation that failed to compute its gradient. " +
              "The variable in question was changed in there or anywhere later. Good luck!"
            : "enable anomaly detection to find the operation that failed to compute its gradient, " +
              "with torch.autograd.set_detect_anomaly(True)."),
      );
    }
    if (t.node === this.#node || this.#node === null) return t;
    const same = alias(t, t.sizes, t.strides, t.offset);
    same.node = this.#node;
    same.outputNr = this.#nr;
    return same;
  }

  release(): void {
    if (this.#tensor !== null) {
      drop(this.#tensor.storage);
      this.#tensor = null;
    }
    this.#packed = undefined;
  }
}

function sizeText(sizes: readonly number[]): string {
  return `[${sizes.join(", ")}]`;
}

let sequence = 0;

/** A function of the backward graph. Nodes made later have larger numbers, and edges lead from later to earlier. */
export abstract class Node {
  /** Order of creation. Accumulators have -1: they run last, when every gradient of their leaf has arrived. */
  readonly seq: number;
  /** Where the gradient of each input goes; null where none is wanted. */
  next: (Node | null)[];
  /** Which result of `next[i]` the i-th input was. */
  nextNr: number[];
  preHooks: Map<number, (grads: (Tensor | null)[]) => unknown> | null = null;
  postHooks: Map<number, (gradInputs: (Tensor | null)[], grads: (Tensor | null)[]) => unknown> | null = null;
  /** Tensor hooks on results, by result number. */
  resultHooks: Map<number, GradHook>[] | null = null;
  /** Results that keep their gradient (`retain_grad`), by result number. */
  retained: (Tensor | null)[] | null = null;
  /** The forward call, recorded in anomaly mode. */
  readonly trace: string | null;
  /** For users: `grad_fn.metadata`. */
  metadata: Record<string, unknown> = {};

  constructor(inputs: number, seq: number = sequence++) {
    this.seq = seq;
    this.next = new Array<Node | null>(inputs).fill(null);
    this.nextNr = new Array<number>(inputs).fill(0);
    this.trace = anomaly.enabled ? new Error("forward call").stack ?? null : null;
  }

  /** Gradients of the inputs from the gradients of the results. */
  abstract apply(grads: (Tensor | null)[]): (Tensor | null)[];
  /** PyTorch's name: `AddBackward0`. */
  abstract name(): string;
  /** Lets go of saved tensors. */
  abstract release(): void;
  /** The number of results it has gradients for. */
  abstract get results(): number;

  /** `[node, number]` pairs, as in PyTorch. */
  get next_functions(): [Node | null, number][] {
    return this.next.map((n, i) => [n, this.nextNr[i]!]);
  }

  register_hook(
    hook: (gradInputs: (Tensor | null)[], gradOutputs: (Tensor | null)[]) => unknown,
  ): RemovableHandle {
    return addHook(this.postHooks ??= new Map(), hook);
  }
  register_prehook(hook: (gradOutputs: (Tensor | null)[]) => unknown): RemovableHandle {
    return addHook(this.preHooks ??= new Map(), hook);
  }

  /** Connects input `i` to where its gradient goes. */
  connect(i: number, t: Tensor): void {
    if (t.view_ !== null) currentNode(t);
    if (t.node !== null) {
      this.next[i] = t.node;
      this.nextNr[i] = t.outputNr;
    } else if (t.leafGrad) this.next[i] = accumulatorOf(t);
  }

  toString(): string {
    return `<${this.name()}>`;
  }
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }
}

let hookIds = 0;

/** Adds a hook to a table; the handle takes it out again. */
export function addHook<H>(table: Map<number, H>, hook: H): RemovableHandle {
  const id = hookIds++;
  table.set(id, hook);
  return new RemovableHandle(() => void table.delete(id));
}

/** The end of a path: adds the gradient to a leaf's `grad`. */
export class AccumulateGrad extends Node {
  readonly variable: Tensor;
  constructor(variable: Tensor) {
    super(0, -1);
    this.variable = variable;
  }
  get results(): number {
    return 1;
  }
  name(): string {
    return "AccumulateGrad";
  }
  release(): void {}
  /** Called with the leaf after its gradient was added to. */
  afterHooks: Map<number, (leaf: Tensor) => void> | null = null;
  apply(grads: (Tensor | null)[]): (Tensor | null)[] {
    accumulate(this.variable, grads[0] ?? null);
    if (this.afterHooks !== null) {
      for (const hook of [...this.afterHooks.values()]) external(() => hook(this.variable));
    }
    return [];
  }
}

// Set by engine.ts.
let accumulate: (leaf: Tensor, grad: Tensor | null) => void;
export function installAccumulate(f: (leaf: Tensor, grad: Tensor | null) => void): void {
  accumulate = f;
}

/** The accumulator of a leaf. */
export function accumulatorOf(leaf: Tensor): AccumulateGrad {
  return gradMeta(leaf).accumulator ??= new AccumulateGrad(leaf);
}

// Set by inplace.ts: brings a view's node up to date with in-place writes to its base.
let refreshView: (t: Tensor) => void = () => {};
export function installViewRefresh(f: (t: Tensor) => void): void {
  refreshView = f;
}

/** The node that made `t`, after in-place writes to what it is a view of. */
export function currentNode(t: Tensor): Node | null {
  if (t.view_ !== null && t.view_.version !== t.storage.version) refreshView(t);
  return t.node;
}

/** Must an operation on `t` be recorded (grad mode aside)? */
export function needsGrad(t: Tensor): boolean {
  return t.leafGrad || t.node !== null || (t.view_ !== null && currentNode(t) !== null);
}

function setRequiresGrad(t: Tensor, on: boolean): void {
  if (typeof on !== "boolean") throw new RuntimeError("requires_grad must be a bool");
  if (currentNode(t) !== null) {
    if (on) return;
    throw new RuntimeError(
      "you can only change requires_grad flags of leaf variables. If you want to use a computed variable in a " +
        "subgraph that doesn't require differentiation use var_no_grad = var.detach().",
    );
  }
  if (t.inference && on && !mode.inference) {
    throw new RuntimeError(
      "Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.",
    );
  }
  if (on && !t.dtype.isDifferentiable) {
    throw new RuntimeError("only Tensors of floating point and complex dtype can require gradients");
  }
  t.leafGrad = on;
}

installAutograd(setRequiresGrad, currentNode);

/** Adds a hook to a tensor's gradient: `Tensor.register_hook`. */
export function registerHook(t: Tensor, hook: GradHook): RemovableHandle {
  if (!t.requires_grad) {
    throw new RuntimeError("cannot register a hook on a tensor that doesn't require gradient");
  }
  const node = currentNode(t);
  if (node === null) return addHook(gradMeta(t).hooks ??= new Map(), hook);
  node.resultHooks ??= [];
  return addHook(node.resultHooks[t.outputNr] ??= new Map(), hook);
}

/** `Tensor.retain_grad()`: keep the gradient of a non-leaf. */
export function retainGrad(t: Tensor): void {
  if (!t.requires_grad) {
    throw new RuntimeError("can't retain_grad on Tensor that has requires_grad=False");
  }
  const node = currentNode(t);
  if (node === null) return;
  gradMeta(t).retainsGrad = true;
  node.retained ??= [];
  node.retained[t.outputNr] = t;
}

/** Checks that a result number exists; used by grad() for inputs. */
export function checkResultNr(node: Node, nr: number): void {
  if (nr >= node.results) {
    throw new IndexError(`${node.name()} has ${node.results} results, but got number ${nr}`);
  }
}
