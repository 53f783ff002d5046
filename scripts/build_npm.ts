// Builds the npm package's files (npm run build): compiles src/, wasm/ and ffi/ to dist/, JavaScript with declarations,
// and copies what is loaded as files beside them. `npm pack` then makes the package.
//
//   node_modules/.bin/deno run -A scripts/build_npm.ts [--out=dist]

import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** Folders of files that are shipped as they are: wasm modules for edge runtimes, the CUDA library where one is built. */
const COPIED = ["wasm/built", "ffi/prebuilt"];

/** Compiles into a fresh folder, which takes the place of `out` when it is whole. */
export function buildPackage(out: string): void {
  const fresh = `${out}.${process.pid}.tmp`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  try {
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    execFileSync("node", [tsc, "-p", join(root, "tsconfig.build.json"), "--outDir", fresh], {
      stdio: ["ignore", 2, 2],
    });
    for (const folder of COPIED) {
      if (existsSync(join(root, folder))) {
        cpSync(join(root, folder), join(fresh, folder), { recursive: true });
      }
    }
    rmSync(out, { recursive: true, force: true });
    renameSync(fresh, out);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const option = process.argv.find((arg) => arg.startsWith("--out="));
  const out = resolve(root, option?.slice("--out=".length) ?? "dist");
  try {
    buildPackage(out);
    console.log(`${readdirSync(out, { recursive: true }).length} files in ${out}`);
  } catch (error) {
    if ((error as { status?: number }).status === undefined) throw error;
    process.exitCode = 1; // the compiler has said what is wrong
  }
}
