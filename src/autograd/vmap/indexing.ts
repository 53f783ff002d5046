/**
 * Batching rules of indexing and of what looks rows up.
 *
 * @module
 */
import { bool, int64, uint8 } from "../../base/dtype.ts";
import { RuntimeError } from "../../base/errors.ts";
import { fn } from "../../dispatch/functions.ts";
import { wrapDim } from "../../dispatch/reduction.ts";
import { Tensor } from "../../tensor.ts";
import type { Call, Rule } from "./call.ts";
import { pointwise } from "./pointwise.ts";

type Indices = readonly (Tensor | null)[];

/** Throws where the shape of the result would depend on the values. */
export const dynamic: Rule = (c) => {
  throw new RuntimeError(
    "vmap: We do not support batching operators that can output dynamic shape. " +
      `Attempted to vmap over aten::${c.row.name}. ` +
      "Please voice your support in https://github.com/pytorch/functorch/issues/256",
  );
};

interface Layout {
  /** Dimensions of the broadcast index tensors. */
  readonly rank: number;
  /** Dimensions taken whole before the first index tensor. */
  readonly before: number;
  /** Are the index tensors side by side? */
  readonly together: boolean;
}

function layoutOf(c: Call, indices: Indices): Layout {
  const at = indices.flatMap((t, i) => (t === null ? [] : [i]));
  let rank = 0;
  for (const t of indices) {
    if (t === null) continue;
    if (t.dtype === bool || t.dtype === uint8) {
      if (c.has(t)) dynamic(c);
      rank = Math.max(rank, 1);
    } else rank = Math.max(rank, t.sizes.length);
  }
  return { rank, before: at[0]!, together: at.at(-1)! - at[0]! === at.length - 1 };
}

/** The number of each sample, shaped like index tensors of `rank` dimensions. */
function samples(c: Call, like: Tensor, rank: number): Tensor {
  const numbers = fn.arange!(c.size, { device: like.device }) as Tensor;
  return numbers.view([c.size, ...new Array(rank).fill(1)]);
}

const index: Rule = (c) => {
  const [self, indices] = c.args as [Tensor, Indices];
  const { rank, before, together } = layoutOf(c, indices);
  if (!indices.some((t) => c.has(t))) {
    const out = fn._index!(c.front(self), [null, ...indices]);
    return c.wrap(out, together ? 0 : rank);
  }
  const below = indices.map((t) => (t === null ? null : c.aligned(t, rank)));
  if (!c.has(self)) {
    return c.wrap(fn._index!(self, below), together ? before : 0);
  }
  const out = fn._index!(c.front(self), [samples(c, self, rank), ...below]) as Tensor;
  // With a dimension taken whole in between, the broadcast ones went to the front: (samples, rank, before, ...).
  if (!together || before === 0) return c.wrap(out);
  const order = [0];
  for (let i = 0; i < before; i++) order.push(1 + rank + i);
  for (let i = 0; i < rank; i++) order.push(1 + i);
  for (let i = order.length; i < out.sizes.length; i++) order.push(i);
  return c.wrap(out.permute(order));
};

const index_put: Rule = (c) => {
  const [self, indices, values, accumulate] = c.args as [Tensor, Indices, Tensor, boolean];
  const { rank, before } = layoutOf(c, indices);
  if (before !== 0 || indices.some((t) => t === null) || (c.inplace && !c.has(self))) return null;
  const below = indices.map((t) => c.aligned(t!, rank));
  const valueRank = rank + self.sizes.length - indices.length;
  if (indices.some((t) => t!.dtype === bool || t!.dtype === uint8)) return null;
  const args = [c.all(self), [samples(c, self, rank), ...below], c.aligned(values, valueRank), accumulate];
  if (c.inplace) {
    c.below(args);
    return self;
  }
  return c.wrap(c.below(args));
};

/** The rows `index` of dimension `dim`, by indexing. */
const index_select: Rule = (c) => {
  const [self, dim, at] = c.args as [Tensor, number, Tensor];
  if (self.sizes.length === 0) return null;
  if (!c.has(at)) return c.wrap(c.below([c.front(self), wrapDim(dim, self.sizes.length) + 1, at]));
  const list: (Tensor | null)[] = new Array(wrapDim(dim, self.sizes.length)).fill(null);
  return fn._index!(self, [...list, (at.sizes.length === 0 ? at.unsqueeze(0) : at).to(int64)]);
};

/** index_add and its like: fast where all samples use the same rows. */
const alongRows: Rule = (c) => {
  const [self, dim, at, source] = c.args as [Tensor, number, Tensor, Tensor];
  if (c.has(at) || self.sizes.length === 0 || c.inplace) return null;
  const args = c.with({ 0: c.all(self), 1: wrapDim(dim, self.sizes.length) + 1 });
  if (typeof source === "object" && "sizes" in source) {
    if (c.row.name === "index_fill") { if (c.has(source)) return null; }
    else if (source.sizes.length !== self.sizes.length) return null;
    else args[3] = c.all(source);
  }
  return c.wrap(c.below(args));
};

const embedding: Rule = (c) => {
  const [weight, indices, padding] = c.args as [Tensor, Tensor, number];
  if (!c.has(weight)) return c.wrap(c.below(c.with({ 1: c.front(indices) })));
  const flat = indices.sizes.length === 0 ? indices.unsqueeze(0) : indices;
  let out = fn._index!(weight, [flat]) as Tensor;
  if (padding >= 0) {
    // The padding row gets no gradient.
    out = fn.where!(flat.eq(padding).unsqueeze(-1), out.detach(), out) as Tensor;
  }
  return indices.sizes.length === 0 ? out.squeeze(0) : out;
};

/** Indexing, rows, tables. */
export const indexRules: Record<string, Rule> = {
  index,
  index_put,
  index_select,
  index_add: alongRows,
  index_copy: alongRows,
  index_fill: alongRows,
  index_reduce: alongRows,
  embedding,
  masked_fill: (c) => {
    const [self, mask, value] = c.args as [Tensor, Tensor, unknown];
    if (!(value instanceof Tensor) || c.inplace) return pointwise(c);
    return fn.where!(mask, value.to(self.dtype), self);
  },
  take: (c) => {
    const [self, at] = c.args as [Tensor, Tensor];
    return fn._index!(self.reshape([-1]), [at]);
  },
  one_hot: (c) => {
    const [self, classes] = c.args as [Tensor, number];
    if (classes < 0) dynamic(c);
    return self.unsqueeze(-1).eq(fn.arange!(classes, { device: self.device })).to(int64);
  },
  bucketize: (c) => {
    const [self, boundaries] = c.args as [Tensor, Tensor];
    return c.has(boundaries) ? null : c.wrap(c.below(c.with({ 0: c.front(self) })));
  },
  masked_select: dynamic,
  nonzero: dynamic,
  _nonzero_rows: dynamic,
  _unique2: dynamic,
  unique_dim: dynamic,
  unique_consecutive: dynamic,
};
