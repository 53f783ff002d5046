/** tc_matmul against the core. */

import {
  BF16,
  Buffer,
  type Check,
  compare,
  F16,
  F32,
  F64,
  I16,
  I32,
  I64,
  I8,
  type Libraries,
  Random,
  U8,
} from "./harness.ts";
import { isFloat, numbers, tolerance } from "./values.ts";

interface Wanted {
  dtype: number;
  m: number;
  n: number;
  k: number;
  /** Transposed in memory: the row stride is 1. */
  transposeA?: boolean;
  transposeB?: boolean;
  gap?: number;
  alpha?: number;
  beta?: number;
  bias?: "row" | "full";
  act?: number;
  /** Batch sizes, outermost first; a negative one is broadcast in A. */
  batch?: number[];
}

function product(list: readonly number[]): number {
  return list.reduce((a, b) => a * b, 1);
}

function one(libraries: Libraries, r: Random, w: Wanted): void {
  const { dtype, m, n, k } = w, gap = w.gap ?? 0;
  const float = isFloat(dtype);
  const [aRs, aCs] = w.transposeA ? [1, m + gap] : [k + gap, 1];
  const [bRs, bCs] = w.transposeB ? [1, k + gap] : [n + gap, 1];
  const cRs = n + gap;
  const sizeA = w.transposeA ? k * (m + gap) : m * (k + gap),
    sizeB = w.transposeB ? n * (k + gap) : k * (n + gap);
  const sizeC = m * cRs, batch = (w.batch ?? []).map(Math.abs);
  const strides = (size: number, broadcast: boolean) =>
    batch.map((_, d) => broadcast && w.batch![d]! < 0 ? 0 : size * product(batch.slice(d + 1)));
  const fill = numbers(r, dtype, !float);
  const c = new Buffer(dtype, product(batch) * sizeC + 3, fill, 10 * tolerance(dtype));
  if (float) c.absolute = tolerance(dtype) * 12 * Math.sqrt(k + 1);
  compare(libraries, {
    kernel: "tc_matmul",
    label: JSON.stringify(w),
    fields: {
      dtype,
      m,
      n,
      k,
      a: new Buffer(dtype, product(batch) * sizeA, fill),
      b: new Buffer(dtype, product(batch) * sizeB, fill),
      c,
      a_rs: aRs,
      a_cs: aCs,
      b_rs: bRs,
      b_cs: bCs,
      c_rs: cRs,
      c_cs: 1,
      alpha: w.alpha ?? 1,
      beta: w.beta ?? 0,
      bias: w.bias ? new Buffer(dtype, w.bias === "row" ? n : m * n, fill) : 0,
      bias_rs: w.bias === "full" ? n : 0,
      bias_cs: 1,
      act: w.act ?? 0,
      nbatch: batch.length,
      batch_shape: batch,
      batch_a: strides(sizeA, true),
      batch_b: strides(sizeB, false),
      batch_c: strides(sizeC, false),
    },
  });
}

export const FLOAT_DTYPES = [F32, F64, F16, BF16];

const shapes: Check[] = [F32, F64, F16, BF16, U8, I8, I16, I32, I64].map((dtype) => ({
  name: `matmul of dtype ${dtype}`,
  run(libraries) {
    const r = new Random(5000 + dtype);
    for (const transposeA of [false, true]) {
      for (const transposeB of [false, true]) {
        for (
          const [m, n, k] of [[1, 1, 1], [5, 7, 3], [64, 64, 16], [70, 33, 50], [1, 40, 30], [40, 1, 30], [
            3,
            4,
            0,
          ]] as const
        ) {
          one(libraries, r, { dtype, m, n, k, transposeA, transposeB, gap: r.int(0, 2) });
        }
      }
    }
    one(libraries, r, { dtype, m: 6, n: 5, k: 4, alpha: 2, beta: 3 });
    one(libraries, r, { dtype, m: 6, n: 5, k: 4, bias: "row", act: 1 });
    one(libraries, r, { dtype, m: 6, n: 5, k: 4, bias: "full", batch: [3] });
    one(libraries, r, { dtype, m: 4, n: 6, k: 5, batch: [2, -3, 2], transposeB: true });
    one(libraries, r, { dtype, m: 8, n: 8, k: 5000 }); // the sum is split over blocks
  },
}));

const activations: Check = {
  name: "matmul activations and numbers",
  run(libraries) {
    const r = new Random(5100);
    for (const dtype of FLOAT_DTYPES) {
      for (const act of [0, 1, 2, 3]) {
        one(libraries, r, { dtype, m: 9, n: 11, k: 2, act, bias: "row" });
        one(libraries, r, {
          dtype,
          m: 9,
          n: 11,
          k: 2,
          act,
          alpha: -0.5,
          beta: 0.25,
          bias: "full",
          batch: [2],
        });
      }
    }
  },
};

const untouched: Check = {
  name: "matmul: beta 0 does not read C",
  run(libraries) {
    const x = new Buffer(F32, 4, () => 1), c = new Buffer(F32, 4, () => NaN);
    compare(libraries, {
      kernel: "tc_matmul",
      label: "NaN in C",
      fields: {
        dtype: F32,
        m: 2,
        n: 2,
        k: 2,
        a: x,
        b: x,
        c,
        a_rs: 2,
        a_cs: 1,
        b_rs: 2,
        b_cs: 1,
        c_rs: 2,
        c_cs: 1,
        alpha: 1,
      },
    });
  },
};

export const matmulChecks: Check[] = [...shapes, activations, untouched];
