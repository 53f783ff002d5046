/**
 * The kernels of the device library, built for the processor, against the C core: through koffi in this process, through
 * Deno in another, and once more with a stricter device.
 */

import { spawn } from "node:child_process";
import { beforeAll, describe, expect, it } from "vitest";
import { type NativeLibrary, NativeRuntime, openLibrary } from "../../ffi/mod.ts";
import { BUILD_TIMEOUT, coreLibrary, deno, hasProgram, hostLibrary } from "./libraries.ts";
import { checks } from "./suite/mod.ts";

const compilers = hasProgram("g++") && hasProgram("clang-19");

/** Runs the suite in Deno; returns what failed and how many checks ran. */
async function runInDeno(args: string[], variables: Record<string, string>): Promise<{ failed: string[]; count: number }> {
  const child = spawn(deno, ["run", "--no-prompt", "-A", "test/ffi/run_suite.ts", ...args], {
    env: { ...process.env, ...variables, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "", errors = "";
  child.stdout.on("data", (data) => output += String(data));
  child.stderr.on("data", (data) => errors += String(data));
  const status = await new Promise<number | null>((resolve) => child.on("close", resolve));
  const results = output.trimEnd().split("\n").map((line) =>
    JSON.parse(line) as { name: string; error: string | null }
  );
  const failed = results.filter(({ error }) => error !== null).map(({ name, error }) => `${name}: ${error}`);
  if (status !== 0) failed.push(`Deno ended with status ${status}: ${errors}`);
  return { failed, count: results.length };
}

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
    it.each(checks.map((check) => [check.name, check] as const))("%s", (_, check) => check.run({ device, core }));
  });

  it("through Deno", { timeout: 120_000 }, async () => {
    const { failed, count } = await runInDeno([hostPath, corePath], {});
    expect(failed).toEqual([]);
    expect(count).toBe(checks.length);
  });

  it("with work that waits for a synchronisation and threads in reverse", { timeout: 120_000 }, async () => {
    const { failed, count } = await runInDeno([hostPath, corePath], { TSTORCH_HOST_DEVICE: "deferred,reverse" });
    expect(failed).toEqual([]);
    expect(count).toBe(checks.length);
  });
});
