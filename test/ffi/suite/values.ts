/** Random numbers that suit a dtype. */

import { BF16, BOOL, F16, F32, F64, I16, I32, I64, I8, type Random, U8 } from "./harness.ts";

const SPECIAL = [0, -0, 1, -1, 0.5, -0.5, 2.5, -2.5, Infinity, -Infinity, NaN, 8, -8];

export function isFloat(dtype: number): boolean {
  return dtype === F32 || dtype === F64 || dtype === F16 || dtype === BF16;
}

/** A filler: mostly numbers of modest size, and with `special` now and then those that trip formulas up. */
export function numbers(r: Random, dtype: number, special = false): () => number {
  if (isFloat(dtype)) return () => special && r.chance(0.2) ? r.pick(SPECIAL) : (r.next() - 0.5) * 6;
  switch (dtype) {
    case BOOL:
      return () => r.int(0, 1);
    case U8:
      return () => r.int(0, special ? 255 : 9);
    case I8:
      return () => special ? r.int(-128, 127) : r.int(-9, 9);
    case I16:
      return () => special ? r.int(-32768, 32767) : r.int(-9, 9);
    case I32:
      return () => special && r.chance(0.1) ? r.pick([2147483647, -2147483648, 0]) : r.int(-9, 9);
    case I64:
      return () => special && r.chance(0.1) ? r.pick([2 ** 40, -(2 ** 40), 0]) : r.int(-9, 9);
    default:
      throw new Error(`no numbers of dtype ${dtype}`);
  }
}

/** Relative error that rounding to the dtype (and a different library of functions) may leave. */
export function tolerance(dtype: number): number {
  switch (dtype) {
    case F32:
      return 2e-6;
    case F64:
      return 1e-12;
    case F16:
      return 2e-3;
    case BF16:
      return 1.6e-2;
    default:
      return 0;
  }
}
