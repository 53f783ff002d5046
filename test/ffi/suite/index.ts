/** Kernels with index tensors against the core. */

import {
  BF16,
  BOOL,
  Buffer,
  type Check,
  compare,
  double,
  F16,
  F32,
  F64,
  I16,
  I32,
  I64,
  type Libraries,
  Random,
  U8,
} from "./harness.ts";
import { layoutBuffer, layoutOrigin, randomLayout, randomShape, strideTable } from "./layout.ts";
import { isFloat, numbers, tolerance } from "./values.ts";

const DTYPES = [F32, F64, F16, BF16, I64, I32, I16, U8, BOOL];

/** Distinct indices, so that the order of updates does not count, or any. */
function indices(r: Random, count: number, size: number, distinct: boolean): number[] {
  if (!distinct) return Array.from({ length: count }, () => r.int(0, size - 1));
  const all = Array.from({ length: size }, (_, i) => i).sort(() => r.next() - 0.5);
  return all.slice(0, count);
}

function gatherScatter(
  libraries: Libraries,
  r: Random,
  kind: "gather" | "scatter" | "scatter_add",
  dtype: number,
): void {
  const shape = randomShape(r, 40, 3), n = r.int(1, 6), size = r.int(kind === "scatter" ? n : 1, 9);
  const withDim = (length: number) => [length, ...shape];
  // Positions 0 of these layouts is dim; the rest is `shape`.
  const moved = randomLayout(r, withDim(size), false),
    other = randomLayout(r, withDim(n), kind !== "gather"),
    index = randomLayout(r, withDim(n), false);
  const lines = shape.reduce((a, b) => a * b, 1);
  const indexBuffer = layoutBuffer(I64, index, () => 0);
  const view = new BigInt64Array(indexBuffer.bytes.buffer);
  for (let line = 0; line < lines; line++) {
    let at = index.origin + 2;
    for (let d = 0, rest = line; d < shape.length; d++) {
      at += (rest % shape[d]!) * index.strides[d + 1]!;
      rest = Math.floor(rest / shape[d]!);
    }
    indices(r, n, size, kind === "scatter").forEach((k, j) => view[at + j * index.strides[0]!] = BigInt(k));
  }
  const fill = numbers(r, dtype), movedBuffer = layoutBuffer(dtype, moved, fill, 4 * tolerance(dtype));
  if (isFloat(dtype)) movedBuffer.absolute = 8 * tolerance(dtype);
  const otherBuffer = layoutBuffer(dtype, other, fill);
  const [first, second] = kind === "gather" ? [other, moved] : [moved, other];
  const number = r.chance(0.2) && kind === "scatter";
  const rest = { strides: first.strides.slice(1), span: 0, origin: 0 },
    rest2 = { strides: second.strides.slice(1), span: 0, origin: 0 };
  const common = {
    dtype,
    index: layoutOrigin(indexBuffer, index),
    size,
    n,
    dim: 0,
    dim_stride: [first.strides[0]!, second.strides[0]!, index.strides[0]!],
    ndim: shape.length,
    shape,
    stride: strideTable(
      [rest, rest2, { strides: index.strides.slice(1), span: 0, origin: 0 }],
      shape.length,
      3,
    ),
  };
  if (kind === "gather") {
    compare(libraries, {
      kernel: "tc_gather",
      label: `${dtype} ${shape} n ${n} size ${size}`,
      fields: { ...common, out: layoutOrigin(otherBuffer, other), in: layoutOrigin(movedBuffer, moved) },
    });
  } else {
    compare(libraries, {
      kernel: "tc_scatter",
      label: `${kind} ${dtype} ${shape} n ${n} size ${size}`,
      fields: {
        ...common,
        op: kind === "scatter" ? 0 : 1,
        include_self: 1,
        out: layoutOrigin(movedBuffer, moved),
        src: number ? 0 : layoutOrigin(otherBuffer, other),
        value: number ? [isFloat(dtype) ? double(0.75) : 1n] : 0,
        out_numel: lines * size,
      },
    });
  }
}

const alongDimension: Check[] = (["gather", "scatter", "scatter_add"] as const).map((kind, k) => ({
  name: kind,
  run(libraries) {
    const r = new Random(7000 + k);
    for (const dtype of DTYPES) for (let i = 0; i < 8; i++) gatherScatter(libraries, r, kind, dtype);
  },
}));

const rows: Check = {
  name: "index_select and index_rows",
  run(libraries) {
    const r = new Random(7100);
    for (const dtype of DTYPES) {
      for (let i = 0; i < 6; i++) {
        const outer = r.int(1, 4),
          n = r.int(5, 9),
          m = r.int(1, 5),
          inner = r.int(1, 7),
          index_dtype = r.pick([I64, I32]);
        const fill = numbers(r, dtype), wrap = r.int(0, 1);
        const distinct = indices(r, m, n, true);
        const index = new Buffer(index_dtype, m, (j) => wrap && j % 2 ? distinct[j]! - n : distinct[j]!);
        const label = `${dtype} ${[outer, n, m, inner]}`;
        compare(libraries, {
          kernel: "tc_index_select",
          label,
          fields: {
            dtype,
            index_dtype,
            wrap,
            out: new Buffer(dtype, outer * m * inner, fill),
            in: new Buffer(dtype, outer * n * (inner + 2), fill),
            index,
            outer,
            n,
            m,
            inner,
            in_outer_stride: n * (inner + 2),
            in_row_stride: inner + 2,
            dim: 0,
          },
        });
        for (const op of [0, 1]) {
          const number = r.chance(0.3),
            out = new Buffer(dtype, outer * n * inner, fill, 4 * tolerance(dtype));
          const repeated = op === 1 ? new Buffer(index_dtype, m, () => r.int(0, n - 1)) : index;
          compare(libraries, {
            kernel: "tc_index_rows",
            label: `${op} ${label}`,
            fields: {
              op,
              include_self: 1,
              dtype,
              index_dtype,
              wrap,
              out,
              src: number ? 0 : new Buffer(dtype, outer * m * inner, fill),
              index: repeated,
              value: isFloat(dtype) ? [double(1.5)] : [1n],
              alpha: isFloat(dtype) ? double(0.5) : 1n,
              outer,
              n,
              m,
              inner,
              dim: 1,
            },
          });
        }
      }
    }
  },
};

const advanced: Check = {
  name: "advanced indexing: get, put, add",
  run(libraries) {
    const r = new Random(7200);
    for (const dtype of DTYPES) {
      for (const op of [0, 1, 2]) {
        for (let i = 0; i < 4; i++) {
          // self (a, s, b), indexed in its first and last dimensions by (p) and (p, 1)-like tensors.
          const a = r.int(2, 6), s = r.int(1, 4), b = r.int(2, 6), p = r.int(1, Math.min(a, 5));
          const fill = numbers(r, dtype);
          const first = indices(r, p, a, true), second = Array.from({ length: p }, () => r.int(0, b - 1));
          const self = new Buffer(dtype, a * s * b, fill, 4 * tolerance(dtype)),
            number = op !== 0 && r.chance(0.3);
          compare(libraries, {
            kernel: "tc_index",
            label: `${op} ${dtype} ${[a, s, b, p]}`,
            fields: {
              op,
              dtype,
              self,
              values: number ? 0 : new Buffer(dtype, p * s, fill),
              value: isFloat(dtype) ? [double(2)] : [1n],
              nindices: 2,
              index: [
                new Buffer(I64, p, (j) => j % 2 ? first[j]! - a : first[j]!),
                new Buffer(I64, p, (j) => second[j]!),
              ],
              size: [a, b],
              self_stride: [s * b, 1],
              index_ndim: 1,
              index_shape: [p],
              index_values_stride: [s],
              index_stride: [1, 1],
              slice_ndim: 1,
              slice_shape: [s],
              slice_stride: [1, b],
            },
          });
        }
      }
    }
  },
};

const embedding: Check = {
  name: "embedding's gradient",
  run(libraries) {
    const r = new Random(7300);
    for (const dtype of [F32, F64, F16, BF16]) {
      for (const scale_grad_by_freq of [0, 1]) {
        const m = 30, v = 6, d = 5, out = new Buffer(dtype, v * d, () => 9, 8 * tolerance(dtype));
        out.absolute = 40 * tolerance(dtype);
        compare(libraries, {
          kernel: "tc_embedding_backward",
          label: `${dtype} ${scale_grad_by_freq}`,
          fields: {
            dtype,
            index_dtype: I64,
            grad: new Buffer(dtype, m * d, numbers(r, dtype)),
            index: new Buffer(I64, m, () => r.int(0, v - 1)),
            grad_weight: out,
            m,
            v,
            d,
            padding_idx: 2,
            scale_grad_by_freq,
          },
        });
      }
    }
  },
};

const small: Check = {
  name: "one_hot and tri",
  run(libraries) {
    const r = new Random(7400);
    compare(libraries, {
      kernel: "tc_one_hot",
      label: "one_hot",
      fields: {
        in: new Buffer(I64, 20, () => r.int(0, 6)),
        out: new Buffer(I64, 140, () => 5),
        n: 20,
        classes: 7,
      },
    });
    for (const dtype of DTYPES) {
      for (const upper of [0, 1]) {
        for (const diagonal of [-2, 0, 1]) {
          compare(libraries, {
            kernel: "tc_tri",
            label: `${dtype} ${upper} ${diagonal}`,
            fields: {
              dtype,
              upper,
              diagonal,
              in: new Buffer(dtype, 2 * 5 * 7, numbers(r, dtype)),
              out: new Buffer(dtype, 2 * 5 * 7, () => 1),
              batch: 2,
              rows: 5,
              cols: 7,
              in_batch_stride: 35,
              in_row_stride: 1,
              in_col_stride: 5,
            },
          });
        }
      }
    }
  },
};

const masks: Check = {
  name: "masks and nonzero",
  run(libraries) {
    const r = new Random(7500);
    for (const n of [0, 1, 31, 300, 4096, 9001]) {
      for (const density of [0, 0.3, 1]) {
        const bits = Array.from({ length: n }, () => r.chance(density) ? 1 : 0),
          set = bits.filter((b) => b === 1).length;
        const mask = new Buffer(BOOL, n, (i) => bits[i]!), dtype = r.pick(DTYPES), fill = numbers(r, dtype);
        const label = `${n} elements, ${set} set, dtype ${dtype}`;
        compare(libraries, {
          kernel: "tc_mask_count",
          label,
          fields: { dtype, mask, count: new Buffer(I64, 1, () => -1), n },
        });
        compare(libraries, {
          kernel: "tc_masked_select",
          label,
          fields: { dtype, mask, in: new Buffer(dtype, n, fill), out: new Buffer(dtype, set + 2, fill), n },
        });
        for (const nsrc of [set, set + 3]) {
          compare(libraries, {
            kernel: "tc_masked_scatter",
            label,
            fields: {
              dtype,
              mask,
              in: new Buffer(dtype, nsrc, fill),
              out: new Buffer(dtype, n, fill),
              n,
              nsrc,
            },
          });
        }
        if (set > 0) {
          compare(libraries, {
            kernel: "tc_masked_scatter",
            label: `${label}, too few`,
            fields: {
              dtype,
              mask,
              in: new Buffer(dtype, n, fill),
              out: new Buffer(dtype, n, fill),
              n,
              nsrc: set - 1,
            },
          });
        }
      }
    }
    for (const shape of [[], [0, 3], [7], [5, 6], [2, 3, 4, 5], [90, 90]]) {
      for (const dtype of [F32, F16, BF16, I64, BOOL]) {
        const n = shape.reduce((a, b) => a * b, 1),
          values = Array.from({ length: n }, () => r.chance(0.4) ? r.int(1, 3) : 0);
        const source = new Buffer(dtype, n, (i) => values[i]!), count = values.filter((v) => v !== 0).length;
        const common = { dtype, in: source, ndim: shape.length, shape };
        compare(libraries, {
          kernel: "tc_nonzero_count",
          label: `${shape}`,
          fields: { ...common, count: new Buffer(I64, 1, () => -1) },
        });
        for (const as_tuple of [0, 1]) {
          compare(libraries, {
            kernel: "tc_nonzero",
            label: `${shape} as tuple ${as_tuple}`,
            fields: {
              ...common,
              as_tuple,
              count: new Buffer(I64, 1, () => count),
              out: new Buffer(I64, count * shape.length + 1, () => -5),
            },
          });
        }
      }
    }
  },
};

const outOfRange: Check = {
  name: "indices out of range are reported",
  run(libraries) {
    const x = () => new Buffer(F32, 6, () => 1);
    for (const bad of [3, -1]) {
      const index = new Buffer(I64, 2, (i) => i === 1 ? bad : 0);
      compare(libraries, {
        kernel: "tc_gather",
        label: `gather ${bad}`,
        fields: { dtype: F32, out: x(), in: x(), index, size: 3, n: 2, dim_stride: [1, 1, 1], dim: 0 },
      });
      compare(libraries, {
        kernel: "tc_index_select",
        label: `index_select ${bad}`,
        fields: {
          dtype: F32,
          index_dtype: I64,
          out: x(),
          in: x(),
          index,
          outer: 1,
          n: 3,
          m: 2,
          inner: 2,
          in_outer_stride: 6,
          in_row_stride: 2,
        },
      });
    }
  },
};

export const indexChecks: Check[] = [...alongDimension, rows, advanced, embedding, small, masks, outOfRange];
