/** Sorting, selecting, counting, searching and factorising against the core. */

import { Buffer, type Check, compare, F32, F64, I32, I64, type Libraries, Random, REALS } from "./harness.ts";
import { isFloat, numbers, tolerance } from "./values.ts";

const sorting: Check = {
  name: "sort, and topk, kthvalue, median, mode of it",
  run(libraries) {
    const r = new Random(8500);
    for (const dtype of REALS) {
      for (const n of [1, 2, 7, 60, 1024, 1025, 3000]) {
        const outer = n > 1000 ? 1 : r.int(1, 3),
          inner = n > 1000 ? 1 : r.int(1, 3),
          length = outer * n * inner;
        const fill = numbers(r, dtype, true), label = JSON.stringify({ dtype, outer, n, inner });
        compare(libraries, {
          kernel: "tc_sort",
          label,
          fields: {
            dtype,
            in: new Buffer(dtype, length, fill),
            values: new Buffer(dtype, length, fill),
            indices: new Buffer(I64, length, () => -1),
            outer,
            n,
            inner,
            descending: r.int(0, 1),
          },
        });
        // Which of equal values is chosen is each device's own: values only, or indices of distinct ones.
        const distinct = dtype === F32 || dtype === F64 || dtype === I32;
        const values = Array.from({ length: n }, (_, i) => i - (n >> 1)).sort(() => r.next() - 0.5);
        const line = new Buffer(dtype, length, (i) => distinct ? values[Math.floor(i / inner) % n]! : fill());
        const k = r.int(1, n);
        for (const kernel of ["tc_topk", "tc_kthvalue", "tc_median", "tc_mode"] as const) {
          const size = outer * inner * (kernel === "tc_topk" ? k : 1);
          compare(libraries, {
            kernel,
            label: `${label} ${k}`,
            fields: {
              dtype,
              in: line,
              values: new Buffer(dtype, size, fill),
              indices: distinct ? new Buffer(I64, size, () => -1) : 0,
              outer,
              n,
              inner,
              k,
              largest: r.int(0, 1),
              sorted: 1,
              ignore_nan: r.int(0, 1),
            },
          });
        }
      }
    }
  },
};

function uniqueCase(libraries: Libraries, r: Random, dtype: number, n: number, row: number): void {
  // With NaN apart, so that there are equal ones among them.
  const fill = numbers(r, dtype),
    few = isFloat(dtype) ? () => r.chance(0.03) ? NaN : Math.round(fill()) : fill;
  const input = new Buffer(dtype, n * row, few), consecutive = r.int(0, 1);
  const common = {
    dtype,
    consecutive,
    in: input,
    inverse: r.chance(0.7) ? new Buffer(I64, n, () => -1) : 0,
    counts: r.chance(0.7) ? new Buffer(I64, n, () => -1) : 0,
    count: new Buffer(I64, 1, () => -1),
    n,
  };
  const label = JSON.stringify({ dtype, n, row, consecutive });
  if (row === 1) {
    compare(libraries, {
      kernel: "tc_unique",
      label,
      fields: { ...common, values: new Buffer(dtype, n, () => 0) },
    });
  }
  compare(libraries, {
    kernel: "tc_unique_rows",
    label,
    fields: { ...common, order: new Buffer(I64, n, () => -1), row },
  });
}

const unique: Check = {
  name: "unique elements and rows",
  run(libraries) {
    const r = new Random(8600);
    for (const dtype of REALS) {
      for (const [n, row] of [[1, 1], [5, 3], [300, 1], [2500, 1], [40, 2]]) {
        uniqueCase(libraries, r, dtype, n!, row!);
      }
    }
  },
};

const counting: Check = {
  name: "searchsorted, bincount, histc",
  run(libraries) {
    const r = new Random(8700);
    for (const dtype of REALS) {
      const rows = 3, n = 9, m = 7, shared = r.int(0, 1), fill = numbers(r, dtype, true);
      const sorted = Array.from({ length: n * rows }, numbers(r, dtype)).sort((a, b) => a - b);
      const out_dtype = r.pick([I32, I64]), out = new Buffer(out_dtype, rows * m, () => -1);
      compare(libraries, {
        kernel: "tc_searchsorted",
        label: `${dtype}`,
        fields: {
          dtype,
          out_dtype,
          right: r.int(0, 1),
          shared,
          boundaries: new Buffer(dtype, n * rows, (i) => sorted[i]!),
          values: new Buffer(dtype, rows * m, fill),
          out,
          sorter: r.chance(0.5) ? new Buffer(I64, n * rows, (i) => i % n) : 0,
          rows,
          n,
          m,
        },
      });
    }
    for (const weights_dtype of [F32, F64]) {
      const fill = numbers(r, weights_dtype), many = 500, bins = 9;
      for (const weighted of [false, true]) {
        const counted = new Buffer(weighted ? weights_dtype : I64, bins, () => 5, 1e-5);
        counted.absolute = 1e-4;
        compare(libraries, {
          kernel: "tc_bincount",
          label: `${weights_dtype} ${weighted}`,
          fields: {
            dtype: I32,
            weights_dtype,
            in: new Buffer(I32, many, () => r.int(0, bins - 1)),
            weights: weighted ? new Buffer(weights_dtype, many, fill) : 0,
            out: counted,
            n: many,
            bins,
          },
        });
      }
      compare(libraries, {
        kernel: "tc_histc",
        label: `${weights_dtype}`,
        fields: {
          dtype: weights_dtype,
          in: new Buffer(weights_dtype, many, numbers(r, weights_dtype, true)),
          weights: 0,
          out: new Buffer(weights_dtype, bins, () => 5),
          n: many,
          bins,
          min: -2,
          max: 2.5,
        },
      });
    }
  },
};

const factorisations: Check = {
  name: "LU, Cholesky, QR and triangular solves",
  run(libraries) {
    const r = new Random(8800);
    for (const dtype of [F32, F64]) {
      for (const n of [1, 2, 5, 33]) {
        const batch = 2, k = 3, fill = numbers(r, dtype), m = n + r.int(0, 3);
        const near = (length: number, f: (i: number) => number) => {
          const b = new Buffer(dtype, length, f, 100 * tolerance(dtype));
          b.absolute = 2000 * tolerance(dtype);
          return b;
        };
        // A strong diagonal, so that rounding does not decide about pivots or definiteness.
        const strong = (i: number) => (Math.floor(i / n) % n === i % n ? 4 * n : 0) + fill() / 3;
        const pivots = new Buffer(I32, batch * n, (i) => 1 + i % n), info = new Buffer(I32, batch, () => -1);
        const label = `${dtype} ${n}`, square = { dtype, batch, m: n, n, k, info };
        compare(libraries, {
          kernel: "tc_lu",
          label,
          fields: {
            ...square,
            m,
            a: near(batch * m * n, (i) => fill() + i % 3),
            pivots: new Buffer(I32, batch * n, () => 0),
          },
        });
        const b = () => near(batch * n * k, fill);
        for (const transposed of [0, 1]) {
          compare(libraries, {
            kernel: "tc_lu_solve",
            label: `${label} ${transposed}`,
            fields: { ...square, a: new Buffer(dtype, batch * n * n, strong), b: b(), pivots, transposed },
          });
          compare(libraries, {
            kernel: "tc_row_swaps",
            label: `${label} ${transposed}`,
            fields: {
              ...square,
              k: n,
              a: near(batch * n * n, fill),
              pivots: new Buffer(I32, batch * n, (i) => 1 + (i * 7) % n),
              transposed,
            },
          });
        }
        const symmetric = Array.from({ length: batch * n * n }, (_, i) => {
          const at = i % (n * n), row = Math.floor(at / n), col = at % n;
          return row === col ? 4 * n : Math.sin(row * col + row + col);
        });
        compare(libraries, {
          kernel: "tc_cholesky",
          label,
          fields: { ...square, a: near(batch * n * n, (i) => symmetric[i]!) },
        });
        const tau = near(batch * n, () => 0);
        compare(libraries, {
          kernel: "tc_geqrf",
          label,
          fields: { ...square, m, a: near(batch * m * n, fill), values: tau },
        });
        compare(libraries, {
          kernel: "tc_orgqr",
          label,
          fields: {
            ...square,
            m,
            k: n,
            a: near(batch * m * n, () => fill() / 6),
            values: near(batch * n, () => 1 + r.next() / 2),
          },
        });
        for (let which = 0; which < 8; which++) {
          const upper = which & 1, unit = which >> 1 & 1, transposed = which >> 2;
          compare(libraries, {
            kernel: "tc_triangular_solve",
            label: `${label} ${upper} ${unit} ${transposed}`,
            fields: {
              ...square,
              a: new Buffer(dtype, batch * n * n, unit ? () => fill() / (3 * n) : strong),
              b: b(),
              upper,
              unit,
              transposed,
            },
          });
        }
      }
    }
    const broken = new Buffer(F64, 9, (i) => [4, 2, 0, 2, 1, 0, 0, 0, 1][i]!);
    for (const kernel of ["tc_cholesky", "tc_lu"] as const) {
      const info = new Buffer(I32, 1, () => -1), pivots = new Buffer(I32, 3, () => 0);
      const a = new Buffer(F64, 9, (i) => broken.toArray()[i]!);
      a.absolute = Infinity; // what is left of a factorisation that breaks down is nobody's business
      compare(libraries, {
        kernel,
        label: "singular",
        fields: { dtype: F64, batch: 1, m: 3, n: 3, a, pivots, info },
      });
    }
  },
};

export const sortingChecks: Check[] = [sorting, unique, counting, factorisations];
