/**
 * Stochastic weight averaging: `torch.optim.swa_utils`.
 *
 * @module
 */
import { int64 } from "../base/dtype.ts";
import { AssertionError, ValueError } from "../base/errors.ts";
import { external, internal } from "../base/scope.ts";
import { no_grad } from "../autograd/grad_mode.ts";
import { BatchNorm } from "../nn/modules/batchnorm.ts";
import { type DeviceLike, Module } from "../nn/modules/module.ts";
import * as aten from "../ops/mod.ts";
import type { Tensor } from "../tensor.ts";
import { deepcopy } from "../utils/copy.ts";
import { pyrepr } from "../utils/pyrepr.ts";
import { required, signature } from "../utils/signature.ts";
import { LRScheduler, type SchedulerOptions } from "./lr_scheduler/base.ts";
import type { Optimizer } from "./optimizer.ts";

/** The new average of a parameter, from the average so far, the model's value and how many were averaged. */
export type AverageFunction = (averaged: Tensor, value: Tensor, num_averaged: Tensor) => Tensor;

/** Changes averages in place: all parameters, the model's values, and how many were averaged. */
export type MultiAverageFunction = (
  averaged: readonly Tensor[],
  values: readonly Tensor[],
  num_averaged: Tensor,
) => void;

function checkDecay(decay: number): void {
  if (!(decay >= 0 && decay <= 1)) {
    throw new ValueError(
      `Invalid decay value ${pyrepr(decay)} provided. Please provide a value in [0,1] range.`,
    );
  }
}

/** An exponential moving average of all parameters, for `AveragedModel`'s `multi_avg_fn`. */
export function get_ema_multi_avg_fn(decay = 0.999): MultiAverageFunction {
  checkDecay(decay);
  return (averaged, values) => no_grad(() => averaged.forEach((a, i) => void a.lerp_(values[i]!, 1 - decay)));
}

/** The plain average of all parameters, for `AveragedModel`'s `multi_avg_fn`. */
export function get_swa_multi_avg_fn(): MultiAverageFunction {
  return (averaged, values, n) =>
    no_grad(() => averaged.forEach((a, i) => void a.lerp_(values[i]!, 1 / (Number(n.item()) + 1))));
}

/** An exponential moving average of one parameter, for `AveragedModel`'s `avg_fn`. */
export function get_ema_avg_fn(decay = 0.999): AverageFunction {
  checkDecay(decay);
  return (averaged, value) => no_grad(() => averaged.mul(decay).add(value.mul(1 - decay)));
}

/** The plain average of one parameter, for `AveragedModel`'s `avg_fn`. */
export function get_swa_avg_fn(): AverageFunction {
  return (averaged, value, n) => no_grad(() => averaged.add(value.sub(averaged).div(Number(n.item()) + 1)));
}

interface AveragedOptions {
  device?: DeviceLike | null;
  avg_fn?: AverageFunction | null;
  multi_avg_fn?: MultiAverageFunction | null;
  use_buffers?: boolean;
}
const AVERAGED = signature<{ model: Module } & AveragedOptions>("AveragedModel", {
  model: required,
  device: null,
  avg_fn: null,
  multi_avg_fn: null,
  use_buffers: false,
});

/**
 * A copy of a model that averages its parameters over training.
 *
 * @see https://arxiv.org/abs/1803.05407
 */
export class AveragedModel<M extends Module = Module> extends Module {
  module: M;
  n_averaged!: Tensor;
  avg_fn: AverageFunction | null;
  multi_avg_fn: MultiAverageFunction | null;
  use_buffers: boolean;

  constructor(
    model: M,
    device?: DeviceLike | null | AveragedOptions,
    avg_fn?: AverageFunction | null | AveragedOptions,
    multi_avg_fn?: MultiAverageFunction | null | AveragedOptions,
    use_buffers?: boolean,
  );
  constructor(...args: unknown[]) {
    super();
    // In PyTorch 1.13 use_buffers stood in the place of multi_avg_fn.
    if (typeof args[3] === "boolean") args.splice(3, 0, null);
    const { model, device, avg_fn, multi_avg_fn, use_buffers } = AVERAGED(args);
    if (avg_fn !== null && multi_avg_fn !== null) {
      throw new AssertionError("Only one of avg_fn and multi_avg_fn should be provided");
    }
    this.module = deepcopy(model) as M;
    if (device !== null) this.module.to(device);
    this.register_buffer("n_averaged", aten.zeros([], { dtype: int64, device }));
    this.avg_fn = avg_fn;
    this.multi_avg_fn = multi_avg_fn;
    this.use_buffers = use_buffers;
  }

  override forward(...input: Parameters<M["forward"]>): ReturnType<M["forward"]> {
    return this.module.call(...input) as ReturnType<M["forward"]>;
  }

  /** Takes the model's parameters into the average. */
  update_parameters(model: Module): void {
    const tensors = (m: Module): Tensor[] =>
      this.use_buffers ? [...m.parameters(), ...m.buffers()] : [...m.parameters()];
    const values = tensors(model), n = Number(this.n_averaged.item());
    no_grad(() =>
      internal(() => {
        const averages = tensors(this.module);
        if (n > 0 && this.multi_avg_fn !== null) {
          const now = values.map((v, i) => v.detach().to(averages[i]!.device));
          external(() => this.multi_avg_fn!(averages.map((a) => a.detach()), now, this.n_averaged));
        } else {averages.forEach((average, i) => {
            const value = values[i]!.detach().to(average.device);
            if (n === 0) average.copy_(value);
            else if (this.avg_fn !== null) {
              average.copy_(external(() => this.avg_fn!(average.detach(), value, this.n_averaged)));
            } else average.add_(value.sub(average).div(n + 1));
          });}
        this.n_averaged.add_(1);
      })
    );
  }
}

/** Recomputes the running statistics of batch normalization in one pass over `loader`. */
export function update_bn(loader: Iterable<unknown>, model: Module, device?: DeviceLike | null): void {
  const norms = [...model.modules()].filter((m): m is BatchNorm => m instanceof BatchNorm);
  if (norms.length === 0) return;
  const momenta = norms.map((m) => m.momentum);
  const training = model.training;
  model.train();
  for (const m of norms) {
    m.momentum = null; // the plain average
    m.reset_running_stats();
  }
  no_grad(() => {
    for (const batch of loader) {
      const input = (Array.isArray(batch) ? batch[0] : batch) as Tensor;
      model.call(device === undefined || device === null ? input : input.to(device));
    }
  });
  norms.forEach((m, i) => m.momentum = momenta[i]!);
  model.train(training);
}

interface SWALROptions extends SchedulerOptions {
  swa_lr: number | readonly number[];
  anneal_epochs?: number;
  anneal_strategy?: "cos" | "linear";
}
const SWALR_ARGS = signature<{ optimizer: Optimizer } & Omit<SWALROptions, "verbose">>("SWALR", {
  optimizer: required,
  swa_lr: required,
  anneal_epochs: 10,
  anneal_strategy: "cos",
  last_epoch: -1,
});
/** Anneals the learning rate to a fixed value, for averaging. */
export class SWALR extends LRScheduler {
  anneal_epochs: number;
  anneal_strategy: "cos" | "linear";
  constructor(
    optimizer: Optimizer,
    swa_lr: number | readonly number[] | SWALROptions,
    anneal_epochs?: number | Partial<SWALROptions>,
    anneal_strategy?: "cos" | "linear" | Partial<SWALROptions>,
    last_epoch?: number,
  );
  constructor(...args: unknown[]) {
    const { optimizer, swa_lr, anneal_epochs, anneal_strategy, last_epoch } = SWALR_ARGS(args);
    const groups = optimizer.param_groups;
    const lrs = typeof swa_lr === "number" ? groups.map(() => swa_lr) : swa_lr;
    if (lrs.length !== groups.length) {
      throw new ValueError(
        `swa_lr must have the same length as optimizer.param_groups: swa_lr has ${lrs.length}, ` +
          `optimizer.param_groups has ${groups.length}`,
      );
    }
    if (anneal_strategy !== "cos" && anneal_strategy !== "linear") {
      throw new ValueError(
        `anneal_strategy must by one of 'cos' or 'linear', instead got ${anneal_strategy}`,
      );
    }
    if (!Number.isInteger(anneal_epochs) || anneal_epochs < 0) {
      throw new ValueError(`anneal_epochs must be equal or greater than 0, got ${pyrepr(anneal_epochs)}`);
    }
    groups.forEach((g, i) => g.swa_lr = lrs[i]!);
    super(optimizer, last_epoch);
    this.anneal_epochs = anneal_epochs;
    this.anneal_strategy = anneal_strategy;
    this._initial_step();
  }

  /** How far towards `swa_lr` after `step` epochs. */
  #share(step: number): number {
    const t = Math.max(0, Math.min(1, step / Math.max(1, this.anneal_epochs)));
    return this.anneal_strategy === "cos" ? (1 - Math.cos(Math.PI * t)) / 2 : t;
  }

  override _next(): number[] {
    const step = this.anneal_epochs === 0 ? Math.max(1, this._step_count - 1) : this._step_count - 1;
    const before = this.#share(step - 1), now = this.#share(step);
    return this.optimizer.param_groups.map((g) => {
      const swa = g.swa_lr as number;
      const start = before === 1 ? swa : (g.lr - before * swa) / (1 - before);
      return swa * now + start * (1 - now);
    });
  }
}
