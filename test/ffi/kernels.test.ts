/**
 * The kernels of the device library, built for the processor, against the C core: through koffi in this process, through
 * Deno in another, and once more with a stricter device.
 */

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { beforeAll, describe, expect, it } from "vitest";
import { type NativeLibrary, NativeRuntime, openLibrary } from "../../ffi/mod.ts";
import { BUILD_TIMEOUT, coreLibrary, hasProgram, hostLibrary, root, runInDeno } from "./libraries.ts";
import { checks } from "./suite/mod.ts";

const compilers = hasProgram("g++") && hasProgram("clang-19");

describe.skipIf(!compilers)("device kernels on the processor", () => {
  let hostPath: string, corePath: string, device: NativeRuntime, core: NativeLibrary;
  beforeAll(async () => {
    hostPath = await hostLibrary();
    corePath = await coreLibrary();
    device = new NativeRuntime(openLibrary(hostPath));
    core = openLibrary(corePath);
    device.setDevice(0);
  }, BUILD_TIMEOUT);

  describe("through koffi", () => {
    it.each(checks.map((check) => [check.name, check] as const))(
      "%s",
      (_, check) => check.run({ device, core }),
    );
  });

  it(
    "through Deno, with work that waits for a synchronisation and threads in reverse",
    { timeout: 120_000 },
    async () => {
      const { failed, count } = await runInDeno("run_suite.ts", [hostPath, corePath], {
        TSTORCH_HOST_DEVICE: "deferred,reverse",
      });
      expect(failed).toEqual([]);
      expect(count).toBe(checks.length);
    },
  );

  it("with matrix products by cuBLAS", { timeout: 120_000 }, async () => {
    const fake = join(root, "build", "cuda", `libfake_cublas.${process.pid}.so`);
    execFileSync("g++", [
      "-O1",
      "-shared",
      "-fPIC",
      join(root, "test", "ffi", "fake_cublas.cpp"),
      "-o",
      fake,
    ]);
    const { failed, count, stderr } = await runInDeno("run_suite.ts", [hostPath, corePath, "matmul"], {
      TSTORCH_CUBLAS_LIB: fake,
    });
    expect(failed).toEqual([]);
    expect(count).toBe(checks.filter(({ name }) => name.includes("matmul")).length);
    expect(Number(/fake cublas: (\d+) products/.exec(stderr)?.[1])).toBeGreaterThan(100);
  });
});
