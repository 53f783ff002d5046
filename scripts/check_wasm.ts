// Checks the built WebAssembly core (npm run check:wasm): that built/, embedded/ and manifest.json agree with each
// other, that core/ is what they were built from, and, where the tools are the manifest's, that building again gives
// the same bytes. With other tools the bytes may differ; then a fresh build has to pass the tests.

import { Buffer } from "node:buffer";
import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { inflateRawSync } from "node:zlib";
import {
  build,
  findToolchain,
  makeManifest,
  type Manifest,
  paths,
  sha256,
  sourcesHash,
  type Variant,
  VARIANTS,
} from "./build_wasm.ts";

const problems: string[] = [];

function checkFiles(manifest: Manifest): void {
  for (const variant of VARIANTS) {
    const wanted = manifest.variants[variant].sha256;
    if (!existsSync(paths.wasm(variant)) || sha256(readFileSync(paths.wasm(variant))) !== wanted) {
      problems.push(`wasm/built/tstorch-${variant}.wasm is not the file of the manifest`);
    }
    const embedded = existsSync(paths.embedded(variant)) ? readFileSync(paths.embedded(variant), "utf8") : "";
    const data = /export const data =\s+"([^"]*)"/.exec(embedded)?.[1] ?? "";
    const byteLength = Number(/export const byteLength = (\d+)/.exec(embedded)?.[1]);
    // Compared unpacked: different zlib versions pack differently.
    const bytes = data === "" ? new Uint8Array() : inflateRawSync(Buffer.from(data, "base64"));
    if (sha256(bytes) !== wanted || byteLength !== bytes.length) {
      problems.push(`wasm/embedded/${variant}.ts does not hold the module of the manifest`);
    }
    if (!WebAssembly.validate(new Uint8Array(bytes))) problems.push(`${variant}: not a valid module`);
  }
}

async function rebuild(manifest: Manifest): Promise<void> {
  let tools: Awaited<ReturnType<typeof findToolchain>>;
  try {
    tools = await findToolchain();
  } catch (error) {
    console.log(`not rebuilt: ${error instanceof Error ? error.message : String(error)}`);
    return;
  }
  if (JSON.stringify(tools.versions) !== JSON.stringify(manifest.toolchain)) {
    console.log(
      `not compared: the tools are ${JSON.stringify(tools.versions)}, the manifest's ${
        JSON.stringify(manifest.toolchain)
      }.\n` +
        "Run npm run build:wasm and the tests: a fresh build must pass them.",
    );
    return;
  }
  const built = new Map<Variant, Uint8Array>();
  for (const variant of VARIANTS) built.set(variant, (await build(tools, variant, { fresh: true })).bytes);
  const fresh = makeManifest(tools, manifest.sources, built);
  if (JSON.stringify(fresh.flags) !== JSON.stringify(manifest.flags)) {
    problems.push("scripts/build_wasm.ts has other flags than the manifest");
  }
  for (const variant of VARIANTS) {
    const same = fresh.variants[variant].sha256 === manifest.variants[variant].sha256;
    if (same) console.log(`${variant}: built again, the same ${fresh.variants[variant].bytes} bytes`);
    else problems.push(`${variant}: building again gives other bytes`);
  }
}

const manifest = JSON.parse(readFileSync(paths.manifest, "utf8")) as Manifest;
checkFiles(manifest);
if (sourcesHash() !== manifest.sources) {
  problems.push("core/ has changed since wasm/ was built: run npm run build:wasm");
} else {
  await rebuild(manifest);
}
if (problems.length > 0) {
  console.error(problems.join("\n"));
  process.exitCode = 1;
} else {
  console.log("wasm/ is what its manifest says");
}
