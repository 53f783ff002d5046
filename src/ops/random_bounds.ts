/**
 * Which integers `random_` and `randint` may draw: PyTorch's rules for every dtype
 * (ATen/native/DistributionTemplates.h, random_from_to_impl).
 *
 * @module
 */
import { type DType, Kind } from "../base/dtype.ts";
import { RuntimeError, warnOnce } from "../base/errors.ts";
import { largestFinite } from "./arithmetic.ts";
import { cxxName } from "./random_fill.ts";

/** An integer argument: a bigint only where a number would not be exact. */
export type Integer = number | bigint;

const I64_MAX = (1n << 63n) - 1n;
const I64_MIN = -(1n << 63n);

/** Significant bits of float dtypes. */
const DIGITS: Readonly<Record<string, number>> = { float16: 11, bfloat16: 8, float32: 24, float64: 53 };

function integerRange(d: DType): [bigint, bigint] {
  if (d.kind === Kind.bool) return [0n, 1n];
  const bits = BigInt(d.itemsize * 8);
  return d.is_signed ? [-(1n << (bits - 1n)), (1n << (bits - 1n)) - 1n] : [0n, (1n << bits) - 1n];
}

const absolute = (x: bigint): bigint => x < 0n ? -x : x;
const bitLength = (x: bigint): number => x === 0n ? 0 : x.toString(2).length;

/** An integer rounded to `digits` significant bits, ties to even: what a float dtype makes of it. */
function rounded(x: bigint, digits: number): bigint {
  const excess = bitLength(absolute(x)) - digits;
  if (excess <= 0) return x;
  const unit = 1n << BigInt(excess), half = unit >> 1n;
  const magnitude = absolute(x);
  let q = magnitude / unit;
  const rest = magnitude % unit;
  if (rest > half || (rest === half && (q & 1n) === 1n)) q += 1n;
  return x < 0n ? -(q * unit) : q * unit;
}

/** The spacing of floats at `x`, or 1 if that is smaller. */
function spacing(x: bigint, digits: number): bigint {
  return 1n << BigInt(Math.max(0, bitLength(absolute(x)) - digits));
}

/** The smallest integer >= `from` that the dtype holds. */
function raised(from: bigint, digits: number): bigint {
  const next = rounded(from + 1n, digits);
  return next < from ? next + spacing(from + 1n, digits) : from;
}

/** The largest bound <= `to` such that rounding a number below it does not reach it. */
function lowered(to: bigint, digits: number): bigint {
  const last = rounded(to - 1n, digits);
  return last >= to ? last - spacing(to - 1n, digits) : to;
}

function checkInRange(from: bigint, last: bigint, d: DType): void {
  const named = [[from, "from"], [last, "to - 1"]] as const;
  if (d.kind === Kind.float) {
    const most = largestFinite(d);
    for (const [x, name] of named) {
      if (Math.abs(Number(x)) > most) throw new RuntimeError(`${name} is out of bounds for ${cxxName(d)}`);
    }
    const digits = DIGITS[d.name]!;
    for (const [x, name] of named) {
      if (absolute(x) > 1n << BigInt(digits)) {
        warnOnce(
          "UserWarning",
          `${name} is out of bounds [-(2^${digits}), 2^${digits}]. Due to precision limitations ${
            cxxName(d)
          } can support discrete uniform distribution only within this range. This warning will become an error in version 1.7 release, please fix the code in advance`,
        );
      }
    }
    return;
  }
  const [low, high] = integerRange(d);
  for (const [x, name] of named) {
    if (x < low || x > high) throw new RuntimeError(`${name} is out of bounds for ${cxxName(d)}`);
  }
}

/** What to draw for `random_(from, to)`; `to` null: up to the largest integer of the dtype. A range of 0 means 2^64. */
export function bounds(d: DType, from: Integer, to: Integer | null): { lo: bigint; range: bigint } {
  let low = BigInt(from);
  let end = to === null ? null : BigInt(to);
  for (const x of [low, end ?? 0n]) {
    if (x < I64_MIN || x > I64_MAX) throw new RuntimeError("Overflow when unpacking long");
  }
  const digits = d.kind === Kind.float ? DIGITS[d.name]! : 0;
  if (end !== null) {
    if (low >= end) {
      throw new RuntimeError(`random_ expects 'from' to be less than 'to', but got from=${low} >= to=${end}`);
    }
    if (digits > 0) {
      low = raised(low, digits);
      end = lowered(end, digits);
      if (low >= end) {
        throw new RuntimeError(
          `random_ expects 'from' casted to dtype to be less than 'to' casted to dtype, but got from=${low} >= to=${end}`,
        );
      }
    }
    checkInRange(low, end - 1n, d);
    return { lo: low, range: end - low };
  }
  if (low === I64_MIN) return { lo: 0n, range: 0n };
  let last = digits > 0 ? 1n << BigInt(digits) : integerRange(d)[1];
  if (digits > 0) {
    low = raised(low, digits);
    if (low >= last) {
      throw new RuntimeError(
        `random_ expects 'from' casted to dtype to be less than or equal to 'to_inc' casted to dtype, but got from=${low} > to_inc=${last}`,
      );
    }
  } else if (d.kind === Kind.bool) last = 1n;
  checkInRange(low, last, d);
  return { lo: low, range: last - low + 1n };
}

/** PyTorch's complaint if 0 ... n - 1 do not fit into the dtype, else null. */
export function outsideInts(d: DType, n: number): string | null {
  if (d.kind === Kind.float) {
    const digits = DIGITS[d.name]!;
    if (n > largestFinite(d)) {
      return `value cannot be converted to type ${
        d.name === "float16" ? "at::Half" : cxxName(d)
      } without overflow`;
    }
    if (n <= 2 ** digits + 1) return null;
    return d.name === "float16"
      ? "n cannot be greater than 2049 for Half type."
      : `n cannot be greater than 2^${digits}+1 for ${d.scalarName} type.`;
  }
  if (BigInt(n) <= integerRange(d)[1]) return null;
  return `value cannot be converted to type ${d.name === "int32" ? "int" : `${d.name}_t`} without overflow`;
}
