/**
 * Convolutions.
 *
 * @module
 */
import { ValueError } from "../../base/errors.ts";
import type { DType } from "../../base/dtype.ts";
import * as aten from "../../ops/mod.ts";
import type { Tensor } from "../../tensor.ts";
import { pystr, stringRepr, tupleRepr } from "../../utils/pyrepr.ts";
import { type Bound, required, signature } from "../../utils/signature.ts";
import * as init from "../init.ts";
import { Parameter } from "../parameter.ts";
import { type DeviceLike, type FactoryOptions, Module } from "./module.ts";
import { type IntOrTuple, ntuple, reverseRepeat } from "./utils.ts";

/** How a convolution fills the border. */
export type PaddingMode = "zeros" | "reflect" | "replicate" | "circular";
/** An amount of padding, or PyTorch's words for one. */
export type Padding = IntOrTuple | "same" | "valid";

/** Arguments of `nn.Conv1d`, `nn.Conv2d`, `nn.Conv3d`. */
export interface ConvOptions extends FactoryOptions {
  in_channels: number;
  out_channels: number;
  kernel_size: IntOrTuple;
  stride?: IntOrTuple;
  padding?: Padding;
  dilation?: IntOrTuple;
  groups?: number;
  bias?: boolean;
  padding_mode?: PaddingMode;
}
const CONV = signature<ConvOptions>("Conv", {
  in_channels: required,
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

/** Arguments of `nn.ConvTranspose1d`, `nn.ConvTranspose2d`, `nn.ConvTranspose3d`. */
export interface ConvTransposeOptions extends FactoryOptions {
  in_channels: number;
  out_channels: number;
  kernel_size: IntOrTuple;
  stride?: IntOrTuple;
  padding?: IntOrTuple;
  output_padding?: IntOrTuple;
  groups?: number;
  bias?: boolean;
  dilation?: IntOrTuple;
  padding_mode?: PaddingMode;
}
const CONV_TRANSPOSE = signature<ConvTransposeOptions>("ConvTranspose", {
  in_channels: required,
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

const PADDING_MODES: readonly string[] = ["zeros", "reflect", "replicate", "circular"];

interface ConvArguments extends Bound<ConvOptions> {
  output_padding: IntOrTuple;
}

/** What all convolutions share. */
export abstract class ConvNd extends Module {
  in_channels: number;
  out_channels: number;
  kernel_size: number[];
  stride: number[];
  padding: number[] | "same" | "valid";
  dilation: number[];
  transposed: boolean;
  output_padding: number[];
  groups: number;
  padding_mode: PaddingMode;
  weight: Parameter;
  bias!: Parameter | null;

  constructor(n: number, transposed: boolean, a: ConvArguments) {
    super();
    if (a.groups <= 0) throw new ValueError("groups must be a positive integer");
    if (a.in_channels % a.groups !== 0) throw new ValueError("in_channels must be divisible by groups");
    if (a.out_channels % a.groups !== 0) throw new ValueError("out_channels must be divisible by groups");
    this.kernel_size = ntuple(a.kernel_size, n);
    this.stride = ntuple(a.stride, n);
    this.padding = typeof a.padding === "string" ? a.padding : ntuple(a.padding, n);
    if (typeof a.padding === "string") {
      if (a.padding !== "same" && a.padding !== "valid") {
        throw new ValueError(
          `Invalid padding string ${stringRepr(a.padding)}, should be one of {'valid', 'same'}`,
        );
      }
      if (a.padding === "same" && this.stride.some((s) => s !== 1)) {
        throw new ValueError("padding='same' is not supported for strided convolutions");
      }
    }
    if (!PADDING_MODES.includes(a.padding_mode)) {
      const modes = PADDING_MODES.map(stringRepr).join(", ");
      throw new ValueError(
        `padding_mode must be one of {${modes}}, but got padding_mode='${a.padding_mode}'`,
      );
    }
    this.in_channels = a.in_channels;
    this.out_channels = a.out_channels;
    this.dilation = ntuple(a.dilation, n);
    this.transposed = transposed;
    this.output_padding = ntuple(a.output_padding, n);
    this.groups = a.groups;
    this.padding_mode = a.padding_mode;
    const factory = { device: a.device, dtype: a.dtype };
    this.weight = new Parameter(aten.empty(this._weightShape(), factory));
    this.register_parameter("bias", a.bias ? new Parameter(aten.empty([a.out_channels], factory)) : null);
    this.reset_parameters();
  }

  /** The shape of the weight: output channels first, or input channels if transposed. */
  _weightShape(): number[] {
    const [first, second] = this.transposed
      ? [this.in_channels, this.out_channels / this.groups]
      : [this.out_channels, this.in_channels / this.groups];
    return [first, second, ...this.kernel_size];
  }

  /** Draws new initial values. */
  reset_parameters(): void {
    init.kaiming_uniform_(this.weight, { a: Math.sqrt(5) });
    if (this.bias !== null) init.uniformFanIn(this.bias, this.weight);
  }

  override extra_repr(): string {
    const { padding, dilation, output_padding } = this;
    let s = `${this.in_channels}, ${this.out_channels}, kernel_size=${tupleRepr(this.kernel_size)}, ` +
      `stride=${tupleRepr(this.stride)}`;
    if (typeof padding === "string" || padding.some((p) => p !== 0)) s += `, padding=${pystr(padding)}`;
    if (dilation.some((d) => d !== 1)) s += `, dilation=${tupleRepr(dilation)}`;
    if (output_padding.some((p) => p !== 0)) s += `, output_padding=${tupleRepr(output_padding)}`;
    if (this.groups !== 1) s += `, groups=${this.groups}`;
    if (this.bias === null) s += ", bias=False";
    if (this.padding_mode !== "zeros") s += `, padding_mode=${this.padding_mode}`;
    return s;
  }
}

type Convolution = (
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  stride: number[],
  padding: number[] | string,
  dilation: number[],
  groups: number,
) => Tensor;

abstract class Conv extends ConvNd {
  constructor(n: number, args: unknown[]) {
    super(n, false, { ...CONV(args), output_padding: 0 });
  }

  /** How much `F.pad` adds at each end, last dimension first. */
  get _reversed_padding_repeated_twice(): number[] {
    const { padding, kernel_size, dilation } = this;
    if (typeof padding !== "string") return reverseRepeat(padding, 2);
    return kernel_size.flatMap((k, i) => {
      const total = padding === "same" ? dilation[i]! * (k - 1) : 0;
      const left = Math.floor(total / 2);
      return [total - left, left];
    }).reverse();
  }

  /** Convolves with the module's geometry but any weight. */
  _convolve(convolution: Convolution, input: Tensor, weight: Tensor, bias: Tensor | null): Tensor {
    const { padding_mode, stride, padding, dilation, groups } = this;
    if (padding_mode === "zeros") return convolution(input, weight, bias, stride, padding, dilation, groups);
    const padded = aten.pad(input, this._reversed_padding_repeated_twice, padding_mode);
    return convolution(padded, weight, bias, stride, stride.map(() => 0), dilation, groups);
  }
}

type K = Partial<ConvOptions>;
type T = Partial<ConvTransposeOptions>;

/**
 * 1D convolution: (N, C, L).
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Conv1d.html
 */
export class Conv1d extends Conv {
  constructor(options: ConvOptions);
  constructor(
    in_channels: number,
    out_channels: number,
    kernel_size: IntOrTuple,
    stride?: IntOrTuple | K,
    padding?: Padding | K,
    dilation?: IntOrTuple | K,
    groups?: number | K,
    bias?: boolean | K,
    padding_mode?: PaddingMode | K,
    device?: DeviceLike | null | K,
    dtype?: DType | null,
  );
  constructor(...args: unknown[]) {
    super(1, args);
  }
  override forward(input: Tensor): Tensor {
    return this._convolve(aten.conv1d, input, this.weight, this.bias);
  }
}

/**
 * 2D convolution: (N, C, H, W).
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Conv2d.html
 */
export class Conv2d extends Conv {
  constructor(options: ConvOptions);
  constructor(
    in_channels: number,
    out_channels: number,
    kernel_size: IntOrTuple,
    stride?: IntOrTuple | K,
    padding?: Padding | K,
    dilation?: IntOrTuple | K,
    groups?: number | K,
    bias?: boolean | K,
    padding_mode?: PaddingMode | K,
    device?: DeviceLike | null | K,
    dtype?: DType | null,
  );
  constructor(...args: unknown[]) {
    super(2, args);
  }
  override forward(input: Tensor): Tensor {
    return this._convolve(aten.conv2d, input, this.weight, this.bias);
  }
}

/**
 * 3D convolution: (N, C, D, H, W).
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Conv3d.html
 */
export class Conv3d extends Conv {
  constructor(options: ConvOptions);
  constructor(
    in_channels: number,
    out_channels: number,
    kernel_size: IntOrTuple,
    stride?: IntOrTuple | K,
    padding?: Padding | K,
    dilation?: IntOrTuple | K,
    groups?: number | K,
    bias?: boolean | K,
    padding_mode?: PaddingMode | K,
    device?: DeviceLike | null | K,
    dtype?: DType | null,
  );
  constructor(...args: unknown[]) {
    super(3, args);
  }
  override forward(input: Tensor): Tensor {
    return this._convolve(aten.conv3d, input, this.weight, this.bias);
  }
}

type OutputSize = readonly number[] | null | { output_size?: readonly number[] | null };
const TRANSPOSE_FORWARD = signature<{ input: Tensor; output_size?: readonly number[] | null }>("forward", {
  input: required,
  output_size: null,
});

abstract class ConvTranspose extends ConvNd {
  constructor(n: number, args: unknown[]) {
    const a = CONV_TRANSPOSE(args);
    if (a.padding_mode !== "zeros") {
      throw new ValueError(`Only "zeros" padding mode is supported for ConvTranspose${n}d`);
    }
    super(n, true, a);
  }

  /** The output padding that gives `output_size`, which a stride leaves open. */
  _output_padding(input: Tensor, output_size: readonly number[] | null): number[] {
    if (output_size === null) return this.output_padding;
    const n = this.kernel_size.length;
    const outer = input.dim() === n + 2 ? 2 : 1;
    const size = output_size.length === outer + n ? output_size.slice(outer) : output_size;
    if (size.length !== n) {
      throw new ValueError(
        `ConvTranspose${n}D: for ${input.dim()}D input, output_size must have ${n} or ${
          outer + n
        } elements ` +
          `(got ${size.length})`,
      );
    }
    const padding = this.padding as number[];
    const least = size.map((_, d) =>
      (input.size(d + outer) - 1) * this.stride[d]! - 2 * padding[d]! +
      this.dilation[d]! * (this.kernel_size[d]! - 1) + 1
    );
    const most = least.map((m, d) => m + this.stride[d]! - 1);
    if (size.some((s, d) => s < least[d]! || s > most[d]!)) {
      throw new ValueError(
        `requested an output size of [${size.join(", ")}], but valid sizes range from [${
          least.join(", ")
        }] to ` +
          `[${most.join(", ")}] (for an input of torch.Size([${input.shape.slice(2).join(", ")}]))`,
      );
    }
    return size.map((s, d) => s - least[d]!);
  }
}

/**
 * Transposed 1D convolution: the gradient of `Conv1d` with respect to its input.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.ConvTranspose1d.html
 */
export class ConvTranspose1d extends ConvTranspose {
  constructor(options: ConvTransposeOptions);
  constructor(
    in_channels: number,
    out_channels: number,
    kernel_size: IntOrTuple,
    stride?: IntOrTuple | T,
    padding?: IntOrTuple | T,
    output_padding?: IntOrTuple | T,
    groups?: number | T,
    bias?: boolean | T,
    dilation?: IntOrTuple | T,
    padding_mode?: PaddingMode | T,
    device?: DeviceLike | null | T,
    dtype?: DType | null,
  );
  constructor(...args: unknown[]) {
    super(1, args);
  }
  override forward(input: Tensor, output_size?: OutputSize): Tensor;
  override forward(...args: unknown[]): Tensor {
    const { input, output_size } = TRANSPOSE_FORWARD(args);
    const { weight, bias, stride, padding, groups, dilation } = this;
    const extra = this._output_padding(input, output_size);
    return aten.conv_transpose1d(input, weight, bias, stride, padding as number[], extra, groups, dilation);
  }
}

/**
 * Transposed 2D convolution: the gradient of `Conv2d` with respect to its input.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.ConvTranspose2d.html
 */
export class ConvTranspose2d extends ConvTranspose {
  constructor(options: ConvTransposeOptions);
  constructor(
    in_channels: number,
    out_channels: number,
    kernel_size: IntOrTuple,
    stride?: IntOrTuple | T,
    padding?: IntOrTuple | T,
    output_padding?: IntOrTuple | T,
    groups?: number | T,
    bias?: boolean | T,
    dilation?: IntOrTuple | T,
    padding_mode?: PaddingMode | T,
    device?: DeviceLike | null | T,
    dtype?: DType | null,
  );
  constructor(...args: unknown[]) {
    super(2, args);
  }
  override forward(input: Tensor, output_size?: OutputSize): Tensor;
  override forward(...args: unknown[]): Tensor {
    const { input, output_size } = TRANSPOSE_FORWARD(args);
    const { weight, bias, stride, padding, groups, dilation } = this;
    const extra = this._output_padding(input, output_size);
    return aten.conv_transpose2d(input, weight, bias, stride, padding as number[], extra, groups, dilation);
  }
}

/**
 * Transposed 3D convolution: the gradient of `Conv3d` with respect to its input.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.ConvTranspose3d.html
 */
export class ConvTranspose3d extends ConvTranspose {
  constructor(options: ConvTransposeOptions);
  constructor(
    in_channels: number,
    out_channels: number,
    kernel_size: IntOrTuple,
    stride?: IntOrTuple | T,
    padding?: IntOrTuple | T,
    output_padding?: IntOrTuple | T,
    groups?: number | T,
    bias?: boolean | T,
    dilation?: IntOrTuple | T,
    padding_mode?: PaddingMode | T,
    device?: DeviceLike | null | T,
    dtype?: DType | null,
  );
  constructor(...args: unknown[]) {
    super(3, args);
  }
  override forward(input: Tensor, output_size?: OutputSize): Tensor;
  override forward(...args: unknown[]): Tensor {
    const { input, output_size } = TRANSPOSE_FORWARD(args);
    const { weight, bias, stride, padding, groups, dilation } = this;
    const extra = this._output_padding(input, output_size);
    return aten.conv_transpose3d(input, weight, bias, stride, padding as number[], extra, groups, dilation);
  }
}
