/** The bridge of Deno: `Deno.dlopen`. Measured (docs/cuda.md): about 20 ns for a call with one buffer. */

import {
  type ForeignFunction,
  type ForeignType,
  type HostFunction,
  LibraryError,
  type NativeLibrary,
  type SizeFunction,
  type StatusFunction,
} from "./native_library.ts";

interface Definition {
  readonly parameters: readonly ForeignType[];
  readonly result: "i32" | "i64" | "u64";
  readonly optional: true;
}

/** The part of Deno's API that this file uses. */
interface DenoFfi {
  dlopen(path: string, symbols: Record<string, Definition>): {
    symbols: Record<string, ((...args: unknown[]) => number | bigint) | null>;
    close(): void;
  };
  UnsafePointer: { of(buffer: Uint8Array): unknown; value(pointer: unknown): number | bigint };
}

const STATUS: Definition = { parameters: ["buffer"], result: "i32", optional: true };
const HOST: Definition = { parameters: ["buffer", "buffer"], result: "i32", optional: true };
const SIZE: Definition = { parameters: ["buffer"], result: "i64", optional: true };

/** Opens a library in Deno. The permission must be there (`--allow-ffi`), else Deno would ask. */
export function openWithDeno(path: string): NativeLibrary {
  const deno = (globalThis as unknown as { Deno: DenoFfi }).Deno;
  const handles: { close(): void }[] = [];
  // Deno wants every function named when it opens a library; opening again is cheap, so each is opened when asked for.
  const find = (name: string, definition: Definition) => {
    const handle = deno.dlopen(path, { [name]: definition });
    const found = handle.symbols[name];
    if (found === null || found === undefined) {
      handle.close();
      return undefined;
    }
    handles.push(handle);
    return found;
  };
  try {
    handles.push(deno.dlopen(path, {}));
  } catch (error) {
    throw new LibraryError(
      `${path} could not be loaded: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  return {
    path,
    statusFunction: (name) => find(name, STATUS) as StatusFunction | undefined,
    hostFunction: (name) => find(name, HOST) as HostFunction | undefined,
    sizeFunction(name): SizeFunction | undefined {
      const found = find(name, SIZE);
      return found && ((args) => Number(found(args)));
    },
    foreignFunction: (name, parameters, result) =>
      find(name, { parameters, result, optional: true }) as ForeignFunction | undefined,
    address: (buffer) => Number(deno.UnsafePointer.value(deno.UnsafePointer.of(buffer))),
    close() {
      for (const handle of handles.splice(0)) handle.close();
    },
  };
}
