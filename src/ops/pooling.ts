/**
 * Pooling: max, average, adaptive, and unpooling, over one to three spatial dimensions.
 *
 * @module
 */
import { bool, int64, Kind } from "../base/dtype.ts";
import { RuntimeError } from "../base/errors.ts";
import { numelOf, shapeText } from "../base/size.ts";
import { fn } from "../dispatch/functions.ts";
import { emptyTensor, packed } from "../dispatch/iterator.ts";
import { begin, kernel } from "../dispatch/launch.ts";
import { type Ctx, op, type Row, type Table } from "../dispatch/op.ts";
import type { Tensor } from "../tensor.ts";

const MAX = kernel("tc_max_pool"), MAX_BACKWARD = kernel("tc_max_pool_backward");
const AVG = kernel("tc_avg_pool"), AVG_BACKWARD = kernel("tc_avg_pool_backward");
const ADAPTIVE_MAX = kernel("tc_adaptive_max_pool");
const ADAPTIVE_AVG = kernel("tc_adaptive_avg_pool"),
  ADAPTIVE_AVG_BACKWARD = kernel("tc_adaptive_avg_pool_backward");
const UNPOOL = kernel("tc_max_unpool"), UNPOOL_BACKWARD = kernel("tc_max_unpool_backward");

type Ints = readonly number[];

interface Windows {
  kernel: Ints;
  stride: Ints;
  padding: Ints;
  dilation: Ints;
  countIncludePad?: boolean;
  divisor?: number | null;
}

const NONE: Windows = { kernel: [], stride: [], padding: [], dilation: [] };

function triple(values: Ints, fill: number): number[] {
  return [...new Array<number>(3 - values.length).fill(fill), ...values];
}

/** Runs a pooling kernel on the last `rank` dimensions. */
function launch(k: typeof MAX, rank: number, x: Tensor, y: Tensor, indices: Tensor | null, w: Windows): void {
  const xs = x.sizes.slice(x.sizes.length - rank), ys = y.sizes.slice(y.sizes.length - rank);
  if (x.count >= 1 << 15) x.storage.backend.expectWork();
  begin(k, x.storage.backend).i(x.dtype.code).i(int64.code).i(
    numelOf(x.sizes.slice(0, x.sizes.length - rank)),
  )
    .list(triple(xs, 1)).list(triple(ys, 1)).list(triple(w.kernel, 1)).list(triple(w.stride, 1)).list(
      triple(w.padding, 0),
    )
    .list(triple(w.dilation, 1)).b(w.countIncludePad ?? false).i(w.divisor ?? 0).p(x).p(y).p(indices).run();
}

/** PyTorch's pooling_output_shape: the last window starts inside the input or its left padding. */
function pooledSize(
  input: number,
  kernelSize: number,
  padding: number,
  stride: number,
  dilation: number,
  ceil: boolean,
): number {
  const span = input + 2 * padding - dilation * (kernelSize - 1) - 1;
  let out = Math.floor((span + (ceil ? stride - 1 : 0)) / stride) + 1;
  if (ceil && (out - 1) * stride >= input + padding) out--;
  return out;
}

function perDim(name: string, what: string, value: Ints, rank: number): Ints {
  if (value.length === 1) return new Array<number>(rank).fill(value[0]!);
  if (value.length !== rank) {
    const kinds = rank === 1
      ? "an int or a tuple of length 1"
      : rank === 2
      ? "a single int, or a tuple of two ints"
      : "a single int, or a tuple of three ints";
    throw new RuntimeError(`${name}: ${what} must either be ${kinds}`);
  }
  return value;
}

function checkWindows(name: string, self: Tensor, rank: number, w: Windows): void {
  const n = self.sizes.length;
  if (n !== rank + 1 && n !== rank + 2) {
    throw new RuntimeError(
      rank === 1
        ? `${name}() Expected 2D or 3D input tensor, but got ${n === 0 ? "0D" : `${n}D`}`
        : `${name}: Expected ${rank + 1}D or ${rank + 2}D (batch mode) tensor expected for input, but got: ${
          shapeText(self.sizes)
        }`,
    );
  }
  const empty = self.sizes.findIndex((s, i) => i > n - rank - 1 && s === 0);
  if (empty >= 0 && rank === 3) {
    throw new RuntimeError(
      `Expected input's non-batch dimensions to have positive length, but input has a shape of ${
        shapeText(self.sizes)
      } and non-batch dimension ${self.sizes[empty]} has length zero!`,
    );
  }
  if (empty >= 0 && w.countIncludePad === undefined && rank === 2) {
    throw new RuntimeError(
      `Expected ${rank + 1}D or ${
        rank + 2
      }D (batch mode) tensor with optional 0 dim batch size for input, but got:${shapeText(self.sizes)}`,
    );
  }
  if (w.kernel.some((k) => k <= 0)) {
    throw new RuntimeError(`kernel size should be greater than zero, but got ${axes("kernel", w.kernel)}`);
  }
  if (w.stride.some((s) => s <= 0)) {
    throw new RuntimeError(`stride should be greater than zero, but got ${axes("stride", w.stride)}`);
  }
  if (w.dilation.some((d) => d <= 0)) {
    throw new RuntimeError(`dilation should be greater than zero, but got ${axes("dilation", w.dilation)}`);
  }
  w.padding.forEach((p, i) => {
    if (p < 0) throw new RuntimeError(`pad must be non-negative, but got pad: ${p}`);
    if (p > w.kernel[i]! / 2) {
      throw new RuntimeError(
        `pad should be at most half of kernel size, but got pad=${p} and kernel_size=${w.kernel[i]}`,
      );
    }
  });
}

/** PyTorch's max_pool1d has sentences of its own. */
function checkMaxPool1d(self: Tensor, w: Windows, stride: Ints | null, ceil: boolean): void {
  const n = self.sizes.length;
  if ((n !== 2 && n !== 3) || self.sizes.slice(n - 2).some((s) => s === 0)) {
    throw new RuntimeError(
      `max_pool1d(): Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for input, but got: ${
        shapeText(self.sizes)
      }`,
    );
  }
  const [k, s, p, d] = [w.kernel[0]!, stride?.[0] ?? w.stride[0]!, w.padding[0]!, w.dilation[0]!];
  if (k <= 0) throw new RuntimeError(`max_pool1d() kernel_size must be greater than zero, but got ${k}`);
  if (s <= 0) throw new RuntimeError(`max_pool1d() stride must be greater than zero, but got ${s}`);
  if (p < 0) throw new RuntimeError(`max_pool1d() padding must be non-negative, but got ${p}`);
  if (p > k / 2) {
    throw new RuntimeError(
      `max_pool1d() pad should be at most half of kernel size, but got padding=${p} and kernel_size=${k}`,
    );
  }
  if (d <= 0) throw new RuntimeError(`max_pool1d() dilation must be greater than zero, but got ${d}`);
  const out = pooledSize(self.sizes[n - 1]!, k, p, s, d, ceil);
  if (out < 1) throw new RuntimeError(`max_pool1d() Invalid computed output size: ${out}`);
}

function axes(what: string, values: Ints): string {
  const names = ["T", "H", "W"].slice(3 - values.length);
  return names.map((n, i) => `${what}${n}: ${values[i]}`).join(" ");
}

function outSizes(self: Tensor, rank: number, w: Windows, ceil: boolean): number[] {
  const lead = self.sizes.slice(0, self.sizes.length - rank),
    spatial = self.sizes.slice(self.sizes.length - rank);
  const out = spatial.map((s, i) =>
    pooledSize(s, w.kernel[i]!, w.padding[i]!, w.stride[i]!, w.dilation[i] ?? 1, ceil)
  );
  if (out.some((s) => s < 1)) {
    const channel = self.sizes[self.sizes.length - rank - 1];
    throw new RuntimeError(
      `Given input size: (${channel}x${
        triple(spatial, 1).slice(3 - Math.max(rank, 2)).join("x")
      }). Calculated output size: (${channel}x${
        triple(out, 1).slice(3 - Math.max(rank, 2)).join("x")
      }). Output size is too small`,
    );
  }
  return [...lead, ...out];
}

function maxPool(rank: number): Record<string, readonly Row[]> {
  const name = `max_pool${rank}d`;
  const params =
    `int[${rank}] kernel_size, int[${rank}] stride=[], int[${rank}] padding=0, int[${rank}] dilation=1, bool ceil_mode=False`;
  const forward = `${name}_with_indices`;
  const backward = "max_pool_backward";
  return {
    [name]: [op({
      schema: `${name}(Tensor self, ${params}) -> Tensor`,
      composite: (self: Tensor, ...rest: unknown[]) => fn[forward]!(self, ...rest)[0],
      only: "function",
      doc: `${rank}-D max pooling.`,
    })],
    [forward]: [op({
      schema: `${forward}(Tensor self, ${params}) -> (Tensor, Tensor)`,
      impl: (
        self: Tensor,
        kernelSize: Ints,
        stride: Ints,
        padding: Ints | number,
        dilation: Ints | number,
        ceil: boolean,
      ) => {
        const k = perDim(name, "kernel_size", kernelSize, rank);
        const w: Windows = {
          kernel: k,
          stride: stride.length === 0 ? k : perDim(name, "stride", stride, rank),
          padding: perDim(name, "padding", list(padding), rank),
          dilation: perDim(name, "dilation", list(dilation), rank),
        };
        if (rank === 1) checkMaxPool1d(self, w, stride.length === 0 ? null : stride, ceil);
        checkWindows(name, self, rank, w);
        if (self.dtype === bool) throw new RuntimeError(`"${name}" not implemented for 'Bool'`);
        const sizes = outSizes(self, rank, w, ceil);
        const out = emptyTensor(sizes, self.dtype, self.storage.backend);
        const indices = emptyTensor(sizes, int64, self.storage.backend);
        if (out.count > 0) launch(MAX, rank, packed(self), out, indices, w);
        return [out, indices];
      },
      only: "hidden",
      node: `MaxPool${rank}DWithIndicesBackward0`,
      saves: ["result1"],
      derivative: { self: (c) => fn[backward]!(c.grad, c.sizesOf("self"), c.result1, rank) },
      doc: `${rank}-D max pooling and where the maxima are.`,
    })],
  };
}

const list = (x: Ints | number): Ints => typeof x === "number" ? [x] : x;

/** Gathers from flat plane positions: the gradient of max_pool_backward with respect to its gradient. */
function planeGather(grad: Tensor, indices: Tensor, rank: number): Tensor {
  const lead = indices.sizes.slice(0, indices.sizes.length - rank);
  const flat = grad.reshape([...lead, -1]);
  return flat.gather(-1, indices.reshape([...lead, -1])).reshape(indices.sizes);
}

function avgPool(rank: number): Record<string, readonly Row[]> {
  const name = `avg_pool${rank}d`, backward = `${name}_backward`;
  const divisor = rank === 1 ? "" : ", int? divisor_override=None";
  const params =
    `int[${rank}] kernel_size, int[${rank}] stride=[], int[${rank}] padding=0, bool ceil_mode=False, bool count_include_pad=True${divisor}`;
  const windows = (
    kernelSize: Ints,
    stride: Ints,
    padding: Ints | number,
    include: boolean,
    over: number | null,
  ): Windows => {
    const k = perDim(name, "kernel_size", kernelSize, rank);
    if (over === 0) throw new RuntimeError("divisor must be not zero");
    return {
      kernel: k,
      stride: stride.length === 0 ? k : perDim(name, "stride", stride, rank),
      padding: perDim(name, "padding", list(padding), rank),
      dilation: k.map(() => 1),
      countIncludePad: include,
      divisor: over,
    };
  };
  return {
    [name]: [op({
      schema: `${name}(Tensor self, ${params}) -> Tensor`,
      impl: (
        self: Tensor,
        k: Ints,
        s: Ints,
        p: Ints | number,
        ceil: boolean,
        include: boolean,
        over: number | null = null,
      ) => {
        const w = windows(k, s, p, include, over);
        checkWindows(name, self, rank, w);
        if (self.dtype.kind < Kind.float && self.dtype !== int64) {
          throw new RuntimeError(`"${name}" not implemented for '${self.dtype.scalarName}'`);
        }
        // int64 is exact in double below 2^53; the quotient is cut, as PyTorch does.
        const x = self.dtype === int64 ? self.double() : self;
        const out = emptyTensor(outSizes(self, rank, w, ceil), x.dtype, self.storage.backend);
        if (out.count > 0) launch(AVG, rank, packed(x), out, null, w);
        return self.dtype === int64 ? out.to(int64) : out;
      },
      only: "hidden",
      node: `AvgPool${rank}DBackward0`,
      derivative: {
        self: (c) =>
          fn[backward]!(
            c.grad,
            c.sizesOf("self"),
            c.kernel_size,
            c.stride,
            c.padding,
            c.ceil_mode,
            c.count_include_pad,
            c.divisor_override ?? null,
          ),
      },
      doc: `${rank}-D average pooling.`,
    })],
    [backward]: [op({
      schema:
        `${backward}(Tensor grad_output, int[] sizes, int[] kernel_size, int[] stride, Any padding, bool ceil_mode, bool count_include_pad, int? divisor_override) -> Tensor`,
      impl: (
        grad: Tensor,
        sizes: Ints,
        k: Ints,
        s: Ints,
        p: Ints | number,
        _ceil: boolean,
        include: boolean,
        over: number | null,
      ) => {
        const out = emptyTensor(sizes, grad.dtype, grad.storage.backend);
        if (out.count > 0) {
          launch(AVG_BACKWARD, rank, out, packed(grad), null, windows(k, s, p, include, over));
        }
        return out;
      },
      only: "hidden",
      derivative: {
        grad_output: (c) =>
          fn[name]!(
            c.grad,
            c.kernel_size,
            c.stride,
            list(c.padding),
            c.ceil_mode,
            c.count_include_pad,
            ...(rank === 1 ? [] : [c.divisor_override]),
          ),
      },
      doc: `Gradient of ${name}.`,
    })],
  };
}

/** Output sizes of adaptive pooling; null keeps the input's. */
function adaptiveSizes(name: string, self: Tensor, size: readonly (number | null)[], rank: number): number[] {
  const n = self.sizes.length;
  if (n !== rank + 1 && n !== rank + 2) {
    throw new RuntimeError(
      `${name}(): Expected ${rank + 1}D or ${rank + 2}D tensor, but got ${shapeText(self.sizes)}`,
    );
  }
  const want = size.length === 1 ? new Array<number | null>(rank).fill(size[0]!) : size;
  if (want.length !== rank) throw new RuntimeError(`${name}: output_size must be ${rank}`);
  const spatial = self.sizes.slice(n - rank);
  spatial.forEach((s, i) => {
    if (s === 0) {
      throw new RuntimeError(
        `${name}(): Expected input to have non-zero size for non-batch dimensions, but input has sizes ${
          shapeText(self.sizes)
        } with dimension ${i + n - rank} being empty`,
      );
    }
  });
  const out = want.map((s, i) => s ?? spatial[i]!);
  if (out.some((s) => s < 0)) {
    throw new RuntimeError(
      `${name}: elements of output_size must be greater than or equal to 0 but received ${shapeText(out)}`,
    );
  }
  return [...self.sizes.slice(0, n - rank), ...out];
}

function adaptive(rank: number): Record<string, readonly Row[]> {
  const avg = `adaptive_avg_pool${rank}d`,
    max = `adaptive_max_pool${rank}d`,
    back = `adaptive_avg_pool${rank}d_backward`;
  return {
    [avg]: [op({
      schema: `${avg}(Tensor self, Any output_size) -> Tensor`,
      impl: (self: Tensor, size: number | readonly (number | null)[] | null) => {
        const sizes = adaptiveSizes(avg, self, Array.isArray(size) ? size : [size as number | null], rank);
        if (self.dtype.kind < Kind.float) {
          throw new RuntimeError(
            `"adaptive_avg_pool${rank}d_cpu" not implemented for '${self.dtype.scalarName}'`,
          );
        }
        const out = emptyTensor(sizes, self.dtype, self.storage.backend);
        if (out.count > 0) launch(ADAPTIVE_AVG, rank, packed(self), out, null, NONE);
        return out;
      },
      only: "function",
      node: `AdaptiveAvgPool${rank}DBackward0`,
      derivative: { self: (c) => fn[back]!(c.grad, c.sizesOf("self")) },
      doc: `${rank}-D adaptive average pooling.`,
    })],
    [back]: [op({
      schema: `${back}(Tensor grad_output, int[] sizes) -> Tensor`,
      impl: (grad: Tensor, sizes: Ints) => {
        const out = emptyTensor(sizes, grad.dtype, grad.storage.backend);
        if (grad.count === 0) return out.zero_();
        if (out.count > 0) launch(ADAPTIVE_AVG_BACKWARD, rank, out, packed(grad), null, NONE);
        return out;
      },
      only: "hidden",
      derivative: { grad_output: (c) => fn[avg]!(c.grad, c.sizesOf("grad_output").slice(-rank)) },
      doc: `Gradient of ${avg}.`,
    })],
    [max]: [op({
      schema: `${max}(Tensor self, Any output_size) -> (Tensor, Tensor)`,
      impl: (self: Tensor, size: number | readonly (number | null)[] | null) => {
        const sizes = adaptiveSizes(max, self, Array.isArray(size) ? size : [size as number | null], rank);
        const out = emptyTensor(sizes, self.dtype, self.storage.backend);
        const indices = emptyTensor(sizes, int64, self.storage.backend);
        if (out.count > 0) launch(ADAPTIVE_MAX, rank, packed(self), out, indices, NONE);
        return [out, indices];
      },
      only: "function",
      node: `AdaptiveMaxPool${rank}DBackward0`,
      saves: ["result1"],
      derivative: { self: (c) => fn.max_pool_backward!(c.grad, c.sizesOf("self"), c.result1, rank) },
      doc: `${rank}-D adaptive max pooling and where the maxima are.`,
    })],
  };
}

export const pooling: Table = {
  ...maxPool(1),
  ...maxPool(2),
  ...maxPool(3),
  max_pool_backward: [op({
    schema: "max_pool_backward(Tensor grad_output, int[] sizes, Tensor indices, int rank) -> Tensor",
    impl: (grad: Tensor, sizes: Ints, indices: Tensor, rank: number) => {
      const out = emptyTensor(sizes, grad.dtype, grad.storage.backend);
      if (grad.count === 0) return out.zero_();
      if (out.count > 0) launch(MAX_BACKWARD, rank, out, packed(grad), packed(indices), NONE);
      return out;
    },
    only: "hidden",
    saves: ["indices"],
    derivative: {
      grad_output: (c: Ctx) => planeGather(c.grad, c.indices, c.rank),
      indices: "nonDifferentiable",
    },
    doc: "Gradient of max pooling: to where the maxima were.",
  })],
  ...avgPool(1),
  ...avgPool(2),
  ...avgPool(3),
  ...adaptive(1),
  ...adaptive(2),
  ...adaptive(3),
  max_unpool: [op({
    schema: "max_unpool(Tensor self, Tensor indices, int[] output_size) -> Tensor",
    impl: (self: Tensor, indices: Tensor, size: Ints) => {
      const rank = size.length;
      if (indices.dtype !== int64) {
        throw new RuntimeError(
          "elements in indices should be type int64 but got: " + indices.dtype.scalarName,
        );
      }
      if (
        !(self.sizes.length === indices.sizes.length && self.sizes.every((s, i) => s === indices.sizes[i]))
      ) {
        throw new RuntimeError(
          `Expected shape of indices to be same as that of the input tensor (${
            shapeText(self.sizes)
          }) but got indices tensor with shape: ${shapeText(indices.sizes)}`,
        );
      }
      const out = emptyTensor(
        [...self.sizes.slice(0, self.sizes.length - rank), ...size],
        self.dtype,
        self.storage.backend,
      );
      if (self.count === 0) return out.zero_();
      try {
        launch(UNPOOL, rank, out, packed(self), packed(indices), NONE);
      } catch (e) {
        if (e instanceof RangeError && "info" in e) {
          const info = e.info as number[];
          throw new RuntimeError(
            `Found an invalid max index: ${info[0]} (output volumes are of size ${size.join("x")}`,
          );
        }
        throw e;
      }
      return out;
    },
    only: "hidden",
    node: "MaxUnpool2DBackward0",
    saves: ["indices"],
    derivative: {
      self: (c) => fn.max_unpool_backward!(c.grad, c.indices, c.output_size.length),
      indices: "nonDifferentiable",
    },
    doc: "Puts values where max pooling found them.",
  })],
  max_unpool_backward: [op({
    schema: "max_unpool_backward(Tensor grad_output, Tensor indices, int rank) -> Tensor",
    impl: (grad: Tensor, indices: Tensor, rank: number) => {
      const out = emptyTensor(indices.sizes, grad.dtype, grad.storage.backend);
      if (out.count > 0) launch(UNPOOL_BACKWARD, rank, packed(grad), out, packed(indices), NONE);
      return out;
    },
    only: "hidden",
    saves: ["indices"],
    derivative: {
      grad_output: (c) => fn.max_unpool!(c.grad, c.indices, c.sizesOf("grad_output").slice(-c.rank)),
      indices: "nonDifferentiable",
    },
    doc: "Gradient of max_unpool.",
  })],
};
