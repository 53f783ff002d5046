/**
 * Transforms that change the size of pictures, always in the same way.
 *
 * @module
 */
import { ValueError } from "../../base/errors.ts";
import { pyrepr, tupleRepr } from "../../utils/pyrepr.ts";
import { signature } from "../../utils/signature.ts";
import type { PaddingMode } from "../image/geometry.ts";
import type { Interpolation } from "../image/resize.ts";
import * as functional from "./functional.ts";
import { type Picture, setupSize, type SizeLike } from "./functional.ts";
import { Transform } from "./transform.ts";

const CROP_SIZE = "Please provide only two dimensions (h, w) for size.";

/** Options of `Resize`. */
export interface ResizeOptions {
  interpolation?: Interpolation;
  /** The longer side may not become longer than this. */
  max_size?: number | null;
  /** For tensors; pictures of bytes are always smoothed when they shrink. */
  antialias?: boolean | null;
}
const RESIZE = signature<ResizeOptions>("Resize", {
  interpolation: "bilinear",
  max_size: null,
  antialias: null,
});

/** Pictures of one size: `[height, width]`, or a number for the shorter side. */
export class Resize extends Transform {
  size: SizeLike;
  interpolation: Interpolation;
  max_size: number | null;
  antialias: boolean | null;
  constructor(
    size: SizeLike,
    interpolation?: Interpolation | ResizeOptions,
    max_size?: number | null | ResizeOptions,
    antialias?: boolean | null,
  );
  constructor(size: SizeLike, ...args: unknown[]) {
    super();
    const a = RESIZE(args);
    if (typeof size !== "number" && !Array.isArray(size)) {
      throw new TypeError(`Size should be int or sequence. Got ${typeof size}`);
    }
    if (Array.isArray(size) && size.length !== 1 && size.length !== 2) {
      throw new ValueError("If size is a sequence, it should have 1 or 2 values");
    }
    this.size = size;
    this.interpolation = a.interpolation;
    this.max_size = a.max_size;
    this.antialias = a.antialias;
  }
  override forward<P extends Picture>(img: P): P {
    return functional.resize(img, this.size, this.interpolation, this.max_size, this.antialias);
  }
  override toString(): string {
    const { size, interpolation, max_size, antialias } = this;
    return `${this.constructor.name}(size=${pyrepr(size)}, interpolation=${interpolation}, max_size=${
      pyrepr(max_size)
    }, antialias=${pyrepr(antialias)})`;
  }
}

/** The middle of pictures. */
export class CenterCrop extends Transform {
  size: [number, number];
  constructor(size: SizeLike) {
    super();
    this.size = setupSize(size, CROP_SIZE);
  }
  override forward<P extends Picture>(img: P): P {
    return functional.center_crop(img, this.size);
  }
  override toString(): string {
    return `${this.constructor.name}(size=${tupleRepr(this.size)})`;
  }
}

/** Options of `Pad`. */
export interface PadOptions {
  fill?: number | readonly number[];
  padding_mode?: PaddingMode;
}
const PAD = signature<PadOptions>("Pad", { fill: 0, padding_mode: "constant" });

/** A frame around pictures. */
export class Pad extends Transform {
  padding: SizeLike;
  fill: number | readonly number[];
  padding_mode: PaddingMode;
  constructor(
    padding: SizeLike,
    fill?: number | readonly number[] | PadOptions,
    padding_mode?: PaddingMode | PadOptions,
  );
  constructor(padding: SizeLike, ...args: unknown[]) {
    super();
    const a = PAD(args);
    if (typeof padding !== "number" && !Array.isArray(padding)) {
      throw new TypeError("Got inappropriate padding arg");
    }
    if (typeof a.fill !== "number" && !Array.isArray(a.fill)) {
      throw new TypeError("Got inappropriate fill arg");
    }
    if (!["constant", "edge", "reflect", "symmetric"].includes(a.padding_mode)) {
      throw new ValueError("Padding mode should be either constant, edge, reflect or symmetric");
    }
    functional.padding4(padding); // checks its length
    this.padding = padding;
    this.fill = a.fill;
    this.padding_mode = a.padding_mode;
  }
  override forward<P extends Picture>(img: P): P {
    return functional.pad(img, this.padding, this.fill, this.padding_mode);
  }
  override toString(): string {
    return `${this.constructor.name}(padding=${pyrepr(this.padding)}, fill=${
      pyrepr(this.fill)
    }, padding_mode=${this.padding_mode})`;
  }
}

/** Pictures without their colours, in 1 or 3 channels. */
export class Grayscale extends Transform {
  num_output_channels: number;
  constructor(num_output_channels: number | { num_output_channels?: number } = 1) {
    super();
    this.num_output_channels = typeof num_output_channels === "number"
      ? num_output_channels
      : num_output_channels.num_output_channels ?? 1;
  }
  override forward<P extends Picture>(img: P): P {
    return functional.rgb_to_grayscale(img, this.num_output_channels);
  }
  override toString(): string {
    return `${this.constructor.name}(num_output_channels=${this.num_output_channels})`;
  }
}
