/**
 * `torchvision.transforms`: changes of pictures before they are learned from.
 *
 * @see https://pytorch.org/vision/stable/transforms.html
 * @module
 */
import type { Interpolation } from "../image/resize.ts";

export { Compose, ConvertImageDtype, Lambda, Normalize, PILToTensor, ToPILImage, ToTensor } from "./basic.ts";
export { CenterCrop, Grayscale, Pad, type PadOptions, Resize, type ResizeOptions } from "./geometry.ts";
export {
  RandomAffine,
  type RandomAffineOptions,
  RandomApply,
  RandomCrop,
  type RandomCropOptions,
  RandomErasing,
  type RandomErasingOptions,
  RandomGrayscale,
  RandomHorizontalFlip,
  RandomResizedCrop,
  type RandomResizedCropOptions,
  RandomRotation,
  type RandomRotationOptions,
  RandomVerticalFlip,
} from "./random.ts";
export { isPixelwise, Transform, type TransformFunction } from "./transform.ts";
export * as functional from "./functional.ts";

/** Ways to interpolate. */
export const InterpolationMode = {
  NEAREST: "nearest",
  BILINEAR: "bilinear",
  BICUBIC: "bicubic",
  BOX: "box",
  HAMMING: "hamming",
  LANCZOS: "lanczos",
} as const satisfies Record<string, Interpolation>;
