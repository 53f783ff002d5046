/**
 * Notes which derivative formulas of the operator table run. To be imported before the first operator is used: rows
 * are compiled then.
 */
import { table } from "../../src/ops/table.ts";

/** Every formula of the table, and those that ran: `name#overload.inputs`. */
export const formulas = new Set<string>(), ran = new Set<string>();

for (const [name, rows] of Object.entries(table)) {
  rows.forEach((row, i) => {
    const derivative = row.derivative as Record<string, unknown> | undefined;
    for (const [inputs, body] of Object.entries(derivative ?? {})) {
      if (typeof body !== "function") continue;
      const id = `${name}#${i}.${inputs}`;
      formulas.add(id);
      derivative![inputs] = (c: unknown) => {
        ran.add(id);
        return body(c);
      };
    }
  });
}
