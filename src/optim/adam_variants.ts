/**
 * Relatives of Adam: Adamax, NAdam, RAdam.
 *
 * @module
 */
import { required, signature } from "../utils/signature.ts";
import { scaleAll } from "../utils/tensor_list.ts";
import { stateOf } from "./adam.ts";
import { checkBetas, checkNonNegative } from "./checks.ts";
import { Algorithm, fusedStep, type Row } from "./fused.ts";
import { Optimizer, type ParamGroup, type Params } from "./optimizer.ts";
import { scalarsOf } from "./state.ts";

interface Common {
  lr?: number;
  betas?: readonly [number, number];
  eps?: number;
  weight_decay?: number;
  /** Accepted; every step is one kernel call. */
  foreach?: boolean | null;
}
type Betas = readonly [number, number];

function check(a: Required<Common>): void {
  checkNonNegative({ "learning rate": a.lr, "epsilon value": a.eps });
  checkBetas(a.betas);
  checkNonNegative({ "weight_decay value": a.weight_decay });
}

/** Options of `optim.Adamax`. */
export interface AdamaxOptions extends Common {
  maximize?: boolean;
}
const ADAMAX = signature<{ params: Params } & AdamaxOptions>("Adamax", {
  params: required,
  lr: 2e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weight_decay: 0,
  foreach: null,
  maximize: false,
});
/**
 * Adam with the infinity norm.
 *
 * @see https://arxiv.org/abs/1412.6980
 * @see https://pytorch.org/docs/stable/generated/torch.optim.Adamax.html
 */
export class Adamax extends Optimizer {
  constructor(
    params: Params,
    lr?: number | AdamaxOptions,
    betas?: Betas | AdamaxOptions,
    eps?: number | AdamaxOptions,
    weight_decay?: number | AdamaxOptions,
    foreach?: boolean | null | AdamaxOptions,
    options?: AdamaxOptions,
  );
  constructor(...args: unknown[]) {
    const { params, ...defaults } = ADAMAX(args);
    check(defaults);
    super(params, defaults);
  }
  override get _scalars(): readonly string[] {
    return ["step"];
  }
  override _update(group: ParamGroup): void {
    const rows: Row[] = [];
    for (const param of group.params) {
      const grad = param.grad;
      if (grad === null) continue;
      const state = stateOf(this, param, { step: 0 }, ["exp_avg", "exp_inf"]);
      rows.push({ param, grad, s1: state.exp_avg, s2: state.exp_inf, step: ++scalarsOf(state).step! });
    }
    const { lr, eps, weight_decay, maximize } = group;
    const [beta1, beta2] = group.betas as Betas;
    fusedStep(Algorithm.adamax, { lr, beta1, beta2, eps, weight_decay, maximize }, rows);
  }
}

/** Options of `optim.NAdam`. */
export interface NAdamOptions extends Common {
  momentum_decay?: number;
  /** Weight decay as in AdamW: of the parameter itself instead of through the gradient. */
  decoupled_weight_decay?: boolean;
}
const NADAM = signature<{ params: Params } & NAdamOptions>("NAdam", {
  params: required,
  lr: 2e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weight_decay: 0,
  momentum_decay: 4e-3,
  foreach: null,
  decoupled_weight_decay: false,
});
/**
 * Adam with Nesterov momentum.
 *
 * @see https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ
 * @see https://pytorch.org/docs/stable/generated/torch.optim.NAdam.html
 */
export class NAdam extends Optimizer {
  constructor(
    params: Params,
    lr?: number | NAdamOptions,
    betas?: Betas | NAdamOptions,
    eps?: number | NAdamOptions,
    weight_decay?: number | NAdamOptions,
    momentum_decay?: number | NAdamOptions,
    foreach?: boolean | null | NAdamOptions,
  );
  constructor(...args: unknown[]) {
    const { params, decoupled_weight_decay, ...defaults } = NADAM(args);
    check(defaults);
    checkNonNegative({ "momentum_decay value": defaults.momentum_decay });
    // PyTorch 1.13 does not know the option: state dicts and texts have it only where it is used.
    super(params, decoupled_weight_decay ? { ...defaults, decoupled_weight_decay } : defaults);
  }
  override get _scalars(): readonly string[] {
    return ["step", "mu_product"];
  }
  override _update(group: ParamGroup): void {
    const [beta1, beta2] = group.betas as Betas;
    const mu = (step: number): number =>
      beta1 * (1 - 0.5 * 0.96 ** (step * (group.momentum_decay as number)));
    const rows: Row[] = [];
    for (const param of group.params) {
      const grad = param.grad;
      if (grad === null) continue;
      const state = stateOf(this, param, { step: 0, mu_product: 1 }, ["exp_avg", "exp_avg_sq"]);
      const scalars = scalarsOf(state);
      const step = ++scalars.step!;
      // A float32 tensor in PyTorch, hence its rounding.
      const product = scalars.mu_product = Math.fround(scalars.mu_product! * Math.fround(mu(step)));
      rows.push({
        param,
        grad,
        s1: state.exp_avg,
        s2: state.exp_avg_sq,
        step,
        c1: product,
        c2: mu(step),
        c3: mu(step + 1),
      });
    }
    const { lr, eps } = group;
    const decoupled = group.decoupled_weight_decay === true && group.weight_decay !== 0;
    if (decoupled) scaleAll(rows.map((r) => r.param), 1 - lr * group.weight_decay);
    const weight_decay = decoupled ? 0 : group.weight_decay;
    fusedStep(Algorithm.nadam, { lr, beta1, beta2, eps, weight_decay }, rows);
  }
}

/** Options of `optim.RAdam`. */
export type RAdamOptions = Common;
const RADAM = signature<{ params: Params } & RAdamOptions>("RAdam", {
  params: required,
  lr: 1e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weight_decay: 0,
  foreach: null,
});
/**
 * Adam whose adaptive step is rectified while its variance is uncertain.
 *
 * @see https://arxiv.org/abs/1908.03265
 * @see https://pytorch.org/docs/stable/generated/torch.optim.RAdam.html
 */
export class RAdam extends Optimizer {
  constructor(
    params: Params,
    lr?: number | RAdamOptions,
    betas?: Betas | RAdamOptions,
    eps?: number | RAdamOptions,
    weight_decay?: number | RAdamOptions,
    foreach?: boolean | null | RAdamOptions,
  );
  constructor(...args: unknown[]) {
    const { params, ...defaults } = RADAM(args);
    check(defaults);
    super(params, defaults);
  }
  override get _scalars(): readonly string[] {
    return ["step"];
  }
  override _update(group: ParamGroup): void {
    const rows: Row[] = [];
    for (const param of group.params) {
      const grad = param.grad;
      if (grad === null) continue;
      const state = stateOf(this, param, { step: 0 }, ["exp_avg", "exp_avg_sq"]);
      rows.push({ param, grad, s1: state.exp_avg, s2: state.exp_avg_sq, step: ++scalarsOf(state).step! });
    }
    const { lr, eps, weight_decay } = group;
    const [beta1, beta2] = group.betas as Betas;
    fusedStep(Algorithm.radam, { lr, beta1, beta2, eps, weight_decay }, rows);
  }
}
