/** Short forms of bench/memory.ts: one synchronous loop in a process of its own, nobody frees anything. */
import { describe, expect, it } from "vitest";
import { commandOf, runLines } from "../../bench/programs/start.ts";

interface Sample {
  step: number;
  rss: number;
  heap: number;
  reserved: number;
  live: number;
  loss: number;
}
const MB = 1e6;
const most = (samples: readonly Sample[], key: keyof Sample): number =>
  Math.max(...samples.map((s) => s[key]));
const least = (samples: readonly Sample[], key: keyof Sample): number =>
  Math.min(...samples.map((s) => s[key]));

async function samples(engine: "deno" | "node", kind: string, steps: number): Promise<Sample[]> {
  const command = await commandOf(engine, "bench/programs/memory.ts");
  const lines = await runLines(command, [kind, String(steps), String(steps / 40)], { threads: 1 });
  expect(lines.length).toBe(40);
  return lines as unknown as Sample[];
}

describe.each(["node", "deno"] as const)("memory in a synchronous loop in %s", (engine) => {
  it("stays where it is while a network trains", async () => {
    const all = await samples(engine, "train", 3000),
      warm = all.slice(20),
      [early, late] = [warm.slice(0, 10), warm.slice(10)];
    expect(all.at(-1)!.loss).toBeLessThan(0.01); // it really trains
    expect(most(all, "rss")).toBeLessThan(400 * MB);
    // Between collections the list of tensors grows to its limit and falls back; it never starts higher.
    expect(least(late, "live")).toBeLessThan(least(early, "live") + 4 * MB);
    expect(most(late, "live")).toBeLessThan(most(early, "live") + 4 * MB);
    expect(most(late, "reserved")).toBe(most(early, "reserved"));
    expect(most(late, "rss")).toBeLessThan(most(early, "rss") + 60 * MB);
  }, 180_000);

  it("stays where it is while a network answers", async () => {
    const all = await samples(engine, "infer", 20_000);
    expect(most(all, "rss")).toBeLessThan(400 * MB);
    expect(most(all.slice(30), "rss")).toBeLessThan(most(all.slice(20, 30), "rss") + 60 * MB);
    expect(most(all, "live")).toBeLessThan(32 * MB); // 20,000 steps make 80 MB
  }, 180_000);
});
