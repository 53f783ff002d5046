/**
 * Function transforms that differentiate: `torch.func.grad`, `vjp`, `jvp`, `jacrev`, `jacfwd`, `hessian`, `linearize`.
 *
 * They record an ordinary graph and walk it. Where nothing outside wants a gradient of the result, neither graph nor
 * results outlive the call. Forward-mode products come from differentiating the vector-Jacobian product, which is
 * linear in the vector (double backward).
 *
 * @see https://pytorch.org/docs/stable/func.html
 * @module
 */
import { RuntimeError, ValueError } from "../base/errors.ts";
import { Tree, treeMap } from "../base/pytree.ts";
import { fn } from "../dispatch/functions.ts";
import { isOptions } from "../dispatch/schema.ts";
import { Tensor } from "../tensor.ts";
import { grad as engineGrad } from "./engine.ts";
import { enable_grad, mode } from "./grad_mode.ts";
import { AccumulateGrad, currentNode, needsGrad, type Node } from "./graph.ts";
import { activeLevels, addLevel, BatchedTensor, removeLevel } from "./vmap/batched.ts";
import { type AnyFunction, vmap } from "./vmap/vmap.ts";

/** Which positional arguments to differentiate. */
export type Argnums = number | readonly number[];

// ---- tensors at the bottom -----------------------------------------------------------------------------------------

/** The ordinary tensor under a batched one, which the graph knows. */
function bottom(t: Tensor): Tensor {
  return t instanceof BatchedTensor ? bottom(t.value) : t;
}

/** `t` as the layout of `like` has it at the bottom: the levels at which `like` is batched become dimensions. */
function toBottom(t: Tensor, like: Tensor): Tensor {
  if (!(like instanceof BatchedTensor)) return t;
  const size = like.value.sizes[like.bdim]!;
  return toBottom(removeLevel(t, like.level, like.bdim, size), like.value);
}

/** The inverse: a result in the layout of `like` at the bottom, batched as `like` is. */
function fromBottom(t: Tensor, like: Tensor): Tensor {
  if (!(like instanceof BatchedTensor)) return t;
  return addLevel(fromBottom(t, like.value), like.bdim, like.level);
}

/** Gradients of outputs by inputs, any of them batched; zeros where an input is not used. */
function gradients(
  outputs: readonly Tensor[],
  inputs: readonly Tensor[],
  seeds: readonly (Tensor | null)[],
  createGraph: boolean,
  retainGraph = true,
): Tensor[] {
  const live = outputs.map((y, i) => [y, seeds[i]!] as const).filter(([y]) => needsGrad(bottom(y)));
  const zeros = (t: Tensor): Tensor => fn.zeros_like!(t) as Tensor;
  if (live.length === 0) return inputs.map(zeros);
  const gs = engineGrad(live.map(([y]) => bottom(y)), inputs.map(bottom), {
    grad_outputs: live.map(([y, s]) => toBottom(s ?? fn.ones_like!(y) as Tensor, y)),
    create_graph: createGraph,
    retain_graph: retainGraph,
    allow_unused: true,
  });
  return gs.map((g, i) => (g === null ? zeros(inputs[i]!) : fromBottom(g, inputs[i]!)));
}

/**
 * A tensor to differentiate by: a new leaf, or a view of `t` if an outer graph wants its gradient. Inside vmap it is
 * batched at every level, so that the gradient of a shared tensor is one for each sample.
 */
function tracked(t: Tensor): Tensor {
  for (const level of activeLevels()) {
    if (!batchedAt(t, level.id)) {
      t = addLevel(removeLevel(t, level.id, 0, level.size), 0, level.id);
    }
  }
  const layout = t;
  const b = bottom(t);
  const fresh = needsGrad(b) ? b.view_as(b) : b.detach().requires_grad_(true);
  const rebuild = (like: Tensor): Tensor =>
    like instanceof BatchedTensor ? new BatchedTensor(rebuild(like.value), like.bdim, like.level) : fresh;
  return rebuild(layout);
}

function batchedAt(t: Tensor, level: number): boolean {
  return t instanceof BatchedTensor && (t.level === level || batchedAt(t.value, level));
}

/** Does the graph of these tensors reach anything but `own`: does somebody outside want gradients? */
function reachesOthers(tensors: readonly Tensor[], own: ReadonlySet<Tensor>): boolean {
  const seen = new Set<Node>();
  const stack: Node[] = [];
  const push = (n: Node | null): void => {
    if (n !== null && !seen.has(n)) {
      seen.add(n);
      stack.push(n);
    }
  };
  for (const t of tensors) {
    const b = bottom(t);
    if (b.leafGrad && currentNode(b) === null) {
      if (!own.has(b)) return true;
    } else push(currentNode(b));
  }
  while (stack.length > 0) {
    const node = stack.pop()!;
    if (node instanceof AccumulateGrad && !own.has(node.variable)) return true;
    for (const next of node.next) push(next);
  }
  return false;
}

/** What is being differentiated: the tensors to differentiate by, and whether results keep a graph. */
class Tracking {
  readonly #own = new Set<Tensor>();
  readonly outer: boolean;
  constructor(outer: boolean) {
    this.outer = outer;
  }
  input(t: Tensor): Tensor {
    const x = tracked(t);
    const b = bottom(x);
    if (b.leafGrad) this.#own.add(b);
    return x;
  }
  /** Must derivatives of these outputs be recorded? */
  wanted(outputs: readonly Tensor[]): boolean {
    return this.outer && reachesOthers(outputs, this.#own);
  }
  /** A tensor to hand out: without the graph of this transform unless somebody outside wants it. */
  release(t: Tensor): Tensor {
    if (!needsGrad(bottom(t))) return t;
    return this.outer && reachesOthers([t], this.#own) ? t : t.detach();
  }
  releaseAll(value: unknown): unknown {
    return treeMap((x) => (x instanceof Tensor ? this.release(x) : x), value);
  }
}

function kindOf(x: unknown): string {
  if (x === null || x === undefined) return "<class 'NoneType'>";
  if (Array.isArray(x)) return "<class 'tuple'>";
  if (typeof x === "number") return Number.isInteger(x) ? "<class 'int'>" : "<class 'float'>";
  return `<class '${typeof x === "object" ? "dict" : typeof x}'>`;
}

// ---- arguments -----------------------------------------------------------------------------------------------------

/** Chooses the arguments to differentiate by; `put` gives the argument list with others in their place. */
function chosen(
  argnums: Argnums,
  args: readonly unknown[],
): { tree: Tree; put: (value: unknown) => unknown[] } {
  const check = (n: number): number => {
    if (!Number.isInteger(n)) throw new RuntimeError(`argnum must be int, got: ${kindOf(n)}`);
    if (n >= args.length || n < -args.length) {
      throw new RuntimeError(`Got argnum=${n}, but only ${args.length} positional inputs`);
    }
    return n < 0 ? n + args.length : n;
  };
  if (typeof argnums === "number") {
    const n = check(argnums);
    return { tree: differentiable(new Tree(args[n])), put: (v) => args.map((a, i) => (i === n ? v : a)) };
  }
  if (argnums.length === 0) throw new RuntimeError("argnums must be non-empty");
  const list = argnums.map(check);
  if (new Set(list).size !== list.length) {
    throw new RuntimeError(`argnums elements must be unique, got (${list.join(", ")})`);
  }
  return {
    tree: differentiable(new Tree(list.map((n) => args[n]))),
    put: (v) =>
      args.map((a, i) => {
        const at = list.indexOf(i);
        return at < 0 ? a : (v as unknown[])[at];
      }),
  };
}

function differentiable(tree: Tree): Tree {
  for (const t of tree.leaves) {
    if (!(t instanceof Tensor)) {
      throw new ValueError(`Thing passed to transform API must be Tensor, got ${kindOf(t)}`);
    }
  }
  return tree;
}

function withAux(where: string, out: unknown, hasAux: boolean): [unknown, unknown] {
  if (!hasAux) return [out, undefined];
  if (!Array.isArray(out) || out.length !== 2) {
    throw new RuntimeError(
      `${where}: output of function f should be a tuple: (output, aux) if has_aux is True`,
    );
  }
  return [out[0], out[1]];
}

/** Keywords of {@linkcode grad} and {@linkcode grad_and_value}. */
export interface GradTransformOptions {
  argnums?: Argnums;
  /** `func` returns `[output, aux]`; aux is handed through. */
  has_aux?: boolean;
}

function gradOptions(
  argnums: Argnums | GradTransformOptions | undefined,
  rest: unknown,
): GradTransformOptions {
  if (isOptions(argnums)) return argnums as GradTransformOptions;
  const more = isOptions(rest)
    ? rest as GradTransformOptions
    : rest === undefined
    ? {}
    : { has_aux: rest as boolean };
  return { argnums: (argnums ?? 0) as Argnums, ...more };
}

// ---- transforms ----------------------------------------------------------------------------------------------------

/** The type of what a transform returns: tensors nested as the arguments are. */
// deno-lint-ignore no-explicit-any -- the nesting follows the user's function
type Nested = any;

/**
 * A function that computes the gradient of `func`, which returns a scalar, and the value: `[gradient, value]`, with
 * `has_aux` `[gradient, [value, aux]]`.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.func.grad_and_value.html
 */
export function grad_and_value(
  func: AnyFunction,
  argnums?: Argnums | GradTransformOptions,
  has_aux?: boolean | GradTransformOptions,
): (...args: unknown[]) => Nested {
  const o = gradOptions(argnums, has_aux);
  return (...args) => {
    const tracking = new Tracking(mode.grad);
    return enable_grad(() => {
      const { tree, put } = chosen(o.argnums ?? 0, args);
      const inputs = tree.leaves.map((t) => tracking.input(t as Tensor));
      const [y, aux] = withAux(
        "grad_and_value(f)(*args)",
        func(...put(tree.build(inputs))),
        o.has_aux ?? false,
      );
      if (!(y instanceof Tensor)) {
        throw new RuntimeError(
          `grad_and_value(f)(*args): Expected f(*args) to return a tensor, got ${kindOf(y)}`,
        );
      }
      if (y.sizes.length !== 0) {
        throw new RuntimeError(
          "grad_and_value(f)(*args): Expected f(*args) to return a scalar tensor, got tensor with " +
            `${y.sizes.length} dims. Maybe you wanted to use the vjp or jacrev APIs instead?`,
        );
      }
      const record = tracking.wanted([y]);
      const keep = record || needsLater(aux);
      const gs = gradients([y], inputs, [null], record, keep).map((g) => tracking.release(g));
      const value = tracking.release(y);
      return [tree.build(gs), o.has_aux ? [value, tracking.releaseAll(aux)] : value];
    });
  };
}

/** Does aux hold a graph that must survive the backward pass? */
function needsLater(aux: unknown): boolean {
  return new Tree(aux).leaves.some((t) => t instanceof Tensor && needsGrad(bottom(t)));
}

/**
 * A function that computes the gradient of `func`, which returns a scalar, by its arguments `argnums` (default: the
 * first). Arguments may be nested arrays, objects and Maps of tensors; the gradient is nested in the same way. With
 * `has_aux`, `func` returns `[output, aux]` and the result is `[gradient, aux]`.
 *
 * ```ts
 * torch.func.grad((x) => x.sin().sum())(torch.tensor([0, 1])); // cos(x)
 * ```
 *
 * @see https://pytorch.org/docs/stable/generated/torch.func.grad.html
 */
export function grad(
  func: AnyFunction,
  argnums?: Argnums | GradTransformOptions,
  has_aux?: boolean | GradTransformOptions,
): (...args: unknown[]) => Nested {
  const both = grad_and_value(func, argnums, has_aux);
  const aux = gradOptions(argnums, has_aux).has_aux ?? false;
  return (...args) => {
    const [g, value] = both(...args);
    return aux ? [g, value[1]] : g;
  };
}

/** Keywords of {@linkcode vjp} and {@linkcode jvp}. */
export interface AuxOptions {
  has_aux?: boolean;
}

function outputTensors(where: string, out: unknown): { tree: Tree; list: Tensor[] } {
  const tree = new Tree(out);
  for (const t of tree.leaves) {
    if (!(t instanceof Tensor)) {
      throw new RuntimeError(
        `${where}: expected f(*args) to return only tensors, got unsupported type ${kindOf(t)}`,
      );
    }
  }
  if (tree.leaves.length === 0) {
    throw new RuntimeError(
      `${where}: Expected f to be a function that has non-empty output (got output = ${tree})`,
    );
  }
  return { tree, list: tree.leaves as Tensor[] };
}

function splitOptions(values: readonly unknown[]): [unknown[], AuxOptions] {
  const last = values[values.length - 1];
  const keys = isOptions(last) ? Object.keys(last) : [];
  return keys.length === 1 && keys[0] === "has_aux"
    ? [values.slice(0, -1), last as AuxOptions]
    : [values.slice(), {}];
}

/**
 * `[func(...primals), vjp_fn]`: `vjp_fn(cotangents)` is the vector-Jacobian product, one entry for each primal. With
 * `has_aux` (a trailing `{ has_aux: true }`) also what `func` returned beside its output.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.func.vjp.html
 */
export function vjp(func: AnyFunction, ...primals_and_options: unknown[]): Nested {
  const [primals, o] = splitOptions(primals_and_options);
  const tracking = new Tracking(mode.grad);
  return enable_grad(() => {
    const tree = differentiable(new Tree(primals));
    const inputs = tree.leaves.map((t) => tracking.input(t as Tensor));
    const [out, aux] = withAux(
      "vjp(f, *primals)",
      func(...tree.build(inputs) as unknown[]),
      o.has_aux ?? false,
    );
    const y = outputTensors("vjp(f, *primals)", out);
    const pull = (
      cotangents: unknown,
      options: { retain_graph?: boolean; create_graph?: boolean } = {},
    ): unknown => {
      const seeds = new Tree(cotangents);
      if (!seeds.matches(y.tree)) {
        throw new RuntimeError(
          "Expected pytree structure of cotangents to be the same as pytree structure of outputs to the function. " +
            `cotangents: ${seeds}, primal output: ${y.tree}`,
        );
      }
      const record = options.create_graph ??
        (mode.grad && (tracking.wanted(y.list) || seeds.leaves.some((t) => needsGrad(bottom(t as Tensor)))));
      const gs = gradients(y.list, inputs, seeds.leaves as Tensor[], record, options.retain_graph ?? true);
      return tree.build(gs.map((g) => record ? g : tracking.release(g)));
    };
    const value = tracking.releaseAll(out);
    return o.has_aux ? [value, pull, tracking.releaseAll(aux)] : [value, pull];
  });
}

/** A function at a point, ready for Jacobian-vector products. */
interface Linear {
  readonly out: unknown;
  readonly aux: unknown;
  readonly tracking: Tracking;
  /** The product with tangents nested as the primals. */
  push(tangents: readonly Tensor[]): unknown;
}

function linearAt(where: string, func: AnyFunction, primals: readonly unknown[], hasAux: boolean): Linear {
  const tracking = new Tracking(mode.grad);
  return enable_grad(() => {
    const tree = differentiable(new Tree(primals));
    const inputs = tree.leaves.map((t) => tracking.input(t as Tensor));
    const [out, aux] = withAux(where, func(...tree.build(inputs) as unknown[]), hasAux);
    const y = outputTensors(where, out);
    // v -> J^T v is linear in v; its transpose is J.
    const vs = y.list.map((t) => tracking.input(fn.zeros_like!(t) as Tensor));
    const pulled = gradients(y.list, inputs, vs, true);
    const push = (tangents: readonly Tensor[]): unknown => {
      const record = mode.grad &&
        (tracking.wanted(y.list) || tangents.some((t) => needsGrad(bottom(t))));
      const products = gradients(pulled, vs, tangents, record);
      return y.tree.build(products.map((p) => record ? p : tracking.release(p)));
    };
    return { out, aux, tracking, push };
  });
}

/**
 * `[func(...primals), J tangents]`: the Jacobian-vector product, with `has_aux` also aux. Computed by double backward.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.func.jvp.html
 */
export function jvp(
  func: AnyFunction,
  primals: readonly unknown[],
  tangents: readonly unknown[],
  options: { strict?: boolean; has_aux?: boolean } = {},
): Nested {
  const where = "jvp(f, primals, tangents)";
  if (!Array.isArray(primals)) {
    throw new RuntimeError(
      `${where}: Expected primals to be a tuple. E.g. it should be valid to call f(*primals).`,
    );
  }
  const p = new Tree(primals), t = new Tree(tangents);
  if (!p.matches(t)) {
    throw new RuntimeError(
      `${where}: Expected primals and tangents to have the same python structure. For example, if primals is a tuple of 3 ` +
        `tensors, tangents also must be. Got primals with structure ${p} and tangents with structure ${t}`,
    );
  }
  if (p.leaves.length === 0) {
    throw new RuntimeError(`${where}: Expected primals to contain at least one Tensor`);
  }
  const linear = linearAt(where, func, primals, options.has_aux ?? false);
  const product = linear.push(differentiable(t).leaves as Tensor[]);
  const value = linear.tracking.releaseAll(linear.out);
  return options.has_aux ? [value, product, linear.tracking.releaseAll(linear.aux)] : [value, product];
}

/**
 * `[func(...primals), jvp_fn]`: `jvp_fn(...tangents)` gives Jacobian-vector products at `primals` without running
 * `func` again.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.func.linearize.html
 */
export function linearize(func: AnyFunction, ...primals: unknown[]): Nested {
  const linear = linearAt("linearize(f, *primals)", func, primals, false);
  const shape = new Tree(primals);
  const product = (...tangents: unknown[]): unknown => {
    const t = new Tree(tangents);
    if (!t.matches(shape)) {
      throw new RuntimeError(
        `Expected the tangents ${t} to have the same argspec as the primals ${shape}`,
      );
    }
    t.leaves.forEach((x, i) => {
      const want = shape.leaves[i] as Tensor, got = x as Tensor;
      if (String(want.shape) !== String(got.shape)) {
        throw new RuntimeError(
          `Expected tangent with shape ${want.shape} but found tangent with shape ${got.shape} in flattened_pytree[${i}]`,
        );
      }
    });
    return linear.push(t.leaves as Tensor[]);
  };
  return [linear.tracking.releaseAll(linear.out), product];
}

/** Keywords of {@linkcode jacrev} and {@linkcode jacfwd}. */
export interface JacobianOptions {
  argnums?: Argnums;
  has_aux?: boolean;
  /** Rows (columns) computed at a time; null: all. */
  chunk_size?: number | null;
  /** Of the vmap over the basis. */
  randomness?: "error" | "different" | "same";
}

function jacobianOptions(
  argnums: Argnums | JacobianOptions | undefined,
  options: JacobianOptions,
): JacobianOptions {
  return isOptions(argnums) ? argnums as JacobianOptions : { argnums: (argnums ?? 0) as Argnums, ...options };
}

/** For each tensor, the unit vectors of all of them together: (total, ...sizes). */
function basis(tensors: readonly Tensor[]): Tensor[] {
  const total = tensors.reduce((n, t) => n + t.count, 0);
  let at = 0;
  return tensors.map((t) => {
    const eye = fn.eye!(total, { dtype: t.dtype, device: t.device }) as Tensor;
    const part = eye.narrow(1, at, t.count).reshape([total, ...t.sizes]);
    at += t.count;
    return part;
  });
}

/**
 * A function that computes the Jacobian of `func` row by row (reverse mode), all rows at once by vmap: for each output
 * and chosen argument a tensor of shape (output..., argument...), nested as output, then argument.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.func.jacrev.html
 */
export function jacrev(
  func: AnyFunction,
  argnums?: Argnums | JacobianOptions,
  options: JacobianOptions = {},
): (...args: unknown[]) => Nested {
  const o = jacobianOptions(argnums, options);
  return (...args) => {
    const { tree, put } = chosen(o.argnums ?? 0, args);
    const f = (...leaves: unknown[]): unknown => func(...put(tree.build(leaves)));
    const [out, pull, aux] = vjp(f, ...tree.leaves, { has_aux: o.has_aux ?? false });
    const y = new Tree(out);
    const outputs = y.leaves as Tensor[];
    const rows = vmap((...seeds: unknown[]) => pull(y.build(seeds)), {
      chunk_size: o.chunk_size ?? null,
      randomness: o.randomness ?? "error",
    })(...basis(outputs)) as Tensor[];
    let at = 0;
    const jacobian = y.build(outputs.map((t) => {
      const from = at;
      at += t.count;
      return tree.build(
        rows.map((r, k) =>
          r.narrow(0, from, t.count).reshape([...t.sizes, ...(tree.leaves[k] as Tensor).sizes])
        ),
      );
    }));
    return o.has_aux ? [jacobian, aux] : jacobian;
  };
}

/**
 * Like {@linkcode jacrev}, column by column: for functions with fewer inputs than outputs.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.func.jacfwd.html
 */
export function jacfwd(
  func: AnyFunction,
  argnums?: Argnums | JacobianOptions,
  options: JacobianOptions = {},
): (...args: unknown[]) => Nested {
  const o = jacobianOptions(argnums, options);
  return (...args) => {
    const { tree, put } = chosen(o.argnums ?? 0, args);
    const inputs = tree.leaves as Tensor[];
    const f = (...leaves: unknown[]): unknown => func(...put(tree.build(leaves)));
    const linear = linearAt("jacfwd(f)(*args)", f, inputs, o.has_aux ?? false);
    const y = new Tree(linear.out);
    const columns = new Tree(
      vmap((...tangents: unknown[]) => linear.push(tangents as Tensor[]), {
        chunk_size: o.chunk_size ?? null,
        randomness: o.randomness ?? "error",
      })(...basis(inputs)),
    );
    const jacobian = y.build(columns.leaves.map((c, k) => {
      const sizes = (y.leaves[k] as Tensor).sizes;
      let at = 0;
      return tree.build(inputs.map((x) => {
        const part = (c as Tensor).narrow(0, at, x.count);
        at += x.count;
        return part.movedim(0, -1).reshape([...sizes, ...x.sizes]);
      }));
    }));
    return o.has_aux ? [jacobian, linear.tracking.releaseAll(linear.aux)] : jacobian;
  };
}

/**
 * A function that computes the Hessian of `func`, a Jacobian of its Jacobian.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.func.hessian.html
 */
export function hessian(func: AnyFunction, argnums: Argnums = 0): (...args: unknown[]) => Nested {
  return jacrev(jacrev(func, argnums), argnums);
}
