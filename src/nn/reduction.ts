/**
 * How losses reduce: PyTorch's names, their numbers in operators, and the deprecated flags that stood for them.
 *
 * @module
 */
import { ValueError, warnOnce } from "../base/errors.ts";

/** `elementwise_mean` is the old name of `mean`; `batchmean` is for KL divergence alone. */
export type Reduction = "none" | "mean" | "sum" | "elementwise_mean" | "batchmean";

/** The last arguments of almost every loss. */
export interface ReductionOptions {
  /** Deprecated: use `reduction`. */
  size_average?: boolean | null;
  /** Deprecated: use `reduction`. */
  reduce?: boolean | null;
  reduction?: Reduction;
}

/** The number by which operators know a reduction. */
export function reductionCode(reduction: string): 0 | 1 | 2 {
  switch (reduction) {
    case "none":
      return 0;
    case "mean":
      return 1;
    case "sum":
      return 2;
    case "elementwise_mean":
      warnOnce(
        "UserWarning",
        "reduction='elementwise_mean' is deprecated, please use reduction='mean' instead.",
      );
      return 1;
    default:
      throw new ValueError(`${reduction} is not a valid value for reduction`);
  }
}

/** The reduction that the arguments of a loss ask for. */
export function resolveReduction<R extends string>(
  size_average: boolean | null,
  reduce: boolean | null,
  reduction: R,
): R | "none" | "mean" | "sum" {
  if (size_average === null && reduce === null) return reduction;
  const legacy = !(reduce ?? true) ? "none" : size_average ?? true ? "mean" : "sum";
  warnOnce(
    "UserWarning",
    `size_average and reduce args will be deprecated, please use reduction='${legacy}' instead.`,
  );
  return legacy;
}
