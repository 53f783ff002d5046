/** Runs a TypeScript program of this folder in Node (bundled first: Node 20 reads no TypeScript) or in Deno. */

import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..", "..");

async function command(
  runtime: "node" | "deno",
  program: string,
  flags: string[],
): Promise<[string, string[]]> {
  const source = join(here, program);
  if (runtime === "deno") return [join(root, "node_modules/.bin/deno"), ["run", ...flags, source]];
  const outfile = join(root, "build", "test", `${program.replaceAll("/", "_")}.${process.pid}.mjs`);
  mkdirSync(dirname(outfile), { recursive: true });
  await build({ entryPoints: [source], outfile, bundle: true, platform: "node", format: "esm" });
  return ["node", [...flags, outfile]];
}

export async function runProgram(
  runtime: "node" | "deno",
  program: string,
  variables: Record<string, string>,
  flags = runtime === "deno" ? ["--no-prompt", "--allow-env"] : [],
): Promise<{ status: number | null; output: string }> {
  const [executable, args] = await command(runtime, program, flags);
  const child = spawn(executable, args, {
    env: { ...process.env, ...variables, NO_COLOR: "1" },
    timeout: 20_000,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  child.stdout.on("data", (data) => output += String(data));
  child.stderr.on("data", (data) => output += String(data));
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  return { status, output };
}
