/**
 * Multi-head attention.
 *
 * @module
 */
import { bool, type DType } from "../../base/dtype.ts";
import { AssertionError } from "../../base/errors.ts";
import * as aten from "../../ops/mod.ts";
import type { Tensor } from "../../tensor.ts";
import { required, signature } from "../../utils/signature.ts";
import { multi_head_attention_forward } from "../functional/attention.ts";
import * as init from "../init.ts";
import { Parameter } from "../parameter.ts";
import { NonDynamicallyQuantizableLinear } from "./linear.ts";
import { type DeviceLike, type FactoryOptions, Module } from "./module.ts";

/** Arguments of `nn.MultiheadAttention`. */
export interface MultiheadAttentionOptions extends FactoryOptions {
  embed_dim: number;
  num_heads: number;
  dropout?: number;
  bias?: boolean;
  add_bias_kv?: boolean;
  add_zero_attn?: boolean;
  kdim?: number | null;
  vdim?: number | null;
  batch_first?: boolean;
}
const ATTENTION = signature<MultiheadAttentionOptions>("MultiheadAttention", {
  embed_dim: required,
  num_heads: required,
  dropout: 0,
  bias: true,
  add_bias_kv: false,
  add_zero_attn: false,
  kdim: null,
  vdim: null,
  batch_first: false,
  device: null,
  dtype: null,
});
type O = Partial<MultiheadAttentionOptions>;

interface AttentionInputs {
  key_padding_mask?: Tensor | null;
  need_weights?: boolean;
  attn_mask?: Tensor | null;
  average_attn_weights?: boolean;
}
const FORWARD = signature<{ query: Tensor; key: Tensor; value: Tensor } & AttentionInputs>("forward", {
  query: required,
  key: required,
  value: required,
  key_padding_mask: null,
  need_weights: true,
  attn_mask: null,
  average_attn_weights: true,
});

/** Throws PyTorch's error for a key padding mask of the wrong dtype. */
export function checkPaddingMask(mask: Tensor | null): void {
  if (mask !== null && mask.dtype !== bool && !mask.is_floating_point()) {
    throw new AssertionError("only bool and floating types of key_padding_mask are supported");
  }
}

/**
 * Attention with several heads. Gives the output and the attention weights (null without `need_weights`).
 *
 * @see https://arxiv.org/abs/1706.03762
 * @see https://pytorch.org/docs/stable/generated/torch.nn.MultiheadAttention.html
 */
export class MultiheadAttention extends Module {
  embed_dim: number;
  kdim: number;
  vdim: number;
  _qkv_same_embed_dim: boolean;
  num_heads: number;
  dropout: number;
  batch_first: boolean;
  head_dim: number;
  declare q_proj_weight: Parameter | null;
  declare k_proj_weight: Parameter | null;
  declare v_proj_weight: Parameter | null;
  declare in_proj_weight: Parameter | null;
  declare in_proj_bias: Parameter | null;
  declare out_proj: NonDynamicallyQuantizableLinear;
  declare bias_k: Parameter | null;
  declare bias_v: Parameter | null;
  add_zero_attn: boolean;

  constructor(options: MultiheadAttentionOptions);
  constructor(
    embed_dim: number,
    num_heads: number,
    dropout?: number | O,
    bias?: boolean | O,
    add_bias_kv?: boolean | O,
    add_zero_attn?: boolean | O,
    kdim?: number | null | O,
    vdim?: number | null | O,
    batch_first?: boolean | O,
    device?: DeviceLike | null | O,
    dtype?: DType | null,
  );
  constructor(...args: unknown[]) {
    super();
    const { embed_dim, num_heads, bias, device, dtype, ...a } = ATTENTION(args);
    this.embed_dim = embed_dim;
    this.kdim = a.kdim ?? embed_dim;
    this.vdim = a.vdim ?? embed_dim;
    this._qkv_same_embed_dim = this.kdim === embed_dim && this.vdim === embed_dim;
    this.num_heads = num_heads;
    this.dropout = a.dropout;
    this.batch_first = a.batch_first;
    this.head_dim = Math.floor(embed_dim / num_heads);
    this.add_zero_attn = a.add_zero_attn;
    if (this.head_dim * num_heads !== embed_dim) {
      throw new AssertionError("embed_dim must be divisible by num_heads");
    }
    const add = (name: string, wanted: boolean, ...sizes: number[]): void =>
      this.register_parameter(name, wanted ? new Parameter(aten.empty(sizes, { device, dtype })) : null);
    const same = this._qkv_same_embed_dim;
    add("q_proj_weight", !same, embed_dim, embed_dim);
    add("k_proj_weight", !same, embed_dim, this.kdim);
    add("v_proj_weight", !same, embed_dim, this.vdim);
    add("in_proj_weight", same, 3 * embed_dim, embed_dim);
    add("in_proj_bias", bias, 3 * embed_dim);
    this.out_proj = new NonDynamicallyQuantizableLinear(embed_dim, embed_dim, { bias, device, dtype });
    add("bias_k", a.add_bias_kv, 1, 1, embed_dim);
    add("bias_v", a.add_bias_kv, 1, 1, embed_dim);
    this._reset_parameters();
  }

  /** Draws new initial values. */
  _reset_parameters(): void {
    for (const w of [this.in_proj_weight, this.q_proj_weight, this.k_proj_weight, this.v_proj_weight]) {
      if (w !== null) init.xavier_uniform_(w);
    }
    if (this.in_proj_bias !== null) {
      init.zeros_(this.in_proj_bias);
      init.zeros_(this.out_proj.bias!);
    }
    for (const b of [this.bias_k, this.bias_v]) if (b !== null) init.xavier_normal_(b);
  }

  override forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    key_padding_mask?: Tensor | null | AttentionInputs,
    need_weights?: boolean | AttentionInputs,
    attn_mask?: Tensor | null | AttentionInputs,
    average_attn_weights?: boolean,
  ): [Tensor, Tensor | null];
  override forward(...args: unknown[]): [Tensor, Tensor | null] {
    const { query, key, value, key_padding_mask, need_weights, attn_mask, average_attn_weights } = FORWARD(
      args,
    );
    checkPaddingMask(key_padding_mask);
    const swap = this.batch_first && query.dim() === 3;
    // Tensors that are the same stay the same: their projections are then one product.
    const q = swap ? query.transpose(0, 1) : query;
    const k = key === query ? q : swap ? key.transpose(0, 1) : key;
    const v = value === key ? k : swap ? value.transpose(0, 1) : value;
    const [output, weights] = multi_head_attention_forward(
      q,
      k,
      v,
      this.embed_dim,
      this.num_heads,
      this.in_proj_weight,
      this.in_proj_bias,
      this.bias_k,
      this.bias_v,
      this.add_zero_attn,
      this.dropout,
      this.out_proj.weight,
      this.out_proj.bias,
      {
        training: this.training,
        key_padding_mask,
        need_weights,
        attn_mask,
        use_separate_proj_weight: !this._qkv_same_embed_dim,
        q_proj_weight: this.q_proj_weight,
        k_proj_weight: this.k_proj_weight,
        v_proj_weight: this.v_proj_weight,
        average_attn_weights,
      },
    );
    return [swap ? output.transpose(0, 1) : output, weights];
  }
}
