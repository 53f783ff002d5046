/**
 * Cyclic learning rates and the one-cycle policy.
 *
 * @module
 */
import { ValueError } from "../../base/errors.ts";
import { pyrepr } from "../../utils/pyrepr.ts";
import { required, signature } from "../../utils/signature.ts";
import type { Optimizer, ParamGroup } from "../optimizer.ts";
import { checkOptimizer, LRScheduler, perGroup, type SchedulerOptions } from "./base.ts";

interface Target {
  optimizer: Optimizer;
}
type Rates = number | readonly number[];

/** How the height of a cycle changes. */
export type CyclicMode = "triangular" | "triangular2" | "exp_range";
interface CyclicOptions extends SchedulerOptions {
  base_lr: Rates;
  max_lr: Rates;
  step_size_up?: number;
  step_size_down?: number | null;
  mode?: CyclicMode;
  gamma?: number;
  /** Scales the height, instead of `mode`. */
  scale_fn?: ((x: number) => number) | null;
  /** Whether `scale_fn` gets the cycle's number or the iteration's. */
  scale_mode?: "cycle" | "iterations";
  cycle_momentum?: boolean;
  base_momentum?: Rates;
  max_momentum?: Rates;
}
const CYCLIC = signature<Target & CyclicOptions>("CyclicLR", {
  optimizer: required,
  base_lr: required,
  max_lr: required,
  step_size_up: 2000,
  step_size_down: null,
  mode: "triangular",
  gamma: 1,
  scale_fn: null,
  scale_mode: "cycle",
  cycle_momentum: true,
  base_momentum: 0.8,
  max_momentum: 0.9,
  last_epoch: -1,
  verbose: false,
});
const MODES: readonly string[] = ["triangular", "triangular2", "exp_range"];

/**
 * Between two bounds and back, again and again. Step it after every batch.
 *
 * @see https://arxiv.org/abs/1506.01186
 * @see https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CyclicLR.html
 */
export class CyclicLR extends LRScheduler {
  max_lrs: number[];
  total_size: number;
  step_ratio: number;
  mode: CyclicMode;
  gamma: number;
  _scale_fn_custom: ((x: number) => number) | null;
  scale_mode: "cycle" | "iterations";
  cycle_momentum: boolean;
  declare base_momentums: number[];
  declare max_momentums: number[];

  constructor(optimizer: Optimizer, options: CyclicOptions);
  constructor(
    optimizer: Optimizer,
    base_lr: Rates,
    max_lr: Rates | Partial<CyclicOptions>,
    step_size_up?: number | Partial<CyclicOptions>,
    step_size_down?: number | null | Partial<CyclicOptions>,
    mode?: CyclicMode | Partial<CyclicOptions>,
    gamma?: number | Partial<CyclicOptions>,
    options?: Partial<CyclicOptions>,
  );
  constructor(...args: unknown[]) {
    const a = CYCLIC(args);
    const { optimizer, last_epoch, scale_fn, mode } = a;
    checkOptimizer(optimizer);
    const groups = optimizer.param_groups;
    const base_lrs = perGroup("base_lr", optimizer, a.base_lr);
    const max_lrs = perGroup("max_lr", optimizer, a.max_lr);
    if (!MODES.includes(mode) && scale_fn === null) {
      throw new ValueError("mode is invalid and scale_fn is None");
    }
    if (a.cycle_momentum && optimizer.defaults.momentum === undefined) {
      throw new ValueError("optimizer must support momentum with `cycle_momentum` option enabled");
    }
    if (last_epoch === -1) groups.forEach((g, i) => g.lr = base_lrs[i]!);
    super(optimizer, last_epoch, a.verbose);
    this.max_lrs = max_lrs;
    this.total_size = a.step_size_up + (a.step_size_down ?? a.step_size_up);
    this.step_ratio = a.step_size_up / this.total_size;
    this.mode = mode;
    this.gamma = a.gamma;
    this._scale_fn_custom = scale_fn;
    this.scale_mode = scale_fn !== null ? a.scale_mode : mode === "exp_range" ? "iterations" : "cycle";
    this.cycle_momentum = a.cycle_momentum;
    if (a.cycle_momentum) {
      const base_momentums = perGroup("base_momentum", optimizer, a.base_momentum);
      if (last_epoch === -1) groups.forEach((g, i) => g.momentum = base_momentums[i]!);
      this.base_momentums = groups.map((g) => g.momentum as number);
      this.max_momentums = perGroup("max_momentum", optimizer, a.max_momentum);
    }
    this._initial_step();
    this.base_lrs = base_lrs;
  }

  /** The share of the full height, by cycle or iteration. */
  scale_fn(x: number): number {
    if (this._scale_fn_custom !== null) return this._scale_fn_custom(x);
    return this.mode === "triangular" ? 1 : this.mode === "triangular2" ? 1 / 2 ** (x - 1) : this.gamma ** x;
  }

  override _next(): number[] {
    const { last_epoch, total_size, step_ratio, max_lrs } = this;
    const cycle = Math.floor(1 + last_epoch / total_size);
    const x = 1 + last_epoch / total_size - cycle;
    const height = x <= step_ratio ? x / step_ratio : (x - 1) / (step_ratio - 1);
    const scale = this.scale_fn(this.scale_mode === "cycle" ? cycle : last_epoch);
    if (this.cycle_momentum) {
      this.optimizer.param_groups.forEach((g, i) => {
        const most = this.max_momentums[i]!;
        g.momentum = most - (most - this.base_momentums[i]!) * height * scale;
      });
    }
    return this.base_lrs.map((lr, i) => lr + (max_lrs[i]! - lr) * height * scale);
  }
}

interface OneCycleOptions extends SchedulerOptions {
  max_lr: Rates;
  total_steps?: number | null;
  epochs?: number | null;
  steps_per_epoch?: number | null;
  pct_start?: number;
  anneal_strategy?: "cos" | "linear";
  cycle_momentum?: boolean;
  base_momentum?: Rates;
  max_momentum?: Rates;
  div_factor?: number;
  final_div_factor?: number;
  three_phase?: boolean;
}
const ONE_CYCLE = signature<Target & OneCycleOptions>("OneCycleLR", {
  optimizer: required,
  max_lr: required,
  total_steps: null,
  epochs: null,
  steps_per_epoch: null,
  pct_start: 0.3,
  anneal_strategy: "cos",
  cycle_momentum: true,
  base_momentum: 0.85,
  max_momentum: 0.95,
  div_factor: 25,
  final_div_factor: 1e4,
  three_phase: false,
  last_epoch: -1,
  verbose: false,
});

/** A stretch of the schedule: where it ends, and between which entries of a group it interpolates. */
interface Phase {
  end_step: number;
  start_lr: string;
  end_lr: string;
  start_momentum: string;
  end_momentum: string;
}
function phase(
  end_step: number,
  start_lr: string,
  end_lr: string,
  start_momentum: string,
  end_momentum: string,
): Phase {
  return { end_step, start_lr, end_lr, start_momentum, end_momentum };
}

function positiveInteger(name: string, x: number | null): number {
  if (x === null || !(x > 0) || !Number.isInteger(x)) {
    throw new ValueError(`Expected positive integer ${name}, but got ${pyrepr(x)}`);
  }
  return x;
}

/**
 * Up to a maximum and down to nearly nothing, once. Step it after every batch.
 *
 * @see https://arxiv.org/abs/1708.07120
 * @see https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.OneCycleLR.html
 */
export class OneCycleLR extends LRScheduler {
  total_steps: number;
  _schedule_phases: Phase[];
  anneal_strategy: "cos" | "linear";
  cycle_momentum: boolean;
  declare use_beta1: boolean;

  constructor(optimizer: Optimizer, options: OneCycleOptions);
  constructor(
    optimizer: Optimizer,
    max_lr: Rates,
    total_steps?: number | null | Partial<OneCycleOptions>,
    epochs?: number | null | Partial<OneCycleOptions>,
    steps_per_epoch?: number | null | Partial<OneCycleOptions>,
    pct_start?: number | Partial<OneCycleOptions>,
    anneal_strategy?: "cos" | "linear" | Partial<OneCycleOptions>,
    options?: Partial<OneCycleOptions>,
  );
  constructor(...args: unknown[]) {
    const a = ONE_CYCLE(args);
    const { optimizer, last_epoch, pct_start, anneal_strategy, cycle_momentum } = a;
    checkOptimizer(optimizer);
    if (a.total_steps === null && a.epochs === null && a.steps_per_epoch === null) {
      throw new ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)");
    }
    const total = a.total_steps !== null
      ? positiveInteger("total_steps", a.total_steps)
      : positiveInteger("epochs", a.epochs) * positiveInteger("steps_per_epoch", a.steps_per_epoch);
    if (!(pct_start >= 0 && pct_start <= 1)) {
      throw new ValueError(`Expected float between 0 and 1 pct_start, but got ${pyrepr(pct_start)}`);
    }
    if (anneal_strategy !== "cos" && anneal_strategy !== "linear") {
      throw new ValueError(
        `anneal_strategy must by one of 'cos' or 'linear', instead got ${anneal_strategy}`,
      );
    }
    const groups = optimizer.param_groups;
    const max_lrs = perGroup("max_lr", optimizer, a.max_lr);
    if (last_epoch === -1) {
      groups.forEach((g, i) => {
        g.initial_lr = max_lrs[i]! / a.div_factor;
        g.max_lr = max_lrs[i]!;
        g.min_lr = g.initial_lr / a.final_div_factor;
      });
    }
    const { momentum, betas } = optimizer.defaults;
    if (cycle_momentum && momentum === undefined && betas === undefined) {
      throw new ValueError("optimizer must support momentum with `cycle_momentum` option enabled");
    }
    super(optimizer, last_epoch, a.verbose);
    this.total_steps = total;
    const rise = phase(pct_start * total - 1, "initial_lr", "max_lr", "max_momentum", "base_momentum");
    this._schedule_phases = a.three_phase
      ? [
        rise,
        phase(2 * pct_start * total - 2, "max_lr", "initial_lr", "base_momentum", "max_momentum"),
        phase(total - 1, "initial_lr", "min_lr", "max_momentum", "max_momentum"),
      ]
      : [rise, phase(total - 1, "max_lr", "min_lr", "base_momentum", "max_momentum")];
    this.anneal_strategy = anneal_strategy;
    this.cycle_momentum = cycle_momentum;
    if (cycle_momentum) {
      this.use_beta1 = betas !== undefined;
      const most = perGroup("max_momentum", optimizer, a.max_momentum);
      const least = perGroup("base_momentum", optimizer, a.base_momentum);
      if (last_epoch === -1) {
        groups.forEach((g, i) => {
          this.#setMomentum(g, most[i]!);
          g.max_momentum = most[i]!;
          g.base_momentum = least[i]!;
        });
      }
    }
    this._initial_step();
  }

  #setMomentum(group: ParamGroup, value: number): void {
    if (this.use_beta1) group.betas = [value, ...(group.betas as number[]).slice(1)];
    else group.momentum = value;
  }

  #anneal(start: number, end: number, share: number): number {
    return this.anneal_strategy === "cos"
      ? end + (start - end) / 2 * (Math.cos(Math.PI * share) + 1)
      : (end - start) * share + start;
  }

  override _next(): number[] {
    const step = this.last_epoch, phases = this._schedule_phases;
    if (step > this.total_steps) {
      throw new ValueError(
        `Tried to step ${step + 1} times. The specified number of total steps is ${this.total_steps}`,
      );
    }
    let at = phases.findIndex((p) => step <= p.end_step);
    if (at < 0) at = phases.length - 1;
    const now = phases[at]!, start = at === 0 ? 0 : phases[at - 1]!.end_step;
    const share = (step - start) / (now.end_step - start);
    return this.optimizer.param_groups.map((g) => {
      if (this.cycle_momentum) {
        this.#setMomentum(g, this.#anneal(g[now.start_momentum], g[now.end_momentum], share));
      }
      return this.#anneal(g[now.start_lr], g[now.end_lr], share);
    });
  }
}
