/** PyTorch's recorded answers on the device "cuda", its kernels on the processor, through both bridges. */

import process from "node:process";
import { beforeAll, describe, expect, it } from "vitest";
import { BUILD_TIMEOUT, hasProgram, hostLibrary, runInDeno } from "./libraries.ts";
import { conformance, recordedOperators } from "./suite/conformance.ts";

/** Kernels without a twin: the list gets shorter. */
const MISSING: readonly string[] = ["eigh", "gelsy", "ldl", "ldl_solve", "ormqr", "svd"];
/** The elementwise kernels have no complex arithmetic yet, which only these operators come to. */
const mayMiss = (op: string, kernel: string): boolean =>
  MISSING.includes(kernel) || (kernel === "pointwise" && op.startsWith("fft."));

describe.skipIf(!hasProgram("g++"))("recorded operators on cuda", () => {
  const files = recordedOperators(null);
  let library: string;
  beforeAll(async () => {
    library = await hostLibrary();
    process.env["TSTORCH_CUDA_LIB"] = library; // read when CUDA is first asked for
  }, BUILD_TIMEOUT);

  it("in Node: whatever the CPU passes", { timeout: 120_000 }, () => {
    const outcomes = files.map(conformance);
    expect(outcomes.filter(({ error }) => error !== null)).toEqual([]);
    for (const { name, missing } of outcomes) {
      expect(missing.filter((kernel) => !mayMiss(name, kernel)), name).toEqual([]);
    }
    expect(outcomes.reduce((sum, { count }) => sum + count, 0)).toBeGreaterThan(files.length);
  });

  it("in Deno: whatever the CPU passes", { timeout: 120_000 }, async () => {
    const { failed, count } = await runInDeno("run_conformance.ts", [], { TSTORCH_CUDA_LIB: library });
    expect(failed).toEqual([]);
    expect(count).toBe(files.length);
  });
});
