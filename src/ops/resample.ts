/**
 * Resizing of images and volumes, sliding windows, and sampling at grid points.
 *
 * Resizing is linear and separable: along each dimension the output is a small matrix times the input, so every mode
 * is a weight matrix, and gradients of every order are matrix products.
 *
 * @module
 */
import { float64 } from "../base/dtype.ts";
import { NotImplementedError, RuntimeError } from "../base/errors.ts";
import { numelOf, shapeText } from "../base/size.ts";
import { fn } from "../dispatch/functions.ts";
import { emptyTensor, packed, runCopy } from "../dispatch/iterator.ts";
import { op, type Row, type Table } from "../dispatch/op.ts";
import { alias, type Tensor } from "../tensor.ts";
import { writeDoubles } from "./creation.ts";

type Ints = readonly number[];

/** Output sizes and scale factors (input per output step), from either a size or factors. */
function plan(
  x: Tensor,
  rank: number,
  size: Ints | null,
  factors: Ints | null,
): { out: number[]; scales: (number | null)[] } {
  if (x.sizes.length !== rank + 2) {
    throw new RuntimeError(`It is expected input_size equals to ${rank + 2}, but got size ${x.sizes.length}`);
  }
  if ((size === null) === (factors === null)) {
    throw new RuntimeError("Must specify exactly one of output_size and scale_factors");
  }
  const spatial = x.sizes.slice(2);
  const out = size !== null ? size.slice() : spatial.map((s, i) => Math.floor(s * factors![i]!));
  if (spatial.some((s) => s <= 0) || out.some((s) => s <= 0)) {
    throw new RuntimeError(
      `Input and output sizes should be greater than 0, but got input (${
        ["D", "H", "W"].slice(3 - rank).map((n, i) => `${n}: ${spatial[i]}`).join(", ")
      }) output (${["D", "H", "W"].slice(3 - rank).map((n, i) => `${n}: ${out[i]}`).join(", ")})`,
    );
  }
  return { out, scales: out.map((_, i) => factors?.[i] ?? null) };
}

/** Input coordinates per output coordinate (ATen/native/UpSample.h area_pixel_compute_scale). */
function stepOf(input: number, output: number, align: boolean, factor: number | null): number {
  if (align) return output > 1 ? (input - 1) / (output - 1) : 0;
  return factor !== null && factor > 0 ? 1 / factor : input / output;
}

/** Applies one index list per dimension. */
function selectAlong(x: Tensor, lists: number[][]): Tensor {
  lists.forEach((list, i) => {
    if (list.length === x.sizes[2 + i] && list.every((v, k) => v === k)) return;
    x = x.index_select(2 + i, x.new_tensor(list.map(BigInt), { dtype: null }));
  });
  return x;
}

function nearest(rank: number, exact: boolean): readonly Row[] {
  const name = exact ? `_upsample_nearest_exact${rank}d` : `upsample_nearest${rank}d`;
  return [op({
    schema: `${name}(Tensor input, int[]? output_size, float[]? scale_factors) -> Tensor`,
    impl: (x: Tensor, size: Ints | null, factors: Ints | null) => {
      const { out, scales } = plan(x, rank, size, factors);
      const lists = out.map((n, i) => {
        const input = x.sizes[2 + i]!;
        const step = Math.fround(stepOf(input, n, false, scales[i]!));
        return Array.from(
          { length: n },
          (_, k) => Math.min(Math.floor(Math.fround((exact ? k + 0.5 : k) * step)), input - 1),
        );
      });
      const y = selectAlong(x, lists);
      return y === x ? x.clone() : y;
    },
    only: "hidden",
    node: `UpsampleNearest${exact ? "Exact" : ""}${rank}DBackward1`,
    derivative: {
      input: (c) => {
        const sizes = c.sizesOf("input");
        let g: Tensor = c.grad;
        for (let i = 0; i < rank; i++) {
          const input = sizes[2 + i]!, n = g.sizes[2 + i]!;
          const step = Math.fround(stepOf(input, n, false, c.scale_factors?.[i] ?? null));
          const list = Array.from(
            { length: n },
            (_, k) => Math.min(Math.floor(Math.fround((exact ? k + 0.5 : k) * step)), input - 1),
          );
          const target = g.sizes.slice();
          target[2 + i] = input;
          g = g.new_zeros(target).index_add(2 + i, g.new_tensor(list.map(BigInt), { dtype: null }), g);
        }
        return g;
      },
    },
    doc: `Nearest-neighbour resizing of ${rank} dimensions.`,
  })];
}

/** Cubic convolution weights, a = -0.75 (Keys 1981). */
function cubic(t: number, a = -0.75): number {
  const x = Math.abs(t);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/** Row k: how output k is made of the inputs. */
function linearMatrix(input: number, output: number, align: boolean, factor: number | null): Float64Array {
  const m = new Float64Array(output * input);
  const step = stepOf(input, output, align, factor);
  for (let k = 0; k < output; k++) {
    const at = align ? k * step : Math.max((k + 0.5) * step - 0.5, 0);
    const low = Math.min(Math.floor(at), input - 1), high = Math.min(low + 1, input - 1);
    const t = at - low;
    m[k * input + low]! += 1 - t;
    m[k * input + high]! += t;
  }
  return m;
}

function cubicMatrix(input: number, output: number, align: boolean, factor: number | null): Float64Array {
  const m = new Float64Array(output * input);
  const step = stepOf(input, output, align, factor);
  for (let k = 0; k < output; k++) {
    const at = align ? k * step : (k + 0.5) * step - 0.5;
    const low = Math.floor(at), t = at - low;
    for (let j = -1; j <= 2; j++) {
      const i = Math.min(Math.max(low + j, 0), input - 1);
      m[k * input + i]! += cubic(t - j);
    }
  }
  return m;
}

/** Antialiased weights: the filter is widened when shrinking (Pillow's resampling; a = -0.5 for cubic). */
function antialiasMatrix(kind: "linear" | "cubic") {
  return (input: number, output: number, align: boolean, factor: number | null): Float64Array => {
    const m = new Float64Array(output * input);
    const step = stepOf(input, output, align, factor);
    const widen = Math.max(step, 1);
    const support = (kind === "linear" ? 1 : 2) * widen;
    const weight = (t: number): number => kind === "linear" ? Math.max(0, 1 - Math.abs(t)) : cubic(t, -0.5);
    for (let k = 0; k < output; k++) {
      const center = (k + 0.5) * step;
      const from = Math.max(Math.floor(center - support + 0.5), 0);
      const to = Math.min(Math.floor(center + support + 0.5), input);
      let sum = 0;
      for (let i = from; i < to; i++) sum += m[k * input + i] = weight((i - center + 0.5) / widen);
      for (let i = from; i < to; i++) m[k * input + i]! /= sum;
    }
    return m;
  };
}

type MatrixOf = (input: number, output: number, align: boolean, factor: number | null) => Float64Array;

function weighted(name: string, rank: number, node: string, matrixOf: MatrixOf): readonly Row[] {
  const matrices = (
    sizes: Ints,
    out: Ints,
    align: boolean,
    scales: (number | null)[],
    like: Tensor,
  ): Tensor[] =>
    out.map((n, i) => {
      const m = writeDoubles(
        emptyTensor([n, sizes[2 + i]!], float64, like.storage.backend),
        matrixOf(sizes[2 + i]!, n, align, scales[i]!),
      );
      return m.to(like.dtype);
    });
  /** Multiplies dimension 2 + i by a matrix. */
  const along = (x: Tensor, m: Tensor, i: number): Tensor => {
    const last = x.sizes.length - 1, d = 2 + i;
    return d === last ? x.matmul(m.t()) : x.transpose(d, last).matmul(m.t()).transpose(d, last);
  };
  return [op({
    schema: `${name}(Tensor input, int[]? output_size, bool align_corners, float[]? scale_factors) -> Tensor`,
    impl: (x: Tensor, size: Ints | null, align: boolean, factors: Ints | null) => {
      const { out, scales } = plan(x, rank, size, factors);
      let y = x;
      matrices(x.sizes, out, align, scales, x).forEach((m, i) => y = along(y, m, i));
      return packed(y);
    },
    only: "hidden",
    node,
    derivative: {
      input: (c) => {
        const sizes = c.sizesOf("input"), out = c.grad.sizes.slice(2);
        const scales = out.map((_, i) => c.scale_factors?.[i] ?? null);
        let g: Tensor = c.grad;
        matrices(sizes, out, c.align_corners, scales, g.detach()).forEach((m, i) => g = along(g, m.t(), i));
        return g;
      },
    },
    doc: `${name}.`,
  })];
}

/** Places of windows along one dimension. */
function windowCount(
  size: number,
  kernel: number,
  dilation: number,
  padding: number,
  stride: number,
): number {
  return Math.floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1;
}

function im2col(x: Tensor, kernel: Ints, dilation: Ints, padding: Ints, stride: Ints): Tensor {
  if (x.sizes.length !== 4 && x.sizes.length !== 3) {
    throw new RuntimeError(
      `Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for input, but got: ${
        shapeText(x.sizes)
      }`,
    );
  }
  const batched = x.sizes.length === 4;
  const b = batched ? x : x.unsqueeze(0);
  const p = fn.constant_pad_nd!(b, [padding[1]!, padding[1]!, padding[0]!, padding[0]!], 0) as Tensor;
  const [n, c, h, w] = b.sizes as [number, number, number, number];
  const oh = windowCount(h, kernel[0]!, dilation[0]!, padding[0]!, stride[0]!);
  const ow = windowCount(w, kernel[1]!, dilation[1]!, padding[1]!, stride[1]!);
  if (oh < 1 || ow < 1) {
    throw new RuntimeError(
      `Given input with spatial size (${h}, ${w}), kernel_size=(${kernel[0]}, ${kernel[1]}), dilation=(${
        dilation[0]
      }, ${dilation[1]}), padding=(${padding[0]}, ${
        padding[1]
      }), calculated shape of the array of sliding blocks as (${oh}, ${ow}), but its components must be at least one.`,
    );
  }
  const s = p.strides as [number, number, number, number];
  const view = alias(
    p,
    [n, c, kernel[0]!, kernel[1]!, oh, ow],
    [s[0], s[1], s[2] * dilation[0]!, s[3] * dilation[1]!, s[2] * stride[0]!, s[3] * stride[1]!],
    p.offset,
  );
  const out = emptyTensor(view.sizes, x.dtype, x.storage.backend);
  runCopy(out, view);
  const shape = [c * kernel[0]! * kernel[1]!, oh * ow];
  return out.view(batched ? [n, ...shape] : shape);
}

function col2im(x: Tensor, size: Ints, kernel: Ints, dilation: Ints, padding: Ints, stride: Ints): Tensor {
  if (x.sizes.length !== 3 && x.sizes.length !== 2) {
    throw new RuntimeError(
      `Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero dimensions for input, but got: ${
        shapeText(x.sizes)
      }`,
    );
  }
  const batched = x.sizes.length === 3;
  const b = batched ? x : x.unsqueeze(0);
  const [n, planes, length] = b.sizes as [number, number, number];
  const area = kernel[0]! * kernel[1]!;
  if (planes % area !== 0) {
    throw new RuntimeError(
      `Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got input.size(1)=${planes} and kernel_size=(${
        kernel[0]
      }, ${kernel[1]}).`,
    );
  }
  const oh = windowCount(size[0]!, kernel[0]!, dilation[0]!, padding[0]!, stride[0]!);
  const ow = windowCount(size[1]!, kernel[1]!, dilation[1]!, padding[1]!, stride[1]!);
  if (oh * ow !== length) {
    throw new RuntimeError(
      `Given output_size=(${size[0]}, ${size[1]}), kernel_size=(${kernel[0]}, ${kernel[1]}), dilation=(${
        dilation[0]
      }, ${dilation[1]}), padding=(${padding[0]}, ${padding[1]}), stride=(${stride[0]}, ${
        stride[1]
      }), expected size of input's dimension 2 to match the calculated number of sliding blocks ${oh} * ${ow} = ${
        oh * ow
      }, but got input.size(2)=${length}.`,
    );
  }
  const c = planes / area;
  const ph = size[0]! + 2 * padding[0]!, pw = size[1]! + 2 * padding[1]!;
  const out = b.new_zeros([n, c, ph, pw]);
  const windows = packed(b).view([n, c, kernel[0]!, kernel[1]!, oh, ow]);
  // Windows overlap, but position (i, j) of every window is a plain strided slice.
  for (let i = 0; i < kernel[0]!; i++) {
    for (let j = 0; j < kernel[1]!; j++) {
      const at = out.offset + i * dilation[0]! * pw + j * dilation[1]!;
      const slice = alias(out, [n, c, oh, ow], [c * ph * pw, ph * pw, stride[0]! * pw, stride[1]!], at);
      slice.add_(windows.select(2, i).select(2, j));
    }
  }
  const inner = out.narrow(2, padding[0]!, size[0]!).narrow(3, padding[1]!, size[1]!);
  return packed(batched ? inner : inner.squeeze(0));
}

/** Grid coordinates in [-1, 1] as pixel coordinates. */
function unnormalized(coordinate: Tensor, size: number, align: boolean): Tensor {
  return align ? coordinate.add(1).mul((size - 1) / 2) : coordinate.add(1).mul(size).sub(1).div(2);
}

/** Folds coordinates back into [low / 2, high / 2]. */
function reflected(x: Tensor, twiceLow: number, twiceHigh: number): Tensor {
  if (twiceLow === twiceHigh) return x.mul(0);
  const low = twiceLow / 2, span = (twiceHigh - twiceLow) / 2;
  const y = x.sub(low).abs();
  const extra = y.detach().fmod(span);
  const flips = y.detach().div(span).floor();
  const sign = flips.remainder(2).mul(-2).add(1);
  // Piecewise linear with slope +-1: value from the fold, gradient through y.
  const folded = extra.where(flips.remainder(2).eq(0), extra.rsub(span)).add(low);
  return y.sub(y.detach()).mul(sign).add(folded);
}

function clipped(x: Tensor, size: number, padding: number, align: boolean): Tensor {
  if (padding === 1) return x.clamp(0, size - 1);
  if (padding === 2) {
    const r = align ? reflected(x, 0, 2 * (size - 1)) : reflected(x, -1, 2 * size - 1);
    return r.clamp(0, size - 1);
  }
  return x;
}

function gridSampler(input: Tensor, grid: Tensor, mode: number, padding: number, align: boolean): Tensor {
  const rank = input.sizes.length - 2;
  if (rank !== 2 && rank !== 3) {
    throw new RuntimeError(
      `grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, but got input with sizes ${
        shapeText(input.sizes)
      } and grid with sizes ${shapeText(grid.sizes)}`,
    );
  }
  if (grid.sizes.length !== input.sizes.length) {
    throw new RuntimeError(
      `grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, but got input with sizes ${
        shapeText(input.sizes)
      } and grid with sizes ${shapeText(grid.sizes)}`,
    );
  }
  if (input.sizes[0] !== grid.sizes[0]) {
    throw new RuntimeError(
      `grid_sampler(): expected grid and input to have same batch size, but got input with sizes ${
        shapeText(input.sizes)
      } and grid with sizes ${shapeText(grid.sizes)}`,
    );
  }
  if (grid.sizes[grid.sizes.length - 1] !== rank) {
    throw new RuntimeError(
      `grid_sampler(): expected grid to have size ${rank} in last dimension, but got grid with sizes ${
        shapeText(grid.sizes)
      }`,
    );
  }
  if (mode === 2 && rank === 3) {
    throw new RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input");
  }
  const spatial = input.sizes.slice(2);
  const [n, c] = input.sizes as [number, number];
  const outSpatial = grid.sizes.slice(1, -1);
  const count = numelOf(outSpatial);
  const flat = input.reshape([n, c, numelOf(spatial)]);
  // grid's last dimension is (x, y[, z]): the last spatial dimension first.
  const coordinates = spatial.map((size, i) => {
    const raw = unnormalized(grid.select(-1, rank - 1 - i).reshape([n, count]), size, align);
    return mode === 2 ? raw : clipped(raw, size, padding, align);
  });
  /** Values at whole coordinates (N, count) per dimension; zero outside. */
  const fetch = (at: Tensor[]): Tensor => {
    let index: Tensor | null = null, inside: Tensor | null = null;
    at.forEach((a, i) => {
      const size = spatial[i]!;
      const p = mode === 2 ? clipped(a, size, padding, align) : a;
      const ok = p.ge(0).logical_and(p.le(size - 1));
      inside = inside === null ? ok : inside.logical_and(ok);
      const k = p.clamp(0, size - 1).nan_to_num(0).long();
      index = index === null ? k : index.mul(size).add(k);
    });
    const picked = flat.gather(2, index!.unsqueeze(1).expand([n, c, count]));
    return picked.mul(inside!.unsqueeze(1));
  };
  let out: Tensor | null = null;
  const add = (value: Tensor, weight: Tensor | null): void => {
    const term = weight === null ? value : value.mul(weight.unsqueeze(1));
    out = out === null ? term : out.add(term);
  };
  if (mode === 1) add(fetch(coordinates.map((x) => x.detach().round())), null);
  else {
    const lows = coordinates.map((x) => x.detach().floor());
    const offsets = mode === 2 ? [-1, 0, 1, 2] : [0, 1];
    const weightOf = (i: number, o: number): Tensor => {
      const t = coordinates[i]!.sub(lows[i]!);
      if (mode !== 2) return o === 0 ? t.rsub(1) : t;
      const d = t.sub(o).abs(), a = -0.75;
      return o === 0 || o === 1
        ? d.mul(a + 2).sub(a + 3).mul(d).mul(d).add(1)
        : d.mul(a).sub(5 * a).mul(d).add(8 * a).mul(d).sub(4 * a);
    };
    const walk = (i: number, at: Tensor[], weight: Tensor | null): void => {
      if (i === rank) {
        add(fetch(at), weight);
        return;
      }
      for (const o of offsets) {
        const w = weightOf(i, o);
        walk(i + 1, [...at, lows[i]!.add(o)], weight === null ? w : weight.mul(w));
      }
    };
    walk(0, [], null);
  }
  return (out as Tensor | null)!.reshape([n, c, ...outSpatial]);
}

export const resampling: Table = {
  upsample_nearest1d: nearest(1, false),
  upsample_nearest2d: nearest(2, false),
  upsample_nearest3d: nearest(3, false),
  _upsample_nearest_exact1d: nearest(1, true),
  _upsample_nearest_exact2d: nearest(2, true),
  _upsample_nearest_exact3d: nearest(3, true),
  upsample_linear1d: weighted("upsample_linear1d", 1, "UpsampleLinear1DBackward1", linearMatrix),
  upsample_bilinear2d: weighted("upsample_bilinear2d", 2, "UpsampleBilinear2DBackward1", linearMatrix),
  upsample_trilinear3d: weighted("upsample_trilinear3d", 3, "UpsampleTrilinear3DBackward1", linearMatrix),
  upsample_bicubic2d: weighted("upsample_bicubic2d", 2, "UpsampleBicubic2DBackward1", cubicMatrix),
  _upsample_bilinear2d_aa: weighted(
    "_upsample_bilinear2d_aa",
    2,
    "UpsampleBilinear2DAaBackward1",
    antialiasMatrix("linear"),
  ),
  _upsample_bicubic2d_aa: weighted(
    "_upsample_bicubic2d_aa",
    2,
    "UpsampleBicubic2DAaBackward1",
    antialiasMatrix("cubic"),
  ),
  im2col: [op({
    schema:
      "im2col(Tensor self, int[2] kernel_size, int[2] dilation, int[2] padding, int[2] stride) -> Tensor",
    impl: im2col,
    only: "hidden",
    derivative: {
      self: (c) =>
        fn.col2im!(c.grad, c.sizesOf("self").slice(-2), c.kernel_size, c.dilation, c.padding, c.stride),
    },
    doc: "Sliding windows as columns.",
  })],
  col2im: [op({
    schema:
      "col2im(Tensor self, int[2] output_size, int[2] kernel_size, int[2] dilation, int[2] padding, int[2] stride) -> Tensor",
    impl: col2im,
    only: "hidden",
    derivative: { self: (c) => fn.im2col!(c.grad, c.kernel_size, c.dilation, c.padding, c.stride) },
    doc: "Adds sliding windows up: the transpose of im2col.",
  })],
  grid_sampler: [op({
    schema:
      "grid_sampler(Tensor input, Tensor grid, int interpolation_mode, int padding_mode, bool align_corners) -> Tensor",
    composite: gridSampler,
    only: "function",
    doc: "Values of the input at grid points.",
  })],
  affine_grid_generator: [op({
    schema: "affine_grid_generator(Tensor theta, int[] size, bool align_corners) -> Tensor",
    composite: (theta: Tensor, size: Ints, align: boolean) => {
      const rank = size.length - 2;
      if (rank !== 2 && rank !== 3) {
        throw new NotImplementedError("affine_grid only supports 4D and 5D sizes");
      }
      const spatial = size.slice(2);
      const axis = (n: number): Tensor => {
        const values = Float64Array.from(
          { length: n },
          (_, i) => align ? (n === 1 ? 0 : -1 + 2 * i / (n - 1)) : -1 + (2 * i + 1) / n,
        );
        return writeDoubles(emptyTensor([n], theta.dtype, theta.storage.backend), values);
      };
      const parts = spatial.map((n, i) =>
        axis(n).reshape(spatial.map((_, k) => (k === i ? -1 : 1))).expand(spatial)
      ).reverse();
      const base = fn.stack!([...parts, theta.new_ones(spatial)], -1) as Tensor;
      const points = base.reshape([1, numelOf(spatial), rank + 1]).expand([
        size[0]!,
        numelOf(spatial),
        rank + 1,
      ]);
      return points.matmul(theta.transpose(1, 2)).reshape([size[0]!, ...spatial, rank]);
    },
    only: "function",
    doc: "A grid of sampling points from affine matrices.",
  })],
};
