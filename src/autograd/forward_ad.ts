/**
 * `torch.autograd.forward_ad`: tensors that carry a tangent.
 *
 * The tangent of a result is computed when it is asked for, by differentiating the vector-Jacobian product (double
 * backward): the same numbers as forward mode, at the cost of keeping the graph until `unpack_dual`.
 *
 * @see https://pytorch.org/docs/stable/autograd.html#forward-mode-automatic-differentiation
 * @module
 */
import { RuntimeError, ValueError } from "../base/errors.ts";
import { sameSizes } from "../base/size.ts";
import { fn } from "../dispatch/functions.ts";
import { Tensor } from "../tensor.ts";
import { grad } from "./engine.ts";
import { enable_grad } from "./grad_mode.ts";
import { needsGrad } from "./graph.ts";

/** The duals made in a running level. */
interface Level {
  readonly duals: Map<Tensor, Tensor>;
}
const levels: Level[] = [];

/** Opens a level; returns its number. */
export function enter_dual_level(): number {
  if (levels.length > 0) {
    throw new RuntimeError(
      "Nested forward mode AD is not supported at the moment",
    );
  }
  levels.push({ duals: new Map() });
  return 0;
}

/** Closes the level: its duals lose their tangents. */
export function exit_dual_level(_options: { level?: number | null } = {}): void {
  if (levels.pop() === undefined) {
    throw new RuntimeError("Trying to exit a forward AD level that was not entered before.");
  }
}

/** Runs `body` in a level of dual numbers. Duals have a meaning only inside. */
export function dual_level<T>(body: () => T): T {
  enter_dual_level();
  try {
    return body();
  } finally {
    exit_dual_level();
  }
}

/** A tensor with the value of `tensor` and the given tangent, of the same shape. */
export function make_dual(tensor: Tensor, tangent: Tensor): Tensor {
  const level = levels.at(-1);
  if (level === undefined) {
    throw new RuntimeError(
      "Trying to create a dual Tensor for forward AD but no level exists, make sure to enter_dual_level() first.",
    );
  }
  if (!sameSizes(tensor.sizes, tangent.sizes)) {
    throw new RuntimeError(
      `Expected tensor and tangent to have the same shape, but got ${tensor.shape} and ${tangent.shape}`,
    );
  }
  if (!tensor.dtype.is_floating_point && !tensor.dtype.is_complex) {
    throw new ValueError(`Expected primal to be floating point or complex, but got: ${tensor.dtype}`);
  }
  const dual = needsGrad(tensor)
    ? enable_grad(() => tensor.view_as(tensor))
    : tensor.detach().requires_grad_(true);
  level.duals.set(dual, tangent);
  return dual;
}

/** The value of a tensor and its tangent, null if no dual went into it. */
export interface UnpackedDualTensor {
  readonly primal: Tensor;
  readonly tangent: Tensor | null;
}

/** Takes a dual apart: `{ primal, tangent }`. */
export function unpack_dual(tensor: Tensor): UnpackedDualTensor {
  const level = levels.at(-1);
  if (level === undefined) return { primal: tensor, tangent: null };
  const given = level.duals.get(tensor);
  const primal = tensor.detach();
  if (given !== undefined) return { primal, tangent: given };
  if (!needsGrad(tensor) || level.duals.size === 0) return { primal, tangent: null };
  return enable_grad(() => {
    const duals = [...level.duals.keys()];
    // u -> J^T u is linear; its derivative in the direction of the tangents is J t.
    const u = (fn.zeros_like!(tensor) as Tensor).detach().requires_grad_(true);
    const pulled = grad(tensor, duals, {
      grad_outputs: [u],
      create_graph: true,
      retain_graph: true,
      allow_unused: true,
    });
    const used = pulled.flatMap((g, i) => (g !== null && needsGrad(g) ? [i] : []));
    if (used.length === 0) {
      return { primal, tangent: pulled.some((g) => g !== null) ? fn.zeros_like!(primal) as Tensor : null };
    }
    const [tangent] = grad(used.map((i) => pulled[i]!), u, {
      grad_outputs: used.map((i) => level.duals.get(duals[i]!)!),
      retain_graph: true,
      allow_unused: true,
    });
    return { primal, tangent: tangent ?? fn.zeros_like!(primal) as Tensor };
  });
}
