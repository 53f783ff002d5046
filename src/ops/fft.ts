/**
 * torch.fft: discrete Fourier transforms.
 *
 * Three rows launch kernels, `_fft_c2c`, `_fft_r2c` and `_fft_c2r`; everything else is made of them. `forward` says
 * which sign the exponent has.
 *
 * @see https://pytorch.org/docs/stable/fft.html
 * @module
 */
import type { Device } from "../base/device.ts";
import { type DType, get_default_dtype, Kind, toComplex, toReal } from "../base/dtype.ts";
import { RuntimeError } from "../base/errors.ts";
import { fn } from "../dispatch/functions.ts";
import { type Ctx, op, type Row, type Table } from "../dispatch/op.ts";
import { wrapDim } from "../dispatch/reduction.ts";
import type { Tensor } from "../tensor.ts";
import { OPTIONS } from "./creation.ts";
import { c2c, c2r, isTransformable, Normalization, r2c } from "./fft_launch.ts";

type Sizes = readonly number[];

/** Integers become the default dtype; `complex`: real numbers become complex ones. */
function promoted(self: Tensor, complex: boolean): Tensor {
  let d = self.dtype.kind < Kind.float ? get_default_dtype() : self.dtype;
  if (!isTransformable(toReal(d))) throw new RuntimeError(`Unsupported dtype ${d.scalarName}`);
  if (complex) d = toComplex(d);
  return self.to(d);
}

function normalization(norm: string | null, forward: boolean): number {
  switch (norm) {
    case null:
    case "backward":
      return forward ? Normalization.none : Normalization.byN;
    case "forward":
      return forward ? Normalization.byN : Normalization.none;
    case "ortho":
      return Normalization.byRootN;
    default:
      throw new RuntimeError(`Invalid normalization mode: "${norm}"`);
  }
}

function checkPoints(n: number): void {
  if (n < 1) throw new RuntimeError(`Invalid number of data points (${n}) specified`);
}

/** Cut or filled up with zeros to the given sizes along `dims`. */
function resized(self: Tensor, dims: Sizes, sizes: Sizes): Tensor {
  const rank = self.sizes.length;
  const pad = new Array<number>(2 * rank).fill(0);
  let out = self, padded = false;
  dims.forEach((d, i) => {
    const want = sizes[i]!, have = self.sizes[d]!;
    if (want < have) out = out.narrow(d, 0, want);
    else if (want > have) {
      pad[2 * (rank - 1 - d) + 1] = want - have;
      padded = true;
    }
  });
  return padded ? fn.constant_pad_nd!(out, pad, 0) : out;
}

const halfOf = (n: number): number => Math.floor(n / 2) + 1;

// ---- one dimension ----

function checkReal(name: string, self: Tensor, what = "real"): void {
  if (self.dtype.kind !== Kind.complex) return;
  throw new RuntimeError(`${name} expects a ${what} input tensor, but got ${self.dtype.scalarName}`);
}

type One = (self: Tensor, n: number | null, dim: number, norm: string | null) => Tensor;

/** fft and ifft. Of real numbers only half is computed: the other coefficients are conjugates. */
const complexOne = (forward: boolean): One => (self, n, dim, norm) => {
  const x = promoted(self, false), d = wrapDim(dim, self.sizes.length);
  const points = n ?? x.sizes[d] ?? 0;
  checkPoints(points);
  const mode = normalization(norm, forward);
  const whole = n === null ? x : resized(x, [d], [n]);
  if (x.dtype.kind === Kind.complex) return fn._fft_c2c!(whole, [d], mode, forward);
  const half: Tensor = fn._fft_r2c!(whole, [d], mode, forward);
  const rest = points - half.sizes[d]!;
  return rest === 0 ? half : fn.cat!([half, half.narrow(d, 1, rest).flip([d]).conj()], d);
};

const realOne = (name: string, forward: boolean): One => (self, n, dim, norm) => {
  checkReal(name, self);
  const x = promoted(self, false), d = wrapDim(dim, self.sizes.length);
  checkPoints(n ?? x.sizes[d] ?? 0);
  return fn._fft_r2c!(n === null ? x : resized(x, [d], [n]), [d], normalization(norm, forward), forward);
};

const toRealOne = (forward: boolean): One => (self, n, dim, norm) => {
  const x = promoted(self, true), d = wrapDim(dim, self.sizes.length);
  const points = n ?? 2 * ((x.sizes[d] ?? 0) - 1);
  checkPoints(points);
  const half = n === null ? x : resized(x, [d], [halfOf(n)]);
  return fn._fft_c2r!(half, [d], normalization(norm, forward), points, forward);
};

function one(name: string, body: One, doc: string): readonly Row[] {
  return [op({
    schema: `fft_${name}(Tensor self, int? n=None, int dim=-1, str? norm=None) -> Tensor`,
    composite: body,
    only: "function",
    doc,
  })];
}

// ---- several dimensions ----

interface Extent {
  dims: number[];
  sizes: number[];
}

/** Which dimensions are transformed, and how long they are to be. */
function extentOf(self: Tensor, s: Sizes | null, dim: Sizes | null): Extent {
  const rank = self.sizes.length;
  let dims: number[];
  if (dim !== null) {
    dims = dim.map((d) => wrapDim(d, rank));
    if (new Set(dims).size !== dims.length) throw new RuntimeError("FFT dims must be unique");
  } else dims = self.sizes.map((_, i) => i);
  if (s === null) {
    const sizes = dims.map((d) => self.sizes[d] ?? 1);
    sizes.forEach(checkPoints);
    return { dims, sizes };
  }
  if (dim !== null && dim.length !== s.length) {
    throw new RuntimeError("When given, dim and shape arguments must have the same length");
  }
  if (s.length > rank) {
    throw new RuntimeError(
      `Got shape with ${s.length} values but input tensor only has ${rank} dimensions.`,
    );
  }
  if (dim === null) dims = dims.slice(rank - s.length);
  const sizes = s.map((n, i) => (n === -1 ? self.sizes[dims[i]!]! : n));
  sizes.forEach(checkPoints);
  return { dims, sizes };
}

/** As `extentOf` for transforms to real numbers: the last size is that of the result. */
function halfExtentOf(
  name: string,
  self: Tensor,
  s: Sizes | null,
  dim: Sizes | null,
): Extent & { last: number } {
  // The default of the last size is computed from half of the coefficients.
  const e = extentOf(self, s, dim);
  if (e.dims.length === 0) throw new RuntimeError(`${name} must transform at least one axis`);
  const end = e.dims.length - 1;
  const given = s !== null && s[end] !== -1;
  const last = given ? e.sizes[end]! : 2 * (self.sizes[e.dims[end]!]! - 1);
  checkPoints(last);
  e.sizes[end] = halfOf(last);
  return { ...e, last };
}

type Many = (self: Tensor, s: Sizes | null, dim: Sizes | null, norm: string | null) => Tensor;

const complexMany = (forward: boolean): Many => (self, s, dim, norm) => {
  const e = extentOf(self, s, dim);
  const x = resized(promoted(self, true), e.dims, e.sizes);
  if (self.sizes.length === 0 && dim === null) throw new RuntimeError("ndim must be >= 1");
  return e.dims.length === 0 ? x.clone() : fn._fft_c2c!(x, e.dims, normalization(norm, forward), forward);
};

const realMany = (name: string, forward: boolean): Many => (self, s, dim, norm) => {
  if (forward) checkReal(name, self, "real-valued");
  else if (self.dtype.kind === Kind.complex) {
    throw new RuntimeError(
      "Expected self.is_floating_point() to be true, but got false.  (Could this error message be improved?  If so, please report an enhancement request to PyTorch.)",
    );
  }
  const e = extentOf(self, s, dim);
  if (e.dims.length === 0) throw new RuntimeError(`${name} must transform at least one axis`);
  return fn._fft_r2c!(
    resized(promoted(self, false), e.dims, e.sizes),
    e.dims,
    normalization(norm, forward),
    forward,
  );
};

const toRealMany = (name: string, forward: boolean): Many => (self, s, dim, norm) => {
  const e = halfExtentOf(name, self, s, dim);
  const x = resized(promoted(self, true), e.dims, e.sizes);
  return fn._fft_c2r!(x, e.dims, normalization(norm, forward), e.last, forward);
};

/** The n-dimensional form, and the two-dimensional one with its default of the last two dimensions. */
function many(name: string, body: Many, doc: string): Table {
  return {
    [`fft_${name}n`]: [op({
      schema: `fft_${name}n(Tensor self, int[1]? s=None, int[1]? dim=None, str? norm=None) -> Tensor`,
      composite: body,
      only: "function",
      doc: `${doc} over several dimensions, by default all.`,
    })],
    [`fft_${name}2`]: [op({
      schema: `fft_${name}2(Tensor self, int[1]? s=None, int[1] dim=[-2,-1], str? norm=None) -> Tensor`,
      composite: body,
      only: "function",
      doc: `${doc} over two dimensions, by default the last.`,
    })],
  };
}

// ---- derivatives ----

/** Weights that make c2r add up what r2c's half of the coefficients contributes: half of all that have a conjugate. */
function r2cBackward(c: Ctx): Tensor {
  const dims: number[] = c.dim, last = dims[dims.length - 1]!;
  const n = c.sizesOf("self")[last]!;
  const paired = n - halfOf(n);
  const g: Tensor = c.grad;
  const weights = fn.ones!([halfOf(n)], { dtype: toReal(g.dtype), device: g.device });
  weights.narrow(0, 1, paired).fill_(0.5);
  const shape = g.sizes.map((_, i) => (i === last ? halfOf(n) : 1));
  return fn._fft_c2r!(g.mul(weights.view(shape)), dims, c.normalization, n, !c.forward);
}

function c2rBackward(c: Ctx): Tensor {
  const dims: number[] = c.dim, last = dims[dims.length - 1]!;
  const n = c.last_dim_size as number;
  const g: Tensor = fn._fft_r2c!(c.grad, dims, c.normalization, !c.forward);
  const paired = n - halfOf(n);
  const weights = fn.ones!([halfOf(n)], { dtype: c.grad.dtype, device: c.grad.device });
  weights.narrow(0, 1, paired).fill_(2);
  return g.mul(weights.view(g.sizes.map((_, i) => (i === last ? halfOf(n) : 1))));
}

// ---- frequencies and shifts ----

type FactoryArgs = [
  n: number,
  d: number,
  dtype: DType | null,
  layout: unknown,
  device: Device | null,
  pin: unknown,
  grad: boolean,
];

function frequencies(name: string, [n, d, dtype, , device, , grad]: FactoryArgs): Tensor {
  const t = dtype ?? get_default_dtype();
  if (t.kind < Kind.float) throw new RuntimeError(`${name} requires a floating point or complex dtype`);
  const count = name === "fftfreq" ? n : halfOf(n);
  const f: Tensor = fn.arange!(count, { dtype: t, device });
  // The second half are negative frequencies.
  if (name === "fftfreq" && n > 1) f.narrow(0, n - Math.floor(n / 2), Math.floor(n / 2)).sub_(n);
  f.mul_(1 / (n * d));
  return grad ? f.requires_grad_(true) : f;
}

function shift(self: Tensor, dim: Sizes | null, amount: (n: number) => number): Tensor {
  const dims = dim === null ? self.sizes.map((_, i) => i) : dim.map((d) => wrapDim(d, self.sizes.length));
  return dims.length === 0 ? self.clone() : self.roll(dims.map((d) => amount(self.sizes[d]!)), dims);
}

const frequencyRow = (name: "fftfreq" | "rfftfreq", doc: string): readonly Row[] => [op({
  schema: `fft_${name}(int n, float d=1.0, *, ${OPTIONS}) -> Tensor`,
  composite: (...args: FactoryArgs) => frequencies(name, args),
  only: "function",
  doc,
})];

const shiftRow = (name: "fftshift" | "ifftshift", amount: (n: number) => number, doc: string) => [op({
  schema: `fft_${name}(Tensor self, int[1]? dim=None) -> Tensor`,
  composite: (self: Tensor, dim: Sizes | null) => shift(self, dim, amount),
  only: "function",
  doc,
})];

export const fft: Table = {
  _fft_c2c: [op({
    schema: "_fft_c2c(Tensor self, int[] dim, int normalization, bool forward) -> Tensor",
    impl: c2c,
    only: "hidden",
    node: "FftC2CBackward0",
    wirtinger: true,
    derivative: { self: (c) => fn._fft_c2c!(c.grad, c.dim, c.normalization, !c.forward) },
    doc: "Complex to complex transform; the adjoint is the transform with the other sign.",
  })],
  _fft_r2c: [op({
    schema: "_fft_r2c(Tensor self, int[] dim, int normalization, bool forward) -> Tensor",
    impl: r2c,
    only: "hidden",
    node: "FftR2CBackward0",
    wirtinger: true,
    derivative: { self: r2cBackward },
    doc: "Real to half of the complex coefficients.",
  })],
  _fft_c2r: [op({
    schema: "_fft_c2r(Tensor self, int[] dim, int normalization, int last_dim_size, bool forward) -> Tensor",
    impl: c2r,
    only: "hidden",
    node: "FftC2RBackward0",
    wirtinger: true,
    derivative: { self: c2rBackward },
    doc: "Half of the complex coefficients to the real signal.",
  })],
  fft_fft: one("fft", complexOne(true), "The discrete Fourier transform along a dimension."),
  fft_ifft: one("ifft", complexOne(false), "The inverse discrete Fourier transform along a dimension."),
  fft_rfft: one("rfft", realOne("rfft", true), "The first half of the Fourier transform of a real tensor."),
  fft_irfft: one(
    "irfft",
    toRealOne(false),
    "The inverse of `rfft`: n real numbers, by default an even number.",
  ),
  fft_hfft: one(
    "hfft",
    toRealOne(true),
    "The Fourier transform of a Hermitian signal, given by its first half.",
  ),
  fft_ihfft: one("ihfft", realOne("ihfft", false), "The inverse of `hfft`."),
  ...many("fft", complexMany(true), "The discrete Fourier transform"),
  ...many("ifft", complexMany(false), "The inverse discrete Fourier transform"),
  ...many("rfft", realMany("rfftn", true), "Half of the Fourier transform of a real tensor"),
  ...many("irfft", toRealMany("irfftn", false), "The inverse of `rfft`"),
  ...many("hfft", toRealMany("hfftn", true), "The Fourier transform of a Hermitian signal"),
  ...many("ihfft", realMany("ihfftn", false), "The inverse of `hfft`"),
  fft_fftfreq: frequencyRow(
    "fftfreq",
    "The frequencies of the coefficients of `fft`, in cycles per unit of d.",
  ),
  fft_rfftfreq: frequencyRow("rfftfreq", "The frequencies of the coefficients of `rfft`."),
  fft_fftshift: shiftRow("fftshift", (n) => Math.floor(n / 2), "Puts the zero frequency in the middle."),
  fft_ifftshift: shiftRow("ifftshift", (n) => Math.ceil(n / 2), "The inverse of `fftshift`."),
};
