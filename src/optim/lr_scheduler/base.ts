/**
 * Base class of learning rate schedulers.
 *
 * @module
 */
import { KeyError, NotImplementedError, ValueError, warnOnce } from "../../base/errors.ts";
import { typename } from "../../utils/typename.ts";
import { Optimizer } from "../optimizer.ts";

/** The last arguments of every scheduler. */
export interface SchedulerOptions {
  /** The last epoch that was run, to go on from there; -1: from the start. */
  last_epoch?: number;
  /** Prints every change. */
  verbose?: boolean;
}

/** What a scheduler's `state_dict()` gives. */
export type SchedulerState = Record<string, unknown>;

/** An optimizer whose steps are counted, to see whether it steps before its schedulers. */
interface CountedOptimizer extends Optimizer {
  _step_count: number;
}
const counted = new WeakSet<object>();

/** Makes `optimizer.step` count its calls. */
function countSteps(optimizer: Optimizer): void {
  const step = optimizer.step;
  if (counted.has(step)) return;
  const counting = function (this: Optimizer, ...args: unknown[]): unknown {
    (this as CountedOptimizer)._step_count++;
    return (step as (...a: unknown[]) => unknown).apply(this, args);
  };
  counted.add(counting);
  Object.defineProperty(optimizer, "step", { value: counting, writable: true, configurable: true });
}

/** Throws PyTorch's error if `x` is no Optimizer. */
export function checkOptimizer(x: unknown): asserts x is Optimizer {
  if (!(x instanceof Optimizer)) throw new TypeError(`${typename(x)} is not an Optimizer`);
}

/** A value for every parameter group: the array itself, checked, or one value repeated. */
export function perGroup(name: string, optimizer: Optimizer, x: number | readonly number[]): number[] {
  const n = optimizer.param_groups.length;
  if (typeof x === "number") return new Array<number>(n).fill(x);
  if (x.length !== n) throw new ValueError(`expected ${n} values for ${name}, got ${x.length}`);
  return [...x];
}

/** `1.2346e-01`, as Python writes `{:.4e}`. */
export function exponential(x: number): string {
  return x.toExponential(4).replace(/e([+-])(\d)$/, "e$10$2");
}
/** An epoch as PyTorch prints it: `%.2f` of a fraction, `%.5d` of a whole number. */
export function epochText(epoch: number): string {
  return Number.isInteger(epoch) ? String(epoch).padStart(5, "0") : epoch.toFixed(2);
}

/** PyTorch's warning where an epoch is passed to `step`. */
export function warnEpoch(): void {
  warnOnce(
    "UserWarning",
    "The epoch parameter in `scheduler.step()` was not necessary and is being deprecated where possible. Please use " +
      "`scheduler.step()` to step the scheduler. During the deprecation, if epoch is different from None, the closed " +
      "form is used instead of the new chainable form, where available. Please open an issue if you are unable to " +
      "replicate your use case: https://github.com/pytorch/pytorch/issues/new/choose.",
  );
}

/** The entries of a scheduler that its state_dict has: all but the optimizer and functions. */
export function ownState(scheduler: object): SchedulerState {
  return Object.fromEntries(
    Object.entries(scheduler).filter(([k, v]) => k !== "optimizer" && typeof v !== "function"),
  );
}

/** The entries of a state_dict that may have become a Map on its way through a file. */
export function stateEntries(state: SchedulerState | ReadonlyMap<string, unknown>): SchedulerState {
  return state instanceof Map ? Object.fromEntries(state) : { ...(state as SchedulerState) };
}

/**
 * Base class of schedulers. A subclass overrides `get_lr` and calls `this._initial_step()` at the end of its
 * constructor, when all that `get_lr` reads is there.
 *
 * @see https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate
 */
export class LRScheduler {
  optimizer: Optimizer;
  base_lrs: number[];
  last_epoch: number;
  verbose: boolean;
  _step_count = 0;
  _get_lr_called_within_step = false;
  _last_lr: number[] = [];

  constructor(optimizer: Optimizer, last_epoch = -1, verbose = false) {
    checkOptimizer(optimizer);
    this.optimizer = optimizer;
    optimizer.param_groups.forEach((g, i) => {
      if (last_epoch === -1) g.initial_lr ??= g.lr;
      else if (g.initial_lr === undefined) {
        throw new KeyError(
          `param 'initial_lr' is not specified in param_groups[${i}] when resuming an optimizer`,
        );
      }
    });
    this.base_lrs = optimizer.param_groups.map((g) => g.initial_lr as number);
    this.last_epoch = last_epoch;
    this.verbose = verbose;
    countSteps(optimizer);
  }

  /** The step that sets the first learning rates. */
  _initial_step(): void {
    (this.optimizer as CountedOptimizer)._step_count = 0;
    this._step_count = 0;
    this.step();
  }

  /** All entries but the optimizer. */
  state_dict(): SchedulerState {
    return ownState(this);
  }

  /** Takes over a state_dict. */
  load_state_dict(state_dict: SchedulerState | ReadonlyMap<string, unknown>): void {
    Object.assign(this, stateEntries(state_dict));
  }

  /** The learning rates that the last step set. */
  get_last_lr(): number[] {
    return this._last_lr;
  }

  /** The learning rates of this epoch, from those of the last. */
  get_lr(): number[] {
    if (!this._get_lr_called_within_step) {
      warnOnce(
        "UserWarning",
        "To get the last learning rate computed by the scheduler, please use `get_last_lr()`.",
      );
    }
    return this._next();
  }

  /** What `get_lr` returns. */
  _next(): number[] {
    throw new NotImplementedError("");
  }

  /** The learning rates of this epoch without those before it, where there is such a formula. */
  _get_closed_form_lr(): number[] | null {
    return null;
  }

  /** The learning rates as they are. */
  get _current(): number[] {
    return this.optimizer.param_groups.map((g) => g.lr);
  }

  /** Prints a change. */
  print_lr(is_verbose: boolean, group: number, lr: number, epoch: number | null = null): void {
    if (!is_verbose) return;
    console.log(
      epoch === null
        ? `Adjusting learning rate of group ${group} to ${exponential(lr)}.`
        : `Epoch ${epochText(epoch)}: adjusting learning rate of group ${group} to ${exponential(lr)}.`,
    );
  }

  /** Sets the learning rates of the next epoch. Call it after `optimizer.step()`. */
  step(epoch?: number | null): void {
    if (this._step_count === 1) this.#checkOrder();
    this._step_count++;
    this._set(() => {
      if (epoch === undefined || epoch === null) {
        this.last_epoch++;
        return this.get_lr();
      }
      warnEpoch();
      this.last_epoch = epoch;
      return this._get_closed_form_lr() ?? this.get_lr();
    }, epoch ?? null);
  }

  /** Sets the learning rates that `compute` gives. */
  _set(compute: () => number[], epoch: number | null): void {
    this._get_lr_called_within_step = true;
    let values: number[];
    try {
      values = compute();
    } finally {
      this._get_lr_called_within_step = false;
    }
    this.optimizer.param_groups.forEach((g, i) => {
      if (i >= values.length) return;
      g.lr = values[i]!;
      this.print_lr(this.verbose, i, g.lr, epoch);
    });
    this._last_lr = this._current;
  }

  #checkOrder(): void {
    const url = "https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate";
    if (!counted.has(this.optimizer.step)) {
      warnOnce(
        "UserWarning",
        "Seems like `optimizer.step()` has been overridden after learning rate scheduler initialization. Please, make " +
          `sure to call \`optimizer.step()\` before \`lr_scheduler.step()\`. See more details at ${url}`,
      );
    } else if ((this.optimizer as CountedOptimizer)._step_count < 1) {
      warnOnce(
        "UserWarning",
        "Detected call of `lr_scheduler.step()` before `optimizer.step()`. In PyTorch 1.1.0 and later, you should call " +
          "them in the opposite order: `optimizer.step()` before `lr_scheduler.step()`.  Failure to do this will result " +
          `in PyTorch skipping the first value of the learning rate schedule. See more details at ${url}`,
      );
    }
  }
}
