/**
 * Windows of images as columns.
 *
 * @module
 */
import type { Tensor } from "../../tensor.ts";
import { pyrepr } from "../../utils/pyrepr.ts";
import { required, signature } from "../../utils/signature.ts";
import { fold, unfold } from "../functional/vision.ts";
import { Module } from "./module.ts";
import type { IntOrTuple } from "./utils.ts";

interface WindowOptions {
  kernel_size: IntOrTuple;
  dilation?: IntOrTuple;
  padding?: IntOrTuple;
  stride?: IntOrTuple;
}
type W = Partial<WindowOptions>;
const UNFOLD = signature<WindowOptions>("Unfold", {
  kernel_size: required,
  dilation: 1,
  padding: 0,
  stride: 1,
});
/**
 * The windows of a batch of images as columns.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Unfold.html
 */
export class Unfold extends Module {
  kernel_size: IntOrTuple;
  dilation: IntOrTuple;
  padding: IntOrTuple;
  stride: IntOrTuple;
  constructor(
    kernel_size: IntOrTuple | WindowOptions,
    dilation?: IntOrTuple | W,
    padding?: IntOrTuple | W,
    stride?: IntOrTuple | W,
  );
  constructor(...args: unknown[]) {
    super();
    const a = UNFOLD(args);
    this.kernel_size = a.kernel_size;
    this.dilation = a.dilation;
    this.padding = a.padding;
    this.stride = a.stride;
  }
  override forward(input: Tensor): Tensor {
    return unfold(input, this.kernel_size, this.dilation, this.padding, this.stride);
  }
  override extra_repr(): string {
    return `kernel_size=${pyrepr(this.kernel_size)}, dilation=${pyrepr(this.dilation)}, ` +
      `padding=${pyrepr(this.padding)}, stride=${pyrepr(this.stride)}`;
  }
}

interface FoldOptions extends WindowOptions {
  output_size: IntOrTuple;
}
const FOLD = signature<FoldOptions>("Fold", {
  output_size: required,
  kernel_size: required,
  dilation: 1,
  padding: 0,
  stride: 1,
});
/**
 * The reverse of `Unfold`: adds up columns into images.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Fold.html
 */
export class Fold extends Module {
  output_size: IntOrTuple;
  kernel_size: IntOrTuple;
  dilation: IntOrTuple;
  padding: IntOrTuple;
  stride: IntOrTuple;
  constructor(options: FoldOptions);
  constructor(
    output_size: IntOrTuple,
    kernel_size: IntOrTuple,
    dilation?: IntOrTuple | W,
    padding?: IntOrTuple | W,
    stride?: IntOrTuple | W,
  );
  constructor(...args: unknown[]) {
    super();
    const a = FOLD(args);
    this.output_size = a.output_size;
    this.kernel_size = a.kernel_size;
    this.dilation = a.dilation;
    this.padding = a.padding;
    this.stride = a.stride;
  }
  override forward(input: Tensor): Tensor {
    return fold(input, this.output_size, this.kernel_size, this.dilation, this.padding, this.stride);
  }
  override extra_repr(): string {
    return `output_size=${pyrepr(this.output_size)}, kernel_size=${pyrepr(this.kernel_size)}, ` +
      `dilation=${pyrepr(this.dilation)}, padding=${pyrepr(this.padding)}, stride=${pyrepr(this.stride)}`;
  }
}
