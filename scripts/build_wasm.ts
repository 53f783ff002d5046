// Builds the WebAssembly core: core/*.c -> wasm/built/tstorch-<variant>.wasm, wasm/embedded/<variant>.ts and
// wasm/manifest.json.
//
//   node_modules/.bin/deno run -A scripts/build_wasm.ts            all variants (npm run build:wasm)
//   ... build_wasm.ts --dev[=relaxed-mt]                            one variant, quickly, into build/wasm/
//   ... --keep-names                                                with function names, for profilers
//   ... --extra=test/probe.c                                         with one more C file (named from core/)
//   ... --skip-broken                                               without the core files that do not compile
//
// Tools: emcc (compiles), LLVM's wasm-ld (links), npm binaryen's wasm-opt (optimises). An emcc older than 4 brings
// an LLVM that does not know the final relaxed-SIMD opcodes; it is then pointed at LLVM 19. Environment:
// TSTORCH_LLVM_ROOT names another LLVM's bin folder.
//
// Objects are cached under build/wasm/objects by the hash of everything that went into them, and every file is
// written under a temporary name and renamed, so any number of builds may run at the same time.

import { createHash } from "node:crypto";
import { execFile } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { availableParallelism } from "node:os";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { constants, deflateRawSync } from "node:zlib";

const run = promisify(execFile);
const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const cacheDir = join(root, "build", "wasm");

export const VARIANTS = ["simd", "relaxed", "simd-mt", "relaxed-mt"] as const;
export type Variant = (typeof VARIANTS)[number];

const COMPILE_FLAGS = [
  "-std=c11",
  "-O3",
  "-ffp-contract=off", // a*b+c is fused only where the source says so: the same numbers on every variant
  "-fno-math-errno",
  "-msimd128",
  "-mbulk-memory",
  "-mnontrapping-fptoint",
  "-msign-ext",
  "-mmutable-globals",
  "-Wall",
  "-Wextra",
  "-Wno-unused-command-line-argument",
];
const STACK_BYTES = 256 * 1024;
const LINK_FLAGS = [
  "--no-entry",
  "--import-memory",
  "--stack-first", // an overflow runs below address 0 and traps
  "-z",
  `stack-size=${STACK_BYTES}`,
  "--export=__stack_pointer",
  "--export=__heap_base",
  "--export=tc_error_info",
  "--export=tc_arg_area",
];
const LINK_FLAGS_MT = [
  "--shared-memory",
  "--max-memory=4294967296",
  "--export=__wasm_init_tls",
  "--export=__tls_size",
  "--export=__tls_align",
  "--export=tc_pool_failure",
];
// Renaming each assignment of a local lets later passes chain the products that gemm_tile*.c keeps apart.
// Measured (binaryen 132; Deno 2.9, Node 20): from -O2 on, binaryen reshapes the unrolled matrix loops so that V8
// with explicit bounds checks loses up to 45 % on them; -O1 takes 3 % off the size and costs nothing. -O2 would also
// inline functions that loop and are called once, which keeps an engine that swaps code only at calls from ever
// running them optimised.
const OPT_FLAGS = ["-O1"];

function compileFlags(variant: Variant): string[] {
  return [
    ...COMPILE_FLAGS,
    ...(variant.startsWith("relaxed") ? ["-mrelaxed-simd"] : []),
    ...(variant.endsWith("-mt") ? ["-pthread"] : []),
  ];
}

function linkFlags(variant: Variant): string[] {
  return variant.endsWith("-mt") ? [...LINK_FLAGS, ...LINK_FLAGS_MT] : LINK_FLAGS;
}

function features(variant: Variant): string[] {
  return [
    "--enable-simd",
    "--enable-bulk-memory",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    ...(variant.startsWith("relaxed") ? ["--enable-relaxed-simd"] : []),
    ...(variant.endsWith("-mt") ? ["--enable-threads"] : []),
  ];
}

export interface Manifest {
  toolchain: { emcc: string; clang: string; wasmLd: string; binaryen: string };
  flags: { compile: Record<Variant, string[]>; link: Record<Variant, string[]>; optimize: string[] };
  /** Hash of all of core/ that goes into the build. */
  sources: string;
  variants: Record<Variant, { sha256: string; bytes: number }>;
}

interface Toolchain {
  versions: Manifest["toolchain"];
  emcc: string;
  wasmLd: string;
  wasmOpt: string;
  libs: string;
  env: NodeJS.ProcessEnv;
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

async function output(command: string, args: string[]): Promise<string> {
  return (await run(command, args, { maxBuffer: 1 << 26 })).stdout.trim();
}

/** Finds the tools; the error says what is missing. */
export async function findToolchain(): Promise<Toolchain> {
  let emccVersion: string;
  try {
    emccVersion = /(\d+\.\d+\.\d+)/.exec((await output("emcc", ["--version"])).split("\n")[0] ?? "")?.[1] ??
      "";
  } catch {
    throw new Error(
      "emcc was not found: install emscripten (Debian: apt install emscripten clang-19 lld-19)",
    );
  }
  const emConfig = (key: string) => output("em-config", [key]);
  const emscriptenRoot = await emConfig("EMSCRIPTEN_ROOT");
  const old = Number(emccVersion.split(".")[0]) < 4;
  const llvm = process.env["TSTORCH_LLVM_ROOT"] ??
    (old ? "/usr/lib/llvm-19/bin" : await emConfig("LLVM_ROOT"));
  const clang = join(llvm, "clang");
  const wasmLd = join(llvm, "wasm-ld");
  for (const tool of [clang, wasmLd]) {
    if (!existsSync(tool)) {
      throw new Error(`${tool} was not found: install clang-19 and lld-19, or set TSTORCH_LLVM_ROOT`);
    }
  }
  const clangVersion = /version (\d+\.\d+\.\d+)/.exec(await output(clang, ["--version"]))?.[1] ?? "";
  const major = clangVersion.split(".")[0];
  const env = { ...process.env };
  if (old || process.env["TSTORCH_LLVM_ROOT"] !== undefined) {
    const config = join(cacheDir, `emscripten-${major}.config`);
    const text = [
      `EMSCRIPTEN_ROOT = '${emscriptenRoot}'`,
      `LLVM_ROOT = '${llvm}'`,
      `BINARYEN_ROOT = '${await emConfig("BINARYEN_ROOT")}'`,
      "NODE_JS = 'node'", // emcc wants the line; compiling does not run it
      "FROZEN_CACHE = True",
      `LLVM_ADD_VERSION = '${major}'`,
      `CLANG_ADD_VERSION = '${major}'`,
      "",
    ].join("\n");
    if (!existsSync(config) || readFileSync(config, "utf8") !== text) writeAtomically(config, text);
    env["EM_CONFIG"] = config;
  }
  const wasmOpt = join(root, "node_modules", "binaryen", "bin", "wasm-opt");
  if (!existsSync(wasmOpt)) throw new Error("npm's binaryen was not found: run npm ci");
  const version = async (tool: string, args: string[], pattern: RegExp) =>
    pattern.exec(await output(tool, args))?.[1] ?? "unknown";
  return {
    versions: {
      emcc: emccVersion,
      clang: clangVersion,
      wasmLd: await version(wasmLd, ["--version"], /(\d+\.\d+\.\d+)/),
      binaryen: (JSON.parse(readFileSync(join(root, "node_modules/binaryen/package.json"), "utf8")) as {
        version: string;
      }).version,
    },
    emcc: "emcc",
    wasmLd,
    wasmOpt,
    libs: join(await emConfig("CACHE"), "sysroot", "lib", "wasm32-emscripten"),
    env,
  };
}

const coreDir = join(root, "core");

/** The C files of the core, sorted: the link order is part of the bytes. */
function coreSources(): string[] {
  return readdirSync(coreDir).filter((name) => name.endsWith(".c")).sort();
}

/** A file with everything it includes by `#include "..."`, each once, relative to core/. */
function withIncludes(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  const text = readFileSync(join(coreDir, file), "utf8");
  for (const match of text.matchAll(/^[ \t]*#[ \t]*include[ \t]+"([^"]+)"/gm)) {
    const included = match[1] ?? "";
    const found = [join(dirname(file), included), included].find((path) => existsSync(join(coreDir, path)));
    if (found !== undefined) withIncludes(found, seen); // else the compiler will say so
  }
  return seen;
}

function inputHash(file: string): string {
  const parts = [...withIncludes(file)].sort().map((
    path,
  ) => [path, sha256(readFileSync(join(coreDir, path)))]);
  return sha256(JSON.stringify(parts));
}

export function sourcesHash(): string {
  return sha256(JSON.stringify(coreSources().map((file) => [file, inputHash(file)])));
}

class CompileError extends Error {}

async function compile(tools: Toolchain, file: string, variant: Variant, objectDir: string): Promise<string> {
  const flags = compileFlags(variant);
  const key = sha256(JSON.stringify([tools.versions, flags, inputHash(file)])).slice(0, 32);
  const object = join(objectDir, `${basename(file, ".c")}-${key}.o`);
  if (existsSync(object)) return object;
  mkdirSync(dirname(object), { recursive: true });
  const temporary = `${object}.${process.pid}.tmp`;
  // Run from core/ so that no path of this machine can end up in an object.
  const args = ["-c", ...flags, file, "-o", temporary];
  try {
    const { stderr } = await run("nice", [tools.emcc, ...args], {
      cwd: coreDir,
      env: tools.env,
      maxBuffer: 1 << 26,
    });
    if (stderr) process.stderr.write(stderr);
  } catch (error) {
    const message = (error as { stderr?: string }).stderr ?? String(error);
    throw new CompileError(`core/${file}: ${message.replace(/^emcc: error: .*\n/m, "").trimEnd()}`);
  }
  renameSync(temporary, object);
  return object;
}

async function inParallel<T, R>(
  items: readonly T[],
  work: (item: T) => Promise<R>,
): Promise<PromiseSettledResult<R>[]> {
  const results: PromiseSettledResult<R>[] = new Array(items.length);
  let next = 0;
  const lane = async () => {
    for (let i = next++; i < items.length; i = next++) {
      const item = items[i] as T;
      results[i] = await work(item).then(
        (value) => ({ status: "fulfilled", value }),
        (reason: unknown) => ({ status: "rejected", reason }),
      );
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, lane));
  return results;
}

export interface BuildOptions {
  keepNames?: boolean;
  optimize?: string[];
  /** Compiles everything anew instead of taking objects from the cache. */
  fresh?: boolean;
  /** More C files, relative to core/: probes and benchmarks that are no part of the library. */
  extra?: string[];
  /** Leaves out files that do not compile; their messages are printed, and `broken` lists them. */
  skipBroken?: boolean;
}

/** Compiles, links and optimises one variant. */
export async function build(
  tools: Toolchain,
  variant: Variant,
  options: BuildOptions = {},
): Promise<{ bytes: Uint8Array; broken: string[] }> {
  const sources = [...coreSources(), ...options.extra ?? []];
  const scratch = mkdtempSync(join(cacheDir, "build-"));
  const objectDir = options.fresh ? scratch : join(cacheDir, "objects");
  try {
    const compiled = await inParallel(sources, (file) => compile(tools, file, variant, objectDir));
    const objects: string[] = [];
    const broken: string[] = [];
    compiled.forEach((result, i) => {
      if (result.status === "fulfilled") return objects.push(result.value);
      if (!(result.reason instanceof CompileError)) throw result.reason;
      process.stderr.write(`${result.reason.message}\n`);
      broken.push(sources[i] as string);
    });
    if (broken.length > 0 && !options.skipBroken) throw new Error(`${broken.join(", ")} did not compile`);

    const suffix = variant.endsWith("-mt") ? "-mt" : "";
    const libraries = ["libc", "libcompiler_rt"].map((name) => join(tools.libs, `${name}${suffix}.a`));
    const linked = join(scratch, "linked.wasm");
    // What a broken file would have defined traps when called.
    const unresolved = broken.length > 0 ? ["--warn-unresolved-symbols"] : [];
    await run(tools.wasmLd, [...linkFlags(variant), ...unresolved, ...objects, ...libraries, "-o", linked])
      .catch(
        (error: { stderr?: string }) => {
          throw new Error(`${variant}: link failed\n${error.stderr ?? String(error)}`);
        },
      );
    const optimized = join(scratch, "optimized.wasm");
    const args = [
      linked,
      ...features(variant),
      ...(options.optimize ?? OPT_FLAGS),
      ...(options.keepNames ? ["-g"] : ["--strip-debug", "--strip-producers", "--strip-target-features"]),
      "-o",
      optimized,
    ];
    await run("nice", [tools.wasmOpt, ...args], { maxBuffer: 1 << 26 });
    return { bytes: readFileSync(optimized), broken };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The TypeScript module that carries a variant's bytes: deflated, in base64. */
export function embeddedSource(variant: Variant, bytes: Uint8Array): string {
  const data = deflateRawSync(bytes, { level: constants.Z_BEST_COMPRESSION, memLevel: 9 }).toString("base64");
  return `// Generated by scripts/build_wasm.ts: the ${variant} core, raw deflate, base64.\n` +
    `export const byteLength = ${bytes.length};\nexport const data =\n  "${data}";\n`;
}

export const paths = {
  wasm: (variant: Variant) => join(root, "wasm", "built", `tstorch-${variant}.wasm`),
  embedded: (variant: Variant) => join(root, "wasm", "embedded", `${variant}.ts`),
  manifest: join(root, "wasm", "manifest.json"),
};

export function makeManifest(
  tools: Toolchain,
  sources: string,
  built: ReadonlyMap<Variant, Uint8Array>,
): Manifest {
  const each = <T>(value: (variant: Variant) => T) =>
    Object.fromEntries(VARIANTS.map((variant) => [variant, value(variant)])) as Record<Variant, T>;
  return {
    toolchain: tools.versions,
    flags: { compile: each(compileFlags), link: each(linkFlags), optimize: OPT_FLAGS },
    sources,
    variants: each((variant) => {
      const bytes = built.get(variant);
      if (bytes === undefined) throw new Error(`${variant} was not built`);
      return { sha256: sha256(bytes), bytes: bytes.length };
    }),
  };
}

function isVariant(name: string): name is Variant {
  return (VARIANTS as readonly string[]).includes(name);
}

async function main(args: string[]): Promise<void> {
  let dev: Variant | null = null;
  const options: BuildOptions = {};
  for (const arg of args) {
    const [name, value] = arg.split("=", 2) as [string, string | undefined];
    if (name === "--dev" && isVariant(value ?? "relaxed-mt")) dev = (value ?? "relaxed-mt") as Variant;
    else if (arg === "--keep-names") options.keepNames = true;
    else if (name === "--extra" && value !== undefined) options.extra = value.split(",");
    else if (arg === "--skip-broken") options.skipBroken = true;
    else throw new Error(`unknown argument ${arg}; variants are ${VARIANTS.join(", ")}`);
  }
  mkdirSync(cacheDir, { recursive: true });
  const tools = await findToolchain();
  const sources = sourcesHash();
  const built = new Map<Variant, Uint8Array>();
  const broken = new Set<string>();
  for (const variant of dev === null ? VARIANTS : [dev]) {
    const result = await build(tools, variant, options);
    built.set(variant, result.bytes);
    result.broken.forEach((file) => broken.add(file));
  }
  if (broken.size > 0) {
    console.error(`left out, because they do not compile: ${[...broken].join(", ")}`);
    process.exitCode = 1;
  }
  if (dev !== null) {
    const path = join(cacheDir, `tstorch-${dev}.wasm`);
    writeAtomically(path, built.get(dev) as Uint8Array);
    console.log(`build/wasm/tstorch-${dev}.wasm (TSTORCH_WASM_FILE=<its path> loads it)`);
    return;
  }
  for (const [variant, bytes] of built) {
    writeAtomically(paths.wasm(variant), bytes);
    const embedded = embeddedSource(variant, bytes);
    writeAtomically(paths.embedded(variant), embedded);
    console.log(`${variant}: ${bytes.length} bytes, ${embedded.length} embedded`);
  }
  writeAtomically(paths.manifest, JSON.stringify(makeManifest(tools, sources, built), null, 2) + "\n");
  if (sourcesHash() !== sources) {
    console.error("core/ changed during the build: the variants may differ, build again");
    process.exitCode = 1;
  }
}

if (process.argv[1] !== undefined && fileURLToPath(import.meta.url) === process.argv[1]) {
  await main(process.argv.slice(2)).catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  });
}
