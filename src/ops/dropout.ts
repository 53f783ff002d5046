/**
 * Dropout and the randomized leaky ReLU.
 *
 * @module
 */
import { RANDOM_OP } from "../_gen/kernels.ts";
import { cpuBackend } from "../backend/wasm.ts";
import { Kind, uint8 } from "../base/dtype.ts";
import { RuntimeError } from "../base/errors.ts";
import type { Generator } from "../base/generator.ts";
import { type Scalar, toNumber } from "../base/scalar.ts";
import { sameSizes, shapeText } from "../base/size.ts";
import { fn } from "../dispatch/functions.ts";
import { emptyTensor, packed } from "../dispatch/iterator.ts";
import { begin, kernel } from "../dispatch/launch.ts";
import { type Ctx, op, type Table } from "../dispatch/op.ts";
import type { Tensor } from "../tensor.ts";
import { copyInto } from "./copy.ts";
import { withParams } from "./elementwise.ts";
import { fillRandom, onCpu, onDeviceOf, stateOf, streamed } from "./random_fill.ts";
import { refuse } from "./refuse.ts";
import { deliver } from "./updating.ts";

const DROPOUT = kernel("tc_dropout");
const DROPOUT_BACKWARD = kernel("tc_dropout_backward");
const RRELU = kernel("tc_rrelu");

function checkProbability(p: number): void {
  if (!(p >= 0 && p <= 1)) {
    throw new RuntimeError(`dropout probability has to be between 0 and 1, but got ${streamed(p)}`);
  }
}

/** Noise and scale go together only in floating point. */
function checkDtype(self: Tensor): void {
  if (self.dtype.kind < Kind.float) {
    throw new RuntimeError(
      `result type Float can't be cast to the desired output type ${self.dtype.scalarName}`,
    );
  }
  if (self.dtype.kind === Kind.complex) {
    refuse("bernoulli_scalar_cpu_", self.dtype);
  }
}

/** out = in * (mask / (1 - p)) with a new mask; both contiguous. */
function masked(self: Tensor, p: number): [Tensor, Tensor] {
  const backend = self.storage.backend;
  const out = emptyTensor(self.sizes, self.dtype, backend);
  if (backend === cpuBackend) {
    const mask = emptyTensor(self.sizes, uint8, backend);
    const input = packed(self);
    const state = stateOf(null, self);
    if (self.count >= 1 << 15) backend.expectWork();
    begin(DROPOUT, backend).i(state).i(self.dtype.code).p(input).p(out).p(mask).i(self.count).d(p).run();
    return [out, mask];
  }
  const drawn = emptyTensor(self.sizes, uint8, cpuBackend);
  if (backend.hasData) fillRandom(drawn, null, { op: RANDOM_OP.BERNOULLI, a: 1 - p });
  const mask = onDeviceOf(self, drawn);
  return [maskedBackward(self, mask, p), mask];
}

function maskedBackward(grad: Tensor, mask: Tensor, p: number): Tensor {
  const backend = grad.storage.backend;
  const out = emptyTensor(grad.sizes, grad.dtype, backend);
  if (out.count === 0 || !backend.hasData) return out;
  if (grad.count >= 1 << 15) backend.expectWork();
  begin(DROPOUT_BACKWARD, backend).i(0).i(grad.dtype.code).p(packed(grad)).p(out).p(mask).i(grad.count).d(p)
    .run();
  return out;
}

/** Noise of 0 and 1 / (1 - p): for every element, or one number for each channel. */
function noiseFor(self: Tensor, p: number, channels: boolean, alpha: boolean): Tensor {
  checkDtype(self);
  if (channels && self.sizes.length < 2) {
    throw new RuntimeError("Feature dropout requires at least 2 dimensions in the input");
  }
  const sizes = channels ? self.sizes.map((s, i) => (i < 2 ? s : 1)) : self.sizes;
  const noise = self.new_empty(sizes).bernoulli_(1 - p);
  return alpha ? noise : noise.div_(1 - p);
}

interface Kind4 {
  channels: boolean;
  alpha: boolean;
}

/** Dropped elements of SELU's activations go to its negative limit; this is -scale * alpha of that function. */
const ALPHA = 1.7580993408473766;

/** The dropout family apart from plain dropout, in PyTorch's steps (ATen/native/Dropout.cpp). */
function apply(self: Tensor, p: number, train: boolean, kind: Kind4, inplace: boolean): Tensor {
  checkProbability(p);
  if (p === 0 || !train || self.count === 0) return self;
  const times = (noise: Tensor): Tensor => inplace ? self.mul_(noise) : self.mul(noise);
  if (p === 1) return times(self.new_zeros([]));
  const noise = noiseFor(self, p, kind.channels, kind.alpha);
  if (!kind.alpha) return times(noise);
  const a = 1 / Math.sqrt((ALPHA * ALPHA * p + 1) * (1 - p));
  const b = noise.add(-1).mul_(ALPHA * a).add_(ALPHA * a * p);
  const scaled = times(noise.mul_(a));
  return inplace ? scaled.add_(b) : scaled.add(b);
}

/** `name` and `name_`, as functions. */
function pair(name: string, kind: Kind4, doc: string): Table {
  const row = (inplace: boolean) =>
    op({
      schema: `${name}${inplace ? "_" : ""}(Tensor input, float p, bool train) -> Tensor`,
      composite: (input: Tensor, p: number, train: boolean) => apply(input, p, train, kind, inplace),
      only: "function",
      doc,
    });
  return { [name]: [row(false)], [`${name}_`]: [row(true)] };
}

function rrelu(
  self: Tensor,
  noise: Tensor,
  lower: Scalar,
  upper: Scalar,
  training: boolean,
  g: Generator | null,
): Tensor {
  const lo = toNumber(lower), hi = toNumber(upper);
  if (!sameSizes(self.sizes, noise.sizes)) {
    throw new RuntimeError(
      `noise tensor shape must match self tensor shape. Got self.shape = ${
        shapeText(self.sizes)
      } noise.shape = ${shapeText(noise.sizes)}`,
    );
  }
  if (!training) return withParams("leaky_relu", self, [(lo + hi) / 2]);
  if (self.dtype.kind !== Kind.float) {
    refuse("rrelu_with_noise_out_cpu", self.dtype);
  }
  if (lo > hi) throw new RuntimeError("Lower bound should be less than or equal to the upper bound");
  const backend = self.storage.backend;
  if (self.count === 0 || !backend.hasData) return emptyTensor(self.sizes, self.dtype, backend);
  const input = onCpu(self);
  const out = emptyTensor(self.sizes, self.dtype, cpuBackend);
  const drawn = noise.packed && noise.storage.backend === cpuBackend
    ? noise
    : emptyTensor(self.sizes, self.dtype, cpuBackend);
  const state = stateOf(g, self);
  begin(RRELU, cpuBackend).i(state).i(self.dtype.code).p(input).p(out).p(drawn).i(self.count).d(lo).d(hi)
    .run();
  if (drawn !== noise) copyInto(noise, drawn);
  return deliver(onDeviceOf(self, out));
}

function rreluBackward(c: Ctx): Tensor {
  const lo = toNumber(c.lower), hi = toNumber(c.upper);
  // A fixed slope has no noise to remember.
  if (c.training && hi - lo > 1e-6) return c.grad.mul(c.noise);
  return c.grad.where(c.self.gt(0), c.grad.mul((lo + hi) / 2));
}

export const dropouts: Table = {
  native_dropout: [op({
    schema: "native_dropout(Tensor input, float p, bool? train) -> (Tensor, Tensor)",
    impl: (input: Tensor, p: number, train: boolean | null) => {
      if (train === false || input.count === 0) {
        return [input.clone(), fn.ones_like!(input, { dtype: uint8 })];
      }
      return masked(input, p);
    },
    only: "function",
    // PyTorch's CPU dropout multiplies by noise.
    node: "MulBackward0",
    saves: ["result1"],
    derivative: {
      input: (c) => c.train === false ? c.grad : fn.native_dropout_backward!(c.grad, c.result1, c.p),
    },
    doc: "Dropout in one pass, and the mask of what was kept.",
  })],
  native_dropout_backward: [op({
    schema: "native_dropout_backward(Tensor grad_output, Tensor mask, float p) -> Tensor",
    impl: maskedBackward,
    only: "hidden",
    saves: ["mask"],
    derivative: {
      grad_output: (c) => fn.native_dropout_backward!(c.grad, c.mask, c.p),
      mask: "nonDifferentiable",
    },
    doc: "Dropout with a given mask.",
  })],
  dropout: [op({
    schema: "dropout(Tensor input, float p, bool train) -> Tensor",
    composite: (input: Tensor, p: number, train: boolean) => {
      checkProbability(p);
      if (p === 0 || !train || input.count === 0) return input;
      if (p === 1) return input.mul(input.new_zeros([]));
      checkDtype(input);
      return fn.native_dropout!(input, p, true)[0];
    },
    only: "function",
    doc: "Zeroes elements with probability `p` while training and scales the rest by 1 / (1 - p).",
  })],
  dropout_: [op({
    schema: "dropout_(Tensor input, float p, bool train) -> Tensor",
    composite: (input: Tensor, p: number, train: boolean) =>
      apply(input, p, train, { channels: false, alpha: false }, true),
    only: "function",
    doc: "Dropout in place.",
  })],
  ...pair("feature_dropout", { channels: true, alpha: false }, "Dropout of whole channels."),
  ...pair(
    "alpha_dropout",
    { channels: false, alpha: true },
    "Dropout that keeps mean and variance of self-normalizing activations.",
  ),
  ...pair("feature_alpha_dropout", { channels: true, alpha: true }, "Alpha dropout of whole channels."),
  rrelu_with_noise: [op({
    schema:
      "rrelu_with_noise(Tensor self, Tensor noise, Scalar lower=0.125, Scalar upper=0.3333333333333333, bool training=False, Generator? generator=None) -> Tensor",
    impl: rrelu,
    direct: true,
    inplace: true,
    only: "hidden",
    saves: ["self", "noise"],
    derivative: { self: rreluBackward, noise: "nonDifferentiable" },
    doc: "The randomized leaky ReLU; writes its slopes into `noise`.",
  })],
  rrelu: [op({
    schema:
      "rrelu(Tensor self, Scalar lower=0.125, Scalar upper=0.3333333333333333, bool training=False, Generator? generator=None) -> Tensor",
    composite: (self: Tensor, lower: Scalar, upper: Scalar, training: boolean, g: Generator | null) =>
      fn.rrelu_with_noise!(self, fn.empty_like!(self), lower, upper, training, g),
    only: "function",
    doc: "Leaky ReLU with random slopes while training.",
  })],
  rrelu_: [op({
    schema:
      "rrelu_(Tensor self, Scalar lower=0.125, Scalar upper=0.3333333333333333, bool training=False, Generator? generator=None) -> Tensor",
    composite: (self: Tensor, lower: Scalar, upper: Scalar, training: boolean, g: Generator | null) =>
      self.rrelu_with_noise_(fn.empty_like!(self), lower, upper, training, g),
    only: "function",
    doc: "The randomized leaky ReLU in place.",
  })],
};
