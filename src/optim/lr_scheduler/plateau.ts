/**
 * Reduction of the learning rate when a metric stops improving.
 *
 * @module
 */
import { ValueError } from "../../base/errors.ts";
import { Tensor } from "../../tensor.ts";
import { required, signature } from "../../utils/signature.ts";
import type { Optimizer } from "../optimizer.ts";
import {
  checkOptimizer,
  epochText,
  exponential,
  ownState,
  type SchedulerState,
  stateEntries,
  warnEpoch,
} from "./base.ts";

interface PlateauOptions {
  mode?: "min" | "max";
  factor?: number;
  patience?: number;
  threshold?: number;
  threshold_mode?: "rel" | "abs";
  cooldown?: number;
  min_lr?: number | readonly number[];
  eps?: number;
  verbose?: boolean;
}
const PLATEAU = signature<{ optimizer: Optimizer } & PlateauOptions>("ReduceLROnPlateau", {
  optimizer: required,
  mode: "min",
  factor: 0.1,
  patience: 10,
  threshold: 1e-4,
  threshold_mode: "rel",
  cooldown: 0,
  min_lr: 0,
  eps: 1e-8,
  verbose: false,
});

/**
 * Multiplies by `factor` when a metric has not improved for `patience` epochs.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ReduceLROnPlateau.html
 */
export class ReduceLROnPlateau {
  factor: number;
  optimizer: Optimizer;
  min_lrs: number[];
  patience: number;
  verbose: boolean;
  cooldown: number;
  cooldown_counter = 0;
  mode: "min" | "max";
  threshold: number;
  threshold_mode: "rel" | "abs";
  best: number;
  num_bad_epochs = 0;
  mode_worse: number;
  eps: number;
  last_epoch = 0;
  _last_lr: number[];

  constructor(
    optimizer: Optimizer,
    mode?: "min" | "max" | PlateauOptions,
    factor?: number | PlateauOptions,
    patience?: number | PlateauOptions,
    threshold?: number | PlateauOptions,
    threshold_mode?: "rel" | "abs" | PlateauOptions,
    cooldown?: number | PlateauOptions,
    min_lr?: number | readonly number[] | PlateauOptions,
    eps?: number | PlateauOptions,
    verbose?: boolean,
  );
  constructor(...args: unknown[]) {
    const a = PLATEAU(args);
    const { optimizer, mode, threshold_mode, min_lr } = a;
    if (a.factor >= 1) throw new ValueError("Factor should be < 1.0.");
    checkOptimizer(optimizer);
    const n = optimizer.param_groups.length;
    if (typeof min_lr !== "number" && min_lr.length !== n) {
      throw new ValueError(`expected ${n} min_lrs, got ${min_lr.length}`);
    }
    if (mode !== "min" && mode !== "max") throw new ValueError(`mode ${mode} is unknown!`);
    if (threshold_mode !== "rel" && threshold_mode !== "abs") {
      throw new ValueError(`threshold mode ${threshold_mode} is unknown!`);
    }
    this.factor = a.factor;
    this.optimizer = optimizer;
    this.min_lrs = typeof min_lr === "number" ? new Array<number>(n).fill(min_lr) : [...min_lr];
    this.patience = a.patience;
    this.verbose = a.verbose;
    this.cooldown = a.cooldown;
    this.mode = mode;
    this.threshold = a.threshold;
    this.threshold_mode = threshold_mode;
    this.mode_worse = mode === "min" ? Infinity : -Infinity;
    this.best = this.mode_worse;
    this.eps = a.eps;
    this._last_lr = optimizer.param_groups.map((g) => g.lr);
  }

  /** Takes note of the epoch's metric and reduces the learning rate if it is time to. */
  step(metrics: number | Tensor, epoch?: number | null): void {
    const current = metrics instanceof Tensor ? Number(metrics.item()) : Number(metrics);
    if (epoch !== undefined && epoch !== null) warnEpoch();
    this.last_epoch = epoch ?? this.last_epoch + 1;
    if (this.is_better(current, this.best)) {
      this.best = current;
      this.num_bad_epochs = 0;
    } else this.num_bad_epochs++;
    if (this.in_cooldown) {
      this.cooldown_counter--;
      this.num_bad_epochs = 0; // epochs of the cooldown do not count
    }
    if (this.num_bad_epochs > this.patience) {
      this.#reduce();
      this.cooldown_counter = this.cooldown;
      this.num_bad_epochs = 0;
    }
    this._last_lr = this.optimizer.param_groups.map((g) => g.lr);
  }

  #reduce(): void {
    this.optimizer.param_groups.forEach((g, i) => {
      const lr = Math.max(g.lr * this.factor, this.min_lrs[i]!);
      if (!(g.lr - lr > this.eps)) return;
      g.lr = lr;
      if (this.verbose) {
        console.log(
          `Epoch ${epochText(this.last_epoch)}: reducing learning rate of group ${i} to ${exponential(lr)}.`,
        );
      }
    });
  }

  /** Has the rate been reduced within the last `cooldown` epochs? */
  get in_cooldown(): boolean {
    return this.cooldown_counter > 0;
  }

  /** Is `a` better than `best` by more than the threshold? */
  is_better(a: number, best: number): boolean {
    const { mode, threshold, threshold_mode } = this;
    if (mode === "min") return threshold_mode === "rel" ? a < best * (1 - threshold) : a < best - threshold;
    return threshold_mode === "rel" ? a > best * (threshold + 1) : a > best + threshold;
  }

  /** The learning rates that the last step set. */
  get_last_lr(): number[] {
    return this._last_lr;
  }
  /** All entries but the optimizer. */
  state_dict(): SchedulerState {
    return ownState(this);
  }
  /** Takes over a state_dict. */
  load_state_dict(state_dict: SchedulerState | ReadonlyMap<string, unknown>): void {
    Object.assign(this, stateEntries(state_dict));
  }
}
