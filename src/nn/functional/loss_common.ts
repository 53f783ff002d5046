/**
 * What loss functions share: arguments and reductions.
 *
 * @module
 */
import { warnOnce } from "../../base/errors.ts";
import * as aten from "../../ops/mod.ts";
import type { Tensor } from "../../tensor.ts";
import { required, signature } from "../../utils/signature.ts";
import { type Reduction, reductionCode, type ReductionOptions, resolveReduction } from "../reduction.ts";

/** What a loss compares. */
export interface Pair {
  input: Tensor;
  target: Tensor;
}
/** The deprecated ways to say how to reduce. */
export type Flag = boolean | null;

/** The number of the reduction that bound arguments ask for. */
export function code(a: { size_average: Flag; reduce: Flag; reduction: Reduction }): 0 | 1 | 2 {
  return reductionCode(resolveReduction(a.size_average, a.reduce, a.reduction));
}

/** Are the shapes the same? */
export function sameShape(a: Tensor, b: Tensor): boolean {
  return String(a.shape) === String(b.shape);
}

/** Both tensors in their common shape, with PyTorch's warning where their shapes differ. */
export function broadcastPair(input: Tensor, target: Tensor): [Tensor, Tensor] {
  if (sameShape(input, target)) return [input, target];
  warnOnce(
    "UserWarning",
    `Using a target size (${target.shape}) that is different to the input size (${input.shape}). This will likely ` +
      "lead to incorrect results due to broadcasting. Please ensure they have the same size.",
  );
  return aten.broadcast_tensors([input, target]) as unknown as [Tensor, Tensor];
}

/** The loss reduced as the number says. */
export function reduceBy(loss: Tensor, reduction: 0 | 1 | 2): Tensor {
  return reduction === 0 ? loss : reduction === 1 ? loss.mean() : loss.sum();
}

/** The defaults that end the signature of a loss. */
export const tail = { size_average: null, reduce: null, reduction: "mean" } as const;

/** The signature of a loss without options of its own. */
export const SIMPLE = signature<Pair & ReductionOptions>("loss", {
  input: required,
  target: required,
  ...tail,
});

/** A loss of input, target and how to reduce. */
export type SimpleLoss = (
  input: Tensor,
  target: Tensor,
  size_average?: Flag | ReductionOptions,
  reduce?: Flag | ReductionOptions,
  reduction?: Reduction,
) => Tensor;
