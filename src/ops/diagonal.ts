/**
 * Writing on diagonals, and places in a shape.
 *
 * @module
 */
import { IndexError, RuntimeError, ValueError } from "../base/errors.ts";
import type { Scalar } from "../base/scalar.ts";
import { numelOf } from "../base/size.ts";
import { fn } from "../dispatch/functions.ts";
import { op, type Table } from "../dispatch/op.ts";
import type { Tensor } from "../tensor.ts";

/** Writes a number on the main diagonal; `wrap`: it starts again below the end of a tall matrix. */
function fillDiagonal(self: Tensor, value: Scalar, wrap: boolean): Tensor {
  const rank = self.sizes.length;
  if (rank < 2) throw new RuntimeError("dimensions must larger than 1");
  if (rank > 2 && self.sizes.some((n) => n !== self.sizes[0])) {
    throw new RuntimeError("all dimensions of input must be of equal length");
  }
  const size = Math.min(...self.sizes), step = self.strides.reduce((a, b) => a + b, 0);
  self.as_strided([size], [step], self.offset).fill_(value);
  const [rows, columns] = self.sizes as [number, number];
  if (wrap && rank === 2 && rows > columns + 1) {
    // What is left of every (columns + 1)-th element in row-major order.
    for (let row = columns + 1; row < rows; row += columns + 1) {
      self.narrow(0, row, Math.min(columns, rows - row)).diagonal().fill_(value);
    }
  }
  return self;
}

function unravelIndex(indices: Tensor, shape: readonly number[]): Tensor[] {
  if (indices.dtype.is_floating_point || indices.dtype.is_complex || indices.dtype.name === "bool") {
    throw new ValueError(`expected 'indices' to be integer dtype, but got ${indices.dtype}`);
  }
  if (shape.some((n) => n < 0)) {
    throw new ValueError(`'shape' cannot have negative values, but got (${shape.join(", ")})`);
  }
  const count = numelOf(shape);
  if (indices.count > 0 && (indices.max().item() >= count || indices.min().item() < 0)) {
    throw new IndexError(`index out of range for the shape (${shape.join(", ")})`);
  }
  let rest = count;
  return shape.map((n) => {
    rest /= n;
    return indices.div(rest, { rounding_mode: "floor" }).remainder(n);
  });
}

export const diagonals: Table = {
  fill_diagonal_: [op({
    schema: "fill_diagonal_(Tensor self, Scalar fill_value, bool wrap=False) -> Tensor",
    impl: fillDiagonal,
    mutates: true,
    only: "method",
    derivative: { self: (c) => c.grad.clone().fill_diagonal_(0, c.wrap) },
    doc: "Writes a number on the main diagonal.",
  })],
  unravel_index: [op({
    schema: "unravel_index(Tensor indices, int[] shape) -> Tensor[]",
    composite: unravelIndex,
    only: "function",
    doc: "Coordinates in a shape of positions in its flattened order.",
  })],
  frobenius_norm: [op({
    schema: "frobenius_norm(Tensor self, int[1] dim, bool keepdim=False) -> Tensor",
    composite: (self: Tensor, dim: readonly number[], keepdim: boolean) =>
      fn.linalg_vector_norm!(self, 2, dim.length === 0 ? null : dim, keepdim),
    only: "function",
    doc: "The square root of the sum of squares.",
  })],
};
