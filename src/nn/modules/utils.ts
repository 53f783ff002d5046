/**
 * Sizes given as one number for all dimensions or as one number each.
 *
 * @module
 */
import { ValueError } from "../../base/errors.ts";

/** One number for every dimension, or one per dimension. */
export type IntOrTuple = number | readonly number[];
/** The same, where null in a place means: as the input. */
export type MaybeIntOrTuple = number | null | readonly (number | null)[];

/** `x` as an array of n. */
export function ntuple(x: IntOrTuple, n: number): number[] {
  return typeof x === "number" ? new Array<number>(n).fill(x) : [...x];
}

/** Every number n times, last dimension first: the order in which `pad` takes its amounts. */
export function reverseRepeat(x: readonly number[], n: number): number[] {
  return [...x].reverse().flatMap((v) => new Array<number>(n).fill(v));
}

/** An output size of n numbers, null replaced by the input's size in that dimension. */
export function listWithDefault(size: MaybeIntOrTuple, inputSize: readonly number[], n: number): number[] {
  if (size === null || typeof size === "number") {
    const known = inputSize.slice(inputSize.length - n);
    return size === null ? [...known] : new Array<number>(n).fill(size);
  }
  if (inputSize.length <= size.length) {
    throw new ValueError(`Input dimension should be at least ${size.length + 1}`);
  }
  const known = inputSize.slice(inputSize.length - size.length);
  return size.map((s, i) => s ?? known[i]!);
}
