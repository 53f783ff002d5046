/**
 * Linear layers.
 *
 * @module
 */
import * as aten from "../../ops/mod.ts";
import type { Tensor } from "../../tensor.ts";
import { pyrepr } from "../../utils/pyrepr.ts";
import { required, signature } from "../../utils/signature.ts";
import * as init from "../init.ts";
import { Parameter } from "../parameter.ts";
import { type DeviceLike, type FactoryOptions, Module } from "./module.ts";
import type { DType } from "../../base/dtype.ts";

/**
 * Gives back its input; takes any arguments.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Identity.html
 */
export class Identity extends Module {
  constructor(..._args: unknown[]) {
    super();
  }
  override forward(input: Tensor): Tensor {
    return input;
  }
}

/** Arguments of `nn.Linear`. */
export interface LinearOptions extends FactoryOptions {
  in_features: number;
  out_features: number;
  bias?: boolean;
}
const LINEAR = signature<LinearOptions>("Linear", {
  in_features: required,
  out_features: required,
  bias: true,
  device: null,
  dtype: null,
});

/**
 * y = x W^T + b
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Linear.html
 */
export class Linear extends Module {
  in_features: number;
  out_features: number;
  weight: Parameter;
  bias!: Parameter | null;

  constructor(options: LinearOptions);
  constructor(
    in_features: number,
    out_features: number,
    bias?: boolean | Partial<LinearOptions>,
    device?: DeviceLike | null | Partial<LinearOptions>,
    dtype?: DType | null,
  );
  constructor(...args: unknown[]) {
    super();
    const { in_features, out_features, bias, device, dtype } = LINEAR(args);
    this.in_features = in_features;
    this.out_features = out_features;
    this.weight = new Parameter(aten.empty([out_features, in_features], { device, dtype }));
    this.register_parameter(
      "bias",
      bias ? new Parameter(aten.empty([out_features], { device, dtype })) : null,
    );
    this.reset_parameters();
  }

  /** Draws new initial values. */
  reset_parameters(): void {
    init.kaiming_uniform_(this.weight, { a: Math.sqrt(5) });
    if (this.bias !== null) init.uniformFanIn(this.bias, this.weight);
  }

  override forward(input: Tensor): Tensor {
    return aten.linear(input, this.weight, this.bias);
  }

  override extra_repr(): string {
    return `in_features=${this.in_features}, out_features=${this.out_features}, bias=${
      pyrepr(this.bias !== null)
    }`;
  }
}

/** The output projection of `MultiheadAttention`: a Linear under the name that PyTorch prints. */
export class NonDynamicallyQuantizableLinear extends Linear {}

/** Arguments of `nn.Bilinear`. */
export interface BilinearOptions extends FactoryOptions {
  in1_features: number;
  in2_features: number;
  out_features: number;
  bias?: boolean;
}
const BILINEAR = signature<BilinearOptions>("Bilinear", {
  in1_features: required,
  in2_features: required,
  out_features: required,
  bias: true,
  device: null,
  dtype: null,
});

/**
 * y = x1^T A x2 + b
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Bilinear.html
 */
export class Bilinear extends Module {
  in1_features: number;
  in2_features: number;
  out_features: number;
  weight: Parameter;
  bias!: Parameter | null;

  constructor(options: BilinearOptions);
  constructor(
    in1_features: number,
    in2_features: number,
    out_features: number,
    bias?: boolean | Partial<BilinearOptions>,
    device?: DeviceLike | null | Partial<BilinearOptions>,
    dtype?: DType | null,
  );
  constructor(...args: unknown[]) {
    super();
    const { in1_features, in2_features, out_features, bias, device, dtype } = BILINEAR(args);
    this.in1_features = in1_features;
    this.in2_features = in2_features;
    this.out_features = out_features;
    this.weight = new Parameter(aten.empty([out_features, in1_features, in2_features], { device, dtype }));
    this.register_parameter(
      "bias",
      bias ? new Parameter(aten.empty([out_features], { device, dtype })) : null,
    );
    this.reset_parameters();
  }

  /** Draws new initial values. */
  reset_parameters(): void {
    const bound = 1 / Math.sqrt(this.in1_features);
    init.uniform_(this.weight, -bound, bound);
    if (this.bias !== null) init.uniform_(this.bias, -bound, bound);
  }

  override forward(input1: Tensor, input2: Tensor): Tensor {
    return aten.bilinear(input1, input2, this.weight, this.bias);
  }

  override extra_repr(): string {
    return `in1_features=${this.in1_features}, in2_features=${this.in2_features}, out_features=${this.out_features}, ` +
      `bias=${pyrepr(this.bias !== null)}`;
  }
}
