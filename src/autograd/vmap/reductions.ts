/**
 * Batching rules of reductions.
 *
 * @module
 */
import type { Tensor } from "../../tensor.ts";
import type { Call, Rule } from "./call.ts";
import { along } from "./views.ts";

const listed = along({ all: "list" }), merged = along({ all: "flatten" });

/** A scalar's reduction, with the sample's value as the only element of a dimension. */
const ofScalar = (rule: Rule): Rule => (c) => {
  const t = c.args[0] as Tensor;
  return t.sizes.length > 0 || !c.has(t) ? rule(c) : null;
};

/** A reduction to one number per sample, by the form along a dimension. */
const whole = (reduce: (t: Tensor, c: Call) => Tensor): Rule => (c) => {
  const t = c.front(c.args[0] as Tensor);
  return c.wrap(reduce(t.sizes.length > 1 ? t.flatten(1) : t.unsqueeze(1), c));
};

const biased = (c: Call): boolean => c.args[1] as boolean;

/** Sums, extremes, norms and the like. */
export const reductionRules: Record<string, Rule> = {
  sum: whole((t, c) => t.sum(1, { dtype: c.arg("dtype") })),
  mean: whole((t, c) => t.mean(1, { dtype: c.arg("dtype") })),
  prod: whole((t, c) => t.prod(1, { dtype: c.arg("dtype") })),
  // Like max(), amax() shares the gradient among equal elements.
  max: whole((t) => t.amax(1)),
  min: whole((t) => t.amin(1)),
  any: whole((t) => t.any(1)),
  all: whole((t) => t.all(1)),
  var: whole((t, c) => t.var(1, biased(c))),
  std: whole((t, c) => t.std(1, biased(c))),
  median: whole((t) => t.median(1)[0]),
  nanmedian: whole((t) => t.nanmedian(1)[0]),
};
for (
  const name of [
    "sum.dim",
    "nansum",
    "mean.dim",
    "amax",
    "amin",
    "count_nonzero",
    "var.dim",
    "var.correction",
    "std.dim",
    "std.correction",
    "logsumexp",
    "linalg_vector_norm",
    "norm_of",
  ]
) reductionRules[name] = ofScalar(listed);
for (const name of ["prod.dim", "max.dim", "min.dim", "aminmax", "argmax", "argmin", "any.dim", "all.dim"]) {
  reductionRules[name] = ofScalar(merged);
}
