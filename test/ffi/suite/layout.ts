/** Random shapes and memory layouts for kernels that take any. */

import { Buffer, type Random } from "./harness.ts";

/** Sizes, innermost first, of at most `most` elements. */
export function randomShape(r: Random, most: number, maxDims = 5): number[] {
  const shape: number[] = [];
  let left = most;
  for (let n = r.int(0, maxDims); n > 0 && left > 1; n--) {
    const size = r.int(1, Math.min(left, r.chance(0.3) ? left : 9));
    shape.push(size);
    left = Math.floor(left / size);
  }
  return shape;
}

export interface Layout {
  readonly strides: number[];
  /** Elements from the first to the last that the layout reaches, and where its origin is among them. */
  readonly span: number;
  readonly origin: number;
}

/** Strides over `shape`: contiguous, permuted, with gaps, reversed, or (for inputs) broadcast. */
export function randomLayout(r: Random, shape: readonly number[], broadcast: boolean, plain = false): Layout {
  const order = shape.map((_, d) => d);
  const kind = plain ? 0 : r.int(0, 4);
  if (kind === 1) order.sort(() => r.next() - 0.5);
  const strides = shape.map(() => 0);
  let step = kind === 2 ? r.int(1, 3) : 1;
  for (const d of order) {
    strides[d] = step;
    step *= shape[d]!;
    if (kind === 2) step += r.int(0, 2);
  }
  if (kind === 3) { for (let d = 0; d < shape.length; d++) if (r.chance(0.5)) strides[d] = -strides[d]!; }
  if (kind === 4 && broadcast) { for (let d = 0; d < shape.length; d++) if (r.chance(0.5)) strides[d] = 0; }
  let low = 0, high = 0;
  shape.forEach((n, d) => {
    const reach = (n - 1) * strides[d]!;
    if (reach < 0) low += reach;
    else high += reach;
  });
  return { strides, span: high - low + 1, origin: -low };
}

/** A buffer for a layout with two more elements on either side, which nothing may write. */
export function layoutBuffer(
  dtype: number,
  layout: Layout,
  fill: (i: number) => number,
  tolerance = 0,
): Buffer {
  return new Buffer(dtype, layout.span + 4, fill, tolerance);
}
/** The address of the layout's first element. */
export function layoutOrigin(buffer: Buffer, layout: Layout): { buffer: Buffer; element: number } {
  return buffer.at(layout.origin + 2);
}

/** Interleaves strides as [dimension][operand] with room for `width` operands. */
export function strideTable(layouts: readonly Layout[], dims: number, width: number): number[] {
  const table: number[] = [];
  for (let d = 0; d < dims; d++) {
    for (let k = 0; k < width; k++) table.push(layouts[k]?.strides[d] ?? 0);
  }
  return table;
}
