/**
 * The Tensor: a strided view of a storage, with its place in the autograd graph. Operators are attached to the
 * prototype from the table in `src/ops` (their signatures: `src/_gen/tensor_methods.ts`); what stands here needs no
 * operator.
 *
 * @module
 */
import type { Device } from "./base/device.ts";
import type { DType } from "./base/dtype.ts";
import { RuntimeError } from "./base/errors.ts";
import { contiguousStrides, isContiguous, numelOf, Size } from "./base/size.ts";
import { anchorFor, anchoring, release, type Storage } from "./base/storage.ts";
import type { TensorMethods } from "./_gen/tensor_methods.ts";
import type { GradMeta, Node, ViewInfo } from "./autograd/graph.ts";

export interface Tensor extends TensorMethods {}

/**
 * A multi-dimensional array with automatic differentiation.
 *
 * Make one with `torch.tensor`, `torch.zeros`, `torch.randn`, ...
 *
 * @see https://pytorch.org/docs/stable/tensors.html
 */
export class Tensor {
  /** The bytes, shared with views. */
  storage: Storage;
  /** Held by every tensor of a large storage: see `anchorFor`. */
  anchor: object | null;
  sizes: readonly number[];
  strides: readonly number[];
  offset: number;
  readonly dtype: DType;
  /** Number of elements. */
  count: number;
  /** Row-major without gaps? */
  packed: boolean;

  /** The node that made it, null for a leaf. */
  node: Node | null = null;
  /** Which of the node's results it is. */
  outputNr = 0;
  /** `requires_grad` of a leaf. */
  leafGrad = false;
  /** Gradient, hooks and the like; null until one is needed. */
  meta: GradMeta | null = null;
  /** What it is a view of; null if it is none (or was made without recording). */
  view_: ViewInfo | null = null;
  /** Made in inference mode? */
  inference = false;
  /** Stands for the conjugates of its bytes. Note [Lazy conjugation] below. */
  conjugated = false;
  /** Stands for the negatives of its bytes. */
  negated = false;
  /** Is it `x.data` or a view of it: writes through it are not counted as changes of `x`. */
  uncounted = false;

  constructor(
    storage: Storage,
    dtype: DType,
    sizes: readonly number[],
    strides: readonly number[],
    offset: number,
    count: number,
    packed: boolean,
    anchor: object | null,
  ) {
    this.storage = storage;
    this.dtype = dtype;
    this.sizes = sizes;
    this.strides = strides;
    this.offset = offset;
    this.count = count;
    this.packed = packed;
    this.anchor = anchor;
  }

  /** The shape, as `torch.Size`. */
  get shape(): Size {
    return Size.fromArray(this.sizes);
  }
  get device(): Device {
    return this.storage.backend.device;
  }
  get ndim(): number {
    return this.sizes.length;
  }
  get is_cuda(): boolean {
    return this.storage.backend.device.type === "cuda";
  }
  get is_cpu(): boolean {
    return this.storage.backend.device.type === "cpu";
  }
  get is_meta(): boolean {
    return !this.storage.backend.hasData;
  }
  get is_sparse(): boolean {
    return false;
  }
  /** Is it one sample inside `torch.vmap`? */
  get batched(): boolean {
    return false;
  }
  get is_quantized(): boolean {
    return false;
  }
  get itemsize(): number {
    return this.dtype.itemsize;
  }
  get nbytes(): number {
    return this.count * this.dtype.itemsize;
  }

  /** Does anything that made it, or itself, require a gradient? */
  get requires_grad(): boolean {
    return this.leafGrad || this.node !== null;
  }
  set requires_grad(on: boolean) {
    setRequiresGrad(this, on);
  }
  /** Sets `requires_grad` of a leaf and returns the tensor. */
  requires_grad_(on = true): this {
    setRequiresGrad(this, on);
    return this;
  }

  get is_leaf(): boolean {
    return currentNode(this) === null;
  }
  get grad_fn(): Node | null {
    return currentNode(this);
  }
  get output_nr(): number {
    return this.outputNr;
  }
  /** Counts in-place writes to the storage. */
  get _version(): number {
    if (this.inference) throw new RuntimeError("Inference tensors do not track version counter.");
    return this.uncounted ? 0 : this.storage.version;
  }
  is_inference(): boolean {
    return this.inference;
  }

  /** Frees the bytes at once. Never needed: memory is managed without it. */
  [Symbol.dispose](): void {
    release(this.storage);
  }
}

/** A contiguous tensor over fresh bytes. */
export function wrapStorage(storage: Storage, dtype: DType, sizes: readonly number[], count: number): Tensor {
  const anchor = storage.nbytes >= anchoring.from && storage.backend.hasData ? anchorFor(storage) : null;
  return new Tensor(storage, dtype, sizes, contiguousStrides(sizes), 0, count, true, anchor);
}

/** Another tensor over the same bytes; no graph, no view tracking. */
export function alias(
  of: Tensor,
  sizes: readonly number[],
  strides: readonly number[],
  offset: number,
  dtype: DType = of.dtype,
): Tensor {
  const t = new Tensor(
    of.storage,
    dtype,
    sizes,
    strides,
    offset,
    numelOf(sizes),
    isContiguous(sizes, strides),
    of.anchor,
  );
  t.uncounted = of.uncounted;
  t.conjugated = of.conjugated;
  t.negated = of.negated;
  return t;
}

/**
 * Note [Lazy conjugation]: `conj()` copies nothing; it gives a view with `conjugated` set (and the imaginary part of
 * such a view is one with `negated` set), as in PyTorch. Views keep the marks. The dispatcher hands kernels the values
 * themselves (`resolved` in dispatch/lazy.ts), and whatever reads bytes without it does so too. `lazy.used` is false
 * until the first such view is made, so that real programs pay one look at it.
 */
export const lazy: { used: boolean } = { used: false };

/** Does `t` stand for something else than its bytes? */
export function isLazy(t: Tensor): boolean {
  return t.conjugated || t.negated;
}

/** Another tensor over the same bytes with these marks. */
export function marked(of: Tensor, conjugated: boolean, negated: boolean): Tensor {
  const t = alias(of, of.sizes, of.strides, of.offset);
  t.conjugated = conjugated;
  t.negated = negated;
  if (conjugated || negated) lazy.used = true;
  return t;
}

/** Counts a write to `t`. Note [Version counter] in autograd/graph.ts. */
export function countWrite(t: Tensor): void {
  if (!t.uncounted) t.storage.version++;
}

/** The same tensor without its graph. */
export function detached(of: Tensor): Tensor {
  const t = new Tensor(of.storage, of.dtype, of.sizes, of.strides, of.offset, of.count, of.packed, of.anchor);
  t.conjugated = of.conjugated;
  t.negated = of.negated;
  return t;
}

// Set by autograd/graph.ts and autograd/inplace.ts, which stand above this file.
let setRequiresGrad: (t: Tensor, on: boolean) => void;
let currentNode: (t: Tensor) => Node | null;

/** Lets the autograd layer provide what the accessors need. */
export function installAutograd(
  setter: (t: Tensor, on: boolean) => void,
  getter: (t: Tensor) => Node | null,
): void {
  setRequiresGrad = setter;
  currentNode = getter;
}
