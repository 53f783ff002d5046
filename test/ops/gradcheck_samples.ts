/**
 * Samples for derivatives that the recorded cases do not reach, or only with tensors too large for finite differences.
 */
import * as torch from "../../src/mod.ts";
import type { Tensor } from "../../src/tensor.ts";

const F = torch.nn.functional;

type Result = Tensor | readonly Tensor[];
type Sample = () => [fn: (...inputs: Tensor[]) => Result, inputs: Tensor[]];

/** Irregular numbers between `low` and `high`, the same on every run; no two are equal. */
export function numbers(shape: readonly number[], low = -2, high = 2): Tensor {
  const n = shape.reduce((a, b) => a * b, 1);
  const values = Array.from(
    { length: n },
    (_, i) => low + (high - low) * (((i + 1) * 0.6180339887498949) % 1),
  );
  return torch.tensor(values, { dtype: torch.float64 }).view([...shape]).requires_grad_(true);
}

const of = (fn: (...inputs: Tensor[]) => Result, ...inputs: Tensor[]): Sample => () => [fn, inputs];
const LONG = (values: readonly number[], ...shape: number[]): Tensor =>
  torch.tensor(values.map(BigInt)).view(shape.length > 0 ? shape : [values.length]);

const image = () => numbers([1, 2, 4, 5]), volume = () => numbers([1, 1, 3, 4, 3]);
type Mode = "nearest" | "nearest-exact" | "bilinear" | "bicubic" | "trilinear";
const resized = (mode: Mode, size: number[], more: object = {}) => (x: Tensor) =>
  F.interpolate(x, { size, mode, ...more });

export const samples: Readonly<Record<string, Sample>> = {
  "fill_ with a number": of((x) => x.mul(1).fill_(2).mul(x), numbers([3])),
  "fill_ with a tensor": of((x, v) => x.mul(1).fill_(v).mul(x), numbers([3]), numbers([])),
  fill_diagonal_: of((x) => x.mul(1).fill_diagonal_(2, true).mul(x), numbers([5, 2])),
  gradient: of((x) => torch.gradient(x, { spacing: [torch.tensor([0, 1, 3]).double()] }), numbers([3])),
  cumulative_trapezoid: of((y, x) => torch.cumulative_trapezoid(y, x), numbers([4]), numbers([4])),
  rms_norm: of((x, w) => F.rms_norm(x, [3], w), numbers([2, 3]), numbers([3])),
  unsafe_split: of((x) => x.unsafe_split(2)[0]!.mul_(x.narrow(0, 0, 2)), numbers([3, 2])),
  zero_: of((x) => x.mul(1).zero_().add(x), numbers([3])),
  copy_: of((x, y) => x.mul(1).copy_(y).mul(x), numbers([2, 3]), numbers([3])),
  "clamp_min with a tensor": of((x, m) => x.clamp_min(m), numbers([2, 3]), numbers([3], -1, 1)),
  addcdiv: of(
    (x, a, b) => x.addcdiv(a, b, { value: 0.7 }),
    numbers([2, 3]),
    numbers([3]),
    numbers([2, 1], 1, 2),
  ),
  erfinv: of((x) => x.erfinv(), numbers([5], -0.9, 0.9)),
  frac: of((x) => x.frac(), numbers([5])),
  hypot: of((x, y) => x.hypot(y), numbers([2, 3]), numbers([3])),
  igamma: of((x) => torch.igamma(torch.tensor([0.5, 2, 7]).double(), x), numbers([3], 0.5, 5)),
  igammac: of((x) => torch.igammac(torch.tensor([0.5, 2, 7]).double(), x), numbers([3], 0.5, 5)),
  "special.zeta": of((x) => torch.special.zeta(torch.tensor([1.5, 2, 3]).double(), x), numbers([3], 0.5, 5)),
  "special.i1": of((x) => torch.special.i1(x), numbers([5])),
  "special.log_ndtr": of((x) => torch.special.log_ndtr(x), numbers([5], -8, 4)),
  prod: of((x) => x.prod(), numbers([4], 0.5, 2)),
  "prod with a zero": of(
    (x) => x.prod(1),
    torch.tensor([[1.5, 0, 2], [3, 4, 5]]).double().requires_grad_(true),
  ),
  aminmax: of((x) => torch.aminmax(x, { dim: 1 }), numbers([2, 3])),
  "var of everything": of((x) => x.var(), numbers([4])),
  "var with a correction": of((x) => x.var([1], { correction: 0 }), numbers([2, 3])),
  "var unbiased": of((x) => x.var(1, false), numbers([2, 3])),
  std: of((x) => x.std(), numbers([4])),
  "std unbiased": of((x) => x.std(1, true), numbers([2, 3])),
  "std with a correction": of((x) => x.std([0], { correction: 2 }), numbers([4, 2])),
  linear: of((x, w, b) => F.linear(x, w, b), numbers([2, 3]), numbers([4, 3]), numbers([4])),
  baddbmm: of(
    (x, a, b) => torch.baddbmm(x, a, b, { beta: 0.5, alpha: 2 }),
    numbers([2, 3, 2]),
    numbers([2, 3, 4]),
    numbers([2, 4, 2]),
  ),
  smooth_l1_loss: of(
    (x, y) => F.smooth_l1_loss(x, y, { beta: 0.8 }),
    numbers([2, 3]),
    numbers([2, 3], -1, 3),
  ),
  max_pool3d: of((x) => F.max_pool3d(x, 2, { stride: 1 }), volume()),
  avg_pool1d: of((x) => F.avg_pool1d(x, 3, { stride: 2, padding: 1 }), numbers([1, 2, 7])),
  avg_pool3d: of((x) => F.avg_pool3d(x, 2, { stride: 1 }), volume()),
  adaptive_avg_pool1d: of((x) => F.adaptive_avg_pool1d(x, 3), numbers([1, 2, 7])),
  adaptive_avg_pool2d: of((x) => F.adaptive_avg_pool2d(x, [2, 3]), image()),
  adaptive_avg_pool3d: of((x) => F.adaptive_avg_pool3d(x, 2), volume()),
  adaptive_max_pool3d: of((x) => F.adaptive_max_pool3d(x, 2), volume()),
  multilabel_margin_loss: of(
    (x) => F.multilabel_margin_loss(x, LONG([3, 0, -1, 1, 1, 2, 0, -1], 2, 4)),
    numbers([2, 4]),
  ),
  "nearest 2d": of(resized("nearest", [5, 3]), image()),
  "nearest 3d": of(resized("nearest", [2, 5, 4]), volume()),
  "nearest-exact 1d": of(resized("nearest-exact", [5]), numbers([1, 2, 3])),
  "nearest-exact 2d": of(resized("nearest-exact", [5, 3]), image()),
  "nearest-exact 3d": of(resized("nearest-exact", [2, 5, 4]), volume()),
  bilinear: of(resized("bilinear", [5, 3]), image()),
  "bilinear antialiased": of(resized("bilinear", [3, 2], { antialias: true }), image()),
  bicubic: of(resized("bicubic", [5, 3]), image()),
  "bicubic antialiased": of(resized("bicubic", [3, 2], { antialias: true }), image()),
  trilinear: of(resized("trilinear", [2, 5, 4]), volume()),
  unfold: of((x) => F.unfold(x, [2, 3], { padding: 1, stride: 2 }), image()),
  fold: of((x) => F.fold(x, [4, 5], [2, 2], { stride: 2 }), numbers([1, 4, 4])),
  "linalg.qr": of((x) => torch.linalg.qr(x), numbers([3, 2])),
  "scatter with a number": of((x) => x.scatter(1, LONG([0, 2], 2, 1), 3), numbers([2, 3])),
  "scatter that adds": of(
    (x, s) => x.scatter_add(1, LONG([0, 2, 2, 1], 2, 2), s),
    numbers([2, 3]),
    numbers([2, 2]),
  ),
  "index_fill with a tensor": of((x, v) => x.index_fill(1, LONG([0, 2]), v), numbers([2, 3]), numbers([])),
  as_strided_scatter: of(
    (x, s) => x.as_strided_scatter(s, [2, 2], [3, 1], 1),
    numbers([3, 3]),
    numbers([2, 2]),
  ),
  kthvalue: of((x) => x.kthvalue(2, 1), numbers([2, 4])),
  "median of everything": of((x) => x.median(), numbers([5])),
  median: of((x) => x.median(1), numbers([2, 5])),
  mode: of((x) => x.mode(1), numbers([2, 4])),
  squeeze: of((x) => x.squeeze([0, 2]), numbers([1, 3, 1])),
  "cross entropy of one sample": of((x) => F.cross_entropy(x, torch.tensor(1n)), numbers([4])),
  "cross entropy with weights and smoothing": of(
    (x) =>
      F.cross_entropy(x, LONG([2, 0, 1]), {
        weight: torch.tensor([0.5, 1.5, 2]).double(),
        label_smoothing: 0.2,
      }),
    numbers([3, 3]),
  ),
  lstm: of(
    (x, h, c, w, u, b) => torch.lstm_cell(x, [h, c], w, u, b, b.mul(2)),
    numbers([2, 2]),
    numbers([2, 2]),
    numbers([2, 2]),
    numbers([8, 2], -1, 1),
    numbers([8, 2], -1, 1),
    numbers([8], -1, 1),
  ),
  "lstm of a layer": of(
    (x, h, c, w, u) => torch.lstm(x, [h, c], [w, u], false, 1, 0, false, false, false) as unknown as Tensor[],
    numbers([2, 1, 2]),
    numbers([1, 1, 2]),
    numbers([1, 1, 2]),
    numbers([8, 2], -1, 1),
    numbers([8, 2], -1, 1),
  ),
};
