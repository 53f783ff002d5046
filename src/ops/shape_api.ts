/**
 * Functions of shapes alone.
 *
 * @module
 */
import { RuntimeError } from "../base/errors.ts";
import { Size } from "../base/size.ts";

/**
 * The shape that tensors of the given shapes broadcast to; a number is the shape of a vector.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.broadcast_shapes.html
 */
export function broadcast_shapes(...shapes: readonly (number | readonly number[])[]): Size {
  const lists = shapes.map((s) => (typeof s === "number" ? [s] : s));
  const out = new Array<number>(Math.max(0, ...lists.map((s) => s.length))).fill(1);
  for (const list of lists) {
    for (let i = 1; i <= list.length; i++) {
      const n = list[list.length - i]!, at = out.length - i;
      if (n < 0) throw new RuntimeError(`Trying to create tensor with negative dimension (${n}): (${n})`);
      if (n === 1 || n === out[at]) continue;
      if (out[at] !== 1) {
        throw new RuntimeError("Shape mismatch: objects cannot be broadcast to a single shape");
      }
      out[at] = n;
    }
  }
  return Size.fromArray(out);
}
