/**
 * Modules that learn the size of their input from the first one they see, and then become ordinary ones.
 *
 * @module
 */
import { int64 } from "../../base/dtype.ts";
import type { DType } from "../../base/dtype.ts";
import {
  AssertionError,
  NotImplementedError,
  RuntimeError,
  ValueError,
  warnOnce,
} from "../../base/errors.ts";
import { no_grad } from "../../autograd/grad_mode.ts";
import * as aten from "../../ops/mod.ts";
import { Tensor } from "../../tensor.ts";
import { required, signature } from "../../utils/signature.ts";
import type { RemovableHandle } from "../../utils/hooks.ts";
import { is_lazy, UninitializedBuffer, UninitializedParameter } from "../parameter.ts";
import { BatchNorm1d, BatchNorm2d, BatchNorm3d, type NormBase, type NormOptions } from "./batchnorm.ts";
import {
  Conv1d,
  Conv2d,
  Conv3d,
  type ConvNd,
  type ConvOptions,
  ConvTranspose1d,
  ConvTranspose2d,
  ConvTranspose3d,
  type ConvTransposeOptions,
  type Padding,
  type PaddingMode,
} from "./conv.ts";
import { InstanceNorm1d, InstanceNorm2d, InstanceNorm3d } from "./instancenorm.ts";
import { Linear, type LinearOptions } from "./linear.ts";
import type { DeviceLike, Module } from "./module.ts";
import type { IntOrTuple } from "./utils.ts";

// deno-lint-ignore no-explicit-any -- what a mixin's base must be
type Base = new (...args: any[]) => Module;

/** What makes a module lazy. */
export interface LazyModule {
  /** Makes the parameters for this input. */
  initialize_parameters(...input: Tensor[]): void;
  /** Are there parameters without a shape? */
  has_uninitialized_params(): boolean;
}

/** What lazy modules share: hooks that give the parameters their shapes. */
// deno-lint-ignore no-explicit-any
export function LazyModuleMixin<B extends Base>(becomes: B): B & (new (...args: any[]) => LazyModule) {
  return class extends becomes implements LazyModule {
    declare _load_hook: RemovableHandle;
    declare _initialize_hook: RemovableHandle;

    // deno-lint-ignore no-explicit-any
    constructor(...args: any[]) {
      super(...args);
      const load = this._register_load_state_dict_pre_hook((entries, prefix) =>
        this._lazy_load(entries, prefix)
      );
      const initialize = this.register_forward_pre_hook((_, input) => this._infer_parameters(input));
      hidden(this, "_load_hook", load);
      hidden(this, "_initialize_hook", initialize);
      warnOnce(
        "UserWarning",
        "Lazy modules are a new feature under heavy development so changes to the API or functionality can happen at " +
          "any moment.",
      );
    }

    initialize_parameters(..._input: Tensor[]): void {
      throw new NotImplementedError(`initialize_parameters is not implemented for ${this._get_name()}`);
    }

    has_uninitialized_params(): boolean {
      return [...this._parameters.values(), ...this._buffers.values()].some(is_lazy);
    }

    override _save_to_state_dict(
      destination: Map<string, unknown>,
      prefix: string,
      keep_vars: boolean,
    ): void {
      for (const [name, t] of [...this._parameters, ...this._persistentBuffers]) {
        if (t) destination.set(prefix + name, keep_vars || is_lazy(t) ? t : t.detach());
      }
    }

    /** Gives parameters the shapes that they have in a state_dict. */
    _lazy_load(entries: Map<string, unknown>, prefix: string): void {
      for (const [name, t] of [...this._parameters, ...this._buffers]) {
        const saved = entries.get(prefix + name);
        if (is_lazy(t) && saved instanceof Tensor && !is_lazy(saved)) {
          no_grad(() => t.materialize(saved.shape));
        }
      }
    }

    /** Makes the parameters at the first call; the module is an ordinary one from then on. */
    _infer_parameters(input: Tensor[]): void {
      this.initialize_parameters(...input);
      if (this.has_uninitialized_params()) {
        throw new RuntimeError(`module ${this._get_name()} has not been fully initialized`);
      }
      this._initialize_hook.remove();
      this._load_hook.remove();
      for (const name of ["_initialize_hook", "_load_hook"]) Reflect.deleteProperty(this, name);
      Object.setPrototypeOf(this, becomes.prototype);
    }
  };
}

/** What can be made lazy here: it draws its parameters by `reset_parameters`. */
interface Resettable extends Module {
  reset_parameters(): void;
}
// deno-lint-ignore no-explicit-any
type ResettableBase = new (...args: any[]) => Resettable;

/** A lazy form of `becomes`: how large its input is (0: not known yet), and how to make its parameters for one. */
function lazy<B extends ResettableBase>(
  becomes: B,
  inputSize: (module: InstanceType<B>) => number,
  initialize: (module: InstanceType<B>, input: Tensor) => void,
): new (...args: unknown[]) => InstanceType<B> & LazyModule {
  return class extends LazyModuleMixin(becomes as ResettableBase) {
    override reset_parameters(): void {
      if (!this.has_uninitialized_params() && inputSize(this as InstanceType<B>) !== 0) {
        super.reset_parameters();
      }
    }
    override initialize_parameters(input: Tensor): void {
      if (!this.has_uninitialized_params()) return;
      initialize(this as InstanceType<B>, input);
      this.reset_parameters();
    }
  } as unknown as new (...args: unknown[]) => InstanceType<B> & LazyModule;
}

/** A property that does not count as part of the module. */
function hidden(module: Module, name: string, value: unknown): void {
  Object.defineProperty(module, name, { value, enumerable: false, configurable: true });
}

/** Gives a tensor without a shape its shape. */
function materialize(t: Tensor | null, shape: readonly number[]): void {
  if (!is_lazy(t)) throw new AssertionError("");
  t.materialize(shape);
}

const LAZY_LINEAR = signature<Omit<LinearOptions, "in_features">>("LazyLinear", {
  out_features: required,
  bias: true,
  device: null,
  dtype: null,
});

function initializeLinear(linear: Linear, input: Tensor): void {
  linear.in_features = input.size(-1);
  materialize(linear.weight, [linear.out_features, linear.in_features]);
  if (linear.bias !== null) materialize(linear.bias, [linear.out_features]);
}

/**
 * A `Linear` that learns `in_features`.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.LazyLinear.html
 */
export class LazyLinear extends lazy(Linear, (m) => m.in_features, initializeLinear) {
  constructor(
    out_features: number | Omit<LinearOptions, "in_features">,
    bias?: boolean | Partial<LinearOptions>,
    device?: DeviceLike | null,
    dtype?: DType | null,
  );
  constructor(...args: unknown[]) {
    const { out_features, bias, device, dtype } = LAZY_LINEAR(args);
    super(0, 0, false);
    this.weight = new UninitializedParameter({ device, dtype });
    this.out_features = out_features;
    if (bias) this.bias = new UninitializedParameter({ device, dtype });
  }
}

/** Gives a convolution its parameters. */
function initializeConv(conv: ConvNd, input: Tensor): void {
  const n = conv.kernel_size.length;
  if (input.dim() !== n + 1 && input.dim() !== n + 2) {
    throw new RuntimeError(
      `Expected ${n + 1}D (unbatched) or ${
        n + 2
      }D (batched) input to ${conv._get_name()}, but got input of size: ` +
        `${input.shape}`,
    );
  }
  conv.in_channels = input.size(input.dim() - n - 1);
  if (conv.in_channels % conv.groups !== 0) throw new ValueError("in_channels must be divisible by groups");
  materialize(conv.weight, conv._weightShape());
  if (conv.bias !== null) materialize(conv.bias, [conv.out_channels]);
}
const inChannels = (conv: ConvNd): number => conv.in_channels;

type LazyConvOptions = Omit<ConvOptions, "in_channels">;
const LAZY_CONV = signature<LazyConvOptions>("LazyConv", {
  out_channels: required,
  kernel_size: required,
  stride: 1,
  padding: 0,
  dilation: 1,
  groups: 1,
  bias: true,
  padding_mode: "zeros",
  device: null,
  dtype: null,
});
type LazyConvTransposeOptions = Omit<ConvTransposeOptions, "in_channels">;
const LAZY_CONV_TRANSPOSE = signature<LazyConvTransposeOptions>("LazyConvTranspose", {
  out_channels: required,
  kernel_size: required,
  stride: 1,
  padding: 0,
  output_padding: 0,
  groups: 1,
  bias: true,
  dilation: 1,
  padding_mode: "zeros",
  device: null,
  dtype: null,
});

/** Puts the parameters of a lazy convolution in place. */
function prepareConv(
  conv: ConvNd,
  a: { out_channels: number; bias: boolean; device: DeviceLike | null; dtype: DType | null },
): void {
  const { device, dtype } = a;
  conv.weight = new UninitializedParameter({ device, dtype });
  conv.out_channels = a.out_channels;
  if (a.bias) conv.bias = new UninitializedParameter({ device, dtype });
}

type K = Partial<LazyConvOptions>;
type T = Partial<LazyConvTransposeOptions>;

/**
 * A `Conv1d` that learns `in_channels`.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.LazyConv1d.html
 */
export class LazyConv1d extends lazy(Conv1d, inChannels, initializeConv) {
  constructor(options: LazyConvOptions);
  constructor(
    out_channels: number,
    kernel_size: IntOrTuple,
    stride?: IntOrTuple | K,
    padding?: Padding | K,
    dilation?: IntOrTuple | K,
    groups?: number | K,
    bias?: boolean | K,
    padding_mode?: PaddingMode | K,
  );
  constructor(...args: unknown[]) {
    const a = LAZY_CONV(args);
    super({ ...a, in_channels: 0, out_channels: 0, bias: false });
    prepareConv(this, a);
  }
}

/**
 * A `Conv2d` that learns `in_channels`.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.LazyConv2d.html
 */
export class LazyConv2d extends lazy(Conv2d, inChannels, initializeConv) {
  constructor(options: LazyConvOptions);
  constructor(
    out_channels: number,
    kernel_size: IntOrTuple,
    stride?: IntOrTuple | K,
    padding?: Padding | K,
    dilation?: IntOrTuple | K,
    groups?: number | K,
    bias?: boolean | K,
    padding_mode?: PaddingMode | K,
  );
  constructor(...args: unknown[]) {
    const a = LAZY_CONV(args);
    super({ ...a, in_channels: 0, out_channels: 0, bias: false });
    prepareConv(this, a);
  }
}

/**
 * A `Conv3d` that learns `in_channels`.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.LazyConv3d.html
 */
export class LazyConv3d extends lazy(Conv3d, inChannels, initializeConv) {
  constructor(options: LazyConvOptions);
  constructor(
    out_channels: number,
    kernel_size: IntOrTuple,
    stride?: IntOrTuple | K,
    padding?: Padding | K,
    dilation?: IntOrTuple | K,
    groups?: number | K,
    bias?: boolean | K,
    padding_mode?: PaddingMode | K,
  );
  constructor(...args: unknown[]) {
    const a = LAZY_CONV(args);
    super({ ...a, in_channels: 0, out_channels: 0, bias: false });
    prepareConv(this, a);
  }
}

/**
 * A `ConvTranspose1d` that learns `in_channels`.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.LazyConvTranspose1d.html
 */
export class LazyConvTranspose1d extends lazy(ConvTranspose1d, inChannels, initializeConv) {
  constructor(options: LazyConvTransposeOptions);
  constructor(
    out_channels: number,
    kernel_size: IntOrTuple,
    stride?: IntOrTuple | T,
    padding?: IntOrTuple | T,
    output_padding?: IntOrTuple | T,
    groups?: number | T,
    bias?: boolean | T,
    dilation?: IntOrTuple | T,
  );
  constructor(...args: unknown[]) {
    const a = LAZY_CONV_TRANSPOSE(args);
    super({ ...a, in_channels: 0, out_channels: 0, bias: false });
    prepareConv(this, a);
  }
}

/**
 * A `ConvTranspose2d` that learns `in_channels`.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.LazyConvTranspose2d.html
 */
export class LazyConvTranspose2d extends lazy(ConvTranspose2d, inChannels, initializeConv) {
  constructor(options: LazyConvTransposeOptions);
  constructor(
    out_channels: number,
    kernel_size: IntOrTuple,
    stride?: IntOrTuple | T,
    padding?: IntOrTuple | T,
    output_padding?: IntOrTuple | T,
    groups?: number | T,
    bias?: boolean | T,
    dilation?: IntOrTuple | T,
  );
  constructor(...args: unknown[]) {
    const a = LAZY_CONV_TRANSPOSE(args);
    super({ ...a, in_channels: 0, out_channels: 0, bias: false });
    prepareConv(this, a);
  }
}

/**
 * A `ConvTranspose3d` that learns `in_channels`.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.LazyConvTranspose3d.html
 */
export class LazyConvTranspose3d extends lazy(ConvTranspose3d, inChannels, initializeConv) {
  constructor(options: LazyConvTransposeOptions);
  constructor(
    out_channels: number,
    kernel_size: IntOrTuple,
    stride?: IntOrTuple | T,
    padding?: IntOrTuple | T,
    output_padding?: IntOrTuple | T,
    groups?: number | T,
    bias?: boolean | T,
    dilation?: IntOrTuple | T,
  );
  constructor(...args: unknown[]) {
    const a = LAZY_CONV_TRANSPOSE(args);
    super({ ...a, in_channels: 0, out_channels: 0, bias: false });
    prepareConv(this, a);
  }
}

type LazyNormOptions = Omit<NormOptions, "num_features">;
const LAZY_NORM = signature<LazyNormOptions>("LazyNorm", {
  eps: 1e-5,
  momentum: 0.1,
  affine: true,
  track_running_stats: true,
  device: null,
  dtype: null,
});

/** Puts the parameters and statistics of a lazy normalization in place. */
function prepareNorm(norm: NormBase, a: Required<LazyNormOptions>): void {
  const { affine, track_running_stats, device, dtype } = a;
  norm.affine = affine;
  norm.track_running_stats = track_running_stats;
  if (affine) {
    norm.weight = new UninitializedParameter({ device, dtype });
    norm.bias = new UninitializedParameter({ device, dtype });
  }
  if (track_running_stats) {
    norm.running_mean = new UninitializedBuffer({ device, dtype });
    norm.running_var = new UninitializedBuffer({ device, dtype });
    norm.num_batches_tracked = aten.zeros([], { dtype: int64, device });
  }
}

/** Gives a normalization its parameters and statistics. */
function initializeNorm(norm: NormBase, input: Tensor): void {
  norm.num_features = input.size(1);
  const size = [norm.num_features];
  const all = [
    ...(norm.affine ? [norm.weight, norm.bias] : []),
    ...(norm.track_running_stats ? [norm.running_mean, norm.running_var] : []),
  ];
  for (const t of all) materialize(t, size);
}
const numFeatures = (norm: NormBase): number => norm.num_features;

/**
 * A `BatchNorm1d` that learns `num_features`.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.LazyBatchNorm1d.html
 */
export class LazyBatchNorm1d extends lazy(BatchNorm1d, numFeatures, initializeNorm) {
  constructor(
    eps?: number | LazyNormOptions,
    momentum?: number | null | LazyNormOptions,
    affine?: boolean | LazyNormOptions,
    track_running_stats?: boolean | LazyNormOptions,
  );
  constructor(...args: unknown[]) {
    const a = LAZY_NORM(args);
    super({ num_features: 0, eps: a.eps, momentum: a.momentum, affine: false, track_running_stats: false });
    prepareNorm(this, a);
  }
}

/**
 * A `BatchNorm2d` that learns `num_features`.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.LazyBatchNorm2d.html
 */
export class LazyBatchNorm2d extends lazy(BatchNorm2d, numFeatures, initializeNorm) {
  constructor(
    eps?: number | LazyNormOptions,
    momentum?: number | null | LazyNormOptions,
    affine?: boolean | LazyNormOptions,
    track_running_stats?: boolean | LazyNormOptions,
  );
  constructor(...args: unknown[]) {
    const a = LAZY_NORM(args);
    super({ num_features: 0, eps: a.eps, momentum: a.momentum, affine: false, track_running_stats: false });
    prepareNorm(this, a);
  }
}

/**
 * A `BatchNorm3d` that learns `num_features`.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.LazyBatchNorm3d.html
 */
export class LazyBatchNorm3d extends lazy(BatchNorm3d, numFeatures, initializeNorm) {
  constructor(
    eps?: number | LazyNormOptions,
    momentum?: number | null | LazyNormOptions,
    affine?: boolean | LazyNormOptions,
    track_running_stats?: boolean | LazyNormOptions,
  );
  constructor(...args: unknown[]) {
    const a = LAZY_NORM(args);
    super({ num_features: 0, eps: a.eps, momentum: a.momentum, affine: false, track_running_stats: false });
    prepareNorm(this, a);
  }
}

/**
 * A `InstanceNorm1d` that learns `num_features`.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.LazyInstanceNorm1d.html
 */
export class LazyInstanceNorm1d extends lazy(InstanceNorm1d, numFeatures, initializeNorm) {
  constructor(
    eps?: number | LazyNormOptions,
    momentum?: number | null | LazyNormOptions,
    affine?: boolean | LazyNormOptions,
    track_running_stats?: boolean | LazyNormOptions,
  );
  constructor(...args: unknown[]) {
    const a = LAZY_NORM(args);
    super({ num_features: 0, eps: a.eps, momentum: a.momentum, affine: false, track_running_stats: false });
    prepareNorm(this, a);
  }
}

/**
 * A `InstanceNorm2d` that learns `num_features`.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.LazyInstanceNorm2d.html
 */
export class LazyInstanceNorm2d extends lazy(InstanceNorm2d, numFeatures, initializeNorm) {
  constructor(
    eps?: number | LazyNormOptions,
    momentum?: number | null | LazyNormOptions,
    affine?: boolean | LazyNormOptions,
    track_running_stats?: boolean | LazyNormOptions,
  );
  constructor(...args: unknown[]) {
    const a = LAZY_NORM(args);
    super({ num_features: 0, eps: a.eps, momentum: a.momentum, affine: false, track_running_stats: false });
    prepareNorm(this, a);
  }
}

/**
 * A `InstanceNorm3d` that learns `num_features`.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.LazyInstanceNorm3d.html
 */
export class LazyInstanceNorm3d extends lazy(InstanceNorm3d, numFeatures, initializeNorm) {
  constructor(
    eps?: number | LazyNormOptions,
    momentum?: number | null | LazyNormOptions,
    affine?: boolean | LazyNormOptions,
    track_running_stats?: boolean | LazyNormOptions,
  );
  constructor(...args: unknown[]) {
    const a = LAZY_NORM(args);
    super({ num_features: 0, eps: a.eps, momentum: a.momentum, affine: false, track_running_stats: false });
    prepareNorm(this, a);
  }
}
