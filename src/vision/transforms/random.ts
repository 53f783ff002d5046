/**
 * Transforms that draw from the default generator, the same numbers in the same order as torchvision's.
 *
 * @module
 */
import { ValueError, warnOnce } from "../../base/errors.ts";
import * as aten from "../../ops/mod.ts";
import type { Tensor } from "../../tensor.ts";
import { floatRepr, listRepr, pyrepr, tupleRepr } from "../../utils/pyrepr.ts";
import { signature } from "../../utils/signature.ts";
import type { AffineInterpolation } from "../image/affine.ts";
import type { PaddingMode } from "../image/geometry.ts";
import type { Image } from "../image/image.ts";
import type { Interpolation } from "../image/resize.ts";
import * as functional from "./functional.ts";
import { get_dimensions, type Picture, pyRound, setupSize, type SizeLike } from "./functional.ts";
import { describe, Transform, type TransformFunction } from "./transform.ts";

const CROP_SIZE = "Please provide only two dimensions (h, w) for size.";

/** One number in [0, 1). */
const rand = (): number => aten.rand([1]).item() as number;
/** One number in [low, high). */
const uniform = (low: number, high: number): number => aten.empty([1]).uniform_(low, high).item() as number;
/** One integer in 0 .. end - 1. */
const randint = (end: number): number => Number(aten.randint(0, end, [1]).item());

/** A probability, positional or by name. */
function probability(p: number | { p?: number } | undefined, standard: number): number {
  return (typeof p === "number" ? p : p?.p) ?? standard;
}

/** Left and right exchanged in some pictures. */
export class RandomHorizontalFlip extends Transform {
  p: number;
  constructor(p?: number | { p?: number }) {
    super();
    this.p = probability(p, 0.5);
  }
  override forward<P extends Picture>(img: P): P {
    return rand() < this.p ? functional.hflip(img) : img;
  }
  override toString(): string {
    return `${this.constructor.name}(p=${pyrepr(this.p)})`;
  }
}

/** Top and bottom exchanged in some pictures. */
export class RandomVerticalFlip extends Transform {
  p: number;
  constructor(p?: number | { p?: number }) {
    super();
    this.p = probability(p, 0.5);
  }
  override forward<P extends Picture>(img: P): P {
    return rand() < this.p ? functional.vflip(img) : img;
  }
  override toString(): string {
    return `${this.constructor.name}(p=${pyrepr(this.p)})`;
  }
}

/** Some pictures without their colours. */
export class RandomGrayscale extends Transform {
  p: number;
  constructor(p?: number | { p?: number }) {
    super();
    this.p = probability(p, 0.1);
  }
  override forward<P extends Picture>(img: P): P {
    const [channels] = get_dimensions(img);
    return rand() < this.p ? functional.rgb_to_grayscale(img, channels) : img;
  }
  override toString(): string {
    return `${this.constructor.name}(p=${pyrepr(this.p)})`;
  }
}

/** A chain of transforms for some pictures. */
export class RandomApply extends Transform {
  transforms: TransformFunction[];
  p: number;
  constructor(transforms: TransformFunction[], p?: number | { p?: number }) {
    super();
    this.transforms = transforms;
    this.p = probability(p, 0.5);
  }
  // deno-lint-ignore no-explicit-any -- what comes out is the last link's business
  override forward(sample: unknown): any {
    if (Math.fround(this.p) < rand()) return sample;
    return this.transforms.reduce((value, transform) => transform(value), sample);
  }
  override toString(): string {
    return `${this.constructor.name}(\n    p=${pyrepr(this.p)}${
      this.transforms.map((t) => `\n    ${describe(t)}`).join("")
    }\n)`;
  }
}

/** Options of `RandomCrop`. */
export interface RandomCropOptions {
  padding?: SizeLike | null;
  pad_if_needed?: boolean;
  fill?: number | readonly number[];
  padding_mode?: PaddingMode;
}
const RANDOM_CROP = signature<RandomCropOptions>("RandomCrop", {
  padding: null,
  pad_if_needed: false,
  fill: 0,
  padding_mode: "constant",
});

/** A part of each picture, anywhere. */
export class RandomCrop extends Transform {
  size: [number, number];
  padding: SizeLike | null;
  pad_if_needed: boolean;
  fill: number | readonly number[];
  padding_mode: PaddingMode;
  constructor(size: SizeLike, padding?: SizeLike | null | RandomCropOptions, ...more: unknown[]) {
    super();
    const a = RANDOM_CROP([padding, ...more]);
    this.size = setupSize(size, CROP_SIZE);
    this.padding = a.padding;
    this.pad_if_needed = a.pad_if_needed;
    this.fill = a.fill;
    this.padding_mode = a.padding_mode;
  }

  /** Where to crop: `[top, left, height, width]`. */
  static get_params(img: Picture, [th, tw]: readonly [number, number]): [number, number, number, number] {
    const [, h, w] = get_dimensions(img);
    if (h < th || w < tw) {
      throw new ValueError(`Required crop size (${th}, ${tw}) is larger than input image size (${h}, ${w})`);
    }
    if (w === tw && h === th) return [0, 0, h, w];
    const top = randint(h - th + 1);
    return [top, randint(w - tw + 1), th, tw];
  }

  override forward<P extends Picture>(img: P): P {
    const pad = (picture: P, padding: SizeLike): P =>
      functional.pad(picture, padding, this.fill, this.padding_mode);
    let picture = this.padding === null ? img : pad(img, this.padding);
    const [, height, width] = get_dimensions(picture);
    if (this.pad_if_needed && width < this.size[1]) picture = pad(picture, [this.size[1] - width, 0]);
    if (this.pad_if_needed && height < this.size[0]) picture = pad(picture, [0, this.size[0] - height]);
    return functional.crop(picture, ...RandomCrop.get_params(picture, this.size));
  }
  override toString(): string {
    return `${this.constructor.name}(size=${tupleRepr(this.size)}, padding=${pyrepr(this.padding)})`;
  }
}

/** Options of `RandomResizedCrop`. */
export interface RandomResizedCropOptions {
  /** Share of the picture's area. */
  scale?: readonly [number, number];
  /** Width by height. */
  ratio?: readonly [number, number];
  interpolation?: Interpolation;
  antialias?: boolean | null;
}
const RESIZED_CROP = signature<RandomResizedCropOptions>("RandomResizedCrop", {
  scale: [0.08, 1],
  ratio: [3 / 4, 4 / 3],
  interpolation: "bilinear",
  antialias: null,
});

/** A part of each picture of random place, size and shape, resized. */
export class RandomResizedCrop extends Transform {
  size: [number, number];
  scale: readonly [number, number];
  ratio: readonly [number, number];
  interpolation: Interpolation;
  antialias: boolean | null;
  constructor(
    size: SizeLike,
    scale?: readonly [number, number] | RandomResizedCropOptions,
    ...more: unknown[]
  ) {
    super();
    const a = RESIZED_CROP([scale, ...more]);
    if (a.scale[0] > a.scale[1] || a.ratio[0] > a.ratio[1]) {
      warnOnce("UserWarning", "Scale and ratio should be of kind (min, max)");
    }
    this.size = setupSize(size, CROP_SIZE);
    this.scale = a.scale;
    this.ratio = a.ratio;
    this.interpolation = a.interpolation;
    this.antialias = a.antialias;
  }

  /** Where to crop: `[top, left, height, width]`. */
  static get_params(
    img: Picture,
    scale: readonly [number, number],
    ratio: readonly [number, number],
  ): [number, number, number, number] {
    const [, height, width] = get_dimensions(img), area = height * width;
    const [low, high] = aten.tensor([...ratio]).log().tolist() as [number, number];
    for (let attempt = 0; attempt < 10; attempt++) {
      const target = area * uniform(scale[0], scale[1]);
      const aspect = aten.empty([1]).uniform_(low, high).exp().item() as number;
      const w = pyRound(Math.sqrt(target * aspect)), h = pyRound(Math.sqrt(target / aspect));
      if (w > 0 && w <= width && h > 0 && h <= height) {
        const top = randint(height - h + 1);
        return [top, randint(width - w + 1), h, w];
      }
    }
    const [min, max] = [Math.min(...ratio), Math.max(...ratio)], shape = width / height; // none fitted: the middle
    const w = shape > max ? pyRound(height * max) : width, h = shape < min ? pyRound(width / min) : height;
    return [Math.floor((height - h) / 2), Math.floor((width - w) / 2), h, w];
  }

  override forward<P extends Picture>(img: P): P {
    const [top, left, h, w] = RandomResizedCrop.get_params(img, this.scale, this.ratio);
    return functional.resize(
      functional.crop(img, top, left, h, w),
      this.size,
      this.interpolation,
      null,
      this.antialias,
    );
  }
  override toString(): string {
    const pair = (values: readonly number[]): string =>
      `(${values.map((v) => floatRepr(Number(v.toFixed(4)))).join(", ")})`;
    return `${this.constructor.name}(size=${tupleRepr(this.size)}, scale=${pair(this.scale)}, ratio=${
      pair(this.ratio)
    }, ` +
      `interpolation=${this.interpolation}), antialias=${pyrepr(this.antialias)})`;
  }
}

/** An angle's range: `[low, high]`, or a number for both sides of 0. */
function setupAngle(x: number | readonly number[], name: string, lengths: readonly number[] = [2]): number[] {
  if (typeof x === "number") {
    if (x < 0) throw new ValueError(`If ${name} is a single number, it must be positive.`);
    return [-x, x];
  }
  if (!lengths.includes(x.length)) {
    throw new ValueError(`${name} should be sequence of length ${lengths.join(" or ")}.`);
  }
  return [...x];
}

/** Options of `RandomRotation`. */
export interface RandomRotationOptions {
  interpolation?: AffineInterpolation;
  /** Whether the result is made large enough to hold all of the picture. */
  expand?: boolean;
  center?: readonly [number, number] | null;
  fill?: number | readonly number[];
}
const ROTATION = signature<RandomRotationOptions>("RandomRotation", {
  interpolation: "nearest",
  expand: false,
  center: null,
  fill: 0,
});

/** Pictures turned by a random angle. */
export class RandomRotation extends Transform {
  degrees: number[];
  interpolation: AffineInterpolation;
  expand: boolean;
  center: readonly [number, number] | null;
  fill: number | readonly number[];
  constructor(
    degrees: number | readonly number[],
    interpolation?: AffineInterpolation | RandomRotationOptions,
    ...more: unknown[]
  ) {
    super();
    const a = ROTATION([interpolation, ...more]);
    this.degrees = setupAngle(degrees, "degrees");
    this.interpolation = a.interpolation;
    this.expand = a.expand;
    this.center = a.center;
    this.fill = a.fill;
  }
  override forward(img: Image): Image {
    const angle = uniform(this.degrees[0]!, this.degrees[1]!);
    return functional.rotate(img, angle, this.interpolation, this.expand, this.center, this.fill);
  }
  override toString(): string {
    const center = this.center === null ? "" : `, center=${pyrepr(this.center)}`;
    return `${this.constructor.name}(degrees=[${
      this.degrees.map(floatRepr).join(", ")
    }], interpolation=${this.interpolation}, ` +
      `expand=${pyrepr(this.expand)}${center}, fill=${pyrepr(this.fill)})`;
  }
}

/** Options of `RandomAffine`. */
export interface RandomAffineOptions {
  /** Largest moves as shares of width and height. */
  translate?: readonly [number, number] | null;
  scale?: readonly [number, number] | null;
  /** Degrees: of x, or `[low, high]` of x, or of x and of y. */
  shear?: number | readonly number[] | null;
  interpolation?: AffineInterpolation;
  fill?: number | readonly number[];
  center?: readonly [number, number] | null;
}
const AFFINE = signature<RandomAffineOptions>("RandomAffine", {
  translate: null,
  scale: null,
  shear: null,
  interpolation: "nearest",
  fill: 0,
  center: null,
});

/** Pictures turned, moved, scaled and sheared at random. */
export class RandomAffine extends Transform {
  degrees: number[];
  translate: readonly [number, number] | null;
  scale: readonly [number, number] | null;
  shear: number[] | null;
  interpolation: AffineInterpolation;
  fill: number | readonly number[];
  center: readonly [number, number] | null;
  constructor(
    degrees: number | readonly number[],
    translate?: readonly [number, number] | null | RandomAffineOptions,
    ...more: unknown[]
  ) {
    super();
    const a = AFFINE([translate, ...more]);
    if (a.translate?.some((t) => !(t >= 0 && t <= 1))) {
      throw new ValueError("translation values should be between 0 and 1");
    }
    if (a.scale?.some((s) => s <= 0)) throw new ValueError("scale values should be positive");
    this.degrees = setupAngle(degrees, "degrees");
    this.translate = a.translate;
    this.scale = a.scale;
    this.shear = a.shear === null ? null : setupAngle(a.shear, "shear", [2, 4]);
    this.interpolation = a.interpolation;
    this.fill = a.fill;
    this.center = a.center;
  }
  override forward(img: Image): Image {
    const { translate, scale, shear } = this, angle = uniform(this.degrees[0]!, this.degrees[1]!);
    const [, height, width] = get_dimensions(img);
    const move = (share: number, size: number): number => pyRound(uniform(-share * size, share * size));
    const tx = translate === null ? 0 : move(translate[0], width),
      ty = translate === null ? 0 : move(translate[1], height);
    const factor = scale === null ? 1 : uniform(scale[0], scale[1]);
    const sx = shear === null ? 0 : uniform(shear[0]!, shear[1]!),
      sy = shear?.length === 4 ? uniform(shear[2]!, shear[3]!) : 0;
    return functional.affine(
      img,
      angle,
      [tx, ty],
      factor,
      [sx, sy],
      this.interpolation,
      this.fill,
      this.center,
    );
  }
  override toString(): string {
    const floats = (values: readonly number[]): string => `[${values.map(floatRepr).join(", ")}]`;
    let text = `${this.constructor.name}(degrees=${floats(this.degrees)}`;
    if (this.translate !== null) text += `, translate=${pyrepr(this.translate)}`;
    if (this.scale !== null) text += `, scale=${pyrepr(this.scale)}`;
    if (this.shear !== null) text += `, shear=${floats(this.shear)}`;
    if (this.interpolation !== "nearest") text += `, interpolation=${this.interpolation}`;
    if (this.fill !== 0) text += `, fill=${pyrepr(this.fill)}`;
    if (this.center !== null) text += `, center=${pyrepr(this.center)}`;
    return `${text})`;
  }
}

/** Options of `RandomErasing`. */
export interface RandomErasingOptions {
  p?: number;
  /** Share of the picture's area. */
  scale?: readonly [number, number];
  /** Height by width. */
  ratio?: readonly [number, number];
  /** What the rectangle is filled with. */
  value?: number | readonly number[] | "random";
  inplace?: boolean;
}
const ERASING = signature<RandomErasingOptions>("RandomErasing", {
  p: 0.5,
  scale: [0.02, 0.33],
  ratio: [0.3, 3.3],
  value: 0,
  inplace: false,
});

/** A rectangle of some tensor pictures erased. */
export class RandomErasing extends Transform {
  p: number;
  scale: readonly [number, number];
  ratio: readonly [number, number];
  value: number | readonly number[] | "random";
  inplace: boolean;
  constructor(...args: [(number | RandomErasingOptions)?, ...unknown[]]) {
    super();
    const a = ERASING(args);
    if (typeof a.value === "string" && a.value !== "random") {
      throw new ValueError("If value is str, it should be 'random'");
    }
    if (a.scale[0] < 0 || a.scale[1] > 1) throw new ValueError("Scale should be between 0 and 1");
    if (a.p < 0 || a.p > 1) throw new ValueError("Random erasing probability should be between 0 and 1");
    this.p = a.p;
    this.scale = a.scale;
    this.ratio = a.ratio;
    this.value = a.value;
    this.inplace = a.inplace;
  }

  override forward(img: Tensor): Tensor {
    if (!(rand() < this.p)) return img;
    const [channels, height, width] = get_dimensions(img), { value } = this;
    const values = value === "random" ? null : typeof value === "number" ? [value] : value;
    if (values !== null && values.length !== 1 && values.length !== channels) {
      throw new ValueError(
        `If value is a sequence, it should have either a single value or ${channels} (number of input channels)`,
      );
    }
    const [low, high] = aten.tensor([...this.ratio]).log().tolist() as [number, number];
    for (let attempt = 0; attempt < 10; attempt++) {
      const area = height * width * uniform(this.scale[0], this.scale[1]);
      const aspect = aten.empty([1]).uniform_(low, high).exp().item() as number;
      const h = pyRound(Math.sqrt(area * aspect)), w = pyRound(Math.sqrt(area / aspect));
      if (!(h < height && w < width)) continue;
      const fill = values === null
        ? aten.empty([channels, h, w]).normal_()
        : aten.tensor([...values]).reshape([-1, 1, 1]);
      const top = randint(height - h + 1);
      return functional.erase(img, top, randint(width - w + 1), h, w, fill, this.inplace);
    }
    return img;
  }
  override toString(): string {
    const { p, scale, ratio, value, inplace } = this;
    const text = value === "random" ? value : Array.isArray(value) ? listRepr(value) : pyrepr(value);
    return `${this.constructor.name}(p=${pyrepr(p)}, scale=${pyrepr(scale)}, ratio=${
      pyrepr(ratio)
    }, value=${text}, inplace=${pyrepr(inplace)})`;
  }
}
