/**
 * Cosine annealing.
 *
 * @module
 */
import { ValueError } from "../../base/errors.ts";
import { pyrepr } from "../../utils/pyrepr.ts";
import { required, signature } from "../../utils/signature.ts";
import type { Optimizer } from "../optimizer.ts";
import { LRScheduler, type SchedulerOptions } from "./base.ts";

interface Target {
  optimizer: Optimizer;
}

interface CosineOptions extends SchedulerOptions {
  T_max: number;
  eta_min?: number;
}
const COSINE = signature<Target & CosineOptions>("CosineAnnealingLR", {
  optimizer: required,
  T_max: required,
  eta_min: 0,
  last_epoch: -1,
  verbose: false,
});
/**
 * Half a cosine wave from the initial rate to `eta_min` in `T_max` epochs, and back.
 *
 * @see https://arxiv.org/abs/1608.03983
 * @see https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CosineAnnealingLR.html
 */
export class CosineAnnealingLR extends LRScheduler {
  T_max: number;
  eta_min: number;
  constructor(
    optimizer: Optimizer,
    T_max: number | CosineOptions,
    eta_min?: number | Partial<CosineOptions>,
    last_epoch?: number | SchedulerOptions,
    verbose?: boolean,
  );
  constructor(...args: unknown[]) {
    const { optimizer, T_max, eta_min, last_epoch, verbose } = COSINE(args);
    super(optimizer, last_epoch, verbose);
    this.T_max = T_max;
    this.eta_min = eta_min;
    this._initial_step();
  }
  override _next(): number[] {
    const { last_epoch, T_max, eta_min, base_lrs } = this;
    const now = this._current;
    if (last_epoch === 0) return now;
    if (this._step_count === 1 && last_epoch > 0) {
      const wave = 1 + Math.cos(last_epoch * Math.PI / T_max);
      return base_lrs.map((lr) => eta_min + (lr - eta_min) * wave / 2);
    }
    if ((last_epoch - 1 - T_max) % (2 * T_max) === 0) {
      const rise = 1 - Math.cos(Math.PI / T_max);
      return now.map((lr, i) => lr + (base_lrs[i]! - eta_min) * rise / 2);
    }
    const ratio = (1 + Math.cos(Math.PI * last_epoch / T_max)) /
      (1 + Math.cos(Math.PI * (last_epoch - 1) / T_max));
    return now.map((lr) => ratio * (lr - eta_min) + eta_min);
  }
  override _get_closed_form_lr(): number[] {
    const wave = 1 + Math.cos(Math.PI * this.last_epoch / this.T_max);
    return this.base_lrs.map((lr) => this.eta_min + (lr - this.eta_min) * wave / 2);
  }
}

interface RestartOptions extends SchedulerOptions {
  T_0: number;
  T_mult?: number;
  eta_min?: number;
}
const RESTARTS = signature<Target & RestartOptions>("CosineAnnealingWarmRestarts", {
  optimizer: required,
  T_0: required,
  T_mult: 1,
  eta_min: 0,
  last_epoch: -1,
  verbose: false,
});
/**
 * Cosine annealing that starts again after `T_0` epochs, and then after intervals `T_mult` times as long each.
 *
 * @see https://arxiv.org/abs/1608.03983
 * @see https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CosineAnnealingWarmRestarts.html
 */
export class CosineAnnealingWarmRestarts extends LRScheduler {
  T_0: number;
  T_i: number;
  T_mult: number;
  eta_min: number;
  T_cur: number;
  constructor(
    optimizer: Optimizer,
    T_0: number | RestartOptions,
    T_mult?: number | Partial<RestartOptions>,
    eta_min?: number | Partial<RestartOptions>,
    last_epoch?: number | SchedulerOptions,
    verbose?: boolean,
  );
  constructor(...args: unknown[]) {
    const { optimizer, T_0, T_mult, eta_min, last_epoch, verbose } = RESTARTS(args);
    if (!(T_0 > 0) || !Number.isInteger(T_0)) {
      throw new ValueError(`Expected positive integer T_0, but got ${pyrepr(T_0)}`);
    }
    if (!(T_mult >= 1) || !Number.isInteger(T_mult)) {
      throw new ValueError(`Expected integer T_mult >= 1, but got ${pyrepr(T_mult)}`);
    }
    super(optimizer, last_epoch, verbose);
    this.T_0 = T_0;
    this.T_i = T_0;
    this.T_mult = T_mult;
    this.eta_min = eta_min;
    this.T_cur = last_epoch;
    this._initial_step();
  }
  override _next(): number[] {
    const wave = 1 + Math.cos(Math.PI * this.T_cur / this.T_i);
    return this.base_lrs.map((lr) => this.eta_min + (lr - this.eta_min) * wave / 2);
  }
  /** The epoch may be a fraction, such as `epoch + batch / batches`. */
  override step(given?: number | null): void {
    const { T_0, T_mult } = this;
    let epoch = given ?? (this.last_epoch < 0 ? 0 : null);
    if (epoch === null) {
      epoch = this.last_epoch + 1;
      this.T_cur++;
      if (this.T_cur >= this.T_i) {
        this.T_cur -= this.T_i;
        this.T_i *= T_mult;
      }
    } else {
      if (epoch < 0) throw new ValueError(`Expected non-negative epoch, but got ${pyrepr(epoch)}`);
      if (epoch < T_0) {
        this.T_i = T_0;
        this.T_cur = epoch;
      } else if (T_mult === 1) this.T_cur = epoch % T_0;
      else {
        const n = Math.trunc(Math.log(epoch / T_0 * (T_mult - 1) + 1) / Math.log(T_mult));
        this.T_cur = epoch - T_0 * (T_mult ** n - 1) / (T_mult - 1);
        this.T_i = T_0 * T_mult ** n;
      }
    }
    this.last_epoch = Math.floor(epoch);
    this._set(() => this.get_lr(), epoch);
  }
}
