/**
 * Tensors that stand for the conjugates or negatives of their bytes: src/tensor.ts, note [Lazy conjugation].
 *
 * @module
 */
import { POINTWISE } from "../_gen/kernels.ts";
import { isLazy, lazy, marked, Tensor } from "../tensor.ts";
import { emptyLike, runPointwise } from "./iterator.ts";

function apply(out: Tensor, from: Tensor, conjugate: boolean, negate: boolean): void {
  const d = out.dtype.compute;
  if (conjugate) runPointwise(POINTWISE.conj.op, d, out, [from]);
  if (negate) runPointwise(POINTWISE.neg.op, d, out, [conjugate ? out : from]);
}

/** `t`, or a tensor whose bytes are the values it stands for. Never recorded. */
export function resolved(t: Tensor): Tensor {
  if (!isLazy(t)) return t;
  const bytes = marked(t, false, false);
  const out = emptyLike(bytes, t.dtype, t.storage.backend);
  apply(out, bytes, t.conjugated, t.negated);
  return out;
}

/** Makes `out` stand for `values`, which are plain. */
export function writeLazy(out: Tensor, values: Tensor): void {
  apply(marked(out, false, false), values, out.conjugated, out.negated);
}

/** Is any tensor among the arguments lazy? */
export function anyLazy(args: readonly unknown[]): boolean {
  return lazy.used && args.some((a) => Array.isArray(a) ? anyLazy(a) : a instanceof Tensor && isLazy(a));
}

/** Arguments as kernels want them. */
export function resolvedArgs(args: readonly unknown[]): unknown[] {
  return args.map((a) => Array.isArray(a) ? resolvedArgs(a) : a instanceof Tensor ? resolved(a) : a);
}
