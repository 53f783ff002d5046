/**
 * Checks of optimizer options, in PyTorch's words.
 *
 * @module
 */
import { ValueError } from "../base/errors.ts";
import { pyrepr } from "../utils/pyrepr.ts";

/** Throws unless every option is 0 or more (NaN is not); keys are what the message calls them. */
export function checkNonNegative(options: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(options)) {
    if (!(value >= 0)) throw new ValueError(`Invalid ${name}: ${pyrepr(value)}`);
  }
}

/** Throws unless both betas are in [0, 1). */
export function checkBetas(betas: readonly [number, number]): void {
  betas.forEach((b, i) => {
    if (!(b >= 0 && b < 1)) throw new ValueError(`Invalid beta parameter at index ${i}: ${pyrepr(b)}`);
  });
}
