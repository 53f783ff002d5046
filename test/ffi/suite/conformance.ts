/** Recorded operator cases on the device "cuda". A case that the CPU does not pass either does not count. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { judge, judgeError, judgeOn, Missing, type OpFile } from "../../ops/judge.ts";

export interface Outcome {
  name: string;
  /** Cases that are right. */
  count: number;
  /** What is wrong with the others, line by line. */
  error: string | null;
  /** Kernels that the library does not have, of cases that said so. */
  missing: string[];
}

/** The recorded operators of a folder, or the fixture. */
export function recordedOperators(folder: string | null): OpFile[] {
  const fixture = new URL("../../fixtures/ops.json", import.meta.url);
  if (folder === null) return JSON.parse(readFileSync(fixture, "utf8"));
  return readdirSync(folder).filter((f) => f.endsWith(".json")).sort().map((f) =>
    JSON.parse(readFileSync(join(folder, f), "utf8"))
  );
}

function outcome(device: string, f: () => string | null): string | null {
  judgeOn(device);
  try {
    return f();
  } catch (error) {
    return error instanceof Missing ? `missing ${error.message}` : `threw ${(error as Error).message}`;
  } finally {
    judgeOn("cpu");
  }
}

/** Runs an operator's cases on the device. */
export function conformance(file: OpFile): Outcome {
  const name = file.op + (file.variant ? `-${file.variant}` : "");
  const wrong: string[] = [], missing = new Set<string>();
  let count = 0;
  const check = (id: string, f: () => string | null) => {
    const why = outcome("cuda", f);
    const kernel = /^threw "?(\w+)"? is not implemented on CUDA yet/.exec(why ?? "")?.[1];
    if (why === null) count++;
    else if (kernel !== undefined) missing.add(kernel);
    else if (outcome("cpu", f) === null) wrong.push(`${id}: ${why}`);
  };
  for (const c of file.cases) check(c.id, () => judge(file, c));
  for (const e of file.errors ?? []) check(`${name} error`, () => judgeError(file, e));
  return { name, count, error: wrong.length > 0 ? wrong.join("\n") : null, missing: [...missing] };
}
