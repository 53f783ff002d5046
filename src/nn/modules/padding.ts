/**
 * Padding layers.
 *
 * @module
 */
import * as aten from "../../ops/mod.ts";
import type { Tensor } from "../../tensor.ts";
import { pyrepr, tupleRepr } from "../../utils/pyrepr.ts";
import { required, signature } from "../../utils/signature.ts";
import { Module } from "./module.ts";
import { type IntOrTuple, ntuple } from "./utils.ts";

interface PaddingOptions {
  padding: IntOrTuple;
}
const PADDING = signature<PaddingOptions>("__init__", { padding: required });

abstract class PadNd extends Module {
  padding: number[];
  constructor(n: number, padding: IntOrTuple) {
    super();
    this.padding = ntuple(padding, n);
  }
  override extra_repr(): string {
    return tupleRepr(this.padding);
  }
}

interface ConstantOptions extends PaddingOptions {
  value: number;
}
const CONSTANT = signature<ConstantOptions>("__init__", { padding: required, value: required });
abstract class ConstantPadNd extends PadNd {
  value: number;
  constructor(n: number, { padding, value }: ConstantOptions) {
    super(n, padding);
    this.value = value;
  }
  override forward(input: Tensor): Tensor {
    return aten.pad(input, this.padding, "constant", this.value);
  }
  override extra_repr(): string {
    return `padding=${tupleRepr(this.padding)}, value=${pyrepr(this.value)}`;
  }
}
/**
 * Pads the last dimension with a constant.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.ConstantPad1d.html
 */
export class ConstantPad1d extends ConstantPadNd {
  constructor(padding: IntOrTuple | ConstantOptions, value?: number | Partial<ConstantOptions>);
  constructor(...args: unknown[]) {
    super(2, CONSTANT(args));
  }
}
/**
 * Pads the last two dimensions with a constant.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.ConstantPad2d.html
 */
export class ConstantPad2d extends ConstantPadNd {
  constructor(padding: IntOrTuple | ConstantOptions, value?: number | Partial<ConstantOptions>);
  constructor(...args: unknown[]) {
    super(4, CONSTANT(args));
  }
}
/**
 * Pads the last three dimensions with a constant.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.ConstantPad3d.html
 */
export class ConstantPad3d extends ConstantPadNd {
  constructor(padding: IntOrTuple | ConstantOptions, value?: number | Partial<ConstantOptions>);
  constructor(...args: unknown[]) {
    super(6, CONSTANT(args));
  }
}
abstract class ZeroPadNd extends ConstantPadNd {
  constructor(n: number, args: unknown[]) {
    super(n, { ...PADDING(args), value: 0 });
  }
  override extra_repr(): string {
    return tupleRepr(this.padding);
  }
}
/**
 * Pads the last dimension with zeros.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.ZeroPad1d.html
 */
export class ZeroPad1d extends ZeroPadNd {
  constructor(padding: IntOrTuple | PaddingOptions);
  constructor(...args: unknown[]) {
    super(2, args);
  }
}
/**
 * Pads the last two dimensions with zeros.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.ZeroPad2d.html
 */
export class ZeroPad2d extends ZeroPadNd {
  constructor(padding: IntOrTuple | PaddingOptions);
  constructor(...args: unknown[]) {
    super(4, args);
  }
}
/**
 * Pads the last three dimensions with zeros.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.ZeroPad3d.html
 */
export class ZeroPad3d extends ZeroPadNd {
  constructor(padding: IntOrTuple | PaddingOptions);
  constructor(...args: unknown[]) {
    super(6, args);
  }
}

abstract class ReflectionPadNd extends PadNd {
  constructor(n: number, args: unknown[]) {
    super(n, PADDING(args).padding);
  }
  override forward(input: Tensor): Tensor {
    return aten.pad(input, this.padding, "reflect");
  }
}
/**
 * Pads the last dimension by reflection.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.ReflectionPad1d.html
 */
export class ReflectionPad1d extends ReflectionPadNd {
  constructor(padding: IntOrTuple | PaddingOptions);
  constructor(...args: unknown[]) {
    super(2, args);
  }
}
/**
 * Pads the last two dimensions by reflection.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.ReflectionPad2d.html
 */
export class ReflectionPad2d extends ReflectionPadNd {
  constructor(padding: IntOrTuple | PaddingOptions);
  constructor(...args: unknown[]) {
    super(4, args);
  }
}
/**
 * Pads the last three dimensions by reflection.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.ReflectionPad3d.html
 */
export class ReflectionPad3d extends ReflectionPadNd {
  constructor(padding: IntOrTuple | PaddingOptions);
  constructor(...args: unknown[]) {
    super(6, args);
  }
}

abstract class ReplicationPadNd extends PadNd {
  constructor(n: number, args: unknown[]) {
    super(n, PADDING(args).padding);
  }
  override forward(input: Tensor): Tensor {
    return aten.pad(input, this.padding, "replicate");
  }
}
/**
 * Pads the last dimension with its border.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.ReplicationPad1d.html
 */
export class ReplicationPad1d extends ReplicationPadNd {
  constructor(padding: IntOrTuple | PaddingOptions);
  constructor(...args: unknown[]) {
    super(2, args);
  }
}
/**
 * Pads the last two dimensions with their border.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.ReplicationPad2d.html
 */
export class ReplicationPad2d extends ReplicationPadNd {
  constructor(padding: IntOrTuple | PaddingOptions);
  constructor(...args: unknown[]) {
    super(4, args);
  }
}
/**
 * Pads the last three dimensions with their border.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.ReplicationPad3d.html
 */
export class ReplicationPad3d extends ReplicationPadNd {
  constructor(padding: IntOrTuple | PaddingOptions);
  constructor(...args: unknown[]) {
    super(6, args);
  }
}

abstract class CircularPadNd extends PadNd {
  constructor(n: number, args: unknown[]) {
    super(n, PADDING(args).padding);
  }
  override forward(input: Tensor): Tensor {
    return aten.pad(input, this.padding, "circular");
  }
}
/**
 * Pads the last dimension of (N, C, W) with what stands at its other end.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.CircularPad1d.html
 */
export class CircularPad1d extends CircularPadNd {
  constructor(padding: IntOrTuple | PaddingOptions);
  constructor(...args: unknown[]) {
    super(2, args);
  }
}
/**
 * Pads the last two dimensions of (N, C, H, W) with what stands at their other ends.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.CircularPad2d.html
 */
export class CircularPad2d extends CircularPadNd {
  constructor(padding: IntOrTuple | PaddingOptions);
  constructor(...args: unknown[]) {
    super(4, args);
  }
}
/**
 * Pads the last three dimensions of (N, C, D, H, W) with what stands at their other ends.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.CircularPad3d.html
 */
export class CircularPad3d extends CircularPadNd {
  constructor(padding: IntOrTuple | PaddingOptions);
  constructor(...args: unknown[]) {
    super(6, args);
  }
}
