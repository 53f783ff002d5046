/** DataLoader with worker threads, in programs of their own: Deno from the sources, Node from their JavaScript. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { root, transpile } from "./transpile.ts";

const PROGRAMS = "test/utils/data/programs", out = join(root, "build", "test", `workers.${process.pid}`);
const ENGINES = {
  node: ["node", join(out, PROGRAMS, "workers.js")],
  deno: [
    join(root, "node_modules", ".bin", "deno"),
    "run",
    "-A",
    "--no-check",
    join(root, PROGRAMS, "workers.ts"),
  ],
} as const;
const run = promisify(execFile);

/** What a case printed. A program that does not end is an error. */
async function result(engine: keyof typeof ENGINES, ...args: string[]): Promise<unknown> {
  const [command, ...before] = ENGINES[engine];
  const { stdout } = await run(command, [...before, ...args], { cwd: root, timeout: 60_000 });
  return JSON.parse(stdout);
}

// PyTorch 1.13.1 with the same datasets (test/utils/data/programs/squares.ts).
const RECORDED = [
  [
    [[41, 9], [0, 0], [967, 628]],
    [[5, 6], [1, 1], [91, 933]],
    [[69, 14], [0, 0], [895, 711]],
    [[30, 21], [1, 1], [908, 844]],
    [[54, 86], [0, 0], [418, 326]],
  ],
  [
    [[14, 21], [0, 0], [547, 723]],
    [[5, 86], [1, 1], [59, 672]],
    [[41, 54], [0, 0], [937, 364]],
    [[6, 9], [1, 1], [892, 51]],
    [[30, 69], [0, 0], [198, 440]],
  ],
  [[[0, 1], [0, 0], [907, 79]], [[4, 9], [1, 1], [197, 497]]],
  [[[0, 1], [0, 0], [179, 391]], [[4, 9], [1, 1], [444, 205]]],
  [[[0, 1], [0, 0], [391, 416]], [[4, 9], [1, 1], [705, 752]]],
  [[0, 3], [1, 4], [2, 5], [6, 9], [7, 10], [8]],
  [[0, 3], [1, 4], [2, 5], [6, 9], [7, 10]],
  [0, 1, 2, 3, 4],
  [840],
  [[[4, 9], [0, 0], [894, 139]], [[0, 1], [0, 0], [755, 268]]],
];

beforeAll(() => transpile(PROGRAMS, out), 60_000);

describe.each(["node", "deno"] as const)("worker threads in %s", (engine) => {
  it.each(["sync", "async"])("give PyTorch's batches and draw its numbers (%s)", async (way) => {
    expect(await result(engine, "recorded", way)).toEqual(RECORDED);
  }, 60_000);

  it.each(["sync", "async"])("load what the library has as it is loaded without them (%s)", async (way) => {
    expect(await result(engine, "library", way)).toEqual([
      Array(7).fill(true),
      [{ sum: 5, workers: [0] }, { sum: 50, workers: [1] }],
    ]);
  }, 60_000);

  it.each(["sync", "async"])("hand on errors with their stack (%s)", async (way) => {
    for (
      const [kind, name, type] of [["ValueError", "ValueError", "ValueError"], [
        "own",
        "MyError",
        "RuntimeError",
      ]]
    ) {
      const failure = await result(engine, "trouble", way, kind!) as Record<string, string>;
      expect(failure["got"]).toEqual([[0, 1], [2, 3]]);
      expect(failure["name"]).toBe(type);
      expect(failure["message"]).toMatch(
        new RegExp(
          `^Caught ${name} in DataLoader worker process 0\\.\nOriginal Traceback \\(most recent call first\\):\n` +
            `${name}: .*\n +at .*__getitem__ .*squares\\.[jt]s:\\d+`,
        ),
      );
    }
    expect(await result(engine, "init", way)).toEqual([
      "RuntimeError",
      expect.stringContaining(
        "Caught RuntimeError in DataLoader worker process 0.\nOriginal Traceback (most recent call first):\n" +
          "RuntimeError: worker 0 cannot start\n",
      ),
    ]);
  }, 60_000);

  it.each(["sync", "async"])("that end or hang are reported (%s)", async (way) => {
    for (const kind of engine === "deno" ? ["exit", "late", "close"] : ["exit", "late"]) {
      const { name, message } = await result(engine, "trouble", way, kind) as Record<string, string>;
      expect([name, message]).toEqual([
        "RuntimeError",
        expect.stringMatching(/^DataLoader worker \(id [01]\) exited unexpectedly: ./),
      ]);
    }
    expect(await result(engine, "trouble", way, way === "sync" ? "spin" : "slow")).toEqual({
      got: [[0, 1], [2, 3]],
      name: "RuntimeError",
      message: "DataLoader timed out after 5 seconds",
    });
  }, 120_000);

  it.each(["sync", "async"])("go when a loop is left, or stay for the next pass (%s)", async (way) => {
    const all = [[0, 2], [1, 3], [4, 6], [5, 7]];
    expect(await result(engine, "leave", way)).toEqual([[[0, 1]], [[0, 2]], all, all]);
  }, 60_000);

  it("share a shuffle of pipes as PyTorch's do", async () => {
    const { workers, workers_p } = JSON.parse(
      readFileSync(join(root, "test", "fixtures", "datapipes.json"), "utf8"),
    ) as Record<string, unknown>;
    expect(await result(engine, "pipes", "sync")).toEqual([workers, workers_p]);
    expect(await result(engine, "pipes", "async")).toEqual([workers, workers_p]);
  }, 60_000);

  it("refuse what they could not import, and say what to do", async () => {
    const [local, lambda, collate, graph] = await result(engine, "refusals") as string[];
    expect(local).toMatch(/^DataLoader\.dataset is an instance of Local, and a worker thread cannot know/);
    expect(local).toContain("torch.utils.data.importable(import.meta.url, { Local })");
    expect(lambda).toMatch(
      /^DataLoader\.dataset\.__getstate__\(\)\.own\.transform\.lambd is a function without a name/,
    );
    expect(collate).toMatch(/^DataLoader\.collate_fn is the function collate_fn, and a worker/);
    expect(graph).toMatch(/^Cowardly refusing to serialize non-leaf tensor which requires_grad/);
  }, 60_000);

  it("take no more memory pass after pass", async () => {
    const rss = await result(engine, "memory", "sync", "30") as number[]; // 64 MB a pass
    expect(Math.max(...rss.slice(20))).toBeLessThan(Math.max(...rss.slice(5, 15)) + 250e6);
  }, 60_000);
});
