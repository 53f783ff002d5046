/**
 * Padding, pixel and channel shuffles, distances between vectors.
 *
 * @module
 */
import { Kind } from "../base/dtype.ts";
import { NotImplementedError, RuntimeError } from "../base/errors.ts";
import type { Scalar } from "../base/scalar.ts";
import { numelOf, shapeText } from "../base/size.ts";
import { fn } from "../dispatch/functions.ts";
import { emptyTensor, runCopy } from "../dispatch/iterator.ts";
import { op, type Table } from "../dispatch/op.ts";
import { alias, type Tensor } from "../tensor.ts";
import { fillTensor } from "./creation.ts";

type Ints = readonly number[];

/** Padding of dimension `d` in PyTorch's order: the last dimension first, (before, after). */
function padOf(pad: Ints, rank: number, d: number): [before: number, after: number] {
  const at = (rank - 1 - d) * 2;
  return at < pad.length ? [pad[at]!, pad[at + 1]!] : [0, 0];
}

function constantPad(self: Tensor, pad: Ints, value: Scalar): Tensor {
  const rank = self.sizes.length;
  if (pad.length % 2 !== 0) {
    throw new RuntimeError(`Length of pad must be even but instead it equals ${pad.length}`);
  }
  if (pad.length > 2 * rank) {
    throw new RuntimeError(
      `Length of pad should be no more than twice the number of dimensions of the input. Pad length is ${pad.length} while the input has ${rank} dimensions.`,
    );
  }
  const sizes: number[] = [], inner: number[] = [];
  let from = self.offset, to = 0;
  const places: { d: number; skip: number; put: number }[] = [];
  for (let d = 0; d < rank; d++) {
    const [before, after] = padOf(pad, rank, d);
    const size = self.sizes[d]! + before + after;
    if (size < 0) {
      throw new RuntimeError(
        `The input size ${
          self.sizes[d]
        }, plus negative padding ${before} and ${after}, resulted in a negative output size, which is invalid. Check dimension ${d} of your input.`,
      );
    }
    sizes.push(size);
    const skip = Math.max(0, -before);
    inner.push(Math.max(0, self.sizes[d]! - skip - Math.max(0, -after)));
    places.push({ d, skip, put: Math.max(0, before) });
  }
  const out = fillTensor(emptyTensor(sizes, self.dtype, self.storage.backend), value);
  for (const { d, skip, put } of places) {
    from += skip * self.strides[d]!;
    to += put * out.strides[d]!;
  }
  if (numelOf(inner) > 0) runCopy(alias(out, inner, out.strides, to), alias(self, inner, self.strides, from));
  return out;
}

/** Which input index each output index along a padded dimension shows. */
function mirrored(mode: string, n: number, before: number, after: number): number[] {
  return Array.from({ length: n + before + after }, (_, i) => {
    const k = i - before;
    if (mode === "replicate") return Math.min(Math.max(k, 0), n - 1);
    if (mode === "circular") return ((k % n) + n) % n;
    return k < 0 ? -k : k >= n ? 2 * (n - 1) - k : k;
  });
}

function padBySelecting(self: Tensor, pad: Ints, mode: string): Tensor {
  const rank = self.sizes.length, spatial = pad.length / 2;
  if (
    !((pad.length === 2 && (rank === 2 || rank === 3)) || (pad.length === 4 && (rank === 3 || rank === 4)) ||
      (pad.length === 6 && (rank === 4 || rank === 5)))
  ) {
    throw new NotImplementedError(
      "Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now",
    );
  }
  let out = self;
  for (let d = rank - 1; d >= rank - spatial; d--) {
    const [before, after] = padOf(pad, rank, d);
    if (before === 0 && after === 0) continue;
    const n = self.sizes[d]!;
    if (mode === "reflect" && (before >= n || after >= n)) {
      throw new RuntimeError(
        `Argument #4: Padding size should be less than the corresponding input dimension, but got: padding (${before}, ${after}) at dimension ${d} of input ${
          shapeText(self.sizes)
        }`,
      );
    }
    if (mode === "circular" && (before > n || after > n)) {
      throw new RuntimeError("Padding value causes wrapping around more than once.");
    }
    if (n + before + after < 1) {
      throw new RuntimeError(
        `input (${self.sizes.slice(rank - spatial).map((s) => s).join(", ")}) is too small for padding ${
          shapeText(pad)
        }`,
      );
    }
    // Circular padding wraps what is left after cutting; the others look at the whole input.
    const cut = mode === "circular" ? [Math.max(0, -before), Math.max(0, -after)] as const : [0, 0] as const;
    const base = cut[0] + cut[1] > 0 ? out.narrow(d, cut[0], n - cut[0] - cut[1]) : out;
    const places = mode === "circular"
      ? mirrored(mode, base.sizes[d]!, Math.max(0, before), Math.max(0, after))
      : mirrored(mode, n, before, after);
    out = base.index_select(d, self.new_tensor(places.map(BigInt), { dtype: null }));
  }
  return out === self ? self.clone() : out;
}

function shuffled(self: Tensor, factor: number): Tensor {
  if (self.sizes.length < 3) {
    throw new RuntimeError(
      `pixel_shuffle expects input to have at least 3 dimensions, but got input with ${self.sizes.length} dimension(s)`,
    );
  }
  if (factor <= 0) {
    throw new RuntimeError(`pixel_shuffle expects a positive upscale_factor, but got ${factor}`);
  }
  const [c, h, w] = self.sizes.slice(-3) as [number, number, number];
  if (c % (factor * factor) !== 0) {
    throw new RuntimeError(
      `pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, but input.size(-3)=${c} is not divisible by ${
        factor * factor
      }`,
    );
  }
  const lead = self.sizes.slice(0, -3), n = lead.length, oc = c / (factor * factor);
  const order = [...lead.map((_, i) => i), n, n + 3, n + 1, n + 4, n + 2];
  return self.reshape([...lead, oc, factor, factor, h, w]).permute(order).reshape([
    ...lead,
    oc,
    h * factor,
    w * factor,
  ]);
}

function unshuffled(self: Tensor, factor: number): Tensor {
  if (self.sizes.length < 3) {
    throw new RuntimeError(
      `pixel_unshuffle expects input to have at least 3 dimensions, but got input with ${self.sizes.length} dimension(s)`,
    );
  }
  if (factor <= 0) {
    throw new RuntimeError(`pixel_unshuffle expects a positive downscale_factor, but got ${factor}`);
  }
  const [c, h, w] = self.sizes.slice(-3) as [number, number, number];
  if (h % factor !== 0) {
    throw new RuntimeError(
      `pixel_unshuffle expects height to be divisible by downscale_factor, but input.size(-2)=${h} is not divisible by ${factor}`,
    );
  }
  if (w % factor !== 0) {
    throw new RuntimeError(
      `pixel_unshuffle expects width to be divisible by downscale_factor, but input.size(-1)=${w} is not divisible by ${factor}`,
    );
  }
  const lead = self.sizes.slice(0, -3), n = lead.length;
  const order = [...lead.map((_, i) => i), n, n + 2, n + 4, n + 1, n + 3];
  return self.reshape([...lead, c, h / factor, factor, w / factor, factor]).permute(order).reshape([
    ...lead,
    c * factor * factor,
    h / factor,
    w / factor,
  ]);
}

function channelShuffle(self: Tensor, groups: number): Tensor {
  if (self.sizes.length < 3) {
    throw new RuntimeError(
      `channel_shuffle expects input with > 2 dims, but got input with sizes ${shapeText(self.sizes)}`,
    );
  }
  const [n, c, ...rest] = self.sizes as [number, number, ...number[]];
  if (groups <= 0) {
    throw new RuntimeError(
      `Number of groups to divide channels in must be positive. Value of groups:${groups}`,
    );
  }
  if (c % groups !== 0) {
    throw new RuntimeError(
      `Number of channels must be divisible by groups. Got ${c} channels and ${groups} groups.`,
    );
  }
  return self.reshape([n, groups, c / groups, ...rest]).transpose(1, 2).reshape(self.sizes);
}

export const paddings: Table = {
  constant_pad_nd: [op({
    schema: "constant_pad_nd(Tensor self, int[] pad, Scalar value=0) -> Tensor",
    impl: constantPad,
    plain: true,
    only: "function",
    derivative: { self: (c) => fn.constant_pad_nd!(c.grad, c.pad.map((p: number) => -p), 0) },
    doc: "Pads with a constant; negative padding cuts.",
  })],
  pad: [op({
    schema: "pad(Tensor self, int[] pad, str mode='constant', float? value=None) -> Tensor",
    composite: (self: Tensor, pad: Ints, mode: string, value: number | null) => {
      if (pad.length % 2 !== 0) throw new RuntimeError("Padding length must be divisible by 2");
      if (pad.length > 2 * self.sizes.length) throw new RuntimeError("Padding length too large");
      if (mode === "constant") return fn.constant_pad_nd!(self, pad, value ?? 0);
      if (value !== null && value !== 0) {
        throw new RuntimeError(`Padding mode "${mode}" doesn't take in value argument`);
      }
      if (mode !== "reflect" && mode !== "replicate" && mode !== "circular") {
        throw new NotImplementedError(`Unrecognised padding mode ${mode}`);
      }
      return padBySelecting(self, pad, mode);
    },
    only: "hidden",
    doc: "Pads the last dimensions.",
  })],
  pixel_shuffle: [op({
    schema: "pixel_shuffle(Tensor self, int upscale_factor) -> Tensor",
    composite: shuffled,
    only: "function",
    doc: "Channels into pixels.",
  })],
  pixel_unshuffle: [op({
    schema: "pixel_unshuffle(Tensor self, int downscale_factor) -> Tensor",
    composite: unshuffled,
    only: "function",
    doc: "Pixels into channels.",
  })],
  channel_shuffle: [op({
    schema: "channel_shuffle(Tensor self, int groups) -> Tensor",
    composite: channelShuffle,
    only: "function",
    aliases: ["native_channel_shuffle"],
    doc: "Mixes the channels of groups.",
  })],
  bilinear: [op({
    schema: "bilinear(Tensor input1, Tensor input2, Tensor weight, Tensor? bias=None) -> Tensor",
    composite: (a: Tensor, b: Tensor, weight: Tensor, bias: Tensor | null) => {
      if (a.sizes.length !== b.sizes.length) {
        throw new RuntimeError(
          `bilinear(): input dimensions do not match: got ${a.sizes.length} and ${b.sizes.length}`,
        );
      }
      a.sizes.slice(0, -1).forEach((s, i) => {
        if (s !== b.sizes[i]) {
          throw new RuntimeError(
            `bilinear(): input batch dimensions do not match at dim ${i}: got ${s} and ${b.sizes[i]}`,
          );
        }
      });
      const [o, p, q] = weight.sizes as [number, number, number];
      if (a.sizes.at(-1) !== p) {
        throw new RuntimeError(
          `bilinear(): input1 size does not match weight size: got ${a.sizes.at(-1)} but expected ${p}`,
        );
      }
      if (b.sizes.at(-1) !== q) {
        throw new RuntimeError(
          `bilinear(): input2 size does not match weight size: got ${b.sizes.at(-1)} but expected ${q}`,
        );
      }
      if (bias !== null && bias.sizes[0] !== o) {
        throw new RuntimeError(
          `bilinear(): bias size does not match weight size: got ${bias.sizes[0]} but expected ${o}`,
        );
      }
      // (rows, p) x (p, o q) -> (rows, o, q), then times input2 over q.
      const rows = numelOf(a.sizes.slice(0, -1));
      const x = a.reshape([rows, p]), y = b.reshape([rows, q]);
      const left = x.mm(weight.permute([1, 0, 2]).reshape([p, o * q])).reshape([rows, o, q]);
      const out = left.matmul(y.unsqueeze(-1)).squeeze(-1).reshape([...a.sizes.slice(0, -1), o]);
      return bias === null ? out : out.add(bias);
    },
    only: "function",
    doc: "x1^T W x2 + b.",
  })],
  conv_tbc: [op({
    schema: "conv_tbc(Tensor self, Tensor weight, Tensor bias, int pad=0) -> Tensor",
    composite: (self: Tensor, weight: Tensor, bias: Tensor, pad: number) => {
      if (self.sizes.length !== 3) throw new RuntimeError("Input must have 3 dims: time, batch, in_channel");
      if (weight.sizes.length !== 3) {
        throw new RuntimeError("Weight tensor must have 3 dims: kernel_width, in_channels, out_channels.");
      }
      if (bias.sizes.length !== 1) throw new RuntimeError("Bias must be 1-D");
      const out = fn.conv1d!(self.permute([1, 2, 0]), weight.permute([2, 1, 0]), bias, 1, pad) as Tensor;
      return out.permute([2, 0, 1]);
    },
    only: "function",
    doc: "1-D convolution of (time, batch, channel) input.",
  })],
  cosine_similarity: [op({
    schema: "cosine_similarity(Tensor x1, Tensor x2, int dim=1, float eps=1e-08) -> Tensor",
    composite: (a: Tensor, b: Tensor, dim: number, eps: number) => {
      const dtype = fn.result_type!(a, b) as never as Tensor["dtype"];
      if (dtype.kind < Kind.float) {
        throw new RuntimeError(
          `expected common dtype to be floating point, yet common dtype is ${dtype.scalarName}`,
        );
      }
      const x = a.to(dtype), y = b.to(dtype);
      const [u, v] = fn.broadcast_tensors!([x, y]) as unknown as [Tensor, Tensor];
      const n1 = u.norm(2, dim, true).clamp_min(eps), n2 = v.norm(2, dim, true).clamp_min(eps);
      return u.div(n1).mul(v.div(n2)).sum(dim);
    },
    only: "function",
    doc: "Cosine of the angle between vectors along a dimension.",
  })],
  pairwise_distance: [op({
    schema:
      "pairwise_distance(Tensor x1, Tensor x2, float p=2, float eps=1e-06, bool keepdim=False) -> Tensor",
    composite: (a: Tensor, b: Tensor, p: number, eps: number, keepdim: boolean) => {
      const rank = Math.max(a.sizes.length, b.sizes.length);
      return a.sub(b).add(eps).norm(p, rank - 1, keepdim);
    },
    only: "function",
    doc: "p-norm distance of paired vectors.",
  })],
  pdist: [op({
    schema: "pdist(Tensor self, float p=2) -> Tensor",
    composite: (self: Tensor, p: number) => {
      if (self.sizes.length !== 2) {
        throw new RuntimeError(`pdist only supports 2D tensors, got: ${self.sizes.length}D`);
      }
      if (self.dtype.kind < Kind.float) throw new RuntimeError("pdist only supports floating-point dtypes");
      if (p < 0) throw new RuntimeError("pdist only supports non-negative p values");
      const n = self.sizes[0]!;
      const left: bigint[] = [], right: bigint[] = [];
      for (let i = 0; i < n; i++) {
        for (let j = i + 1; j < n; j++) {
          left.push(BigInt(i));
          right.push(BigInt(j));
        }
      }
      if (left.length === 0) return self.narrow(0, 0, 0).sum(1);
      const pick = (rows: bigint[]): Tensor => self.index_select(0, self.new_tensor(rows, { dtype: null }));
      return pick(left).sub(pick(right)).norm(p, 1);
    },
    only: "function",
    doc: "Distances between all pairs of rows.",
  })],
};
