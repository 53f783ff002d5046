/**
 * Batching rules of elementwise operators, also in place, and of losses that are elementwise before their reduction.
 *
 * @module
 */
import { type DType, Kind, promote_types } from "../../base/dtype.ts";
import { RuntimeError } from "../../base/errors.ts";
import { Tensor } from "../../tensor.ts";
import type { Call, Rule } from "./call.ts";

/** Arguments of the plain rows that are not operands of an elementwise formula. */
const MASKS = new Set(["condition", "mask"]);

/**
 * Inside the map a batched scalar has no dimensions, below it has one, and would then count for more in type
 * promotion: it is converted to what it would have become.
 */
function asScalarWould(c: Call, t: Tensor, x: Tensor, i: number): Tensor {
  if (!c.has(t) || t.sizes.length > 0 || MASKS.has(c.row.parsed.params[i]!.name)) return x;
  let dtype: DType | null = null;
  c.args.forEach((a, k) => {
    if (!(a instanceof Tensor) || a.sizes.length === 0 || MASKS.has(c.row.parsed.params[k]!.name)) return;
    dtype = dtype === null ? a.dtype : promote_types(dtype, a.dtype);
  });
  if (dtype === null || (dtype as DType) === t.dtype) return x;
  const group = (d: DType): number => d.kind === Kind.bool ? 0 : d.kind >= Kind.float ? d.kind + 1 : 1;
  return group(t.dtype) <= group(dtype) ? x.to(dtype) : x;
}

/** The arguments with every tensor aligned, so that broadcasting below does what it does for one sample. */
export function alignedArgs(c: Call): unknown[] {
  const tensors = c.args.filter((a): a is Tensor => a instanceof Tensor);
  const rank = Math.max(...tensors.map((t) => t.sizes.length));
  return c.args.map((a, i) => {
    if (!(a instanceof Tensor)) return a;
    const x = asScalarWould(c, a, c.aligned(a, rank), i);
    // Among scalars an unbatched one must not count for less than the batched ones.
    return rank === 0 && !c.has(a) ? x.unsqueeze(0) : x;
  });
}

/** Elementwise operators. */
export const pointwise: Rule = (c) => {
  if (c.inplace) return pointwiseInplace(c);
  return c.wrap(c.below(alignedArgs(c)));
};

/** Throws functorch's error if an in-place call would have to make its tensor larger. */
export function checkInplace(c: Call): void {
  if (c.has(c.args[0])) return;
  const name = `${c.row.name}${c.row.mutates ? "" : "_"}`;
  throw new RuntimeError(
    `vmap: aten::${name}(self, *extra_args) is not possible because there exists a Tensor \`other\` in extra_args ` +
      "that has more elements than `self`. This happened due to `other` being vmapped over but `self` not being vmapped " +
      "over in a vmap. Please try to use out-of-place operators instead of " +
      `${name}. If said operator is being called inside the PyTorch framework, please file a bug report instead.`,
  );
}

function pointwiseInplace(c: Call): unknown {
  checkInplace(c);
  const self = c.args[0] as Tensor;
  const rank = self.sizes.length;
  const args = c.args.map((a, i) => a instanceof Tensor ? asScalarWould(c, a, c.aligned(a, rank), i) : a);
  c.below(args);
  return self;
}

/** Arguments of a loss, aligned, without its reduction. */
function unreduced(c: Call, args: readonly unknown[]): unknown[] {
  const at = c.at("reduction");
  const rank = Math.max(...args.map((a) => a instanceof Tensor ? a.sizes.length : 0));
  return args.map((a, i) => a instanceof Tensor ? c.aligned(a, rank) : i === at ? 0 : a);
}

/** Losses with a reduction: elementwise first, then reduced inside the map. */
export const reducedLoss: Rule = (c) => {
  const reduction = c.arg("reduction");
  const elements = c.wrap(c.below(unreduced(c, c.args))) as Tensor;
  return reduction === 0 ? elements : reduction === 1 ? elements.mean() : elements.sum();
};

/** Their derivatives. */
export const reducedLossBackward: Rule = (c) => {
  const reduction = c.arg("reduction");
  const input = c.arg("self") as Tensor, target = c.arg("target") as Tensor;
  const args = c.args.slice();
  if (reduction !== 0) {
    const grad = args[0] as Tensor, count = Math.max(input.count, target.count);
    args[0] = (reduction === 1 ? grad.div(count) : grad).expand(input.sizes);
  }
  return c.wrap(c.below(unreduced(c, args)));
};
