/**
 * Every operator of the table against PyTorch's recorded answers: test/fixtures/ops.json, and the whole recorded set
 * where `../shared/conformance/ops` is there.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { judge, judgeError, Missing, type OpFile } from "./judge.ts";

const here = new URL("../..", import.meta.url).pathname;
const shared = join(here, "../shared/conformance/ops");

function load(): OpFile[] {
  if (!existsSync(shared)) return JSON.parse(readFileSync(join(here, "test/fixtures/ops.json"), "utf8"));
  return readdirSync(shared).filter((f) => f.endsWith(".json")).sort().map((f) =>
    JSON.parse(readFileSync(join(shared, f), "utf8"))
  );
}

/** Cases that differ for a known reason. They must keep failing, or leave this list. */
const KNOWN: Readonly<Record<string, string>> = {
  "nn.functional.hardtanh/10": "PyTorch's vectorised and scalar loops disagree on the gradient at NaN",
  "special.bessel_j1/10": "PyTorch 1.13's j1 has six digits between 5 and 9; mpmath agrees with ours",
  "special.laguerre_polynomial_l/5":
    "PyTorch's float32 recurrence overflows before its last step (NaN); ours, in float64, after it (-inf)",
  "special.log_ndtr/0": "the slope at -inf: PyTorch 1.13's formula is inf - inf, the limit is inf",
};

/** Functions that the recorded set leaves out: test/fixtures/record_more_ops.py. */
const more: OpFile[] = JSON.parse(readFileSync(join(here, "test/fixtures/more_ops.json"), "utf8"));

describe("recorded operators", () => {
  for (const file of [...load(), ...more]) {
    const name = file.op + (file.variant ? `-${file.variant}` : "");
    test(`${name} gives PyTorch's answers`, () => {
      const wrong: string[] = [];
      for (const c of file.cases) {
        let why: string | null;
        try {
          why = judge(file, c);
        } catch (e) {
          why = `threw ${(e as Error).message}`;
        }
        if (c.id in KNOWN) {
          if (why === null) wrong.push(`${c.id}: passes now; take it off the list of known differences`);
        } else if (why !== null) wrong.push(`${c.id}: ${why}`);
      }
      for (const e of file.errors ?? []) {
        let why: string | null;
        try {
          why = judgeError(file, e);
        } catch (error) {
          why = error instanceof Missing ? `missing ${error.message}` : `threw ${(error as Error).message}`;
        }
        if (why !== null) wrong.push(`error: ${why}`);
      }
      expect(wrong).toEqual([]);
    });
  }
});
