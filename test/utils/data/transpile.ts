/** The library and a folder of programs as JavaScript files, module by module, for a Node that reads no TypeScript. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

export const root: string = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");

/** Writes them below `out`, under their paths in the repository. */
export async function transpile(programs: string, out: string): Promise<void> {
  const files = ["src", "wasm", "ffi", programs].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts")).map((name) => join(root, folder, name))
  );
  await build({
    entryPoints: files,
    outdir: out,
    outbase: root,
    bundle: false,
    format: "esm",
    target: "es2022",
    logLevel: "error",
  });
  writeFileSync(join(out, "package.json"), '{ "type": "module" }');
  for (const file of files) {
    const path = join(out, relative(root, file)).replace(/\.ts$/, ".js");
    const up = relative(dirname(path), join(out, "src", "mod.js"));
    const text = readFileSync(path, "utf8")
      .replace(/(\b(?:from|import)\s*\(?\s*"\.[^"]*)\.ts"/g, '$1.js"')
      .replace(/(\b(?:from|import)\s*\(?\s*)"tstorch"/g, `$1"${up}"`);
    writeFileSync(path, text);
  }
}
