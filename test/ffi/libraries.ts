/** Builds what these tests load, once for all test files that run at the same time. */

import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
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

/** What a program of checks (run_suite.ts, run_device.ts) printed in Deno. */
export interface Report {
  /** Names and errors of the checks that failed, and how Deno ended if not well. */
  failed: string[];
  count: number;
  stderr: string;
}

/** Runs a program of checks in Deno. */
export async function runInDeno(
  program: string,
  args: string[],
  variables: Record<string, string>,
): Promise<Report> {
  const child = spawn(deno, ["run", "--no-prompt", "-A", join(root, "test", "ffi", program), ...args], {
    env: { ...process.env, ...variables, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "", stderr = "";
  child.stdout.on("data", (data) => output += String(data));
  child.stderr.on("data", (data) => stderr += String(data));
  const status = await new Promise<number | null>((resolve) => child.on("close", resolve));
  const results = output.split("\n").filter((line) => line.startsWith("{")).map((line) =>
    JSON.parse(line) as { name: string; error: string | null }
  );
  const failed = results.filter(({ error }) => error !== null).map(({ name, error }) => `${name}: ${error}`);
  if (status !== 0) failed.push(`Deno ended with status ${status}: ${stderr}`);
  return { failed, count: results.length, stderr };
}
