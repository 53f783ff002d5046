/**
 * `*_copy` functions: what a view shows, as a new tensor; and the `unsafe_` splits.
 *
 * @module
 */
import { fn } from "../dispatch/functions.ts";
import { op, type Row, type Table } from "../dispatch/op.ts";
import { Tensor } from "../tensor.ts";

const cloned = (
  x: unknown,
): unknown => (x instanceof Tensor ? x.clone() : (x as Tensor[]).map((t) => t.clone()));

/** A function with the arguments of a view operator, which copies what that returns. */
function copyOf(name: string, parameters: string, viewOf: string = name, many = false): readonly Row[] {
  return [op({
    schema: `${name}(Tensor self${parameters}) -> Tensor${many ? "[]" : ""}`,
    composite: (self: Tensor, ...args: unknown[]) => {
      const view = (self as unknown as Record<string, (...a: unknown[]) => unknown>)[viewOf]!;
      return cloned(view.apply(self, args));
    },
    only: "function",
    doc: `A copy of what \`${viewOf}\` shows.`,
  })];
}

/** A split into tensors of their own, so that writing into one disturbs nobody's gradient. */
function unsafe(name: string, parameters: string): readonly Row[] {
  return [op({
    schema: `unsafe_${name}(Tensor self${parameters}) -> Tensor[]`,
    composite: (self: Tensor, ...args: unknown[]) => cloned(fn[name]!(self, ...args)),
    doc: `As \`${name}\`, into tensors of their own, which may be written in place.`,
  })];
}

export const viewCopies: Table = {
  alias_copy: copyOf("alias_copy", "", "clone"),
  as_strided_copy: copyOf(
    "as_strided_copy",
    ", int[] size, int[] stride, int? storage_offset=None",
    "as_strided",
  ),
  detach_copy: copyOf("detach_copy", "", "detach"),
  diagonal_copy: copyOf("diagonal_copy", ", int offset=0, int dim1=0, int dim2=1", "diagonal"),
  expand_copy: copyOf("expand_copy", ", int[] size", "expand"),
  permute_copy: copyOf("permute_copy", ", int[] dims", "permute"),
  select_copy: copyOf("select_copy", ", int dim, int index", "select"),
  split_copy: copyOf("split_copy", ", int split_size, int dim=0", "split", true),
  split_with_sizes_copy: copyOf(
    "split_with_sizes_copy",
    ", int[] split_sizes, int dim=0",
    "split_with_sizes",
    true,
  ),
  squeeze_copy: [
    ...copyOf("squeeze_copy", "", "squeeze"),
    ...copyOf("squeeze_copy.dim", ", int dim", "squeeze"),
  ],
  t_copy: copyOf("t_copy", "", "t"),
  transpose_copy: copyOf("transpose_copy", ", int dim0, int dim1", "transpose"),
  unbind_copy: copyOf("unbind_copy", ", int dim=0", "unbind", true),
  unfold_copy: copyOf("unfold_copy", ", int dimension, int size, int step", "unfold"),
  unsqueeze_copy: copyOf("unsqueeze_copy", ", int dim", "unsqueeze"),
  view_copy: copyOf("view_copy", ", int[] size", "view"),
  unsafe_chunk: unsafe("chunk", ", int chunks, int dim=0"),
  unsafe_split: unsafe("split", ", int split_size, int dim=0"),
  unsafe_split_with_sizes: unsafe("split_with_sizes", ", int[] split_sizes, int dim=0"),
};
