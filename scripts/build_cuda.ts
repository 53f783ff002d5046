// Builds the device library from ffi/cuda.
//
//   node_modules/.bin/deno run -A scripts/build_cuda.ts host    the kernels for the processor: build/cuda/libtstorch_host.so
//   ... build_cuda.ts host --sanitize                           the same under the address and undefined-behaviour sanitizers
//   ... build_cuda.ts core                                      core/*.c as a shared library, to compare with: build/cuda/libtstorch_core.so
//   ... build_cuda.ts cuda                                      for GPUs: ffi/prebuilt/linux-x64/libtstorch_cuda.so and manifest.json
//   ... build_cuda.ts cuda --dev=80                             for one architecture, into build/cuda/
//
// Tools: g++ or clang++ (CXX) for host, clang (CC) for core, nvcc 13 (NVCC) for cuda. Warnings are errors.
//
// Objects are cached under build/cuda/objects by the hash of everything that went into them, and every file is written
// under a temporary name and renamed, so any number of builds may run at the same time.

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join, normalize, relative } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const buildDir = join(root, "build", "cuda");

/**
 * Binaries for these, and PTX of the last for what follows. A binary also runs on later minors of its major version: 80
 * on 86 and 89, 100 on 103, 120 on 121; leaving those out saves a quarter of the file.
 */
const ARCHITECTURES = [75, 80, 90, 100, 120];
const PLATFORM = "linux-x64";
export const PREBUILT = join(root, "ffi", "prebuilt", PLATFORM);
const LIBRARY = "libtstorch_cuda.so";

// Signed overflow wraps, as in PyTorch; a*b+c is not fused, so that the processor's numbers are the core's.
const HOST_FLAGS = [
  "-std=c++17",
  "-O1",
  "-fwrapv",
  "-ffp-contract=off",
  "-Wall",
  "-Wextra",
  "-Werror",
  "-fPIC",
  "-fvisibility=hidden",
];
const SANITIZE_FLAGS = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"];
const CORE_FLAGS = ["-std=gnu11", "-O2", "-ffp-contract=off", "-fno-math-errno", "-fPIC", "-pthread"];
const CUDA_FLAGS = [
  "-std=c++17",
  "-O3",
  "--cudart=static",
  "--compress-mode=size",
  "-Werror=all-warnings",
  "-Xcompiler=-Wall,-Wextra,-Werror,-fPIC,-fvisibility=hidden",
];

function architectureFlags(architectures: readonly number[], ptx: boolean): string[] {
  const last = architectures.at(-1)!;
  return [
    ...architectures.map((a) => `-gencode=arch=compute_${a},code=sm_${a}`),
    ...(ptx ? [`-gencode=arch=compute_${last},code=compute_${last}`] : []),
  ];
}

export interface Manifest {
  toolchain: { nvcc: string; hostCompiler: string };
  flags: string[];
  architectures: number[];
  /** Hash of ffi/cuda and of what it takes from core/. */
  sources: string;
  library: { file: string; sha256: string; bytes: number };
}

export function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

function writeAtomically(path: string, data: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, data);
  renameSync(temporary, path);
}

/** A file with everything it includes by `#include "..."`, each once, as paths from the root. */
function withIncludes(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  const text = readFileSync(join(root, file), "utf8");
  for (const match of text.matchAll(/^[ \t]*#[ \t]*include[ \t]+"([^"]+)"/gm)) {
    withIncludes(normalize(join(dirname(file), match[1]!)), seen);
  }
  return seen;
}

function inputHash(file: string): string {
  const parts = [...withIncludes(file)].sort().map((path) => [path, sha256(readFileSync(join(root, path)))]);
  return sha256(JSON.stringify(parts));
}

function filesIn(folder: string, ending: string): string[] {
  return readdirSync(join(root, folder)).filter((name) => name.endsWith(ending)).sort().map((name) =>
    join(folder, name)
  );
}

/** Hash of all that the CUDA library is made of. */
export function sourcesHash(): string {
  return sha256(JSON.stringify(filesIn("ffi/cuda", ".cu").map((file) => [file, inputHash(file)])));
}

async function firstLine(command: string, args: string[]): Promise<string> {
  const { stdout } = await run(command, args).catch(() => {
    throw new Error(`${command} was not found`);
  });
  return stdout.trim();
}

async function compile(
  compiler: string,
  version: string,
  flags: readonly string[],
  file: string,
): Promise<string> {
  const key = sha256(JSON.stringify([compiler, version, flags, inputHash(file)])).slice(0, 32);
  const object = join(buildDir, "objects", `${file.replaceAll("/", "_")}-${key}.o`);
  if (existsSync(object)) return object;
  mkdirSync(dirname(object), { recursive: true });
  const temporary = `${object}.${process.pid}.tmp.o`;
  // Run from the root, so that no path of this machine can end up in an object.
  const { stderr } = await run("nice", [compiler, "-c", ...flags, file, "-o", temporary], {
    cwd: root,
    maxBuffer: 1 << 26,
  })
    .catch((error: { stderr?: string }) => {
      throw new Error(`${file} did not compile:\n${error.stderr ?? String(error)}`);
    });
  if (stderr) process.stderr.write(stderr);
  renameSync(temporary, object);
  return object;
}

async function compileAll(
  compiler: string,
  version: string,
  flags: readonly string[],
  files: readonly string[],
): Promise<string[]> {
  const objects: string[] = new Array(files.length);
  let next = 0;
  const lane = async () => {
    for (let i = next++; i < files.length; i = next++) {
      objects[i] = await compile(compiler, version, flags, files[i]!);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, lane));
  return objects;
}

async function link(compiler: string, args: readonly string[], output: string): Promise<void> {
  mkdirSync(dirname(output), { recursive: true });
  const temporary = `${output}.${process.pid}.tmp`;
  await run(compiler, [...args, "-o", temporary], { cwd: root, maxBuffer: 1 << 26 }).catch(
    (error: { stderr?: string }) => {
      throw new Error(`${relative(root, output)} did not link:\n${error.stderr ?? String(error)}`);
    },
  );
  renameSync(temporary, output);
}

/** The kernels for the processor, through ffi/cuda/host_shim.h. Returns the library's path. */
export async function buildHost(options: { sanitize?: boolean } = {}): Promise<string> {
  const compiler = process.env["CXX"] ?? "g++";
  const version = await firstLine(compiler, ["-dumpfullversion", "-dumpversion"]);
  const flags = options.sanitize ? [...HOST_FLAGS, ...SANITIZE_FLAGS] : HOST_FLAGS;
  const objects = await Promise.all([
    compileAll(compiler, version, [...flags, "-x", "c++"], filesIn("ffi/cuda", ".cu")),
    compileAll(compiler, version, flags, filesIn("ffi/cuda", ".cpp")),
  ]);
  const output = join(buildDir, options.sanitize ? "libtstorch_host_asan.so" : "libtstorch_host.so");
  const linked = options.sanitize ? SANITIZE_FLAGS : [];
  await link(compiler, ["-shared", ...linked, "-Wl,--no-undefined", ...objects.flat(), "-ldl"], output);
  return output;
}

/** The C core as a shared library, to compare the device kernels with. Returns the library's path. */
export async function buildCore(): Promise<string> {
  const compiler = process.env["CC"] ?? "clang-19";
  const version = await firstLine(compiler, ["-dumpversion"]);
  const objects = await compileAll(compiler, version, CORE_FLAGS, filesIn("core", ".c"));
  const output = join(buildDir, "libtstorch_core.so");
  await link(compiler, ["-shared", "-pthread", ...objects, "-lm"], output);
  return output;
}

interface Nvcc {
  command: string;
  version: string;
  hostCompiler: string;
}

export async function findNvcc(): Promise<Nvcc> {
  const command = process.env["NVCC"] ?? "nvcc";
  const version = /release [\d.]+, V([\d.]+)/.exec(await firstLine(command, ["--version"]))?.[1] ?? "unknown";
  return { command, version, hostCompiler: `g++ ${await firstLine("g++", ["-dumpfullversion"])}` };
}

/** The library for GPUs. With `dev`, for one architecture and into build/cuda; else the prebuilt one and its manifest. */
export async function buildCuda(nvcc: Nvcc, options: { dev?: number } = {}): Promise<string> {
  const flags = options.dev === undefined
    ? [...CUDA_FLAGS, ...architectureFlags(ARCHITECTURES, true)]
    : [...CUDA_FLAGS, ...architectureFlags([options.dev], false)];
  const objects = await compileAll(nvcc.command, nvcc.version, flags, filesIn("ffi/cuda", ".cu"));
  const output = options.dev === undefined ? join(PREBUILT, LIBRARY) : join(buildDir, LIBRARY);
  // Only what TC_EXPORT marks is visible; the CUDA runtime inside is not.
  await link(nvcc.command, [
    "-shared",
    "--cudart=static",
    "-Xlinker=--exclude-libs,ALL,-s",
    ...objects,
    "-ldl",
  ], output);
  if (options.dev === undefined) {
    const bytes = readFileSync(output);
    const manifest: Manifest = {
      toolchain: { nvcc: nvcc.version, hostCompiler: nvcc.hostCompiler },
      flags,
      architectures: ARCHITECTURES,
      sources: sourcesHash(),
      library: { file: LIBRARY, sha256: sha256(bytes), bytes: bytes.length },
    };
    writeAtomically(join(PREBUILT, "manifest.json"), JSON.stringify(manifest, null, 2) + "\n");
  }
  return output;
}

/** Compiles every file for the oldest architecture, warnings as errors. */
export async function checkCompiles(nvcc: Nvcc): Promise<void> {
  const flags = [...CUDA_FLAGS, ...architectureFlags([ARCHITECTURES[0]!], false)];
  await compileAll(nvcc.command, nvcc.version, flags, filesIn("ffi/cuda", ".cu"));
}

async function main(args: string[]): Promise<void> {
  const [target, ...options] = args;
  const report = (path: string) =>
    console.log(`${relative(root, path)}: ${(statSync(path).size / 1e6).toFixed(2)} MB`);
  const dev = options.find((option) => option.startsWith("--dev="))?.slice(6);
  if (target === "host") report(await buildHost({ sanitize: options.includes("--sanitize") }));
  else if (target === "core") report(await buildCore());
  else if (target === "cuda") {
    report(await buildCuda(await findNvcc(), dev === undefined ? {} : { dev: Number(dev) }));
  } else throw new Error(`build_cuda.ts: expected host, core or cuda, but got ${target ?? "nothing"}`);
}

if (import.meta.main) await main(process.argv.slice(2));
