/**
 * Stochastic gradient descent.
 *
 * @module
 */
import { ValueError } from "../base/errors.ts";
import * as aten from "../ops/mod.ts";
import { required, signature } from "../utils/signature.ts";
import { checkNonNegative } from "./checks.ts";
import { Algorithm, fusedStep, type Row } from "./fused.ts";
import { Optimizer, type ParamGroup, type Params, requiredOption } from "./optimizer.ts";
import { stateTensor } from "./state.ts";

/** Options of `optim.SGD`. */
export interface SGDOptions {
  lr?: number;
  momentum?: number;
  dampening?: number;
  weight_decay?: number;
  nesterov?: boolean;
  maximize?: boolean;
  /** Accepted; every step is one kernel call. */
  foreach?: boolean | null;
  differentiable?: boolean;
}
const SGD_ARGS = signature<
  { params: Params } & Omit<SGDOptions, "lr"> & { lr?: number | typeof requiredOption }
>("SGD", {
  params: required,
  lr: requiredOption,
  momentum: 0,
  dampening: 0,
  weight_decay: 0,
  nesterov: false,
  maximize: false,
  foreach: null,
  differentiable: false,
});

/**
 * Stochastic gradient descent, with momentum where asked for.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.optim.SGD.html
 */
export class SGD extends Optimizer {
  constructor(
    params: Params,
    lr?: number | SGDOptions,
    momentum?: number | SGDOptions,
    dampening?: number | SGDOptions,
    weight_decay?: number | SGDOptions,
    nesterov?: boolean | SGDOptions,
    options?: SGDOptions,
  );
  constructor(...args: unknown[]) {
    const { params, ...defaults } = SGD_ARGS(args);
    const { lr, momentum, weight_decay } = defaults;
    if (lr !== requiredOption) checkNonNegative({ "learning rate": lr });
    checkNonNegative({ "momentum value": momentum, "weight_decay value": weight_decay });
    if (defaults.nesterov && (momentum <= 0 || defaults.dampening !== 0)) {
      throw new ValueError("Nesterov momentum requires a momentum and zero dampening");
    }
    super(params, defaults);
  }

  override _update(group: ParamGroup): void {
    const rows: Row[] = [];
    for (const param of group.params) {
      const grad = param.grad;
      if (grad === null) continue;
      let state = this.state.get(param);
      if (state === undefined) this.state.set(param, state = { momentum_buffer: null });
      const first = (state.momentum_buffer ?? null) === null;
      if (first) {
        state.momentum_buffer = group.momentum !== 0
          ? stateTensor(() => aten.empty_like(param.detach()))
          : null;
      }
      rows.push({ param, grad, s1: group.momentum !== 0 ? state.momentum_buffer : null, first });
    }
    const { lr, momentum, dampening, weight_decay, nesterov, maximize } = group;
    fusedStep(Algorithm.sgd, { lr, momentum, dampening, weight_decay, nesterov, maximize }, rows);
  }
}
