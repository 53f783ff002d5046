/**
 * Upsampling.
 *
 * @module
 */
import { PyFloat } from "../../base/scalar.ts";
import type { Tensor } from "../../tensor.ts";
import { floatRepr, pyrepr, tupleRepr } from "../../utils/pyrepr.ts";
import { signature } from "../../utils/signature.ts";
import { interpolate, type InterpolationMode } from "../functional/vision.ts";
import { Module } from "./module.ts";
import type { IntOrTuple } from "./utils.ts";

/** Arguments of `nn.Upsample`. */
export interface UpsampleOptions {
  size?: IntOrTuple | null;
  scale_factor?: IntOrTuple | null;
  mode?: InterpolationMode;
  align_corners?: boolean | null;
  recompute_scale_factor?: boolean | null;
}
const UPSAMPLE = signature<UpsampleOptions>("Upsample", {
  size: null,
  scale_factor: null,
  mode: "nearest",
  align_corners: null,
  recompute_scale_factor: null,
});

/**
 * Resizes images: `F.interpolate` as a layer.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Upsample.html
 */
export class Upsample extends Module {
  // The class's name as a property, as in PyTorch.
  override name: string = this._get_name();
  size: IntOrTuple | null;
  scale_factor: IntOrTuple | null;
  mode: InterpolationMode;
  align_corners: boolean | null;
  recompute_scale_factor: boolean | null;

  constructor(
    size?: IntOrTuple | null | UpsampleOptions,
    scale_factor?: IntOrTuple | null | UpsampleOptions,
    mode?: InterpolationMode | UpsampleOptions,
    align_corners?: boolean | null | UpsampleOptions,
    recompute_scale_factor?: boolean | null,
  );
  constructor(...args: unknown[]) {
    super();
    const a = UPSAMPLE(args);
    this.size = a.size;
    this.scale_factor = a.scale_factor;
    this.mode = a.mode;
    this.align_corners = a.align_corners;
    this.recompute_scale_factor = a.recompute_scale_factor;
  }

  override forward(input: Tensor): Tensor {
    const { size, scale_factor, mode, align_corners, recompute_scale_factor } = this;
    return interpolate(input, size, scale_factor, mode, align_corners, recompute_scale_factor);
  }

  override extra_repr(): string {
    const scale = this.scale_factor;
    const what = scale === null
      ? `size=${pyrepr(this.size)}`
      : `scale_factor=${
        typeof scale === "number" ? floatRepr(scale) : tupleRepr(scale.map((s) => new PyFloat(s)))
      }`;
    return `${what}, mode=${this.mode}`;
  }
}

type SizeOptions = Pick<UpsampleOptions, "size" | "scale_factor">;
const SIZE = signature<SizeOptions>("__init__", { size: null, scale_factor: null });

/**
 * Nearest neighbour upsampling of (N, C, H, W).
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.UpsamplingNearest2d.html
 */
export class UpsamplingNearest2d extends Upsample {
  constructor(size?: IntOrTuple | null | SizeOptions, scale_factor?: IntOrTuple | null | SizeOptions);
  constructor(...args: unknown[]) {
    super({ ...SIZE(args), mode: "nearest" });
  }
}
/**
 * Bilinear upsampling of (N, C, H, W) with aligned corners.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.UpsamplingBilinear2d.html
 */
export class UpsamplingBilinear2d extends Upsample {
  constructor(size?: IntOrTuple | null | SizeOptions, scale_factor?: IntOrTuple | null | SizeOptions);
  constructor(...args: unknown[]) {
    super({ ...SIZE(args), mode: "bilinear", align_corners: true });
  }
}
