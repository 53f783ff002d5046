/**
 * Attention.
 *
 * @module
 */
import { internal } from "../../base/scope.ts";
import { bool, uint8 } from "../../base/dtype.ts";
import { AssertionError, RuntimeError, warnOnce } from "../../base/errors.ts";
import * as aten from "../../ops/mod.ts";
import type { Tensor } from "../../tensor.ts";
import { tupleRepr } from "../../utils/pyrepr.ts";
import { required, signature } from "../../utils/signature.ts";
import { dropout } from "./dropout.ts";

function assert(holds: boolean, text: () => string): void {
  if (!holds) throw new AssertionError(text());
}

const same = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((x, i) => x === b[i]);

interface ScaledDotProduct {
  attn_mask?: Tensor | null;
  dropout_p?: number;
  is_causal?: boolean;
  scale?: number | null;
}
const SDPA = signature<{ query: Tensor; key: Tensor; value: Tensor } & ScaledDotProduct>(
  "scaled_dot_product_attention",
  {
    query: required,
    key: required,
    value: required,
    attn_mask: null,
    dropout_p: 0,
    is_causal: false,
    scale: null,
  },
);
/**
 * softmax(query key^T scale + mask) value, with PyTorch 2's arguments. A bool mask is true where attention is allowed.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html
 */
export function scaled_dot_product_attention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  attn_mask?: Tensor | null | ScaledDotProduct,
  dropout_p?: number | ScaledDotProduct,
  is_causal?: boolean | ScaledDotProduct,
  scale?: number | null | ScaledDotProduct,
): Tensor;
export function scaled_dot_product_attention(...args: unknown[]): Tensor {
  const { query, key, value, attn_mask, dropout_p, is_causal, scale } = SDPA(args);
  if (is_causal && attn_mask !== null) {
    throw new RuntimeError(
      "scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True",
    );
  }
  return scaledDotProduct(query, key, value, attn_mask, dropout_p, is_causal, scale)[0];
}

/** The result and the weights before dropout. */
function scaledDotProduct(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  attn_mask: Tensor | null,
  dropout_p: number,
  is_causal: boolean,
  scale: number | null,
): [output: Tensor, weights: Tensor] {
  const mask = is_causal
    ? aten.ones([query.size(-2), key.size(-2)], { dtype: bool, device: query.device }).tril()
    : attn_mask;
  let scores = query.mul(scale ?? 1 / Math.sqrt(query.size(-1))).matmul(key.transpose(-2, -1));
  if (mask !== null) {
    scores = mask.dtype === bool ? scores.masked_fill(mask.logical_not(), -Infinity) : scores.add(mask);
  }
  const weights = scores.softmax(-1);
  return [dropout(weights, dropout_p).matmul(value), weights];
}

interface ScaledDotProductWeights {
  attn_mask?: Tensor | null;
  dropout_p?: number;
  need_attn_weights?: boolean;
  is_causal?: boolean;
}
const SDPA_WEIGHTS = signature<{ query: Tensor; key: Tensor; value: Tensor } & ScaledDotProductWeights>(
  "_scaled_dot_product_attention",
  {
    query: required,
    key: required,
    value: required,
    attn_mask: null,
    dropout_p: 0,
    need_attn_weights: false,
    is_causal: false,
  },
);
/** PyTorch 1.13's form of {@linkcode scaled_dot_product_attention}: the result and the attention weights. */
export function _scaled_dot_product_attention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  attn_mask?: Tensor | null | ScaledDotProductWeights,
  dropout_p?: number | ScaledDotProductWeights,
  need_attn_weights?: boolean | ScaledDotProductWeights,
  is_causal?: boolean | ScaledDotProductWeights,
): [output: Tensor, attn_weights: Tensor];
export function _scaled_dot_product_attention(...args: unknown[]): [Tensor, Tensor] {
  const { query, key, value, attn_mask, dropout_p, is_causal } = SDPA_WEIGHTS(args);
  if (is_causal && attn_mask !== null) {
    throw new RuntimeError(
      "_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True",
    );
  }
  return scaledDotProduct(query, key, value, attn_mask, dropout_p, is_causal, null);
}

/** Checks the ranks of the inputs; is there a batch dimension? */
function checkShapes(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  key_padding_mask: Tensor | null,
  attn_mask: Tensor | null,
  num_heads: number,
): boolean {
  const n = query.dim();
  if (n !== 2 && n !== 3) {
    throw new AssertionError(
      `query should be unbatched 2D or batched 3D tensor but received ${n}-D query tensor`,
    );
  }
  const which = n === 3 ? "batched (3-D)" : "unbatched (2-D)";
  assert(
    key.dim() === n && value.dim() === n,
    () =>
      `For ${which} \`query\`, expected \`key\` and \`value\` to be ${n}-D but found ${key.dim()}-D and ` +
      `${value.dim()}-D tensors respectively`,
  );
  if (key_padding_mask !== null) {
    assert(
      key_padding_mask.dim() === n - 1,
      () =>
        `For ${which} \`query\`, expected \`key_padding_mask\` to be \`None\` or ${n - 1}-D but found ` +
        `${key_padding_mask.dim()}-D tensor instead`,
    );
  }
  if (attn_mask !== null) {
    assert(
      attn_mask.dim() === 2 || attn_mask.dim() === 3,
      () =>
        `For ${which} \`query\`, expected \`attn_mask\` to be \`None\`, 2-D or 3-D but found ${attn_mask.dim()}-D ` +
        "tensor instead",
    );
    if (n === 2 && attn_mask.dim() === 3) {
      const expected = [num_heads, query.size(0), key.size(0)];
      assert(
        same(attn_mask.shape, expected),
        () => `Expected \`attn_mask\` shape to be ${tupleRepr(expected)} but got ${attn_mask.shape}`,
      );
    }
  }
  return n === 3;
}

/** Query, key and value through one stacked weight; one product where they are the same tensor. */
function projectPacked(q: Tensor, k: Tensor, v: Tensor, w: Tensor, b: Tensor | null): Tensor[] {
  const e = q.size(-1);
  if (k === v) {
    if (q === k) return [...aten.linear(q, w, b).chunk(3, -1)];
    const [wq, wkv] = w.split([e, 2 * e]) as Tensor[];
    const [bq, bkv] = b === null ? [null, null] : b.split([e, 2 * e]) as Tensor[];
    return [aten.linear(q, wq!, bq!), ...aten.linear(k, wkv!, bkv!).chunk(2, -1)];
  }
  const [wq, wk, wv] = w.chunk(3) as Tensor[];
  const [bq, bk, bv] = b === null ? [null, null, null] : b.chunk(3) as Tensor[];
  return [aten.linear(q, wq!, bq!), aten.linear(k, wk!, bk!), aten.linear(v, wv!, bv!)];
}

/** Query, key and value through weights of their own. */
function project(x: readonly Tensor[], w: readonly Tensor[], b: Tensor | null): Tensor[] {
  const e = x[0]!.size(-1);
  const biases = b === null ? [null, null, null] : b.chunk(3) as Tensor[];
  const names = ["query", "key", "value"];
  return x.map((t, i) => {
    const expected = [e, t.size(-1)];
    assert(
      same(w[i]!.shape, expected),
      () => `expecting ${names[i]} weights shape of ${tupleRepr(expected)}, but got ${w[i]!.shape}`,
    );
    return aten.linear(t, w[i]!, biases[i]!);
  });
}

interface AttentionOptions {
  training?: boolean;
  key_padding_mask?: Tensor | null;
  need_weights?: boolean;
  attn_mask?: Tensor | null;
  use_separate_proj_weight?: boolean;
  q_proj_weight?: Tensor | null;
  k_proj_weight?: Tensor | null;
  v_proj_weight?: Tensor | null;
  static_k?: Tensor | null;
  static_v?: Tensor | null;
  average_attn_weights?: boolean;
}
interface AttentionArguments extends AttentionOptions {
  query: Tensor;
  key: Tensor;
  value: Tensor;
  embed_dim_to_check: number;
  num_heads: number;
  in_proj_weight: Tensor | null;
  in_proj_bias: Tensor | null;
  bias_k: Tensor | null;
  bias_v: Tensor | null;
  add_zero_attn: boolean;
  dropout_p: number;
  out_proj_weight: Tensor;
  out_proj_bias: Tensor | null;
}
const ATTENTION = signature<AttentionArguments>("multi_head_attention_forward", {
  query: required,
  key: required,
  value: required,
  embed_dim_to_check: required,
  num_heads: required,
  in_proj_weight: required,
  in_proj_bias: required,
  bias_k: required,
  bias_v: required,
  add_zero_attn: required,
  dropout_p: required,
  out_proj_weight: required,
  out_proj_bias: required,
  training: true,
  key_padding_mask: null,
  need_weights: true,
  attn_mask: null,
  use_separate_proj_weight: false,
  q_proj_weight: null,
  k_proj_weight: null,
  v_proj_weight: null,
  static_k: null,
  static_v: null,
  average_attn_weights: true,
});

/**
 * What `nn.MultiheadAttention` computes.
 *
 * @see https://arxiv.org/abs/1706.03762
 */
export function multi_head_attention_forward(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  embed_dim_to_check: number,
  num_heads: number,
  in_proj_weight: Tensor | null,
  in_proj_bias: Tensor | null,
  bias_k: Tensor | null,
  bias_v: Tensor | null,
  add_zero_attn: boolean,
  dropout_p: number,
  out_proj_weight: Tensor,
  out_proj_bias: Tensor | null,
  options?: AttentionOptions,
): [Tensor, Tensor | null];
export function multi_head_attention_forward(...args: unknown[]): [Tensor, Tensor | null] {
  return internal(() => attend(ATTENTION(args)));
}

function attend(a: ReturnType<typeof ATTENTION>): [Tensor, Tensor | null] {
  let { query, key, value, key_padding_mask } = a;
  const heads = a.num_heads;
  const batched = checkShapes(query, key, value, key_padding_mask, a.attn_mask, heads);
  if (!batched) {
    // One unsqueeze for tensors that are the same, so that they still are.
    const q = query.unsqueeze(1), k = key === query ? q : key.unsqueeze(1);
    value = value === key ? k : value.unsqueeze(1);
    [query, key] = [q, k];
    key_padding_mask = key_padding_mask?.unsqueeze(0) ?? null;
  }
  const [targetLength, batch, embed] = query.shape as unknown as [number, number, number];
  let sourceLength = key.size(0);
  if (key_padding_mask !== null && key_padding_mask.dtype !== bool && !key_padding_mask.is_floating_point()) {
    throw new AssertionError("only bool and floating types of key_padding_mask are supported");
  }
  assert(
    embed === a.embed_dim_to_check,
    () => `was expecting embedding dimension of ${a.embed_dim_to_check}, but got ${embed}`,
  );
  const headSize = Math.floor(embed / heads);
  assert(headSize * heads === embed, () => `embed_dim ${embed} not divisible by num_heads ${heads}`);

  let q: Tensor, k: Tensor, v: Tensor;
  if (a.use_separate_proj_weight) {
    assert(
      same(key.shape.slice(0, 2), value.shape.slice(0, 2)),
      () =>
        `key's sequence and batch dims torch.Size([${
          key.shape.slice(0, 2).join(", ")
        }]) do not match value's ` +
        `torch.Size([${value.shape.slice(0, 2).join(", ")}])`,
    );
    const weights = [a.q_proj_weight, a.k_proj_weight, a.v_proj_weight];
    weights.forEach((w, i) =>
      assert(w !== null, () => `use_separate_proj_weight is True but ${"qkv"[i]}_proj_weight is None`)
    );
    [q, k, v] = project([query, key, value], weights as Tensor[], a.in_proj_bias) as [Tensor, Tensor, Tensor];
  } else {
    assert(
      same(key.shape, value.shape),
      () => `key shape ${key.shape} does not match value shape ${value.shape}`,
    );
    assert(a.in_proj_weight !== null, () => "use_separate_proj_weight is False but in_proj_weight is None");
    [q, k, v] = projectPacked(query, key, value, a.in_proj_weight!, a.in_proj_bias) as [
      Tensor,
      Tensor,
      Tensor,
    ];
  }

  let mask = checkMask(a.attn_mask, batch, heads, targetLength, sourceLength);
  const widenMasks = () => {
    mask &&= aten.pad(mask, [0, 1]);
    key_padding_mask &&= aten.pad(key_padding_mask, [0, 1]);
  };
  if (a.bias_k !== null && a.bias_v !== null) {
    assert(a.static_k === null, () => "bias cannot be added to static key.");
    assert(a.static_v === null, () => "bias cannot be added to static value.");
    k = aten.cat([k, a.bias_k.repeat(1, batch, 1)]);
    v = aten.cat([v, a.bias_v.repeat(1, batch, 1)]);
    widenMasks();
  }
  const split = (x: Tensor) => x.contiguous().view(x.size(0), batch * heads, headSize).transpose(0, 1);
  q = split(q);
  k = staticOr(a.static_k, "static_k", batch * heads, headSize) ?? split(k);
  v = staticOr(a.static_v, "static_v", batch * heads, headSize) ?? split(v);
  if (a.add_zero_attn) {
    const zero = k.new_zeros([batch * heads, 1, headSize]);
    k = aten.cat([k, zero], 1);
    v = aten.cat([v, zero], 1);
    widenMasks();
  }
  sourceLength = k.size(1);
  mask = mergeMasks(mask, key_padding_mask, batch, heads, sourceLength);
  if (mask !== null && mask.dtype === bool) {
    mask = aten.zeros_like(mask, { dtype: q.dtype }).masked_fill_(mask, -Infinity);
  }

  const scaled = q.div(Math.sqrt(headSize));
  const keys = k.transpose(-2, -1);
  const scores = mask !== null ? aten.baddbmm(mask, scaled, keys) : aten.bmm(scaled, keys);
  let weights = scores.softmax(-1);
  if (a.training && a.dropout_p > 0) weights = dropout(weights, a.dropout_p);
  const mixed = aten.bmm(weights, v).transpose(0, 1).contiguous().view(targetLength * batch, embed);
  const projected = aten.linear(mixed, a.out_proj_weight, a.out_proj_bias);
  const output = projected.view(targetLength, batch, projected.size(1));
  const perHead = a.need_weights ? weights.view(batch, heads, targetLength, sourceLength) : null;
  const attention = a.average_attn_weights ? perHead?.sum(1).div(heads) ?? null : perHead;
  return batched ? [output, attention] : [output.squeeze(1), attention?.squeeze(0) ?? null];
}

/** The attention mask with a batch dimension, its dtype and shape checked. */
function checkMask(
  given: Tensor | null,
  batch: number,
  heads: number,
  targetLength: number,
  sourceLength: number,
): Tensor | null {
  if (given === null) return null;
  let mask = given;
  if (mask.dtype === uint8) {
    warnOnce(
      "UserWarning",
      "Byte tensor for attn_mask in nn.MultiheadAttention is deprecated. Use bool tensor instead.",
    );
    mask = mask.to(bool);
  } else {
    assert(
      mask.is_floating_point() || mask.dtype === bool,
      () => `Only float, byte, and bool types are supported for attn_mask, not ${mask.dtype}`,
    );
  }
  const n = mask.dim();
  const expected = n === 2 ? [targetLength, sourceLength] : [batch * heads, targetLength, sourceLength];
  if (!same(mask.shape, expected)) {
    throw new RuntimeError(
      `The shape of the ${n}D attn_mask is ${mask.shape}, but should be ${tupleRepr(expected)}.`,
    );
  }
  return n === 2 ? mask.unsqueeze(0) : mask;
}

function staticOr(x: Tensor | null, name: string, batch: number, headSize: number): Tensor | null {
  if (x === null) return null;
  assert(x.size(0) === batch, () => `expecting ${name}.size(0) of ${batch}, but got ${x.size(0)}`);
  assert(x.size(2) === headSize, () => `expecting ${name}.size(2) of ${headSize}, but got ${x.size(2)}`);
  return x;
}

/** The attention mask with the keys that are padding masked for every query and head. */
function mergeMasks(
  mask: Tensor | null,
  padding: Tensor | null,
  batch: number,
  heads: number,
  sourceLength: number,
): Tensor | null {
  if (padding === null) return mask;
  assert(
    same(padding.shape, [batch, sourceLength]),
    () => `expecting key_padding_mask shape of ${tupleRepr([batch, sourceLength])}, but got ${padding.shape}`,
  );
  const wide = padding.view(batch, 1, 1, sourceLength).expand(-1, heads, -1, -1).reshape(
    batch * heads,
    1,
    sourceLength,
  );
  if (mask === null) return wide;
  return mask.dtype === bool ? mask.logical_or(wide) : mask.masked_fill(wide, -Infinity);
}
