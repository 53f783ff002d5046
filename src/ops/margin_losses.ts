/**
 * Margin, ranking, embedding, Poisson and CTC losses.
 *
 * @module
 */
import { REDUCTION } from "../_gen/kernels.ts";
import { int64, Kind } from "../base/dtype.ts";
import { IndexError, RuntimeError } from "../base/errors.ts";
import { pyfloat } from "../base/scalar.ts";
import { sameSizes, shapeText } from "../base/size.ts";
import { fn } from "../dispatch/functions.ts";
import { emptyTensor, packed, packedAs } from "../dispatch/iterator.ts";
import { begin, kernel } from "../dispatch/launch.ts";
import { op, type Table } from "../dispatch/op.ts";
import type { Tensor } from "../tensor.ts";

const MULTI = kernel("tc_multi_margin"), MULTI_BACKWARD = kernel("tc_multi_margin_backward");
const MULTILABEL = kernel("tc_multilabel_margin"),
  MULTILABEL_BACKWARD = kernel("tc_multilabel_margin_backward");
const CTC = kernel("tc_ctc"), CTC_BACKWARD = kernel("tc_ctc_backward");

function reduced(each: Tensor, reduction: number): Tensor {
  return reduction === REDUCTION.NONE ? each : reduction === REDUCTION.MEAN ? each.mean() : each.sum();
}

/** (n, c) of a vector or matrix of class scores. */
function rows(x: Tensor): [number, number] {
  return x.sizes.length === 2 ? x.sizes as [number, number] : [1, x.count];
}

function checkedTarget<T>(body: () => T): T {
  try {
    return body();
  } catch (e) {
    if (e instanceof IndexError) throw new RuntimeError("target out of range");
    throw e;
  }
}

interface Margin {
  p: number;
  margin: number;
  weight: Tensor | null;
  reduction: number;
}

/** Writes tc_margin_args and runs a kernel. */
function launch(
  k: typeof MULTI,
  x: Tensor,
  target: Tensor,
  m: Margin,
  out: Tensor | null,
  isTarget: Tensor | null,
  grad: Tensor | null,
  gradIn: Tensor | null,
): void {
  const [n, c] = rows(x);
  const l = begin(k, x.storage.backend).i(x.dtype.code).i(m.reduction).d(m.p).d(m.margin).p(x).p(target).p(
    m.weight,
  );
  l.p(out).p(isTarget).p(grad).p(gradIn).i(n).i(c);
  checkedTarget(() => l.run());
}

function checkScores(name: string, x: Tensor): void {
  if (
    x.sizes.length > 2 || (x.sizes.length === 2 && x.sizes[1] === 0) || (x.sizes.length <= 1 && x.count === 0)
  ) {
    throw new RuntimeError(
      `Expected non-empty vector or matrix with optional 0-dim batch size, but got: ${shapeText(x.sizes)}`,
    );
  }
  if (x.dtype.kind < Kind.float) {
    throw new RuntimeError(`"${name}" not implemented for '${x.dtype.scalarName}'`);
  }
}

/** Lengths as an int64 tensor of n numbers. */
function lengthsOf(lengths: Tensor | readonly number[], like: Tensor): Tensor {
  return Array.isArray(lengths)
    ? like.new_tensor((lengths as number[]).map((x) => BigInt(x)), { dtype: int64 })
    : packedAs((lengths as Tensor).detach(), int64);
}

interface CtcSizes {
  t: number;
  n: number;
  c: number;
  s: number;
  stride: number;
}

function ctcSizes(
  logProbs: Tensor,
  targets: Tensor,
  inputs: number[],
  outputs: number[],
  blank: number,
): CtcSizes {
  const [t, n, c] = logProbs.sizes as [number, number, number];
  if (blank < 0 || blank >= c) throw new RuntimeError("blank must be in label range");
  if (inputs.length !== n) throw new RuntimeError("input_lengths must be of size batch_size");
  if (outputs.length !== n) throw new RuntimeError("target_lengths must be of size batch_size");
  inputs.forEach((x) => {
    if (x > t) {
      throw new RuntimeError(
        `Expected input_lengths to have value at most ${t}, but got value ${x} (while checking arguments for ctc_loss_cpu)`,
      );
    }
    if (x < 0) {
      throw new RuntimeError(
        `Expected input_lengths to have value at least 0, but got value ${x} (while checking arguments for ctc_loss_cpu)`,
      );
    }
  });
  return { t, n, c, s: Math.max(0, ...outputs), stride: targets.sizes.length === 2 ? targets.sizes[1]! : 0 };
}

function ctcLaunch(
  k: typeof CTC,
  logProbs: Tensor,
  targets: Tensor,
  inputs: Tensor,
  outputs: Tensor,
  z: CtcSizes,
  blank: number,
  zeroInfinity: boolean,
  loss: Tensor,
  alpha: Tensor,
  grad: Tensor | null,
  gradIn: Tensor | null,
): void {
  const l = begin(k, logProbs.storage.backend).i(0).i(logProbs.dtype.code).i(targets.dtype.code).p(logProbs)
    .p(targets).i(z.stride);
  l.p(inputs).p(outputs).p(loss).p(alpha).p(grad).p(gradIn).i(z.t).i(z.n).i(z.c).i(z.s).i(blank).b(
    zeroInfinity,
  );
  if (gradIn === null) l.run();
  else l.runWithScratch();
}

const numbers = (t: Tensor): number[] => (t.tolist() as number[]).map(Number);

export const marginLosses: Table = {
  multi_margin_loss: [op({
    schema:
      "multi_margin_loss(Tensor self, Tensor target, int p=1, float margin=1.0, Tensor? weight=None, int reduction=1) -> Tensor",
    impl: (
      self: Tensor,
      target: Tensor,
      p: number,
      margin: number,
      weight: Tensor | null,
      reduction: number,
    ) => {
      if (p !== 1 && p !== 2) throw new RuntimeError("only p == 1 and p == 2 supported");
      checkScores("multi_margin_loss", self);
      const [n] = rows(self);
      if (target.count !== n) {
        throw new RuntimeError(`inconsistent target size, expected ${n} but got ${shapeText(target.sizes)}`);
      }
      const out = emptyTensor(
        reduction === REDUCTION.NONE ? target.sizes : [],
        self.dtype,
        self.storage.backend,
      );
      launch(
        MULTI,
        packed(self),
        packed(target),
        { p, margin, weight: weight && packed(weight), reduction },
        out,
        null,
        null,
        null,
      );
      return out;
    },
    only: "hidden",
    saves: ["self", "target", "weight"],
    derivative: {
      self: (c) =>
        fn.multi_margin_loss_backward!(c.grad, c.self, c.target, c.p, c.margin, c.weight, c.reduction),
      target: "nonDifferentiable",
      weight: "nonDifferentiable",
    },
    doc: "Multi-class hinge loss.",
  })],
  multi_margin_loss_backward: [op({
    schema:
      "multi_margin_loss_backward(Tensor grad_output, Tensor self, Tensor target, int p, float margin, Tensor? weight, int reduction) -> Tensor",
    impl: (
      grad: Tensor,
      self: Tensor,
      target: Tensor,
      p: number,
      margin: number,
      weight: Tensor | null,
      reduction: number,
    ) => {
      const out = emptyTensor(self.sizes, self.dtype, self.storage.backend);
      const x = packed(self), t = packed(target), g = packed(grad);
      launch(
        MULTI_BACKWARD,
        x,
        t,
        { p, margin, weight: weight && packed(weight), reduction },
        null,
        null,
        g,
        out,
      );
      return out;
    },
    only: "hidden",
    doc: "Gradient of multi_margin_loss.",
  })],
  multilabel_margin_loss: [op({
    schema: "multilabel_margin_loss(Tensor self, Tensor target, int reduction=1) -> Tensor",
    composite: (self: Tensor, target: Tensor, reduction: number) =>
      fn.multilabel_margin_loss_forward!(self, target, reduction)[0],
    only: "hidden",
    doc: "Multi-class multi-label hinge loss.",
  })],
  multilabel_margin_loss_forward: [op({
    schema: "multilabel_margin_loss_forward(Tensor self, Tensor target, int reduction) -> (Tensor, Tensor)",
    impl: (self: Tensor, target: Tensor, reduction: number) => {
      checkScores("multilabel_margin_loss_forward_out_frame", self);
      if (!sameSizes(self.sizes, target.sizes)) {
        throw new RuntimeError(
          `inconsistent target size: ${shapeText(target.sizes)} for input of size: ${shapeText(self.sizes)}`,
        );
      }
      const [n] = rows(self);
      const backend = self.storage.backend;
      const out = emptyTensor(
        reduction === REDUCTION.NONE ? (self.sizes.length === 2 ? [n] : []) : [],
        self.dtype,
        backend,
      );
      const isTarget = emptyTensor(self.sizes, self.dtype, backend);
      launch(
        MULTILABEL,
        packed(self),
        packed(target),
        { p: 1, margin: 1, weight: null, reduction },
        out,
        isTarget,
        null,
        null,
      );
      return [out, isTarget];
    },
    only: "hidden",
    node: "MultilabelMarginLossBackward0",
    nonDifferentiableResults: [1],
    saves: ["self", "target", "result1"],
    derivative: {
      self: (c) => fn.multilabel_margin_loss_backward!(c.grad, c.self, c.target, c.reduction, c.result1),
      target: "nonDifferentiable",
    },
    doc: "multilabel_margin_loss and which classes are targets.",
  })],
  multilabel_margin_loss_backward: [op({
    schema:
      "multilabel_margin_loss_backward(Tensor grad_output, Tensor self, Tensor target, int reduction, Tensor is_target) -> Tensor",
    impl: (grad: Tensor, self: Tensor, target: Tensor, reduction: number, isTarget: Tensor) => {
      const out = emptyTensor(self.sizes, self.dtype, self.storage.backend);
      const x = packed(self), t = packed(target), g = packed(grad);
      launch(
        MULTILABEL_BACKWARD,
        x,
        t,
        { p: 1, margin: 1, weight: null, reduction },
        null,
        packed(isTarget),
        g,
        out,
      );
      return out;
    },
    only: "hidden",
    doc: "Gradient of multilabel_margin_loss.",
  })],
  hinge_embedding_loss: [op({
    schema: "hinge_embedding_loss(Tensor self, Tensor target, float margin=1.0, int reduction=1) -> Tensor",
    composite: (self: Tensor, target: Tensor, margin: number, reduction: number) => {
      const zero = self.new_zeros([]);
      const far = self.rsub(margin).clamp_min(0).where(target.ne(1), zero);
      return reduced(far.add(self.where(target.ne(-1), zero)), reduction);
    },
    only: "function",
    doc: "The input where the target is 1, max(0, margin - input) where it is -1.",
  })],
  margin_ranking_loss: [op({
    schema:
      "margin_ranking_loss(Tensor input1, Tensor input2, Tensor target, float margin=0.0, int reduction=1) -> Tensor",
    composite: (a: Tensor, b: Tensor, target: Tensor, margin: number, reduction: number) =>
      reduced(target.neg().mul(a.sub(b)).add(pyfloat(margin)).clamp_min(0), reduction),
    only: "function",
    doc: "max(0, -target (input1 - input2) + margin).",
  })],
  cosine_embedding_loss: [op({
    schema:
      "cosine_embedding_loss(Tensor input1, Tensor input2, Tensor target, float margin=0.0, int reduction=1) -> Tensor",
    composite: (a: Tensor, b: Tensor, target: Tensor, margin: number, reduction: number) => {
      const rank = target.sizes.length;
      if (rank > 1) throw new RuntimeError("0D or 1D target tensor expected, multi-target not supported");
      if (rank === 1 ? a.sizes.length !== 2 : a.sizes.length !== 1) {
        throw new RuntimeError(
          `${rank}D target tensor expects ${rank + 1}D input tensors, but found inputs with sizes ${
            shapeText(a.sizes)
          } and ${shapeText(b.sizes)}.`,
        );
      }
      const EPSILON = 1e-12;
      const dot = a.mul(b).sum(rank);
      const n1 = a.mul(a).sum(rank).add(EPSILON), n2 = b.mul(b).sum(rank).add(EPSILON);
      const cos = dot.div(n1.mul(n2).sqrt());
      const zero = cos.new_zeros([]);
      const near = cos.rsub(1).where(target.eq(1), zero);
      const far = cos.sub(margin).clamp_min(0).where(target.eq(-1), zero);
      return reduced(near.add(far), reduction);
    },
    only: "function",
    doc: "1 - cos where the target is 1, max(0, cos - margin) where it is -1.",
  })],
  triplet_margin_loss: [op({
    schema:
      "triplet_margin_loss(Tensor anchor, Tensor positive, Tensor negative, float margin=1.0, float p=2, float eps=1e-06, bool swap=False, int reduction=1) -> Tensor",
    composite: (
      a: Tensor,
      p: Tensor,
      n: Tensor,
      margin: number,
      order: number,
      eps: number,
      swap: boolean,
      reduction: number,
    ) => {
      if (a.sizes.length !== p.sizes.length || a.sizes.length !== n.sizes.length) {
        throw new RuntimeError(
          `All inputs should have same dimension but got ${a.sizes.length}D, ${p.sizes.length}D and ${n.sizes.length}D inputs.`,
        );
      }
      const near = fn.pairwise_distance!(a, p, order, eps) as Tensor;
      let far = fn.pairwise_distance!(a, n, order, eps) as Tensor;
      if (swap) far = far.minimum(fn.pairwise_distance!(p, n, order, eps) as Tensor);
      return reduced(near.sub(far).add(margin).clamp_min(0), reduction);
    },
    only: "function",
    doc: "max(0, d(anchor, positive) - d(anchor, negative) + margin).",
  })],
  poisson_nll_loss: [op({
    schema:
      "poisson_nll_loss(Tensor input, Tensor target, bool log_input, bool full, float eps, int reduction) -> Tensor",
    composite: (
      input: Tensor,
      target: Tensor,
      logInput: boolean,
      full: boolean,
      eps: number,
      reduction: number,
    ) => {
      let loss = logInput ? input.exp().sub(target.mul(input)) : input.sub(target.mul(input.add(eps).log()));
      if (full) {
        // Stirling's approximation of log(target!), where it is above 1.
        const t = target.mul(target.log()).sub(target).add(target.mul(2 * Math.PI).log().mul(0.5));
        loss = loss.add(t.masked_fill(target.le(1), 0));
      }
      return reduced(loss, reduction);
    },
    only: "function",
    doc: "Negative log likelihood of a Poisson distribution.",
  })],
  ctc_loss: [op({
    schema:
      "ctc_loss(Tensor log_probs, Tensor targets, Any input_lengths, Any target_lengths, int blank=0, int reduction=1, bool zero_infinity=False) -> Tensor",
    composite: (
      logProbs: Tensor,
      targets: Tensor,
      inputs: Tensor | number[],
      outputs: Tensor | number[],
      blank: number,
      reduction: number,
      zeroInfinity: boolean,
    ) => {
      const batched = logProbs.sizes.length === 3;
      const lp = batched ? logProbs : logProbs.unsqueeze(1);
      const il = lengthsOf(inputs, logProbs).reshape([-1]), tl = lengthsOf(outputs, logProbs).reshape([-1]);
      const tg = !batched && targets.sizes.length === 1 && targets.dtype === int64
        ? targets.unsqueeze(0)
        : targets;
      let loss = fn.ctc_loss_forward!(lp, tg, il, tl, blank, zeroInfinity)[0] as Tensor;
      if (zeroInfinity) loss = loss.masked_fill(loss.detach().isinf(), 0);
      if (reduction === REDUCTION.MEAN) return loss.div(tl.clamp_min(1).to(loss.dtype)).mean();
      if (reduction === REDUCTION.SUM) return loss.sum();
      return batched ? loss : loss.squeeze(0);
    },
    only: "function",
    doc: "Connectionist temporal classification loss.",
  })],
  ctc_loss_forward: [op({
    schema:
      "ctc_loss_forward(Tensor log_probs, Tensor targets, Tensor input_lengths, Tensor target_lengths, int blank, bool zero_infinity) -> (Tensor, Tensor)",
    impl: (
      logProbs: Tensor,
      targets: Tensor,
      inputs: Tensor,
      outputs: Tensor,
      blank: number,
      zeroInfinity: boolean,
    ) => {
      const z = ctcSizes(logProbs, targets, numbers(inputs), numbers(outputs), blank);
      const backend = logProbs.storage.backend;
      const loss = emptyTensor([z.n], logProbs.dtype, backend);
      const alpha = emptyTensor([z.n, z.t, 2 * z.s + 1], logProbs.dtype, backend);
      ctcLaunch(
        CTC,
        packed(logProbs),
        packed(targets),
        inputs,
        outputs,
        z,
        blank,
        zeroInfinity,
        loss,
        alpha,
        null,
        null,
      );
      return [loss, alpha];
    },
    only: "hidden",
    node: "CtcLossBackward0",
    nonDifferentiableResults: [1],
    saves: ["log_probs", "targets", "input_lengths", "target_lengths", "result0", "result1"],
    derivative: {
      log_probs: (c) =>
        fn.ctc_loss_backward!(
          c.grad,
          c.log_probs,
          c.targets,
          c.input_lengths,
          c.target_lengths,
          c.result0,
          c.result1,
          c.blank,
          c.zero_infinity,
        ),
      targets: "nonDifferentiable",
      input_lengths: "nonDifferentiable",
      target_lengths: "nonDifferentiable",
    },
    doc: "CTC losses of a batch and the forward variables.",
  })],
  ctc_loss_backward: [op({
    schema:
      "ctc_loss_backward(Tensor grad, Tensor log_probs, Tensor targets, Tensor input_lengths, Tensor target_lengths, Tensor loss, Tensor alpha, int blank, bool zero_infinity) -> Tensor",
    impl: (
      grad: Tensor,
      logProbs: Tensor,
      targets: Tensor,
      inputs: Tensor,
      outputs: Tensor,
      loss: Tensor,
      alpha: Tensor,
      blank: number,
      zeroInfinity: boolean,
    ) => {
      const z = ctcSizes(logProbs, targets, numbers(inputs), numbers(outputs), blank);
      const out = emptyTensor(logProbs.sizes, logProbs.dtype, logProbs.storage.backend);
      const lp = packed(logProbs), tg = packed(targets), g = packed(grad);
      ctcLaunch(CTC_BACKWARD, lp, tg, inputs, outputs, z, blank, zeroInfinity, loss, alpha, g, out);
      return out;
    },
    derivative: {
      grad: "notImplemented: _ctc_loss_backward",
      log_probs: "notImplemented: _ctc_loss_backward",
    },
    only: "hidden",
    doc: "Gradient of ctc_loss_forward.",
  })],
};
