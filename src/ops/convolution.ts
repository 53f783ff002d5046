/**
 * Convolutions over one to three spatial dimensions, their gradients, and transposed convolutions.
 *
 * @module
 */
import { int64, Kind } from "../base/dtype.ts";
import { RuntimeError } from "../base/errors.ts";
import { numelOf, shapeText } from "../base/size.ts";
import { fn } from "../dispatch/functions.ts";
import { commonBackend, emptyTensor, packed } from "../dispatch/iterator.ts";
import { begin, kernel } from "../dispatch/launch.ts";
import { op, type Row, type Table } from "../dispatch/op.ts";
import type { Tensor } from "../tensor.ts";
import { cppName } from "./matmul.ts";
import { fillTensor } from "./creation.ts";

const CONV = kernel("tc_conv");
const BACKWARD_INPUT = kernel("tc_conv_backward_input");
const BACKWARD_WEIGHT = kernel("tc_conv_backward_weight");

type Ints = readonly number[];

/** Spatial settings; every list has one entry per spatial dimension. */
interface Geometry {
  stride: Ints;
  padding: Ints;
  dilation: Ints;
  groups: number;
}

/** Spatial numbers as (depth, height, width). */
function triple(values: Ints, fill: number): number[] {
  return [...new Array<number>(3 - values.length).fill(fill), ...values];
}

/** Writes tc_conv_args. `x` (N, C_in, in...), `weight` (C_out, C_in / groups, k...), `y` (N, C_out, out...). */
function launch(
  k: typeof CONV,
  x: Tensor | null,
  xSizes: Ints,
  weight: Tensor | null,
  weightSizes: Ints,
  bias: Tensor | null,
  y: Tensor | null,
  ySizes: Ints,
  g: Geometry,
): void {
  const t = (x ?? y ?? weight)!;
  if (numelOf(ySizes) * numelOf(weightSizes) > 1 << 14) t.storage.backend.expectWork();
  const l = begin(k, t.storage.backend).i(0).i(t.dtype.code).i(xSizes[0]!).i(g.groups).i(xSizes[1]!).i(
    ySizes[1]!,
  );
  l.list(triple(xSizes.slice(2), 1)).list(triple(ySizes.slice(2), 1)).list(triple(weightSizes.slice(2), 1));
  l.list(triple(g.stride, 1)).list(triple(g.padding, 0)).list(triple(g.dilation, 1));
  l.p(x).p(weight).p(bias).p(y).i(0).i(0);
  l.runWithScratch();
}

function outputSizes(input: Ints, weight: Ints, g: Geometry): number[] {
  return [
    input[0]!,
    weight[0]!,
    ...g.stride.map((s, i) =>
      Math.floor((input[2 + i]! + 2 * g.padding[i]! - g.dilation[i]! * (weight[2 + i]! - 1) - 1) / s) + 1
    ),
  ];
}

function forward(
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  stride: Ints,
  padding: Ints,
  dilation: Ints,
  groups: number,
): Tensor {
  const g = { stride, padding, dilation, groups };
  if (input.dtype === int64) {
    return viaDouble(() =>
      forward(input.double(), weight.double(), bias?.double() ?? null, stride, padding, dilation, groups)
    );
  }
  const sizes = outputSizes(input.sizes, weight.sizes, g);
  const out = emptyTensor(sizes, input.dtype, commonBackend([input, weight, bias]));
  if (out.count === 0) return out;
  if (input.count === 0 || weight.count === 0) {
    fillTensor(out, 0);
    if (bias !== null) out.add_(bias.reshape([1, -1, ...stride.map(() => 1)]));
    return out;
  }
  launch(
    CONV,
    packed(input),
    input.sizes,
    packed(weight),
    weight.sizes,
    bias === null ? null : packed(bias),
    out,
    sizes,
    g,
  );
  return out;
}

/** int64 convolutions are exact in double as long as sums stay below 2^53. */
function viaDouble(body: () => Tensor): Tensor {
  return body().to(int64);
}

function backwardInput(
  grad: Tensor,
  inputSizes: Ints,
  weight: Tensor,
  bias: Tensor | null,
  g: Geometry,
): Tensor {
  if (grad.dtype === int64) {
    return viaDouble(() =>
      backwardInput(grad.double(), inputSizes, weight.double(), bias?.double() ?? null, g)
    );
  }
  const out = emptyTensor(inputSizes, grad.dtype, grad.storage.backend);
  if (out.count === 0) return out;
  if (grad.count === 0 || weight.count === 0) {
    fillTensor(out, 0);
    if (bias !== null) out.add_(bias.reshape([1, -1, ...g.stride.map(() => 1)]));
    return out;
  }
  launch(
    BACKWARD_INPUT,
    out,
    inputSizes,
    packed(weight),
    weight.sizes,
    bias === null ? null : packed(bias),
    packed(grad),
    grad.sizes,
    g,
  );
  return out;
}

function backwardWeight(
  grad: Tensor,
  input: Tensor,
  weightSizes: Ints,
  wantBias: boolean,
  g: Geometry,
): [Tensor, Tensor] {
  const backend = grad.storage.backend;
  const weight = emptyTensor(weightSizes, grad.dtype, backend);
  const bias = emptyTensor(wantBias ? [grad.sizes[1]!] : [0], grad.dtype, backend);
  if (grad.count === 0 || input.count === 0) {
    fillTensor(weight, 0);
    fillTensor(bias, 0);
    return [weight, bias];
  }
  if (weight.count === 0 && !wantBias) return [weight, bias];
  launch(
    BACKWARD_WEIGHT,
    packed(input),
    input.sizes,
    weight,
    weightSizes,
    wantBias ? bias : null,
    packed(grad),
    grad.sizes,
    g,
  );
  return [weight, bias];
}

function checkOperands(name: string, rank: number, input: Tensor, weight: Tensor, bias: Tensor | null): void {
  if (weight.sizes.length !== rank + 2) {
    throw new RuntimeError(
      `Expected ${rank + 2}-dimensional weight for ${name}, but got weight of size: ${
        shapeText(weight.sizes)
      }`,
    );
  }
  if (input.sizes.length !== rank + 2 && input.sizes.length !== rank + 1) {
    throw new RuntimeError(
      `Expected ${rank + 1}D (unbatched) or ${rank + 2}D (batched) input to ${name}, but got input of size: ${
        shapeText(input.sizes)
      }`,
    );
  }
  if (input.dtype !== weight.dtype) {
    throw new RuntimeError(
      `expected scalar type ${input.dtype.scalarName} but found ${weight.dtype.scalarName}`,
    );
  }
  if (bias !== null && bias.dtype !== input.dtype) {
    throw new RuntimeError(
      `Input type (${cppName(input.dtype)}) and bias type (${cppName(bias.dtype)}) should be the same`,
    );
  }
  if (input.dtype.kind < Kind.float && input.dtype !== int64) {
    throw new RuntimeError(`"slow_conv${rank}d_cpu" not implemented for '${input.dtype.scalarName}'`);
  }
}

function checkGeometry(
  transposed: boolean,
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  g: Geometry,
): void {
  if (g.groups <= 0) throw new RuntimeError("non-positive groups is not supported");
  if (g.padding.some((p) => p < 0)) throw new RuntimeError("negative padding is not supported");
  if (g.stride.some((s) => s <= 0)) throw new RuntimeError("non-positive stride is not supported");
  if (g.dilation.some((d) => d <= 0)) throw new RuntimeError("dilation should be greater than zero");
  const w = weight.sizes, channels = input.sizes[1]!;
  if (w[0]! < g.groups) {
    throw new RuntimeError(
      `Given groups=${g.groups}, expected weight to be at least ${g.groups} at dimension 0, but got weight of size ${
        shapeText(w)
      } instead`,
    );
  }
  if (w[0]! % g.groups !== 0) {
    throw new RuntimeError(
      `Given groups=${g.groups}, expected weight to be divisible by ${g.groups} at dimension 0, but got weight of size [${
        w.join(", ")
      }] instead`,
    );
  }
  if (transposed) {
    if (channels !== w[0]) {
      throw new RuntimeError(
        `Given transposed=1, weight of size ${shapeText(w)}, expected input${
          shapeText(input.sizes)
        } to have ${w[0]} channels, but got ${channels} channels instead`,
      );
    }
    if (bias !== null && (bias.sizes.length !== 1 || bias.sizes[0] !== w[1]! * g.groups)) {
      throw new RuntimeError(
        `Given transposed=1, weight of size ${shapeText(w)}, expected bias to be 1-dimensional with ${
          w[1]! * g.groups
        } elements, but got bias of size ${shapeText(bias.sizes)} instead`,
      );
    }
    return;
  }
  if (channels !== w[1]! * g.groups) {
    throw new RuntimeError(
      `Given groups=${g.groups}, weight of size ${shapeText(w)}, expected input${
        shapeText(input.sizes)
      } to have ${w[1]! * g.groups} channels, but got ${channels} channels instead`,
    );
  }
  if (bias !== null && (bias.sizes.length !== 1 || bias.sizes[0] !== w[0])) {
    throw new RuntimeError(
      `Given weight of size ${shapeText(w)}, expected bias to be 1-dimensional with ${
        w[0]
      } elements, but got bias of size ${shapeText(bias.sizes)} instead`,
    );
  }
  const padded = input.sizes.slice(2).map((s, i) => s + 2 * g.padding[i]!);
  const reach = w.slice(2).map((k, i) => g.dilation[i]! * (k - 1) + 1);
  if (padded.some((p, i) => p < reach[i]!)) {
    throw new RuntimeError(
      `Calculated padded input size per channel: (${padded.join(" x ")}). Kernel size: (${
        reach.join(" x ")
      }). Kernel size can't be greater than actual input size`,
    );
  }
}

/** "same" padding: the amount on both sides and what an odd total adds at the end. */
function samePadding(
  input: Tensor,
  weight: Ints,
  stride: Ints,
  dilation: Ints,
): { input: Tensor; padding: number[] } {
  if (stride.some((s) => s !== 1)) {
    throw new RuntimeError("padding='same' is not supported for strided convolutions");
  }
  const total = dilation.map((d, i) => d * (weight[2 + i]! - 1));
  const padding = total.map((t) => Math.floor(t / 2));
  if (total.every((t) => t % 2 === 0)) return { input, padding };
  const extra = total.map((t) => t % 2).reverse().flatMap((e) => [0, e]);
  return { input: fn.constant_pad_nd!(input, extra, 0), padding };
}

function convolution(rank: number): readonly Row[] {
  const name = `conv${rank}d`;
  return [op({
    schema:
      `${name}(Tensor input, Tensor weight, Tensor? bias=None, int[${rank}] stride=1, Any padding=0, int[${rank}] dilation=1, int groups=1) -> Tensor`,
    composite: (
      input: Tensor,
      weight: Tensor,
      bias: Tensor | null,
      stride0: Ints | number,
      padding: unknown,
      dilation0: Ints | number,
      groups: number,
    ) => {
      const stride = perDim(stride0, rank, "stride"), dilation = perDim(dilation0, rank, "dilation");
      checkOperands(name, rank, input, weight, bias);
      const batched = input.sizes.length === rank + 2;
      let x = batched ? input : input.unsqueeze(0);
      let pad: Ints;
      if (padding === "same") {
        const same = samePadding(x, weight.sizes, stride, dilation);
        x = same.input;
        pad = same.padding;
      } else if (padding === "valid") pad = stride.map(() => 0);
      else if (typeof padding === "string") {
        throw new RuntimeError(`Invalid padding string: '${padding}'`);
      } else pad = perDim(padding as Ints | number, rank, "padding");
      checkGeometry(false, x, weight, bias, { stride, padding: pad, dilation, groups });
      const out = fn.convolution!(x, weight, bias, stride, pad, dilation, groups) as Tensor;
      return batched ? out : out.squeeze(0);
    },
    only: "function",
    doc: `${rank}-D convolution (cross-correlation).`,
  })];
}

function perDim(value: Ints | number, rank: number, what: string): Ints {
  const list = typeof value === "number" ? [value] : value;
  if (list.length === 1) return new Array<number>(rank).fill(list[0]!);
  if (list.length !== rank) {
    throw new RuntimeError(
      `expected ${what} to be a single integer value or a list of ${rank} values to match the convolution dimensions, but got ${what}=${
        shapeText(list)
      }`,
    );
  }
  return list;
}

/** `stride_height: 2 stride_width: 2`; one dimension counts as a height of 1, as PyTorch runs it. */
function axisTexts(what: string, values: Ints, fill: number): string {
  const names = values.length === 3 ? ["depth", "height", "width"] : ["height", "width"];
  const all = values.length === 1 ? [fill, values[0]!] : values;
  return names.map((n, i) => `${what}_${n}: ${all[i]}`).join(" ");
}

function transposed(rank: number): readonly Row[] {
  const name = `conv_transpose${rank}d`;
  return [op({
    schema:
      `${name}(Tensor input, Tensor weight, Tensor? bias=None, int[${rank}] stride=1, int[${rank}] padding=0, int[${rank}] output_padding=0, int groups=1, int[${rank}] dilation=1) -> Tensor`,
    composite: (
      input: Tensor,
      weight: Tensor,
      bias: Tensor | null,
      s: Ints | number,
      p: Ints | number,
      o: Ints | number,
      groups: number,
      d: Ints | number,
    ) => {
      checkOperands(name, rank, input, weight, bias);
      const stride = perDim(s, rank, "stride"), padding = perDim(p, rank, "padding");
      const extra = perDim(o, rank, "output_padding"), dilation = perDim(d, rank, "dilation");
      const batched = input.sizes.length === rank + 2;
      const x = batched ? input : input.unsqueeze(0);
      checkGeometry(true, x, weight, bias, { stride, padding, dilation, groups });
      if (extra.some((e, i) => e < 0 || (e >= stride[i]! && e >= dilation[i]!))) {
        throw new RuntimeError(
          "output padding must be smaller than either stride or dilation, but got " +
            [["output_padding", extra, 0], ["stride", stride, 1], ["dilation", dilation, 1]].map((
              [what, values, fill],
            ) => axisTexts(what as string, values as Ints, fill as number)).join(" "),
        );
      }
      const sizes = [
        x.sizes[0]!,
        weight.sizes[1]! * groups,
        ...stride.map((st, i) =>
          (x.sizes[2 + i]! - 1) * st - 2 * padding[i]! + dilation[i]! * (weight.sizes[2 + i]! - 1) +
          extra[i]! + 1
        ),
      ];
      if (sizes.slice(2).some((n) => n < 1)) {
        throw new RuntimeError(
          `Given input size per channel: (${
            x.sizes.slice(2).join(" x ")
          }). Calculated output size per channel: (${sizes.slice(2).join(" x ")}). Output size is too small`,
        );
      }
      const out = fn.convolution_transpose!(
        x,
        sizes,
        weight,
        bias,
        stride,
        padding,
        dilation,
        groups,
      ) as Tensor;
      return batched ? out : out.squeeze(0);
    },
    only: "function",
    doc: `${rank}-D transposed convolution.`,
  })];
}

const perChannelSum = (grad: Tensor): Tensor => grad.sum(grad.sizes.map((_, i) => i).filter((i) => i !== 1));

export const convolutions: Table = {
  conv1d: convolution(1),
  conv2d: convolution(2),
  conv3d: convolution(3),
  conv_transpose1d: transposed(1),
  conv_transpose2d: transposed(2),
  conv_transpose3d: transposed(3),
  convolution: [op({
    schema:
      "convolution(Tensor input, Tensor weight, Tensor? bias, int[] stride, int[] padding, int[] dilation, int groups) -> Tensor",
    impl: forward,
    only: "hidden",
    saves: ["input", "weight"],
    derivative: {
      input: (c) =>
        fn.convolution_backward_input!(
          c.grad,
          c.sizesOf("input"),
          c.weight,
          c.stride,
          c.padding,
          c.dilation,
          c.groups,
        ),
      "weight, bias": (c) => {
        if (!c.needs("weight")) return [null, perChannelSum(c.grad)];
        const both = fn.convolution_backward_weight!(
          c.grad,
          c.input,
          c.sizesOf("weight"),
          c.needs("bias"),
          c.stride,
          c.padding,
          c.dilation,
          c.groups,
        ) as Tensor[];
        return [both[0]!, c.needs("bias") ? both[1]! : null];
      },
    },
    doc: "Convolution of a batch with everything spelled out.",
  })],
  convolution_backward_input: [op({
    schema:
      "convolution_backward_input(Tensor grad_output, int[] input_sizes, Tensor weight, int[] stride, int[] padding, int[] dilation, int groups) -> Tensor",
    impl: (
      grad: Tensor,
      sizes: Ints,
      weight: Tensor,
      stride: Ints,
      padding: Ints,
      dilation: Ints,
      groups: number,
    ) => backwardInput(grad, sizes, weight, null, { stride, padding, dilation, groups }),
    only: "hidden",
    saves: ["grad_output", "weight"],
    derivative: {
      grad_output: (c) => fn.convolution!(c.grad, c.weight, null, c.stride, c.padding, c.dilation, c.groups),
      weight: (c) =>
        fn.convolution_backward_weight!(
          c.grad_output,
          c.grad,
          c.sizesOf("weight"),
          false,
          c.stride,
          c.padding,
          c.dilation,
          c.groups,
        )[0],
    },
    doc: "Gradient of a convolution with respect to its input.",
  })],
  convolution_backward_weight: [op({
    schema:
      "convolution_backward_weight(Tensor grad_output, Tensor input, int[] weight_sizes, bool bias, int[] stride, int[] padding, int[] dilation, int groups) -> (Tensor, Tensor)",
    impl: (
      grad: Tensor,
      input: Tensor,
      sizes: Ints,
      bias: boolean,
      stride: Ints,
      padding: Ints,
      dilation: Ints,
      groups: number,
    ) => backwardWeight(grad, input, sizes, bias, { stride, padding, dilation, groups }),
    only: "hidden",
    saves: ["grad_output", "input"],
    derivative: {
      grad_output: (c) => {
        const g = fn.convolution!(
          c.input,
          c.grads[0],
          null,
          c.stride,
          c.padding,
          c.dilation,
          c.groups,
        ) as Tensor;
        return c.bias ? g.add(c.grads[1]!.reshape([1, -1, ...c.stride.map(() => 1)])) : g;
      },
      input: (c) =>
        fn.convolution_backward_input!(
          c.grad_output,
          c.sizesOf("input"),
          c.grads[0],
          c.stride,
          c.padding,
          c.dilation,
          c.groups,
        ),
    },
    doc: "Gradients of a convolution with respect to its weight and bias.",
  })],
  convolution_transpose: [op({
    schema:
      "convolution_transpose(Tensor input, int[] output_sizes, Tensor weight, Tensor? bias, int[] stride, int[] padding, int[] dilation, int groups) -> Tensor",
    impl: (
      input: Tensor,
      sizes: Ints,
      weight: Tensor,
      bias: Tensor | null,
      stride: Ints,
      padding: Ints,
      dilation: Ints,
      groups: number,
    ) => backwardInput(input, sizes, weight, bias, { stride, padding, dilation, groups }),
    only: "hidden",
    node: "ConvolutionBackward0",
    saves: ["input", "weight"],
    derivative: {
      input: (c) => {
        const full = fn.convolution!(
          c.grad,
          c.weight,
          null,
          c.stride,
          c.padding,
          c.dilation,
          c.groups,
        ) as Tensor;
        // output_padding may have added as much as another step of the input.
        return c.sizesOf("input").reduce((g, n, d) => d > 1 && g.sizes[d]! > n ? g.narrow(d, 0, n) : g, full);
      },
      weight: (c) =>
        fn.convolution_backward_weight!(
          c.input,
          c.grad,
          c.sizesOf("weight"),
          false,
          c.stride,
          c.padding,
          c.dilation,
          c.groups,
        )[0],
      bias: (c) => perChannelSum(c.grad),
    },
    doc: "Transposed convolution of a batch with everything spelled out.",
  })],
};
