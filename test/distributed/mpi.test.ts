/** torch.distributed: two processes that mpirun starts, in Deno and in Node. */

import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { beforeAll, describe, expect, it } from "vitest";

const here = dirname(fileURLToPath(import.meta.url)), root = join(here, "..", "..");
const hasMpi = spawnSync("mpirun", ["--version"]).status === 0;
const bundle = join(root, "build", `distributed.${process.pid}.mjs`);

interface Ending {
  /** What the processes answered, in no order. */
  answers: unknown[];
  code: number | null;
  stderr: string;
}

/** Runs the program; `processes` 0 means without mpirun. */
async function run(runtime: "deno" | "node", processes: number, task: string): Promise<Ending> {
  const folder = mkdtempSync(join(tmpdir(), "tstorch-mpi-")), args = [task, folder];
  const program = runtime === "deno"
    ? [
      join(root, "node_modules", ".bin", "deno"),
      "run",
      "-A",
      "--no-check",
      join(here, "program.ts"),
      ...args,
    ]
    : ["node", bundle, ...args];
  const mpirun = ["mpirun", "--allow-run-as-root", "--oversubscribe", "-np", String(processes)];
  const [command, ...rest] = processes > 0 ? [...mpirun, ...program] : program;
  const child = spawn(command!, rest, {
    cwd: root,
    env: { ...process.env, OMPI_MCA_btl_vader_single_copy_mechanism: "none", NO_COLOR: "1" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (data) => stderr += String(data));
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  const answers = readdirSync(folder).map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")));
  rmSync(folder, { recursive: true });
  return { answers, code, stderr };
}

interface Trained {
  losses: number[];
  weights: number[];
}

describe.skipIf(!hasMpi).each(["deno", "node"] as const)("two processes in %s", (runtime) => {
  beforeAll(async () => {
    // Node runs no TypeScript.
    await build({
      entryPoints: [join(here, "program.ts")],
      outfile: bundle,
      bundle: true,
      format: "esm",
      platform: "node",
      external: ["koffi"],
      logLevel: "error",
      define: { "import.meta.url": JSON.stringify(new URL("../../wasm/loader.ts", import.meta.url).href) },
    });
  }, 60_000);

  it("do together what torch.distributed offers", { timeout: 60_000 }, async () => {
    const { answers, code, stderr } = await run(runtime, 2, "collectives");
    expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
    const first = (answers as Record<string, unknown>[]).find((a) => a["gather"] !== null)!;
    const second = (answers as Record<string, unknown>[]).find((a) => a["gather"] === null)!;
    const both = {
      SUM: [[12, 14], [16, 18]],
      AVG: [[6, 7], [8, 9]],
      PRODUCT: [[11, 24], [39, 56]],
      MIN: [[1, 2], [3, 4]],
      MAX: [[11, 12], [13, 14]],
      float64: [12, 14, 16],
      float16: [12, 14, 16],
      bfloat16: [12, 14, 16],
      int64: [12, 14, 16],
      int32: [12, 14, 16],
      uint8: [12, 14, 16],
      bool: [1, 1, 1],
      broadcast: [11, 12, 13],
      all_gather: [[1, 2], [11, 12]],
      all_gather_into_tensor: [1, 2, 11, 12],
      async: [true, 11100],
      error: "all_reduce: Tensors must be contiguous",
    };
    expect(first).toMatchObject({
      ...both,
      reduce: [1, 2],
      gather: [[1, 2], [11, 12]],
      scatter: [5, 5],
      reduce_scatter: [12, 14],
      reduce_scatter_tensor: [12, 14],
      all_to_all: [[1, 2], [11, 12]],
      group: null,
    });
    expect(second).toMatchObject({
      ...both,
      reduce: [12, 14],
      scatter: [6, 6],
      reduce_scatter: [212, 214],
      reduce_scatter_tensor: [16, 18],
      all_to_all: [[101, 102], [111, 112]],
      recv: [1, 2],
      group: [0, 1],
    });
  });

  it("train to the weights of one process with the whole batch", { timeout: 90_000 }, async () => {
    const [alone] = (await run(runtime, 0, "alone")).answers as Trained[];
    const { answers, code, stderr } = await run(runtime, 2, "training");
    expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
    const [a, b] = answers as [Trained, Trained];
    expect(a.weights).toEqual(b.weights);
    a.weights.forEach((w, i) => expect(Math.abs(w - alone!.weights[i]!)).toBeLessThan(1e-5));
    alone!.losses.forEach((loss, i) => expect((a.losses[i]! + b.losses[i]!) / 2).toBeCloseTo(loss, 5));
    expect(alone!.losses.at(-1)!).toBeLessThan(alone!.losses[0]!);
  });

  it("stay together where not every process uses every parameter", { timeout: 60_000 }, async () => {
    const { answers, code, stderr } = await run(runtime, 2, "unused");
    expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
    const [a, b] = answers as [Trained, Trained];
    expect(a.weights).toEqual(b.weights);
  });

  it("share a dataset", { timeout: 60_000 }, async () => {
    const { answers } = await run(runtime, 2, "sampler");
    expect((answers as number[][]).sort((x, y) => x[0]! - y[0]!)).toEqual([[0, 2, 4, 6, 8], [1, 3, 5, 7, 9]]);
  });

  it.each([["die", /aborted|signal 9/], ["fail", /rank 1 gives up/]] as const)(
    "end with a message when one of them does: %s",
    { timeout: 60_000 },
    async (task, message) => {
      const { code, stderr } = await run(runtime, 2, task);
      expect(code).not.toBe(0);
      expect(stderr).toMatch(message);
    },
  );
});
