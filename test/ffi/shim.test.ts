/** The host device itself (ffi/cuda/host_shim.h), under the sanitizers. */

import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hasProgram, root } from "./libraries.ts";

describe.skipIf(!hasProgram("g++"))("the host device", () => {
  const program = join(root, "build", "cuda", `shim_test.${process.pid}`);
  beforeAll(() => {
    mkdirSync(join(root, "build", "cuda"), { recursive: true });
    const sources = ["test/ffi/shim_test.cpp", "ffi/cuda/host_shim.cpp", "ffi/cuda/host_fibers.cpp"];
    const flags = ["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined"];
    execFileSync("g++", [...flags, ...sources, "-o", program], { cwd: root });
  }, 120_000);
  afterAll(() => rmSync(program, { force: true }));

  it.each(["", "reverse", "deferred", "deferred,reverse"])("behaves as CUDA does: %j", (words) => {
    const { stdout, stderr } = spawnSync(program, [], {
      env: { ...process.env, TSTORCH_HOST_DEVICE: words, ASAN_OPTIONS: "detect_leaks=0" },
      encoding: "utf8",
      timeout: 60_000,
    });
    expect(stdout + stderr).toBe("ok\n");
  });
});
