/** Bags of embeddings, reductions into places, margin losses and CTC against the core. */

import {
  BOOL,
  Buffer,
  type Check,
  compare,
  double,
  F32,
  F64,
  FLOATS,
  I32,
  I64,
  Random,
  REALS,
} from "./harness.ts";
import { isFloat, numbers, tolerance } from "./values.ts";

function near(dtype: number, length: number, fill: (i: number) => number, factor = 20): Buffer {
  const b = new Buffer(dtype, length, fill, factor * tolerance(dtype));
  b.absolute = factor * tolerance(dtype);
  return b;
}

const bags: Check = {
  name: "embedding_bag, its gradient, and max_norm",
  run(libraries) {
    const r = new Random(8900);
    for (const dtype of FLOATS) {
      for (const mode of [0, 1, 2]) {
        for (const include_last_offset of [0, 1]) {
          const m = 17,
            v = 6,
            d = 5,
            bagCount = 4,
            index_dtype = r.pick([I32, I64]),
            fill = numbers(r, dtype);
          const starts = [0, 3, 3, 9, m], label = JSON.stringify({ dtype, mode, include_last_offset });
          const common = {
            dtype,
            index_dtype,
            mode,
            weight: new Buffer(dtype, v * d, fill),
            index: new Buffer(index_dtype, m, () => r.int(0, v - 1)),
            offset: new Buffer(index_dtype, bagCount + include_last_offset, (i) => starts[i]!),
            per_sample: mode === 0 && r.chance(0.5) ? new Buffer(dtype, m, fill) : 0,
            m,
            v,
            d,
            bags: bagCount,
            include_last_offset,
            padding_idx: r.pick([-1, 2]),
            scale_grad_by_freq: mode === 2 ? 0 : r.int(0, 1),
          };
          compare(libraries, {
            kernel: "tc_embedding_bag",
            label,
            fields: {
              ...common,
              out: near(dtype, bagCount * d, fill),
              bag_size: new Buffer(I64, bagCount, () => -5),
              offset2bag: new Buffer(I64, m, () => -5),
              max_indices: mode === 2 ? new Buffer(I64, bagCount * d, () => -5) : 0,
            },
          });
          compare(libraries, {
            kernel: "tc_embedding_bag_backward",
            label,
            fields: {
              ...common,
              grad: new Buffer(dtype, bagCount * d, fill),
              max_indices: mode === 2 ? new Buffer(I64, bagCount * d, () => r.int(-1, v - 1)) : 0,
              grad_weight: near(dtype, v * d, fill, 60),
              grad_per_sample: mode === 0 ? near(dtype, m, fill, 60) : 0,
            },
          });
        }
      }
      for (const norm_type of [1, 2, 3.5, Infinity]) {
        compare(libraries, {
          kernel: "tc_embedding_renorm",
          label: `${dtype} ${norm_type}`,
          fields: {
            dtype,
            index_dtype: I64,
            index: new Buffer(I64, 4, () => r.int(0, 5)),
            weight: near(dtype, 42, numbers(r, dtype), 4),
            m: 4,
            v: 6,
            d: 7,
            max_norm: 2,
            norm_type,
          },
        });
      }
    }
  },
};

const reductions: Check = {
  name: "scatter and index_reduce with mul, mean, amax, amin",
  run(libraries) {
    const r = new Random(8950);
    for (const dtype of REALS) {
      for (const op of [1, 2, 3, 4, 5]) {
        if (dtype === BOOL && op === 3) continue; // there is no mean of bools
        const include_self = r.int(0, 1), n = 5, m = 8, outer = 2, inner = 3, float = isFloat(dtype);
        const small = float ? () => 0.5 + r.next() : numbers(r, dtype),
          label = `${dtype} ${op} ${include_self}`;
        compare(libraries, {
          kernel: "tc_scatter",
          label,
          fields: {
            op,
            include_self: op === 1 ? 1 : include_self,
            dtype,
            out: near(dtype, outer * n, small, 40),
            src: new Buffer(dtype, outer * m, small),
            index: new Buffer(I64, outer * m, () => r.int(0, n - 1)),
            size: n,
            n: m,
            dim_stride: [1, 1, 1],
            dim: 1,
            out_numel: outer * n,
            ndim: 1,
            shape: [outer],
            stride: [n, m, m],
          },
        });
        compare(libraries, {
          kernel: "tc_index_rows",
          label,
          fields: {
            op,
            include_self,
            dtype,
            index_dtype: I64,
            out: near(dtype, outer * n * inner, small, 40),
            src: new Buffer(dtype, outer * m * inner, small),
            index: new Buffer(I64, m, () => r.int(0, n - 1)),
            alpha: float ? double(1) : 1n,
            outer,
            n,
            m,
            inner,
            dim: 1,
          },
        });
      }
    }
  },
};

const margins: Check = {
  name: "margin losses",
  run(libraries) {
    const r = new Random(9000);
    for (const dtype of [F32, F64]) {
      for (const reduction of [0, 1, 2]) {
        const n = 6,
          c = 5,
          fill = numbers(r, dtype),
          size = reduction === 0 ? n : 1,
          label = `${dtype} ${reduction}`;
        const common = {
          dtype,
          reduction,
          p: r.int(1, 2),
          margin: 1,
          in: new Buffer(dtype, n * c, fill),
          weight: r.chance(0.5) ? new Buffer(dtype, c, () => r.next()) : 0,
          n,
          c,
        };
        const label1 = new Buffer(I64, n, () => r.int(0, c - 1));
        // Lists of distinct labels that end with -1.
        const lists = Array.from({ length: n }, () => {
          const some = [0, 1, 2, 3, 4].sort(() => r.next() - 0.5).slice(0, r.int(0, c));
          return Array.from({ length: c }, (_, k) => some[k] ?? -1);
        }).flat();
        const list = new Buffer(I64, n * c, (i) => lists[i]!);
        const is_target = () =>
          new Buffer(dtype, n * c, (i) => {
            const row = lists.slice(i - i % c, i - i % c + c);
            return row.includes(i % c) ? 1 : 0;
          });
        const out = () => near(dtype, size, fill), grad = new Buffer(dtype, size, fill);
        compare(libraries, {
          kernel: "tc_multi_margin",
          label,
          fields: { ...common, target: label1, out: out() },
        });
        compare(libraries, {
          kernel: "tc_multi_margin_backward",
          label,
          fields: { ...common, target: label1, grad, grad_in: near(dtype, n * c, fill) },
        });
        compare(libraries, {
          kernel: "tc_multilabel_margin",
          label,
          fields: { ...common, target: list, out: out(), is_target: new Buffer(dtype, n * c, () => 7) },
        });
        compare(libraries, {
          kernel: "tc_multilabel_margin_backward",
          label,
          fields: {
            ...common,
            target: list,
            is_target: is_target(),
            grad,
            grad_in: near(dtype, n * c, fill),
          },
        });
      }
    }
  },
};

const ctc: Check = {
  name: "CTC loss and its gradient",
  run(libraries) {
    const r = new Random(9100);
    for (const dtype of [F32, F64]) {
      for (const padded of [true, false]) {
        const t = 9, n = 3, c = 5, target = [2, 4, 0], s = 4, label = `${dtype} ${padded}`;
        const total = padded ? n * s : target.reduce((a, b) => a + b, 0);
        const common = {
          dtype,
          target_dtype: I64,
          log_probs: new Buffer(dtype, t * n * c, () => -1.6 + (r.next() - 0.5)),
          target: new Buffer(I64, total, () => r.int(1, c - 1)),
          target_stride: padded ? s : 0,
          input_length: new Buffer(I64, n, (i) => t - i),
          target_length: new Buffer(I64, n, (i) => target[i]!),
          t,
          n,
          c,
          s,
          blank: 0,
          zero_infinity: r.int(0, 1),
        };
        const alpha = near(dtype, n * t * (2 * s + 1), () => 0), loss = near(dtype, n, () => 0);
        compare(libraries, { kernel: "tc_ctc", label, fields: { ...common, loss, alpha } });
        compare(libraries, {
          kernel: "tc_ctc_backward",
          label,
          fields: {
            ...common,
            loss: new Buffer(dtype, n, () => 12),
            alpha: new Buffer(dtype, n * t * (2 * s + 1), () => -8 * r.next()),
            grad: new Buffer(dtype, n, () => r.next()),
            grad_in: near(dtype, t * n * c, () => 0, 1000),
          },
        });
      }
    }
  },
};

const lstm: Check = {
  name: "an LSTM's step and its gradient",
  run(libraries) {
    const r = new Random(9200);
    for (const dtype of [F32, F64]) {
      for (const hidden of [1, 7, 33]) {
        const rows = 5, n = rows * hidden, fill = numbers(r, dtype), label = `${dtype} ${hidden}`;
        const common = { dtype, rows, hidden, c_prev: new Buffer(dtype, n, fill) };
        compare(libraries, {
          kernel: "tc_lstm_cell",
          label,
          fields: {
            ...common,
            gates: near(dtype, 4 * n, fill),
            c: near(dtype, n, fill),
            h: near(dtype, n, fill),
          },
        });
        compare(libraries, {
          kernel: "tc_lstm_cell_backward",
          label,
          fields: {
            ...common,
            gates: new Buffer(dtype, 4 * n, () => r.next()),
            c: new Buffer(dtype, n, fill),
            dh: new Buffer(dtype, n, fill),
            dc: near(dtype, n, fill),
            dc_more: r.chance(0.5) ? new Buffer(dtype, n, fill) : 0,
            dgates: near(dtype, 4 * n, fill),
          },
        });
      }
    }
  },
};

export const sequenceChecks: Check[] = [bags, reductions, margins, ctc, lstm];
