/** Writing argument structs by hand and launching kernels on a bare core. */

import type { Core } from "../../wasm/loader.ts";
import { type KernelName, KERNELS, SLOT, type StructName, STRUCTS } from "../../src/_gen/kernels.ts";

/** Kinds of a struct's fields, by name. */
function kinds(struct: StructName): Map<string, string> {
  return new Map(
    STRUCTS[struct].fields.split(" ").map((field) => {
      const [name, kind] = field.split(/[:[]/);
      return [name as string, kind as string];
    }),
  );
}

/**
 * Fills the argument area (other fields are zero) and calls a kernel. A field is a number or, where the struct has
 * an array, a list in memory order; integers must be safe. Returns the status.
 */
export function launch(core: Core, kernel: KernelName, fields: Record<string, number | number[]>): number {
  writeArguments(core, kernel, fields);
  const run = core.exports[kernel];
  if (run === undefined) throw new Error(`the core has no ${kernel}`);
  return run(core.argBase);
}

/** Only fills the argument area. */
export function writeArguments(
  core: Core,
  kernel: KernelName,
  fields: Record<string, number | number[]>,
): void {
  const struct = KERNELS[kernel].args;
  const kindOf = kinds(struct);
  const slots = SLOT[struct] as Record<string, number>;
  const first = core.argBase / 8;
  core.f64.fill(0, first, first + STRUCTS[struct].slots);
  for (const [name, value] of Object.entries(fields)) {
    const slot = slots[name];
    if (slot === undefined) throw new Error(`${struct} has no field ${name}`);
    (Array.isArray(value) ? value : [value]).forEach((number, i) => {
      if (kindOf.get(name) === "f64") core.f64[first + slot + i] = number;
      else core.i64[first + slot + i] = BigInt(number);
    });
  }
}

/** Runs `kernel`'s workspace query for the given arguments. */
export function scratchBytes(
  core: Core,
  kernel: KernelName,
  fields: Record<string, number | number[]>,
): number {
  writeArguments(core, kernel, fields);
  return Number(core.exports[`${kernel}_scratch`]?.(core.argBase));
}
