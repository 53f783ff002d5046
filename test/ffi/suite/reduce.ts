/** tc_reduce and tc_scan against the core. */

import {
  BF16,
  BOOL,
  Buffer,
  type Check,
  compare,
  F16,
  F32,
  F64,
  I32,
  I64,
  type Libraries,
  Random,
  U8,
} from "./harness.ts";
import { layoutBuffer, layoutOrigin, randomLayout, randomShape } from "./layout.ts";
import { isFloat, numbers, tolerance } from "./values.ts";

const OPS = [
  "SUM",
  "MEAN",
  "PROD",
  "MAX",
  "MIN",
  "ARGMAX",
  "ARGMIN",
  "ANY",
  "ALL",
  "NANSUM",
  "COUNT_NONZERO",
  "VAR",
  "STD",
  "LOGSUMEXP",
  "NORM",
  "SUMSQ",
] as const;
type Op = (typeof OPS)[number];
const FLOAT_ONLY: readonly Op[] = ["MEAN", "NANSUM", "VAR", "STD", "LOGSUMEXP", "NORM", "SUMSQ"];
const WHOLE: readonly Op[] = ["ARGMAX", "ARGMIN", "ANY", "ALL", "COUNT_NONZERO"];

interface Wanted {
  op: Op;
  inDtype: number;
  keep: number[];
  reduce: number[];
  param?: number;
  special?: boolean;
  plain?: boolean;
}

function outDtypeOf(op: Op, inDtype: number): number {
  if (op === "ANY" || op === "ALL") return BOOL;
  if (WHOLE.includes(op)) return I64;
  return isFloat(inDtype) ? inDtype : op === "MAX" || op === "MIN" ? inDtype : I64;
}

function one(libraries: Libraries, r: Random, w: Wanted): void {
  const { op, inDtype } = w;
  const compute = !isFloat(inDtype) ? I64 : inDtype === F64 ? F64 : F32;
  const outDtype = outDtypeOf(op, inDtype);
  // The input's dimensions are the reduced and the kept ones, in either order in memory.
  const together = r.chance(0.5) ? [...w.reduce, ...w.keep] : [...w.keep, ...w.reduce];
  const layout = randomLayout(r, together, true, w.plain ?? false);
  const reduceFirst = together.slice(0, w.reduce.length).every((n, d) => n === w.reduce[d]) &&
    together.length > 0 &&
    together.slice(w.reduce.length).every((n, d) => n === w.keep[d]);
  const [redStrides, keepStrides] = reduceFirst
    ? [layout.strides.slice(0, w.reduce.length), layout.strides.slice(w.reduce.length)]
    : [layout.strides.slice(w.keep.length), layout.strides.slice(0, w.keep.length)];
  const fill = numbers(r, inDtype, w.special ?? false);
  const source = layoutBuffer(inDtype, layout, op === "PROD" ? () => fill() || 1 : fill);
  const outLayout = randomLayout(r, w.keep, false);
  const exact = WHOLE.includes(op) || op === "MAX" || op === "MIN" || !isFloat(outDtype);
  const out = layoutBuffer(outDtype, outLayout, () => 1, exact ? 0 : 8 * tolerance(outDtype));
  const count = w.reduce.reduce((a, b) => a * b, 1);
  // Sums cancel: their error grows with what was added, not with what is left.
  if (!exact && op !== "PROD") {
    out.absolute = 4 * tolerance(outDtype) * Math.max(1, Math.sqrt(count)) *
      (op === "SUM" || op === "NANSUM" ? 4 : 1);
  }
  const extreme = op === "MAX" || op === "MIN", moments = op === "VAR" || op === "STD";
  const out2 = extreme
    ? layoutBuffer(I64, outLayout, () => -7)
    : moments
    ? layoutBuffer(outDtype, outLayout, () => 1, 8 * tolerance(outDtype))
    : null;
  if (moments) out2!.absolute = 4 * tolerance(outDtype) * Math.sqrt(Math.max(1, count));
  compare(libraries, {
    kernel: "tc_reduce",
    label: `${op} of ${inDtype}, keep ${w.keep} [${keepStrides}], reduce ${w.reduce} [${redStrides}], param ${
      w.param ?? 1
    }`,
    fields: {
      op: OPS.indexOf(op),
      in_dtype: inDtype,
      out_dtype: outDtype,
      compute,
      in: layoutOrigin(source, layout),
      out: layoutOrigin(out, outLayout),
      out2: out2 ? layoutOrigin(out2, outLayout) : 0,
      param: [w.param ?? 1, 0],
      nkeep: w.keep.length,
      nreduce: w.reduce.length,
      keep_shape: w.keep,
      keep_in: keepStrides,
      keep_out: outLayout.strides,
      red_shape: w.reduce,
      red_in: redStrides,
    },
  });
}

const reduce: Check[] = OPS.map((op, n) => ({
  name: `reduce ${op}`,
  run(libraries) {
    const r = new Random(3000 + n);
    const dtypes = FLOAT_ONLY.includes(op)
      ? [F32, F64, F16, BF16]
      : [F32, F64, F16, BF16, I64, I32, U8, BOOL];
    for (const inDtype of dtypes) {
      for (
        const param of op === "NORM"
          ? [0, 1, 2, 3, 0.5, Infinity, -Infinity]
          : op === "VAR" || op === "STD"
          ? [0, 1]
          : [1]
      ) {
        for (let i = 0; i < 6; i++) {
          const small = op === "PROD" ? 12 : 200;
          one(libraries, r, {
            op,
            inDtype,
            param,
            keep: randomShape(r, 60, 3),
            reduce: randomShape(r, small, 3),
            // Exact results may hold anything; sums of infinities and NaNs agree too, but a norm's power of them need not.
            special: WHOLE.includes(op) || op === "MAX" || op === "MIN" || op === "NANSUM",
          });
        }
      }
      // Few results over many elements (split), and columns.
      if (op !== "PROD") {
        one(libraries, r, { op, inDtype, keep: [], reduce: [20011], plain: true });
        one(libraries, r, { op, inDtype, keep: [3], reduce: [9000], plain: true });
        one(libraries, r, { op, inDtype, keep: [130], reduce: [700], plain: true });
      }
    }
  },
}));

const empty: Check = {
  name: "reduce nothing gives the identity",
  run(libraries) {
    for (
      const op of ["SUM", "PROD", "ANY", "ALL", "MEAN", "VAR", "COUNT_NONZERO", "LOGSUMEXP", "NORM"] as const
    ) {
      one(libraries, new Random(1), { op, inDtype: F32, keep: [5], reduce: [0], param: 2, plain: true });
    }
    one(libraries, new Random(1), { op: "SUM", inDtype: F32, keep: [0, 3], reduce: [4], plain: true });
  },
};

const SCANS = ["SUM", "PROD", "MAX", "MIN", "LOGSUMEXP"] as const;

const scan: Check[] = SCANS.map((op, n) => ({
  name: `scan ${op}`,
  run(libraries) {
    const r = new Random(4000 + n);
    for (const inDtype of op === "LOGSUMEXP" ? [F32, F64] : [F32, F64, F16, I64, I32, BOOL]) {
      for (
        const [outer, length, inner] of [[1, 1, 1], [3, 70, 2], [1, 700, 1], [2, 513, 3], [5, 20, 7], [
          0,
          4,
          2,
        ]] as const
      ) {
        const compute = !isFloat(inDtype) ? I64 : inDtype === F64 ? F64 : F32;
        const extreme = op === "MAX" || op === "MIN";
        const outDtype = isFloat(inDtype) || extreme ? inDtype : I64;
        const count = outer * length * inner, fill = numbers(r, inDtype, extreme);
        const source = new Buffer(
          inDtype,
          count,
          op === "PROD" ? () => (isFloat(inDtype) ? 0.8 + 0.4 * r.next() : 1) : fill,
        );
        const out = new Buffer(outDtype, count, () => 1, extreme ? 0 : 50 * tolerance(outDtype));
        if (isFloat(outDtype) && !extreme) out.absolute = 20 * tolerance(outDtype) * Math.sqrt(length);
        const indices = extreme ? new Buffer(I64, count, () => -7) : 0;
        compare(libraries, {
          kernel: "tc_scan",
          label: `${op} of ${inDtype}, (${outer}, ${length}, ${inner})`,
          fields: {
            op: n,
            in_dtype: inDtype,
            out_dtype: outDtype,
            compute,
            in: source,
            out,
            indices,
            outer,
            n: length,
            inner,
          },
        });
      }
    }
  },
}));

export const reduceChecks: Check[] = [...reduce, empty, ...scan];
