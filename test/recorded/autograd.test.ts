/** PyTorch's answers about autograd: hooks, higher derivatives, in-place writes, custom functions, data loading. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { difference, type Program, run } from "./compare.ts";

const programs: Program[] = JSON.parse(
  readFileSync(new URL("../fixtures/autograd.json", import.meta.url), "utf8"),
);

describe("recorded autograd programs", () => {
  for (const p of programs) {
    test(`${p.id} returns what PyTorch returned`, () => {
      expect(difference(run(p), p.expect, 1e-5, 1e-6)).toBeNull();
    });
  }
});
