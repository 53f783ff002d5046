/**
 * Operators that change a part of their first argument: `scatter`, `index_put`, ... In place they write into it,
 * otherwise into a copy.
 *
 * @module
 */
import { checkInternalOverlap, emptyTensor, packed, runCopy } from "../dispatch/iterator.ts";
import { toReal } from "../base/dtype.ts";
import { target } from "../dispatch/target.ts";
import { alias, type Tensor } from "../tensor.ts";

/** Complex numbers seen as pairs of real ones in one more dimension. */
export function realParts(t: Tensor): Tensor {
  return alias(t, [...t.sizes, 2], [...t.strides.map((s) => s * 2), 1], t.offset * 2, toReal(t.dtype));
}

/** The tensor that the in-place call in progress writes, if there is one; whoever asks must write it. */
export function takeTarget(): Tensor | null {
  const into = target.tensor;
  target.tensor = null;
  if (into !== null && !into.packed) checkInternalOverlap(into);
  return into;
}

/** The tensor to change: `self` itself in an in-place call, else a row-major copy. */
export function writable(self: Tensor): Tensor {
  const into = takeTarget();
  if (into !== null) return into;
  const out = emptyTensor(self.sizes, self.dtype, self.storage.backend);
  runCopy(out, self);
  return out;
}

/** Like `writable`, for kernels that want row-major memory: `body` gets such a tensor, and the result is `self`'s. */
export function updatePacked(self: Tensor, body: (out: Tensor) => void): Tensor {
  const out = writable(self);
  const flat = packed(out);
  body(flat);
  if (flat !== out) runCopy(out, flat);
  return out;
}

/** Puts a computed result where an in-place call wants it. */
export function deliver(result: Tensor): Tensor {
  const into = takeTarget();
  if (into === null) return result;
  runCopy(into, result);
  return into;
}
