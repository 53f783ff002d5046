/**
 * Schedulers made of schedulers.
 *
 * @module
 */
import { ValueError } from "../../base/errors.ts";
import { required, signature } from "../../utils/signature.ts";
import type { Optimizer } from "../optimizer.ts";
import {
  type LRScheduler,
  ownState,
  type SchedulerOptions,
  type SchedulerState,
  stateEntries,
} from "./base.ts";
import { bisectRight } from "./decay.ts";

/** A scheduler that passes its steps on to others. */
abstract class Composite {
  declare optimizer: Optimizer;
  declare _schedulers: LRScheduler[];
  declare _last_lr: number[];

  /** The learning rates that the last step set. */
  get_last_lr(): number[] {
    return this._last_lr;
  }
  /** All entries, with the states of the schedulers inside. */
  state_dict(): SchedulerState {
    return { ...ownState(this), _schedulers: this._schedulers.map((s) => s.state_dict()) };
  }
  /** Takes over a state_dict. */
  load_state_dict(state_dict: SchedulerState | ReadonlyMap<string, unknown>): void {
    const { _schedulers, ...state } = stateEntries(state_dict);
    Object.assign(this, state);
    (_schedulers as SchedulerState[]).forEach((s, i) => this._schedulers[i]!.load_state_dict(s));
  }
}

interface SequentialOptions extends SchedulerOptions {
  schedulers: readonly LRScheduler[];
  milestones: readonly number[];
}
const SEQUENTIAL = signature<{ optimizer: Optimizer } & SequentialOptions>("SequentialLR", {
  optimizer: required,
  schedulers: required,
  milestones: required,
  last_epoch: -1,
  verbose: false,
});
/**
 * One scheduler after the other, changing at the milestones.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.SequentialLR.html
 */
export class SequentialLR extends Composite {
  _milestones: number[];
  last_epoch: number;

  constructor(
    optimizer: Optimizer,
    schedulers: readonly LRScheduler[],
    milestones: readonly number[] | Partial<SequentialOptions>,
    last_epoch?: number | SchedulerOptions,
    verbose?: boolean,
  );
  constructor(...args: unknown[]) {
    super();
    const { optimizer, schedulers, milestones, last_epoch } = SEQUENTIAL(args);
    schedulers.forEach((s, i) => {
      if (s.optimizer !== optimizer) {
        throw new ValueError(
          "Sequential Schedulers expects all schedulers to belong to the same optimizer, but got schedulers at index " +
            `${i} to be different than the optimizer passed in.`,
        );
      }
    });
    if (milestones.length !== schedulers.length - 1) {
      throw new ValueError(
        "Sequential Schedulers expects number of schedulers provided to be one more than the number of milestone " +
          `points, but got number of schedulers ${schedulers.length} and the number of milestones to be equal to ` +
          `${milestones.length}`,
      );
    }
    this._schedulers = [...schedulers];
    this._milestones = [...milestones];
    this.last_epoch = last_epoch + 1;
    this.optimizer = optimizer;
    // Undo the first steps that the schedulers took when they were made, but for the first one's.
    for (const g of optimizer.param_groups) g.lr = g.initial_lr as number;
    for (const s of schedulers) s.last_epoch--;
    schedulers[0]!._initial_step();
    this._last_lr = schedulers[0]!.get_last_lr();
  }

  /** Steps the scheduler whose turn it is. */
  step(): void {
    this.last_epoch++;
    const i = bisectRight(this._milestones, this.last_epoch);
    const scheduler = this._schedulers[i]!;
    if (i > 0 && this._milestones[i - 1] === this.last_epoch) scheduler.step(0);
    else scheduler.step();
    this._last_lr = scheduler.get_last_lr();
  }
}

/**
 * Several schedulers at once: each changes what the one before left.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ChainedScheduler.html
 */
export class ChainedScheduler extends Composite {
  constructor(schedulers: readonly LRScheduler[]) {
    super();
    const first = schedulers[0]!;
    schedulers.forEach((s, i) => {
      if (s.optimizer !== first.optimizer) {
        throw new ValueError(
          "ChainedScheduler expects all schedulers to belong to the same optimizer, but got schedulers at index 0 and " +
            `${i} to be different`,
        );
      }
    });
    this._schedulers = [...schedulers];
    this.optimizer = first.optimizer;
    this._last_lr = this.optimizer.param_groups.map((g) => g.lr);
  }

  /** Steps them all. */
  step(): void {
    for (const s of this._schedulers) s.step();
    this._last_lr = this.optimizer.param_groups.map((g) => g.lr);
  }
}
