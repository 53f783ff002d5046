/**
 * Batch, layer, group and instance normalisation.
 *
 * Second derivatives are composites: a node whose backward must itself be differentiable recomputes the normalisation
 * from plain operators.
 *
 * @module
 */
import { type DType, float32, float64, Kind } from "../base/dtype.ts";
import { RuntimeError } from "../base/errors.ts";
import { numelOf, sameSizes, shapeText } from "../base/size.ts";
import { mode } from "../autograd/grad_mode.ts";
import { fn } from "../dispatch/functions.ts";
import { emptyTensor, packed } from "../dispatch/iterator.ts";
import { begin, kernel } from "../dispatch/launch.ts";
import { type Ctx, op, type Table } from "../dispatch/op.ts";
import type { Tensor } from "../tensor.ts";

const BATCH = kernel("tc_batch_norm"), BATCH_BACKWARD = kernel("tc_batch_norm_backward");
const LAYER = kernel("tc_layer_norm"), LAYER_BACKWARD = kernel("tc_layer_norm_backward");
const GROUP = kernel("tc_group_norm"), GROUP_BACKWARD = kernel("tc_group_norm_backward");

type Ints = readonly number[];
type Maybe = Tensor | null;

const statistics = (d: DType): DType => d === float64 ? float64 : float32;
const pack = (t: Maybe): Maybe => t === null ? null : packed(t);

function checkFloat(name: string, t: Tensor): void {
  if (t.dtype.kind < Kind.float) {
    throw new RuntimeError(`"${name}" not implemented for '${t.dtype.scalarName}'`);
  }
}

/** (batch, channels, spatial) of (N, C, ...). */
function channelSizes(sizes: Ints): [number, number, number] {
  return [sizes[0] ?? 1, sizes[1] ?? 1, numelOf(sizes.slice(2))];
}

function paramDtype(x: Tensor, ...params: Maybe[]): DType {
  for (const p of params) {
    if (p !== null && p.dtype !== x.dtype && p.dtype !== float32) {
      throw new RuntimeError(`expected scalar type ${x.dtype.scalarName} but found ${p.dtype.scalarName}`);
    }
  }
  return params.find((p) => p !== null)?.dtype ?? x.dtype;
}

function batchNorm(
  x: Tensor,
  weight: Maybe,
  bias: Maybe,
  mean: Maybe,
  variance: Maybe,
  training: boolean,
  momentum: number,
  eps: number,
): Tensor[] {
  checkFloat("batch_norm", x);
  const [n, c, s] = channelSizes(x.sizes);
  const backend = x.storage.backend;
  const out = emptyTensor(x.sizes, x.dtype, backend);
  const saved = training ? [c] : [0];
  const saveMean = emptyTensor(saved, statistics(x.dtype), backend),
    saveInv = emptyTensor(saved, statistics(x.dtype), backend);
  if (x.count === 0) return [out, saveMean.zero_(), saveInv.zero_()];
  if (x.count >= 1 << 14) backend.expectWork();
  const p = paramDtype(x, weight, bias, mean, variance);
  const [xp, wp, bp] = [packed(x), pack(weight), pack(bias)];
  begin(BATCH, backend).i(0).i(x.dtype.code).i(p.code).i(n).i(c).i(s).b(training).d(eps).d(momentum)
    .p(xp).p(out).p(wp).p(bp).p(mean).p(variance).p(training ? saveMean : null).p(training ? saveInv : null)
    .i(0).i(0).i(0).i(0).runWithScratch();
  return [out, saveMean, saveInv];
}

function batchNormBackward(
  grad: Tensor,
  x: Tensor,
  weight: Maybe,
  mean: Maybe,
  variance: Maybe,
  saveMean: Tensor,
  saveInv: Tensor,
  training: boolean,
  eps: number,
  need: boolean[],
): Tensor[] {
  const [n, c, s] = channelSizes(x.sizes);
  const backend = x.storage.backend;
  const p = paramDtype(x, weight, mean, variance);
  const dx = emptyTensor(need[0] ? x.sizes : [0], x.dtype, backend);
  const dw = emptyTensor(need[1] ? [c] : [0], p, backend), db = emptyTensor(need[2] ? [c] : [0], p, backend);
  if (x.count === 0) return [dx, dw.zero_(), db.zero_()];
  const [xp, gp, wp] = [packed(x), packed(grad), pack(weight)];
  begin(BATCH_BACKWARD, backend).i(0).i(x.dtype.code).i(p.code).i(n).i(c).i(s).b(training).d(eps).d(0)
    .p(xp).i(0).p(wp).i(0).p(mean).p(variance).p(training ? saveMean : null).p(training ? saveInv : null)
    .p(gp).p(need[0] ? dx : null).p(need[1] ? dw : null).p(need[2] ? db : null).runWithScratch();
  return [dx, dw, db];
}

/** Shapes (1, C, 1, ...) for a per-channel tensor. */
const perChannel = (t: Tensor, rank: number): Tensor =>
  t.reshape([1, -1, ...new Array<number>(Math.max(rank - 2, 0)).fill(1)]);

/**
 * Gradient of y = (x - mean) * rstd * weight + bias over the dimensions `dims`, from differentiable operators.
 * `shape` brings a statistic or weight to x's rank.
 */
function normGradient(
  grad: Tensor,
  x: Tensor,
  weight: Maybe,
  dims: Ints,
  eps: number,
): { dx: Tensor; xhat: Tensor } {
  const mean = x.mean(dims, true);
  const centered = x.sub(mean);
  const rstd = centered.mul(centered).mean(dims, true).add(eps).rsqrt();
  const xhat = centered.mul(rstd);
  const g = weight === null ? grad : grad.mul(weight);
  const dx = g.sub(g.mean(dims, true)).sub(xhat.mul(g.mul(xhat).mean(dims, true))).mul(rstd);
  return { dx, xhat };
}

function batchNormGradients(c: Ctx): (Tensor | null)[] {
  const x: Tensor = c.input, weight: Maybe = c.weight;
  if (!mode.grad) {
    const need = ["input", "weight", "bias"].map((name) => c.needs(name));
    const g = fn.batch_norm_backward!(
      c.grad,
      x,
      weight,
      c.running_mean,
      c.running_var,
      c.result1,
      c.result2,
      c.training,
      c.eps,
      need,
    ) as Tensor[];
    return g.map((t, i) => (need[i] ? t : null));
  }
  const rank = x.sizes.length;
  const dims = x.sizes.map((_, i) => i).filter((i) => i !== 1);
  const w = weight === null ? null : perChannel(weight, rank);
  let dx: Tensor, xhat: Tensor;
  if (c.training) ({ dx, xhat } = normGradient(c.grad, x, w, dims, c.eps));
  else {
    const rstd = perChannel(c.running_var.add(c.eps).rsqrt(), rank);
    xhat = x.sub(perChannel(c.running_mean, rank)).mul(rstd);
    dx = (w === null ? c.grad : c.grad.mul(w)).mul(rstd);
  }
  return [
    dx,
    c.needs("weight") ? c.grad.mul(xhat).sum(dims) : null,
    c.needs("bias") ? c.grad.sum(dims) : null,
  ];
}

function layerNorm(x: Tensor, shape: Ints, weight: Maybe, bias: Maybe, eps: number): Tensor[] {
  checkNormalizedShape(x, shape, weight, bias);
  checkFloat("LayerNormKernelImpl", x);
  const lead = x.sizes.slice(0, x.sizes.length - shape.length);
  const stats = [...lead, ...shape.map(() => 1)];
  const backend = x.storage.backend;
  const out = emptyTensor(x.sizes, x.dtype, backend);
  const mean = emptyTensor(stats, statistics(x.dtype), backend),
    rstd = emptyTensor(stats, statistics(x.dtype), backend);
  if (x.count === 0) return [out, mean, rstd];
  if (x.count >= 1 << 14) backend.expectWork();
  const p = paramDtype(x, weight, bias);
  const [xp, wp, bp] = [packed(x), pack(weight), pack(bias)];
  begin(LAYER, backend).i(0).i(x.dtype.code).i(p.code).i(numelOf(lead)).i(numelOf(shape)).d(eps)
    .p(xp).p(out).p(wp).p(bp).p(mean).p(rstd).i(0).i(0).i(0).i(0).run();
  return [out, mean, rstd];
}

function checkNormalizedShape(x: Tensor, shape: Ints, weight: Maybe, bias: Maybe): void {
  if (shape.length < 1) {
    throw new RuntimeError(
      `Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got normalized_shape = ${
        shapeText(shape)
      }`,
    );
  }
  for (const [t, name] of [[weight, "weight"], [bias, "bias"]] as const) {
    if (t !== null && !sameSizes(t.sizes, shape)) {
      throw new RuntimeError(
        `Expected ${name} to be of same shape as normalized_shape, but got ${name} of shape ${
          shapeText(t.sizes)
        } and normalized_shape = ${shapeText(shape)}`,
      );
    }
  }
  if (x.sizes.length < shape.length || !sameSizes(x.sizes.slice(x.sizes.length - shape.length), shape)) {
    throw new RuntimeError(
      `Given normalized_shape=${shapeText(shape)}, expected input with shape [*${
        shape.map((s) => `, ${s}`).join("")
      }], but got input of size${shapeText(x.sizes)}`,
    );
  }
}

function layerNormBackward(
  grad: Tensor,
  x: Tensor,
  shape: Ints,
  weight: Maybe,
  mean: Tensor,
  rstd: Tensor,
  need: boolean[],
): Tensor[] {
  const backend = x.storage.backend;
  const rows = numelOf(x.sizes.slice(0, x.sizes.length - shape.length));
  const p = paramDtype(x, weight);
  const dx = emptyTensor(need[0] ? x.sizes : [0], x.dtype, backend);
  const dw = emptyTensor(need[1] ? shape : [0], p, backend),
    db = emptyTensor(need[2] ? shape : [0], p, backend);
  if (x.count === 0) return [dx, dw.zero_(), db.zero_()];
  const [xp, gp, wp] = [packed(x), packed(grad), pack(weight)];
  begin(LAYER_BACKWARD, backend).i(0).i(x.dtype.code).i(p.code).i(rows).i(numelOf(shape)).d(0)
    .p(xp).i(0).p(wp).i(0).p(mean).p(rstd).p(gp).p(need[0] ? dx : null).p(need[1] ? dw : null).p(
      need[2] ? db : null,
    ).runWithScratch();
  return [dx, dw, db];
}

function layerNormGradients(c: Ctx): (Tensor | null)[] {
  const x: Tensor = c.input, shape: Ints = c.normalized_shape;
  const need = ["input", "weight", "bias"].map((name) => c.needs(name));
  if (!mode.grad) {
    const g = fn.layer_norm_backward!(c.grad, x, shape, c.weight, c.result1, c.result2, need) as Tensor[];
    return g.map((t, i) => (need[i] ? t : null));
  }
  const lead = x.sizes.length - shape.length;
  const dims = shape.map((_, i) => lead + i);
  const { dx, xhat } = normGradient(c.grad, x, c.weight, dims, c.eps);
  const outer = x.sizes.map((_, i) => i).slice(0, lead);
  const fold = (t: Tensor): Tensor => lead === 0 ? t : t.sum(outer);
  return [dx, need[1] ? fold(c.grad.mul(xhat)) : null, need[2] ? fold(c.grad) : null];
}

function groupNorm(x: Tensor, weight: Maybe, bias: Maybe, groups: number, eps: number): Tensor[] {
  checkFloat("GroupNormKernelImpl", x);
  const [n, ch, s] = channelSizes(x.sizes);
  const backend = x.storage.backend;
  const out = emptyTensor(x.sizes, x.dtype, backend);
  const mean = emptyTensor([n, groups], statistics(x.dtype), backend),
    rstd = emptyTensor([n, groups], statistics(x.dtype), backend);
  if (x.count === 0) return [out, mean, rstd];
  if (x.count >= 1 << 14) backend.expectWork();
  const p = paramDtype(x, weight, bias);
  const [xp, wp, bp] = [packed(x), pack(weight), pack(bias)];
  begin(GROUP, backend).i(0).i(x.dtype.code).i(p.code).i(n).i(ch).i(s).i(groups).d(eps)
    .p(xp).p(out).p(wp).p(bp).p(mean).p(rstd).i(0).i(0).i(0).i(0).run();
  return [out, mean, rstd];
}

function groupNormBackward(
  grad: Tensor,
  x: Tensor,
  weight: Maybe,
  mean: Tensor,
  rstd: Tensor,
  groups: number,
  need: boolean[],
): Tensor[] {
  const [n, ch, s] = channelSizes(x.sizes);
  const backend = x.storage.backend;
  const p = paramDtype(x, weight);
  const dx = emptyTensor(need[0] ? x.sizes : [0], x.dtype, backend);
  const dw = emptyTensor(need[1] ? [ch] : [0], p, backend),
    db = emptyTensor(need[2] ? [ch] : [0], p, backend);
  if (x.count === 0) return [dx, dw.zero_(), db.zero_()];
  const [xp, gp, wp] = [packed(x), packed(grad), pack(weight)];
  begin(GROUP_BACKWARD, backend).i(0).i(x.dtype.code).i(p.code).i(n).i(ch).i(s).i(groups).d(0)
    .p(xp).i(0).p(wp).i(0).p(mean).p(rstd).p(gp).p(need[0] ? dx : null).p(need[1] ? dw : null).p(
      need[2] ? db : null,
    ).runWithScratch();
  return [dx, dw, db];
}

function groupNormGradients(c: Ctx): (Tensor | null)[] {
  const x: Tensor = c.input, groups: number = c.num_groups;
  const need = ["input", "weight", "bias"].map((name) => c.needs(name));
  if (!mode.grad) {
    const g = fn.group_norm_backward!(c.grad, x, c.weight, c.result1, c.result2, groups, need) as Tensor[];
    return g.map((t, i) => (need[i] ? t : null));
  }
  const [n, ch, s] = channelSizes(x.sizes);
  const split = (t: Tensor): Tensor => t.reshape([n, groups, ch / groups, s]);
  const w = c.weight === null ? null : (c.weight as Tensor).reshape([1, groups, ch / groups, 1]);
  const { dx, xhat } = normGradient(split(c.grad), split(x), w, [2, 3], c.eps);
  const fold = (t: Tensor): Tensor => t.reshape([n, ch, s]).sum([0, 2]);
  return [
    dx.reshape(x.sizes),
    need[1] ? fold(split(c.grad).mul(xhat)) : null,
    need[2] ? fold(c.grad) : null,
  ];
}

function checkPerChannel(name: string, t: Maybe, channels: number): void {
  if (t !== null && t.count !== channels) {
    throw new RuntimeError(`${name} should contain ${channels} elements not ${t.count}`);
  }
}

export const normalizations: Table = {
  batch_norm: [op({
    schema:
      "batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool training, float momentum, float eps, bool cudnn_enabled=True) -> Tensor",
    composite: (
      x: Tensor,
      weight: Maybe,
      bias: Maybe,
      mean: Maybe,
      variance: Maybe,
      training: boolean,
      momentum: number,
      eps: number,
    ) => {
      const channels = x.sizes[1] ?? 0;
      checkPerChannel("running_mean", mean, channels);
      checkPerChannel("running_var", variance, channels);
      checkPerChannel("weight", weight, channels);
      checkPerChannel("bias", bias, channels);
      if (!training && (mean === null || variance === null)) {
        throw new RuntimeError("Expected running_mean and running_var to be defined when training=False");
      }
      return fn.native_batch_norm!(x, weight, bias, mean, variance, training, momentum, eps)[0];
    },
    only: "function",
    doc: "Batch normalisation.",
  })],
  native_batch_norm: [op({
    schema:
      "native_batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool training, float momentum, float eps) -> (Tensor, Tensor, Tensor)",
    impl: (
      x: Tensor,
      weight: Maybe,
      bias: Maybe,
      mean: Maybe,
      variance: Maybe,
      training: boolean,
      momentum: number,
      eps: number,
    ) => {
      const out = batchNorm(x, weight, bias, mean, variance, training, momentum, eps);
      if (training) {
        if (mean !== null) mean.storage.version++;
        if (variance !== null) variance.storage.version++;
      }
      return out;
    },
    node: "NativeBatchNormBackward0",
    saves: ["input", "weight", "result1", "result2"],
    keeps: (args: readonly unknown[]) => args[5] ? [] : ["running_mean", "running_var"],
    nonDifferentiableResults: [1, 2],
    derivative: {
      "input, weight, bias": batchNormGradients,
      running_mean: "nonDifferentiable",
      running_var: "nonDifferentiable",
    },
    doc: "Batch normalisation with the statistics that the backward pass wants.",
  })],
  batch_norm_backward: [op({
    schema:
      "batch_norm_backward(Tensor grad_out, Tensor input, Tensor? weight, Tensor? running_mean, Tensor? running_var, Tensor save_mean, Tensor save_invstd, bool training, float eps, bool[] need) -> (Tensor, Tensor, Tensor)",
    impl: batchNormBackward,
    only: "hidden",
    doc: "Gradients of native_batch_norm.",
  })],
  layer_norm: [op({
    schema:
      "layer_norm(Tensor input, int[] normalized_shape, Tensor? weight=None, Tensor? bias=None, float eps=1e-05, bool cudnn_enable=True) -> Tensor",
    composite: (x: Tensor, shape: Ints, weight: Maybe, bias: Maybe, eps: number) =>
      fn.native_layer_norm!(x, shape, weight, bias, eps)[0],
    only: "function",
    doc: "Layer normalisation over the last dimensions.",
  })],
  native_layer_norm: [op({
    schema:
      "native_layer_norm(Tensor input, int[] normalized_shape, Tensor? weight, Tensor? bias, float eps) -> (Tensor, Tensor, Tensor)",
    impl: layerNorm,
    node: "NativeLayerNormBackward0",
    saves: ["input", "weight", "result1", "result2"],
    nonDifferentiableResults: [1, 2],
    derivative: { "input, weight, bias": layerNormGradients },
    doc: "Layer normalisation with mean and reciprocal deviation.",
  })],
  layer_norm_backward: [op({
    schema:
      "layer_norm_backward(Tensor grad_out, Tensor input, int[] normalized_shape, Tensor? weight, Tensor mean, Tensor rstd, bool[] need) -> (Tensor, Tensor, Tensor)",
    impl: layerNormBackward,
    only: "hidden",
    doc: "Gradients of native_layer_norm.",
  })],
  group_norm: [op({
    schema:
      "group_norm(Tensor input, int num_groups, Tensor? weight=None, Tensor? bias=None, float eps=1e-05, bool cudnn_enabled=True) -> Tensor",
    composite: (x: Tensor, groups: number, weight: Maybe, bias: Maybe, eps: number) => {
      const channels = x.sizes[1] ?? 0;
      if (groups <= 0) throw new RuntimeError(`Expected num groups to be greater than 0, got ${groups}`);
      if (channels % groups !== 0) {
        throw new RuntimeError(
          `Expected number of channels in input to be divisible by num_groups, but got input of shape ${
            shapeText(x.sizes)
          } and num_groups=${groups}`,
        );
      }
      for (const [t, name] of [[weight, "weight"], [bias, "bias"]] as const) {
        if (t !== null && (t.sizes.length !== 1 || t.count !== channels)) {
          throw new RuntimeError(
            `Expected ${name} to be a vector of size equal to the number of channels in input, but got ${name} of shape ${
              shapeText(t.sizes)
            } and input of shape ${shapeText(x.sizes)}`,
          );
        }
      }
      return fn.native_group_norm!(x, weight, bias, groups, eps)[0];
    },
    only: "function",
    doc: "Group normalisation.",
  })],
  native_group_norm: [op({
    schema:
      "native_group_norm(Tensor input, Tensor? weight, Tensor? bias, int num_groups, float eps) -> (Tensor, Tensor, Tensor)",
    impl: groupNorm,
    only: "hidden",
    node: "NativeGroupNormBackward0",
    saves: ["input", "weight", "result1", "result2"],
    nonDifferentiableResults: [1, 2],
    derivative: { "input, weight, bias": groupNormGradients },
    doc: "Group normalisation with mean and reciprocal deviation.",
  })],
  group_norm_backward: [op({
    schema:
      "group_norm_backward(Tensor grad_out, Tensor input, Tensor? weight, Tensor mean, Tensor rstd, int num_groups, bool[] need) -> (Tensor, Tensor, Tensor)",
    impl: groupNormBackward,
    only: "hidden",
    doc: "Gradients of native_group_norm.",
  })],
  instance_norm: [op({
    schema:
      "instance_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool use_input_stats, float momentum, float eps, bool cudnn_enabled=True) -> Tensor",
    composite: (
      x: Tensor,
      weight: Maybe,
      bias: Maybe,
      mean: Maybe,
      variance: Maybe,
      useInput: boolean,
      momentum: number,
      eps: number,
    ) => {
      if (!useInput && (mean === null || variance === null)) {
        throw new RuntimeError(
          "Expected running_mean and running_var to be defined when use_input_stats is false",
        );
      }
      const [n, c] = channelSizes(x.sizes);
      const tile = (t: Maybe): Maybe => t === null ? null : t.repeat([n]);
      const m = tile(mean), v = tile(variance);
      const folded = x.reshape([1, n * c, ...x.sizes.slice(2)]);
      const out = fn.native_batch_norm!(
        folded,
        tile(weight),
        tile(bias),
        m,
        v,
        useInput,
        momentum,
        eps,
      )[0] as Tensor;
      if (useInput && mean !== null && m !== null) mean.copy_(m.reshape([n, c]).mean(0));
      if (useInput && variance !== null && v !== null) variance.copy_(v.reshape([n, c]).mean(0));
      return out.reshape(x.sizes);
    },
    only: "function",
    doc: "Instance normalisation.",
  })],
};
