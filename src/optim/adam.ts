/**
 * Adam and AdamW.
 *
 * @module
 */
import * as aten from "../ops/mod.ts";
import type { Tensor } from "../tensor.ts";
import { required, signature } from "../utils/signature.ts";
import { checkBetas, checkNonNegative } from "./checks.ts";
import { Algorithm, fusedStep, type Row } from "./fused.ts";
import { Optimizer, type ParamGroup, type Params, type ParamState } from "./optimizer.ts";
import { defineScalar, scalarsOf, stateTensor } from "./state.ts";

/** Options of `optim.Adam` and `optim.AdamW`. */
export interface AdamOptions {
  lr?: number;
  betas?: readonly [number, number];
  eps?: number;
  weight_decay?: number;
  amsgrad?: boolean;
  maximize?: boolean;
  /** Accepted; every step is one kernel call. */
  foreach?: boolean | null;
  capturable?: boolean;
  differentiable?: boolean;
  /** Accepted; every step is fused. */
  fused?: boolean | null;
}
const ADAM = signature<{ params: Params } & AdamOptions>("Adam", {
  params: required,
  lr: 1e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weight_decay: 0,
  amsgrad: false,
  foreach: null,
  maximize: false,
  capturable: false,
  differentiable: false,
  fused: false,
});
const ADAMW = signature<{ params: Params } & Omit<AdamOptions, "differentiable" | "fused">>("AdamW", {
  params: required,
  lr: 1e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weight_decay: 1e-2,
  amsgrad: false,
  maximize: false,
  foreach: null,
  capturable: false,
});

/** The entries that Adam and its relatives keep, made where there are none: a step count and zeros. */
export function stateOf(
  optimizer: Optimizer,
  param: Tensor,
  scalars: Readonly<Record<string, number>>,
  tensors: readonly string[],
): ParamState {
  let state = optimizer.state.get(param);
  if (state === undefined) {
    optimizer.state.set(param, state = {});
    for (const [name, value] of Object.entries(scalars)) defineScalar(state, name, value);
    for (const name of tensors) state[name] = stateTensor(() => aten.zeros_like(param.detach()));
  }
  return state;
}

function updateAdam(optimizer: Optimizer, algorithm: Algorithm, group: ParamGroup): void {
  const { lr, weight_decay, eps, amsgrad, maximize } = group;
  const [beta1, beta2] = group.betas as [number, number];
  const names = ["exp_avg", "exp_avg_sq", ...(amsgrad ? ["max_exp_avg_sq"] : [])];
  const rows: Row[] = [];
  for (const param of group.params) {
    const grad = param.grad;
    if (grad === null) continue;
    const state = stateOf(optimizer, param, { step: 0 }, names);
    const step = ++scalarsOf(state).step!;
    rows.push({
      param,
      grad,
      s1: state.exp_avg,
      s2: state.exp_avg_sq,
      s3: amsgrad ? state.max_exp_avg_sq : null,
      step,
    });
  }
  fusedStep(algorithm, { lr, beta1, beta2, eps, weight_decay, amsgrad, maximize }, rows);
}

/**
 * Adam: steps scaled by running means of gradients and their squares.
 *
 * @see https://arxiv.org/abs/1412.6980
 * @see https://pytorch.org/docs/stable/generated/torch.optim.Adam.html
 */
export class Adam extends Optimizer {
  constructor(
    params: Params,
    lr?: number | AdamOptions,
    betas?: readonly [number, number] | AdamOptions,
    eps?: number | AdamOptions,
    weight_decay?: number | AdamOptions,
    amsgrad?: boolean | AdamOptions,
    options?: AdamOptions,
  );
  constructor(...args: unknown[]) {
    const { params, ...defaults } = ADAM(args);
    checkNonNegative({ "learning rate": defaults.lr, "epsilon value": defaults.eps });
    checkBetas(defaults.betas);
    checkNonNegative({ "weight_decay value": defaults.weight_decay });
    super(params, defaults);
  }
  override get _scalars(): readonly string[] {
    return ["step"];
  }
  override _update(group: ParamGroup): void {
    updateAdam(this, Algorithm.adam, group);
  }
}

/**
 * Adam with weight decay apart from the gradient.
 *
 * @see https://arxiv.org/abs/1711.05101
 * @see https://pytorch.org/docs/stable/generated/torch.optim.AdamW.html
 */
export class AdamW extends Optimizer {
  constructor(
    params: Params,
    lr?: number | AdamOptions,
    betas?: readonly [number, number] | AdamOptions,
    eps?: number | AdamOptions,
    weight_decay?: number | AdamOptions,
    amsgrad?: boolean | AdamOptions,
    options?: AdamOptions,
  );
  constructor(...args: unknown[]) {
    const { params, ...defaults } = ADAMW(args);
    checkNonNegative({ "learning rate": defaults.lr, "epsilon value": defaults.eps });
    checkBetas(defaults.betas);
    checkNonNegative({ "weight_decay value": defaults.weight_decay });
    super(params, defaults);
  }
  override get _scalars(): readonly string[] {
    return ["step"];
  }
  override _update(group: ParamGroup): void {
    updateAdam(this, Algorithm.adamw, group);
  }
}
