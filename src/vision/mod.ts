/**
 * `torchvision`: data sets of pictures, and what is done to them before they are learned from.
 *
 * @see https://pytorch.org/vision/stable/
 * @module
 */
export * as datasets from "./datasets/mod.ts";
export * as transforms from "./transforms/mod.ts";
export { Image, type ImageMode } from "./image/image.ts";
export { encodePng } from "./image/png.ts";
