/**
 * Batching rules of convolutions, pools, norms and losses: samples join the batch that these already have.
 *
 * @module
 */
import { fn } from "../../dispatch/functions.ts";
import { RuntimeError } from "../../base/errors.ts";
import { sameSizes } from "../../base/size.ts";
import type { Tensor } from "../../tensor.ts";
import type { Call, Rule } from "./call.ts";

/** `t` of shape (samples, n, ...) as (samples * n, ...), and back. */
const fold = (t: Tensor): Tensor => t.flatten(0, 1);
const unfold = (c: Call, t: Tensor): Tensor => t.unflatten(0, [c.size, -1]);

/** Several results, or one. */
function each(result: unknown, f: (t: Tensor) => Tensor): unknown {
  return Array.isArray(result) ? result.map(f) : f(result as Tensor);
}

/**
 * Operators on (n, channels, `spatial` dimensions), or without n: samples go into n. `tensors` names the arguments with
 * that shape; `sizes` the argument that says one.
 */
function folded(spatial: (c: Call) => number, tensors: readonly string[], sizes?: string): Rule {
  return (c) => {
    const rank = (c.arg(tensors[0]!) as Tensor).sizes.length;
    const batch = rank === spatial(c) + 2;
    if (!batch && rank !== spatial(c) + 1) return null;
    if (c.args.some((a, i) => c.has(a) && !tensors.includes(c.row.parsed.params[i]!.name))) return null;
    const changes: Record<number, unknown> = {};
    for (const name of tensors) {
      const t = c.arg(name) as Tensor;
      changes[c.at(name)] = batch ? fold(c.all(t)) : c.all(t);
    }
    if (sizes !== undefined) {
      const s = c.arg(sizes) as number[];
      changes[c.at(sizes)] = batch ? [c.size * s[0]!, ...s.slice(1)] : [c.size, ...s];
    }
    const result = c.below(c.with(changes));
    return c.wrap(batch ? each(result, (t) => unfold(c, t)) : result);
  };
}

const digits = (c: Call): number => Number(/(\d)d/.exec(c.row.name)![1]);

// ---- convolutions --------------------------------------------------------------------------------------------------

const convolution: Rule = (c) => {
  const [input, weight, bias, stride, padding, dilation, groups] = c.args as [
    Tensor,
    Tensor,
    Tensor | null,
    unknown,
    unknown,
    unknown,
    number,
  ];
  if (!c.has(weight) && !c.has(bias)) {
    return c.wrap(unfold(c, c.below(c.with({ 0: fold(c.front(input)) })) as Tensor));
  }
  const out = c.has(weight)
    ? grouped()
    : fn.convolution!(input, weight, null, stride, padding, dilation, groups);
  return bias === null ? out : out.add(bias.reshape([-1, ...new Array(weight.sizes.length - 2).fill(1)]));

  /** A weight for each sample: samples become groups of channels. */
  function grouped(): Tensor {
    const x = c.all(input).transpose(0, 1).flatten(1, 2), w = fold(c.front(weight));
    const y = fn.convolution!(x, w, null, stride, padding, dilation, groups * c.size) as Tensor;
    return c.wrap(y.unflatten(1, [c.size, -1]), 1);
  }
};

const transposed: Rule = (c) => {
  const [input, sizes, weight, bias, stride, padding, dilation, groups] = c.args as [
    Tensor,
    number[],
    Tensor,
    Tensor | null,
    unknown,
    unknown,
    unknown,
    number,
  ];
  const n = sizes[0]!, rest = sizes.slice(2);
  if (!c.has(weight) && !c.has(bias)) {
    const out = c.below(c.with({ 0: fold(c.front(input)), 1: [n * c.size, ...sizes.slice(1)] })) as Tensor;
    return c.wrap(unfold(c, out));
  }
  let out: Tensor;
  if (c.has(weight)) {
    const x = c.all(input).transpose(0, 1).flatten(1, 2), w = fold(c.front(weight));
    const full = [n, sizes[1]! * c.size, ...rest];
    const y = fn.convolution_transpose!(
      x,
      full,
      w,
      null,
      stride,
      padding,
      dilation,
      groups * c.size,
    ) as Tensor;
    out = c.wrap(y.unflatten(1, [c.size, -1]), 1);
  } else out = fn.convolution_transpose!(input, sizes, weight, null, stride, padding, dilation, groups);
  return bias === null ? out : out.add(bias.reshape([-1, ...rest.map(() => 1)]));
};

const convolutionBackwardInput: Rule = (c) => {
  const [grad, sizes, weight] = c.args as [Tensor, number[], Tensor];
  if (c.has(weight)) return null;
  const args = c.with({ 0: fold(c.front(grad)), 1: [sizes[0]! * c.size, ...sizes.slice(1)] });
  return c.wrap(unfold(c, c.below(args) as Tensor));
};

// ---- norms ---------------------------------------------------------------------------------------------------------

const afterwards = (out: Tensor, weight: Tensor | null, bias: Tensor | null): Tensor => {
  if (weight !== null) out = out.mul(weight);
  return bias === null ? out : out.add(bias);
};

const layerNorm: Rule = (c) => {
  const [input, shape, weight, bias, eps] = c.args as [
    Tensor,
    number[],
    Tensor | null,
    Tensor | null,
    number,
  ];
  const plain = !c.has(weight) && !c.has(bias);
  if (plain) return c.wrap(c.below(c.with({ 0: c.front(input) })));
  const [out, mean, rstd] = fn.native_layer_norm!(input, shape, null, null, eps) as Tensor[];
  return [afterwards(out!, weight, bias), mean, rstd];
};

const groupNorm: Rule = (c) => {
  const [input, weight, bias, groups, eps] = c.args as [Tensor, Tensor | null, Tensor | null, number, number];
  if (!c.has(weight) && !c.has(bias)) {
    return c.wrap(each(c.below(c.with({ 0: fold(c.front(input)) })), (t) => unfold(c, t)));
  }
  const [out, mean, rstd] = fn.native_group_norm!(input, null, null, groups, eps) as Tensor[];
  const perChannel = (t: Tensor | null): Tensor | null =>
    t === null ? null : t.reshape([-1, ...new Array(input.sizes.length - 2).fill(1)]);
  return [afterwards(out!, perChannel(weight), perChannel(bias)), mean, rstd];
};

/** Each sample has statistics of its own: samples become channels. */
const batchNorm: Rule = (c) => {
  const [input, weight, bias, mean, variance, training, momentum, eps] = c.args as [
    Tensor,
    Tensor | null,
    Tensor | null,
    Tensor | null,
    Tensor | null,
    boolean,
    number,
    number,
  ];
  if (training && mean !== null && (!c.has(mean) || !c.has(variance))) {
    throw new RuntimeError(
      "Batch norm got a batched tensor as input while the running_mean or running_var, which will be updated in place, " +
        "were not batched.\nIf you are using a module and do not need eval mode, please set `track_running_stats` to be " +
        "False.If you are using a prebuilt module and do not need eval mode, please see the functorch website for " +
        "resources on how to patch your module to work with vmap",
    );
  }
  const channels = (t: Tensor | null): Tensor | null => t === null ? null : c.all(t).flatten();
  const x = c.all(input).transpose(0, 1).flatten(1, 2);
  const running = [channels(mean), channels(variance)];
  const [out, m, s] = fn.native_batch_norm!(
    x,
    channels(weight),
    channels(bias),
    ...running,
    training,
    momentum,
    eps,
  ) as Tensor[];
  if (training && mean !== null) {
    [mean, variance!].forEach((t, i) => c.front(t).copy_(running[i]!.unflatten(0, [c.size, -1])));
  }
  const stats = (t: Tensor): unknown =>
    c.wrap(t.sizes[0] === 0 ? t.new_empty([c.size, 0]) : t.unflatten(0, [c.size, -1]));
  return [c.wrap(out!.unflatten(1, [c.size, -1]), 1), stats(m!), stats(s!)];
};

// ---- losses with classes -------------------------------------------------------------------------------------------

/** The negative log likelihood by gathering; `smoothing` of cross entropy mixes in the mean over the classes. */
function nll(
  logp: Tensor,
  target: Tensor,
  weight: Tensor | null,
  reduction: number,
  ignore: number,
  smoothing: number,
): Tensor {
  const dim = logp.sizes.length === 1 ? 0 : 1, classes = logp.sizes[dim]!;
  const kept = target.ne(ignore);
  const safe = fn.where!(kept, target, 0) as Tensor;
  const w = weight === null
    ? null
    : fn._index!(weight, [safe.sizes.length === 0 ? safe.unsqueeze(0) : safe]) as Tensor;
  const scale = (w === null ? kept.to(logp.dtype) : w.reshape(safe.sizes).mul(kept)) as Tensor;
  const picked = logp.gather(dim, safe.unsqueeze(dim)).squeeze(dim).neg();
  let loss = fn.where!(kept, picked, 0).mul(scale) as Tensor;
  if (smoothing > 0) {
    const byClass = weight === null ? logp : logp.mul(
      logp.sizes.length === 1 ? weight : weight.view([1, -1, ...new Array(logp.sizes.length - 2).fill(1)]),
    );
    const smooth = fn.where!(kept, byClass.sum(dim).neg(), 0) as Tensor;
    loss = loss.mul(1 - smoothing).add(smooth.mul(smoothing / classes));
  }
  if (reduction === 0) return loss;
  return reduction === 1 ? loss.sum().div(scale.sum()) : loss.sum();
}

const nllLoss: Rule = (c) => {
  const [self, target, weight, reduction, ignore] = c.args as [Tensor, Tensor, Tensor | null, number, number];
  return nll(self, target, weight, reduction, ignore, 0);
};

const crossEntropy: Rule = (c) => {
  const [self, target, weight, reduction, ignore, smoothing] = c.args as [
    Tensor,
    Tensor,
    Tensor | null,
    number,
    number,
    number,
  ];
  if (self.sizes.length === 0 || sameSizes(self.sizes, target.sizes)) return null;
  return nll(self.log_softmax(self.sizes.length === 1 ? 0 : 1), target, weight, reduction, ignore, smoothing);
};

/** One step of an LSTM: rows of gates and of states. */
const lstmGates: Rule = (c) => {
  const [gates, state] = c.args as [Tensor, Tensor];
  if (gates.sizes.length !== 2) return null;
  return c.wrap(each(c.below([fold(c.all(gates)), fold(c.all(state))]), (t) => unfold(c, t)));
};

/** Layers. */
export const layerRules: Record<string, Rule> = {
  convolution,
  convolution_transpose: transposed,
  convolution_backward_input: convolutionBackwardInput,
  native_layer_norm: layerNorm,
  native_group_norm: groupNorm,
  native_batch_norm: batchNorm,
  lstm_gates: lstmGates,
  im2col: folded(() => 2, ["self"]),
  col2im: folded(() => 1, ["self"]),
  max_pool_backward: folded((c) => c.arg("rank"), ["grad_output", "indices"], "sizes"),
  max_unpool_backward: folded((c) => c.arg("rank"), ["grad_output", "indices"]),
};
for (const n of [1, 2, 3]) {
  layerRules[`max_pool${n}d_with_indices`] = folded(digits, ["self"]);
  for (const pool of ["avg_pool", "adaptive_avg_pool"]) {
    layerRules[`${pool}${n}d`] = folded(digits, ["self"]);
    layerRules[`${pool}${n}d_backward`] = folded(digits, ["grad_output"], "sizes");
  }
  layerRules[`adaptive_max_pool${n}d`] = folded(digits, ["self"]);
  layerRules[`upsample_nearest${n}d`] = folded(digits, ["input"]);
  layerRules[`_upsample_nearest_exact${n}d`] = folded(digits, ["input"]);
}
for (
  const name of [
    "upsample_linear1d",
    "upsample_bilinear2d",
    "upsample_trilinear3d",
    "upsample_bicubic2d",
    "_upsample_bilinear2d_aa",
    "_upsample_bicubic2d_aa",
  ]
) layerRules[name] = folded(digits, ["input"]);

/** Composites whose fused kernels have no rule of their own. */
export const layerComposites: Record<string, Rule> = {
  nll_loss: nllLoss,
  cross_entropy_loss: crossEntropy,
};
