/** One elementwise launch over contiguous float32 vectors. */

import { DTYPE, POINTWISE, type PointwiseName } from "../../src/_gen/kernels.ts";
import type { Core } from "../../wasm/loader.ts";
import { launch } from "./launch.ts";

/** out[i] = op(inputs[i]...) for `count` elements at the given addresses; returns the status. */
export function pointwiseF32(
  core: Core,
  op: PointwiseName,
  count: number,
  out: number,
  ...inputs: number[]
): number {
  const operands = [out, ...inputs];
  return launch(core, "tc_pointwise", {
    op: POINTWISE[op].op,
    ndim: 1,
    nargs: operands.length,
    compute: DTYPE.F32,
    dtype: operands.map(() => DTYPE.F32),
    data: operands,
    shape: [count],
    stride: operands.map(() => 1),
  });
}
