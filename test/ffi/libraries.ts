/** Builds what these tests load, once for all test files that run at the same time. */

import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { buildCore, buildHost } from "../../scripts/build_cuda.ts";

export const root: string = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
export const deno: string = join(root, "node_modules", ".bin", "deno");

/** Whether a program can be run at all. */
export function hasProgram(name: string): boolean {
  return spawnSync(name, ["--version"]).status === 0;
}

/** Long enough for a build from nothing on a slow machine. */
export const BUILD_TIMEOUT = 900_000;

// A folder is made by one process only; one that is left over from a killed build is taken over after a while.
async function locked<T>(work: () => Promise<T>): Promise<T> {
  const lock = join(root, "build", "cuda", "lock");
  mkdirSync(dirname(lock), { recursive: true });
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch (error) {
      if ((error as { code?: string }).code !== "EEXIST") throw error;
      const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
      if (age > BUILD_TIMEOUT) rmSync(lock, { recursive: true, force: true });
      await setTimeout(200);
    }
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

/** The device library for the processor. */
export function hostLibrary(): Promise<string> {
  return locked(() => buildHost());
}

/** The C core as a shared library. */
export function coreLibrary(): Promise<string> {
  return locked(() => buildCore());
}
