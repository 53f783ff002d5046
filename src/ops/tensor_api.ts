/**
 * The part of Tensor that is no operator: reading values, gradients, hooks, properties, printing. Installed on the
 * prototype here, above the operators that some of it needs.
 *
 * @module
 */
import { backward } from "../autograd/engine.ts";
import {
  addHook,
  currentNode,
  type GradHook,
  gradMeta,
  needsGrad,
  registerHook,
  type RemovableHandle,
  retainGrad,
} from "../autograd/graph.ts";
import { type DType, dtypes, Kind, type TypedArray } from "../base/dtype.ts";
import { IndexError, RuntimeError, ValueError, warnOnce } from "../base/errors.ts";
import { Complex, type Scalar } from "../base/scalar.ts";
import { sameSizes, type Size } from "../base/size.ts";
import { fn } from "../dispatch/functions.ts";
import { wrapDim } from "../dispatch/reduction.ts";
import { isOptions } from "../dispatch/schema.ts";
import { detached, Tensor } from "../tensor.ts";
import { tensorText } from "../tensor_str.ts";
import {
  itemOf,
  type NestedArray,
  type TensorData,
  tensorFrom,
  type TensorOptions,
  toList,
  toTyped,
} from "./from_data.ts";

/** Methods and properties of Tensor besides the operators. */
export interface TensorApi {
  /** The gradient that `backward()` has added up; null before. */
  grad: Tensor | null;
  /** The tensor without its graph, and writing replaces the values. */
  data: Tensor;
  /** All dimensions reversed. */
  readonly T: Tensor;
  readonly H: Tensor;
  readonly mT: Tensor;
  readonly mH: Tensor;
  get real(): Tensor;
  set real(value: Tensor | Scalar);
  get imag(): Tensor;
  set imag(value: Tensor | Scalar);
  readonly retains_grad: boolean;
  readonly _base: Tensor | null;
  readonly names: (string | null)[];
  /** The value of a one-element tensor; int64 as a bigint only beyond 2^53. */
  // deno-lint-ignore no-explicit-any -- number, boolean, bigint or Complex by dtype; callers know theirs
  item(): any;
  /** Nested arrays of the values; a number for a 0-dim tensor. */
  // deno-lint-ignore no-explicit-any -- nesting follows the number of dimensions
  tolist(): any;
  /** A row-major copy of the values. */
  to_typed_array(): TypedArray;
  /** An ndarray-like object: data, shape, stride, offset. */
  numpy(
    options?: { force?: boolean },
  ): { data: TypedArray; shape: number[]; stride: number[]; offset: number };
  size(): Size;
  size(dim: number): number;
  stride(): number[];
  stride(dim: number): number;
  dim(): number;
  ndimension(): number;
  numel(): number;
  nelement(): number;
  element_size(): number;
  storage_offset(): number;
  data_ptr(): number;
  untyped_storage(): { nbytes(): number; data_ptr(): number };
  is_contiguous(options?: unknown): boolean;
  is_floating_point(): boolean;
  is_complex(): boolean;
  is_conj(): boolean;
  is_neg(): boolean;
  is_signed(): boolean;
  is_same_size(other: Tensor): boolean;
  is_nonzero(): boolean;
  is_set_to(other: Tensor): boolean;
  type(dtype?: DType | string): string | Tensor;
  get_device(): number;
  backward(
    gradient?: Tensor | null | BackwardOptions,
    retain_graph?: boolean | null | BackwardOptions,
    create_graph?: boolean | BackwardOptions,
    inputs?: Tensor | readonly Tensor[] | null,
  ): void;
  register_hook(hook: GradHook): RemovableHandle;
  register_post_accumulate_grad_hook(hook: (leaf: Tensor) => void): RemovableHandle;
  retain_grad(): void;
  detach_(): this;
  set_(source: Tensor): this;
  new_tensor(data: TensorData, options?: TensorOptions): Tensor;
  pin_memory(): Tensor;
  is_pinned(): boolean;
  share_memory_(): this;
  is_shared(): boolean;
  toString(): string;
  [Symbol.iterator](): IterableIterator<Tensor>;
  __len__(): number;
}

/** Keywords of `Tensor.backward`. */
export interface BackwardOptions {
  gradient?: Tensor | null;
  retain_graph?: boolean | null;
  create_graph?: boolean;
  inputs?: Tensor | readonly Tensor[] | null;
}

function setGrad(t: Tensor, g: Tensor | null): void {
  if (g === null || g === undefined) {
    if (t.meta !== null) t.meta.grad = null;
    return;
  }
  if (!(g instanceof Tensor)) {
    throw new TypeError("assigned grad expected to be a Tensor or None but got grad of another type");
  }
  if (g === t) throw new RuntimeError("can't assign Variable as its own grad");
  if (g.dtype !== t.dtype) {
    throw new RuntimeError(
      `assigned grad has data of a different type`,
    );
  }
  if (g.storage.backend !== t.storage.backend) {
    throw new RuntimeError("assigned grad has data located on a different device");
  }
  if (!sameSizes(g.sizes, t.sizes)) throw new RuntimeError("assigned grad has data of a different size");
  gradMeta(t).grad = g;
}

function getGrad(t: Tensor): Tensor | null {
  const g = t.meta?.grad ?? null;
  if (g === null && t.node !== null && !(t.meta?.retainsGrad)) {
    warnOnce(
      "UserWarning",
      "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad attribute won't be populated during autograd.backward(). If you indeed want the .grad field to be populated for a non-leaf Tensor, use .retain_grad() on the non-leaf Tensor. If you access the non-leaf Tensor by mistake, make sure you access the leaf Tensor instead. See github.com/pytorch/pytorch/pull/30531 for more informations. (Triggered internally at  ./build/aten/src/ATen/core/TensorBody.h:480.)",
    );
  }
  return g;
}

/** Makes `t` a tensor over other bytes: `t.data = x`, `set_`. */
function replaceData(t: Tensor, x: Tensor): void {
  t.storage = x.storage;
  t.anchor = x.anchor;
  t.sizes = x.sizes;
  t.strides = x.strides;
  t.offset = x.offset;
  t.count = x.count;
  t.packed = x.packed;
  (t as { dtype: DType }).dtype = x.dtype;
}

const accessors: Record<string, { get: (this: Tensor) => unknown; set?: (this: Tensor, v: never) => void }> =
  {
    grad: {
      get() {
        return getGrad(this);
      },
      set(v: Tensor | null) {
        setGrad(this, v);
      },
    },
    data: {
      get() {
        const t = detached(this);
        t.uncounted = true;
        return t;
      },
      set(v: Tensor) {
        replaceData(this, v);
      },
    },
    T: {
      get() {
        return this.permute(this.sizes.map((_, i) => this.sizes.length - 1 - i));
      },
    },
    H: {
      get() {
        if (this.sizes.length !== 2 && this.sizes.length !== 0) {
          throw new RuntimeError(
            `tensor.H is only supported on matrices (2-D tensors). Got ${this.sizes.length}-D tensor.`,
          );
        }
        return this.sizes.length === 0 ? this.conj() : this.transpose(0, 1).conj();
      },
    },
    mT: {
      get() {
        if (this.sizes.length === 0) return this;
        if (this.sizes.length < 2) {
          throw new RuntimeError(
            `tensor.mT is only supported on matrices or batches of matrices. Got ${this.sizes.length}-D tensor.`,
          );
        }
        return this.transpose(-2, -1);
      },
    },
    mH: {
      get() {
        if (this.sizes.length === 0) return this.conj();
        if (this.sizes.length < 2) {
          throw new RuntimeError(
            `tensor.mH is only supported on matrices or batches of matrices. Got ${this.sizes.length}-D tensor.`,
          );
        }
        return this.transpose(-2, -1).conj();
      },
    },
    real: {
      get() {
        return fn.real!(this) as Tensor;
      },
      set(value: Tensor | Scalar) {
        fn.real!(this).copy_(asOperand(this, value));
      },
    },
    imag: {
      get() {
        return fn.imag!(this) as Tensor;
      },
      set(value: Tensor | Scalar) {
        fn.imag!(this).copy_(asOperand(this, value));
      },
    },
    retains_grad: {
      get() {
        return this.meta?.retainsGrad ?? false;
      },
    },
    _base: {
      get() {
        return this.view_?.base ?? null;
      },
    },
    names: {
      get() {
        return this.sizes.map(() => null);
      },
    },
  };

/** Python's names of the CPU tensor classes: `torch.FloatTensor`. */
function typeName(t: Tensor): string {
  return `torch.${t.device.type === "cuda" ? "cuda." : ""}${t.dtype.scalarName}Tensor`;
}

const methods: Record<string, (this: Tensor, ...args: never[]) => unknown> = {
  item() {
    return itemOf(this);
  },
  tolist() {
    return toList(this);
  },
  to_typed_array() {
    return toTyped(this);
  },
  numpy(options?: { force?: boolean }) {
    if (this.requires_grad && !options?.force) {
      throw new RuntimeError(
        "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.",
      );
    }
    for (const kind of ["conj", "neg"] as const) {
      if (!options?.force && this[`is_${kind}`]()) {
        const bit = kind === "conj" ? "conjugate" : "negative";
        throw new RuntimeError(
          `Can't call numpy() on Tensor that has ${bit} bit set. Use tensor.resolve_${kind}().numpy() instead.`,
        );
      }
    }
    const data = toTyped(this);
    const strides: number[] = [];
    let s = 1;
    for (let i = this.sizes.length - 1; i >= 0; i--) {
      strides[i] = s;
      s *= this.sizes[i]!;
    }
    return { data, shape: this.sizes.slice(), stride: strides, offset: 0 };
  },
  size(dim?: number | { dim?: number }) {
    const d = isOptions(dim) ? dim.dim as number | undefined : dim;
    if (d === undefined || d === null) return this.shape;
    return this.sizes[checkedDim(this, d)]!;
  },
  stride(dim?: number | { dim?: number }) {
    const d = isOptions(dim) ? dim.dim as number | undefined : dim;
    if (d === undefined || d === null) return this.strides.slice();
    return this.strides[checkedDim(this, d)]!;
  },
  dim() {
    return this.sizes.length;
  },
  ndimension() {
    return this.sizes.length;
  },
  numel() {
    return this.count;
  },
  nelement() {
    return this.count;
  },
  element_size() {
    return this.dtype.itemsize;
  },
  storage_offset() {
    return this.offset;
  },
  data_ptr() {
    return this.count === 0 ? 0 : this.storage.resident() + this.offset * this.dtype.itemsize;
  },
  untyped_storage() {
    const s = this.storage;
    return { nbytes: () => s.nbytes, data_ptr: () => s.resident() };
  },
  is_contiguous() {
    return this.packed;
  },
  is_floating_point() {
    return this.dtype.kind === Kind.float;
  },
  is_complex() {
    return this.dtype.kind === Kind.complex;
  },
  is_conj() {
    return this.conjugated;
  },
  is_neg() {
    return this.negated;
  },
  is_signed() {
    return this.dtype.is_signed;
  },
  is_same_size(other: Tensor) {
    return sameSizes(this.sizes, other.sizes);
  },
  is_nonzero() {
    if (this.count === 0) throw new RuntimeError("Boolean value of Tensor with no values is ambiguous");
    if (this.count > 1) {
      throw new RuntimeError("Boolean value of Tensor with more than one value is ambiguous");
    }
    const v = itemOf(this);
    return v instanceof Complex ? v.re !== 0 || v.im !== 0 : Boolean(v) || Number.isNaN(v as number);
  },
  is_set_to(other: Tensor) {
    return this.storage === other.storage && this.offset === other.offset &&
      sameSizes(this.sizes, other.sizes) &&
      sameSizes(this.strides, other.strides);
  },
  type(dtype?: DType | string) {
    if (dtype === undefined) return typeName(this);
    if (typeof dtype !== "string") return this.to(dtype);
    const found = dtypes.find((d) => dtype === `torch.${d.scalarName}Tensor`);
    if (!found) throw new ValueError(`invalid type: '${dtype}'`);
    return this.to(found);
  },
  get_device() {
    return this.device.type === "cuda" ? this.device.index ?? 0 : -1;
  },
  backward(...args: unknown[]) {
    const o: BackwardOptions = {};
    const names = ["gradient", "retain_graph", "create_graph", "inputs"] as const;
    args.forEach((a, i) => {
      if (isOptions(a)) Object.assign(o, a);
      else if (a !== undefined) (o as Record<string, unknown>)[names[i]!] = a;
    });
    backward(this, o.gradient ?? null, o.retain_graph ?? null, o.create_graph ?? false, o.inputs ?? null);
  },
  register_hook(hook: GradHook) {
    return registerHook(this, hook);
  },
  register_post_accumulate_grad_hook(hook: (leaf: Tensor) => void) {
    if (!needsGrad(this)) {
      throw new RuntimeError("cannot register a hook on a tensor that doesn't require gradient");
    }
    if (currentNode(this) !== null) {
      throw new RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors");
    }
    return addHook(gradMeta(this).postHooks ??= new Map(), hook);
  },
  retain_grad() {
    retainGrad(this);
  },
  detach_() {
    if (this.view_ !== null) {
      throw new RuntimeError(
        "Can't detach views in-place. Use detach() instead. If you are using DistributedDataParallel (DDP) for training, and gradient_as_bucket_view is set as True, gradients are views of DDP buckets, and hence detach_() cannot be called on these gradients. To fix this error, please refer to the Optimizer.zero_grad() function in torch/optim/optimizer.py as a solution.",
      );
    }
    this.node = null;
    this.outputNr = 0;
    this.leafGrad = false;
    return this;
  },
  set_(source: Tensor) {
    replaceData(this, source);
    return this;
  },
  new_tensor(data: TensorData, options?: TensorOptions) {
    return tensorFrom(data, { dtype: this.dtype, device: this.device, ...options });
  },
  pin_memory() {
    return this;
  },
  is_pinned() {
    return false;
  },
  share_memory_() {
    return this;
  },
  is_shared() {
    return false;
  },
  toString: function (this: Tensor) {
    return tensorText(this);
  },
  __len__() {
    if (this.sizes.length === 0) throw new TypeError("len() of a 0-d tensor");
    return this.sizes[0]!;
  },
};

/** What may be assigned to `real` and `imag`. */
function asOperand(like: Tensor, value: Tensor | Scalar): Tensor {
  return value instanceof Tensor ? value : fn.full!([], value, { device: like.device });
}

function checkedDim(t: Tensor, dim: number): number {
  const rank = t.sizes.length;
  if (rank === 0) {
    throw new IndexError(`dimension specified as ${dim} but tensor has no dimensions`);
  }
  return wrapDim(dim, rank);
}

function* iterate(this: Tensor): IterableIterator<Tensor> {
  if (this.sizes.length === 0) throw new TypeError("iteration over a 0-d tensor");
  yield* this.unbind(0);
}

/** Puts everything above onto Tensor's prototype. */
export function installTensorApi(): void {
  const proto = Tensor.prototype;
  const define = (key: string | symbol, d: PropertyDescriptor): void =>
    void Object.defineProperty(proto, key, { configurable: true, enumerable: false, ...d });
  for (const [name, f] of Object.entries(methods)) define(name, { value: f, writable: true });
  for (const [name, a] of Object.entries(accessors)) define(name, a as PropertyDescriptor);
  define(Symbol.iterator, { value: iterate, writable: true });
  const inspect = function (this: Tensor): string {
    return tensorText(this);
  };
  define(Symbol.for("nodejs.util.inspect.custom"), { value: inspect });
  define(Symbol.for("Deno.customInspect"), { value: inspect });
  define(Symbol.toPrimitive, {
    value(this: Tensor, hint: string): unknown {
      return hint === "string" || this.count !== 1 ? tensorText(this) : itemOf(this);
    },
  });
}

export type { NestedArray };
