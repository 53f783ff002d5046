/**
 * Lengths of pipes, which not every pipe has, and other checks that they share.
 *
 * @module
 */
import { typename } from "../../typename.ts";
import { lengthOf } from "../dataset.ts";

/** The number of samples, or undefined where it is not known. */
export function lengthIfAny(source: unknown): number | undefined {
  try {
    return lengthOf(source);
  } catch {
    return undefined;
  }
}

/** PyTorch's error where it is not. */
export function noLength(pipe: object): never {
  throw new TypeError(`${pipe.constructor.name} instance doesn't have valid length`);
}

export function requireFunction<F>(f: F): F {
  if (typeof f === "function") return f;
  throw new TypeError(`A callable function is expected, but <class '${typename(f)}'> is provided.`);
}
