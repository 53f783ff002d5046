/** Affine maps of pictures as Pillow does them (libImaging/Geometry.c), to the byte. */
import { colourOf, turn } from "./geometry.ts";
import { Image } from "./image.ts";

/** (x, y) of the result comes from (a x + b y + c, d x + e y + f) of the picture. */
export type AffineMatrix = readonly [a: number, b: number, c: number, d: number, e: number, f: number];
/** What affine maps can interpolate by. */
export type AffineInterpolation = "nearest" | "bilinear";

/** Fixed point with 16 fractional bits, as Pillow steps through the picture. */
const fix = (v: number): number => Math.floor(v * 65536 + 0.5);

/** How an affine map is drawn. */
export interface AffineOptions {
  how?: AffineInterpolation;
  /** For what lies outside of the picture: one value, or one for each channel. */
  fill?: number | readonly number[];
  /** The size of the result; the picture's by default. */
  size?: readonly [width: number, height: number];
}

/** The picture seen through `matrix`. */
export function affine(
  image: Image,
  matrix: AffineMatrix,
  { how = "nearest", fill = 0, size = image.size }: AffineOptions = {},
): Image {
  const out = new Image(size[0], size[1], image.mode), colour = colourOf(fill, image.channels);
  for (let i = 0; i < out.data.length; i++) out.data[i] = colour[i % image.channels]!;
  if (how === "nearest") nearest(image, out, matrix);
  else bilinear(image, out, matrix);
  return out;
}

function nearest(image: Image, out: Image, [a, b, c, d, e, f]: AffineMatrix): void {
  const { width, height, channels, data } = image;
  const ax = fix(a), bx = fix(b), ay = fix(d), by = fix(e);
  let rowX = fix(c + a * 0.5 + b * 0.5), rowY = fix(f + d * 0.5 + e * 0.5);
  for (let y = 0; y < out.height; y++) {
    let fx = rowX, fy = rowY;
    for (let x = 0; x < out.width; x++) {
      const sx = fx >> 16, sy = fy >> 16;
      if (sx >= 0 && sx < width && sy >= 0 && sy < height) {
        const from = (sy * width + sx) * channels, to = (y * out.width + x) * channels;
        for (let ch = 0; ch < channels; ch++) out.data[to + ch] = data[from + ch]!;
      }
      fx += ax;
      fy += ay;
    }
    rowX += bx;
    rowY += by;
  }
}

function bilinear(image: Image, out: Image, [a, b, c, d, e, f]: AffineMatrix): void {
  const { width, height, channels, data } = image;
  for (let y = 0; y < out.height; y++) {
    for (let x = 0; x < out.width; x++) {
      let sx = a * (x + 0.5) + b * (y + 0.5) + c, sy = d * (x + 0.5) + e * (y + 0.5) + f;
      if (sx < 0 || sx >= width || sy < 0 || sy >= height) continue;
      sx -= 0.5;
      sy -= 0.5;
      const x0 = Math.floor(sx), y0 = Math.floor(sy), dx = sx - x0, dy = sy - y0;
      const left = Math.max(0, x0), right = Math.min(width - 1, x0 + 1), top = Math.max(0, y0), low = y0 + 1;
      for (let ch = 0; ch < channels; ch++) {
        const at = (px: number, py: number): number => data[(py * width + px) * channels + ch]!;
        const upper = at(left, top) + (at(right, top) - at(left, top)) * dx;
        const lower = low < height ? at(left, low) + (at(right, low) - at(left, low)) * dx : upper;
        out.data[(y * out.width + x) * channels + ch] = Math.trunc(upper + (lower - upper) * dy);
      }
    }
  }
}

/** Rounds to 15 decimals as Python's round(), which Pillow applies to sines and cosines so that 90 degrees are exact. */
const round15 = (v: number): number => Number(v.toFixed(15));

/** How a picture is turned. */
export interface RotateOptions extends Omit<AffineOptions, "size"> {
  /** What stays in its place; the middle of the picture by default. */
  centre?: readonly [x: number, y: number] | null;
  /** Whether the result is made large enough to hold all of the picture. */
  expand?: boolean;
}

/** Turned by `angle` degrees counter-clockwise. */
export function rotate(image: Image, angle: number, options: RotateOptions = {}): Image {
  const { centre = null, expand = false, how = "nearest", fill = 0 } = options, { width, height } = image;
  const degrees = ((angle % 360) + 360) % 360;
  if (centre === null && degrees % 90 === 0 && (degrees % 180 === 0 || expand || width === height)) {
    return turn(image, degrees / 90);
  }
  const radians = -degrees * Math.PI / 180,
    cos = round15(Math.cos(radians)),
    sin = round15(Math.sin(radians));
  const [x, y] = centre ?? [width / 2, height / 2];
  let matrix: AffineMatrix = [cos, sin, cos * -x + sin * -y + x, -sin, cos, -sin * -x + cos * -y + y];
  const map = (px: number, py: number): [number, number] => [
    matrix[0] * px + matrix[1] * py + matrix[2],
    matrix[3] * px + matrix[4] * py + matrix[5],
  ];
  if (!expand) return affine(image, matrix, { how, fill });
  const corners = [map(0, 0), map(width, 0), map(width, height), map(0, height)];
  const extent = (k: 0 | 1): number =>
    Math.ceil(Math.max(...corners.map((c) => c[k]))) - Math.floor(Math.min(...corners.map((c) => c[k])));
  const w = extent(0), h = extent(1), [dx, dy] = map(-(w - width) / 2, -(h - height) / 2);
  matrix = [matrix[0], matrix[1], dx, matrix[3], matrix[4], dy];
  return affine(image, matrix, { how, fill, size: [w, h] });
}
