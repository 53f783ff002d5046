/**
 * Batching rules of random operators: `vmap(..., randomness)` decides whether samples draw alike.
 *
 * @module
 */
import { RuntimeError } from "../../base/errors.ts";
import { fn } from "../../dispatch/functions.ts";
import { Tensor } from "../../tensor.ts";
import { below } from "./batched.ts";
import type { Call, Rule } from "./call.ts";

function refuseErrorMode(c: Call): void {
  if (c.level.randomness !== "error") return;
  throw new RuntimeError(
    "vmap: called random operation while in randomness error mode. Please either use the 'same' or 'different' " +
      "randomness flags on vmap or perform the randomness operation out of vmap",
  );
}

const drawn = (c: Call, args: readonly unknown[]): unknown => below(c.level.id, () => c.below(args));

/** `rand(size)` and its like. */
const created: Rule = (c) => {
  refuseErrorMode(c);
  if (c.level.randomness === "same") return drawn(c, c.args);
  const at = c.at("size");
  if (at < 0) {
    const parts = Array.from({ length: c.size }, () => drawn(c, c.args) as Tensor);
    return c.wrap(fn.stack!(parts, 0));
  }
  return c.wrap(drawn(c, c.with({ [at]: [c.size, ...(c.args[at] as number[])] })));
};

/** Drawn in the shape of a tensor, whose values do not matter. */
const like: Rule = (c) => {
  refuseErrorMode(c);
  const self = c.args[0] as Tensor;
  if (c.level.randomness === "different") return c.wrap(drawn(c, c.with({ 0: c.all(self) })));
  return drawn(c, c.with({ 0: c.has(self) ? c.front(self).select(0, 0) : self }));
};

/** Drawn with probabilities that are tensors. */
const byValue: Rule = (c) => {
  refuseErrorMode(c);
  const batched = c.args.some((a) => c.has(a));
  if (c.level.randomness === "same") {
    if (batched) {
      throw new RuntimeError(
        "Vmap does not currently support same randomness with a batched tensor input. Please file an issue with functorch",
      );
    }
    return drawn(c, c.args);
  }
  const rank = Math.max(...c.args.map((a) => a instanceof Tensor ? a.sizes.length : 0));
  if (c.row.name === "multinomial" && rank > 1) {
    return null;
  }
  const args = c.args.map((a) => {
    if (!(a instanceof Tensor)) return a;
    let x = c.all(a);
    while (x.sizes.length < rank + 1) x = x.unsqueeze(1);
    return x;
  });
  return c.wrap(drawn(c, args));
};

const inplace: Rule = (c) => {
  refuseErrorMode(c);
  const self = c.args[0] as Tensor;
  if (!c.has(self)) {
    if (c.level.randomness === "different") {
      throw new RuntimeError(
        "vmap: Cannot ask for different inplace randomness on an unbatched tensor. This will appear like same randomness. " +
          "If this is necessary for your usage, please file an issue with functorch.",
      );
    }
    drawn(c, c.args);
    return self;
  }
  const front = c.front(self);
  const rest = (to: (t: Tensor) => Tensor): unknown[] =>
    c.args.slice(1).map((a) => a instanceof Tensor ? to(a) : a);
  if (c.level.randomness === "different") {
    drawn(c, [front, ...rest((t) => c.aligned(t, self.sizes.length))]);
    return self;
  }
  if (c.args.slice(1).some((a) => c.has(a))) return byValue(c);
  const one = front.new_empty(self.sizes);
  drawn(c, [one, ...c.args.slice(1)]);
  front.copy_(one);
  return self;
};

const dropout: Rule = (c) => {
  const [input, p, train] = c.args as [Tensor, number, boolean];
  if (train === false) return c.wrap(c.below(c.with({ 0: c.front(input) })));
  refuseErrorMode(c);
  if (c.level.randomness === "different" || !c.has(input)) {
    const x = c.level.randomness === "different" ? c.all(input) : input;
    const result = drawn(c, [x, p, train]);
    return c.level.randomness === "different" ? c.wrap(result) : result;
  }
  const [, mask] = below(
    c.level.id,
    () => fn.native_dropout!(c.front(input).select(0, 0).detach(), p, train),
  ) as Tensor[];
  return [input.mul(mask!).mul(p === 1 ? 0 : 1 / (1 - p)), mask];
};

/** An unbatched input of a composite that draws different noise for each sample has to be repeated first. */
const repeated: Rule = (c) => {
  const input = c.args[0] as Tensor;
  if (c.level.randomness !== "different" || c.has(input) || c.arg("train") === false) return null;
  return (fn[c.row.name]!)(c.wrap(c.all(input)), ...c.args.slice(1));
};

/** Operators that draw, by what they need. */
export const randomRules: Record<string, Rule> = { native_dropout: dropout };
for (const name of ["rand", "randn", "randint", "randint.low", "randperm", "normal.float_float"]) {
  randomRules[name] = created;
}
for (const name of ["rand_like", "randn_like", "randint_like", "randint_like.low_dtype", "bernoulli.p"]) {
  randomRules[name] = like;
}
for (
  const name of [
    "bernoulli",
    "poisson",
    "binomial",
    "multinomial",
    "normal.Tensor_Tensor",
    "normal.Tensor_float",
    "normal.float_Tensor",
    "rrelu_with_noise",
  ]
) randomRules[name] = byValue;
for (
  const name of [
    "uniform_",
    "normal_",
    "log_normal_",
    "exponential_",
    "geometric_",
    "cauchy_",
    "bernoulli_",
    "bernoulli_.Tensor",
    "random_",
    "random_.from",
    "random_.to",
  ]
) randomRules[name] = inplace;

/** Composites that draw. */
export const randomComposites: Record<string, Rule> = {
  feature_dropout: repeated,
  alpha_dropout: repeated,
  feature_alpha_dropout: repeated,
};
