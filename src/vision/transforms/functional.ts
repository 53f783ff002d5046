/**
 * Transforms as functions: `torchvision.transforms.functional`. Where a picture is taken, bytes (`Image`) are changed as Pillow
 * does it and tensors (..., C, H, W) as torchvision does it.
 *
 * @see https://pytorch.org/vision/stable/transforms.html#functional-transforms
 * @module
 */
import { type DType, float32, get_default_dtype, Kind, uint8 } from "../../base/dtype.ts";
import { RuntimeError, ValueError } from "../../base/errors.ts";
import * as F from "../../nn/functional.ts";
import * as aten from "../../ops/mod.ts";
import { Tensor } from "../../tensor.ts";
import { typename } from "../../utils/typename.ts";
import { affine as affineImage, type AffineInterpolation, rotate as rotateImage } from "../image/affine.ts";
import { convert } from "../image/colour.ts";
import * as geometry from "../image/geometry.ts";
import { Image, type ImageMode, modeOf } from "../image/image.ts";
import { type Interpolation, resize as resizeImage } from "../image/resize.ts";

/** A picture of bytes, or a tensor (..., C, H, W). */
export type Picture = Image | Tensor;
/** One number for both sides, or `[height, width]`. */
export type SizeLike = number | readonly number[];

/** `[channels, height, width]` of a picture. */
export function get_dimensions(img: Picture): [number, number, number] {
  if (img instanceof Image) return [img.channels, img.height, img.width];
  if (!(img instanceof Tensor)) throw new TypeError(`Unexpected type <class '${typename(img)}'>`);
  const { sizes } = img;
  return [sizes.length === 2 ? 1 : sizes.at(-3)!, sizes.at(-2)!, sizes.at(-1)!];
}

/** The channels of a picture after one another: from (H, W, C) to (C, H, W). */
function planes(image: Image): Uint8Array {
  const { channels, data } = image, n = image.width * image.height;
  if (channels === 1) return data;
  const out = new Uint8Array(data.length);
  for (let c = 0; c < channels; c++) for (let i = 0; i < n; i++) out[c * n + i] = data[i * channels + c]!;
  return out;
}

/** A picture as a tensor (C, H, W) of 0 to 1: bytes divided by 255. */
export function to_tensor(pic: Image): Tensor {
  if (!(pic instanceof Image)) {
    throw new TypeError(`pic should be PIL Image or ndarray. Got <class '${typename(pic)}'>`);
  }
  const bytes = planes(pic), shape = [pic.channels, pic.height, pic.width], dtype = get_default_dtype();
  if (dtype !== float32) return aten.tensor(bytes).reshape(shape).to(dtype).div(255);
  const values = new Float32Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) values[i] = bytes[i]! / 255; // rounded twice, but rightly: 53 >= 2 * 24 + 2 bits
  return aten.tensor(values).reshape(shape);
}

/** A picture as a tensor (C, H, W) of its bytes. */
export function pil_to_tensor(pic: Image): Tensor {
  if (!(pic instanceof Image)) throw new TypeError(`pic should be PIL Image. Got <class '${typename(pic)}'>`);
  return aten.tensor(planes(pic)).reshape([pic.channels, pic.height, pic.width]);
}

/** A tensor (C, H, W) or (H, W) as a picture; floats count from 0 to 1. */
export function to_pil_image(pic: Tensor, mode: ImageMode | null = null): Image {
  if (!(pic instanceof Tensor)) {
    throw new TypeError(`pic should be Tensor or ndarray. Got <class '${typename(pic)}'>.`);
  }
  if (pic.ndim !== 2 && pic.ndim !== 3) {
    throw new ValueError(`pic should be 2/3 dimensional. Got ${pic.ndim} dimensions.`);
  }
  const whole = pic.ndim === 2 ? pic.unsqueeze(0) : pic,
    [channels, height, width] = whole.sizes as [number, number, number];
  if (channels > 4) throw new ValueError(`pic should not have > 4 channels. Got ${channels} channels.`);
  if (mode !== null && mode !== modeOf(channels)) {
    throw new ValueError(`Incorrect mode (${mode}) supplied for input type. Should be ${modeOf(channels)}`);
  }
  const bytes = whole.dtype.is_floating_point ? whole.mul(255).to(uint8) : whole;
  if (bytes.dtype !== uint8) throw new TypeError(`Input type ${whole.dtype.name} is not supported`);
  return new Image(
    width,
    height,
    modeOf(channels),
    bytes.permute([1, 2, 0]).contiguous().to_typed_array() as Uint8Array,
  );
}

/** A tensor picture in another dtype; the range of values goes along (0 to 255 for bytes is 0 to 1 for floats). */
export function convert_image_dtype(image: Tensor, dtype: DType = float32): Tensor {
  if (!(image instanceof Tensor)) throw new TypeError("Input img should be Tensor Image");
  const from = image.dtype;
  if (from === dtype) return image;
  if (from.is_floating_point) {
    if (dtype.is_floating_point) return image.to(dtype);
    if ((from === float32 && dtype.itemsize >= 4) || dtype.itemsize === 8) {
      throw new RuntimeError(`The cast from ${from} to ${dtype} cannot be performed safely.`);
    }
    return image.mul(largest(dtype) + 1 - 1e-3).to(dtype); // the small step keeps 1.0 below the next integer
  }
  if (dtype.is_floating_point) return image.to(dtype).div(largest(from));
  if (largest(from) > largest(dtype)) {
    return image.div((largest(from) + 1) / (largest(dtype) + 1), { rounding_mode: "floor" }).to(dtype);
  }
  return image.to(dtype).mul((largest(dtype) + 1) / (largest(from) + 1));
}

/** The largest value of an integer dtype. */
function largest(dtype: DType): number {
  return dtype.kind === Kind.bool ? 1 : 2 ** (8 * dtype.itemsize - (dtype.is_signed ? 1 : 0)) - 1;
}

/** `(tensor[c] - mean[c]) / std[c]` for every channel of a float tensor (..., C, H, W). */
export function normalize(
  tensor: Tensor,
  mean: readonly number[],
  std: readonly number[],
  inplace = false,
): Tensor {
  if (!(tensor instanceof Tensor)) {
    throw new TypeError(`img should be Tensor Image. Got <class '${typename(tensor)}'>`);
  }
  if (!tensor.dtype.is_floating_point) {
    throw new TypeError(`Input tensor should be a float tensor. Got ${tensor.dtype}.`);
  }
  if (tensor.ndim < 3) {
    throw new ValueError(
      `Expected tensor to be a tensor image of size (..., C, H, W). Got tensor.size() = ${tensor.shape}`,
    );
  }
  const constants = (values: readonly number[]): Tensor => {
    const t = aten.tensor([...values], { dtype: tensor.dtype, device: tensor.device });
    return t.ndim === 1 ? t.view([-1, 1, 1]) : t;
  };
  const scale = constants(std);
  if ((scale.to_typed_array() as Float32Array).some((s) => s === 0)) {
    throw new ValueError(
      `std evaluated to zero after conversion to ${tensor.dtype}, leading to division by zero.`,
    );
  }
  return (inplace ? tensor : tensor.clone()).sub_(constants(mean)).div_(scale);
}

/** Python's `int(x)` of a positive quotient. */
const whole = Math.trunc;

/** `[height, width]` that `resize` makes of a picture: a single size is that of the shorter side. */
function resizedSize(
  [height, width]: readonly [number, number],
  size: readonly number[],
  max_size: number | null,
): [number, number] {
  if (size.length === 2) return [size[0]!, size[1]!];
  const [short, long] = width <= height ? [width, height] : [height, width];
  let newShort = size[0]!, newLong = whole(newShort * long / short);
  if (max_size !== null) {
    if (max_size <= newShort) {
      throw new ValueError(
        `max_size = ${max_size} must be strictly greater than the requested size for the smaller edge size = [${newShort}]`,
      );
    }
    if (newLong > max_size) [newShort, newLong] = [whole(max_size * newShort / newLong), max_size];
  }
  return width <= height ? [newLong, newShort] : [newShort, newLong];
}

/** The picture at another size. */
export function resize<P extends Picture>(
  img: P,
  size: SizeLike,
  interpolation: Interpolation = "bilinear",
  max_size: number | null = null,
  antialias: boolean | null = null,
): P {
  const wanted = typeof size === "number" ? [size] : size;
  if (wanted.length !== 1 && wanted.length !== 2) {
    throw new ValueError(
      `Size must be an int or a 1 or 2 element tuple/list, not a ${wanted.length} element tuple/list`,
    );
  }
  if (max_size !== null && wanted.length !== 1) {
    throw new ValueError(
      "max_size should only be passed if size specifies the length of the smaller edge, i.e. size should be an int or a " +
        "sequence of length 1 in torchscript mode.",
    );
  }
  const [, height, width] = get_dimensions(img), [h, w] = resizedSize([height, width], wanted, max_size);
  if (h === height && w === width) return img;
  if (img instanceof Image) return resizeImage(img, w, h, interpolation) as P;
  if (interpolation !== "nearest" && interpolation !== "bilinear" && interpolation !== "bicubic") {
    throw new ValueError("This interpolation mode is unsupported with Tensor input");
  }
  return onFloats(img, (x) =>
    F.interpolate(x, {
      size: [h, w],
      mode: interpolation,
      ...(interpolation === "nearest" ? {} : { align_corners: false, antialias: antialias ?? false }),
    })) as P;
}

/** Runs a float operation over (N, C, H, W) on a tensor of any dtype and 2 or more dimensions. */
function onFloats(img: Tensor, run: (x: Tensor) => Tensor): Tensor {
  const leading = img.sizes.slice(0, -3),
    image = img.ndim >= 3 ? img : img.unsqueeze(0),
    float = img.dtype.is_floating_point;
  const batch = image.reshape([-1, ...image.sizes.slice(-3)]),
    result = run(float ? batch : batch.to(float32));
  const out = float ? result : (img.dtype === uint8 ? result.clamp(0, 255) : result).round().to(img.dtype);
  const shaped = out.reshape([...leading, ...out.sizes.slice(-3)]);
  return img.ndim === 2 ? shaped.reshape([...out.sizes.slice(-2)]) : shaped;
}

/** Left, top, right, bottom from one number, `[left and right, top and bottom]` or all four. */
export function padding4(padding: SizeLike): [number, number, number, number] {
  if (typeof padding === "number") return [padding, padding, padding, padding];
  if (padding.length === 1) return padding4(padding[0]!);
  if (padding.length === 2) return [padding[0]!, padding[1]!, padding[0]!, padding[1]!];
  if (padding.length === 4) return [...padding] as [number, number, number, number];
  throw new ValueError(
    `Padding must be an int or a 1, 2, or 4 element tuple, not a ${padding.length} element tuple`,
  );
}

/** The picture with a frame around it. */
export function pad<P extends Picture>(
  img: P,
  padding: SizeLike,
  fill: number | readonly number[] = 0,
  padding_mode: geometry.PaddingMode = "constant",
): P {
  const [left, top, right, bottom] = padding4(padding);
  if (img instanceof Image) return geometry.pad(img, [left, top, right, bottom], fill, padding_mode) as P;
  if (typeof fill !== "number") throw new TypeError("Got inappropriate fill arg: only a number for tensors");
  const amounts = [left, right, top, bottom];
  if (padding_mode === "constant") return F.pad(img, amounts, "constant", fill) as P;
  if (padding_mode === "symmetric") {
    return padSymmetric(img, amounts as [number, number, number, number]) as P;
  }
  return onFloats(img, (x) => F.pad(x, amounts, padding_mode === "edge" ? "replicate" : "reflect")) as P;
}

function padSymmetric(img: Tensor, [left, right, top, bottom]: [number, number, number, number]): Tensor {
  const mirror = (n: number, before: number, after: number): Tensor =>
    aten.tensor(Int32Array.from({ length: n + before + after }, (_, k) => {
      const r = (((k - before) % (2 * n)) + 2 * n) % (2 * n);
      return r < n ? r : 2 * n - 1 - r;
    }));
  const [, height, width] = get_dimensions(img);
  return img.index_select(-2, mirror(height, top, bottom)).index_select(-1, mirror(width, left, right));
}

/** The part of a picture at (top, left); what lies outside of the picture is 0. */
export function crop<P extends Picture>(img: P, top: number, left: number, height: number, width: number): P {
  if (img instanceof Image) return geometry.crop(img, top, left, height, width) as P;
  const [, h, w] = get_dimensions(img), right = left + width, bottom = top + height;
  const outside = left < 0 || top < 0 || right > w || bottom > h;
  const whole = outside
    ? pad(img as Tensor, [
      Math.max(-left + Math.min(0, right), 0),
      Math.max(-top + Math.min(0, bottom), 0),
      Math.max(right - Math.max(w, left), 0),
      Math.max(bottom - Math.max(h, top), 0),
    ])
    : img as Tensor;
  return whole.narrow(-2, Math.max(top, 0), height).narrow(-1, Math.max(left, 0), width) as P;
}

/** Rounds halves to even, as Python does. */
export function pyRound(x: number): number {
  const r = Math.round(x);
  return Math.abs(x % 1) === 0.5 && r % 2 !== 0 ? r - 1 : r;
}

/** `[height, width]` from one or two numbers. */
export function setupSize(size: SizeLike, message: string): [number, number] {
  if (typeof size === "number") return [size, size];
  if (size.length === 1) return [size[0]!, size[0]!];
  if (size.length === 2) return [size[0]!, size[1]!];
  throw new ValueError(message);
}

/** The middle of a picture; a smaller picture is first padded with 0. */
export function center_crop<P extends Picture>(img: P, output_size: SizeLike): P {
  const [h, w] = setupSize(output_size, "Please provide only two dimensions (h, w) for size.");
  let picture = img, [, height, width] = get_dimensions(img);
  if (w > width || h > height) {
    const half = (n: number, extra: number): number => n > 0 ? Math.floor((n + extra) / 2) : 0;
    picture = pad(img, [half(w - width, 0), half(h - height, 0), half(w - width, 1), half(h - height, 1)]);
    [, height, width] = get_dimensions(picture);
    if (w === width && h === height) return picture;
  }
  return crop(picture, pyRound((height - h) / 2), pyRound((width - w) / 2), h, w);
}

/** A part of a picture, resized. */
export function resized_crop<P extends Picture>(
  img: P,
  top: number,
  left: number,
  height: number,
  width: number,
  size: SizeLike,
  interpolation: Interpolation = "bilinear",
): P {
  return resize(crop(img, top, left, height, width), size, interpolation);
}

/** Left and right exchanged. */
export function hflip<P extends Picture>(img: P): P {
  return (img instanceof Image ? geometry.flipHorizontal(img) : img.flip([-1])) as P;
}

/** Top and bottom exchanged. */
export function vflip<P extends Picture>(img: P): P {
  return (img instanceof Image ? geometry.flipVertical(img) : img.flip([-2])) as P;
}

/** The picture turned by `angle` degrees counter-clockwise. */
export function rotate(
  img: Image,
  angle: number,
  interpolation: AffineInterpolation = "nearest",
  expand = false,
  center: readonly [number, number] | null = null,
  fill: number | readonly number[] = 0,
): Image {
  needImage(img, "rotate");
  return rotateImage(img, angle, { how: interpolation, expand, centre: center, fill });
}

function needImage(img: unknown, what: string): asserts img is Image {
  if (!(img instanceof Image)) {
    throw new TypeError(`${what}(): expected a picture of bytes, but got <class '${typename(img)}'>`);
  }
}

/** The picture turned, moved, scaled and sheared around its middle; angles in degrees. */
export function affine(
  img: Image,
  angle: number,
  translate: readonly [number, number],
  scale: number,
  shear: readonly [number, number],
  interpolation: AffineInterpolation = "nearest",
  fill: number | readonly number[] = 0,
  center: readonly [number, number] | null = null,
): Image {
  needImage(img, "affine");
  const [cx, cy] = center ?? [img.width * 0.5, img.height * 0.5],
    radians = (degrees: number): number => degrees * Math.PI / 180;
  const rot = radians(angle), sx = radians(shear[0]), sy = radians(shear[1]), [tx, ty] = translate;
  // Rotation and shear, then inverted (torchvision's _get_inverse_affine_matrix).
  const a = Math.cos(rot - sy) / Math.cos(sy),
    b = -Math.cos(rot - sy) * Math.tan(sx) / Math.cos(sy) - Math.sin(rot);
  const c = Math.sin(rot - sy) / Math.cos(sy),
    d = -Math.sin(rot - sy) * Math.tan(sx) / Math.cos(sy) + Math.cos(rot);
  const m = [d / scale, -b / scale, -c / scale, a / scale] as const;
  const mx = m[0] * (-cx - tx) + m[1] * (-cy - ty) + cx, my = m[2] * (-cx - tx) + m[3] * (-cy - ty) + cy;
  return affineImage(img, [m[0], m[1], mx, m[2], m[3], my], { how: interpolation, fill });
}

/** The picture without its colours, in 1 or 3 channels. */
export function rgb_to_grayscale<P extends Picture>(img: P, num_output_channels = 1): P {
  if (num_output_channels !== 1 && num_output_channels !== 3) {
    throw new ValueError("num_output_channels should be either 1 or 3");
  }
  if (img instanceof Image) return convert(convert(img, "L"), num_output_channels === 1 ? "L" : "RGB") as P;
  const [channels] = get_dimensions(img);
  if (channels !== 3) {
    throw new TypeError(`Input image tensor permitted channel values are [3], but found ${channels}`);
  }
  const [r, g, b] = img.unbind(-3) as [Tensor, Tensor, Tensor];
  const gray = r.mul(0.2989).add(g.mul(0.587)).add(b.mul(0.114)).to(img.dtype).unsqueeze(-3);
  return (num_output_channels === 3 ? gray.expand(img.sizes) : gray) as P;
}

/** The rectangle at (i, j) of a tensor (..., C, H, W) replaced by `v`. */
export function erase(
  img: Tensor,
  i: number,
  j: number,
  h: number,
  w: number,
  v: Tensor,
  inplace = false,
): Tensor {
  if (!(img instanceof Tensor)) throw new TypeError(`Tensor expected, got <class '${typename(img)}'>`);
  const out = inplace ? img : img.clone();
  out.narrow(-2, i, h).narrow(-1, j, w).copy_(v);
  return out;
}
