/** The device "cuda" over the host build of the library: tensors, gradients and training, in Node and in Deno. */

import process from "node:process";
import { beforeAll, describe, expect, it } from "vitest";
import { BUILD_TIMEOUT, hasProgram, hostLibrary, runInDeno } from "./libraries.ts";
import { deviceChecks } from "./suite/device.ts";

describe.skipIf(!hasProgram("g++"))("the device cuda, its kernels on the processor", () => {
  let library: string;
  beforeAll(async () => {
    library = await hostLibrary();
    process.env["TSTORCH_CUDA_LIB"] = library; // read when CUDA is first asked for
  }, BUILD_TIMEOUT);

  describe("in Node", () => {
    it.each(deviceChecks.map((check) => [check.name, check] as const))(
      "%s",
      { timeout: 60_000 },
      (_, check) => check.run(),
    );
  });

  it(
    "in Deno, with work that waits for a synchronisation and threads in reverse",
    { timeout: 120_000 },
    async () => {
      const { failed, count } = await runInDeno("run_device.ts", [], {
        TSTORCH_CUDA_LIB: library,
        TSTORCH_HOST_DEVICE: "deferred,reverse",
      });
      expect(failed).toEqual([]);
      expect(count).toBe(deviceChecks.length);
    },
  );
});
