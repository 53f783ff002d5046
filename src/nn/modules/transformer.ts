/**
 * Transformers.
 *
 * @see https://arxiv.org/abs/1706.03762
 * @module
 */
import { is_grad_enabled } from "../../autograd/grad_mode.ts";
import { bool, type DType } from "../../base/dtype.ts";
import { RuntimeError } from "../../base/errors.ts";
import * as aten from "../../ops/mod.ts";
import type { Tensor } from "../../tensor.ts";
import { deepcopy } from "../../utils/copy.ts";
import { required, signature } from "../../utils/signature.ts";
import { gelu, relu } from "../functional/activation.ts";
import * as init from "../init.ts";
import { checkPaddingMask, MultiheadAttention } from "./attention.ts";
import { ModuleList } from "./container.ts";
import { Dropout } from "./dropout.ts";
import { Linear } from "./linear.ts";
import { type DeviceLike, type FactoryOptions, Module } from "./module.ts";
import { LayerNorm } from "./normalization.ts";

/** The activation of a feed-forward block. */
export type Activation = "relu" | "gelu" | ((x: Tensor) => Tensor);

function activationOf(activation: Activation): (x: Tensor) => Tensor {
  if (typeof activation === "function") return activation;
  if (activation === "relu") return relu;
  if (activation === "gelu") return gelu;
  throw new RuntimeError(`activation should be relu/gelu, not ${activation}`);
}

/** Arguments of encoder and decoder layers. */
export interface TransformerLayerOptions extends FactoryOptions {
  d_model: number;
  nhead: number;
  dim_feedforward?: number;
  dropout?: number;
  activation?: Activation;
  layer_norm_eps?: number;
  batch_first?: boolean;
  norm_first?: boolean;
}
const LAYER = signature<TransformerLayerOptions>("TransformerLayer", {
  d_model: required,
  nhead: required,
  dim_feedforward: 2048,
  dropout: 0.1,
  activation: relu,
  layer_norm_eps: 1e-5,
  batch_first: false,
  norm_first: false,
  device: null,
  dtype: null,
});
type L = Partial<TransformerLayerOptions>;

interface EncoderLayerInputs {
  src_mask?: Tensor | null;
  src_key_padding_mask?: Tensor | null;
}
const ENCODER_LAYER = signature<{ src: Tensor } & EncoderLayerInputs>("forward", {
  src: required,
  src_mask: null,
  src_key_padding_mask: null,
});

/**
 * Self-attention and a feed-forward block, each with a residual connection and layer normalization.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.TransformerEncoderLayer.html
 */
export class TransformerEncoderLayer extends Module {
  self_attn: MultiheadAttention;
  linear1: Linear;
  dropout: Dropout;
  linear2: Linear;
  norm_first: boolean;
  norm1: LayerNorm;
  norm2: LayerNorm;
  dropout1: Dropout;
  dropout2: Dropout;
  activation: (x: Tensor) => Tensor;

  constructor(options: TransformerLayerOptions);
  constructor(
    d_model: number,
    nhead: number,
    dim_feedforward?: number | L,
    dropout?: number | L,
    activation?: Activation | L,
    layer_norm_eps?: number | L,
    batch_first?: boolean | L,
    norm_first?: boolean | L,
    device?: DeviceLike | null | L,
    dtype?: DType | null,
  );
  constructor(...args: unknown[]) {
    super();
    const { d_model, nhead, dim_feedforward, dropout, batch_first, layer_norm_eps: eps, ...a } = LAYER(args);
    const factory = { device: a.device, dtype: a.dtype };
    this.self_attn = new MultiheadAttention(d_model, nhead, { dropout, batch_first, ...factory });
    this.linear1 = new Linear(d_model, dim_feedforward, factory);
    this.dropout = new Dropout(dropout);
    this.linear2 = new Linear(dim_feedforward, d_model, factory);
    this.norm_first = a.norm_first;
    this.norm1 = new LayerNorm(d_model, { eps, ...factory });
    this.norm2 = new LayerNorm(d_model, { eps, ...factory });
    this.dropout1 = new Dropout(dropout);
    this.dropout2 = new Dropout(dropout);
    this.activation = activationOf(a.activation);
  }

  override forward(
    src: Tensor,
    src_mask?: Tensor | null | EncoderLayerInputs,
    src_key_padding_mask?: Tensor | null,
  ): Tensor;
  override forward(...args: unknown[]): Tensor {
    const { src, src_mask, src_key_padding_mask } = ENCODER_LAYER(args);
    checkPaddingMask(src_key_padding_mask);
    const attend = (x: Tensor) => this._sa_block(x, src_mask, src_key_padding_mask);
    if (this.norm_first) {
      const x = src.add(attend(this.norm1(src)));
      return x.add(this._ff_block(this.norm2(x)));
    }
    const x = this.norm1(src.add(attend(src)));
    return this.norm2(x.add(this._ff_block(x)));
  }

  /** The self-attention block. */
  _sa_block(x: Tensor, attn_mask: Tensor | null, key_padding_mask: Tensor | null): Tensor {
    const [y] = this.self_attn(x, x, x, { attn_mask, key_padding_mask, need_weights: false });
    return this.dropout1(y);
  }

  /** The feed-forward block. */
  _ff_block(x: Tensor): Tensor {
    return this.dropout2(this.linear2(this.dropout(this.activation(this.linear1(x)))));
  }
}

interface DecoderInputs {
  tgt_mask?: Tensor | null;
  memory_mask?: Tensor | null;
  tgt_key_padding_mask?: Tensor | null;
  memory_key_padding_mask?: Tensor | null;
}
const DECODER = signature<{ tgt: Tensor; memory: Tensor } & DecoderInputs>("forward", {
  tgt: required,
  memory: required,
  tgt_mask: null,
  memory_mask: null,
  tgt_key_padding_mask: null,
  memory_key_padding_mask: null,
});

/**
 * Self-attention, attention to the encoder's output, and a feed-forward block.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.TransformerDecoderLayer.html
 */
export class TransformerDecoderLayer extends Module {
  self_attn: MultiheadAttention;
  multihead_attn: MultiheadAttention;
  linear1: Linear;
  dropout: Dropout;
  linear2: Linear;
  norm_first: boolean;
  norm1: LayerNorm;
  norm2: LayerNorm;
  norm3: LayerNorm;
  dropout1: Dropout;
  dropout2: Dropout;
  dropout3: Dropout;
  activation: (x: Tensor) => Tensor;

  constructor(options: TransformerLayerOptions);
  constructor(
    d_model: number,
    nhead: number,
    dim_feedforward?: number | L,
    dropout?: number | L,
    activation?: Activation | L,
    layer_norm_eps?: number | L,
    batch_first?: boolean | L,
    norm_first?: boolean | L,
    device?: DeviceLike | null | L,
    dtype?: DType | null,
  );
  constructor(...args: unknown[]) {
    super();
    const { d_model, nhead, dim_feedforward, dropout, batch_first, layer_norm_eps: eps, ...a } = LAYER(args);
    const factory = { device: a.device, dtype: a.dtype };
    this.self_attn = new MultiheadAttention(d_model, nhead, { dropout, batch_first, ...factory });
    this.multihead_attn = new MultiheadAttention(d_model, nhead, { dropout, batch_first, ...factory });
    this.linear1 = new Linear(d_model, dim_feedforward, factory);
    this.dropout = new Dropout(dropout);
    this.linear2 = new Linear(dim_feedforward, d_model, factory);
    this.norm_first = a.norm_first;
    this.norm1 = new LayerNorm(d_model, { eps, ...factory });
    this.norm2 = new LayerNorm(d_model, { eps, ...factory });
    this.norm3 = new LayerNorm(d_model, { eps, ...factory });
    this.dropout1 = new Dropout(dropout);
    this.dropout2 = new Dropout(dropout);
    this.dropout3 = new Dropout(dropout);
    this.activation = activationOf(a.activation);
  }

  override forward(
    tgt: Tensor,
    memory: Tensor,
    tgt_mask?: Tensor | null | DecoderInputs,
    memory_mask?: Tensor | null | DecoderInputs,
    tgt_key_padding_mask?: Tensor | null | DecoderInputs,
    memory_key_padding_mask?: Tensor | null,
  ): Tensor;
  override forward(...args: unknown[]): Tensor {
    const { tgt, memory, ...masks } = DECODER(args);
    const attend = (x: Tensor) => this._sa_block(x, masks.tgt_mask, masks.tgt_key_padding_mask);
    const look = (x: Tensor) => this._mha_block(x, memory, masks.memory_mask, masks.memory_key_padding_mask);
    if (this.norm_first) {
      let x = tgt.add(attend(this.norm1(tgt)));
      x = x.add(look(this.norm2(x)));
      return x.add(this._ff_block(this.norm3(x)));
    }
    let x = this.norm1(tgt.add(attend(tgt)));
    x = this.norm2(x.add(look(x)));
    return this.norm3(x.add(this._ff_block(x)));
  }

  /** The self-attention block. */
  _sa_block(x: Tensor, attn_mask: Tensor | null, key_padding_mask: Tensor | null): Tensor {
    const [y] = this.self_attn(x, x, x, { attn_mask, key_padding_mask, need_weights: false });
    return this.dropout1(y);
  }

  /** The block that attends to the encoder's output. */
  _mha_block(x: Tensor, memory: Tensor, attn_mask: Tensor | null, key_padding_mask: Tensor | null): Tensor {
    const [y] = this.multihead_attn(x, memory, memory, { attn_mask, key_padding_mask, need_weights: false });
    return this.dropout2(y);
  }

  /** The feed-forward block. */
  _ff_block(x: Tensor): Tensor {
    return this.dropout3(this.linear2(this.dropout(this.activation(this.linear1(x)))));
  }
}

interface EncoderOptions {
  encoder_layer: Module;
  num_layers: number;
  norm?: Module | null;
  enable_nested_tensor?: boolean;
  mask_check?: boolean;
}
const ENCODER = signature<EncoderOptions>("TransformerEncoder", {
  encoder_layer: required,
  num_layers: required,
  norm: null,
  enable_nested_tensor: true,
  mask_check: true,
});
interface EncoderInputs {
  mask?: Tensor | null;
  src_key_padding_mask?: Tensor | null;
}
const ENCODE = signature<{ src: Tensor } & EncoderInputs>("forward", {
  src: required,
  mask: null,
  src_key_padding_mask: null,
});

/**
 * Copies of one encoder layer, one after the other.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.TransformerEncoder.html
 */
export class TransformerEncoder extends Module {
  layers: ModuleList;
  num_layers: number;
  norm!: Module | null;
  enable_nested_tensor: boolean;
  mask_check: boolean;

  constructor(options: EncoderOptions);
  constructor(
    encoder_layer: Module,
    num_layers: number | Partial<EncoderOptions>,
    norm?: Module | null | Partial<EncoderOptions>,
    enable_nested_tensor?: boolean | Partial<EncoderOptions>,
    mask_check?: boolean,
  );
  constructor(...args: unknown[]) {
    super();
    const { encoder_layer, num_layers, norm, enable_nested_tensor, mask_check } = ENCODER(args);
    this.layers = clones(encoder_layer, num_layers);
    this.num_layers = num_layers;
    this.norm = norm;
    this.enable_nested_tensor = enable_nested_tensor;
    this.mask_check = mask_check;
  }

  override forward(
    src: Tensor,
    mask?: Tensor | null | EncoderInputs,
    src_key_padding_mask?: Tensor | null,
  ): Tensor;
  override forward(...args: unknown[]): Tensor {
    const { src, mask, src_key_padding_mask } = ENCODE(args);
    checkPaddingMask(src_key_padding_mask);
    let x = src;
    for (const layer of this.layers) x = layer(x, { src_mask: mask, src_key_padding_mask }) as Tensor;
    if (src_key_padding_mask !== null && mask === null && this.#dropsPadding(src, src_key_padding_mask)) {
      const padding = src_key_padding_mask.to(bool);
      const longest = Number(padding.logical_not().sum(1).max().item());
      x = x.masked_fill(padding.unsqueeze(-1), 0).narrow(1, 0, longest);
    }
    return this.norm === null ? x : this.norm(x) as Tensor;
  }

  /** Does PyTorch leave out the padding here, as nested tensors? The output is then as long as the longest sequence, and zero where padding was. */
  #dropsPadding(src: Tensor, padding: Tensor): boolean {
    const layer = this.layers.at(0);
    return this.enable_nested_tensor && layer instanceof TransformerEncoderLayer && !layer.norm_first &&
      !layer.training && layer.self_attn.batch_first && layer.self_attn._qkv_same_embed_dim &&
      layer.self_attn.num_heads % 2 === 0 && (layer.activation === relu || layer.activation === gelu) &&
      layer.norm1.eps === layer.norm2.eps && src.dim() === 3 &&
      !(is_grad_enabled() && (src.requires_grad || [...layer.parameters()].some((p) => p.requires_grad))) &&
      (!this.mask_check || isLeftAligned(padding));
  }
}

/** Is all the padding at the ends of the rows? */
function isLeftAligned(padding: Tensor): boolean {
  const there = padding.logical_not(), length = there.size(1) - 1;
  return there.narrow(1, 1, length).gt(there.narrow(1, 0, length)).any().item() === false;
}

interface DecoderOptions {
  decoder_layer: Module;
  num_layers: number;
  norm?: Module | null;
}
const DECODER_ARGS = signature<DecoderOptions>("TransformerDecoder", {
  decoder_layer: required,
  num_layers: required,
  norm: null,
});

/**
 * Copies of one decoder layer, one after the other.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.TransformerDecoder.html
 */
export class TransformerDecoder extends Module {
  layers: ModuleList;
  num_layers: number;
  norm!: Module | null;

  constructor(options: DecoderOptions);
  constructor(
    decoder_layer: Module,
    num_layers: number | Partial<DecoderOptions>,
    norm?: Module | null | Partial<DecoderOptions>,
  );
  constructor(...args: unknown[]) {
    super();
    const { decoder_layer, num_layers, norm } = DECODER_ARGS(args);
    this.layers = clones(decoder_layer, num_layers);
    this.num_layers = num_layers;
    this.norm = norm;
  }

  override forward(
    tgt: Tensor,
    memory: Tensor,
    tgt_mask?: Tensor | null | DecoderInputs,
    memory_mask?: Tensor | null | DecoderInputs,
    tgt_key_padding_mask?: Tensor | null | DecoderInputs,
    memory_key_padding_mask?: Tensor | null,
  ): Tensor;
  override forward(...args: unknown[]): Tensor {
    const { tgt, memory, ...masks } = DECODER(args);
    let x = tgt;
    for (const layer of this.layers) x = layer(x, memory, masks) as Tensor;
    return this.norm === null ? x : this.norm(x) as Tensor;
  }
}

function clones(layer: Module, n: number): ModuleList {
  return new ModuleList(Array.from({ length: n }, () => deepcopy(layer)));
}

/** Arguments of `nn.Transformer`. */
export interface TransformerOptions extends Omit<TransformerLayerOptions, "d_model" | "nhead"> {
  d_model?: number;
  nhead?: number;
  num_encoder_layers?: number;
  num_decoder_layers?: number;
  custom_encoder?: Module | null;
  custom_decoder?: Module | null;
}
const TRANSFORMER = signature<TransformerOptions>("Transformer", {
  d_model: 512,
  nhead: 8,
  num_encoder_layers: 6,
  num_decoder_layers: 6,
  dim_feedforward: 2048,
  dropout: 0.1,
  activation: relu,
  custom_encoder: null,
  custom_decoder: null,
  layer_norm_eps: 1e-5,
  batch_first: false,
  norm_first: false,
  device: null,
  dtype: null,
});
type T = TransformerOptions;

interface TransformerInputs extends DecoderInputs {
  src_mask?: Tensor | null;
  src_key_padding_mask?: Tensor | null;
}
const TRANSFORM = signature<{ src: Tensor; tgt: Tensor } & TransformerInputs>("forward", {
  src: required,
  tgt: required,
  src_mask: null,
  tgt_mask: null,
  memory_mask: null,
  src_key_padding_mask: null,
  tgt_key_padding_mask: null,
  memory_key_padding_mask: null,
});

/**
 * Encoder and decoder.
 *
 * @see https://arxiv.org/abs/1706.03762
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Transformer.html
 */
export class Transformer extends Module {
  encoder: Module;
  decoder: Module;
  d_model: number;
  nhead: number;
  batch_first: boolean;

  constructor(
    d_model?: number | T,
    nhead?: number | T,
    num_encoder_layers?: number | T,
    num_decoder_layers?: number | T,
    dim_feedforward?: number | T,
    dropout?: number | T,
    activation?: Activation | T,
    custom_encoder?: Module | null | T,
    custom_decoder?: Module | null | T,
    layer_norm_eps?: number | T,
    batch_first?: boolean | T,
    norm_first?: boolean | T,
    device?: DeviceLike | null | T,
    dtype?: DType | null,
  );
  constructor(...args: unknown[]) {
    super();
    const { custom_encoder, custom_decoder, num_encoder_layers, num_decoder_layers, ...layer } = TRANSFORMER(
      args,
    );
    const norm = () =>
      new LayerNorm(layer.d_model, { eps: layer.layer_norm_eps, device: layer.device, dtype: layer.dtype });
    this.encoder = custom_encoder ??
      new TransformerEncoder(new TransformerEncoderLayer(layer), num_encoder_layers, norm());
    this.decoder = custom_decoder ??
      new TransformerDecoder(new TransformerDecoderLayer(layer), num_decoder_layers, norm());
    for (const p of this.parameters()) if (p.dim() > 1) init.xavier_uniform_(p);
    this.d_model = layer.d_model;
    this.nhead = layer.nhead;
    this.batch_first = layer.batch_first;
  }

  override forward(
    src: Tensor,
    tgt: Tensor,
    src_mask?: Tensor | null | TransformerInputs,
    tgt_mask?: Tensor | null | TransformerInputs,
    memory_mask?: Tensor | null | TransformerInputs,
    src_key_padding_mask?: Tensor | null | TransformerInputs,
    tgt_key_padding_mask?: Tensor | null | TransformerInputs,
    memory_key_padding_mask?: Tensor | null,
  ): Tensor;
  override forward(...args: unknown[]): Tensor {
    const { src, tgt, src_mask, src_key_padding_mask, ...masks } = TRANSFORM(args);
    const batchDim = this.batch_first ? 0 : 1;
    if (src.dim() === 3 && src.size(batchDim) !== tgt.size(batchDim)) {
      throw new RuntimeError("the batch number of src and tgt must be equal");
    }
    if (src.size(-1) !== this.d_model || tgt.size(-1) !== this.d_model) {
      throw new RuntimeError("the feature number of src and tgt must be equal to d_model");
    }
    const memory = this.encoder(src, { mask: src_mask, src_key_padding_mask }) as Tensor;
    return this.decoder(tgt, memory, masks) as Tensor;
  }

  /** A mask that hides what comes later: -inf above the diagonal. */
  static generate_square_subsequent_mask(sz: number, device: DeviceLike = "cpu"): Tensor {
    return aten.full([sz, sz], -Infinity, { device }).triu(1);
  }
}
