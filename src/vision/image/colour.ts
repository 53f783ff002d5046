/** Changes of colour that do not depend on a pixel's neighbours, as Pillow does them. */
import { Image, type ImageMode } from "./image.ts";

/** ITU-R 601-2 luma with 16 fractional bits (libImaging/Convert.c, L24). */
const luma = (r: number, g: number, b: number): number => (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16;

/** The picture in another mode: colour becomes gray by its luma, gray becomes colour by repetition, new alpha is opaque. */
export function convert(image: Image, mode: ImageMode): Image {
  if (image.mode === mode) return image;
  const out = new Image(image.width, image.height, mode), from = image.channels, to = out.channels;
  const colour = from >= 3, alpha = from % 2 === 0, { data } = image;
  for (let i = 0, at = 0, put = 0; i < image.width * image.height; i++, at += from, put += to) {
    const r = data[at]!, g = colour ? data[at + 1]! : r, b = colour ? data[at + 2]! : r;
    if (to >= 3) {
      out.data[put] = r;
      out.data[put + 1] = g;
      out.data[put + 2] = b;
    } else out.data[put] = colour ? luma(r, g, b) : r;
    if (to % 2 === 0) out.data[put + to - 1] = alpha ? data[at + from - 1]! : 255;
  }
  return out;
}
