/** Starts the programs of this folder in Deno or Node, and PyTorch's, and hands out the JSON lines that they print. */
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

export const root: string = join(
  dirname(fileURLToPath(import.meta.url)),
  "..",
  "..",
);
export type Engine = "deno" | "node" | "torch";

/** Node 20 reads no TypeScript: a bundle. */
async function bundle(program: string): Promise<string> {
  const outfile = join(
    root,
    "build",
    "bench",
    `${basename(program, ".ts")}.${process.pid}.mjs`,
  );
  mkdirSync(dirname(outfile), { recursive: true });
  await build({
    entryPoints: [join(root, program)],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "es2022", // Node 20 knows no `using`
    logLevel: "error",
  });
  return outfile;
}

/** The command line that runs a program of bench/ (a path from the root of the repository). */
export async function commandOf(
  engine: Engine,
  program: string,
  python = "/usr/bin/python3",
): Promise<string[]> {
  switch (engine) {
    case "torch":
      return [python, join(root, program)];
    case "deno":
      return [
        join(root, "node_modules", ".bin", "deno"),
        "run",
        "-A",
        join(root, program),
      ];
    case "node":
      return ["node", await bundle(program)];
  }
}

export interface RunOptions {
  /** Every engine gets the same number. */
  threads?: number | undefined;
  /** Called for each line as it comes. */
  onLine?: (line: Record<string, unknown>) => void;
}

/** Runs a command to its end. Lines that are no JSON go to stderr. */
export async function runLines(
  command: readonly string[],
  args: readonly string[],
  { threads, onLine }: RunOptions = {},
): Promise<Record<string, unknown>[]> {
  const n = threads === undefined ? {} : {
    OPENBLAS_NUM_THREADS: String(threads),
    OMP_NUM_THREADS: String(threads),
    MKL_NUM_THREADS: String(threads),
    TSTORCH_NUM_THREADS: String(threads),
  };
  const child = spawn(command[0]!, [...command.slice(1), ...args], {
    cwd: root,
    env: { ...process.env, NO_COLOR: "1", ...n },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines: Record<string, unknown>[] = [];
  let rest = "";
  const take = (text: string): void => {
    const parts = (rest + text).split("\n");
    rest = parts.pop()!;
    for (const part of parts) {
      if (!part.startsWith("{")) {
        if (part !== "") process.stderr.write(`${part}\n`);
        continue;
      }
      const line = JSON.parse(part) as Record<string, unknown>;
      lines.push(line);
      onLine?.(line);
    }
  };
  child.stdout.on("data", (data) => take(String(data)));
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  take("\n");
  if (status !== 0) {
    process.stderr.write(`${command.join(" ")} ended with ${status}\n`);
  }
  return lines;
}

/** `--name=value` from the command line. */
export function option(name: string, otherwise: string): string {
  return process.argv.find((arg) => arg.startsWith(`--${name}=`))?.slice(
    name.length + 3,
  ) ?? otherwise;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b), middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
