/** Softmax, losses and optimizer steps against the core. */

import { BF16, Buffer, type Check, compare, F16, F32, F64, type Fields, I64, Random, U8 } from "./harness.ts";
import { numbers, tolerance } from "./values.ts";

const SHAPES = [[1, 1, 1], [3, 5, 1], [4, 10, 6], [2, 700, 1], [1, 3, 90], [33, 40, 2]] as const;

function near(dtype: number, length: number, scale = 4): Buffer {
  const buffer = new Buffer(dtype, length, () => 1, scale * tolerance(dtype));
  buffer.absolute = scale * tolerance(dtype);
  return buffer;
}

const softmax: Check[] = [0, 1].map((log) => ({
  name: log ? "log_softmax" : "softmax",
  run(libraries) {
    const r = new Random(6000 + log);
    for (const dtype of [F32, F64, F16, BF16]) {
      for (const [outer, n, inner] of SHAPES) {
        const count = outer * n * inner, fill = numbers(r, dtype);
        const x = new Buffer(dtype, count, fill), out = near(dtype, count, 10);
        compare(libraries, {
          kernel: "tc_softmax",
          label: `${dtype} ${[outer, n, inner]}`,
          fields: { log, dtype, in: x, out, outer, n, inner },
        });
        const y = new Buffer(dtype, count, log ? () => -r.next() * 3 : () => r.next() / n);
        compare(libraries, {
          kernel: "tc_softmax_backward",
          label: `${dtype} ${[outer, n, inner]}`,
          fields: {
            log,
            dtype,
            grad: new Buffer(dtype, count, fill),
            out: y,
            grad_in: near(dtype, count, 10 * Math.sqrt(n)),
            outer,
            n,
            inner,
          },
        });
      }
      const special = new Buffer(
        dtype,
        12,
        (i) => [1, -Infinity, 2, -Infinity, -Infinity, -Infinity, 1, NaN, 2, 0, Infinity, 1][i]!,
      );
      compare(libraries, {
        kernel: "tc_softmax",
        label: `${dtype} special`,
        fields: { log, dtype, in: special, out: near(dtype, 12), outer: 4, n: 3, inner: 1 },
      });
    }
  },
}));

/** Labels, some to be ignored. */
function labels(r: Random, dtype: number, count: number, c: number, ignore: number): Buffer {
  return new Buffer(dtype, count, () => r.chance(0.2) ? ignore : r.int(0, c - 1));
}

const losses: Check[] = ["nll", "cross_entropy"].map((name, which) => ({
  name: `${name} forward and backward`,
  run(libraries) {
    const r = new Random(6100 + which);
    const forward = which === 0 ? "tc_nll" : "tc_cross_entropy",
      backward = which === 0 ? "tc_nll_backward" : "tc_cross_entropy_backward";
    for (const dtype of [F32, F64, F16, BF16]) {
      for (const [n, c, inner] of [[1, 3, 1], [7, 10, 1], [4, 5, 6], [900, 4, 1], [2, 300, 3]] as const) {
        for (const reduction of [0, 1, 2]) {
          const places = n * inner,
            target_dtype = r.pick([I64, U8]),
            ignore_index = target_dtype === U8 ? 255 : -100;
          const target = labels(r, target_dtype, places, c, ignore_index);
          const weight = r.chance(0.5) ? new Buffer(dtype, c, () => 0.5 + r.next()) : 0;
          const label_smoothing = which === 1 && r.chance(0.5) ? 0.1 : 0;
          const x = new Buffer(dtype, places * c, numbers(r, dtype));
          const out = near(dtype, reduction === 0 ? places : 1, 10), total_weight = near(dtype, 1, 10);
          const common = { dtype, target_dtype, reduction, ignore_index, n, c, inner };
          const smoothed = which === 1 ? { label_smoothing } : {};
          const label = `${dtype} ${[n, c, inner]} reduction ${reduction} weight ${
            weight !== 0
          } smoothing ${label_smoothing}`;
          const probs = which === 1 ? { probs: r.chance(0.7) ? near(dtype, places * c, 10) : 0 } : {};
          if (reduction === 2) out.absolute *= places;
          compare(libraries, {
            kernel: forward,
            label,
            fields: { ...common, ...smoothed, ...probs, in: x, target, weight, out, total_weight },
          });
          const known = which === 1 ? { probs: new Buffer(dtype, places * c, () => r.next() / c) } : {};
          compare(libraries, {
            kernel: backward,
            label,
            fields: {
              ...common,
              ...smoothed,
              ...known,
              target,
              weight,
              grad: new Buffer(dtype, reduction === 0 ? places : 1, () => 0.5 + r.next()),
              total_weight: new Buffer(dtype, 1, () => 3),
              grad_in: near(dtype, places * c, 10),
            },
          });
        }
      }
    }
  },
}));

const badLabel: Check = {
  name: "losses: a label out of range is reported",
  run(libraries) {
    for (const kernel of ["tc_nll", "tc_cross_entropy"] as const) {
      for (const label of [3, -1]) {
        const target = new Buffer(I64, 4, (i) => i === 2 ? label : 1);
        compare(libraries, {
          kernel,
          label: `label ${label}`,
          fields: {
            dtype: F32,
            target_dtype: I64,
            reduction: 1,
            ignore_index: -100,
            n: 4,
            c: 3,
            inner: 1,
            target,
            in: new Buffer(F32, 12, () => 1),
            out: new Buffer(F32, 1, () => 0),
            total_weight: new Buffer(F32, 1, () => 0),
          },
        });
      }
    }
  },
};

const dropout: Check = {
  name: "dropout with a given mask",
  run(libraries) {
    const r = new Random(6150);
    for (const dtype of [F32, F64, F16, BF16]) {
      for (const p of [0.1, 0.5, 0.9]) {
        compare(libraries, {
          kernel: "tc_dropout_backward",
          label: `${dtype} ${p}`,
          fields: {
            dtype,
            in: new Buffer(dtype, 500, numbers(r, dtype)),
            out: near(dtype, 500, 2),
            mask: new Buffer(U8, 500, () => r.int(0, 1)),
            n: 500,
            p,
          },
        });
      }
    }
  },
};

const OPTIMIZERS = { SGD: 0, ADAM: 1, ADAMW: 2 } as const;

const optimizers: Check[] = Object.entries(OPTIMIZERS).map(([name, op]) => ({
  name: `optimizer step ${name}`,
  run(libraries) {
    const r = new Random(6200 + op);
    for (let i = 0; i < 24; i++) {
      const dtype = r.pick([F32, F64]),
        count = r.pick([1, 3, 40]),
        amsgrad = r.int(0, 1),
        momentum = op === 0 ? r.pick([0, 0.9]) : 0;
      const rows = Array.from({ length: count }, (): Fields => {
        const n = r.pick([0, 1, 5, 300, 3000]);
        const value = (low: number) => new Buffer(dtype, n, () => low + r.next(), 4 * tolerance(dtype));
        const positive = () => value(0.1);
        return {
          param: value(-0.5),
          grad: value(-0.5),
          s1: op === 0 && momentum === 0 ? 0 : value(-0.5),
          s2: op === 0 ? 0 : positive(),
          s3: op !== 0 && amsgrad ? positive() : 0,
          n,
          dtype,
          first: r.int(0, 1),
          step: r.int(1, 20),
        };
      });
      compare(libraries, {
        kernel: "tc_optim_step",
        label: `${name} ${dtype} ${count} tensors, run ${i}`,
        fields: {
          op,
          count,
          tensors: { struct: "tc_optim_tensor", rows },
          maximize: r.int(0, 1),
          lr: 0.05,
          weight_decay: r.pick([0, 0.1]),
          momentum,
          dampening: momentum ? r.pick([0, 0.2]) : 0,
          nesterov: momentum ? r.int(0, 1) : 0,
          beta1: 0.9,
          beta2: 0.99,
          eps: 1e-8,
          amsgrad,
        },
      });
    }
  },
}));

const MULTI = ["ZERO", "SCALE", "AXPY", "LERP", "SUMSQ", "SUMABS", "MAXABS", "UNSCALE", "CLAMP"] as const;

const multi: Check[] = MULTI.map((name, op) => ({
  name: `multi ${name}`,
  run(libraries) {
    const r = new Random(6300 + op);
    for (let i = 0; i < 12; i++) {
      const count = r.pick([1, 4, 45]), norm = name === "SUMSQ" || name === "SUMABS" || name === "MAXABS";
      const rows = Array.from({ length: count }, (): Fields => {
        const n = r.pick([0, 1, 7, 300, 20000 / count | 0]), dtype = r.pick([F32, F32, F64, F16, BF16]);
        const fill = numbers(r, dtype, name === "UNSCALE" && r.chance(0.2));
        return {
          x: new Buffer(dtype, n, fill, 2 * tolerance(dtype)),
          y: new Buffer(dtype, n, fill),
          n,
          dtype,
        };
      });
      const out = new Buffer(F64, norm ? count : 1, () => 0, 1e-5);
      compare(libraries, {
        kernel: "tc_multi",
        label: `${name} of ${count}, run ${i}`,
        fields: {
          op,
          count,
          tensors: { struct: "tc_multi_tensor", rows },
          value: r.pick([0.3, 0.7]),
          out: norm || name === "UNSCALE" ? out : 0,
        },
      });
    }
  },
}));

export const learningChecks: Check[] = [...softmax, ...losses, badLabel, dropout, ...optimizers, ...multi];
