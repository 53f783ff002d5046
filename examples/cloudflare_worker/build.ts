// Puts the Worker's files into a folder.
//
//   npx deno run -A examples/cloudflare_worker/build.ts [--model=FILE] [--out=FOLDER]
//   npx workerd serve build/cloudflare_worker/config.capnp

import { copyFileSync, mkdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url)), root = join(here, "..", "..");

/** Bundles the Worker (or another program around it), with the weights of a .pth file, into a folder. */
export async function buildWorker(
  out: string = join(root, "build", "cloudflare_worker"),
  model: string = join(here, "model.pth"),
  entry: string = join(here, "worker.ts"),
): Promise<void> {
  mkdirSync(out, { recursive: true });
  await build({
    entryPoints: [entry],
    outfile: join(out, "worker.js"),
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    external: ["*.wasm", "*.pth"],
    alias: { "tstorch/edge": join(root, "src", "edge.ts") }, // where tstorch is installed from npm: not needed
  });
  copyFileSync(join(root, "wasm", "built", "tstorch-relaxed.wasm"), join(out, "tstorch-relaxed.wasm"));
  copyFileSync(model, join(out, "model.pth"));
  copyFileSync(join(here, "config.capnp"), join(out, "config.capnp"));
}

if ((import.meta as { main?: boolean }).main === true) {
  const option = (name: string): string | undefined => {
    const found = process.argv.find((arg) => arg.startsWith(`--${name}=`));
    return found === undefined ? undefined : resolve(found.slice(name.length + 3));
  };
  await buildWorker(option("out"), option("model"));
}
