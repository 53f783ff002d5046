/**
 * SparseAdam.
 *
 * @module
 */
import { ValueError } from "../base/errors.ts";
import { internal } from "../base/scope.ts";
import type { Tensor } from "../tensor.ts";
import { required, signature } from "../utils/signature.ts";
import { checkBetas } from "./checks.ts";
import { stateOf } from "./adam.ts";
import { Optimizer, type ParamGroup, type Params } from "./optimizer.ts";
import { scalarsOf } from "./state.ts";

/** Options of `optim.SparseAdam`. */
export interface SparseAdamOptions {
  lr?: number;
  betas?: readonly [number, number];
  eps?: number;
  maximize?: boolean;
}
const SPARSE_ADAM = signature<{ params: Params } & SparseAdamOptions>("SparseAdam", {
  params: required,
  lr: 1e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  maximize: false,
});

/**
 * Adam that changes only the rows whose gradient is not zero, and their means: for embeddings, of which a batch touches
 * a few rows. PyTorch takes sparse gradients here; gradients of this library are dense, and the rows are found in them.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.optim.SparseAdam.html
 */
export class SparseAdam extends Optimizer {
  constructor(
    params: Params,
    lr?: number | SparseAdamOptions,
    betas?: readonly [number, number] | SparseAdamOptions,
    eps?: number | SparseAdamOptions,
    maximize?: boolean | SparseAdamOptions,
  );
  constructor(...args: unknown[]) {
    const { params, ...defaults } = SPARSE_ADAM(args);
    if (!(defaults.lr > 0)) throw new ValueError(`Invalid learning rate: ${defaults.lr}`);
    if (!(defaults.eps > 0)) throw new ValueError(`Invalid epsilon value: ${defaults.eps}`);
    checkBetas(defaults.betas);
    super(params, defaults);
  }
  override get _scalars(): readonly string[] {
    return ["step"];
  }
  override _update(group: ParamGroup): void {
    const [beta1, beta2] = group.betas as readonly [number, number];
    const { lr, eps, maximize } = group;
    for (const param of group.params) {
      if (param.grad === null) continue;
      const state = stateOf(this, param, { step: 0 }, ["exp_avg", "exp_avg_sq"]);
      const step = ++scalarsOf(state).step!;
      internal(() =>
        updateRows(param, param.grad!, state.exp_avg as Tensor, state.exp_avg_sq as Tensor, {
          beta1,
          beta2,
          eps,
          size: lr * Math.sqrt(1 - beta2 ** step) / (1 - beta1 ** step),
          maximize,
        })
      );
    }
  }
}

interface Step {
  beta1: number;
  beta2: number;
  eps: number;
  size: number;
  maximize: boolean;
}

function updateRows(param: Tensor, grad: Tensor, mean: Tensor, square: Tensor, s: Step): void {
  const flat = param.dim() > 1 ? grad.flatten(1) : grad.reshape([grad.numel(), 1]);
  const rows = flat.ne(0).any(1).nonzero().squeeze(1);
  if (rows.numel() === 0) return;
  const take = (t: Tensor): Tensor => (t.dim() === 0 ? t.reshape([1]) : t).index_select(0, rows);
  const put = (t: Tensor, values: Tensor): void =>
    void (t.dim() === 0 ? t.view([1]) : t).index_copy_(0, rows, values);
  const g = s.maximize ? take(grad).neg() : take(grad);
  // The order of PyTorch's sums: old + (g - old) * (1 - beta).
  const m = take(mean), v = take(square);
  const newMean = m.add(g.sub(m).mul_(1 - s.beta1));
  const newSquare = v.add(g.pow(2).sub_(v).mul_(1 - s.beta2));
  put(mean, newMean);
  put(square, newSquare);
  put(param, take(param).sub(newMean.div(newSquare.sqrt().add_(s.eps)).mul_(s.size)));
}
