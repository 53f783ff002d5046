/**
 * Schedulers that multiply the learning rate.
 *
 * @module
 */
import { ValueError } from "../../base/errors.ts";
import { required, signature } from "../../utils/signature.ts";
import type { Optimizer } from "../optimizer.ts";
import { LRScheduler, ownState, type SchedulerOptions, type SchedulerState, stateEntries } from "./base.ts";

interface Target {
  optimizer: Optimizer;
}
const rest = { last_epoch: -1, verbose: false } as const;

/** A factor for an epoch. */
export type Lambda = (epoch: number) => number;
interface LambdaOptions extends SchedulerOptions {
  lr_lambda: Lambda | readonly Lambda[];
}
const LAMBDA = signature<Target & LambdaOptions>("LambdaLR", {
  optimizer: required,
  lr_lambda: required,
  ...rest,
});

/** How many of `sorted` are at most `x`. */
export function bisectRight(sorted: readonly number[], x: number): number {
  let n = 0;
  while (n < sorted.length && sorted[n]! <= x) n++;
  return n;
}

abstract class FunctionScheduler extends LRScheduler {
  lr_lambdas: Lambda[];

  constructor(
    optimizer: Optimizer,
    lr_lambda: Lambda | readonly Lambda[] | LambdaOptions,
    last_epoch?: number | SchedulerOptions,
    verbose?: boolean | SchedulerOptions,
  );
  constructor(...args: unknown[]) {
    const { optimizer, lr_lambda, last_epoch, verbose } = LAMBDA(args);
    const n = optimizer.param_groups.length;
    const list = typeof lr_lambda === "function" ? new Array<Lambda>(n).fill(lr_lambda) : [...lr_lambda];
    if (list.length !== n) throw new ValueError(`Expected ${n} lr_lambdas, but got ${list.length}`);
    super(optimizer, last_epoch, verbose);
    this.lr_lambdas = list;
    this._initial_step();
  }

  // Functions cannot be saved: PyTorch puts None in their place.
  override state_dict(): SchedulerState {
    return { ...ownState(this), lr_lambdas: this.lr_lambdas.map(() => null) };
  }
  override load_state_dict(state_dict: SchedulerState | ReadonlyMap<string, unknown>): void {
    const { lr_lambdas: _, ...state } = stateEntries(state_dict);
    Object.assign(this, state);
  }
}

/**
 * The initial rate times a function of the epoch.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.LambdaLR.html
 */
export class LambdaLR extends FunctionScheduler {
  override _next(): number[] {
    return this.lr_lambdas.map((f, i) => this.base_lrs[i]! * f(this.last_epoch));
  }
}

/**
 * The last rate times a function of the epoch.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.MultiplicativeLR.html
 */
export class MultiplicativeLR extends FunctionScheduler {
  override _next(): number[] {
    const now = this._current;
    return this.last_epoch > 0 ? this.lr_lambdas.map((f, i) => now[i]! * f(this.last_epoch)) : now;
  }
}

interface StepOptions extends SchedulerOptions {
  step_size: number;
  gamma?: number;
}
const STEP = signature<Target & StepOptions>("StepLR", {
  optimizer: required,
  step_size: required,
  gamma: 0.1,
  ...rest,
});
/**
 * Multiplies by `gamma` every `step_size` epochs.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.StepLR.html
 */
export class StepLR extends LRScheduler {
  step_size: number;
  gamma: number;
  constructor(
    optimizer: Optimizer,
    step_size: number | StepOptions,
    gamma?: number | Partial<StepOptions>,
    last_epoch?: number | SchedulerOptions,
    verbose?: boolean,
  );
  constructor(...args: unknown[]) {
    const { optimizer, step_size, gamma, last_epoch, verbose } = STEP(args);
    super(optimizer, last_epoch, verbose);
    this.step_size = step_size;
    this.gamma = gamma;
    this._initial_step();
  }
  override _next(): number[] {
    const keep = this.last_epoch === 0 || this.last_epoch % this.step_size !== 0;
    return this._current.map((lr) => keep ? lr : lr * this.gamma);
  }
  override _get_closed_form_lr(): number[] {
    return this.base_lrs.map((lr) => lr * this.gamma ** Math.floor(this.last_epoch / this.step_size));
  }
}

interface MultiStepOptions extends SchedulerOptions {
  milestones: readonly number[];
  gamma?: number;
}
const MULTI_STEP = signature<Target & MultiStepOptions>("MultiStepLR", {
  optimizer: required,
  milestones: required,
  gamma: 0.1,
  ...rest,
});
/**
 * Multiplies by `gamma` at every milestone.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.MultiStepLR.html
 */
export class MultiStepLR extends LRScheduler {
  /** How often each epoch is a milestone. */
  milestones: Map<number, number>;
  gamma: number;
  constructor(
    optimizer: Optimizer,
    milestones: readonly number[] | MultiStepOptions,
    gamma?: number | Partial<MultiStepOptions>,
    last_epoch?: number | SchedulerOptions,
    verbose?: boolean,
  );
  constructor(...args: unknown[]) {
    const { optimizer, milestones, gamma, last_epoch, verbose } = MULTI_STEP(args);
    super(optimizer, last_epoch, verbose);
    this.milestones = new Map();
    for (const m of milestones) this.milestones.set(m, (this.milestones.get(m) ?? 0) + 1);
    this.gamma = gamma;
    this._initial_step();
  }
  override _next(): number[] {
    const times = this.milestones.get(this.last_epoch);
    return this._current.map((lr) => times === undefined ? lr : lr * this.gamma ** times);
  }
  override _get_closed_form_lr(): number[] {
    let times = 0;
    for (const [epoch, n] of this.milestones) if (epoch <= this.last_epoch) times += n;
    return this.base_lrs.map((lr) => lr * this.gamma ** times);
  }
}

interface ConstantOptions extends SchedulerOptions {
  factor?: number;
  total_iters?: number;
}
const CONSTANT = signature<Target & ConstantOptions>("ConstantLR", {
  optimizer: required,
  factor: 1 / 3,
  total_iters: 5,
  ...rest,
});
/**
 * The initial rate times `factor` for `total_iters` epochs, then the initial rate.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ConstantLR.html
 */
export class ConstantLR extends LRScheduler {
  factor: number;
  total_iters: number;
  constructor(
    optimizer: Optimizer,
    factor?: number | ConstantOptions,
    total_iters?: number | ConstantOptions,
    last_epoch?: number | SchedulerOptions,
    verbose?: boolean,
  );
  constructor(...args: unknown[]) {
    const { optimizer, factor, total_iters, last_epoch, verbose } = CONSTANT(args);
    if (factor > 1 || factor < 0) {
      throw new ValueError("Constant multiplicative factor expected to be between 0 and 1.");
    }
    super(optimizer, last_epoch, verbose);
    this.factor = factor;
    this.total_iters = total_iters;
    this._initial_step();
  }
  override _next(): number[] {
    const { last_epoch, factor, total_iters } = this;
    if (last_epoch === 0) return this._current.map((lr) => lr * factor);
    return this._current.map((lr) => last_epoch === total_iters ? lr * (1 / factor) : lr);
  }
  override _get_closed_form_lr(): number[] {
    const { factor } = this;
    const done = this.last_epoch >= this.total_iters ? 1 : 0;
    return this.base_lrs.map((lr) => lr * (factor + done * (1 - factor)));
  }
}

interface LinearOptions extends SchedulerOptions {
  start_factor?: number;
  end_factor?: number;
  total_iters?: number;
}
const LINEAR = signature<Target & LinearOptions>("LinearLR", {
  optimizer: required,
  start_factor: 1 / 3,
  end_factor: 1,
  total_iters: 5,
  ...rest,
});
/**
 * The factor goes linearly from `start_factor` to `end_factor` in `total_iters` epochs.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.LinearLR.html
 */
export class LinearLR extends LRScheduler {
  start_factor: number;
  end_factor: number;
  total_iters: number;
  constructor(
    optimizer: Optimizer,
    start_factor?: number | LinearOptions,
    end_factor?: number | LinearOptions,
    total_iters?: number | LinearOptions,
    last_epoch?: number | SchedulerOptions,
    verbose?: boolean,
  );
  constructor(...args: unknown[]) {
    const { optimizer, start_factor, end_factor, total_iters, last_epoch, verbose } = LINEAR(args);
    if (start_factor > 1 || start_factor < 0) {
      throw new ValueError("Starting multiplicative factor expected to be between 0 and 1.");
    }
    if (end_factor > 1 || end_factor < 0) {
      throw new ValueError("Ending multiplicative factor expected to be between 0 and 1.");
    }
    super(optimizer, last_epoch, verbose);
    this.start_factor = start_factor;
    this.end_factor = end_factor;
    this.total_iters = total_iters;
    this._initial_step();
  }
  override _next(): number[] {
    const { last_epoch, start_factor, end_factor, total_iters } = this;
    if (last_epoch === 0) return this._current.map((lr) => lr * start_factor);
    if (last_epoch > total_iters) return this._current;
    const change = end_factor - start_factor;
    const factor = 1 + change / (total_iters * start_factor + (last_epoch - 1) * change);
    return this._current.map((lr) => lr * factor);
  }
  override _get_closed_form_lr(): number[] {
    const { start_factor, end_factor, total_iters } = this;
    const share = (end_factor - start_factor) * Math.min(total_iters, this.last_epoch) / total_iters;
    return this.base_lrs.map((lr) => lr * (start_factor + share));
  }
}

interface ExponentialOptions extends SchedulerOptions {
  gamma: number;
}
const EXPONENTIAL = signature<Target & ExponentialOptions>("ExponentialLR", {
  optimizer: required,
  gamma: required,
  ...rest,
});
/**
 * Multiplies by `gamma` every epoch.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ExponentialLR.html
 */
export class ExponentialLR extends LRScheduler {
  gamma: number;
  constructor(
    optimizer: Optimizer,
    gamma: number | ExponentialOptions,
    last_epoch?: number | SchedulerOptions,
    verbose?: boolean,
  );
  constructor(...args: unknown[]) {
    const { optimizer, gamma, last_epoch, verbose } = EXPONENTIAL(args);
    super(optimizer, last_epoch, verbose);
    this.gamma = gamma;
    this._initial_step();
  }
  override _next(): number[] {
    return this._current.map((lr) => this.last_epoch === 0 ? lr : lr * this.gamma);
  }
  override _get_closed_form_lr(): number[] {
    return this.base_lrs.map((lr) => lr * this.gamma ** this.last_epoch);
  }
}

interface PolynomialOptions extends SchedulerOptions {
  total_iters?: number;
  power?: number;
}
const POLYNOMIAL = signature<Target & PolynomialOptions>("PolynomialLR", {
  optimizer: required,
  total_iters: 5,
  power: 1,
  ...rest,
});
/**
 * The initial rate times (1 - epoch / total_iters) ^ power.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.PolynomialLR.html
 */
export class PolynomialLR extends LRScheduler {
  total_iters: number;
  power: number;
  constructor(
    optimizer: Optimizer,
    total_iters?: number | PolynomialOptions,
    power?: number | PolynomialOptions,
    last_epoch?: number | SchedulerOptions,
    verbose?: boolean,
  );
  constructor(...args: unknown[]) {
    const { optimizer, total_iters, power, last_epoch, verbose } = POLYNOMIAL(args);
    super(optimizer, last_epoch, verbose);
    this.total_iters = total_iters;
    this.power = power;
    this._initial_step();
  }
  override _next(): number[] {
    const { last_epoch, total_iters, power } = this;
    if (last_epoch === 0 || last_epoch > total_iters) return this._current;
    const factor = ((1 - last_epoch / total_iters) / (1 - (last_epoch - 1) / total_iters)) ** power;
    return this._current.map((lr) => lr * factor);
  }
  override _get_closed_form_lr(): number[] {
    const factor = (1 - Math.min(this.total_iters, this.last_epoch) / this.total_iters) ** this.power;
    return this.base_lrs.map((lr) => lr * factor);
  }
}
