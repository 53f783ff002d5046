// Picks small recorded operator cases from the conformance folder for the project's own tests.
//
//   node_modules/.bin/deno run -A scripts/make_fixtures.ts ../shared/conformance/ops

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

const folder = process.argv[2];
if (folder === undefined) throw new Error("usage: make_fixtures.ts FOLDER");

/** Cases per operator, and how much text a case may be. */
const CASES = 3, LENGTH = 2500;

const files = readdirSync(folder).filter((f) => f.endsWith(".json")).sort();
const picked = files.map((f) => {
  const d = JSON.parse(readFileSync(join(folder, f), "utf8"));
  const small = (x: unknown): boolean => JSON.stringify(x).length <= LENGTH;
  return {
    op: d.op,
    variant: d.variant,
    call: d.call,
    cases: d.cases.filter(small).slice(0, CASES),
    errors: (d.errors ?? []).filter(small).slice(0, CASES),
  };
});
writeFileSync("test/fixtures/ops.json", `[\n${picked.map((p) => JSON.stringify(p)).join(",\n")}\n]\n`);
console.log(`${picked.length} operators, ${picked.reduce((n, p) => n + p.cases.length, 0)} cases`);
