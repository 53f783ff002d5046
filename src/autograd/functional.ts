/**
 * `torch.autograd.functional`: Jacobians, Hessians and their products with vectors.
 *
 * @see https://pytorch.org/docs/stable/autograd.html#functional-higher-level-api
 * @module
 */
import { RuntimeError } from "../base/errors.ts";
import { sameSizes } from "../base/size.ts";
import { Tensor } from "../tensor.ts";
import { fn } from "../dispatch/functions.ts";
import { grad } from "./engine.ts";
import { enable_grad } from "./grad_mode.ts";

type OneOrMore = Tensor | readonly Tensor[];
/** A function of one or several tensors. */
// deno-lint-ignore no-explicit-any -- users' functions take one tensor or several
export type TensorFunction = (...inputs: any[]) => OneOrMore;

/** Options of the functions here. */
export interface FunctionalOptions {
  create_graph?: boolean;
  strict?: boolean;
  vectorize?: boolean;
  strategy?: string;
}

function tuple(x: OneOrMore, name: string, where: string): { list: Tensor[]; single: boolean } {
  const single = x instanceof Tensor;
  const list = single ? [x] : [...x];
  list.forEach((t, i) => {
    if (!(t instanceof Tensor)) {
      throw new TypeError(
        `The ${name} given to ${where} must be either a Tensor or a tuple of Tensors but the value at index ${i} has type ${typeof t}.`,
      );
    }
  });
  return { list, single };
}

/** Inputs as fresh nodes (with a graph to the given ones) or leaves. */
function prepared(list: readonly Tensor[], createGraph: boolean): Tensor[] {
  return list.map((t) => createGraph ? t.view(t.sizes) : t.detach().requires_grad_(true)).map((t) =>
    t.requires_grad ? t : t.detach().requires_grad_(true)
  );
}

function finish(list: Tensor[], createGraph: boolean): Tensor[] {
  return createGraph ? list : list.map((t) => t.detach());
}

const unwrap = (list: Tensor[], single: boolean): Tensor | Tensor[] => (single ? list[0]! : list);

/** Gradients with zeros where an input is not used. */
function gradients(
  outputs: readonly Tensor[],
  inputs: readonly Tensor[],
  seeds: readonly Tensor[] | null,
  createGraph: boolean,
  strict: string | null,
): Tensor[] {
  const live = outputs.map((o, i) => [o, seeds?.[i] ?? null] as const).filter(([o]) => o.requires_grad);
  if (live.length === 0) {
    if (strict !== null) throw new RuntimeError(strict);
    return inputs.map((t) => fn.zeros_like!(t) as Tensor);
  }
  const gs = grad(live.map(([o]) => o), inputs, {
    grad_outputs: live.map(([, s]) => s),
    create_graph: createGraph,
    retain_graph: true,
    allow_unused: true,
  });
  return gs.map((g, i) => {
    if (g === null && strict !== null) throw new RuntimeError(strict);
    return g ?? fn.zeros_like!(inputs[i]!) as Tensor;
  });
}

/**
 * The Jacobian of `func`: for each output and input a tensor of shape (output..., input...).
 *
 * @see https://pytorch.org/docs/stable/generated/torch.autograd.functional.jacobian.html
 */
export function jacobian(
  func: TensorFunction,
  inputs: OneOrMore,
  options: FunctionalOptions = {},
): Tensor | Tensor[] | Tensor[][] {
  const createGraph = options.create_graph ?? false;
  return enable_grad(() => {
    const { list, single } = tuple(inputs, "inputs", "jacobian");
    const xs = prepared(list, createGraph);
    const out = tuple(func(...xs), "outputs of the user-provided function", "jacobian");
    const strict = options.strict
      ? "Output 0 of the user-provided function is independent of input 0. This is not allowed in strict mode."
      : null;
    const rows = out.list.map((y) => {
      const parts: Tensor[][] = xs.map(() => []);
      const n = y.numel();
      for (let i = 0; i < n; i++) {
        const element = y.reshape([-1]).select(0, i);
        gradients([element], xs, null, createGraph, strict).forEach((g, k) => parts[k]!.push(g));
      }
      return finish(
        parts.map((p, k) =>
          n === 0
            ? xs[k]!.new_zeros([...y.sizes, ...xs[k]!.sizes])
            : (fn.stack!(p, 0) as Tensor).view([...y.sizes, ...xs[k]!.sizes])
        ),
        createGraph,
      );
    });
    if (out.single) return unwrap(rows[0]!, single);
    return single ? rows.map((r) => r[0]!) : rows;
  });
}

function scalarOutput(out: { list: Tensor[]; single: boolean }, where: string): Tensor {
  const y = out.list[0]!;
  if (!out.single) {
    throw new RuntimeError(`The function given to ${where} should return a single Tensor`);
  }
  if (y.numel() !== 1) {
    throw new RuntimeError(
      `The Tensor returned by the function given to ${where} should contain a single element`,
    );
  }
  return y.reshape([]);
}

/** The Hessian of a scalar function. */
export function hessian(
  func: TensorFunction,
  inputs: OneOrMore,
  options: FunctionalOptions = {},
): Tensor | Tensor[] | Tensor[][] {
  const { list, single } = tuple(inputs, "inputs", "hessian");
  const first = (...xs: Tensor[]): Tensor | Tensor[] =>
    enable_grad(() => {
      const y = scalarOutput(
        tuple(func(...xs), "outputs of the user-provided function", "hessian"),
        "hessian",
      );
      return unwrap(gradients([y], xs, null, true, null), single);
    });
  return jacobian(first, single ? list[0]! : list, options);
}

/** Vectors that match tensors; for a single element the vector may be left out. */
function vectors(v: OneOrMore | null | undefined, like: readonly Tensor[], what: string): Tensor[] {
  if (v === null || v === undefined) {
    if (like.length !== 1 || like[0]!.numel() !== 1) {
      throw new RuntimeError(
        what === "vjp"
          ? "The vector v can only be None if the user-provided function returns a single Tensor with a single element."
          : `The vector v can only be None if the input to the user-provided function is a single Tensor with a single element.`,
      );
    }
    return [fn.ones_like!(like[0]!) as Tensor];
  }
  const list = v instanceof Tensor ? [v] : [...v];
  if (list.length !== like.length) {
    throw new RuntimeError(
      `v is a tuple of invalid length: should be ${like.length} but got ${list.length}.`,
    );
  }
  list.forEach((t, i) => {
    if (!sameSizes(t.sizes, like[i]!.sizes)) {
      const at = like.length > 1 ? `Entry ${i} in ` : "";
      throw new RuntimeError(`${at}v has invalid size: should be ${like[i]!.shape} but got ${t.shape}.`);
    }
  });
  return list;
}

/** `[func(inputs), v^T J]`. */
export function vjp(
  func: TensorFunction,
  inputs: OneOrMore,
  v: OneOrMore | null = null,
  options: FunctionalOptions = {},
): [OneOrMore, OneOrMore] {
  const createGraph = options.create_graph ?? false;
  return enable_grad(() => {
    const { list, single } = tuple(inputs, "inputs", "vjp");
    const xs = prepared(list, createGraph);
    const out = tuple(func(...xs), "outputs of the user-provided function", "vjp");
    const gs = gradients(out.list, xs, vectors(v, out.list, "vjp"), createGraph, null);
    return [unwrap(finish(out.list, createGraph), out.single), unwrap(finish(gs, createGraph), single)];
  });
}

/** `[func(inputs), J v]`, by differentiating the vector-Jacobian product (double backward). */
export function jvp(
  func: TensorFunction,
  inputs: OneOrMore,
  v: OneOrMore | null = null,
  options: FunctionalOptions = {},
): [OneOrMore, OneOrMore] {
  const createGraph = options.create_graph ?? false;
  return enable_grad(() => {
    const { list } = tuple(inputs, "inputs", "jvp");
    const xs = prepared(list, createGraph);
    const vs = vectors(v, xs, "jvp");
    const out = tuple(func(...xs), "outputs of the user-provided function", "jvp");
    const seeds = out.list.map((y) => (fn.zeros_like!(y) as Tensor).requires_grad_(true));
    const gs = gradients(out.list, xs, seeds, true, null);
    const products = gradients(gs, seeds, vs, createGraph, null);
    return [
      unwrap(finish(out.list, createGraph), out.single),
      unwrap(finish(products, createGraph), out.single),
    ];
  });
}

/** `[func(inputs), v^T H]`. */
export function vhp(
  func: TensorFunction,
  inputs: OneOrMore,
  v: OneOrMore | null = null,
  options: FunctionalOptions = {},
): [OneOrMore, OneOrMore] {
  const createGraph = options.create_graph ?? false;
  return enable_grad(() => {
    const { list, single } = tuple(inputs, "inputs", "vhp");
    const xs = prepared(list, createGraph);
    const y = scalarOutput(tuple(func(...xs), "outputs of the user-provided function", "vhp"), "vhp");
    const first = gradients([y], xs, null, true, null);
    const product = gradients(first, xs, vectors(v, xs, "vhp"), createGraph, null);
    return [finish([y], createGraph)[0]!, unwrap(finish(product, createGraph), single)];
  });
}

/** `[func(inputs), H v]`. */
export function hvp(
  func: TensorFunction,
  inputs: OneOrMore,
  v: OneOrMore | null = null,
  options: FunctionalOptions = {},
): [OneOrMore, OneOrMore] {
  const createGraph = options.create_graph ?? false;
  return enable_grad(() => {
    const { list, single } = tuple(inputs, "inputs", "hvp");
    const xs = prepared(list, createGraph);
    const y = scalarOutput(tuple(func(...xs), "outputs of the user-provided function", "hvp"), "hvp");
    const first = gradients([y], xs, null, true, null);
    const vs = vectors(v, xs, "hvp");
    // The Hessian is symmetric: v^T H by double backward, as PyTorch does.
    const seeds = first.map((g) => (fn.zeros_like!(g) as Tensor).requires_grad_(true));
    const back = gradients(first, xs, seeds, true, null);
    const product = gradients(back, seeds, vs, createGraph, null);
    return [finish([y], createGraph)[0]!, unwrap(finish(product, createGraph), single)];
  });
}
