/**
 * Embeddings.
 *
 * @module
 */
import type { DType } from "../../base/dtype.ts";
import { AssertionError } from "../../base/errors.ts";
import { no_grad } from "../../autograd/grad_mode.ts";
import * as aten from "../../ops/mod.ts";
import type { Tensor } from "../../tensor.ts";
import { pyrepr } from "../../utils/pyrepr.ts";
import { required, signature } from "../../utils/signature.ts";
import { type BagMode, embedding, embedding_bag } from "../functional/sparse.ts";
import * as init from "../init.ts";
import { Parameter } from "../parameter.ts";
import { type DeviceLike, type FactoryOptions, Module } from "./module.ts";

/** A padding index that counts from the front, checked. */
function paddingIndex(index: number | null, rows: number, word: string): number | null {
  if (index === null) return null;
  if (index >= rows || index < -rows) throw new AssertionError(`${word} must be within num_embeddings`);
  return index < 0 ? rows + index : index;
}

/** The weight of an embedding: the given one, checked, or an empty one. */
function makeWeight(rows: number, columns: number, given: Tensor | null, factory: FactoryOptions): Parameter {
  if (given === null) return new Parameter(aten.empty([rows, columns], factory));
  if (given.dim() !== 2 || given.size(0) !== rows || given.size(1) !== columns) {
    throw new AssertionError("Shape of weight does not match num_embeddings and embedding_dim");
  }
  return new Parameter(given);
}

function resetWeight(weight: Tensor, padding_idx: number | null): void {
  init.normal_(weight);
  if (padding_idx !== null) no_grad(() => weight.select(0, padding_idx).fill_(0));
}

interface Shared extends FactoryOptions {
  num_embeddings: number;
  embedding_dim: number;
  padding_idx?: number | null;
  max_norm?: number | null;
  norm_type?: number;
  scale_grad_by_freq?: boolean;
  sparse?: boolean;
  _weight?: Tensor | null;
}

/** Arguments of `nn.Embedding`. */
export type EmbeddingOptions = Shared;
const EMBEDDING = signature<EmbeddingOptions>("Embedding", {
  num_embeddings: required,
  embedding_dim: required,
  padding_idx: null,
  max_norm: null,
  norm_type: 2,
  scale_grad_by_freq: false,
  sparse: false,
  _weight: null,
  device: null,
  dtype: null,
});
type E = Partial<EmbeddingOptions>;

type Pretrained = Omit<Shared, "num_embeddings" | "embedding_dim" | "_weight" | keyof FactoryOptions> & {
  freeze?: boolean;
};
const PRETRAINED = signature<{ embeddings: Tensor } & Pretrained>("from_pretrained", {
  embeddings: required,
  freeze: true,
  padding_idx: null,
  max_norm: null,
  norm_type: 2,
  scale_grad_by_freq: false,
  sparse: false,
});

/**
 * A table of vectors, looked up by index.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Embedding.html
 */
export class Embedding extends Module {
  num_embeddings: number;
  embedding_dim: number;
  padding_idx: number | null;
  max_norm: number | null;
  norm_type: number;
  scale_grad_by_freq: boolean;
  weight: Parameter;
  sparse: boolean;

  constructor(options: EmbeddingOptions);
  constructor(
    num_embeddings: number,
    embedding_dim: number,
    padding_idx?: number | null | E,
    max_norm?: number | null | E,
    norm_type?: number | E,
    scale_grad_by_freq?: boolean | E,
    sparse?: boolean | E,
    _weight?: Tensor | null | E,
    device?: DeviceLike | null | E,
    dtype?: DType | null,
  );
  constructor(...args: unknown[]) {
    super();
    const a = EMBEDDING(args);
    this.num_embeddings = a.num_embeddings;
    this.embedding_dim = a.embedding_dim;
    this.padding_idx = paddingIndex(a.padding_idx, a.num_embeddings, "Padding_idx");
    this.max_norm = a.max_norm;
    this.norm_type = a.norm_type;
    this.scale_grad_by_freq = a.scale_grad_by_freq;
    this.weight = makeWeight(a.num_embeddings, a.embedding_dim, a._weight, {
      device: a.device,
      dtype: a.dtype,
    });
    if (a._weight === null) this.reset_parameters();
    this.sparse = a.sparse;
  }

  /** Draws new initial values; the padding row is zero. */
  reset_parameters(): void {
    resetWeight(this.weight, this.padding_idx);
  }

  override forward(input: Tensor): Tensor {
    const { weight, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse } = this;
    return embedding(input, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse);
  }

  override extra_repr(): string {
    let s = `${this.num_embeddings}, ${this.embedding_dim}`;
    if (this.padding_idx !== null) s += `, padding_idx=${this.padding_idx}`;
    if (this.max_norm !== null) s += `, max_norm=${pyrepr(this.max_norm)}`;
    if (this.norm_type !== 2) s += `, norm_type=${pyrepr(this.norm_type)}`;
    if (this.scale_grad_by_freq) s += ", scale_grad_by_freq=True";
    if (this.sparse) s += ", sparse=True";
    return s;
  }

  /** An Embedding over given vectors, frozen unless told otherwise. */
  static from_pretrained(
    embeddings: Tensor,
    freeze?: boolean | Pretrained,
    padding_idx?: number | null | Pretrained,
    max_norm?: number | null | Pretrained,
    norm_type?: number | Pretrained,
    scale_grad_by_freq?: boolean | Pretrained,
    sparse?: boolean,
  ): Embedding;
  static from_pretrained(...args: unknown[]): Embedding {
    const { embeddings, freeze, ...rest } = PRETRAINED(args);
    if (embeddings.dim() !== 2) {
      throw new AssertionError("Embeddings parameter is expected to be 2-dimensional");
    }
    const [num_embeddings, embedding_dim] = embeddings.shape as unknown as [number, number];
    const made = new this({ num_embeddings, embedding_dim, _weight: embeddings, ...rest });
    made.weight.requires_grad_(!freeze);
    return made;
  }
}

/** Arguments of `nn.EmbeddingBag`. */
export interface EmbeddingBagOptions extends Shared {
  mode?: BagMode;
  include_last_offset?: boolean;
}
const EMBEDDING_BAG = signature<EmbeddingBagOptions>("EmbeddingBag", {
  num_embeddings: required,
  embedding_dim: required,
  max_norm: null,
  norm_type: 2,
  scale_grad_by_freq: false,
  mode: "mean",
  sparse: false,
  _weight: null,
  include_last_offset: false,
  padding_idx: null,
  device: null,
  dtype: null,
});
type B = Partial<EmbeddingBagOptions>;

type BagPretrained =
  & Omit<EmbeddingBagOptions, "num_embeddings" | "embedding_dim" | "_weight" | keyof FactoryOptions>
  & { freeze?: boolean };
const BAG_PRETRAINED = signature<{ embeddings: Tensor } & BagPretrained>("from_pretrained", {
  embeddings: required,
  freeze: true,
  max_norm: null,
  norm_type: 2,
  scale_grad_by_freq: false,
  mode: "mean",
  sparse: false,
  include_last_offset: false,
  padding_idx: null,
});

interface BagInputs {
  offsets?: Tensor | null;
  per_sample_weights?: Tensor | null;
}
const BAG_FORWARD = signature<{ input: Tensor } & BagInputs>("forward", {
  input: required,
  offsets: null,
  per_sample_weights: null,
});

/**
 * Sums, means or maxima of bags of embeddings.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.EmbeddingBag.html
 */
export class EmbeddingBag extends Module {
  num_embeddings: number;
  embedding_dim: number;
  max_norm: number | null;
  norm_type: number;
  scale_grad_by_freq: boolean;
  padding_idx: number | null;
  weight: Parameter;
  mode: BagMode;
  sparse: boolean;
  include_last_offset: boolean;

  constructor(options: EmbeddingBagOptions);
  constructor(
    num_embeddings: number,
    embedding_dim: number,
    max_norm?: number | null | B,
    norm_type?: number | B,
    scale_grad_by_freq?: boolean | B,
    mode?: BagMode | B,
    sparse?: boolean | B,
    _weight?: Tensor | null | B,
    include_last_offset?: boolean | B,
    padding_idx?: number | null | B,
    device?: DeviceLike | null | B,
    dtype?: DType | null,
  );
  constructor(...args: unknown[]) {
    super();
    const a = EMBEDDING_BAG(args);
    this.num_embeddings = a.num_embeddings;
    this.embedding_dim = a.embedding_dim;
    this.max_norm = a.max_norm;
    this.norm_type = a.norm_type;
    this.scale_grad_by_freq = a.scale_grad_by_freq;
    this.padding_idx = paddingIndex(a.padding_idx, a.num_embeddings, "padding_idx");
    this.weight = makeWeight(a.num_embeddings, a.embedding_dim, a._weight, {
      device: a.device,
      dtype: a.dtype,
    });
    if (a._weight === null) this.reset_parameters();
    this.mode = a.mode;
    this.sparse = a.sparse;
    this.include_last_offset = a.include_last_offset;
  }

  /** Draws new initial values; the padding row is zero. */
  reset_parameters(): void {
    resetWeight(this.weight, this.padding_idx);
  }

  override forward(
    input: Tensor,
    offsets?: Tensor | null | BagInputs,
    per_sample_weights?: Tensor | null | BagInputs,
  ): Tensor;
  override forward(...args: unknown[]): Tensor {
    const { input, offsets, per_sample_weights } = BAG_FORWARD(args);
    const {
      weight,
      max_norm,
      norm_type,
      scale_grad_by_freq,
      mode,
      sparse,
      include_last_offset,
      padding_idx,
    } = this;
    return embedding_bag(
      input,
      weight,
      offsets,
      max_norm,
      norm_type,
      scale_grad_by_freq,
      mode,
      sparse,
      per_sample_weights,
      include_last_offset,
      padding_idx,
    );
  }

  override extra_repr(): string {
    let s = `${this.num_embeddings}, ${this.embedding_dim}`;
    if (this.max_norm !== null) s += `, max_norm=${pyrepr(this.max_norm)}`;
    if (this.norm_type !== 2) s += `, norm_type=${pyrepr(this.norm_type)}`;
    if (this.scale_grad_by_freq) s += ", scale_grad_by_freq=True";
    s += `, mode=${this.mode}`;
    if (this.padding_idx !== null) s += `, padding_idx=${this.padding_idx}`;
    return s;
  }

  /** An EmbeddingBag over given vectors, frozen unless told otherwise. */
  static from_pretrained(
    embeddings: Tensor,
    freeze?: boolean | BagPretrained,
    max_norm?: number | null | BagPretrained,
    norm_type?: number | BagPretrained,
    scale_grad_by_freq?: boolean | BagPretrained,
    mode?: BagMode | BagPretrained,
    sparse?: boolean | BagPretrained,
    include_last_offset?: boolean | BagPretrained,
    padding_idx?: number | null,
  ): EmbeddingBag;
  static from_pretrained(...args: unknown[]): EmbeddingBag {
    const { embeddings, freeze, ...rest } = BAG_PRETRAINED(args);
    if (embeddings.dim() !== 2) {
      throw new AssertionError("Embeddings parameter is expected to be 2-dimensional");
    }
    const [num_embeddings, embedding_dim] = embeddings.shape as unknown as [number, number];
    const made = new this({ num_embeddings, embedding_dim, _weight: embeddings, ...rest });
    made.weight.requires_grad_(!freeze);
    return made;
  }
}
