/**
 * What losses share: the reduction and its deprecated forms, weights.
 *
 * @module
 */
import type { Tensor } from "../../tensor.ts";
import { signature } from "../../utils/signature.ts";
import { type Reduction, type ReductionOptions, resolveReduction } from "../reduction.ts";
import { Module } from "./module.ts";

/** The deprecated ways to say how to reduce. */
export type Flag = boolean | null;

/** What bound arguments say about the reduction. */
export interface ReductionArguments {
  size_average: Flag;
  reduce: Flag;
  reduction: Reduction;
}

/** The defaults that end the signature of a loss. */
export const tail = { size_average: null, reduce: null, reduction: "mean" } as const;
const REDUCTION = signature<ReductionOptions>("__init__", tail);

/** A loss: knows how to reduce. */
export abstract class Loss extends Module {
  reduction: Reduction;
  constructor(a: ReductionArguments) {
    super();
    this.reduction = resolveReduction(a.size_average, a.reduce, a.reduction);
  }
}

/** A loss with no options but the reduction. */
export abstract class SimpleLoss extends Loss {
  constructor(
    size_average?: Flag | ReductionOptions,
    reduce?: Flag | ReductionOptions,
    reduction?: Reduction,
  );
  constructor(...args: unknown[]) {
    super(REDUCTION(args));
  }
}

/** Arguments of losses with a weight per class. */
export interface WeightOptions extends ReductionOptions {
  weight?: Tensor | null;
}
/** The signature of losses with a weight per class and no further options. */
export const WEIGHTED = signature<WeightOptions>("__init__", { weight: null, ...tail });
/** A loss with a weight per class. */
export abstract class WeightedLoss extends Loss {
  weight!: Tensor | null;
  constructor(weight: Tensor | null, a: ReductionArguments) {
    super(a);
    this.register_buffer("weight", weight);
  }
}
