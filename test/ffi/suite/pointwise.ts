/** tc_pointwise and tc_copy against the core: every formula, in every compute type, over every kind of layout. */

import { POINTWISE, type PointwiseName } from "../../../src/_gen/kernels.ts";
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
  I8,
  type Libraries,
  Random,
  REALS,
  U8,
} from "./harness.ts";
import { type Layout, layoutBuffer, layoutOrigin, randomLayout, randomShape, strideTable } from "./layout.ts";
import { isFloat, numbers, tolerance } from "./values.ts";

const STORED: Readonly<Record<number, readonly number[]>> = {
  [F32]: [F32, F32, F16, BF16, F64, I32, BOOL],
  [F64]: [F64, F64, F32, I64],
  [I32]: [I32, I32, U8, I8, I16, BOOL],
  [I64]: [I64, I64, I32, U8],
};

// Whole numbers of results come from rounding quotients of floats that the two libraries may compute one bit apart.
const LOOSE = new Set(["sin", "cos", "tan", "sinc", "pow", "lgamma", "erfinv", "logit", "remainder", "fmod"]);
// Cancellation: an absolute error of a few roundings of numbers around 64.
const ABSOLUTE: Readonly<Record<number, number>> = { [F32]: 8e-6, [F64]: 1e-14, [F16]: 8e-3, [BF16]: 6e-2 };

function onePointwise(
  libraries: Libraries,
  r: Random,
  name: PointwiseName,
  compute: number,
  plain: boolean,
): void {
  const op = POINTWISE[name];
  const shape = plain ? [r.int(1, 2000)] : randomShape(r, 300);
  const test = op.class === "TEST" || op.class === "COMPARE";
  const divides = op.class === "DIVIDE" && !isFloat(compute);
  const outDtype = test
    ? r.pick([BOOL, U8])
    : plain
    ? compute
    : r.pick(STORED[compute]!.filter((d) => isFloat(d) === isFloat(compute)));
  const outLayout = randomLayout(r, shape, false, plain);
  const loose = LOOSE.has(name) ? 20 : 1;
  // As exact as the compute type or, if that is coarser, the stored one.
  const rounded = tolerance(outDtype) > tolerance(compute) ? outDtype : compute;
  const out = layoutBuffer(outDtype, outLayout, () => 1, test ? 0 : loose * tolerance(rounded));
  if (!test) out.absolute = loose * (ABSOLUTE[rounded] ?? 0);
  const layouts: Layout[] = [outLayout];
  const dtype = [outDtype],
    data: (number | ReturnType<typeof layoutOrigin>)[] = [layoutOrigin(out, outLayout)];
  const scalar: bigint[] = [0n];
  for (let k = 0; k < op.arity; k++) {
    const whole = r.chance(0.5);
    if (r.chance(0.2)) {
      dtype.push(whole ? I64 : F64);
      data.push(0);
      const number = whole || !isFloat(compute) ? r.int(1, 5) : r.next() * 4 - 2;
      scalar.push(whole ? BigInt(number) : double(number));
      layouts.push({ strides: shape.map(() => 0), span: 0, origin: 0 });
      continue;
    }
    const stored = plain ? compute : r.pick(STORED[compute]!);
    const layout = randomLayout(r, shape, true, plain && r.chance(0.8));
    // A polynomial of an endless degree takes endless time.
    const degree = k === 1 && name.includes("_polynomial_");
    const value = degree ? () => r.int(-1, 12) : numbers(r, stored, !divides);
    const buffer = layoutBuffer(stored, layout, divides && k === 1 ? () => value() || 3 : value);
    dtype.push(stored);
    data.push(layoutOrigin(buffer, layout));
    scalar.push(0n);
    layouts.push(layout);
  }
  compare(libraries, {
    kernel: "tc_pointwise",
    label: `${name} in ${compute}, shape ${shape}, dtypes ${dtype}, strides ${
      layouts.map((l) => `[${l.strides}]`)
    }`,
    fields: {
      op: op.op,
      ndim: shape.length,
      nargs: op.arity + 1,
      compute,
      dtype,
      data,
      scalar,
      param: isFloat(compute) ? [0.7, 1.3, 0.4, 0] : [2, 3, 4, 0],
      shape,
      stride: strideTable(layouts, shape.length, 6),
    },
  });
}

const pointwise: Check[] = (Object.keys(POINTWISE) as PointwiseName[]).map((name) => ({
  name: `pointwise ${name}`,
  run(libraries) {
    const { types, op } = POINTWISE[name];
    const computes = types === "FLOAT" ? [F32, F64] : types === "INT" ? [I32, I64] : [F32, F64, I32, I64];
    const r = new Random(1000 + op);
    for (const compute of computes) {
      for (let i = 0; i < 8; i++) onePointwise(libraries, r, name, compute, i < 3);
    }
  },
}));

const divideByZero: Check = {
  name: "pointwise: an integer divided by zero is reported",
  run(libraries) {
    for (const compute of [I32, I64]) {
      for (const stride of [1, 2]) {
        const zeroAt7 = new Buffer(compute, 40, (i) => i === 7 * stride ? 0 : 2);
        compare(libraries, {
          kernel: "tc_pointwise",
          label: `div_trunc by zero, stride ${stride}`,
          fields: {
            op: POINTWISE.div_trunc.op,
            ndim: 1,
            nargs: 3,
            compute,
            dtype: [compute, compute, compute],
            data: [new Buffer(compute, 20, () => 0), new Buffer(compute, 20, () => 9), zeroAt7],
            shape: [20],
            stride: [1, 1, stride],
          },
        });
      }
    }
  },
};

const unsupported: Check = {
  name: "pointwise: a formula without code for the dtype is refused",
  run(libraries) {
    const x = new Buffer(I32, 4, () => 1);
    compare(libraries, {
      kernel: "tc_pointwise",
      label: "exp in int32",
      fields: {
        op: POINTWISE.exp.op,
        ndim: 1,
        nargs: 2,
        compute: I32,
        dtype: [I32, I32],
        data: [x, x],
        shape: [4],
        stride: [1, 1],
      },
    });
  },
};

const empty: Check = {
  name: "pointwise and copy: nothing to do",
  run(libraries) {
    const x = new Buffer(F32, 4, () => 1);
    const shape = [0, 3], stride = [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    compare(libraries, {
      kernel: "tc_pointwise",
      label: "empty",
      fields: {
        op: POINTWISE.neg.op,
        ndim: 2,
        nargs: 2,
        compute: F32,
        dtype: [F32, F32],
        data: [x, x],
        shape,
        stride,
      },
    });
    compare(libraries, {
      kernel: "tc_copy",
      label: "empty",
      fields: { ndim: 2, out_dtype: F32, in_dtype: F32, out: x, in: x, shape, stride: [1, 1, 0, 0] },
    });
  },
};

function oneCopy(libraries: Libraries, r: Random, outDtype: number, inDtype: number, big: boolean): void {
  const shape = big ? [r.int(30, 70), r.int(30, 70), r.int(1, 3)] : randomShape(r, 400, 7);
  const outLayout = randomLayout(r, shape, false), inLayout = randomLayout(r, shape, true);
  if (big) { // a transpose: the input runs along dimension 1
    inLayout.strides.splice(0, 3, shape[1]!, 1, shape[0]! * shape[1]!);
    Object.assign(inLayout, { span: shape.reduce((a, b) => a * b, 1), origin: 0 });
  }
  const out = layoutBuffer(outDtype, outLayout, () => 1),
    source = layoutBuffer(inDtype, inLayout, numbers(r, inDtype, true));
  compare(libraries, {
    kernel: "tc_copy",
    label: `${inDtype} to ${outDtype}, shape ${shape}, strides [${outLayout.strides}] [${inLayout.strides}]`,
    fields: {
      ndim: shape.length,
      out_dtype: outDtype,
      in_dtype: inDtype,
      out: layoutOrigin(out, outLayout),
      in: layoutOrigin(source, inLayout),
      shape,
      stride: strideTable([outLayout, inLayout], shape.length, 2),
    },
  });
}

const copy: Check[] = REALS.map((inDtype) => ({
  name: `copy from dtype ${inDtype}`,
  run(libraries) {
    const r = new Random(2000 + inDtype);
    for (const outDtype of REALS) {
      for (let i = 0; i < 6; i++) oneCopy(libraries, r, outDtype, inDtype, i === 5);
    }
  },
}));

const manyDimensions: Check = {
  name: "copy and pointwise over more dimensions than a launch walks",
  run(libraries) {
    const dims = 18, shape = new Array<number>(dims).fill(2);
    const forward = shape.map((_, d) => 2 ** d), backward = shape.map((_, d) => 2 ** (dims - 1 - d));
    const r = new Random(7);
    const source = new Buffer(F32, 2 ** dims, numbers(r, F32)), out = new Buffer(F32, 2 ** dims, () => 0);
    const table = (...strides: number[][]) => shape.flatMap((_, d) => strides.map((s) => s[d]!));
    compare(libraries, {
      kernel: "tc_copy",
      label: "18 dimensions",
      fields: {
        ndim: dims,
        out_dtype: F32,
        in_dtype: F32,
        out,
        in: source,
        shape,
        stride: table(forward, backward),
      },
    });
    const none = shape.map(() => 0);
    compare(libraries, {
      kernel: "tc_pointwise",
      label: "18 dimensions",
      fields: {
        op: POINTWISE.add.op,
        ndim: dims,
        nargs: 3,
        compute: F32,
        dtype: [F32, F32, F32],
        data: [out, source, source],
        shape,
        stride: table(forward, backward, forward, none, none, none),
      },
    });
  },
};

export const pointwiseChecks: Check[] = [
  ...pointwise,
  divideByZero,
  unsupported,
  empty,
  ...copy,
  manyDimensions,
];
