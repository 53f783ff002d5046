/**
 * Resizing as Pillow does it (libImaging/Resample.c, 8 bits per channel): separable filters that widen when the picture
 * shrinks, coefficients in fixed point, rows first. The result is Pillow's to the byte.
 */
import { Image } from "./image.ts";

/** torchvision's `InterpolationMode`, by its values. */
export type Interpolation = "nearest" | "bilinear" | "bicubic" | "box" | "hamming" | "lanczos";

interface Filter {
  /** How far it reaches, in pixels of the larger picture. */
  readonly support: number;
  weight(x: number): number;
}

const sinc = (x: number): number => x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);

const FILTERS: Readonly<Record<Exclude<Interpolation, "nearest">, Filter>> = {
  box: { support: 0.5, weight: (x) => x > -0.5 && x <= 0.5 ? 1 : 0 },
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  hamming: {
    support: 1,
    weight(x) {
      const a = Math.abs(x);
      return a >= 1 ? 0 : sinc(a) * (0.54 + 0.46 * Math.cos(a * Math.PI));
    },
  },
  bicubic: {
    support: 2,
    weight(x) { // Keys' cubic convolution with a = -0.5
      const a = -0.5, t = Math.abs(x);
      if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
      return t < 2 ? (((t - 5) * t + 8) * t - 4) * a : 0;
    },
  },
  lanczos: { support: 3, weight: (x) => x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0 },
};

/** Fractional bits of the coefficients: 32 - 8 (the pixel) - 2 (sign and overshoot). */
const BITS = 22;

interface Coefficients {
  /** For each output position: first input position and number of taps. */
  readonly first: Int32Array;
  readonly count: Int32Array;
  /** `taps` fixed-point weights for each output position. */
  readonly weights: Int32Array;
  readonly taps: number;
}

function coefficients(from: number, to: number, filter: Filter): Coefficients {
  const scale = from / to, stretch = Math.max(scale, 1), support = filter.support * stretch;
  const taps = Math.ceil(support) * 2 + 1,
    first = new Int32Array(to),
    count = new Int32Array(to),
    weights = new Int32Array(to * taps);
  const row = new Float64Array(taps);
  for (let i = 0; i < to; i++) {
    const centre = (i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - support + 0.5)),
      end = Math.min(from, Math.trunc(centre + support + 0.5));
    let sum = 0;
    for (let k = 0; k < end - start; k++) {
      sum += row[k] = filter.weight((k + start - centre + 0.5) * (1 / stretch));
    }
    for (let k = 0; k < end - start; k++) {
      const w = sum !== 0 ? row[k]! / sum : row[k]!;
      weights[i * taps + k] = Math.trunc((w < 0 ? -0.5 : 0.5) + w * 2 ** BITS);
    }
    first[i] = start;
    count[i] = end - start;
  }
  return { first, count, weights, taps };
}

/**
 * Filters along one axis: `lines` independent lines of `to` pixels, whose neighbours are `step` bytes apart in the input and
 * `outStep` in the output; a line starts `pitch` bytes after the last one.
 */
function filterAxis(
  input: Uint8Array,
  output: Uint8Array,
  c: Coefficients,
  lines: number,
  to: number,
  layout: { step: number; pitch: number; outStep: number; outPitch: number; channels: number },
): void {
  const { step, pitch, outStep, outPitch, channels } = layout;
  for (let line = 0; line < lines; line++) {
    for (let i = 0; i < to; i++) {
      const from = line * pitch + c.first[i]! * step, count = c.count[i]!, w = i * c.taps;
      for (let ch = 0; ch < channels; ch++) {
        let sum = 1 << (BITS - 1);
        for (let k = 0; k < count; k++) sum += input[from + k * step + ch]! * c.weights[w + k]!;
        const value = sum >> BITS;
        output[line * outPitch + i * outStep + ch] = value < 0 ? 0 : value > 255 ? 255 : value;
      }
    }
  }
}

/** The picture at another size. */
export function resize(image: Image, width: number, height: number, how: Interpolation = "bilinear"): Image {
  if (width === image.width && height === image.height) {
    return new Image(width, height, image.mode, image.data.slice());
  }
  if (how === "nearest") return resizeNearest(image, width, height);
  const filter = FILTERS[how], { channels } = image;
  let current = image;
  if (width !== current.width) {
    const out = new Image(width, current.height, image.mode);
    filterAxis(current.data, out.data, coefficients(current.width, width, filter), current.height, width, {
      step: channels,
      pitch: current.width * channels,
      outStep: channels,
      outPitch: width * channels,
      channels,
    });
    current = out;
  }
  if (height !== current.height) {
    const out = new Image(width, height, image.mode), row = width * channels;
    filterAxis(current.data, out.data, coefficients(current.height, height, filter), width, height, {
      step: row,
      pitch: channels,
      outStep: row,
      outPitch: channels,
      channels,
    });
    current = out;
  }
  return current;
}

/** Pillow's ImagingScaleAffine: the position is added up, not multiplied, so that its rounding is the same. */
function nearestSources(from: number, to: number): Int32Array {
  const scale = from / to;
  let at = scale * 0.5;
  return Int32Array.from({ length: to }, () => {
    const i = Math.floor(at);
    at += scale;
    return i < 0 || i >= from ? -1 : i;
  });
}

function resizeNearest(image: Image, width: number, height: number): Image {
  const out = new Image(width, height, image.mode), { channels, data } = image;
  const xs = nearestSources(image.width, width), ys = nearestSources(image.height, height);
  let at = 0;
  for (const y of ys) {
    for (const x of xs) {
      for (let c = 0; c < channels; c++) {
        out.data[at++] = x < 0 || y < 0 ? 0 : data[(y * image.width + x) * channels + c]!;
      }
    }
  }
  return out;
}
