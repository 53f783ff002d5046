/**
 * Softmax and the losses that are kernels: negative log likelihood, cross entropy, and the elementwise ones.
 *
 * @module
 */
import { type PointwiseName, REDUCTION } from "../_gen/kernels.ts";
import { type DType, int64, Kind } from "../base/dtype.ts";
import { IndexError, RuntimeError, ValueError } from "../base/errors.ts";
import { numelOf, sameSizes, shapeText } from "../base/size.ts";
import { fn } from "../dispatch/functions.ts";
import { emptyTensor, packed } from "../dispatch/iterator.ts";
import { begin, kernel } from "../dispatch/launch.ts";
import { type Ctx, op, type Row, type RowSpec, type Table } from "../dispatch/op.ts";
import { splitAround, wrapDim } from "../dispatch/reduction.ts";
import type { Tensor } from "../tensor.ts";
import { binaryIn, ternaryIn } from "./elementwise.ts";
import { broadcast2 } from "../dispatch/promotion.ts";

const SOFTMAX = kernel("tc_softmax"), SOFTMAX_BACKWARD = kernel("tc_softmax_backward");
const NLL = kernel("tc_nll"), NLL_BACKWARD = kernel("tc_nll_backward");
const CROSS_ENTROPY = kernel("tc_cross_entropy"),
  CROSS_ENTROPY_BACKWARD = kernel("tc_cross_entropy_backward");

const PARALLEL = 1 << 14;

function softmaxKernel(log: boolean, name: string) {
  return (self: Tensor, dim: number): Tensor => {
    const d = wrapDim(dim, self.sizes.length);
    if (self.dtype.kind < Kind.float) {
      throw new RuntimeError(`"${name}_lastdim_kernel_impl" not implemented for '${self.dtype.scalarName}'`);
    }
    if (self.dtype.kind === Kind.complex) {
      const last = d === self.sizes.length - 1 ? `${name}_lastdim` : "softmax";
      throw new RuntimeError(`"${last}_kernel_impl" not implemented for '${self.dtype.scalarName}'`);
    }
    const x = packed(self);
    const out = emptyTensor(self.sizes, self.dtype, self.storage.backend);
    const [outer, n, inner] = splitAround(self.sizes, d);
    if (out.count === 0) return out;
    if (out.count >= PARALLEL) out.storage.backend.expectWork();
    begin(SOFTMAX, out.storage.backend).b(log).i(self.dtype.code).p(x).p(out).i(outer).i(n).i(inner).run();
    return out;
  };
}

function softmaxBackwardKernel(log: boolean) {
  return (grad: Tensor, output: Tensor, dim: number): Tensor => {
    const g = packed(grad), y = packed(output);
    const out = emptyTensor(output.sizes, output.dtype, output.storage.backend);
    const [outer, n, inner] = splitAround(output.sizes, wrapDim(dim, output.sizes.length));
    if (out.count === 0) return out;
    begin(SOFTMAX_BACKWARD, out.storage.backend).b(log).i(out.dtype.code).p(g).p(y).p(out).i(outer).i(n).i(
      inner,
    ).run();
    return out;
  };
}

function softmaxRows(name: "softmax" | "log_softmax", doc: string): Record<string, readonly Row[]> {
  const log = name === "log_softmax";
  const raw = `_${name}`, back = `${name}_backward_data`;
  return {
    [name]: [op({
      schema: `${name}(Tensor self, int dim, ScalarType? dtype=None) -> Tensor`,
      composite: (self: Tensor, dim: number, dtype: DType | null) =>
        fn[raw]!(dtype === null ? self : self.to(dtype), dim),
      aliases: [`special_${name}`],
      doc,
    })],
    [raw]: [op({
      schema: `${raw}(Tensor self, int dim) -> Tensor`,
      impl: softmaxKernel(log, log ? "log_softmax" : "softmax"),
      only: "hidden",
      node: log ? "LogSoftmaxBackward0" : "SoftmaxBackward0",
      saves: ["result"],
      derivative: { self: (c) => fn[back]!(c.grad, c.result, c.dim) },
      doc,
    })],
    [back]: [op({
      schema: `${back}(Tensor grad_output, Tensor output, int dim) -> Tensor`,
      impl: softmaxBackwardKernel(log),
      only: "hidden",
      saves: ["grad_output", "output"],
      derivative: log
        ? {
          grad_output: (c: Ctx) => c.grad.sub(c.grad.mul(c.output.exp()).sum(c.dim, true)),
          output: (c: Ctx) => c.grad.mul(c.output.exp()).mul(c.grad_output.sum(c.dim, true)).neg(),
        }
        : {
          grad_output: (c: Ctx) => fn[back]!(c.grad, c.output, c.dim),
          output: (c: Ctx) =>
            c.grad.mul(c.grad_output)
              .sub(c.grad.mul(c.output).sum(c.dim, true).mul(c.grad_output))
              .sub(c.grad.mul(c.grad_output.mul(c.output).sum(c.dim, true))),
        },
      doc: `Gradient of ${name}.`,
    })],
  };
}

/** (n, c, inner) of a class tensor: (C), (N, C) or (N, C, d1, ...). */
function classSizes(sizes: readonly number[]): [number, number, number] {
  return sizes.length === 1 ? [1, sizes[0]!, 1] : [sizes[0]!, sizes[1]!, numelOf(sizes.slice(2))];
}

function checkTarget(self: Tensor, target: Tensor, weight: Tensor | null): void {
  const rank = self.sizes.length;
  if (rank === 0) throw new RuntimeError("input tensor should be 1D or 2D");
  const [, classes] = classSizes(self.sizes);
  const wanted = rank === 1 ? [] : [self.sizes[0]!, ...self.sizes.slice(2)];
  if (!sameSizes(target.sizes, wanted)) {
    if (rank <= 2) {
      if (target.sizes.length > 1) {
        throw new RuntimeError("0D or 1D target tensor expected, multi-target not supported");
      }
      if (!(rank === 1 && target.sizes.length === 1 && target.count === 1)) {
        throw new ValueError(
          `Expected input batch_size (${rank === 1 ? 1 : self.sizes[0]}) to match target batch_size (${
            target.sizes[0] ?? 1
          }).`,
        );
      }
    } else if (target.sizes.length !== wanted.length) {
      throw new RuntimeError(
        `only batches of spatial targets supported (${wanted.length}D tensors) but got targets of dimension: ${target.sizes.length}`,
      );
    } else if (target.sizes[0] !== wanted[0]) {
      throw new ValueError(
        `Expected input batch_size (${self.sizes[0]}) to match target batch_size (${target.sizes[0]}).`,
      );
    } else {throw new RuntimeError(
        `size mismatch (got input: ${shapeText(self.sizes)} , target: ${shapeText(target.sizes)}`,
      );}
  }
  if (target.dtype !== int64 && target.dtype.name !== "uint8") {
    throw new RuntimeError(`expected scalar type Long but found ${target.dtype.scalarName}`);
  }
  if (weight !== null && (weight.count !== classes || weight.sizes.length !== 1)) {
    throw new RuntimeError(
      `weight tensor should be defined either for all ${classes} classes or no classes but got weight tensor of shape: ${
        shapeText(weight.sizes)
      }`,
    );
  }
  if (weight !== null && weight.dtype !== self.dtype) {
    throw new RuntimeError(
      `expected scalar type ${self.dtype.scalarName} but found ${weight.dtype.scalarName}`,
    );
  }
}

/** A kernel's report of a bad label as PyTorch's error. */
function checkedTargets<T>(body: () => T): T {
  try {
    return body();
  } catch (e) {
    if (e instanceof IndexError && "info" in e) {
      throw new IndexError(`Target ${(e.info as number[])[0]} is out of bounds.`);
    }
    throw e;
  }
}

function nll(
  self: Tensor,
  target: Tensor,
  weight: Tensor | null,
  reduction: number,
  ignore: number,
): [Tensor, Tensor] {
  checkTarget(self, target, weight);
  if (self.dtype.kind < Kind.float) {
    throw new RuntimeError(`"nll_loss_out_frame" not implemented for '${self.dtype.scalarName}'`);
  }
  const backend = self.storage.backend;
  const [n, c, inner] = classSizes(self.sizes);
  const out = emptyTensor(reduction === REDUCTION.NONE ? target.sizes : [], self.dtype, backend);
  const total = emptyTensor([], self.dtype, backend);
  const x = packed(self), t = packed(target), w = weight === null ? null : packed(weight);
  const k = begin(NLL, backend).i(0).i(self.dtype.code).i(target.dtype.code).i(reduction).i(ignore);
  k.p(x).p(t).p(w).p(out).p(total).i(n).i(c).i(inner);
  checkedTargets(() => k.runWithScratch());
  return [out, total];
}

function nllBackward(
  grad: Tensor,
  sizes: readonly number[],
  target: Tensor,
  weight: Tensor | null,
  reduction: number,
  ignore: number,
  total: Tensor,
): Tensor {
  const out = emptyTensor(sizes, grad.dtype, grad.storage.backend);
  if (out.count === 0) return out;
  const [n, c, inner] = classSizes(sizes);
  const g = packed(grad), t = packed(target), w = weight === null ? null : packed(weight);
  begin(NLL_BACKWARD, grad.storage.backend).i(grad.dtype.code).i(target.dtype.code).i(reduction).i(ignore)
    .p(g).p(t).p(w).p(total).p(out).i(n).i(c).i(inner).run();
  return out;
}

/** Gradient of nll with respect to its gradient: picks the target's entry, weighted. */
function nllDouble(
  g: Tensor,
  target: Tensor,
  weight: Tensor | null,
  reduction: number,
  ignore: number,
  total: Tensor,
): Tensor {
  const rank = g.sizes.length;
  const dim = rank === 1 ? 0 : 1;
  const ignored = target.eq(ignore);
  const index = target.to(int64).masked_fill(ignored, 0);
  let picked = g.gather(dim, rank === 1 ? index.reshape([1]) : index.unsqueeze(1));
  picked = rank === 1 ? picked.reshape(target.sizes) : picked.squeeze(1);
  if (weight !== null) picked = picked.mul(weight.index_select(0, index.reshape([-1])).reshape(index.sizes));
  picked = picked.neg().masked_fill(ignored, 0);
  if (reduction === REDUCTION.NONE) return picked;
  const sum = picked.sum();
  return reduction === REDUCTION.MEAN ? sum.div(total) : sum;
}

function crossEntropy(
  self: Tensor,
  target: Tensor,
  weight: Tensor | null,
  reduction: number,
  ignore: number,
  smoothing: number,
  keep: boolean,
): [Tensor, Tensor, Tensor] {
  checkTarget(self, target, weight);
  const backend = self.storage.backend;
  const [n, c, inner] = classSizes(self.sizes);
  const out = emptyTensor(reduction === REDUCTION.NONE ? target.sizes : [], self.dtype, backend);
  const total = emptyTensor([], self.dtype, backend);
  const probs = emptyTensor(keep ? self.sizes : [0], self.dtype, backend);
  const x = packed(self), t = packed(target), w = weight === null ? null : packed(weight);
  if (self.count >= PARALLEL) backend.expectWork();
  const k = begin(CROSS_ENTROPY, backend).i(0).i(self.dtype.code).i(target.dtype.code).i(reduction).i(ignore)
    .d(smoothing);
  k.p(x).p(t).p(w).p(out).p(total).p(keep ? probs : null).i(n).i(c).i(inner);
  checkedTargets(() => k.runWithScratch());
  return [out, total, probs];
}

function crossEntropyBackward(
  grad: Tensor,
  probs: Tensor,
  target: Tensor,
  weight: Tensor | null,
  reduction: number,
  ignore: number,
  smoothing: number,
  total: Tensor,
): Tensor {
  const out = emptyTensor(probs.sizes, probs.dtype, probs.storage.backend);
  if (out.count === 0) return out;
  const [n, c, inner] = classSizes(probs.sizes);
  const g = packed(grad), t = packed(target), w = weight === null ? null : packed(weight);
  begin(CROSS_ENTROPY_BACKWARD, out.storage.backend).i(out.dtype.code).i(target.dtype.code).i(reduction).i(
    ignore,
  )
    .d(smoothing).p(g).p(probs).p(t).p(w).p(total).p(out).i(n).i(c).i(inner).run();
  return out;
}

/** What an elementwise loss is: the formula, its backward kernel, and its second derivatives. */
interface ElementLoss {
  name: string;
  kernel: PointwiseName;
  backward: PointwiseName;
  /** A third argument: beta, delta. */
  param?: string;
  paramDefault?: string;
  check?: (param: number) => void;
  /** d^2 loss / d input^2 times nothing; null where it is 0 almost everywhere. */
  curvature: (c: Ctx) => Tensor | null;
  /** Is the target differentiable with the opposite sign? */
  symmetric: boolean;
  node: NonNullable<RowSpec["node"]>;
}

/** Elementwise losses with mean, sum or no reduction. */
function elementLoss(l: ElementLoss): Record<string, readonly Row[]> {
  const extra = l.param ? `, float ${l.param}=${l.paramDefault}` : "";
  const back = `${l.name}_backward`;
  const compute = (self: Tensor, target: Tensor, reduction: number, param: number | null): Tensor => {
    if (param !== null) l.check?.(param);
    const dtype = self.dtype === target.dtype
      ? self.dtype
      : fn.result_type!(self, target) as unknown as DType;
    const each = binaryIn(l.kernel, self, target, dtype, param === null ? null : [param]);
    return reduction === REDUCTION.NONE ? each : reduction === REDUCTION.MEAN ? each.mean() : each.sum();
  };
  return {
    [l.name]: [op({
      schema: `${l.name}(Tensor self, Tensor target, int reduction=1${extra}) -> Tensor`,
      impl: (self: Tensor, target: Tensor, reduction: number, param?: number) =>
        compute(self, target, reduction, param ?? null),
      only: "hidden",
      node: l.node,
      saves: ["self", "target"],
      derivative: {
        self: (c) => fn[back]!(c.grad, c.self, c.target, c.reduction, ...(l.param ? [c[l.param]] : [])),
        target: l.symmetric
          ? (c) => fn[back]!(c.grad, c.target, c.self, c.reduction, ...(l.param ? [c[l.param]] : []))
          : "notImplemented",
      },
      doc: `${l.name}.`,
    })],
    [back]: [op({
      schema: `${back}(Tensor grad_output, Tensor self, Tensor target, int reduction${
        l.param ? `, float ${l.param}` : ""
      }) -> Tensor`,
      impl: (grad: Tensor, self: Tensor, target: Tensor, reduction: number, param?: number) => {
        const sizes = broadcast2(self.sizes, target.sizes);
        const scale = reduction === REDUCTION.MEAN ? 1 / numelOf(sizes) : 1;
        return ternaryIn(
          l.backward,
          grad,
          self,
          target,
          self.dtype,
          param === undefined ? [scale] : [param, scale],
        );
      },
      only: "hidden",
      saves: ["grad_output", "self", "target"],
      derivative: {
        grad_output: (c) => {
          const ones = c.grad_output.new_ones([]);
          const slope = fn[back]!(ones, c.self, c.target, c.reduction, ...(l.param ? [c[l.param]] : []));
          return c.grad.mul(slope);
        },
        "self, target": (c) => {
          const k = l.curvature(c);
          if (k === null) return [c.grad.new_zeros(c.grad.sizes), c.grad.new_zeros(c.grad.sizes)];
          const scale = c.reduction === REDUCTION.MEAN
            ? 1 / numelOf(broadcast2(c.sizesOf("self"), c.sizesOf("target")))
            : 1;
          const g = c.grad.mul(c.grad_output).mul(k).mul(scale);
          return [g, l.symmetric ? g.neg() : null];
        },
      },
      doc: `Gradient of ${l.name}.`,
    })],
  };
}

const within = (c: Ctx, bound: number): Tensor => c.self.sub(c.target).abs().lt(bound).to(c.self.dtype);

function binaryRow(spec: Omit<RowSpec, "only">): readonly Row[] {
  return [op({ ...spec, only: "hidden" })];
}

export const losses: Table = {
  ...softmaxRows("softmax", "exp(x) / sum(exp(x)) along a dimension."),
  ...softmaxRows("log_softmax", "log(softmax(x)), computed stably."),
  nll_loss: binaryRow({
    schema:
      "nll_loss(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, int ignore_index=-100) -> Tensor",
    composite: (self: Tensor, target: Tensor, weight: Tensor | null, reduction: number, ignore: number) =>
      fn.nll_loss_forward!(self, target, weight, reduction, ignore)[0],
    doc: "Negative log likelihood of log-probabilities.",
  }),
  nll_loss_forward: binaryRow({
    schema:
      "nll_loss_forward(Tensor self, Tensor target, Tensor? weight, int reduction, int ignore_index) -> (Tensor output, Tensor total_weight)",
    impl: nll,
    node: "NllLossBackward0",
    saves: ["target", "weight", "result1"],
    nonDifferentiableResults: [1],
    derivative: {
      self: (c) =>
        fn.nll_loss_backward!(
          c.grad,
          c.sizesOf("self"),
          c.target,
          c.weight,
          c.reduction,
          c.ignore_index,
          c.result1,
        ),
      target: "nonDifferentiable",
      weight: "notImplemented",
    },
    doc: "nll_loss and the sum of the weights that counted.",
  }),
  nll_loss_backward: binaryRow({
    schema:
      "nll_loss_backward(Tensor grad_output, int[] sizes, Tensor target, Tensor? weight, int reduction, int ignore_index, Tensor total_weight) -> Tensor",
    impl: nllBackward,
    saves: ["target", "weight", "total_weight"],
    derivative: {
      grad_output: (c) => nllDouble(c.grad, c.target, c.weight, c.reduction, c.ignore_index, c.total_weight),
      target: "nonDifferentiable",
      weight: "nonDifferentiable",
      total_weight: "nonDifferentiable",
    },
    doc: "Gradient of nll_loss.",
  }),
  cross_entropy_loss: binaryRow({
    schema:
      "cross_entropy_loss(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, int ignore_index=-100, float label_smoothing=0.0) -> Tensor",
    composite: (
      self: Tensor,
      target: Tensor,
      weight: Tensor | null,
      reduction: number,
      ignore: number,
      smoothing: number,
    ) => {
      if (self.sizes.length === 0) {
        throw new RuntimeError(
          "cross_entropy(): expected an input of at least 1 dimension, but got a 0-dim tensor",
        );
      }
      if (sameSizes(self.sizes, target.sizes)) {
        return probabilityTargets(self, target, weight, reduction, smoothing, ignore);
      }
      if (smoothing < 0 || smoothing > 1) {
        throw new RuntimeError(`label_smoothing must be between 0.0 and 1.0. Got: ${smoothing}`);
      }
      return fn.cross_entropy_forward!(self, target, weight, reduction, ignore, smoothing)[0];
    },
    doc: "Cross entropy of logits with class indices or probabilities.",
  }),
  cross_entropy_forward: binaryRow({
    schema:
      "cross_entropy_forward(Tensor self, Tensor target, Tensor? weight, int reduction, int ignore_index, float label_smoothing) -> (Tensor output, Tensor total_weight, Tensor probs)",
    impl: (
      self: Tensor,
      target: Tensor,
      weight: Tensor | null,
      reduction: number,
      ignore: number,
      smoothing: number,
    ) => crossEntropy(self, target, weight, reduction, ignore, smoothing, true),
    node: "NllLossBackward0",
    saves: ["target", "weight", "result1", "result2"],
    nonDifferentiableResults: [1],
    derivative: {
      self: (c) => {
        const loss = c.given[0]
          ? fn.cross_entropy_backward!(
            c.grad,
            c.result2,
            c.target,
            c.weight,
            c.reduction,
            c.ignore_index,
            c.label_smoothing,
            c.result1,
          ) as Tensor
          : null;
        if (!c.given[2]) return loss;
        // Second derivatives come back through the probabilities.
        const p: Tensor = c.result2, g = c.grads[2]!.mul(p);
        const inner = g.sub(p.mul(g.sum(p.sizes.length === 1 ? 0 : 1, true)));
        return loss === null ? inner : loss.add(inner);
      },
      target: "nonDifferentiable",
      weight: "notImplemented",
    },
    doc: "log_softmax and nll_loss in one pass.",
  }),
  cross_entropy_backward: binaryRow({
    schema:
      "cross_entropy_backward(Tensor grad_output, Tensor probs, Tensor target, Tensor? weight, int reduction, int ignore_index, float label_smoothing, Tensor total_weight) -> Tensor",
    impl: crossEntropyBackward,
    saves: ["grad_output", "probs", "target", "weight", "total_weight"],
    derivative: {
      // Linear in grad_output: d/dg of the loss gradient, contracted with the incoming gradient.
      grad_output: (c) => {
        const ones = c.reduction === REDUCTION.NONE
          ? c.target.new_ones(c.target.sizes, { dtype: c.probs.dtype })
          : c.probs.new_ones([]);
        const slope = fn.cross_entropy_backward!(
          ones,
          c.probs,
          c.target,
          c.weight,
          c.reduction,
          c.ignore_index,
          c.label_smoothing,
          c.total_weight,
        );
        const product = c.grad.mul(slope);
        if (c.reduction !== REDUCTION.NONE) return product.sum();
        return c.probs.sizes.length === 1 ? product.sum() : product.sum(1);
      },
      // Linear in probs up to a constant: the slope is the gradient's factor of softmax.
      probs: (c) => {
        const factor = crossEntropyFactor(c);
        return c.grad.mul(factor);
      },
      target: "nonDifferentiable",
      weight: "nonDifferentiable",
      total_weight: "nonDifferentiable",
    },
    doc: "Gradient of cross_entropy_forward.",
  }),
  ...elementLoss({
    name: "mse_loss",
    kernel: "mse_loss",
    backward: "mse_loss_backward",
    curvature: (c) => c.self.new_full([], 2),
    symmetric: true,
    node: "MseLossBackward0",
  }),
  ...elementLoss({
    name: "l1_loss",
    kernel: "l1_loss",
    backward: "l1_loss_backward",
    curvature: () => null,
    symmetric: true,
    node: ([, , reduction]) => ["AbsBackward0", "MeanBackward0", "SumBackward0"][reduction as number]!,
  }),
  ...elementLoss({
    name: "smooth_l1_loss",
    kernel: "smooth_l1_loss",
    backward: "smooth_l1_loss_backward",
    param: "beta",
    paramDefault: "1.0",
    check: (beta) => {
      if (beta < 0) throw new RuntimeError("smooth_l1_loss does not support negative values for beta.");
    },
    curvature: (c) => c.beta === 0 ? null : within(c, c.beta).div(c.beta),
    symmetric: true,
    node: "SmoothL1LossBackward0",
  }),
  ...elementLoss({
    name: "huber_loss",
    kernel: "huber_loss",
    backward: "huber_loss_backward",
    param: "delta",
    paramDefault: "1.0",
    check: (delta) => {
      if (delta <= 0) throw new RuntimeError("huber_loss does not support non-positive values for delta.");
    },
    curvature: (c) => within(c, c.delta),
    symmetric: true,
    node: "HuberLossBackward0",
  }),
  ...elementLoss({
    name: "soft_margin_loss",
    kernel: "soft_margin_loss",
    backward: "soft_margin_loss_backward",
    curvature: (c) => {
      const s = c.self.mul(c.target).neg().sigmoid();
      return c.target.mul(c.target).mul(s).mul(s.rsub(1));
    },
    symmetric: false,
    node: "SoftMarginLossBackward0",
  }),
  binary_cross_entropy: binaryRow({
    schema:
      "binary_cross_entropy(Tensor self, Tensor target, Tensor? weight=None, int reduction=1) -> Tensor",
    composite: (self: Tensor, target: Tensor, weight: Tensor | null, reduction: number) => {
      let each = fn.binary_cross_entropy_elements!(self, target) as Tensor;
      if (weight !== null) each = each.mul(weight);
      return reduction === REDUCTION.NONE ? each : reduction === REDUCTION.MEAN ? each.mean() : each.sum();
    },
    doc: "Binary cross entropy of probabilities.",
  }),
  binary_cross_entropy_elements: binaryRow({
    schema: "binary_cross_entropy_elements(Tensor self, Tensor target) -> Tensor",
    impl: (self: Tensor, target: Tensor) => {
      if (self.dtype.kind >= Kind.float && self.count > 0) {
        const bad = self.lt(0).logical_or(self.gt(1));
        if (bad.any().item()) throw new RuntimeError("all elements of input should be between 0 and 1");
      }
      return binaryIn("binary_cross_entropy", self, target, self.dtype);
    },
    node: "BinaryCrossEntropyBackward0",
    saves: ["self", "target"],
    derivative: {
      self: (c) => fn.binary_cross_entropy_backward!(c.grad, c.self, c.target),
      target: (c) => c.grad.mul(c.self.rsub(1).log().clamp_min(-100).sub(c.self.log().clamp_min(-100))),
    },
    doc: "Binary cross entropy, not reduced.",
  }),
  binary_cross_entropy_backward: binaryRow({
    schema: "binary_cross_entropy_backward(Tensor grad_output, Tensor self, Tensor target) -> Tensor",
    impl: (grad: Tensor, self: Tensor, target: Tensor) =>
      ternaryIn("binary_cross_entropy_backward", grad, self, target, self.dtype, [1]),
    saves: ["grad_output", "self", "target"],
    derivative: {
      grad_output: (c) => c.grad.mul(c.self.sub(c.target).div(c.self.rsub(1).mul(c.self).clamp_min(1e-12))),
      self: (c) => {
        const x = c.self, y = c.target;
        const d = x.mul(x.rsub(1)).clamp_min(1e-12);
        return c.grad.mul(c.grad_output).mul(x.mul(x).sub(x.mul(y).mul(2)).add(y).div(d.mul(d)));
      },
      target: (c) => c.grad.mul(c.grad_output).neg().div(c.self.rsub(1).mul(c.self).clamp_min(1e-12)),
    },
    doc: "Gradient of binary cross entropy.",
  }),
  binary_cross_entropy_with_logits: [op({
    schema:
      "binary_cross_entropy_with_logits(Tensor self, Tensor target, Tensor? weight=None, Tensor? pos_weight=None, int reduction=1) -> Tensor",
    impl: (self: Tensor, target: Tensor, weight: Tensor | null, pos: Tensor | null, reduction: number) => {
      const each = pos === null
        ? binaryIn("bce_with_logits", self, target, self.dtype)
        : ternaryIn("bce_with_logits_weighted", self, target, pos, self.dtype);
      const weighted = weight === null ? each : each.mul(weight);
      return reduction === REDUCTION.NONE
        ? weighted
        : reduction === REDUCTION.MEAN
        ? weighted.mean()
        : weighted.sum();
    },
    saves: ["self", "target", "weight", "pos_weight"],
    derivative: {
      self: (c) => logitsGradient(c),
      target: (c) => {
        // d loss / d target = -x without pos_weight; with it, (pos - 1) softplus(-x) + ... by the product rule.
        const scale = logitsScale(c);
        if (c.pos_weight === null) return scale.mul(c.self).neg();
        const soft = fn.softplus!(c.self.neg(), 1, Infinity) as Tensor;
        return scale.mul(c.self.neg().add(c.pos_weight.sub(1).mul(soft)));
      },
      weight: "notImplemented",
      pos_weight: "notImplemented",
    },
    only: "function",
    doc: "Binary cross entropy of logits.",
  })],
  kl_div: [op({
    schema: "kl_div(Tensor self, Tensor target, int reduction=1, *, bool log_target=False) -> Tensor",
    composite: (self: Tensor, target: Tensor, reduction: number, log_target: boolean) => {
      const each = log_target
        ? target.exp().mul(target.sub(self))
        : target.xlogy(target).sub(target.mul(self));
      return reduction === REDUCTION.NONE ? each : reduction === REDUCTION.MEAN ? each.mean() : each.sum();
    },
    only: "function",
    doc: "Kullback-Leibler divergence.",
  })],
};

/** The incoming gradient of each element of binary_cross_entropy_with_logits. */
function logitsScale(c: Ctx): Tensor {
  const weighted = c.weight === null ? c.grad : c.grad.mul(c.weight);
  const n = numelOf(broadcast2(c.sizesOf("self"), c.sizesOf("target")));
  return c.reduction === REDUCTION.MEAN ? weighted.div(n) : weighted;
}

/** d loss / d self = sigmoid(x) - y; with pos_weight p: ((p - 1) y + 1) sigmoid(x) - p y. */
function logitsGradient(c: Ctx): Tensor {
  const s = c.self.sigmoid();
  const slope = c.pos_weight === null
    ? s.sub(c.target)
    : c.pos_weight.sub(1).mul(c.target).add(1).mul(s).sub(c.pos_weight.mul(c.target));
  return logitsScale(c).mul(slope);
}

/** How much each probability's slope counts in the gradient: weight of its target times the reduction's scale. */
function crossEntropyFactor(c: Ctx): Tensor {
  const target: Tensor = c.target, probs: Tensor = c.probs;
  const classDim = probs.sizes.length === 1 ? 0 : 1;
  const classes = probs.sizes[classDim]!;
  const ignored = target.eq(c.ignore_index);
  const index = target.to(int64).masked_fill(ignored, 0);
  const s: number = c.label_smoothing;
  let w = c.weight === null
    ? probs.new_ones(target.sizes)
    : (c.weight as Tensor).index_select(0, index.reshape([-1])).reshape(target.sizes);
  if (s > 0) {
    const total = c.weight === null ? classes : (c.weight as Tensor).sum();
    w = w.mul(1 - s).add(probs.new_ones([]).mul(total).mul(s / classes));
  }
  w = w.masked_fill(ignored, 0);
  if (c.reduction === REDUCTION.MEAN) w = w.div(c.total_weight);
  return c.grad_output.mul(w).unsqueeze(classDim);
}

function probabilityTargets(
  self: Tensor,
  target: Tensor,
  weight: Tensor | null,
  reduction: number,
  smoothing: number,
  ignore: number,
): Tensor {
  if (target.dtype.kind < Kind.float) {
    throw new RuntimeError(
      `Expected floating point type for target with class probabilities, got ${target.dtype.scalarName}`,
    );
  }
  if (ignore >= 0) throw new RuntimeError("ignore_index is not supported for floating point target");
  const dim = self.sizes.length === 1 ? 0 : 1;
  const classes = self.sizes[dim]!;
  const y = smoothing > 0 ? target.mul(1 - smoothing).add(smoothing / classes) : target;
  let logp = self.log_softmax(dim);
  if (weight !== null) logp = logp.mul(weight.reshape(self.sizes.map((_, i) => (i === dim ? classes : 1))));
  const each = logp.mul(y).neg();
  if (reduction === REDUCTION.NONE) return each.sum(dim);
  const sum = each.sum();
  return reduction === REDUCTION.MEAN ? sum.div(self.count / classes) : sum;
}
