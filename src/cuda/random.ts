/**
 * Seeds. All devices draw from the CPU's generator, so that a program draws the same numbers wherever it runs: these
 * functions seed that one.
 *
 * @module
 */
import { default_generator } from "../base/generator.ts";

/** Seeds the generator. */
export function manual_seed(seed: number | bigint): void {
  default_generator.manual_seed(typeof seed === "bigint" ? seed : Math.trunc(Number(seed)));
}

/** Seeds the generator of all devices. */
export function manual_seed_all(seed: number | bigint): void {
  manual_seed(seed);
}

/** Seeds the generator with a number from the system. */
export function seed(): void {
  default_generator.seed();
}

/** Seeds the generator of all devices with a number from the system. */
export function seed_all(): void {
  default_generator.seed();
}

/** The seed that the generator was last given. */
export function initial_seed(): number | bigint {
  return default_generator.initial_seed();
}
