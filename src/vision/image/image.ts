/**
 * A picture of bytes: what datasets give and transforms take, in the place of PIL's Image.
 *
 * @module
 */
import { ValueError } from "../../base/errors.ts";

/** "L" is grayscale, "LA" with alpha, "RGB" and "RGBA" colour. */
export type ImageMode = "L" | "LA" | "RGB" | "RGBA";

const CHANNELS: Readonly<Record<ImageMode, number>> = { L: 1, LA: 2, RGB: 3, RGBA: 4 };
const MODES: readonly (ImageMode | undefined)[] = [undefined, "L", "LA", "RGB", "RGBA"];

/** A picture: rows from top to bottom, pixels from left to right, the channels of a pixel side by side. */
export class Image {
  readonly width: number;
  readonly height: number;
  readonly mode: ImageMode;
  /** (height, width, channels) bytes. */
  readonly data: Uint8Array;

  /** Wraps bytes (they are not copied); without any the picture is black. */
  constructor(width: number, height: number, mode: ImageMode = "L", data?: Uint8Array) {
    const length = width * height * CHANNELS[mode];
    if (!(Number.isSafeInteger(length) && width >= 0 && height >= 0)) {
      throw new ValueError(`Image(): impossible size ${width} x ${height}`);
    }
    if (data !== undefined && data.length !== length) {
      throw new ValueError(
        `Image(): expected ${length} bytes for ${width} x ${height} pixels of mode ${mode}, but got ${data.length}`,
      );
    }
    this.width = width;
    this.height = height;
    this.mode = mode;
    this.data = data ?? new Uint8Array(length);
  }

  /** The number of channels: 1 to 4. */
  get channels(): number {
    return CHANNELS[this.mode];
  }
  /** `[width, height]`, as PIL has it. */
  get size(): [width: number, height: number] {
    return [this.width, this.height];
  }
  /** The channels of one pixel. */
  pixel(x: number, y: number): number[] {
    const at = (y * this.width + x) * this.channels;
    return [...this.data.subarray(at, at + this.channels)];
  }

  toString(): string {
    return `<Image mode=${this.mode} size=${this.width}x${this.height}>`;
  }
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }
}

/** The mode with so many channels. */
export function modeOf(channels: number): ImageMode {
  const mode = MODES[channels];
  if (mode === undefined) throw new ValueError(`expected 1 to 4 channels, but got ${channels}`);
  return mode;
}
