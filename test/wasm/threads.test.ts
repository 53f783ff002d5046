import { afterEach, describe, expect, test } from "vitest";
import { STATUS } from "../../src/_gen/kernels.ts";
import { type Core, loadCore, type LoadOptions } from "../../wasm/loader.ts";
import { pointwiseF32 } from "./pointwise.ts";
import { runProgram } from "./run_program.ts";

const COUNT = 1 << 18;
/** These tests wait for threads and processes, on machines that have other things to do. */
const TIMEOUT = 30_000;
const cores: Core[] = [];

async function load(options: LoadOptions = {}): Promise<Core> {
  const core = await loadCore({ variant: "relaxed-mt", ...options });
  cores.push(core);
  return core;
}

afterEach(() => cores.splice(0).forEach((core) => core.threads.terminate()));

function fillRamp(core: Core): void {
  const x = core.heapBase / 4;
  for (let i = 0; i < COUNT; i++) core.f32[x + i] = i / COUNT - 0.5;
}

/** tanh of a ramp, large enough to be shared out. */
function tanhOfRamp(core: Core): Float32Array {
  fillRamp(core);
  const x = core.heapBase, y = x + COUNT * 4;
  core.f32.fill(0, y / 4, y / 4 + COUNT);
  expect(pointwiseF32(core, "tanh", COUNT, y, x)).toBe(STATUS.OK);
  return core.f32.slice(y / 4, y / 4 + COUNT);
}

/** The first index at which two arrays differ in their bits, or -1; vitest's own comparison takes seconds. */
function firstDifference(a: Float32Array, b: Float32Array): number {
  const x = new Int32Array(a.buffer), y = new Int32Array(b.buffer);
  return x.length === y.length ? x.findIndex((bits, i) => bits !== y[i]) : Math.min(x.length, y.length);
}

describe("starting", () => {
  test("workers check in while this thread never yields", async () => {
    const core = await load();
    core.threads.setLimit(3);
    expect(core.threads.info()).toMatchObject({ count: 1, limit: 3, started: 0 });
    expect(core.threads.info().reason).toBe("workers start with the first large operation");
    // The first request returns at once, and everything runs on one thread until the others are there.
    expect(core.threads.request()).toBeLessThanOrEqual(3);
    expect(core.threads.wait(10_000)).toBe(3);
    expect(core.threads.info()).toMatchObject({ count: 3, limit: 3, started: 2, ready: 2, reason: null });
  }, TIMEOUT);

  test("more threads than there are stacks for are not promised", async () => {
    const core = await load({ maxThreads: 2 });
    expect(core.threads.setLimit(100)).toBe(2);
    expect(core.threads.limit).toBe(2);
    expect(core.threads.wait(10_000)).toBe(2);
    expect(() => core.threads.setLimit(0)).toThrow("set_num_threads expects a positive integer");
    expect(() => core.threads.setLimit(1.5)).toThrow(RangeError);
  }, TIMEOUT);

  test("the number can be changed while running", async () => {
    const core = await load();
    const expected = tanhOfRamp(core);
    for (const limit of [2, 4, 1, 3, 2, 4]) {
      expect(core.threads.setLimit(limit)).toBe(limit);
      expect(core.threads.wait(10_000)).toBe(limit);
      expect(firstDifference(tanhOfRamp(core), expected)).toBe(-1);
    }
    expect(core.threads.info()).toMatchObject({ started: 3, ready: 3 });
  }, TIMEOUT);
});

describe("working", () => {
  test("results are those of one thread, to the bit, every time", async () => {
    const core = await load();
    const expected = tanhOfRamp(core);
    core.threads.setLimit(4);
    expect(core.threads.wait(10_000)).toBe(4);
    for (let i = 0; i < 20; i++) expect(firstDifference(tanhOfRamp(core), expected)).toBe(-1);
  }, TIMEOUT);

  test("workers see memory that was added after they started", async () => {
    const core = await load();
    core.threads.setLimit(4);
    expect(core.threads.wait(10_000)).toBe(4);
    for (let i = 0; i < 50; i++) {
      expect(core.grow(COUNT * 8)).toBe(true);
      const x = core.byteLength - COUNT * 8, y = x + COUNT * 4;
      core.f32.fill(i, x / 4, x / 4 + COUNT);
      expect(pointwiseF32(core, "square", COUNT, y, x)).toBe(STATUS.OK);
      expect(core.f32.subarray(y / 4, y / 4 + COUNT).every((value) => value === i * i)).toBe(true);
    }
  }, TIMEOUT);

  test("a trap in any thread is an exception here, and the pool lives on", async () => {
    const core = await load();
    const expected = tanhOfRamp(core);
    core.threads.setLimit(4);
    expect(core.threads.wait(10_000)).toBe(4);
    const messages = new Set<string>();
    for (let i = 0; i < 100; i++) {
      // The last quarter of the vector lies beyond the memory's end: who comes to it traps.
      const start = core.byteLength - COUNT * 3;
      try {
        pointwiseF32(core, "exp", COUNT, start, start);
        throw new Error("no exception");
      } catch (error) {
        messages.add(String(error));
      }
      core.recover();
    }
    for (const message of messages) {
      expect([
        "RuntimeError: memory access out of bounds",
        "Error: a thread of the tstorch core failed: RuntimeError: memory access out of bounds",
      ]).toContain(message);
    }
    expect(
      messages.has("Error: a thread of the tstorch core failed: RuntimeError: memory access out of bounds"),
    ).toBe(true);
    expect(core.threads.info()).toMatchObject({ count: 4, ready: 3, reason: null });
    for (let i = 0; i < 10; i++) expect(firstDifference(tanhOfRamp(core), expected)).toBe(-1);
  }, TIMEOUT);

  test("terminated threads are not missed", async () => {
    const core = await load();
    const expected = tanhOfRamp(core);
    core.threads.setLimit(3);
    core.threads.wait(10_000);
    core.threads.terminate();
    expect(core.threads.info()).toMatchObject({
      count: 1,
      limit: 1,
      max: 1,
      reason: "threads were switched off",
    });
    expect(firstDifference(tanhOfRamp(core), expected)).toBe(-1);
    expect(core.threads.request()).toBe(1);
  }, TIMEOUT);
});

describe.each(["node", "deno"] as const)("a program in %s", (runtime) => {
  test("ends although workers wait, which cost no processor time", async () => {
    const { status, output } = await runProgram(runtime, "programs/threads.ts", {});
    expect(output).toMatch(/^threads 3\nidle \d+(\.\d+)? %\nend\n$/);
    expect(Number(/idle (\S+)/.exec(output)?.[1])).toBeLessThan(5);
    expect(status).toBe(0);
  }, TIMEOUT);

  test("takes its settings from the environment", async () => {
    const { output } = await runProgram(runtime, "programs/environment.ts", {
      TSTORCH_WASM_VARIANT: "simd-mt",
      TSTORCH_NUM_THREADS: "5",
    });
    expect(output).toBe("simd-mt 5\n");
    const wrong = await runProgram(runtime, "programs/environment.ts", { TSTORCH_WASM_VARIANT: "avx" });
    expect(wrong.output).toBe(
      "TSTORCH_WASM_VARIANT: expected one of relaxed-mt, simd-mt, relaxed, simd, but got avx\n",
    );
    const none = await runProgram(runtime, "programs/environment.ts", { TSTORCH_NUM_THREADS: "many" });
    expect(none.output).toBe("TSTORCH_NUM_THREADS: expected a positive integer, but got many\n");
  }, TIMEOUT);
});

test("Deno is never asked for a permission", async () => {
  const { status, output } = await runProgram("deno", "programs/threads.ts", { TSTORCH_NUM_THREADS: "7" }, [
    "--no-prompt",
  ]);
  expect(output).toMatch(/^threads 3\n/);
  expect(status).toBe(0);
}, TIMEOUT);
