/**
 * Draws handwritten-looking digits from the skeletons in `_glyphs.ts`.
 *
 * Only +, -, *, / and sqrt are used on floats, all of which IEEE 754 rounds exactly, so that a seed gives the same bytes in
 * every JavaScript engine (Math.sin and friends may differ in the last bit).
 */
import { type Glyph, GLYPHS } from "./_glyphs.ts";

/** Height and width of a drawn digit, as in MNIST. */
export const DIGIT_SIDE = 28;
const PIXELS = DIGIT_SIDE * DIGIT_SIDE;
/** Straight pieces per curve piece between two skeleton points. */
const PIECES = 4;
const MAX_POINTS = 24;

/** sfc32, a small counting generator that passes PractRand (C. Doty-Humphrey); 128 bits of state, seeded by three words. */
class Sfc32 {
  #a = 0;
  #b = 0;
  #c = 0;
  #counter = 1;

  seed(a: number, b: number, c: number): void {
    this.#a = a | 0;
    this.#b = b | 0;
    this.#c = c | 0;
    this.#counter = 1;
    for (let i = 0; i < 12; i++) this.u32();
  }

  u32(): number {
    const r = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + r) | 0;
    return r >>> 0;
  }

  /** Uniform in [0, 1). */
  uniform(): number {
    return this.u32() * 2 ** -32;
  }

  /** Bell-shaped in (-1, 1) with standard deviation 1/3: the mean of three uniforms, which needs no logarithm. */
  bell(): number {
    return (this.uniform() + this.uniform() + this.uniform()) * (2 / 3) - 1;
  }
}

/** How far a drawn digit may stray from its skeleton. The numbers are chosen so that models rank as they do on MNIST. */
const JITTER = 0.16; // of each skeleton point
const SHIFT = 2.7; // pixels
const TURN = 0.3; // tangent of half the rotation: 0.3 is 33 degrees, at the end of the bell
const SHEAR = 0.65;
const WARP = 0.28; // quadratic bending of the whole page
const INK_NOISE = 40;

/** Reusable working memory, so that drawing allocates nothing per digit. */
class Pen {
  readonly rng = new Sfc32();
  readonly #ink = new Float32Array(PIXELS);
  readonly #xs = new Float64Array(MAX_POINTS);
  readonly #ys = new Float64Array(MAX_POINTS);

  /** Draws `digit` into out[at .. at + 784]; the generator must be seeded. */
  draw(digit: number, out: Uint8Array, at: number): void {
    const { rng } = this;
    const styles = GLYPHS[digit]!;
    const glyph = styles[rng.u32() % styles.length]!;
    const ink = this.#ink.fill(0);

    // The page: scale, shear and turn in one 2x2 matrix, then a shift.
    const tall = 8.8 + 1.7 * rng.bell(), wide = tall * (1 + 0.4 * rng.bell());
    const shear = SHEAR * rng.bell(), t = TURN * rng.bell();
    const cos = (1 - t * t) / (1 + t * t), sin = 2 * t / (1 + t * t);
    const xx = cos * wide, xy = (cos * shear - sin) * tall, yx = sin * wide, yy = (sin * shear + cos) * tall;
    const x0 = 13.5 + SHIFT * rng.bell(), y0 = 13.5 + SHIFT * rng.bell();
    const bendX = WARP * rng.bell(),
      bendY = WARP * rng.bell(),
      twistX = WARP * rng.bell(),
      twistY = WARP * rng.bell();
    const radius = 1.25 + 0.75 * rng.bell();

    for (const stroke of glyph) {
      const n = this.#place(stroke, (x, y, i) => {
        const wx = x + bendX * (y * y - 0.4) + twistX * x * y;
        const wy = y + bendY * (x * x * 2 - 0.3) + twistY * x * y;
        this.#xs[i] = x0 + xx * wx + xy * wy;
        this.#ys[i] = y0 + yx * wx + yy * wy;
      });
      this.#trace(n, radius * (1 + 0.25 * rng.bell()), radius * (1 + 0.25 * rng.bell()));
    }

    const peak = 235 + 40 * rng.bell();
    for (let i = 0; i < PIXELS; i++) {
      const covered = ink[i]!;
      if (covered === 0) {
        out[at + i] = 0;
        continue;
      }
      const value = covered * (peak + INK_NOISE * (rng.uniform() - 0.5));
      out[at + i] = value > 255 ? 255 : value;
    }
  }

  /** Jitters the points of a stroke (a doubled point, a corner, stays one) and hands them on; returns their number. */
  #place(stroke: readonly number[], put: (x: number, y: number, i: number) => void): number {
    const n = stroke.length / 2;
    let jx = 0, jy = 0;
    for (let i = 0; i < n; i++) {
      const x = stroke[2 * i]!, y = stroke[2 * i + 1]!;
      if (i === 0 || x !== stroke[2 * i - 2] || y !== stroke[2 * i - 1]) {
        jx = JITTER * this.rng.bell();
        jy = JITTER * this.rng.bell();
      }
      put(x + jx, y + jy, i);
    }
    return n;
  }

  /** Inks the Catmull-Rom curve through the first n placed points; the pen goes from radius r0 to r1. */
  #trace(n: number, r0: number, r1: number): void {
    const xs = this.#xs, ys = this.#ys, total = (n - 1) * PIECES;
    let px = xs[0]!, py = ys[0]!;
    for (let i = 0; i + 1 < n; i++) {
      const a = i > 0 ? i - 1 : 0, d = i + 2 < n ? i + 2 : n - 1;
      const ax = xs[a]!, bx = xs[i]!, cx = xs[i + 1]!, dx = xs[d]!;
      const ay = ys[a]!, by = ys[i]!, cy = ys[i + 1]!, dy = ys[d]!;
      if (bx === cx && by === cy) continue;
      for (let k = 1; k <= PIECES; k++) {
        const u = k / PIECES, u2 = u * u, u3 = u2 * u;
        const wa = 0.5 * (2 * u2 - u3 - u),
          wb = 0.5 * (3 * u3 - 5 * u2 + 2),
          wc = 0.5 * (u + 4 * u2 - 3 * u3),
          wd = 0.5 * (u3 - u2);
        const qx = wa * ax + wb * bx + wc * cx + wd * dx, qy = wa * ay + wb * by + wc * cy + wd * dy;
        this.#segment(px, py, qx, qy, r0 + (r1 - r0) * ((i * PIECES + k) / total));
        px = qx;
        py = qy;
      }
    }
  }

  /** Inks a straight piece: the coverage of a pixel falls from 1 to 0 over one pixel around the pen's edge. */
  #segment(px: number, py: number, qx: number, qy: number, radius: number): void {
    const ink = this.#ink, reach = radius + 0.5, last = DIGIT_SIDE - 1;
    const left = Math.max(0, Math.ceil((px < qx ? px : qx) - reach)),
      right = Math.min(last, Math.floor((px > qx ? px : qx) + reach));
    const top = Math.max(0, Math.ceil((py < qy ? py : qy) - reach)),
      low = Math.min(last, Math.floor((py > qy ? py : qy) + reach));
    const dx = qx - px, dy = qy - py, length2 = dx * dx + dy * dy, inverse = length2 > 0 ? 1 / length2 : 0;
    const inside = radius > 0.5 ? (radius - 0.5) * (radius - 0.5) : 0, outside = reach * reach;
    for (let y = top; y <= low; y++) {
      for (let x = left; x <= right; x++) {
        const vx = x - px, vy = y - py;
        let u = (vx * dx + vy * dy) * inverse;
        u = u < 0 ? 0 : u > 1 ? 1 : u;
        const ex = vx - u * dx, ey = vy - u * dy, d2 = ex * ex + ey * ey;
        if (d2 >= outside) continue;
        const covered = d2 <= inside ? 1 : reach - Math.sqrt(d2), i = y * DIGIT_SIDE + x;
        if (covered > ink[i]!) ink[i] = covered;
      }
    }
  }
}

/** Digits as MNIST's files hold them: `count` images of 28x28 bytes, and their labels. */
export interface DigitImages {
  images: Uint8Array;
  labels: Uint8Array;
}

/**
 * Draws `count` digits. Image i depends on `seed`, `stream` and i alone, so that a shorter run gives the beginning of a longer
 * one; different streams (training, test) share no image.
 */
export function drawDigits(count: number, seed: number, stream: number): DigitImages {
  const images = new Uint8Array(count * PIXELS), labels = new Uint8Array(count), pen = new Pen();
  for (let i = 0; i < count; i++) {
    pen.rng.seed(seed, stream, i);
    const digit = pen.rng.u32() % 10;
    labels[i] = digit;
    pen.draw(digit, images, i * PIXELS);
  }
  return { images, labels };
}

/** The number of styles in which each digit is drawn; for tests. */
export const stylesPerDigit: readonly number[] = GLYPHS.map((styles: readonly Glyph[]) => styles.length);
