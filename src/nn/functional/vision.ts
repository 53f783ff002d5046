/**
 * Resizing, sampling and rearranging images.
 *
 * @module
 */
import { NotImplementedError, ValueError, warnOnce } from "../../base/errors.ts";
import * as aten from "../../ops/mod.ts";
import type { Tensor } from "../../tensor.ts";
import { listRepr, tupleRepr } from "../../utils/pyrepr.ts";
import { required, signature } from "../../utils/signature.ts";
import { type IntOrTuple, ntuple } from "../modules/utils.ts";

export {
  channel_shuffle,
  native_channel_shuffle,
  pad,
  pixel_shuffle,
  pixel_unshuffle,
} from "../../ops/mod.ts";

/** How `interpolate` computes values between samples. */
export type InterpolationMode =
  | "nearest"
  | "nearest-exact"
  | "linear"
  | "bilinear"
  | "bicubic"
  | "trilinear"
  | "area";

interface Interpolate {
  size?: IntOrTuple | null;
  scale_factor?: IntOrTuple | null;
  mode?: InterpolationMode;
  align_corners?: boolean | null;
  recompute_scale_factor?: boolean | null;
  antialias?: boolean;
}
const INTERPOLATE = signature<{ input: Tensor } & Interpolate>("interpolate", {
  input: required,
  size: null,
  scale_factor: null,
  mode: "nearest",
  align_corners: null,
  recompute_scale_factor: null,
  antialias: false,
});

/** The number of spatial dimensions of each mode that has but one. */
const MODE_DIMS: Readonly<Partial<Record<InterpolationMode, number>>> = {
  linear: 1,
  bilinear: 2,
  bicubic: 2,
  trilinear: 3,
};

/**
 * Resizes to `size`, or by `scale_factor`.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.functional.interpolate.html
 */
export function interpolate(
  input: Tensor,
  size?: IntOrTuple | null | Interpolate,
  scale_factor?: IntOrTuple | null | Interpolate,
  mode?: InterpolationMode | Interpolate,
  align_corners?: boolean | null | Interpolate,
  recompute_scale_factor?: boolean | null | Interpolate,
  antialias?: boolean,
): Tensor;
export function interpolate(...args: unknown[]): Tensor {
  const a = INTERPOLATE(args);
  const { input, mode, antialias } = a;
  const smooth = Object.hasOwn(MODE_DIMS, mode);
  if (!smooth && a.align_corners !== null) {
    throw new ValueError(
      "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear",
    );
  }
  const dims = input.dim() - 2;
  let [size, scales] = targetSize(input, dims, a.size, a.scale_factor);
  if (a.recompute_scale_factor && a.size !== null) {
    throw new ValueError("recompute_scale_factor is not meaningful with an explicit size.");
  }
  if (scales !== null && (a.recompute_scale_factor || mode === "area")) {
    size = scales.map((s, i) => Math.floor(input.size(i + 2) * s));
    scales = null;
  }
  if (antialias && !((mode === "bilinear" || mode === "bicubic") && dims === 2)) {
    throw new ValueError("Anti-alias option is only supported for bilinear and bicubic modes");
  }
  return resize(input, dims, mode, size, scales, a.align_corners ?? false, antialias);
}

function targetSize(
  input: Tensor,
  dims: number,
  size: IntOrTuple | null,
  scale_factor: IntOrTuple | null,
): [size: number[] | null, scales: number[] | null] {
  if (size !== null && scale_factor !== null) {
    throw new ValueError("only one of size or scale_factor should be defined");
  }
  const given = size ?? scale_factor;
  if (given === null) throw new ValueError("either size or scale_factor should be defined");
  if (typeof given !== "number" && given.length !== dims) {
    const spatial = listRepr(input.shape.slice(2));
    throw new ValueError(
      size !== null
        ? `Input and output must have the same number of spatial dimensions, but got input with spatial dimensions of ` +
          `${spatial} and output size of ${
            tupleRepr(given)
          }. Please provide input tensor in (N, C, d1, d2, ...,dK) ` +
          "format and output size in (o1, o2, ...,oK) format."
        : "Input and scale_factor must have the same number of spatial dimensions, but got input with spatial " +
          `dimensions of ${spatial} and scale_factor of shape ${
            tupleRepr(given)
          }. Please provide input tensor in ` +
          "(N, C, d1, d2, ...,dK) format and scale_factor in (s1, s2, ...,sK) format.",
    );
  }
  return size !== null ? [ntuple(size, dims), null] : [null, ntuple(given, dims)];
}

function resize(
  x: Tensor,
  dims: number,
  mode: InterpolationMode,
  size: number[] | null,
  scales: number[] | null,
  align: boolean,
  antialias: boolean,
): Tensor {
  switch (`${mode} ${dims}`) {
    case "nearest 1":
      return aten.upsample_nearest1d(x, size, scales);
    case "nearest 2":
      return aten.upsample_nearest2d(x, size, scales);
    case "nearest 3":
      return aten.upsample_nearest3d(x, size, scales);
    case "nearest-exact 1":
      return aten._upsample_nearest_exact1d(x, size, scales);
    case "nearest-exact 2":
      return aten._upsample_nearest_exact2d(x, size, scales);
    case "nearest-exact 3":
      return aten._upsample_nearest_exact3d(x, size, scales);
    case "area 1":
      return aten.adaptive_avg_pool1d(x, size!);
    case "area 2":
      return aten.adaptive_avg_pool2d(x, size!);
    case "area 3":
      return aten.adaptive_avg_pool3d(x, size!);
    case "linear 1":
      return aten.upsample_linear1d(x, size, align, scales);
    case "bilinear 2":
      return (antialias ? aten._upsample_bilinear2d_aa : aten.upsample_bilinear2d)(x, size, align, scales);
    case "trilinear 3":
      return aten.upsample_trilinear3d(x, size, align, scales);
    case "bicubic 2":
      return (antialias ? aten._upsample_bicubic2d_aa : aten.upsample_bicubic2d)(x, size, align, scales);
  }
  const wants = MODE_DIMS[mode];
  if (wants !== undefined && mode !== "bicubic" && dims >= 1 && dims <= 3) {
    throw new NotImplementedError(`Got ${dims + 2}D input, but ${mode} mode needs ${wants + 2}D input`);
  }
  throw new NotImplementedError(
    `Input Error: Only 3D, 4D and 5D input Tensors supported (got ${
      dims + 2
    }D) for the modes: nearest | linear | ` +
      `bilinear | bicubic | trilinear | area | nearest-exact (got ${mode})`,
  );
}

function deprecated(name: string): void {
  warnOnce("UserWarning", `nn.functional.${name} is deprecated. Use nn.functional.interpolate instead.`);
}

/** Deprecated: `interpolate`. */
export function upsample(input: Tensor, ...args: unknown[]): Tensor {
  deprecated("upsample");
  return (interpolate as (...a: unknown[]) => Tensor)(input, ...args);
}

interface Resize {
  size?: IntOrTuple | null;
  scale_factor?: IntOrTuple | null;
}
const RESIZE = signature<{ input: Tensor } & Resize>("upsample", {
  input: required,
  size: null,
  scale_factor: null,
});

/** Deprecated: `interpolate` with mode nearest. */
export function upsample_nearest(
  input: Tensor,
  size?: IntOrTuple | null | Resize,
  scale_factor?: IntOrTuple | null,
): Tensor;
export function upsample_nearest(...args: unknown[]): Tensor {
  const { input, ...how } = RESIZE(args);
  deprecated("upsample_nearest");
  return interpolate(input, { ...how, mode: "nearest" });
}

/** Deprecated: `interpolate` with mode bilinear and `align_corners`. */
export function upsample_bilinear(
  input: Tensor,
  size?: IntOrTuple | null | Resize,
  scale_factor?: IntOrTuple | null,
): Tensor;
export function upsample_bilinear(...args: unknown[]): Tensor {
  const { input, ...how } = RESIZE(args);
  deprecated("upsample_bilinear");
  return interpolate(input, { ...how, mode: "bilinear", align_corners: true });
}

const ALIGN_CORNERS_CHANGED =
  "Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. Please specify " +
  "align_corners=True if the old behavior is desired. See the documentation of grid_sample for details.";

const GRID_MODES = { bilinear: 0, nearest: 1, bicubic: 2 } as const;
const GRID_PADDING = { zeros: 0, border: 1, reflection: 2 } as const;
interface GridSample {
  mode?: keyof typeof GRID_MODES;
  padding_mode?: keyof typeof GRID_PADDING;
  align_corners?: boolean | null;
}
const GRID_SAMPLE = signature<{ input: Tensor; grid: Tensor } & GridSample>("grid_sample", {
  input: required,
  grid: required,
  mode: "bilinear",
  padding_mode: "zeros",
  align_corners: null,
});
/** Samples `input` at the positions of `grid`, whose coordinates run from -1 to 1. */
export function grid_sample(
  input: Tensor,
  grid: Tensor,
  mode?: keyof typeof GRID_MODES | GridSample,
  padding_mode?: keyof typeof GRID_PADDING | GridSample,
  align_corners?: boolean | null | GridSample,
): Tensor;
export function grid_sample(...args: unknown[]): Tensor {
  const { input, grid, mode, padding_mode, align_corners } = GRID_SAMPLE(args);
  if (!Object.hasOwn(GRID_MODES, mode)) {
    throw new ValueError(
      `nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '${mode}'`,
    );
  }
  if (!Object.hasOwn(GRID_PADDING, padding_mode)) {
    throw new ValueError(
      "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got: " +
        `'${padding_mode}'`,
    );
  }
  if (align_corners === null) warnOnce("UserWarning", ALIGN_CORNERS_CHANGED);
  return aten.grid_sampler(input, grid, GRID_MODES[mode], GRID_PADDING[padding_mode], align_corners ?? false);
}

interface AffineGrid {
  align_corners?: boolean | null;
}
const AFFINE_GRID = signature<{ theta: Tensor; size: readonly number[] } & AffineGrid>("affine_grid", {
  theta: required,
  size: required,
  align_corners: null,
});
/** The sampling grid of affine maps, for `grid_sample`. */
export function affine_grid(
  theta: Tensor,
  size: readonly number[],
  align_corners?: boolean | null | AffineGrid,
): Tensor;
export function affine_grid(...args: unknown[]): Tensor {
  const { theta, size, align_corners } = AFFINE_GRID(args);
  if (align_corners === null) warnOnce("UserWarning", ALIGN_CORNERS_CHANGED);
  if (!theta.is_floating_point()) {
    throw new ValueError(`Expected theta to have floating point type, but got ${theta.dtype}`);
  }
  const n = size.length - 2;
  if (n !== 2 && n !== 3) {
    throw new NotImplementedError(
      `affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. Got size ${size}.`,
    );
  }
  if (theta.dim() !== 3 || theta.size(-2) !== n || theta.size(-1) !== n + 1) {
    throw new ValueError(
      `Expected a batch of ${n}D affine matrices of shape Nx${n}x${
        n + 1
      } for size ${size}. Got ${theta.shape}.`,
    );
  }
  if (align_corners && Math.min(...size.slice(2)) === 1) {
    warnOnce(
      "UserWarning",
      "Since version 1.3.0, affine_grid behavior has changed for unit-size grids when align_corners=True. This is not " +
        "an intended use case of affine_grid. See the documentation of affine_grid for details.",
    );
  } else if (Math.min(...size) <= 0) {
    throw new ValueError(`Expected non-zero, positive output size. Got ${size}`);
  }
  return aten.affine_grid_generator(theta, size, align_corners ?? false);
}

interface Windows {
  dilation?: IntOrTuple;
  padding?: IntOrTuple;
  stride?: IntOrTuple;
}
const UNFOLD = signature<{ input: Tensor; kernel_size: IntOrTuple } & Windows>("unfold", {
  input: required,
  kernel_size: required,
  dilation: 1,
  padding: 0,
  stride: 1,
});
/** The windows of a batch of images as columns. */
export function unfold(
  input: Tensor,
  kernel_size: IntOrTuple,
  dilation?: IntOrTuple | Windows,
  padding?: IntOrTuple | Windows,
  stride?: IntOrTuple | Windows,
): Tensor;
export function unfold(...args: unknown[]): Tensor {
  const { input, kernel_size, dilation, padding, stride } = UNFOLD(args);
  return aten.im2col(
    input,
    ntuple(kernel_size, 2),
    ntuple(dilation, 2),
    ntuple(padding, 2),
    ntuple(stride, 2),
  );
}

const FOLD = signature<{ input: Tensor; output_size: IntOrTuple; kernel_size: IntOrTuple } & Windows>(
  "fold",
  {
    input: required,
    output_size: required,
    kernel_size: required,
    dilation: 1,
    padding: 0,
    stride: 1,
  },
);
/** The reverse of `unfold`: adds up columns into images. */
export function fold(
  input: Tensor,
  output_size: IntOrTuple,
  kernel_size: IntOrTuple,
  dilation?: IntOrTuple | Windows,
  padding?: IntOrTuple | Windows,
  stride?: IntOrTuple | Windows,
): Tensor;
export function fold(...args: unknown[]): Tensor {
  const { input, output_size, kernel_size, dilation, padding, stride } = FOLD(args);
  return aten.col2im(
    input,
    ntuple(output_size, 2),
    ntuple(kernel_size, 2),
    ntuple(dilation, 2),
    ntuple(padding, 2),
    ntuple(stride, 2),
  );
}
