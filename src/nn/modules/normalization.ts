/**
 * Layer, group and local response normalization.
 *
 * @module
 */
import type { DType } from "../../base/dtype.ts";
import { ValueError } from "../../base/errors.ts";
import * as aten from "../../ops/mod.ts";
import type { Tensor } from "../../tensor.ts";
import { floatRepr, pyrepr, tupleRepr } from "../../utils/pyrepr.ts";
import { required, signature } from "../../utils/signature.ts";
import { group_norm, local_response_norm, rms_norm } from "../functional/normalization.ts";
import * as init from "../init.ts";
import { Parameter } from "../parameter.ts";
import { type DeviceLike, type FactoryOptions, Module } from "./module.ts";
import { type IntOrTuple, ntuple } from "./utils.ts";

/** Arguments of `nn.LocalResponseNorm` and `nn.CrossMapLRN2d`. */
export interface LocalResponseNormOptions {
  size: number;
  alpha?: number;
  beta?: number;
  k?: number;
}
const LOCAL_RESPONSE_NORM = signature<LocalResponseNormOptions>("LocalResponseNorm", {
  size: required,
  alpha: 1e-4,
  beta: 0.75,
  k: 1,
});

/**
 * Divides by a power of the mean square over neighbouring channels.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.LocalResponseNorm.html
 */
export class LocalResponseNorm extends Module {
  size: number;
  alpha: number;
  beta: number;
  k: number;

  constructor(options: LocalResponseNormOptions);
  constructor(
    size: number,
    alpha?: number | Partial<LocalResponseNormOptions>,
    beta?: number | Partial<LocalResponseNormOptions>,
    k?: number | Partial<LocalResponseNormOptions>,
  );
  constructor(...args: unknown[]) {
    super();
    const a = LOCAL_RESPONSE_NORM(args);
    this.size = a.size;
    this.alpha = a.alpha;
    this.beta = a.beta;
    this.k = a.k;
  }

  override forward(input: Tensor): Tensor {
    return local_response_norm(input, this.size, this.alpha, this.beta, this.k);
  }

  override extra_repr(): string {
    return `${this.size}, alpha=${pyrepr(this.alpha)}, beta=${pyrepr(this.beta)}, k=${floatRepr(this.k)}`;
  }
}

/**
 * Local response normalization of (N, C, H, W), in Torch 7's form; the same formula.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.CrossMapLRN2d.html
 */
export class CrossMapLRN2d extends LocalResponseNorm {}

/** Arguments of `nn.LayerNorm`. */
export interface LayerNormOptions extends FactoryOptions {
  normalized_shape: IntOrTuple;
  eps?: number;
  elementwise_affine?: boolean;
}
const LAYER_NORM = signature<LayerNormOptions>("LayerNorm", {
  normalized_shape: required,
  eps: 1e-5,
  elementwise_affine: true,
  device: null,
  dtype: null,
});

/**
 * Normalizes over the last dimensions.
 *
 * @see https://arxiv.org/abs/1607.06450
 * @see https://pytorch.org/docs/stable/generated/torch.nn.LayerNorm.html
 */
export class LayerNorm extends Module {
  normalized_shape: number[];
  eps: number;
  elementwise_affine: boolean;
  weight!: Parameter | null;
  bias!: Parameter | null;

  constructor(options: LayerNormOptions);
  constructor(
    normalized_shape: IntOrTuple,
    eps?: number | Partial<LayerNormOptions>,
    elementwise_affine?: boolean | Partial<LayerNormOptions>,
    device?: DeviceLike | null | Partial<LayerNormOptions>,
    dtype?: DType | null,
  );
  constructor(...args: unknown[]) {
    super();
    const { normalized_shape, eps, elementwise_affine, device, dtype } = LAYER_NORM(args);
    const shape = ntuple(normalized_shape, 1);
    this.normalized_shape = shape;
    this.eps = eps;
    this.elementwise_affine = elementwise_affine;
    const make = () => elementwise_affine ? new Parameter(aten.empty(shape, { device, dtype })) : null;
    this.register_parameter("weight", make());
    this.register_parameter("bias", make());
    this.reset_parameters();
  }

  /** Weight 1, bias 0. */
  reset_parameters(): void {
    if (this.weight !== null) init.ones_(this.weight);
    if (this.bias !== null) init.zeros_(this.bias);
  }

  override forward(input: Tensor): Tensor {
    return aten.layer_norm(input, this.normalized_shape, this.weight, this.bias, this.eps);
  }

  override extra_repr(): string {
    return `${tupleRepr(this.normalized_shape)}, eps=${pyrepr(this.eps)}, ` +
      `elementwise_affine=${pyrepr(this.elementwise_affine)}`;
  }
}

/** Arguments of `nn.GroupNorm`. */
export interface GroupNormOptions extends FactoryOptions {
  num_groups: number;
  num_channels: number;
  eps?: number;
  affine?: boolean;
}
const GROUP_NORM = signature<GroupNormOptions>("GroupNorm", {
  num_groups: required,
  num_channels: required,
  eps: 1e-5,
  affine: true,
  device: null,
  dtype: null,
});

/**
 * Normalizes every group of channels of every sample.
 *
 * @see https://arxiv.org/abs/1803.08494
 * @see https://pytorch.org/docs/stable/generated/torch.nn.GroupNorm.html
 */
export class GroupNorm extends Module {
  num_groups: number;
  num_channels: number;
  eps: number;
  affine: boolean;
  weight!: Parameter | null;
  bias!: Parameter | null;

  constructor(options: GroupNormOptions);
  constructor(
    num_groups: number,
    num_channels: number,
    eps?: number | Partial<GroupNormOptions>,
    affine?: boolean | Partial<GroupNormOptions>,
    device?: DeviceLike | null | Partial<GroupNormOptions>,
    dtype?: DType | null,
  );
  constructor(...args: unknown[]) {
    super();
    const { num_groups, num_channels, eps, affine, device, dtype } = GROUP_NORM(args);
    if (num_channels % num_groups !== 0) throw new ValueError("num_channels must be divisible by num_groups");
    this.num_groups = num_groups;
    this.num_channels = num_channels;
    this.eps = eps;
    this.affine = affine;
    const make = () => affine ? new Parameter(aten.empty([num_channels], { device, dtype })) : null;
    this.register_parameter("weight", make());
    this.register_parameter("bias", make());
    this.reset_parameters();
  }

  /** Weight 1, bias 0. */
  reset_parameters(): void {
    if (this.weight !== null) init.ones_(this.weight);
    if (this.bias !== null) init.zeros_(this.bias);
  }

  override forward(input: Tensor): Tensor {
    return group_norm(input, this.num_groups, this.weight, this.bias, this.eps);
  }

  override extra_repr(): string {
    return `${this.num_groups}, ${this.num_channels}, eps=${pyrepr(this.eps)}, affine=${pyrepr(this.affine)}`;
  }
}

/** Arguments of `nn.RMSNorm`. */
export interface RMSNormOptions extends FactoryOptions {
  normalized_shape: number | readonly number[];
  /** null: the machine epsilon of the input's dtype. */
  eps?: number | null;
  elementwise_affine?: boolean;
}
const RMS_NORM = signature<RMSNormOptions>("RMSNorm", {
  normalized_shape: required,
  eps: null,
  elementwise_affine: true,
  device: null,
  dtype: null,
});

/**
 * Divides by the root of the mean square over the last dimensions, those of `normalized_shape`; the shape stays.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.RMSNorm.html
 */
export class RMSNorm extends Module {
  normalized_shape: readonly number[];
  eps: number | null;
  elementwise_affine: boolean;
  weight!: Parameter | null;

  constructor(options: RMSNormOptions);
  constructor(
    normalized_shape: number | readonly number[],
    eps?: number | null | Partial<RMSNormOptions>,
    elementwise_affine?: boolean | Partial<RMSNormOptions>,
    device?: DeviceLike | null | Partial<RMSNormOptions>,
    dtype?: DType | null,
  );
  constructor(...args: unknown[]) {
    super();
    const { normalized_shape, eps, elementwise_affine, device, dtype } = RMS_NORM(args);
    this.normalized_shape = typeof normalized_shape === "number" ? [normalized_shape] : [...normalized_shape];
    this.eps = eps;
    this.elementwise_affine = elementwise_affine;
    this.register_parameter(
      "weight",
      elementwise_affine ? new Parameter(aten.empty([...this.normalized_shape], { device, dtype })) : null,
    );
    this.reset_parameters();
  }

  /** Weight 1. */
  reset_parameters(): void {
    if (this.weight !== null) init.ones_(this.weight);
  }

  override forward(input: Tensor): Tensor {
    return rms_norm(input, this.normalized_shape, this.weight, this.eps);
  }

  override extra_repr(): string {
    return `${tupleRepr(this.normalized_shape)}, eps=${pyrepr(this.eps)}, ` +
      `elementwise_affine=${pyrepr(this.elementwise_affine)}`;
  }
}
