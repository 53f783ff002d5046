/**
 * Spectral normalization.
 *
 * @module
 */
import { internal } from "../../base/scope.ts";
import { RuntimeError, ValueError } from "../../base/errors.ts";
import type { Tensor } from "../../tensor.ts";
import { required, signature } from "../../utils/signature.ts";
import { no_grad } from "../../autograd/grad_mode.ts";
import { normalize } from "../functional/normalization.ts";
import { ConvTranspose1d, ConvTranspose2d, ConvTranspose3d } from "../modules/conv.ts";
import type { ForwardPreHook } from "../modules/hooks.ts";
import type { Module } from "../modules/module.ts";
import { is_lazy, Parameter } from "../parameter.ts";
import { asMatrix, removeTensor, setTensor, tensorOf } from "./tensors.ts";

interface Settings {
  name: string;
  n_power_iterations: number;
  eps: number;
  dim: number;
}
interface SpectralNormHook extends ForwardPreHook {
  spectralNorm: Settings;
}

/** The dimension of outputs: 1 in the weight of a transposed convolution, 0 elsewhere. */
export function outputDim(module: Module): number {
  return [ConvTranspose1d, ConvTranspose2d, ConvTranspose3d].some((c) => module instanceof c) ? 1 : 0;
}

/** Rounds of power iteration: u and v approach the first singular vectors, in place. */
export function powerIterate(
  matrix: Tensor,
  u: Tensor,
  v: Tensor,
  eps: number,
  rounds: number,
  uFirst: boolean,
): void {
  no_grad(() => {
    for (let i = 0; i < rounds; i++) {
      if (uFirst) u.copy_(normalize(matrix.mv(v), { dim: 0, eps }));
      v.copy_(normalize(matrix.t().mv(u), { dim: 0, eps }));
      if (!uFirst) u.copy_(normalize(matrix.mv(v), { dim: 0, eps }));
    }
  });
}

/** `weight` divided by its largest singular value, as u and v have it. */
export function divideBySigma(weight: Tensor, matrix: Tensor, u: Tensor, v: Tensor): Tensor {
  // Copies: the next round changes u and v before this one's backward has run.
  return weight.div(u.clone().dot(matrix.mv(v.clone())));
}

function find(module: Module, name: string): [number, SpectralNormHook] | null {
  for (const [id, hook] of module._hooks?.forwardPre ?? []) {
    const h = hook as Partial<SpectralNormHook>;
    if (h.spectralNorm?.name === name) return [id, hook as SpectralNormHook];
  }
  return null;
}

function compute(module: Module, s: Settings, iterate: boolean): Tensor {
  const weight = tensorOf(module, `${s.name}_orig`);
  const u = tensorOf(module, `${s.name}_u`), v = tensorOf(module, `${s.name}_v`);
  return internal(() => {
    const matrix = asMatrix(weight, s.dim);
    if (iterate) powerIterate(matrix, u, v, s.eps, s.n_power_iterations, false);
    return divideBySigma(weight, matrix, u, v);
  });
}

interface SpectralNorm {
  name?: string;
  n_power_iterations?: number;
  eps?: number;
  dim?: number | null;
}
const SPECTRAL_NORM = signature<{ module: Module } & SpectralNorm>("spectral_norm", {
  module: required,
  name: "weight",
  n_power_iterations: 1,
  eps: 1e-12,
  dim: null,
});
/**
 * Divides a parameter by its largest singular value, found by power iteration.
 *
 * @see https://arxiv.org/abs/1802.05957
 */
export function spectral_norm<M extends Module>(
  module: M,
  name?: string | SpectralNorm,
  n_power_iterations?: number | SpectralNorm,
  eps?: number | SpectralNorm,
  dim?: number | null,
): M;
export function spectral_norm(...args: unknown[]): Module {
  const { module, name, n_power_iterations, eps, dim } = SPECTRAL_NORM(args);
  const settings: Settings = { name, n_power_iterations, eps, dim: dim ?? outputDim(module) };
  if (find(module, name)) {
    throw new RuntimeError(`Cannot register two spectral_norm hooks on the same parameter ${name}`);
  }
  if (n_power_iterations <= 0) {
    throw new ValueError(
      `Expected n_power_iterations to be positive, but got n_power_iterations=${n_power_iterations}`,
    );
  }
  const weight = module._parameters.get(name) ?? null;
  if (weight === null) {
    throw new ValueError(`\`SpectralNorm\` cannot be applied as parameter \`${name}\` is None`);
  }
  if (is_lazy(weight)) {
    throw new ValueError(
      "The module passed to `SpectralNorm` can't have uninitialized parameters. Make sure to run the dummy forward " +
        "before applying spectral normalization",
    );
  }
  const [u, v] = no_grad(() => {
    const matrix = asMatrix(weight, settings.dim);
    const draw = (n: number): Tensor => normalize(weight.new_empty([n]).normal_(0, 1), { dim: 0, eps });
    return [draw(matrix.size(0)), draw(matrix.size(1))];
  });
  removeTensor(module, name);
  module.register_parameter(`${name}_orig`, weight);
  setTensor(module, name, weight.detach());
  module.register_buffer(`${name}_u`, u!);
  module.register_buffer(`${name}_v`, v!);
  const hook = (m: Module): void => setTensor(m, name, compute(m, settings, m.training));
  module.register_forward_pre_hook(Object.assign(hook, { spectralNorm: settings }));
  return module;
}

/** Undoes `spectral_norm`. */
export function remove_spectral_norm<M extends Module>(module: M, name = "weight"): M {
  const found = find(module, name);
  if (found === null) throw new ValueError(`spectral_norm of '${name}' not found in ${module}`);
  const [id, hook] = found;
  const weight = no_grad(() => compute(module, hook.spectralNorm, false));
  for (const suffix of ["", "_u", "_v", "_orig"]) removeTensor(module, name + suffix);
  module.register_parameter(name, new Parameter(weight.detach()));
  module._hooks!.forwardPre.delete(id);
  return module;
}
