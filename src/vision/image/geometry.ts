/** Moving pixels without changing them: crop, pad, flip. */
import { ValueError } from "../../base/errors.ts";
import { Image } from "./image.ts";

/** The part of a picture at (left, top); what lies outside of it is black. */
export function crop(image: Image, top: number, left: number, height: number, width: number): Image {
  const out = new Image(width, height, image.mode), { channels } = image;
  const x0 = Math.max(0, left), x1 = Math.min(image.width, left + width);
  const y0 = Math.max(0, top), y1 = Math.min(image.height, top + height);
  if (x1 <= x0) return out;
  for (let y = y0; y < y1; y++) {
    const from = (y * image.width + x0) * channels, to = ((y - top) * width + x0 - left) * channels;
    out.data.set(image.data.subarray(from, from + (x1 - x0) * channels), to);
  }
  return out;
}

/** How `pad` fills: a colour, the edge pixel, or the picture mirrored without or with its edge repeated. */
export type PaddingMode = "constant" | "edge" | "reflect" | "symmetric";
/** Left, top, right, bottom. */
export type Padding4 = readonly [left: number, top: number, right: number, bottom: number];

/** For each position along a side of n pixels padded by `before` and `after`: the pixel to take, or -1 for the fill. */
function sources(n: number, before: number, after: number, mode: PaddingMode): Int32Array {
  const fold = mode === "reflect" ? 2 * (n - 1) : 2 * n; // the mirrored picture repeats with this period
  return Int32Array.from({ length: Math.max(0, n + before + after) }, (_, k) => {
    const i = k - before;
    if (i >= 0 && i < n) return i;
    if (mode === "constant" || n === 0) return -1;
    if (mode === "edge" || fold === 0) return i < 0 ? 0 : n - 1;
    const r = ((i % fold) + fold) % fold;
    return r < n ? r : fold - r - (mode === "symmetric" ? 1 : 0);
  });
}

/** The picture with a frame around it; negative padding cuts. `fill` is one value for all channels, or one for each. */
export function pad(
  image: Image,
  padding: Padding4,
  fill: number | readonly number[] = 0,
  mode: PaddingMode = "constant",
): Image {
  const [left, top, right, bottom] = padding, { channels, data } = image;
  const xs = sources(image.width, left, right, mode), ys = sources(image.height, top, bottom, mode);
  const out = new Image(xs.length, ys.length, image.mode), colour = colourOf(fill, channels);
  let at = 0;
  for (const y of ys) {
    for (const x of xs) {
      const from = y < 0 || x < 0 ? -1 : (y * image.width + x) * channels;
      for (let c = 0; c < channels; c++) out.data[at++] = from < 0 ? colour[c]! : data[from + c]!;
    }
  }
  return out;
}

/** A fill colour for so many channels. */
export function colourOf(fill: number | readonly number[], channels: number): readonly number[] {
  if (typeof fill === "number") return new Array<number>(channels).fill(fill);
  if (fill.length === channels) return fill;
  if (fill.length === 1) return new Array<number>(channels).fill(fill[0]!);
  throw new ValueError(
    `The number of elements in 'fill' does not match the number of channels of the image (${fill.length} != ${channels})`,
  );
}

/** Left and right exchanged. */
export function flipHorizontal(image: Image): Image {
  const out = new Image(image.width, image.height, image.mode), { width, height, channels, data } = image;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (y * width + x) * channels, to = (y * width + width - 1 - x) * channels;
      for (let c = 0; c < channels; c++) out.data[to + c] = data[from + c]!;
    }
  }
  return out;
}

/** Top and bottom exchanged. */
export function flipVertical(image: Image): Image {
  const out = new Image(image.width, image.height, image.mode), row = image.width * image.channels;
  for (let y = 0; y < image.height; y++) {
    out.data.set(image.data.subarray(y * row, (y + 1) * row), (image.height - 1 - y) * row);
  }
  return out;
}

/** Turned by a multiple of 90 degrees counter-clockwise. */
export function turn(image: Image, quarters: number): Image {
  const { width, height, channels, data } = image, q = ((quarters % 4) + 4) % 4;
  const out = q % 2 === 0 ? new Image(width, height, image.mode) : new Image(height, width, image.mode);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [tx, ty] = q === 0
        ? [x, y]
        : q === 1
        ? [y, width - 1 - x]
        : q === 2
        ? [width - 1 - x, height - 1 - y]
        : [height - 1 - y, x];
      const from = (y * width + x) * channels, to = (ty * out.width + tx) * channels;
      for (let c = 0; c < channels; c++) out.data[to + c] = data[from + c]!;
    }
  }
  return out;
}
