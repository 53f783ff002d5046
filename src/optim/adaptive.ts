/**
 * Optimizers with a step size per element: RMSprop, Adagrad, Adadelta, Rprop; and averaged SGD.
 *
 * @module
 */
import { ValueError } from "../base/errors.ts";
import * as aten from "../ops/mod.ts";
import { pyrepr } from "../utils/pyrepr.ts";
import { required, signature } from "../utils/signature.ts";
import { stateOf } from "./adam.ts";
import { checkNonNegative } from "./checks.ts";
import { Algorithm, fusedStep, type Row } from "./fused.ts";
import { Optimizer, type ParamGroup, type ParamGroupInput, type Params } from "./optimizer.ts";
import { defineScalar, scalarsOf, stateTensor } from "./state.ts";

interface Common {
  lr?: number;
  weight_decay?: number;
  maximize?: boolean;
  /** Accepted; every step is one kernel call. */
  foreach?: boolean | null;
}

/** Options of `optim.RMSprop`. */
export interface RMSpropOptions extends Common {
  alpha?: number;
  eps?: number;
  momentum?: number;
  centered?: boolean;
  differentiable?: boolean;
}
const RMSPROP = signature<{ params: Params } & RMSpropOptions>("RMSprop", {
  params: required,
  lr: 1e-2,
  alpha: 0.99,
  eps: 1e-8,
  weight_decay: 0,
  momentum: 0,
  centered: false,
  foreach: null,
  maximize: false,
  differentiable: false,
});
/**
 * Steps divided by the root of a running mean of squared gradients.
 *
 * @see https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf
 * @see https://pytorch.org/docs/stable/generated/torch.optim.RMSprop.html
 */
export class RMSprop extends Optimizer {
  constructor(
    params: Params,
    lr?: number | RMSpropOptions,
    alpha?: number | RMSpropOptions,
    eps?: number | RMSpropOptions,
    weight_decay?: number | RMSpropOptions,
    momentum?: number | RMSpropOptions,
    centered?: boolean | RMSpropOptions,
    foreach?: boolean | null | RMSpropOptions,
    maximize?: boolean | RMSpropOptions,
    differentiable?: boolean,
  );
  constructor(...args: unknown[]) {
    const { params, ...defaults } = RMSPROP(args);
    checkNonNegative({
      "learning rate": defaults.lr,
      "epsilon value": defaults.eps,
      "momentum value": defaults.momentum,
      "weight_decay value": defaults.weight_decay,
      "alpha value": defaults.alpha,
    });
    super(params, defaults);
  }
  override _update(group: ParamGroup): void {
    const { lr, alpha, eps, weight_decay, momentum, centered, maximize } = group;
    const names = [
      "square_avg",
      ...(momentum > 0 ? ["momentum_buffer"] : []),
      ...(centered ? ["grad_avg"] : []),
    ];
    const rows: Row[] = [];
    for (const param of group.params) {
      const grad = param.grad;
      if (grad === null) continue;
      const state = stateOf(this, param, {}, names);
      state.step = (state.step ?? 0) + 1;
      const s2 = momentum > 0 ? state.momentum_buffer : null, s3 = centered ? state.grad_avg : null;
      rows.push({ param, grad, s1: state.square_avg, s2, s3, step: state.step });
    }
    fusedStep(Algorithm.rmsprop, { lr, alpha, eps, weight_decay, momentum, centered, maximize }, rows);
  }
}

/** Options of `optim.Adagrad`. */
export interface AdagradOptions extends Common {
  lr_decay?: number;
  initial_accumulator_value?: number;
  eps?: number;
}
const ADAGRAD = signature<{ params: Params } & AdagradOptions>("Adagrad", {
  params: required,
  lr: 1e-2,
  lr_decay: 0,
  weight_decay: 0,
  initial_accumulator_value: 0,
  eps: 1e-10,
  foreach: null,
  maximize: false,
});
/**
 * Steps divided by the root of the sum of squared gradients.
 *
 * @see http://jmlr.org/papers/v12/duchi11a.html
 * @see https://pytorch.org/docs/stable/generated/torch.optim.Adagrad.html
 */
export class Adagrad extends Optimizer {
  constructor(
    params: Params,
    lr?: number | AdagradOptions,
    lr_decay?: number | AdagradOptions,
    weight_decay?: number | AdagradOptions,
    initial_accumulator_value?: number | AdagradOptions,
    eps?: number | AdagradOptions,
    foreach?: boolean | null | AdagradOptions,
    options?: AdagradOptions,
  );
  constructor(...args: unknown[]) {
    const { params, ...defaults } = ADAGRAD(args);
    checkNonNegative({
      "learning rate": defaults.lr,
      "lr_decay value": defaults.lr_decay,
      "weight_decay value": defaults.weight_decay,
      "initial_accumulator_value value": defaults.initial_accumulator_value,
      "epsilon value": defaults.eps,
    });
    super(params, defaults);
  }
  // The sums start with the optimizer, so that a state_dict has them before the first step.
  override add_param_group(group: ParamGroupInput): void {
    super.add_param_group(group);
    const added = this.param_groups.at(-1)!;
    for (const param of added.params) {
      const state = {};
      defineScalar(state, "step", 0);
      this.state.set(
        param,
        Object.assign(state, {
          sum: stateTensor(() => aten.full_like(param.detach(), added.initial_accumulator_value as number)),
        }),
      );
    }
  }
  override get _scalars(): readonly string[] {
    return ["step"];
  }
  override _update(group: ParamGroup): void {
    const rows: Row[] = [];
    for (const param of group.params) {
      const grad = param.grad;
      if (grad === null) continue;
      const state = this.state.get(param)!;
      rows.push({ param, grad, s1: state.sum, step: ++scalarsOf(state).step! });
    }
    const { lr, lr_decay, weight_decay, eps, maximize } = group;
    fusedStep(Algorithm.adagrad, { lr, lr_decay, weight_decay, eps, maximize }, rows);
  }
}

/** Options of `optim.Adadelta`. */
export interface AdadeltaOptions extends Common {
  rho?: number;
  eps?: number;
}
const ADADELTA = signature<{ params: Params } & AdadeltaOptions>("Adadelta", {
  params: required,
  lr: 1,
  rho: 0.9,
  eps: 1e-6,
  weight_decay: 0,
  foreach: null,
  maximize: false,
});
/**
 * Steps in the units of the parameters, without a global learning rate.
 *
 * @see https://arxiv.org/abs/1212.5701
 * @see https://pytorch.org/docs/stable/generated/torch.optim.Adadelta.html
 */
export class Adadelta extends Optimizer {
  constructor(
    params: Params,
    lr?: number | AdadeltaOptions,
    rho?: number | AdadeltaOptions,
    eps?: number | AdadeltaOptions,
    weight_decay?: number | AdadeltaOptions,
    foreach?: boolean | null | AdadeltaOptions,
    options?: AdadeltaOptions,
  );
  constructor(...args: unknown[]) {
    const { params, ...defaults } = ADADELTA(args);
    checkNonNegative({ "learning rate": defaults.lr });
    if (!(defaults.rho >= 0 && defaults.rho <= 1)) {
      throw new ValueError(`Invalid rho value: ${pyrepr(defaults.rho)}`);
    }
    checkNonNegative({ "epsilon value": defaults.eps, "weight_decay value": defaults.weight_decay });
    super(params, defaults);
  }
  override get _floats(): readonly string[] {
    return ["lr"];
  }
  override _update(group: ParamGroup): void {
    const rows: Row[] = [];
    for (const param of group.params) {
      const grad = param.grad;
      if (grad === null) continue;
      const state = stateOf(this, param, {}, ["square_avg", "acc_delta"]);
      state.step = (state.step ?? 0) + 1;
      rows.push({ param, grad, s1: state.square_avg, s2: state.acc_delta, step: state.step });
    }
    const { lr, rho, eps, weight_decay, maximize } = group;
    fusedStep(Algorithm.adadelta, { lr, rho, eps, weight_decay, maximize }, rows);
  }
}

/** Options of `optim.Rprop`. */
export interface RpropOptions extends Omit<Common, "weight_decay"> {
  etas?: readonly [number, number];
  step_sizes?: readonly [number, number];
}
const RPROP = signature<{ params: Params } & RpropOptions>("Rprop", {
  params: required,
  lr: 1e-2,
  etas: [0.5, 1.2],
  step_sizes: [1e-6, 50],
  foreach: null,
  maximize: false,
});
/**
 * Resilient backpropagation: steps by the sign of the gradient, longer while it stays the same.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.optim.Rprop.html
 */
export class Rprop extends Optimizer {
  constructor(
    params: Params,
    lr?: number | RpropOptions,
    etas?: readonly [number, number] | RpropOptions,
    step_sizes?: readonly [number, number] | RpropOptions,
    foreach?: boolean | null | RpropOptions,
    maximize?: boolean,
  );
  constructor(...args: unknown[]) {
    const { params, ...defaults } = RPROP(args);
    checkNonNegative({ "learning rate": defaults.lr });
    const [minus, plus] = defaults.etas;
    if (!(0 < minus && minus < 1 && 1 < plus)) {
      throw new ValueError(`Invalid eta values: ${pyrepr(minus)}, ${pyrepr(plus)}`);
    }
    super(params, defaults);
  }
  override _update(group: ParamGroup): void {
    const rows: Row[] = [];
    for (const param of group.params) {
      const grad = param.grad;
      if (grad === null) continue;
      const fresh = !this.state.has(param);
      const state = stateOf(this, param, {}, ["prev"]);
      if (fresh) state.step_size = stateTensor(() => aten.full_like(grad, group.lr));
      state.step = (state.step ?? 0) + 1;
      rows.push({ param, grad, s1: state.prev, s2: state.step_size, step: state.step });
    }
    const { lr, maximize } = group;
    const [eta_minus, eta_plus] = group.etas as [number, number];
    const [step_min, step_max] = group.step_sizes as [number, number];
    fusedStep(Algorithm.rprop, { lr, maximize, eta_minus, eta_plus, step_min, step_max }, rows);
  }
}

/** Options of `optim.ASGD`. */
export interface ASGDOptions extends Common {
  lambd?: number;
  alpha?: number;
  t0?: number;
}
const ASGD_ARGS = signature<{ params: Params } & ASGDOptions>("ASGD", {
  params: required,
  lr: 1e-2,
  lambd: 1e-4,
  alpha: 0.75,
  t0: 1e6,
  weight_decay: 0,
  foreach: null,
  maximize: false,
});
/**
 * Averaged stochastic gradient descent.
 *
 * @see https://dl.acm.org/citation.cfm?id=131098
 * @see https://pytorch.org/docs/stable/generated/torch.optim.ASGD.html
 */
export class ASGD extends Optimizer {
  constructor(
    params: Params,
    lr?: number | ASGDOptions,
    lambd?: number | ASGDOptions,
    alpha?: number | ASGDOptions,
    t0?: number | ASGDOptions,
    weight_decay?: number | ASGDOptions,
    foreach?: boolean | null | ASGDOptions,
    maximize?: boolean,
  );
  constructor(...args: unknown[]) {
    const { params, ...defaults } = ASGD_ARGS(args);
    checkNonNegative({ "learning rate": defaults.lr, "weight_decay value": defaults.weight_decay });
    super(params, defaults);
  }
  override get _scalars(): readonly string[] {
    return ["step", "eta", "mu"];
  }
  override get _floats(): readonly string[] {
    return ["t0"];
  }
  override _update(group: ParamGroup): void {
    const { lr, lambd, alpha, t0, weight_decay, maximize } = group;
    const rows: Row[] = [];
    for (const param of group.params) {
      const grad = param.grad;
      if (grad === null) continue;
      const state = stateOf(this, param, { step: 0, eta: Math.fround(lr), mu: 1 }, ["ax"]);
      const scalars = scalarsOf(state);
      const step = ++scalars.step!;
      rows.push({ param, grad, s1: state.ax, step, c1: scalars.eta!, c2: scalars.mu! });
      // Float32 tensors in PyTorch, hence their rounding; they count from the next step on.
      scalars.eta = Math.fround(lr / (1 + lambd * lr * step) ** alpha);
      scalars.mu = Math.fround(1 / Math.max(1, step - t0));
    }
    fusedStep(Algorithm.asgd, { lr, lambd, alpha, weight_decay, maximize }, rows);
  }
}
