/**
 * Every operator as a function, by name. Rows of the table call each other through tensor methods, or through here
 * where there is no method (`fn.cat([a, b])`): no import cycles.
 *
 * @module
 */
import type { AnyFunction } from "./entry.ts";

/** Filled by `src/ops/table.ts`. */
export const fn: Record<string, AnyFunction> = {};
