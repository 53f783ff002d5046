/**
 * Finding and opening the CUDA library. Nothing here throws for want of CUDA, and nothing asks for a permission: where
 * CUDA cannot be used, one sentence says why.
 *
 * The library is, in this order: the file that the environment variable TSTORCH_CUDA_LIB names ("0": none), the prebuilt
 * file beside this module, the package `tstorch-cuda-<platform>`.
 *
 * @module
 */
import { openWithDeno } from "./deno.ts";
import { bridge, builtinModule, envVariable, granted, platform } from "./env.ts";
import { openWithKoffi } from "./koffi.ts";
import { LibraryError, type NativeLibrary } from "./native_library.ts";
import { NativeRuntime } from "./runtime.ts";

export { ABI_VERSION, LibraryError } from "./native_library.ts";
export type { HostFunction, NativeLibrary, SizeFunction, StatusFunction } from "./native_library.ts";
export { DEVICE_ERROR, NativeError, NativeRuntime, OUT_OF_MEMORY } from "./runtime.ts";
export type { DeviceProperties, Failure, KernelInfo, LibraryInfo } from "./runtime.ts";

const LIBRARY = "libtstorch_cuda.so";

/** Opens a library through this runtime's bridge. Throws a {@linkcode LibraryError} that says what is missing. */
export function openLibrary(path: string): NativeLibrary {
  if (bridge === "none") {
    throw new LibraryError("this runtime cannot call native code (Deno, Node 20.16 and Bun can)");
  }
  if (!granted({ name: "ffi", path })) {
    throw new LibraryError(`Deno may not load ${path}: run it with --allow-ffi`);
  }
  return bridge === "deno" ? openWithDeno(path) : openWithKoffi(path);
}

/** CUDA, or why it is not there. */
export type Cuda = { readonly runtime: NativeRuntime; readonly reason: null } | {
  readonly runtime: null;
  readonly reason: string;
};

let answer: Cuda | null = null;

/** Opens the CUDA library the first time it is called; the answer stays the same for the life of the program. */
export function openCuda(): Cuda {
  return answer ??= findCuda();
}

function findCuda(): Cuda {
  try {
    const runtime = new NativeRuntime(openLibrary(libraryPath()));
    const reason = whyNoDevice(runtime);
    return reason === null ? { runtime, reason } : { runtime: null, reason };
  } catch (error) {
    if (!(error instanceof LibraryError)) throw error;
    return { runtime: null, reason: error.message };
  }
}

/** A sentence if the library is fine but no device can be used. */
function whyNoDevice(runtime: NativeRuntime): string | null {
  const { deviceCount, driverVersion, runtimeVersion, failure } = runtime.info;
  if (deviceCount > 0) return null;
  if (driverVersion === null) return "there is no NVIDIA driver (libcuda.so.1 could not be loaded)";
  // A driver runs programs of its own major version of CUDA, and of older ones.
  if (driverVersion[0] < runtimeVersion[0]) {
    return `the NVIDIA driver supports CUDA ${driverVersion.join(".")}, but the library needs CUDA ${
      runtimeVersion[0]
    }: ` +
      "install a newer driver";
  }
  return failure?.text ?? "there is no CUDA device";
}

function libraryPath(): string {
  const wanted = envVariable("TSTORCH_CUDA_LIB");
  if (wanted === "0") throw new LibraryError("the environment variable TSTORCH_CUDA_LIB is 0");
  if (wanted !== undefined && wanted !== "") {
    if (exists(wanted) === false) {
      throw new LibraryError(`TSTORCH_CUDA_LIB names ${wanted}, which does not exist`);
    }
    return wanted;
  }
  const tried: string[] = [];
  for (const path of [prebuilt(), inPackage()]) {
    if (path === null) continue;
    if (exists(path) !== false) return path;
    tried.push(path);
  }
  throw new LibraryError(
    `there is no CUDA library for ${platform()}` +
      (tried.length > 0 ? ` (looked for ${tried.join(", ")})` : "") +
      ": build it with scripts/build_cuda.ts, or name one in TSTORCH_CUDA_LIB",
  );
}

/** Whether a file exists; null where that may not be found out. */
function exists(path: string): boolean | null {
  if (!granted({ name: "read", path })) return null;
  return builtinModule<{ existsSync(path: string): boolean }>("fs")?.existsSync(path) ?? null;
}

/** Where the prebuilt library would lie; null if this module is no file (a page, a bundle from memory). */
function prebuilt(): string | null {
  const url = new URL(`./prebuilt/${platform()}/${LIBRARY}`, import.meta.url);
  return url.protocol === "file:" ? decodeURIComponent(url.pathname) : null;
}

/** The library of the package `tstorch-cuda-<platform>`, if that is installed (Node and Bun). */
function inPackage(): string | null {
  if (bridge !== "koffi") return null;
  interface ModuleModule {
    createRequire(from: string): { resolve(name: string): string };
  }
  try {
    const require = builtinModule<ModuleModule>("module")?.createRequire(import.meta.url);
    return require?.resolve(`tstorch-cuda-${platform()}/${LIBRARY}`) ?? null;
  } catch {
    return null;
  }
}
