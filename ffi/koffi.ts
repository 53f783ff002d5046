/**
 * The bridge of Node and Bun: koffi, an optional dependency that is looked for when a library is opened and not before.
 * Measured (docs/cuda.md): about 75 ns for a call with one buffer.
 */

import { builtinModule } from "./env.ts";
import {
  type ForeignFunction,
  type ForeignType,
  type HostFunction,
  LibraryError,
  type NativeLibrary,
  type SizeFunction,
  type StatusFunction,
} from "./native_library.ts";

/** The part of koffi's API that this file uses. */
interface Koffi {
  load(path: string): {
    func(
      name: string,
      result: string,
      parameters: readonly string[],
    ): (...args: unknown[]) => number | bigint;
    unload(): void;
  };
  address(buffer: Uint8Array): bigint;
}

interface ModuleModule {
  createRequire(from: string): (name: string) => unknown;
}

function loadKoffi(): Koffi {
  const require = builtinModule<ModuleModule>("module")?.createRequire(import.meta.url);
  try {
    return require?.("koffi") as Koffi;
  } catch (error) {
    const missing = (error as { code?: string }).code === "MODULE_NOT_FOUND";
    throw new LibraryError(
      missing
        ? 'the optional package "koffi" is not installed (npm install koffi)'
        : `the package "koffi" could not be loaded: ${
          error instanceof Error ? error.message : String(error)
        }`,
    );
  }
}

const TYPES: Readonly<Record<ForeignType, string>> = { i32: "int32_t", u64: "uint64_t", buffer: "void *" };

/** Opens a library with koffi. */
export function openWithKoffi(path: string): NativeLibrary {
  const koffi = loadKoffi();
  let library: ReturnType<Koffi["load"]>;
  try {
    library = koffi.load(path);
  } catch (error) {
    throw new LibraryError(
      `${path} could not be loaded: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  const find = (name: string, result: string, parameters: readonly string[]) => {
    try {
      return library.func(name, result, parameters);
    } catch {
      return undefined; // koffi throws where there is no such function; the arguments above are constants
    }
  };
  return {
    path,
    statusFunction: (name) => find(name, "int32_t", ["void *"]) as StatusFunction | undefined,
    hostFunction: (name) => find(name, "int32_t", ["void *", "void *"]) as HostFunction | undefined,
    sizeFunction(name): SizeFunction | undefined {
      const found = find(name, "int64_t", ["void *"]);
      return found && ((args) => Number(found(args)));
    },
    foreignFunction: (name, parameters, result) =>
      find(name, TYPES[result], parameters.map((type) => TYPES[type])) as ForeignFunction | undefined,
    address: (buffer) => Number(koffi.address(buffer)),
    close: () => library.unload(),
  };
}
