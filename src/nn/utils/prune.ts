/**
 * Pruning: masks on parameters. `torch.nn.utils.prune`.
 *
 * @module
 */
import { AssertionError, AttributeError, IndexError, ValueError } from "../../base/errors.ts";
import { no_grad } from "../../autograd/grad_mode.ts";
import * as aten from "../../ops/mod.ts";
import type { Tensor } from "../../tensor.ts";
import { pyrepr } from "../../utils/pyrepr.ts";
import { typename } from "../../utils/typename.ts";
import type { ForwardPreHook } from "../modules/hooks.ts";
import type { Module } from "../modules/module.ts";
import type { Parameter } from "../parameter.ts";
import { parameters_to_vector } from "./convert_parameters.ts";
import { removeTensor, setTensor, tensorOf } from "./tensors.ts";

/** Which elements a method looks at once others have pruned: those left, the channels left, or all. */
export type PruningType = "unstructured" | "structured" | "global";

interface PruningHook extends ForwardPreHook {
  pruning: BasePruningMethod;
}

/** The pruning hooks of a module, with their numbers; of one tensor if named. */
function hooksOf(module: Module, name?: string): [number, BasePruningMethod][] {
  const found: [number, BasePruningMethod][] = [];
  for (const [id, hook] of module._hooks?.forwardPre ?? []) {
    const method = (hook as Partial<PruningHook>).pruning;
    if (method !== undefined && (name === undefined || method._tensor_name === name)) {
      found.push([id, method]);
    }
  }
  return found;
}

/** Base class of pruning methods: a subclass says which elements stay. */
export abstract class BasePruningMethod {
  _tensor_name = "";
  abstract readonly PRUNING_TYPE: PruningType;

  /** The mask for `t`, within `default_mask`. */
  abstract compute_mask(t: Tensor, default_mask: Tensor): Tensor;

  /** The pruned tensor of `module`. */
  apply_mask(module: Module): Tensor {
    if (this._tensor_name === "") throw new AssertionError(`Module ${module} has to be pruned`);
    const original = tensorOf(module, `${this._tensor_name}_orig`);
    return tensorOf(module, `${this._tensor_name}_mask`).to(original.dtype).mul(original);
  }

  /** A container of the method that pruned before and this one, in whose place it comes. */
  #joinedTo(module: Module, [id, old]: [number, BasePruningMethod]): PruningContainer {
    const container = old instanceof PruningContainer ? old : new PruningContainer(old);
    container.add_pruning_method(this);
    module._hooks!.forwardPre.delete(id);
    return container;
  }

  /** Prunes the parameter `name` of `module` by this method, on top of what was pruned before. */
  applyTo(module: Module, name: string, importance_scores: Tensor | null = null): BasePruningMethod {
    const before = hooksOf(module, name);
    if (before.length > 1) {
      throw new AssertionError(
        `Avoid adding multiple pruning hooks to the                same tensor ${name} of module ${module}. Use a ` +
          "PruningContainer.",
      );
    }
    this._tensor_name = name;
    const original = tensorOf(module, name);
    const scores = importance_scores ?? original;
    if (String(scores.shape) !== String(original.shape)) {
      throw new AssertionError(
        `importance_scores should have the same shape as parameter                 ${name} of ${module}`,
      );
    }
    const method = before.length === 1 ? this.#joinedTo(module, before[0]!) : this;
    const fresh = before.length === 0;
    const mask = no_grad(() => {
      const start = fresh ? aten.ones_like(original) : tensorOf(module, `${name}_mask`).clone();
      return method.compute_mask(scores.detach(), start);
    });
    if (fresh) {
      removeTensor(module, name);
      module.register_parameter(`${name}_orig`, original as Parameter);
    }
    module.register_buffer(`${name}_mask`, mask);
    setTensor(module, name, method.apply_mask(module));
    const hook = (m: Module): void => setTensor(m, name, method.apply_mask(m));
    module.register_forward_pre_hook(Object.assign(hook, { pruning: method }));
    return method;
  }

  /** `t` with this method's mask, without a module. */
  prune(t: Tensor, default_mask: Tensor | null = null, importance_scores: Tensor | null = null): Tensor {
    const scores = importance_scores ?? t;
    if (String(scores.shape) !== String(t.shape)) {
      throw new AssertionError("importance_scores should have the same shape as tensor t");
    }
    return t.mul(this.compute_mask(scores, default_mask ?? aten.ones_like(t)));
  }

  /** Makes the pruned tensor the parameter again. */
  remove(module: Module): void {
    const name = this._tensor_name;
    const weight = this.apply_mask(module).detach();
    const original = tensorOf(module, `${name}_orig`);
    for (const suffix of ["", "_orig", "_mask"]) removeTensor(module, name + suffix);
    original.data = weight;
    setTensor(module, name, original);
  }
}

/** Several methods on one tensor: each prunes among what those before it left. */
export class PruningContainer extends BasePruningMethod {
  override readonly PRUNING_TYPE = "unstructured";
  _pruning_methods: BasePruningMethod[] = [];

  constructor(...methods: BasePruningMethod[]) {
    super();
    if (methods.length > 0) this._tensor_name = methods[0]!._tensor_name;
    for (const m of methods) this.add_pruning_method(m);
  }
  /** Adds a method. */
  add_pruning_method(method: BasePruningMethod): void {
    if (!(method instanceof BasePruningMethod)) {
      throw new TypeError(`<class '${typename(method)}'> is not a BasePruningMethod subclass`);
    }
    if (method._tensor_name !== this._tensor_name) {
      throw new ValueError(
        `Can only add pruning methods acting on the parameter named '${this._tensor_name}' to PruningContainer ` +
          `${this.constructor.name}. Found '${method._tensor_name}'`,
      );
    }
    this._pruning_methods.push(method);
  }
  get length(): number {
    return this._pruning_methods.length;
  }
  *[Symbol.iterator](): Generator<BasePruningMethod> {
    yield* this._pruning_methods;
  }
  override compute_mask(t: Tensor, default_mask: Tensor): Tensor {
    const method = this._pruning_methods.at(-1)!;
    const mask = default_mask.to(t.dtype);
    if (method.PRUNING_TYPE === "global") return method.compute_mask(t, default_mask).to(t.dtype);
    if (method.PRUNING_TYPE === "unstructured") {
      const left = mask.reshape(-1).eq(1).nonzero().squeeze(1);
      const part = method.compute_mask(
        t.reshape(-1).index_select(0, left),
        mask.reshape(-1).index_select(0, left),
      );
      return mask.reshape(-1).index_copy(0, left, part.to(t.dtype)).view_as(mask);
    }
    const given = (method as { dim?: number }).dim;
    if (given === undefined) {
      throw new AttributeError(
        'Pruning methods of PRUNING_TYPE "structured" need to have the attribute `dim` defined.',
      );
    }
    const n = t.dim(), dim = given < 0 ? given + n : given;
    if (dim < 0) throw new IndexError(`Index is out of bounds for tensor with dimensions ${n}`);
    const others = t.shape.map((_, d) => d).filter((d) => d !== dim);
    const left = mask.sum(others).ne(0).nonzero().squeeze(1);
    const part = method.compute_mask(t.index_select(dim, left), mask.index_select(dim, left));
    return mask.index_copy(dim, left, part.to(t.dtype));
  }
}

/** How much to prune: a share, or a whole number of units. */
function checkAmount(amount: number): void {
  if (typeof amount !== "number") {
    throw new TypeError(`Invalid type for amount: ${amount}. Must be int or float.`);
  }
  if (Number.isInteger(amount) ? amount < 0 : amount > 1 || amount < 0) {
    throw new ValueError(
      `amount=${pyrepr(amount)} should either be a float in the range [0, 1] or a non-negative integer`,
    );
  }
}
/** Python's round: halves go to the even neighbour. */
function roundHalfEven(x: number): number {
  const r = Math.round(x);
  return Math.abs(x % 1) === 0.5 && r % 2 !== 0 ? r - 1 : r;
}
function unitsToPrune(amount: number, size: number): number {
  const n = Number.isInteger(amount) ? amount : roundHalfEven(amount * size);
  if (n > size) {
    throw new ValueError(`amount=${n} should be smaller than the number of parameters to prune=${size}`);
  }
  return n;
}
function checkStructured(t: Tensor, dim: number): void {
  if (t.dim() <= 1) {
    throw new ValueError(
      "Structured pruning can only be applied to multidimensional tensors. Found tensor of shape " +
        `${t.shape} with ${t.dim()} dims`,
    );
  }
  if (dim >= t.dim()) throw new IndexError(`Invalid index ${dim} for tensor of size ${t.shape}`);
}

/** Zeros at the `k` smallest scores. */
function maskSmallest(scores: Tensor, k: number, mask: Tensor, largest: boolean): Tensor {
  if (k === 0) return mask.clone();
  const at = aten.topk(scores.reshape(-1), k, -1, largest)[1];
  return mask.reshape(-1).index_fill(0, at, 0).view_as(mask);
}

/** Prunes nothing. */
export class Identity extends BasePruningMethod {
  override readonly PRUNING_TYPE = "unstructured";
  override compute_mask(_t: Tensor, default_mask: Tensor): Tensor {
    return default_mask;
  }
}

/** Prunes elements at random. */
export class RandomUnstructured extends BasePruningMethod {
  override readonly PRUNING_TYPE = "unstructured";
  amount: number;
  constructor(amount: number) {
    super();
    checkAmount(amount);
    this.amount = amount;
  }
  override compute_mask(t: Tensor, default_mask: Tensor): Tensor {
    const n = unitsToPrune(this.amount, t.numel());
    return n === 0 ? default_mask.clone() : maskSmallest(aten.rand_like(t), n, default_mask, true);
  }
}

/** Prunes the elements with the smallest absolute value. */
export class L1Unstructured extends BasePruningMethod {
  override readonly PRUNING_TYPE = "unstructured";
  amount: number;
  constructor(amount: number) {
    super();
    checkAmount(amount);
    this.amount = amount;
  }
  override compute_mask(t: Tensor, default_mask: Tensor): Tensor {
    return maskSmallest(t.abs(), unitsToPrune(this.amount, t.numel()), default_mask, false);
  }
}

/** A mask that keeps the given slices along `dim`, within `default_mask`. */
function keepSlices(t: Tensor, dim: number, keep: Tensor, default_mask: Tensor): Tensor {
  return aten.zeros_like(t).index_fill(dim, keep, 1).mul(default_mask.to(t.dtype));
}

/** Prunes slices along `dim` at random. */
export class RandomStructured extends BasePruningMethod {
  override readonly PRUNING_TYPE = "structured";
  amount: number;
  dim: number;
  constructor(amount: number, dim = -1) {
    super();
    checkAmount(amount);
    this.amount = amount;
    this.dim = dim;
  }
  override compute_mask(t: Tensor, default_mask: Tensor): Tensor {
    checkStructured(t, this.dim);
    const n = unitsToPrune(this.amount, t.size(this.dim));
    if (n === 0) return default_mask;
    const draws = aten.rand([t.size(this.dim)]);
    const keep = draws.gt(aten.kthvalue(draws, n)[0]).nonzero().squeeze(1);
    return keepSlices(t, this.dim, keep, default_mask);
  }
}

/** Prunes the slices along `dim` with the smallest n-norm. */
export class LnStructured extends BasePruningMethod {
  override readonly PRUNING_TYPE = "structured";
  amount: number;
  n: number;
  dim: number;
  constructor(amount: number, n: number, dim = -1) {
    super();
    checkAmount(amount);
    this.amount = amount;
    this.n = n;
    this.dim = dim;
  }
  override compute_mask(t: Tensor, default_mask: Tensor): Tensor {
    checkStructured(t, this.dim);
    const size = t.size(this.dim), n = unitsToPrune(this.amount, size);
    if (n === 0) return default_mask;
    const dim = this.dim < 0 ? this.dim + t.dim() : this.dim;
    const norms = t.norm(this.n, t.shape.map((_, d) => d).filter((d) => d !== dim));
    return keepSlices(t, dim, aten.topk(norms, size - n)[1], default_mask);
  }
}

/** Prunes by a given mask. */
export class CustomFromMask extends BasePruningMethod {
  override readonly PRUNING_TYPE = "global";
  mask: Tensor;
  constructor(mask: Tensor) {
    super();
    this.mask = mask;
  }
  override compute_mask(_t: Tensor, default_mask: Tensor): Tensor {
    if (String(default_mask.shape) !== String(this.mask.shape)) throw new AssertionError("");
    return default_mask.mul(this.mask.to(default_mask.dtype));
  }
}

function prune<M extends Module>(
  module: M,
  name: string,
  method: BasePruningMethod,
  scores: Tensor | null = null,
): M {
  method.applyTo(module, name, scores);
  return module;
}

/** Puts the machinery of pruning on a parameter without pruning anything. */
export function identity<M extends Module>(module: M, name: string): M {
  return prune(module, name, new Identity());
}
/** Prunes a share, or a number, of a parameter's elements at random. */
export function random_unstructured<M extends Module>(
  module: M,
  name: string,
  amount: number | { amount: number },
): M {
  return prune(module, name, new RandomUnstructured(typeof amount === "number" ? amount : amount.amount));
}
/** Prunes the elements with the smallest absolute value. */
export function l1_unstructured<M extends Module>(
  module: M,
  name: string,
  amount: number | { amount: number; importance_scores?: Tensor | null },
  importance_scores: Tensor | null = null,
): M {
  const o = typeof amount === "number" ? { amount, importance_scores } : amount;
  return prune(module, name, new L1Unstructured(o.amount), o.importance_scores ?? null);
}
/** Prunes slices along `dim` at random. */
export function random_structured<M extends Module>(
  module: M,
  name: string,
  amount: number | { amount: number; dim: number },
  dim = -1,
): M {
  const o = typeof amount === "number" ? { amount, dim } : amount;
  return prune(module, name, new RandomStructured(o.amount, o.dim));
}
/** Prunes the slices along `dim` with the smallest n-norm. */
export function ln_structured<M extends Module>(
  module: M,
  name: string,
  amount: number | { amount: number; n: number; dim: number; importance_scores?: Tensor | null },
  n = 2,
  dim = -1,
  importance_scores: Tensor | null = null,
): M {
  const o = typeof amount === "number" ? { amount, n, dim, importance_scores } : amount;
  return prune(module, name, new LnStructured(o.amount, o.n, o.dim), o.importance_scores ?? null);
}
/** Prunes by a given mask: 0 prunes, 1 keeps. */
export function custom_from_mask<M extends Module>(module: M, name: string, mask: Tensor): M {
  return prune(module, name, new CustomFromMask(mask));
}

/** A pruning method that looks at elements, made from options. */
// deno-lint-ignore no-explicit-any
type UnstructuredClass = new (...args: any[]) => BasePruningMethod;

/** Prunes several parameters together, as if they were one tensor. */
export function global_unstructured(
  parameters: Iterable<readonly [Module, string]>,
  pruning_method: UnstructuredClass,
  options: { amount: number; importance_scores?: ReadonlyMap<readonly [Module, string], Tensor> | null },
): void {
  const list = [...parameters];
  const scores = list.map((key) => options.importance_scores?.get(key) ?? tensorOf(key[0], key[1]));
  const masks = list.map(([m, name]) =>
    (tensorOf(m, `${name}_mask`) as Tensor | undefined) ?? aten.ones_like(tensorOf(m, name))
  );
  const method = new pruning_method(options.amount);
  method._tensor_name = "temp";
  if (method.PRUNING_TYPE !== "unstructured") {
    throw new TypeError(
      `Only "unstructured" PRUNING_TYPE supported for the \`pruning_method\`. Found method ${pruning_method.name} of type ` +
        method.PRUNING_TYPE,
    );
  }
  const all = no_grad(() =>
    new PruningContainer(method).compute_mask(parameters_to_vector(scores), parameters_to_vector(masks))
  );
  let offset = 0;
  for (const [module, name] of list) {
    const t = tensorOf(module, name), n = t.numel();
    custom_from_mask(module, name, all.narrow(0, offset, n).view_as(t));
    offset += n;
  }
}

/** Makes pruning permanent: the pruned tensor is the parameter again. */
export function remove<M extends Module>(module: M, name: string): M {
  const [found] = hooksOf(module, name);
  if (found === undefined) {
    throw new ValueError(
      `Parameter '${name}' of module ${module} has to be pruned before pruning can be removed`,
    );
  }
  found[1].remove(module);
  module._hooks!.forwardPre.delete(found[0]);
  return module;
}

/** Is any parameter of the module or its submodules pruned? */
export function is_pruned(module: Module): boolean {
  return [...module.modules()].some((m) => hooksOf(m).length > 0);
}
