/**
 * In-place writes and the graph: what may be written, and how a write through a view reaches its base.
 *
 * A view remembers its base. When a view is written in place, the base gets a CopySlices node, which sends the
 * gradient of the written part through the written operation and the rest past it; every view's own node is made
 * anew from the base on the next look. (PyTorch: torch/csrc/autograd/functions/tensor.cpp, variable.cpp.)
 *
 * @module
 */
import { RuntimeError } from "../base/errors.ts";
import type { DType } from "../base/dtype.ts";
import type { Tensor } from "../tensor.ts";
import { mode } from "./grad_mode.ts";
import { currentNode, installViewRefresh, needsGrad, Node } from "./graph.ts";

/** Throws PyTorch's error if `self` may not be written in place; `recorded`: the write will be part of the graph. */
export function beforeInplace(self: Tensor, recorded: boolean): void {
  if (self.inference && !mode.inference) {
    throw new RuntimeError(
      "Inplace update to inference tensor outside InferenceMode is not allowed.You can make a clone to get a normal " +
        "tensor before doing inplace update.See https://github.com/pytorch/rfcs/pull/17 for more details.",
    );
  }
  if (!mode.grad) return;
  const view = self.view_;
  if (view === null) {
    if (self.leafGrad) {
      throw new RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.");
    }
    return;
  }
  const wantsGrad = needsGrad(self);
  if (wantsGrad || recorded) {
    if (view.creation === "multi_output") {
      const node = currentNode(self);
      throw new RuntimeError(
        `Output ${self.outputNr}${
          node === null ? "" : ` of ${node.name()}`
        } is a view and is being modified inplace. ` +
          "This view is the output of a function that returns multiple views. Such functions do not allow the output " +
          "views to be modified inplace. You should replace the inplace operation by an out-of-place one.",
      );
    }
    if (wantsGrad && currentNode(view.base) === null) {
      throw new RuntimeError(
        "a view of a leaf Variable that requires grad is being used in an in-place operation.",
      );
    }
    if (view.creation === "no_grad") {
      throw new RuntimeError(
        "A view was created in no_grad mode and is being modified inplace with grad mode enabled. Given that this use " +
          "case is ambiguous and error-prone, it is forbidden. You can clarify your code by moving both the view and the " +
          "inplace either both inside the no_grad block (if you don't want the inplace to be tracked) or both outside " +
          "(if you want the inplace to be tracked).",
      );
    }
  }
}

/** Makes `node`, whose first input was `self`'s old value, the origin of its new value. */
export function rebase(self: Tensor, node: Node): void {
  const view = self.view_;
  if (view === null) {
    self.node = node;
    self.outputNr = 0;
    return;
  }
  const base = view.base;
  base.node = new CopySlices(base, self, node);
  base.outputNr = 0;
  refresh(self);
}

// Set by ops/complex.ts: complex numbers seen as pairs of real ones, and the other way.
let viewAsReal: (t: Tensor) => Tensor;
let viewAsComplex: (t: Tensor) => Tensor;

/** Lets the operators provide the views between complex and real tensors. */
export function installComplexViews(asReal: (t: Tensor) => Tensor, asComplex: (t: Tensor) => Tensor): void {
  viewAsReal = asReal;
  viewAsComplex = asComplex;
}

/** Where a view lies in its base, and how it sees it. */
class Part {
  readonly #sizes: readonly number[];
  readonly #strides: readonly number[];
  readonly #offset: number;
  readonly #dtype: DType;
  readonly #conjugated: boolean;
  readonly #negated: boolean;

  constructor(base: Tensor, view: Tensor) {
    this.#sizes = view.sizes;
    this.#strides = view.strides;
    this.#offset = view.offset - base.offset * base.itemsize / view.itemsize;
    this.#dtype = view.dtype;
    this.#conjugated = view.conjugated !== base.conjugated;
    this.#negated = view.negated !== base.negated;
  }

  /** This part of `whole`, which has the base's layout. */
  of(whole: Tensor): Tensor {
    const same = whole.dtype === this.#dtype;
    let part: Tensor;
    if (same) part = whole.as_strided(this.#sizes, this.#strides, this.#offset);
    else if (whole.dtype.is_complex) {
      part = viewAsReal(whole).as_strided(this.#sizes, this.#strides, this.#offset);
    } else {
      const strides = [...this.#strides.map((s) => 2 * s), 1];
      part = viewAsComplex(whole.as_strided([...this.#sizes, 2], strides, 2 * this.#offset));
    }
    if (this.#conjugated) part = part.conj();
    return this.#negated ? part._neg_view() : part;
  }
}

/** Gradient of a base after one of its views was written in place by `inner`. */
class CopySlices extends Node {
  readonly #inner: Node;
  readonly #baseSizes: readonly number[];
  readonly #baseStrides: readonly number[];
  readonly #part: Part;

  constructor(base: Tensor, view: Tensor, inner: Node) {
    super(inner.next.length);
    this.#inner = inner;
    this.#baseSizes = base.sizes;
    this.#baseStrides = base.strides;
    this.#part = new Part(base, view);
    // Edge 0 goes to the base's former origin, the others to the inner operation's other inputs.
    this.next[0] = null;
    if (base.node !== null) {
      this.next[0] = base.node;
      this.nextNr[0] = base.outputNr;
    }
    for (let i = 1; i < inner.next.length; i++) {
      this.next[i] = inner.next[i]!;
      this.nextNr[i] = inner.nextNr[i]!;
    }
    // The inner operation must compute the gradient of what it overwrote whenever the base wants one.
    if (inner.next.length > 0 && inner.next[0] === null) inner.next[0] = this.next[0]!;
  }
  get results(): number {
    return 1;
  }
  name(): string {
    return "CopySlices";
  }
  release(): void {
    this.#inner.release();
  }
  apply(grads: (Tensor | null)[]): (Tensor | null)[] {
    const g = grads[0] ?? null;
    const out = new Array<Tensor | null>(this.next.length).fill(null);
    if (g === null) return out;
    const result = g.new_empty_strided(this.#baseSizes, this.#baseStrides);
    result.copy_(g);
    const slice = this.#part.of(result);
    const inner = this.#inner.apply([slice.clone()]);
    const own = inner[0] ?? null;
    if (own === null) slice.zero_();
    else slice.copy_(own);
    out[0] = this.next[0] === null ? null : result;
    for (let i = 1; i < out.length; i++) out[i] = inner[i] ?? null;
    return out;
  }
}

/** The node of a view whose base was written in place: a strided view of the base as it is now. */
class AsStridedOfBase extends Node {
  readonly #baseSizes: readonly number[];
  readonly #baseStrides: readonly number[];
  readonly #dtype: DType;
  readonly #part: Part;
  constructor(base: Tensor, view: Tensor) {
    super(1);
    this.connect(0, base);
    this.#baseSizes = base.sizes;
    this.#baseStrides = base.strides;
    this.#dtype = base.dtype;
    this.#part = new Part(base, view);
  }
  get results(): number {
    return 1;
  }
  name(): string {
    return "AsStridedBackward0";
  }
  release(): void {}
  apply(grads: (Tensor | null)[]): (Tensor | null)[] {
    const g = grads[0] ?? null;
    if (g === null) return [null];
    const result = g.new_empty_strided(this.#baseSizes, this.#baseStrides, { dtype: this.#dtype }).zero_();
    this.#part.of(result).add_(g);
    return [result];
  }
}

function refresh(t: Tensor): void {
  const view = t.view_!;
  view.version = t.storage.version;
  const base = view.base;
  if (base.node === view.baseNode) return;
  view.baseNode = base.node;
  if (base.node === null && !base.leafGrad) return;
  t.node = new AsStridedOfBase(base, t);
  t.outputNr = 0;
}

installViewRefresh(refresh);
