/** The classic tutorials, step by step: losses within 1e-4 of PyTorch's, and the trained parameters. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { difference, type Program, run } from "./compare.ts";

const programs: Program[] = JSON.parse(
  readFileSync(new URL("../fixtures/seeds.json", import.meta.url), "utf8"),
);

describe("recorded tutorials", () => {
  for (const p of programs) {
    test(`${p.id} trains as in PyTorch`, () => {
      const tolerance = Math.max(1e-4, 20 * (p.loss_rel_drift ?? 0));
      const result = run(p);
      expect(difference(result.losses, p.expect.losses, tolerance, 1e-7)).toBeNull();
    }, 60_000);
  }
});
