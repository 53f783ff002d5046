/**
 * Short-time Fourier transforms and window functions.
 *
 * @module
 */
import type { Device } from "../base/device.ts";
import { type DType, get_default_dtype, Kind, toReal } from "../base/dtype.ts";
import { RuntimeError, warnOnce } from "../base/errors.ts";
import { shapeText } from "../base/size.ts";
import { fn } from "../dispatch/functions.ts";
import { op, type Row, type Table } from "../dispatch/op.ts";
import type { Tensor } from "../tensor.ts";
import { OPTIONS } from "./creation.ts";
import { Normalization } from "./fft_launch.ts";

// ---- windows ----

type Options = [
  dtype: DType | null,
  layout: unknown,
  device: Device | null,
  pin: unknown,
  grad: boolean,
];

/** C++'s names of the dtypes that windows refuse. */
const CPP: Readonly<Record<string, string>> = {
  int64: "long int",
  int32: "int",
  int16: "short int",
  int8: "signed char",
  uint8: "unsigned char",
};

/**
 * A window of `length`: `shape` computes one of n points from 0, 1, ..., n - 1. A periodic window is the first part of a
 * symmetric one with one point more.
 */
function windowOf(
  name: string,
  length: number,
  periodic: boolean,
  [dtype, , device, , grad]: Options,
  shape: (t: Tensor, n: number) => Tensor,
): Tensor {
  const d = dtype ?? get_default_dtype();
  if (d.kind < Kind.float) {
    throw new RuntimeError(
      `${name} expects floating point dtypes, got: TensorOptions(dtype=${
        CPP[d.name] ?? d.name
      }, device=cpu, layout=Strided (default), requires_grad=false (default), pinned_memory=false, memory_format=(nullopt))`,
    );
  }
  if (length < 0) {
    throw new RuntimeError(`${name} requires non-negative window_length, got window_length=${length}`);
  }
  const options = { dtype: d, device };
  let w: Tensor;
  if (length <= 1) w = fn.ones!([length], options);
  else {
    const n = length + (periodic ? 1 : 0);
    w = shape(fn.arange!(n, options), n);
    if (periodic) w = w.narrow(0, 0, length).clone();
  }
  return grad ? w.requires_grad_(true) : w;
}

const cosines = (alpha: number, beta: number) => (t: Tensor, n: number): Tensor =>
  t.mul(2 * Math.PI / (n - 1)).cos().mul(-beta).add(alpha);

function bartlett(t: Tensor, n: number): Tensor {
  const w = t.mul(2 / (n - 1)), first = ((n - 1) >> 1) + 1;
  w.narrow(0, first, n - first).mul_(-1).add_(2);
  return w;
}

function blackman(t: Tensor, n: number): Tensor {
  const x = t.mul(Math.PI / (n - 1));
  return x.mul(4).cos().mul(0.08).sub(x.mul(2).cos().mul(0.5)).add(0.42);
}

const kaiser = (beta: number) => (t: Tensor, n: number): Tensor => {
  const half = (n - 1) / 2, x = t.sub(half).div(half);
  const top = x.mul(x).rsub(1).clamp_min(0).sqrt().mul(beta).i0();
  return top.div(x.new_full([], beta).i0());
};

function windowRow(
  name: string,
  doc: string,
  shape: (...numbers: number[]) => (t: Tensor, n: number) => Tensor,
  ...numbers: readonly (readonly [name: string, value: string])[]
): readonly Row[] {
  const more = numbers.map(([n, value]) => `, float ${n}=${value}`).join("");
  return [op({
    schema: `${name}(int window_length, bool periodic=True${more}, *, ${OPTIONS}) -> Tensor`,
    composite: (length: number, periodic: boolean, ...rest: unknown[]) => {
      const values = rest.slice(0, numbers.length).map(Number);
      return windowOf(
        name,
        length,
        periodic,
        rest.slice(numbers.length) as unknown as Options,
        shape(...values),
      );
    },
    only: "function",
    doc,
  })];
}

// ---- short-time transforms ----

const flag = (x: boolean | null): string => (x === null ? "None" : x ? "1" : "0");
const windowText = (w: Tensor | null): string =>
  w === null ? "None" : `torch.${w.dtype.scalarName}Tensor{${shapeText(w.sizes)}}`;

/** The window of win_length in the middle of n_fft zeros. */
function centered(window: Tensor, nFft: number): Tensor {
  const length = window.sizes[0]!, left = Math.floor((nFft - length) / 2);
  return length === nFft ? window : fn.constant_pad_nd!(window, [left, nFft - length - left], 0);
}

const COMPLEX_ONESIDED = "Cannot have onesided output if window or input is complex";

function stft(
  given: Tensor,
  nFft: number,
  hop: number | null,
  win: number | null,
  window: Tensor | null,
  center: boolean,
  padMode: string,
  normalized: boolean,
  onesided: boolean | null,
  returnComplex: boolean | null,
): Tensor {
  let self = given;
  if (center) {
    const pad = Math.floor(nFft / 2), rank = self.sizes.length;
    const extended = [...new Array<number>(Math.max(0, 3 - rank)).fill(1), ...self.sizes];
    const padded: Tensor = fn.pad!(self.view(extended), [pad, pad], padMode);
    self = padded.view(padded.sizes.slice(padded.sizes.length - rank));
  }
  const hopLength = hop ?? Math.floor(nFft / 4), winLength = win ?? nFft;
  const refuse = (why: string): never => {
    throw new RuntimeError(
      `stft(torch.${self.dtype.scalarName}Tensor${
        shapeText(self.sizes)
      }, n_fft=${nFft}, hop_length=${hopLength}, win_length=${winLength}, window=${
        windowText(window)
      }, normalized=${flag(normalized)}, onesided=${flag(onesided)}, return_complex=${
        flag(returnComplex)
      }) : ${why}`,
    );
  };
  const complexInput = self.dtype.kind === Kind.complex || window?.dtype.kind === Kind.complex;
  if (returnComplex === null && !complexInput) {
    warnOnce(
      "UserWarning",
      "stft will soon require the return_complex parameter be given for real inputs, and will further require that return_complex=True in a future PyTorch release.",
    );
  }
  if (self.dtype.kind < Kind.float) refuse("expected a tensor of floating point or complex values");
  const rank = self.sizes.length;
  if (rank < 1 || rank > 2) refuse("expected a 1D or 2D tensor");
  const x = rank === 1 ? self.unsqueeze(0) : self;
  const [batch, length] = x.sizes as [number, number];
  if (nFft <= 0 || nFft > length) refuse(`expected 0 < n_fft < ${length}, but got n_fft=${winLength}`);
  if (hopLength <= 0) refuse(`expected hop_length > 0, but got hop_length=${hopLength}`);
  if (winLength <= 0 || winLength > nFft) {
    refuse(`expected 0 < win_length <= n_fft, but got win_length=${winLength}`);
  }
  if (window !== null && (window.sizes.length !== 1 || window.sizes[0] !== winLength)) {
    refuse(
      `expected a 1D window tensor of size equal to win_length=${winLength}, but got window with size ${
        shapeText(window.sizes)
      }`,
    );
  }
  const shape = window ?? (winLength < nFft ? fn.ones!([winLength], { dtype: toReal(x.dtype) }) : null);
  const frames = 1 + Math.floor((length - nFft) / hopLength);
  let parts: Tensor = x.as_strided(
    [batch, frames, nFft],
    [x.strides[0]!, hopLength * x.strides[1]!, x.strides[1]!],
  );
  if (shape !== null) parts = parts.mul(centered(shape, nFft));
  const isComplex = parts.dtype.kind === Kind.complex;
  const half = onesided ?? !isComplex;
  const norm = normalized ? Normalization.byRootN : Normalization.none;
  if (isComplex && half) throw new RuntimeError(COMPLEX_ONESIDED);
  let out: Tensor = isComplex
    ? fn._fft_c2c!(parts, [2], norm, true)
    : half
    ? fn._fft_r2c!(parts, [2], norm, true)
    : fn.fft_fft!(parts, { norm: normalized ? "ortho" : "backward" });
  out = out.transpose(1, 2);
  if (rank === 1) out = out.squeeze(0);
  return returnComplex ?? complexInput ? out : fn.view_as_real!(out);
}

function istft(
  self: Tensor,
  nFft: number,
  hop: number | null,
  win: number | null,
  window: Tensor | null,
  center: boolean,
  normalized: boolean,
  onesidedGiven: boolean | null,
  length: number | null,
  returnComplex: boolean,
): Tensor {
  const hopLength = hop ?? Math.floor(nFft / 4), winLength = win ?? nFft;
  const refuse = (why: string): never => {
    throw new RuntimeError(
      `istft(CPU${self.dtype.scalarName}Type${
        shapeText(self.sizes)
      }, n_fft=${nFft}, hop_length=${hopLength}, win_length=${winLength}, window=${
        windowText(window)
      }, center=${flag(center)}, normalized=${flag(normalized)}, onesided=${flag(onesidedGiven)}, length=${
        length ?? "None"
      }, return_complex=${flag(returnComplex)})${why}`,
    );
  };
  const isComplex = self.dtype.kind === Kind.complex;
  if (!isComplex) {
    warnOnce(
      "UserWarning",
      "istft will require a complex-valued input tensor in a future PyTorch release. Matching the output from stft with return_complex=True. ",
    );
  }
  // Dimensions as PyTorch counts them: the parts are a last one.
  const sizes = isComplex ? [...self.sizes, 2] : self.sizes, rank = sizes.length;
  if (self.count === 0) refuse(" : input tensor cannot be empty.");
  if (rank !== 3 && rank !== 4) refuse(` : expected a tensor with 3 or 4 dimensions, but got ${rank}`);
  if (sizes[rank - 1] !== 2) {
    refuse(
      ` : expected the last dimension to be 2 (corresponding to real and imaginary parts), but got ${
        sizes[rank - 1]
      }`,
    );
  }
  const frames = sizes[rank - 2]!, bins = sizes[rank - 3]!;
  const onesided = onesidedGiven ?? bins !== nFft;
  const matches = " : expected the frequency dimension (3rd to the last) of the input tensor to match";
  if (onesided && Math.floor(nFft / 2) + 1 !== bins) {
    refuse(`${matches} n_fft / 2 + 1 when onsided=True, but got ${bins}`);
  }
  if (!onesided && nFft !== bins) refuse(`${matches} n_fft when onsided=False, but got ${bins}`);
  if (hopLength <= 0 || hopLength > winLength) refuse(" : expected 0 < hop_length <= win_length");
  if (winLength <= 0 || winLength > nFft) refuse(" : expected 0 < win_length <= n_fft");
  if (window !== null && (window.sizes.length !== 1 || window.sizes[0] !== winLength)) {
    refuse(" : Invalid window shape. window has to be 1D and length of `win_length`");
  }
  let x: Tensor = isComplex ? self : fn.view_as_complex!(self.contiguous());
  const w: Tensor = centered(window ?? fn.ones!([winLength], { dtype: toReal(x.dtype) }), nFft);
  if (rank === 3) x = x.unsqueeze(0);
  x = x.transpose(1, 2);
  const norm = normalized ? Normalization.byRootN : Normalization.byN;
  if (returnComplex) {
    if (onesided) throw new RuntimeError(COMPLEX_ONESIDED);
    x = fn._fft_c2c!(x, [2], norm, false);
  } else {
    if (w.dtype.kind === Kind.complex) {
      throw new RuntimeError("Complex windows are incompatible with return_complex=False");
    }
    if (!onesided) x = x.narrow(2, 0, Math.floor(nFft / 2) + 1);
    x = fn._fft_c2r!(x, [2], norm, nFft, false);
  }
  // Frames overlap and add up; so do the windows' squares, by which the sum is divided.
  const total = nFft + hopLength * (frames - 1);
  const y = x.mul(w).unfold_backward([x.sizes[0]!, total], 1, nFft, hopLength);
  const envelope = w.pow(2).expand([1, frames, nFft]).unfold_backward([1, total], 1, nFft, hopLength);
  const start = center ? Math.floor(nFft / 2) : 0;
  const end = length !== null ? start + length : center ? total - Math.floor(nFft / 2) : total;
  const cut = (t: Tensor): Tensor => t.slice(1, start, end);
  const weight = cut(envelope);
  if (weight.abs().min().lt(1e-11).item()) refuse(" window overlap add min: 1\n[ CPUBoolType{} ]");
  let out = cut(y).div(weight);
  if (rank === 3) out = out.squeeze(0);
  if (end > total) {
    warnOnce(
      "UserWarning",
      "The length of signal is shorter than the length parameter. Result is being padded with zeros in the tail. Please check your center and hop_length settings.",
    );
    out = fn.constant_pad_nd!(out, [0, end - total], 0);
  }
  return out;
}

export const spectral: Table = {
  stft: [op({
    schema:
      "stft(Tensor self, int n_fft, int? hop_length=None, int? win_length=None, Tensor? window=None, bool center=True, str pad_mode='reflect', bool normalized=False, bool? onesided=None, bool? return_complex=None) -> Tensor",
    composite: stft,
    doc: "The Fourier transforms of overlapping windows of a signal: (..., frequencies, frames).",
  })],
  istft: [op({
    schema:
      "istft(Tensor self, int n_fft, int? hop_length=None, int? win_length=None, Tensor? window=None, bool center=True, bool normalized=False, bool? onesided=None, int? length=None, bool return_complex=False) -> Tensor",
    composite: istft,
    doc: "The signal of short-time Fourier transforms: the least squares inverse of `stft`.",
  })],
  hann_window: windowRow("hann_window", "The Hann window.", () => cosines(0.5, 0.5)),
  hamming_window: windowRow(
    "hamming_window",
    "The Hamming window: alpha - beta cos(2 pi k / (n - 1)).",
    cosines as (...numbers: number[]) => (t: Tensor, n: number) => Tensor,
    ["alpha", "0.54"],
    ["beta", "0.46"],
  ),
  blackman_window: windowRow("blackman_window", "The Blackman window.", () => blackman),
  bartlett_window: windowRow("bartlett_window", "The Bartlett (triangular) window.", () => bartlett),
  kaiser_window: windowRow(
    "kaiser_window",
    "The Kaiser window with shape parameter beta.",
    kaiser as (...numbers: number[]) => (t: Tensor, n: number) => Tensor,
    ["beta", "12.0"],
  ),
};
