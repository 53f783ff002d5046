/**
 * Batched tensors: what a function sees inside `torch.vmap`. Each is a tensor of the level below with one dimension
 * hidden, so to the function it looks like one sample.
 *
 * Note [Levels]: every running vmap has a level; a batched tensor may hold a batched tensor of a lower level. The graph
 * of autograd is recorded at the bottom only, on ordinary tensors, which is why `grad` inside `vmap` and `vmap` inside
 * `grad` need nothing more than the rules of this folder.
 *
 * @module
 */
import { RuntimeError } from "../../base/errors.ts";
import { contiguousStrides, numelOf } from "../../base/size.ts";
import { interpose } from "../../dispatch/interpose.ts";
import { Tensor } from "../../tensor.ts";
import { needsGrad } from "../graph.ts";

/** How random operators behave inside `vmap`. */
export type Randomness = "error" | "different" | "same";

/** A running vmap. */
export interface Level {
  readonly id: number;
  readonly size: number;
  readonly randomness: Randomness;
}

const levels: Level[] = [];

/** The running vmaps, outermost first. */
export function activeLevels(): readonly Level[] {
  return levels;
}

/** Runs `body` in a new level of `size` samples. */
export function inLevel<T>(size: number, randomness: Randomness, body: (level: Level) => T): T {
  const level = { id: levels.length + 1, size, randomness };
  levels.push(level);
  interpose.setMapping(true);
  try {
    return body(level);
  } finally {
    levels.pop();
    interpose.setMapping(levels.length > 0);
  }
}

/** Runs `body` with only the levels below `id`, as an operator's rule sees the world. */
export function below<T>(id: number, body: () => T): T {
  const taken = levels.splice(id - 1);
  interpose.setMapping(levels.length > 0);
  try {
    return body();
  } finally {
    levels.push(...taken);
    interpose.setMapping(levels.length > 0);
  }
}

const ITEM =
  "vmap: It looks like you're either (1) calling .item() on a Tensor or (2) attempting to use a Tensor in some " +
  "data-dependent control flow or (3) encountering this error in PyTorch internals. For (1): we don't support vmap over " +
  "calling .item() on a Tensor, please try to rewrite what you're doing with other operations. For (2): If you're doing " +
  "some control flow instead, we don't support that yet, please shout over at " +
  "https://github.com/pytorch/functorch/issues/257 . For (3): please file an issue.";

/** One sample to look at; `value` has one dimension more, `bdim`. */
export class BatchedTensor extends Tensor {
  readonly value: Tensor;
  readonly bdim: number;
  readonly level: number;

  constructor(value: Tensor, bdim: number, level: number) {
    const sizes = value.sizes.filter((_, i) => i !== bdim);
    const strides = value instanceof BatchedTensor
      ? contiguousStrides(sizes)
      : value.strides.filter((_, i) => i !== bdim);
    // No kernel may take this for an ordinary tensor: its place is not a number, which launches refuse.
    super(value.storage, value.dtype, sizes, strides, NaN, numelOf(sizes), false, value.anchor);
    this.value = value;
    this.bdim = bdim;
    this.level = level;
    this.leafGrad = needsGrad(value);
  }
  override get batched(): boolean {
    return true;
  }
  override requires_grad_(): this {
    throw new RuntimeError(
      "You are attempting to call Tensor.requires_grad_() inside of a function being transformed by a functorch " +
        "transform. This is unsupported, please attempt to use the functorch transforms (e.g. grad, vjp, jacrev, jacfwd, " +
        "hessian) or call requires_grad_() outside of a function being transformed instead.",
    );
  }
  override item(): never {
    throw new RuntimeError(ITEM);
  }
  override tolist(): never {
    throw new RuntimeError(ITEM);
  }
  override to_typed_array(): never {
    throw new RuntimeError(ITEM);
  }
  override numpy(): never {
    throw new RuntimeError(ITEM);
  }
  override is_nonzero(): never {
    throw new RuntimeError(
      "vmap: It looks like you're attempting to use a Tensor in some data-dependent control flow. We don't support that " +
        "yet, please shout over at https://github.com/pytorch/functorch/issues/257 .",
    );
  }
  override backward(): never {
    throw new RuntimeError(
      "backward() called inside a functorch transform. This is not supported, please use functorch.grad or " +
        "functorch.vjp instead or call backward() outside of functorch transforms.",
    );
  }
  override is_contiguous(): boolean {
    let expected = 1;
    for (let i = this.sizes.length - 1; i >= 0; i--) {
      if (this.sizes[i] !== 1 && this.strides[i] !== expected) return false;
      expected *= this.sizes[i]!;
    }
    return true;
  }
  override toString(): string {
    const inner = String(this.value).split("\n").map((line) => `    ${line}`).join("\n");
    return `BatchedTensor(lvl=${this.level}, bdim=${this.bdim}, value=\n${inner}\n)`;
  }
}

/** The level of a value: 0 for what is not batched. */
export function levelOf(x: unknown): number {
  return x instanceof BatchedTensor ? x.level : 0;
}

/** `t` with dimension `from` at `to`. */
export function moveDim(t: Tensor, from: number, to: number): Tensor {
  if (from === to) return t;
  const order = t.sizes.map((_, i) => i).filter((i) => i !== from);
  order.splice(to, 0, from);
  return t.permute(order);
}

/** Wraps `t`, whose dimension `bdim` is hidden at `level`; levels stay in order from outside to inside. */
export function addLevel(t: Tensor, bdim: number, level: number): BatchedTensor {
  if (!(t instanceof BatchedTensor) || t.level < level) return new BatchedTensor(t, bdim, level);
  const at = bdim >= t.bdim ? bdim + 1 : bdim;
  return new BatchedTensor(addLevel(t.value, at, level), t.bdim > at ? t.bdim - 1 : t.bdim, t.level);
}

/** `t` with the dimension that `level` hides shown at `dim`; expanded to `size` where it is not batched there. */
export function removeLevel(t: Tensor, level: number, dim: number, size: number): Tensor {
  if (t instanceof BatchedTensor && t.level === level) return moveDim(t.value, t.bdim, dim);
  if (t instanceof BatchedTensor && t.level > level) {
    const inner = removeLevel(t.value, level, 0, size);
    return moveDim(new BatchedTensor(inner, t.bdim + 1, t.level), 0, dim);
  }
  const sizes = t.sizes.slice();
  sizes.splice(dim, 0, size);
  return t.unsqueeze(dim).expand(sizes);
}
