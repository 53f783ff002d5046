/**
 * Pooling layers.
 *
 * @module
 */
import { ValueError } from "../../base/errors.ts";
import * as aten from "../../ops/mod.ts";
import type { Tensor } from "../../tensor.ts";
import { pyrepr } from "../../utils/pyrepr.ts";
import { required, signature } from "../../utils/signature.ts";
import * as F from "../functional/pooling.ts";
import { Module } from "./module.ts";
import { type IntOrTuple, type MaybeIntOrTuple, ntuple } from "./utils.ts";

/** `kernel_size=2, stride=2`: fields of `m` by name. */
function fields(m: object, ...names: string[]): string {
  return names.map((n) => `${n}=${pyrepr((m as Record<string, unknown>)[n])}`).join(", ");
}

/** Arguments of max pooling layers. */
export interface MaxPoolOptions {
  kernel_size: IntOrTuple;
  stride?: IntOrTuple | null;
  padding?: IntOrTuple;
  dilation?: IntOrTuple;
  return_indices?: boolean;
  ceil_mode?: boolean;
}
const MAX_POOL = signature<MaxPoolOptions>("MaxPool", {
  kernel_size: required,
  stride: null,
  padding: 0,
  dilation: 1,
  return_indices: false,
  ceil_mode: false,
});
type M = Partial<MaxPoolOptions>;

abstract class MaxPoolNd extends Module {
  kernel_size: IntOrTuple;
  stride: IntOrTuple;
  padding: IntOrTuple;
  dilation: IntOrTuple;
  return_indices: boolean;
  ceil_mode: boolean;

  constructor(options: MaxPoolOptions);
  constructor(
    kernel_size: IntOrTuple,
    stride?: IntOrTuple | null | M,
    padding?: IntOrTuple | M,
    dilation?: IntOrTuple | M,
    return_indices?: boolean | M,
    ceil_mode?: boolean,
  );
  constructor(...args: unknown[]) {
    super();
    const a = MAX_POOL(args);
    this.kernel_size = a.kernel_size;
    this.stride = a.stride ?? a.kernel_size;
    this.padding = a.padding;
    this.dilation = a.dilation;
    this.return_indices = a.return_indices;
    this.ceil_mode = a.ceil_mode;
  }

  /** Pools with one of the functions; with `return_indices` the result is really `[output, indices]`. */
  _pool(pool: F.MaxPoolFunction, input: Tensor): Tensor {
    const { kernel_size, stride, padding, dilation, ceil_mode, return_indices } = this;
    return pool(input, kernel_size, stride, padding, dilation, ceil_mode, return_indices as false);
  }

  override extra_repr(): string {
    return fields(this, "kernel_size", "stride", "padding", "dilation", "ceil_mode");
  }
}

/**
 * Maximum over windows of (N, C, L).
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.MaxPool1d.html
 */
export class MaxPool1d extends MaxPoolNd {
  override forward(input: Tensor): Tensor {
    return this._pool(F.max_pool1d, input);
  }
}
/**
 * Maximum over windows of (N, C, H, W).
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.MaxPool2d.html
 */
export class MaxPool2d extends MaxPoolNd {
  override forward(input: Tensor): Tensor {
    return this._pool(F.max_pool2d, input);
  }
}
/**
 * Maximum over windows of (N, C, D, H, W).
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.MaxPool3d.html
 */
export class MaxPool3d extends MaxPoolNd {
  override forward(input: Tensor): Tensor {
    return this._pool(F.max_pool3d, input);
  }
}

/** Arguments of max unpooling layers. */
export interface MaxUnpoolOptions {
  kernel_size: IntOrTuple;
  stride?: IntOrTuple | null;
  padding?: IntOrTuple;
}
const MAX_UNPOOL = signature<MaxUnpoolOptions>("MaxUnpool", {
  kernel_size: required,
  stride: null,
  padding: 0,
});

abstract class MaxUnpoolNd extends Module {
  kernel_size: number[];
  stride: number[];
  padding: number[];

  constructor(n: number, args: unknown[]) {
    super();
    const a = MAX_UNPOOL(args);
    this.kernel_size = ntuple(a.kernel_size, n);
    this.stride = ntuple(a.stride ?? a.kernel_size, n);
    this.padding = ntuple(a.padding, n);
  }

  override extra_repr(): string {
    return fields(this, "kernel_size", "stride", "padding");
  }
}
type U = Partial<MaxUnpoolOptions>;
type OutputSize = readonly number[] | null | { output_size?: readonly number[] | null };
const UNPOOL_FORWARD = signature<{ input: Tensor; indices: Tensor; output_size?: readonly number[] | null }>(
  "forward",
  { input: required, indices: required, output_size: null },
);

/**
 * Puts the maxima of `MaxPool1d` back where they were found.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.MaxUnpool1d.html
 */
export class MaxUnpool1d extends MaxUnpoolNd {
  constructor(
    kernel_size: IntOrTuple | MaxUnpoolOptions,
    stride?: IntOrTuple | null | U,
    padding?: IntOrTuple | U,
  );
  constructor(...args: unknown[]) {
    super(1, args);
  }
  override forward(input: Tensor, indices: Tensor, output_size?: OutputSize): Tensor;
  override forward(...args: unknown[]): Tensor {
    const { input, indices, output_size } = UNPOOL_FORWARD(args);
    return F.max_unpool1d(input, indices, this.kernel_size, this.stride, this.padding, output_size);
  }
}
/**
 * Puts the maxima of `MaxPool2d` back where they were found.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.MaxUnpool2d.html
 */
export class MaxUnpool2d extends MaxUnpoolNd {
  constructor(
    kernel_size: IntOrTuple | MaxUnpoolOptions,
    stride?: IntOrTuple | null | U,
    padding?: IntOrTuple | U,
  );
  constructor(...args: unknown[]) {
    super(2, args);
  }
  override forward(input: Tensor, indices: Tensor, output_size?: OutputSize): Tensor;
  override forward(...args: unknown[]): Tensor {
    const { input, indices, output_size } = UNPOOL_FORWARD(args);
    return F.max_unpool2d(input, indices, this.kernel_size, this.stride, this.padding, output_size);
  }
}
/**
 * Puts the maxima of `MaxPool3d` back where they were found.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.MaxUnpool3d.html
 */
export class MaxUnpool3d extends MaxUnpoolNd {
  constructor(
    kernel_size: IntOrTuple | MaxUnpoolOptions,
    stride?: IntOrTuple | null | U,
    padding?: IntOrTuple | U,
  );
  constructor(...args: unknown[]) {
    super(3, args);
  }
  override forward(input: Tensor, indices: Tensor, output_size?: OutputSize): Tensor;
  override forward(...args: unknown[]): Tensor {
    const { input, indices, output_size } = UNPOOL_FORWARD(args);
    return F.max_unpool3d(input, indices, this.kernel_size, this.stride, this.padding, output_size);
  }
}

/** Arguments of average pooling layers. */
export interface AvgPoolOptions {
  kernel_size: IntOrTuple;
  stride?: IntOrTuple | null;
  padding?: IntOrTuple;
  ceil_mode?: boolean;
  count_include_pad?: boolean;
  /** Divides by this instead of the window's size; not for `AvgPool1d`. */
  divisor_override?: number | null;
}
const AVG_POOL = signature<AvgPoolOptions>("AvgPool", {
  kernel_size: required,
  stride: null,
  padding: 0,
  ceil_mode: false,
  count_include_pad: true,
  divisor_override: null,
});
type A = Partial<AvgPoolOptions>;

abstract class AvgPoolNd extends Module {
  kernel_size: IntOrTuple;
  stride: IntOrTuple;
  padding: IntOrTuple;
  ceil_mode: boolean;
  count_include_pad: boolean;
  divisor_override: number | null;

  constructor(options: AvgPoolOptions);
  constructor(
    kernel_size: IntOrTuple,
    stride?: IntOrTuple | null | A,
    padding?: IntOrTuple | A,
    ceil_mode?: boolean | A,
    count_include_pad?: boolean | A,
    divisor_override?: number | null | A,
  );
  constructor(...args: unknown[]) {
    super();
    const a = AVG_POOL(args);
    this.kernel_size = a.kernel_size;
    this.stride = a.stride ?? a.kernel_size;
    this.padding = a.padding;
    this.ceil_mode = a.ceil_mode;
    this.count_include_pad = a.count_include_pad;
    this.divisor_override = a.divisor_override;
  }

  override extra_repr(): string {
    return fields(this, "kernel_size", "stride", "padding");
  }
}

/**
 * Mean over windows of (N, C, L).
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.AvgPool1d.html
 */
export class AvgPool1d extends AvgPoolNd {
  override forward(input: Tensor): Tensor {
    const { kernel_size, stride, padding, ceil_mode, count_include_pad } = this;
    return aten.avg_pool1d(input, kernel_size, stride, padding, ceil_mode, count_include_pad);
  }
  override extra_repr(): string {
    // PyTorch keeps the arguments of this one as tuples.
    const names = ["kernel_size", "stride", "padding"] as const;
    return names.map((n) => `${n}=${pyrepr(ntuple(this[n], 1))}`).join(", ");
  }
}
/**
 * Mean over windows of (N, C, H, W).
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.AvgPool2d.html
 */
export class AvgPool2d extends AvgPoolNd {
  override forward(input: Tensor): Tensor {
    const { kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override } = this;
    return aten.avg_pool2d(
      input,
      kernel_size,
      stride,
      padding,
      ceil_mode,
      count_include_pad,
      divisor_override,
    );
  }
}
/**
 * Mean over windows of (N, C, D, H, W).
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.AvgPool3d.html
 */
export class AvgPool3d extends AvgPoolNd {
  override forward(input: Tensor): Tensor {
    const { kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override } = this;
    return aten.avg_pool3d(
      input,
      kernel_size,
      stride,
      padding,
      ceil_mode,
      count_include_pad,
      divisor_override,
    );
  }
}

/** Arguments of power-average pooling layers. */
export interface LPPoolOptions {
  norm_type: number;
  kernel_size: IntOrTuple;
  stride?: IntOrTuple | null;
  ceil_mode?: boolean;
}
const LP_POOL = signature<LPPoolOptions>("LPPool", {
  norm_type: required,
  kernel_size: required,
  stride: null,
  ceil_mode: false,
});
type L = Partial<LPPoolOptions>;

abstract class LPPoolNd extends Module {
  norm_type: number;
  kernel_size: IntOrTuple;
  stride: IntOrTuple | null;
  ceil_mode: boolean;

  constructor(options: LPPoolOptions);
  constructor(
    norm_type: number,
    kernel_size: IntOrTuple,
    stride?: IntOrTuple | null | L,
    ceil_mode?: boolean | L,
  );
  constructor(...args: unknown[]) {
    super();
    const a = LP_POOL(args);
    this.norm_type = a.norm_type;
    this.kernel_size = a.kernel_size;
    this.stride = a.stride;
    this.ceil_mode = a.ceil_mode;
  }

  override extra_repr(): string {
    return fields(this, "norm_type", "kernel_size", "stride", "ceil_mode");
  }
}

/**
 * The p-norm over windows of (N, C, L).
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.LPPool1d.html
 */
export class LPPool1d extends LPPoolNd {
  override forward(input: Tensor): Tensor {
    return F.lp_pool1d(input, this.norm_type, this.kernel_size, this.stride, this.ceil_mode);
  }
}
/**
 * The p-norm over windows of (N, C, H, W).
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.LPPool2d.html
 */
export class LPPool2d extends LPPoolNd {
  override forward(input: Tensor): Tensor {
    return F.lp_pool2d(input, this.norm_type, this.kernel_size, this.stride, this.ceil_mode);
  }
}

/** Arguments of adaptive pooling layers; `return_indices` is for maxima. */
export interface AdaptivePoolOptions {
  output_size: MaybeIntOrTuple;
  return_indices?: boolean;
}
const ADAPTIVE = signature<AdaptivePoolOptions>("AdaptivePool", {
  output_size: required,
  return_indices: false,
});

abstract class AdaptivePoolNd extends Module {
  output_size: MaybeIntOrTuple;
  return_indices: boolean;

  constructor(
    output_size: MaybeIntOrTuple | AdaptivePoolOptions,
    return_indices?: boolean | Partial<AdaptivePoolOptions>,
  );
  constructor(...args: unknown[]) {
    super();
    const a = ADAPTIVE(args);
    this.output_size = a.output_size;
    this.return_indices = a.return_indices;
  }

  override extra_repr(): string {
    return fields(this, "output_size");
  }
}

/**
 * Maximum over as many windows as the output has elements.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.AdaptiveMaxPool1d.html
 */
export class AdaptiveMaxPool1d extends AdaptivePoolNd {
  override forward(input: Tensor): Tensor {
    return F.adaptive_max_pool1d(input, this.output_size, this.return_indices as false);
  }
}
/**
 * Maximum over as many windows as the output has elements.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.AdaptiveMaxPool2d.html
 */
export class AdaptiveMaxPool2d extends AdaptivePoolNd {
  override forward(input: Tensor): Tensor {
    return F.adaptive_max_pool2d(input, this.output_size, this.return_indices as false);
  }
}
/**
 * Maximum over as many windows as the output has elements.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.AdaptiveMaxPool3d.html
 */
export class AdaptiveMaxPool3d extends AdaptivePoolNd {
  override forward(input: Tensor): Tensor {
    return F.adaptive_max_pool3d(input, this.output_size, this.return_indices as false);
  }
}
/**
 * Mean over as many windows as the output has elements.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.AdaptiveAvgPool1d.html
 */
export class AdaptiveAvgPool1d extends AdaptivePoolNd {
  override forward(input: Tensor): Tensor {
    return aten.adaptive_avg_pool1d(input, this.output_size as IntOrTuple);
  }
}
/**
 * Mean over as many windows as the output has elements.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.AdaptiveAvgPool2d.html
 */
export class AdaptiveAvgPool2d extends AdaptivePoolNd {
  override forward(input: Tensor): Tensor {
    return F.adaptive_avg_pool2d(input, this.output_size);
  }
}
/**
 * Mean over as many windows as the output has elements.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.AdaptiveAvgPool3d.html
 */
export class AdaptiveAvgPool3d extends AdaptivePoolNd {
  override forward(input: Tensor): Tensor {
    return F.adaptive_avg_pool3d(input, this.output_size);
  }
}

/** Arguments of fractional max pooling layers. */
export interface FractionalMaxPoolOptions {
  kernel_size: IntOrTuple;
  output_size?: IntOrTuple | null;
  output_ratio?: IntOrTuple | null;
  return_indices?: boolean;
  _random_samples?: Tensor | null;
}
const FRACTIONAL = signature<FractionalMaxPoolOptions>("FractionalMaxPool", {
  kernel_size: required,
  output_size: null,
  output_ratio: null,
  return_indices: false,
  _random_samples: null,
});
type R = Partial<FractionalMaxPoolOptions>;

abstract class FractionalMaxPoolNd extends Module {
  kernel_size: number[];
  return_indices: boolean;
  _random_samples!: Tensor | null;
  output_size: number[] | null;
  output_ratio: number[] | null;

  constructor(n: number, args: unknown[]) {
    super();
    const a = FRACTIONAL(args);
    this.kernel_size = ntuple(a.kernel_size, n);
    this.return_indices = a.return_indices;
    this.register_buffer("_random_samples", a._random_samples);
    this.output_size = a.output_size === null ? null : ntuple(a.output_size, n);
    this.output_ratio = a.output_ratio === null ? null : ntuple(a.output_ratio, n);
    if (this.output_size === null && this.output_ratio === null) {
      throw new ValueError(
        `FractionalMaxPool${n}d requires specifying either an output size, or a pooling ratio`,
      );
    }
    if (this.output_size !== null && this.output_ratio !== null) {
      throw new ValueError("only one of output_size and output_ratio may be specified");
    }
    if (this.output_ratio !== null && !this.output_ratio.every((r) => 0 < r && r < 1)) {
      throw new ValueError(`output_ratio must be between 0 and 1 (got ${pyrepr(a.output_ratio)})`);
    }
  }
}

/**
 * Maximum over windows of random size.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.FractionalMaxPool2d.html
 */
export class FractionalMaxPool2d extends FractionalMaxPoolNd {
  constructor(
    kernel_size: IntOrTuple | FractionalMaxPoolOptions,
    output_size?: IntOrTuple | null | R,
    output_ratio?: IntOrTuple | null | R,
    return_indices?: boolean | R,
    _random_samples?: Tensor | null,
  );
  constructor(...args: unknown[]) {
    super(2, args);
  }
  override forward(input: Tensor): Tensor | F.WithIndices {
    const { kernel_size, output_size, output_ratio, return_indices, _random_samples } = this;
    return F.fractional_max_pool2d(
      input,
      kernel_size,
      output_size,
      output_ratio,
      return_indices,
      _random_samples,
    );
  }
}
/**
 * Maximum over windows of random size.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.FractionalMaxPool3d.html
 */
export class FractionalMaxPool3d extends FractionalMaxPoolNd {
  constructor(
    kernel_size: IntOrTuple | FractionalMaxPoolOptions,
    output_size?: IntOrTuple | null | R,
    output_ratio?: IntOrTuple | null | R,
    return_indices?: boolean | R,
    _random_samples?: Tensor | null,
  );
  constructor(...args: unknown[]) {
    super(3, args);
  }
  override forward(input: Tensor): Tensor | F.WithIndices {
    const { kernel_size, output_size, output_ratio, return_indices, _random_samples } = this;
    return F.fractional_max_pool3d(
      input,
      kernel_size,
      output_size,
      output_ratio,
      return_indices,
      _random_samples,
    );
  }
}
