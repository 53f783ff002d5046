/**
 * Batching rules of views, and of operators that work along dimensions they are told.
 *
 * @module
 */
import { wrapDim } from "../../dispatch/reduction.ts";
import { fn } from "../../dispatch/functions.ts";
import { Tensor } from "../../tensor.ts";
import { BatchedTensor } from "./batched.ts";
import type { Call, Rule } from "./call.ts";

/** Parameters that name dimensions of the first tensor. */
const DIMS = new Set(["dim", "dims", "dim0", "dim1", "dim2", "dimension"]);

const shift = (d: number, rank: number): number => wrapDim(d, rank) + 1;
const self = (c: Call): Tensor => c.args[0] as Tensor;

/**
 * Operators along named dimensions: the samples come first and the numbers move up by one. Without a number the
 * operator is along all: `flatten` says that these are merged, otherwise all but the first are named.
 */
export function along(
  options: { all?: "list" | "flatten"; sizes?: string; keep?: boolean } = {},
): Rule {
  return (c) => {
    const rank = (c.args[0] as Tensor).sizes.length;
    const others = c.args.slice(1).filter((a): a is Tensor => a instanceof Tensor);
    if ((rank === 0 && options.sizes === undefined) || (!c.has(c.args[0]) && others.length === 0)) {
      return null;
    }
    if (others.some((t) => t.sizes.length !== rank && c.has(t))) return null;
    if (c.inplace) return null;
    const dimRank = options.sizes === undefined ? rank : (c.arg(options.sizes) as number[]).length;
    const args = c.args.map((a) => a instanceof Tensor ? (others.length > 0 ? c.all(a) : c.front(a)) : a);
    let restore: ((t: Tensor) => Tensor) | null = null;
    c.row.parsed.params.forEach((p, i) => {
      const a = c.args[i];
      if (p.name === options.sizes) args[i] = [c.size, ...(a as number[])];
      if (!DIMS.has(p.name)) return;
      if (typeof a === "number") args[i] = shift(a, dimRank);
      else if (Array.isArray(a) && a.length > 0) args[i] = a.map((d: number) => shift(d, dimRank));
      else if (options.all === "list") args[i] = Array.from({ length: rank }, (_, k) => k + 1);
      else {
        args[0] = (args[0] as Tensor).flatten(1);
        args[i] = Array.isArray(a) ? [1] : 1;
        const sizes = self(c).sizes;
        if (options.keep) restore = (t) => t.reshape([c.size, ...sizes]);
        else if (c.arg("keepdim") === true) {
          restore = (t) => t.reshape([c.size, ...sizes.map(() => 1)]);
        }
      }
    });
    const result = c.below(args);
    if (restore === null) return c.wrap(result);
    const put = restore as (t: Tensor) => Tensor;
    return c.wrap(result instanceof Tensor ? put(result) : (result as Tensor[]).map(put));
  };
}

/** Operators on the last dimensions that take any number before them. */
export function leading(least: number): Rule {
  return (c) => {
    const tensors = c.args.filter((a): a is Tensor => a instanceof Tensor);
    const rank = tensors[0]!.sizes.length;
    if (c.inplace || tensors.some((t) => t.sizes.length !== rank || rank < least)) return null;
    return c.wrap(
      c.below(c.args.map((a) => a instanceof Tensor ? (tensors.length > 1 ? c.all(a) : c.front(a)) : a)),
    );
  };
}

const sized = (to: (t: Tensor, sizes: readonly number[]) => Tensor): Rule => (c) => {
  const t = self(c);
  let sizes = c.args[1] as number[];
  const i = sizes.indexOf(-1);
  if (i >= 0) {
    const rest = sizes.reduce((n, s, k) => (k === i ? n : n * s), 1);
    // The sentence for sizes that do not fit is the operator's own, from a tensor without bytes.
    if (rest === 0 || t.count % rest !== 0) t.new_empty([0]).view(sizes);
    sizes = sizes.with(i, t.count / rest);
  }
  return c.wrap(to(c.front(t), [c.size, ...sizes]));
};

/** Views (and what copies only where a view is impossible). */
export const viewRules: Record<string, Rule> = {
  view: sized((t, sizes) => t.reshape([...sizes])),
  reshape_alias: sized((t, sizes) => t.reshape([...sizes])),
  unsafe_view: sized((t, sizes) => t.reshape([...sizes])),
  "view.dtype": leading(1),
  permute: (c) => {
    const rank = self(c).sizes.length, dims = c.args[1] as number[];
    if (dims.length !== rank) return null;
    return c.wrap(c.front(self(c)).permute([0, ...dims.map((d) => shift(d, rank))]));
  },
  transpose: along(),
  t: (c) => self(c).sizes.length === 2 ? c.wrap(c.front(self(c)).transpose(1, 2)) : c.wrap(c.front(self(c))),
  expand: (c) => {
    const sizes = c.args[1] as number[];
    return c.wrap(c.aligned(self(c), sizes.length).expand([c.size, ...sizes]));
  },
  squeeze: (c) => {
    const x = c.front(self(c));
    const dims = x.sizes.flatMap((s, i) => (i > 0 && s === 1 ? [i] : []));
    return c.wrap(dims.length === 0 ? x.alias() : x.squeeze(dims));
  },
  "squeeze.dim": (c) => self(c).sizes.length === 0 ? c.wrap(c.front(self(c)).alias()) : along()(c),
  "squeeze.dims": (c) =>
    (c.args[1] as number[]).length === 0 || self(c).sizes.length === 0
      ? c.wrap(c.front(self(c)).alias())
      : along()(c),
  unsqueeze: (c) => c.wrap(c.front(self(c)).unsqueeze(shift(c.args[1] as number, self(c).sizes.length + 1))),
  select: along(),
  slice: along(),
  split: along(),
  split_with_sizes: along(),
  unbind: along(),
  diagonal: along(),
  unfold: along(),
  view_as_real: leading(0),
  view_as_complex: leading(1),
  detach: leading(0),
  alias: leading(0),
};

const list = (c: Call): Tensor[] => c.args[0] as Tensor[];

/** Operators that move elements. */
export const shapeRules: Record<string, Rule> = {
  select_backward: along({ sizes: "sizes" }),
  slice_backward: along({ sizes: "sizes" }),
  diagonal_backward: along({ sizes: "sizes" }),
  unfold_backward: along({ sizes: "input_sizes" }),
  as_strided: (c) => {
    // Strides speak of one sample's storage: each sample gets its own.
    const [t, sizes, strides, offset] = c.args as [Tensor, number[], number[], number | null];
    const samples = c.front(t).unbind(0).map((s) => s.clone().as_strided(sizes, strides, offset ?? 0));
    return c.wrap(fn.stack!(samples, 0));
  },
  flip: (c) => ((c.args[1] as number[]).length === 0 ? c.wrap(c.front(self(c)).clone()) : along()(c)),
  roll: along({ all: "flatten", keep: true }),
  tril: leading(2),
  triu: leading(2),
  constant_pad_nd: leading(1),
  cat: (c) => {
    const rank = Math.max(...list(c).map((t) => t.sizes.length));
    // A tensor of shape [0] may be among larger ones.
    const parts = list(c).filter((t) => !(t.sizes.length === 1 && t.sizes[0] === 0 && rank > 1));
    return c.wrap(c.below([parts.map((t) => c.all(t)), shift(c.args[1] as number, rank)]));
  },
  stack: (c) =>
    c.wrap(c.below([list(c).map((t) => c.all(t)), shift(c.args[1] as number, list(c)[0]!.sizes.length + 1)])),
  repeat: (c) => {
    const repeats = c.args[1] as number[];
    if (repeats.length < self(c).sizes.length) return null;
    return c.wrap(c.aligned(self(c), repeats.length).repeat([1, ...repeats]));
  },
  gather: along(),
  scatter: along(),
  "scatter.value": along(),
  "scatter.reduce": along(),
  "scatter.value_reduce": along(),
  scatter_add: along(),
  scatter_reduce: along(),
  glu: along(),
  _softmax: along(),
  _log_softmax: along(),
  softmax_backward_data: along(),
  log_softmax_backward_data: along(),
  cumsum: along(),
  cumprod: along(),
  cummax: along(),
  cummin: along(),
  logcumsumexp: along(),
  sort: along(),
  argsort: along(),
  topk: along(),
  kthvalue: along(),
  "median.dim": along(),
  "nanmedian.dim": along(),
  mode: along(),
};

/** A new tensor made from a batched one is batched too, so that samples can be written into it. */
function made(c: Call): unknown {
  const t = c.front(self(c));
  return c.wrap(c.below(c.with({ 0: t, 1: [c.size, ...(c.args[1] as number[])] })));
}
for (const name of ["new_empty", "new_zeros", "new_ones", "new_full"]) shapeRules[name] = made;

/** `unsqueeze_`, `t_` and their like: the tensor itself takes the shape of the view. */
export function becomeView(target: Tensor, view: BatchedTensor): void {
  Object.assign(target, {
    value: view.value,
    bdim: view.bdim,
    sizes: view.sizes,
    strides: view.strides,
    count: view.count,
  });
}
