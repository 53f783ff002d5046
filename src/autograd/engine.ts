/**
 * The backward pass: walks the graph from the roots, newest node first, and hands gradients along the edges.
 *
 * Nodes are numbered as they are made and edges lead from later to earlier ones, so taking the largest number among
 * those with a gradient is a topological order; it is also the order in which PyTorch's engine adds gradients up.
 *
 * @module
 */
import { RuntimeError } from "../base/errors.ts";
import { beginScope, endScope, external } from "../base/scope.ts";
import { sameSizes } from "../base/size.ts";
import { drop, escape, retain } from "../base/storage.ts";
import { detached, isLazy, Tensor } from "../tensor.ts";
import { anomaly } from "./anomaly.ts";
import { mode } from "./grad_mode.ts";
import {
  AccumulateGrad,
  accumulatorOf,
  currentNode,
  gradMeta,
  installAccumulate,
  needsGrad,
  type Node,
} from "./graph.ts";

/** A binary heap of nodes, largest sequence number first. */
class NodeQueue {
  #heap: Node[] = [];
  get size(): number {
    return this.#heap.length;
  }
  push(node: Node): void {
    const h = this.#heap;
    let i = h.length;
    h.push(node);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (h[parent]!.seq >= node.seq) break;
      h[i] = h[parent]!;
      i = parent;
    }
    h[i] = node;
  }
  pop(): Node {
    const h = this.#heap;
    const top = h[0]!;
    const last = h.pop()!;
    const n = h.length;
    if (n > 0) {
      let i = 0;
      for (;;) {
        let child = 2 * i + 1;
        if (child >= n) break;
        if (child + 1 < n && h[child + 1]!.seq > h[child]!.seq) child++;
        if (h[child]!.seq <= last.seq) break;
        h[i] = h[child]!;
        i = child;
      }
      h[i] = last;
    }
    return top;
  }
}

interface Options {
  keepGraph: boolean;
  createGraph: boolean;
  /** Where gradients of chosen inputs go instead of into leaves; null for `backward()`. */
  capture: Map<Node, Map<number, number>> | null;
}

/** How many backward passes are running; more than one where a node's backward calls backward again. */
let depth = 0;

/** Runs the pass; returns the captured gradients. */
function run(
  roots: { node: Node; nr: number; grad: Tensor | null }[],
  options: Options,
  captures: number,
): (Tensor | null)[] {
  const buffers = new Map<Node, (Tensor | null)[]>();
  const queue = new NodeQueue();
  const captured = new Array<Tensor | null>(captures).fill(null);
  const needed = options.capture === null ? null : neededFor(roots, options.capture);

  const give = (node: Node, nr: number, grad: Tensor | null): void => {
    if (needed !== null && !needed.has(node)) return;
    let buffer = buffers.get(node);
    if (buffer === undefined) {
      buffer = new Array<Tensor | null>(node.results).fill(null);
      buffers.set(node, buffer);
      queue.push(node);
    }
    if (grad === null) return;
    const old = buffer[nr] ?? null;
    if (old === null) {
      retain(grad.storage);
      buffer[nr] = grad;
      return;
    }
    // Add in place where the sum belongs to this pass alone.
    let sum: Tensor;
    if (
      !options.createGraph && !grad.batched && old.storage.refs === 1 && !old.storage.escaped && old.packed &&
      old.dtype === grad.dtype
    ) {
      sum = old.add_(grad);
    } else {
      sum = old.add(grad);
      retain(sum.storage);
      drop(old.storage);
    }
    buffer[nr] = sum;
  };

  const formerGrad = mode.grad, formerInference = mode.inference;
  mode.grad = options.createGraph;
  mode.inference = false;
  depth++;
  try {
    for (const { node, nr, grad } of roots) give(node, nr, grad);
    while (queue.size > 0) {
      const node = queue.pop();
      const grads = buffers.get(node)!;
      buffers.delete(node);
      const outer = beginScope();
      let outputs: (Tensor | null)[] | undefined;
      try {
        runResultHooks(node, grads);
        const wanted = options.capture?.get(node);
        if (wanted !== undefined) {
          for (const [nr, slot] of wanted) captured[slot] = keepGrad(grads[nr] ?? null);
        }
        if (node instanceof AccumulateGrad) {
          // With chosen inputs the leaves' own gradients stay as they are.
          if (options.capture === null) node.apply(grads);
          outputs = [];
        } else if (needed !== null && !leadsOn(node, needed)) {
          outputs = [];
        } else {
          outputs = applyNode(node, grads);
        }
        for (let i = 0; i < outputs.length; i++) {
          const next = node.next[i] ?? null;
          if (next !== null) give(next, node.nextNr[i]!, outputs[i] ?? null);
        }
      } finally {
        for (const g of grads) if (g !== null) drop(g.storage);
        if (!options.keepGraph) node.release();
        endScope(outer, null);
      }
    }
    if (depth === 1) { for (const f of callbacks.splice(0)) external(f); }
    return captured;
  } finally {
    if (depth === 1) callbacks.length = 0;
    // After an error: let go of what is still waiting.
    for (const buffer of buffers.values()) for (const g of buffer) if (g !== null) drop(g.storage);
    depth--;
    mode.grad = formerGrad;
    mode.inference = formerInference;
  }
}

const callbacks: (() => void)[] = [];

/** Runs `f` when the backward pass that is going on is through; without one it never runs. */
export function queueCallback(f: () => void): void {
  callbacks.push(f);
}

/** A gradient that a user will see. */
function keepGrad(grad: Tensor | null): Tensor | null {
  if (grad !== null) escape(grad.storage);
  return grad;
}

function runResultHooks(node: Node, grads: (Tensor | null)[]): void {
  const replace = (i: number, g: Tensor): void => {
    retain(g.storage);
    if (grads[i]) drop(grads[i].storage);
    grads[i] = g;
  };
  const runTensorHooks = (
    i: number,
    hooks: Iterable<(grad: Tensor) => Tensor | void | null> | undefined,
  ): void => {
    if (hooks === undefined) return;
    for (const hook of [...hooks]) {
      const g = grads[i];
      if (!g) return;
      escape(g.storage);
      const result = external(() => hook(g));
      if (result instanceof Tensor) {
        checkHookResult(g, result);
        replace(i, result);
      } else if (result !== undefined && result !== null) {
        throw new RuntimeError(`expected Variable, but hook returned '${typeof result}'`);
      }
    }
  };
  if (node instanceof AccumulateGrad) {
    runTensorHooks(0, node.variable.meta?.hooks?.values());
  } else if (node.resultHooks !== null) {
    for (let i = 0; i < grads.length; i++) runTensorHooks(i, node.resultHooks[i]?.values());
  }
  if (node.preHooks !== null) {
    for (const hook of [...node.preHooks.values()]) {
      for (const g of grads) if (g !== null) escape(g.storage);
      const result = external(() => hook(grads.slice()));
      if (result === undefined || result === null) continue;
      const list = Array.isArray(result) ? result : [result];
      list.forEach((g, i) => g instanceof Tensor && g !== grads[i] && replace(i, g));
    }
  }
  if (node.retained !== null) {
    node.retained.forEach((t, i) => {
      const g = grads[i];
      if (!t || !g) return;
      const meta = gradMeta(t);
      escape(g.storage);
      meta.grad = meta.grad === null ? (mode.grad ? g : detached(g)) : external(() => meta.grad!.add(g));
    });
  }
}

function checkHookResult(old: Tensor, fresh: Tensor): void {
  if (!sameSizes(old.sizes, fresh.sizes)) {
    throw new RuntimeError(
      `hook '<lambda>' has changed the size of value: expected [${old.sizes.join(", ")}], got [${
        fresh.sizes.join(", ")
      }]`,
    );
  }
}

function applyNode(node: Node, grads: (Tensor | null)[]): (Tensor | null)[] {
  let outputs: (Tensor | null)[];
  try {
    outputs = node.apply(grads);
  } catch (e) {
    if (anomaly.enabled && node.trace !== null) {
      console.warn(
        `Error detected in ${node.name()}. Traceback of forward call that caused the error:\n${node.trace}`,
      );
    }
    throw e;
  }
  if (node.postHooks !== null) {
    for (const hook of [...node.postHooks.values()]) {
      for (const g of outputs) if (g) escape(g.storage);
      for (const g of grads) if (g) escape(g.storage);
      const result = external(() => hook(outputs, grads));
      if (Array.isArray(result)) outputs = result as (Tensor | null)[];
      else if (result instanceof Tensor) outputs = [result];
    }
  }
  if (anomaly.enabled && anomaly.checkNan) checkNan(node, outputs);
  return outputs;
}

function checkNan(node: Node, outputs: (Tensor | null)[]): void {
  outputs.forEach((g, i) => {
    if (g === null || !g.dtype.is_floating_point || g.count === 0) return;
    if (!g.detach().isnan().any().item()) return;
    if (node.trace !== null) {
      console.warn(
        `Error detected in ${node.name()}. Traceback of forward call that caused the error:\n${node.trace}`,
      );
    }
    throw new RuntimeError(`Function '${node.name()}' returned nan values in its ${i}th output.`);
  });
}

/** The nodes from which one of the captured nodes can be reached, and these themselves. */
function neededFor(roots: { node: Node }[], capture: Map<Node, unknown>): Set<Node> {
  const state = new Map<Node, boolean>();
  for (const root of roots) {
    const stack: [Node, number][] = [[root.node, 0]];
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      const [node, i] = top;
      if (i === 0) {
        if (state.has(node)) {
          stack.pop();
          continue;
        }
        state.set(node, capture.has(node));
      }
      if (i < node.next.length) {
        top[1]++;
        const next = node.next[i];
        if (next && !state.has(next)) stack.push([next, 0]);
      } else {
        if (node.next.some((n) => n !== null && state.get(n))) state.set(node, true);
        stack.pop();
      }
    }
  }
  return new Set([...state].filter(([, yes]) => yes).map(([n]) => n));
}

function leadsOn(node: Node, needed: Set<Node>): boolean {
  return node.next.some((n) => n !== null && needed.has(n));
}

installAccumulate((leaf, grad) => {
  if (grad === null) return;
  const meta = gradMeta(leaf);
  const old = meta.grad;
  if (old === null) {
    const own = !mode.grad && !grad.storage.escaped && grad.storage.refs === 1 && grad.packed &&
      !isLazy(grad) &&
      grad.count * grad.dtype.itemsize === grad.storage.nbytes;
    if (own) {
      escape(grad.storage);
      meta.grad = grad.node === null ? grad : detached(grad);
    } else {
      const copy = mode.grad ? grad.clone() : grad.detach().clone();
      escape(copy.storage);
      meta.grad = copy;
    }
  } else if (mode.grad) {
    const sum = old.add(grad);
    escape(sum.storage);
    meta.grad = sum;
  } else old.add_(grad);
  if (meta.postHooks !== null) {
    for (const hook of [...meta.postHooks.values()]) external(() => hook(leaf));
  }
});

function rootOf(t: Tensor): { node: Node; nr: number } {
  const node = currentNode(t);
  return node !== null ? { node, nr: t.outputNr } : { node: accumulatorOf(t), nr: 0 };
}

function rootGrad(t: Tensor, grad: Tensor | null, i: number, createGraph: boolean): Tensor | null {
  if (grad !== null) {
    if (!sameSizes(grad.sizes, t.sizes)) {
      throw new RuntimeError(
        `Mismatch in shape: grad_output[${i}] has a shape of ${grad.shape} and output[${i}] has a shape of ${t.shape}.`,
      );
    }
    if (t.dtype.is_complex !== grad.dtype.is_complex) {
      throw new RuntimeError(
        `For complex Tensors, both grad_output and output are required to have the same dtype. Mismatch in dtype: ` +
          `grad_output[${i}] has a dtype of ${grad.dtype} and output[${i}] has a dtype of ${t.dtype}.`,
      );
    }
    return grad.dtype === t.dtype ? grad : grad.to(t.dtype);
  }
  void createGraph;
  if (!needsGrad(t)) return null;
  if (t.count !== 1) throw new RuntimeError("grad can be implicitly created only for scalar outputs");
  if (t.dtype.is_complex) {
    throw new RuntimeError(`grad can be computed only for real scalar outputs but got ${t.dtype}`);
  }
  return mode.grad ? t.detach().new_ones(t.sizes) : t.detach().new_ones(t.sizes);
}

function collectRoots(
  tensors: readonly Tensor[],
  grads: readonly (Tensor | null)[] | null,
  createGraph: boolean,
): { node: Node; nr: number; grad: Tensor | null }[] {
  if (grads !== null && grads.length !== tensors.length) {
    throw new RuntimeError(`got ${tensors.length} tensors and ${grads.length} gradients`);
  }
  return tensors.map((t, i) => {
    const grad = rootGrad(t, grads?.[i] ?? null, i, createGraph);
    if (!needsGrad(t)) {
      throw new RuntimeError(`element ${i} of tensors does not require grad and does not have a grad_fn`);
    }
    return { ...rootOf(t), grad };
  });
}

type OneOrMore<T> = T | readonly T[];
const listOf = <T>(x: OneOrMore<T>): readonly T[] => Array.isArray(x) ? x as readonly T[] : [x as T];

/** Which slots of a capture belong to which node and result. */
function captureOf(inputs: readonly Tensor[]): Map<Node, Map<number, number>> {
  const capture = new Map<Node, Map<number, number>>();
  inputs.forEach((t, slot) => {
    const { node, nr } = rootOf(t);
    const slots = capture.get(node) ?? new Map<number, number>();
    slots.set(nr, slot);
    capture.set(node, slots);
  });
  return capture;
}

/**
 * Computes the gradients of `tensors` with respect to the leaves and adds them to the leaves' `grad`.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.autograd.backward.html
 */
export function backward(
  tensors: OneOrMore<Tensor>,
  grad_tensors: OneOrMore<Tensor | null> | null = null,
  retain_graph: boolean | null = null,
  create_graph = false,
  inputs: OneOrMore<Tensor> | null = null,
): void {
  const list = listOf(tensors);
  const outer = beginScope();
  try {
    const roots = collectRoots(list, grad_tensors === null ? null : listOf(grad_tensors), create_graph);
    const options = { keepGraph: retain_graph ?? create_graph, createGraph: create_graph };
    if (inputs === null) {
      run(roots, { ...options, capture: null }, 0);
      return;
    }
    const targets = listOf(inputs);
    if (targets.length === 0) throw new RuntimeError("'inputs' argument to backward() cannot be empty.");
    const grads = run(roots, { ...options, capture: captureOf(targets) }, targets.length);
    const former = mode.grad;
    mode.grad = create_graph;
    try {
      targets.forEach((t, i) => {
        const g = grads[i] ?? null;
        if (currentNode(t) === null) accumulate1(t, g);
        else if (g !== null) {
          gradMeta(t).grad = gradMeta(t).grad === null ? g : external(() => gradMeta(t).grad!.add(g));
        }
      });
    } finally {
      mode.grad = former;
    }
  } finally {
    endScope(outer, null);
  }
}

function accumulate1(leaf: Tensor, grad: Tensor | null): void {
  accumulatorOf(leaf).apply([grad]);
}

/** Options of {@linkcode grad}. */
export interface GradOptions {
  grad_outputs?: OneOrMore<Tensor | null> | null;
  retain_graph?: boolean | null;
  create_graph?: boolean;
  only_inputs?: boolean;
  allow_unused?: boolean | null;
  is_grads_batched?: boolean;
}

/**
 * Computes and returns the gradients of `outputs` with respect to `inputs`; leaves' `grad` stay as they are.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.autograd.grad.html
 */
export function grad(
  outputs: OneOrMore<Tensor>,
  inputs: OneOrMore<Tensor>,
  ...rest: (GradOptions | GradOptions[keyof GradOptions])[]
): (Tensor | null)[] {
  const o = gradOptions(rest);
  const createGraph = o.create_graph ?? false;
  const targets = listOf(inputs);
  const outer = beginScope();
  let result: (Tensor | null)[] | undefined;
  try {
    const gradOutputs = o.grad_outputs === undefined || o.grad_outputs === null
      ? null
      : listOf(o.grad_outputs);
    for (const t of targets) {
      if (!needsGrad(t)) throw new RuntimeError("One of the differentiated Tensors does not require grad");
    }
    const roots = collectRoots(listOf(outputs), gradOutputs, createGraph);
    const slots = captureOf(targets);
    result = run(
      roots,
      { keepGraph: o.retain_graph ?? createGraph, createGraph, capture: slots },
      targets.length,
    );
    // The same tensor given twice: both slots get its gradient.
    targets.forEach((t, i) => {
      const first = slots.get(rootOf(t).node)?.get(currentNode(t) ? t.outputNr : 0);
      if (first !== undefined && first !== i) result![i] = result![first]!;
    });
    if (!createGraph) result = result.map((g) => g !== null && g.node !== null ? detached(g) : g);
    if (!o.allow_unused && result.some((g) => g === null)) {
      throw new RuntimeError(
        "One of the differentiated Tensors appears to not have been used in the graph. " +
          "Set allow_unused=True if this is the desired behavior.",
      );
    }
    return result;
  } finally {
    endScope(outer, result);
  }
}

function gradOptions(rest: unknown[]): GradOptions {
  const names = ["grad_outputs", "retain_graph", "create_graph", "only_inputs", "allow_unused"] as const;
  const o: Record<string, unknown> = {};
  rest.forEach((value, i) => {
    const isOptions = typeof value === "object" && value !== null && !Array.isArray(value) &&
      !(value instanceof Tensor);
    if (isOptions) Object.assign(o, value);
    else if (i < names.length) o[names[i]!] = value;
  });
  return o as GradOptions;
}

/** Is a backward pass running? */
export function isBackwardRunning(): boolean {
  return depth > 0;
}
