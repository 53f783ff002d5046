// Checks the device library: that the prebuilt file is the manifest's and was built from what is in ffi/cuda now, and,
// where nvcc is there, that it compiles every file without a warning.
//
//   node_modules/.bin/deno run -A scripts/check_cuda.ts

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { checkCompiles, findNvcc, type Manifest, PREBUILT, sha256, sourcesHash } from "./build_cuda.ts";

const problems: string[] = [];

function checkPrebuilt(): void {
  const path = join(PREBUILT, "manifest.json");
  if (!existsSync(path)) {
    console.log("no prebuilt library here: nothing to compare");
    return;
  }
  const manifest = JSON.parse(readFileSync(path, "utf8")) as Manifest;
  const file = join(PREBUILT, manifest.library.file);
  if (!existsSync(file) || sha256(readFileSync(file)) !== manifest.library.sha256) {
    problems.push(`${manifest.library.file} is not the file of the manifest`);
  }
  if (manifest.sources !== sourcesHash()) {
    problems.push("ffi/cuda or core/ changed since the library was built: run scripts/build_cuda.ts cuda");
  }
}

async function checkSources(): Promise<void> {
  let nvcc: Awaited<ReturnType<typeof findNvcc>>;
  try {
    nvcc = await findNvcc();
  } catch (error) {
    console.log(`not compiled: ${error instanceof Error ? error.message : String(error)}`);
    return;
  }
  await checkCompiles(nvcc).catch((error: Error) => problems.push(error.message));
}

checkPrebuilt();
await checkSources();
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exit(1);
console.log("the device library is as it should be");
