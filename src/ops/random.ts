/**
 * Random numbers, in PyTorch's CPU streams on every device: tensors of other devices get what the CPU drew.
 *
 * @module
 */
import { backendOf } from "../backend/registry.ts";
import { cpuBackend } from "../backend/wasm.ts";
import type { Device } from "../base/device.ts";
import { type DType, get_default_dtype, int64, Kind } from "../base/dtype.ts";
import { RuntimeError } from "../base/errors.ts";
import type { Generator } from "../base/generator.ts";
import { sameSizes } from "../base/size.ts";
import { emptyLike, emptyTensor } from "../dispatch/iterator.ts";
import { begin, kernel } from "../dispatch/launch.ts";
import { op, type Row, type Table } from "../dispatch/op.ts";
import { broadcast2 } from "../dispatch/promotion.ts";
import type { Tensor } from "../tensor.ts";
import { filled, OPTIONS } from "./creation.ts";
import { type Integer, outsideInts } from "./random_bounds.ts";
import { fillInPlace, onCpu, onDeviceOf, stateOf } from "./random_fill.ts";
import {
  bernoulliEach,
  bernoulliNumber,
  needFloat,
  normal_,
  random_,
  refuseComplex,
  refused,
  uniform_,
  zeros,
} from "./random_inplace.ts";
import { refuse } from "./refuse.ts";

const POISSON = kernel("tc_poisson");
const BINOMIAL = kernel("tc_binomial");
const MULTINOMIAL = kernel("tc_multinomial");
const RANDPERM = kernel("tc_randperm");

type Gen = Generator | null;
type Sizes = readonly number[];

/** A factory: a new tensor, filled by `draw`. */
const factory = (
  name: string,
  draw: (t: Tensor, generator: Gen) => void,
  doc: string,
): Row =>
  op({
    schema: `${name}(int[] size, *, Generator? generator=None, ${OPTIONS}) -> Tensor`,
    impl: (
      size: Sizes,
      generator: Gen,
      dtype: DType | null,
      _l: unknown,
      device: Device | null,
      _p: unknown,
      grad: boolean,
    ) => {
      const t = filled(size, null, dtype ?? get_default_dtype(), backendOf(device), false);
      draw(t, generator);
      return t.requires_grad_(grad);
    },
    varargs: "size",
    only: "function",
    doc,
  });

type LikeOptions = [DType | null, unknown, Device | null, unknown, boolean, unknown];

function like(self: Tensor, o: LikeOptions, draw: (t: Tensor) => void): Tensor {
  const [dtype, , device, , grad] = o;
  const t = emptyLike(self, dtype ?? self.dtype, device === null ? self.storage.backend : backendOf(device));
  draw(t);
  return t.requires_grad_(grad);
}

const LIKE_OPTIONS = `${OPTIONS}, Any memory_format=None`;

function randint(
  low: Integer,
  high: Integer,
  size: Sizes,
  generator: Gen,
  dtype: DType | null,
  device: Device | null,
  grad: boolean,
): Tensor {
  const t = filled(size, null, dtype ?? int64, backendOf(device), false);
  random_(t, low, high, generator);
  return t.requires_grad_(grad);
}

function randperm(
  n: Integer,
  generator: Gen,
  dtype: DType | null,
  device: Device | null,
  grad: boolean,
): Tensor {
  const d = dtype ?? int64;
  const count = Number(n);
  const t = filled([count], null, d, backendOf(device), false);
  if (d.kind === Kind.complex || d.name === "bool") {
    refuse("randperm", d);
  }
  const wrong = outsideInts(d, count);
  if (wrong !== null) throw new RuntimeError(wrong);
  fillInPlace(t, (flat) => {
    const state = stateOf(generator, t);
    begin(RANDPERM, cpuBackend).i(state).i(d.code).p(flat).i(count).run();
  });
  return t.requires_grad_(grad);
}

/** Draws one number for each element of `p` into a tensor of `dtype`. */
function each(k: typeof POISSON, p: Tensor, count: Tensor | null, dtype: DType, generator: Gen): Tensor {
  if (p.count === 0 || !p.storage.backend.hasData) return emptyTensor(p.sizes, dtype, p.storage.backend);
  const out = emptyTensor(p.sizes, dtype, cpuBackend);
  const probabilities = onCpu(p), counts = count === null ? null : onCpu(count);
  const state = stateOf(generator, p);
  begin(k, cpuBackend).i(state).i(dtype.code).i(probabilities.dtype.code).p(out).p(probabilities).p(counts).i(
    out.count,
  )
    .run();
  return onDeviceOf(p, out);
}

function multinomial(self: Tensor, samples: number, replacement: boolean, generator: Gen): Tensor {
  const rank = self.sizes.length;
  if (rank !== 1 && rank !== 2) throw new RuntimeError("prob_dist must be 1 or 2 dim");
  if (self.dtype.kind !== Kind.float) {
    throw new RuntimeError(
      `multinomial only supports floating-point dtypes for input, got: ${self.dtype.scalarName}`,
    );
  }
  if (samples <= 0) throw new RuntimeError("cannot sample n_sample <= 0 samples");
  const n = self.sizes[rank - 1]!, rows = rank === 1 ? 1 : self.sizes[0]!;
  if (!replacement && samples > n) {
    throw new RuntimeError("cannot sample n_sample > prob_dist.size(-1) samples without replacement");
  }
  const sizes = rank === 1 ? [samples] : [rows, samples];
  if (!self.storage.backend.hasData || rows === 0) return emptyTensor(sizes, int64, self.storage.backend);
  const out = emptyTensor(sizes, int64, cpuBackend);
  const weights = onCpu(self);
  const state = stateOf(generator, self);
  refused(
    () =>
      begin(MULTINOMIAL, cpuBackend).i(0).i(state).i(self.dtype.code).p(weights).p(out).i(rows).i(n).i(
        samples,
      )
        .b(replacement).runWithScratch(),
    (which) =>
      which === 1
        ? "invalid multinomial distribution (sum of probabilities <= 0)"
        : replacement
        ? "invalid multinomial distribution (encountering probability entry < 0)"
        : "probability tensor contains either `inf`, `nan` or element < 0",
  );
  return onDeviceOf(self, out);
}

/** Standard normals of a shape and dtype; the caller scales and shifts them. */
function standard(sizes: Sizes, like: Tensor, generator: Gen): Tensor {
  const t = emptyTensor(sizes, like.dtype, like.storage.backend);
  normal_(t, 0, 1, generator);
  return t;
}

function checkStd(std: Tensor): void {
  if (std.count > 0 && std.storage.backend.hasData && !(std.min().item() >= 0)) {
    throw new RuntimeError("normal expects all elements of std >= 0.0");
  }
}

export const randoms: Table = {
  rand: [factory(
    "rand",
    (t, g) => uniform_(t, 0, 1, g),
    "Random numbers from the uniform distribution on [0, 1).",
  )],
  randn: [
    factory("randn", (t, g) => normal_(t, 0, 1, g), "Random numbers from the standard normal distribution."),
  ],
  randint: [
    op({
      schema: `randint(int high, int[] size, *, Generator? generator=None, ${OPTIONS}) -> Tensor`,
      impl: (
        high: Integer,
        size: Sizes,
        g: Gen,
        dtype: DType | null,
        _l: unknown,
        device: Device | null,
        _p: unknown,
        grad: boolean,
      ) => randint(0, high, size, g, dtype, device, grad),
      only: "function",
      doc: "Random integers from 0 up to, not including, `high`.",
    }),
    op({
      schema:
        `randint.low(int low, int high, int[] size, *, Generator? generator=None, ${OPTIONS}) -> Tensor`,
      impl: (
        low: Integer,
        high: Integer,
        size: Sizes,
        g: Gen,
        dtype: DType | null,
        _l: unknown,
        device: Device | null,
        _p: unknown,
        grad: boolean,
      ) => randint(low, high, size, g, dtype, device, grad),
      only: "function",
      doc: "Random integers from `low` up to, not including, `high`.",
    }),
  ],
  randperm: [op({
    schema: `randperm(int n, *, Generator? generator=None, ${OPTIONS}) -> Tensor`,
    impl: (
      n: Integer,
      g: Gen,
      dtype: DType | null,
      _l: unknown,
      device: Device | null,
      _p: unknown,
      grad: boolean,
    ) => randperm(n, g, dtype, device, grad),
    only: "function",
    doc: "A random permutation of 0 ... n - 1.",
  })],
  rand_like: [op({
    schema: `rand_like(Tensor self, *, ${LIKE_OPTIONS}) -> Tensor`,
    impl: (self: Tensor, ...o: LikeOptions) => like(self, o, (t) => uniform_(t, 0, 1, null)),
    only: "function",
    doc: "Uniform random numbers in the shape of a tensor.",
  })],
  randn_like: [op({
    schema: `randn_like(Tensor self, *, ${LIKE_OPTIONS}) -> Tensor`,
    impl: (self: Tensor, ...o: LikeOptions) => like(self, o, (t) => normal_(t, 0, 1, null)),
    only: "function",
    doc: "Normal random numbers in the shape of a tensor.",
  })],
  randint_like: [
    op({
      schema: `randint_like(Tensor self, int high, *, ${LIKE_OPTIONS}) -> Tensor`,
      impl: (self: Tensor, high: Integer, ...o: LikeOptions) =>
        like(self, o, (t) => random_(t, 0, high, null)),
      only: "function",
      doc: "Random integers in the shape of a tensor.",
    }),
    op({
      schema: `randint_like.low_dtype(Tensor self, int low, int high, *, ${LIKE_OPTIONS}) -> Tensor`,
      impl: (self: Tensor, low: Integer, high: Integer, ...o: LikeOptions) =>
        like(self, o, (t) => random_(t, low, high, null)),
      only: "function",
      doc: "Random integers in the shape of a tensor.",
    }),
  ],
  normal: [
    op({
      schema: "normal.Tensor_Tensor(Tensor mean, Tensor std, *, Generator? generator=None) -> Tensor",
      impl: (mean: Tensor, std: Tensor, g: Gen) => {
        checkStd(std);
        return standard(broadcast2(mean.sizes, std.sizes), mean, g).mul_(std).add_(mean);
      },
      only: "function",
      node: "NormalBackward3",
      derivative: {
        mean: (c) => c.grad.new_zeros(c.sizesOf("mean")),
        std: (c) => c.grad.new_zeros(c.sizesOf("std")),
      },
      doc: "Normal random numbers, each with its own mean and standard deviation.",
    }),
    op({
      schema: "normal.Tensor_float(Tensor mean, float std=1, *, Generator? generator=None) -> Tensor",
      impl: (mean: Tensor, std: number, g: Gen) => {
        const t = emptyTensor(mean.sizes, mean.dtype, mean.storage.backend);
        normal_(t, 0, std, g);
        return t.add_(mean);
      },
      only: "function",
      node: "NormalBackward1",
      derivative: { mean: (c) => c.grad.new_zeros(c.sizesOf("mean")) },
      doc: "Normal random numbers, each with its own mean.",
    }),
    op({
      schema: "normal.float_Tensor(float mean, Tensor std, *, Generator? generator=None) -> Tensor",
      impl: (mean: number, std: Tensor, g: Gen) => {
        checkStd(std);
        return standard(std.sizes, std, g).mul_(std).add_(mean);
      },
      only: "function",
      node: "NormalBackward2",
      derivative: { std: (c) => c.grad.new_zeros(c.sizesOf("std")) },
      doc: "Normal random numbers, each with its own standard deviation.",
    }),
    op({
      schema:
        `normal.float_float(float mean, float std, int[] size, *, Generator? generator=None, ${OPTIONS}) -> Tensor`,
      impl: (
        mean: number,
        std: number,
        size: Sizes,
        g: Gen,
        dtype: DType | null,
        _l: unknown,
        device: Device | null,
        _p: unknown,
        grad: boolean,
      ) => {
        const t = filled(size, null, dtype ?? get_default_dtype(), backendOf(device), false);
        normal_(t, mean, std, g);
        return t.requires_grad_(grad);
      },
      only: "function",
      doc: "Normal random numbers of one mean and standard deviation.",
    }),
  ],
  bernoulli: [
    op({
      schema: "bernoulli(Tensor self, *, Generator? generator=None) -> Tensor",
      impl: (self: Tensor, g: Gen) => {
        const t = emptyTensor(self.sizes, self.dtype, self.storage.backend);
        bernoulliEach(t, self, g);
        return t;
      },
      derivative: { self: zeros },
      doc: "1 at the probabilities in `self`, else 0.",
    }),
    op({
      schema: "bernoulli.p(Tensor self, float p, *, Generator? generator=None) -> Tensor",
      impl: (self: Tensor, p: number, g: Gen) => {
        const t = emptyTensor(self.sizes, self.dtype, self.storage.backend);
        bernoulliNumber(t, p, g);
        return t;
      },
      doc: "1 at probability `p`, else 0, in the shape of `self`.",
    }),
  ],
  poisson: [op({
    schema: "poisson(Tensor self, Generator? generator=None) -> Tensor",
    impl: (self: Tensor, g: Gen) => {
      needFloat(self.dtype, "poisson_cpu");
      refuseComplex(self.dtype, "poisson_cpu");
      let out: Tensor | undefined;
      refused(
        () => out = each(POISSON, self, null, self.dtype, g),
        () => "invalid Poisson rate, expected rate to be non-negative",
      );
      return out!;
    },
    only: "function",
    derivative: { self: zeros },
    doc: "Numbers from Poisson distributions with the rates in `self`.",
  })],
  binomial: [op({
    schema: "binomial(Tensor count, Tensor prob, Generator? generator=None) -> Tensor",
    impl: (count: Tensor, prob: Tensor, g: Gen) => {
      if (count.dtype !== prob.dtype) {
        throw new RuntimeError(`Found dtype ${prob.dtype.scalarName} but expected ${count.dtype.scalarName}`);
      }
      needFloat(count.dtype, "binomial_cpu");
      refuseComplex(count.dtype, "binomial_cpu");
      const wide = (t: Tensor): Tensor =>
        sameSizes(t.sizes, count.sizes) ? t : t.detach().expand(count.sizes);
      return each(BINOMIAL, wide(prob), count, count.dtype, g);
    },
    only: "function",
    derivative: { count: "notImplemented", prob: "notImplemented" },
    doc: "Numbers from binomial distributions.",
  })],
  multinomial: [op({
    schema:
      "multinomial(Tensor self, int num_samples, bool replacement=False, *, Generator? generator=None) -> Tensor",
    impl: multinomial,
    doc: "Indices drawn by the weights in each row.",
  })],
};
