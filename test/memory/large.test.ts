/** More than 2 GiB, and the end of memory: in processes of their own. */
import { freemem } from "node:os";
import { describe, expect, it } from "vitest";
import { commandOf, runLines } from "../../bench/programs/start.ts";

describe.each(["node", "deno"] as const)("much memory in %s", (engine) => {
  const run = async (kind: string): Promise<Record<string, unknown>> =>
    (await runLines(await commandOf(engine, "test/memory/programs/large.ts"), [kind], { threads: 1 }))[0]!;

  it.skipIf(freemem() < 6 * 2 ** 30)(
    "reaches beyond 2 GiB (skipped on machines with less than 6 GiB free)",
    async () => {
      const { reserved, softmax, ...rest } = await run("beyond") as Record<string, number>;
      expect(rest).toEqual({
        where: [true, true],
        sum: 500_500,
        max: 999,
        rows: [1, 998],
        sorted: [-1000, -999],
        trace: Array.from(
          { length: 10 },
          (_, i) => Array.from({ length: 10 }, (_, k) => (10 * i + k) * (10 * k + i)).reduce((a, b) => a + b),
        ).reduce((a, b) => a + b),
      });
      expect(softmax).toBeCloseTo(1, 5);
      expect(reserved).toBeGreaterThan(2.25 * 2 ** 30);
    },
    120_000,
  );

  it("ends with an error that says what holds it, and nothing is lost", async () => {
    const { error, largest, grad, sums } = await run("out") as Record<string, string>;
    expect(error).toMatch(
      /^OutOfMemoryError: cpu out of memory\. Tried to allocate 76\.00 MiB \(9\d\.\d\d MiB total capacity; /,
    );
    expect(error).toMatch(
      /everything else was put aside: 28\.00 MiB in 7 tensors \(7 x 4\.00 MiB\), \d+\.00 MiB of them held by/,
    );
    expect(largest).toMatch(/Tried to allocate 4\.00 GiB .* No tensor can be larger than the capacity\.$/);
    expect(grad).toBeCloseTo(Math.cos(Math.E) * Math.E, 4);
    expect(sums).toEqual(Array(4).fill(2 ** 20));
  }, 60_000);
});
