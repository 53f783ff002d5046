/**
 * Chains of transforms, and those that make tensors of pictures.
 *
 * @module
 */
import type { DType } from "../../base/dtype.ts";
import type { Tensor } from "../../tensor.ts";
import { pyrepr } from "../../utils/pyrepr.ts";
import type { Image, ImageMode } from "../image/image.ts";
import * as functional from "./functional.ts";
import { describe, isPixelwise, Transform, type TransformFunction } from "./transform.ts";

/**
 * Transforms one after the other.
 *
 * ```ts
 * const transform = new transforms.Compose([new transforms.ToTensor(), new transforms.Normalize([0.5], [0.5])]);
 * ```
 *
 * @see https://pytorch.org/vision/stable/generated/torchvision.transforms.Compose.html
 */
export class Compose extends Transform {
  transforms: TransformFunction[];
  constructor(transforms: TransformFunction[]) {
    super();
    this.transforms = transforms;
  }
  // deno-lint-ignore no-explicit-any -- what comes out is the last link's business
  override forward(sample: unknown): any {
    let result = sample;
    for (const transform of this.transforms) result = transform(result);
    return result;
  }
  override get pixelwise(): boolean {
    return this.transforms.every(isPixelwise);
  }
  override toString(): string {
    return `${this.constructor.name}(${this.transforms.map((t) => `\n    ${describe(t)}`).join("")}\n)`;
  }
}

/** A function of your own as a transform. */
export class Lambda extends Transform {
  lambd: TransformFunction;
  constructor(lambd: TransformFunction) {
    super();
    if (typeof lambd !== "function") {
      throw new TypeError(`Argument lambd should be callable, got ${pyrepr(typeof lambd)}`);
    }
    this.lambd = lambd;
  }
  // deno-lint-ignore no-explicit-any -- whatever the function gives
  override forward(sample: unknown): any {
    return this.lambd(sample);
  }
}

/** A picture of bytes (H, W, C) as a float tensor (C, H, W) of 0 to 1. */
export class ToTensor extends Transform {
  override forward(pic: Image): Tensor {
    return functional.to_tensor(pic);
  }
  override get pixelwise(): boolean {
    return true;
  }
}

/** A picture of bytes (H, W, C) as a uint8 tensor (C, H, W). */
export class PILToTensor extends Transform {
  override forward(pic: Image): Tensor {
    return functional.pil_to_tensor(pic);
  }
  override get pixelwise(): boolean {
    return true;
  }
}

/** A tensor (C, H, W) as a picture of bytes. */
export class ToPILImage extends Transform {
  mode: ImageMode | null;
  constructor(mode: ImageMode | null = null) {
    super();
    this.mode = mode;
  }
  override forward(pic: Tensor): Image {
    return functional.to_pil_image(pic, this.mode);
  }
  override toString(): string {
    return `${this.constructor.name}(${this.mode === null ? "" : `mode=${this.mode}`})`;
  }
}

/** A tensor picture in another dtype, its range of values going along. */
export class ConvertImageDtype extends Transform {
  dtype: DType;
  constructor(dtype: DType) {
    super();
    this.dtype = dtype;
  }
  override forward(image: Tensor): Tensor {
    return functional.convert_image_dtype(image, this.dtype);
  }
  override get pixelwise(): boolean {
    return true;
  }
}

/** `(tensor[c] - mean[c]) / std[c]` for every channel of a float tensor. */
export class Normalize extends Transform {
  mean: readonly number[];
  std: readonly number[];
  inplace: boolean;
  constructor(
    mean: readonly number[],
    std: readonly number[],
    inplace: boolean | { inplace?: boolean } = false,
  ) {
    super();
    this.mean = mean;
    this.std = std;
    this.inplace = typeof inplace === "boolean" ? inplace : inplace.inplace ?? false;
  }
  override forward(tensor: Tensor): Tensor {
    return functional.normalize(tensor, this.mean, this.std, this.inplace);
  }
  override get pixelwise(): boolean {
    return true;
  }
  override toString(): string {
    return `${this.constructor.name}(mean=${pyrepr(this.mean)}, std=${pyrepr(this.std)})`;
  }
}
