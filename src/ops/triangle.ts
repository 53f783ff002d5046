/**
 * Triangles of matrices.
 *
 * @module
 */
import { backendOf } from "../backend/registry.ts";
import type { Device } from "../base/device.ts";
import { type DType, int64, Kind } from "../base/dtype.ts";
import { IndexError, RuntimeError } from "../base/errors.ts";
import { emptyTensor, packed, runCopy } from "../dispatch/iterator.ts";
import { begin, kernel } from "../dispatch/launch.ts";
import { op, type Row, type Table } from "../dispatch/op.ts";
import { wrapDim } from "../dispatch/reduction.ts";
import type { Tensor } from "../tensor.ts";
import { writeDoubles } from "./creation.ts";
import { refuse } from "./refuse.ts";
import { takeTarget } from "./updating.ts";

const TRI = kernel("tc_tri");

/** out = in with the other triangle zeroed; `out` is row-major and may be `input`. */
function write(out: Tensor, input: Tensor, upper: boolean, diagonal: number): void {
  const backend = out.storage.backend;
  if (out.count === 0 || !backend.hasData) return;
  const rank = input.sizes.length;
  const x = rank > 3 ? packed(input) : input;
  const rows = x.sizes[rank - 2]!, cols = x.sizes[rank - 1]!;
  if (out.count >= 1 << 15) backend.expectWork();
  begin(TRI, backend).i(out.dtype.code).b(upper).i(diagonal).p(x).p(out).i(out.count / (rows * cols)).i(rows)
    .i(cols)
    .i(rank === 3 ? x.strides[0]! : rows * cols).i(x.strides[rank - 2]!).i(x.strides[rank - 1]!).run();
}

function triangle(self: Tensor, upper: boolean, diagonal: number): Tensor {
  const rank = self.sizes.length;
  if (rank === 0) throw new IndexError("Dimension specified as -2 but tensor has no dimensions");
  wrapDim(-2, rank);
  const into = takeTarget();
  if (into === null) {
    const out = emptyTensor(self.sizes, self.dtype, self.storage.backend);
    write(out, self, upper, diagonal);
    return out;
  }
  const flat = packed(into);
  write(flat, flat, upper, diagonal);
  if (flat !== into) runCopy(into, flat);
  return into;
}

function row(name: "tril" | "triu", upper: boolean): Row {
  return op({
    schema: `${name}(Tensor self, int diagonal=0) -> Tensor`,
    impl: (self: Tensor, diagonal: number) => triangle(self, upper, diagonal),
    direct: true,
    inplace: true,
    derivative: { self: (c) => c.grad[name](c.diagonal) },
    doc: `The ${upper ? "upper" : "lower"} triangle of each matrix; the other elements become 0.`,
  });
}

/** Coordinates of a triangle, row by row: all row numbers, then all column numbers. */
function indices(
  upper: boolean,
  rows: number,
  cols: number,
  offset: number,
  dtype: DType | null,
  device: Device | null,
): Tensor {
  if (rows < 0) throw new RuntimeError(`row must be non-negative, got${rows}`);
  if (cols < 0) throw new RuntimeError(`col must be non-negative, got${cols}`);
  const d = dtype ?? int64;
  if (d.kind !== Kind.int) {
    refuse(`${upper ? "triu" : "tril"}_indices`, d);
  }
  const at: number[] = [], columns: number[] = [];
  for (let r = 0; r < rows; r++) {
    const from = upper ? Math.max(0, r + offset) : 0, to = upper ? cols : Math.min(cols, r + offset + 1);
    for (let c = from; c < to; c++) {
      at.push(r);
      columns.push(c);
    }
  }
  const out = emptyTensor([2, at.length], d, backendOf(device));
  for (const c of columns) at.push(c);
  return writeDoubles(out, Float64Array.from(at));
}

function indicesRow(name: "tril" | "triu", upper: boolean): Row {
  return op({
    schema:
      `${name}_indices(int row, int col, int offset=0, *, ScalarType? dtype=None, Any layout=None, Device? device=None, bool? pin_memory=None) -> Tensor`,
    impl: (
      rows: number,
      cols: number,
      offset: number,
      dtype: DType | null,
      _l: unknown,
      device: Device | null,
    ) => indices(upper, rows, cols, offset, dtype, device),
    only: "function",
    doc: `The coordinates of the ${upper ? "upper" : "lower"} triangle of a matrix.`,
  });
}

export const triangles: Table = {
  tril: [row("tril", false)],
  triu: [row("triu", true)],
  tril_indices: [indicesRow("tril", false)],
  triu_indices: [indicesRow("triu", true)],
};
