/**
 * tstorch where the runtime forbids compiling WebAssembly from bytes (Cloudflare Workers, Vercel Edge), or where the
 * program wants to choose how the core is loaded. One thread, no files.
 *
 * ```ts
 * import * as torch from "tstorch/edge";
 * import wasm from "tstorch/wasm/tstorch-relaxed.wasm";
 *
 * torch.init(wasm);
 * export default { fetch: () => new Response(String(torch.ones(2, 3))) };
 * ```
 *
 * @module
 */
import { type CoreOptions, instantiateCore } from "../wasm/core.ts";
import { cpuBackend } from "./backend/wasm.ts";
import { runtime } from "./base/env.ts";
import { setSoftLimit } from "./base/storage.ts";

/** What {@linkcode init} may be told. */
export interface InitOptions {
  /** Most bytes that tensors may take; default 96 MiB in Cloudflare's workerd (whose limit for all is 128 MB), else 4 GiB. */
  readonly maxMemory?: number;
}

/** Where the bytes of the core may come from, if not from a module that the host has compiled. */
export type CoreBytes = ArrayBuffer | Uint8Array | Response | URL;

/** An isolate that has more than 128 MB is ended, so the heap begins small, and tensors that may be unused go early. */
const WORKERD = { maxMemory: 96 << 20, initialMemory: 4 << 20, softLimit: 24 << 20 };

/**
 * Starts the core; nothing can be computed before. With a compiled module (what a Worker's `import` of a .wasm file
 * gives) it is done on return; with bytes, a response or an address it is done when the promise resolves. Later calls
 * change nothing.
 */
export function init(module: WebAssembly.Module, options?: InitOptions): void;
export function init(source: CoreBytes, options?: InitOptions): Promise<void>;
export function init(
  source: WebAssembly.Module | CoreBytes,
  options: InitOptions = {},
): void | Promise<void> {
  if (source instanceof WebAssembly.Module) return start(source, options);
  return compile(source).then((module) => start(module, options));
}

function start(module: WebAssembly.Module, { maxMemory }: InitOptions): void {
  if (cpuBackend.core !== null) return;
  const coreOptions: CoreOptions = { maxThreads: 1 };
  if (runtime === "workerd") {
    coreOptions.maxMemory = WORKERD.maxMemory;
    coreOptions.initialMemory = WORKERD.initialMemory;
    setSoftLimit(WORKERD.softLimit);
  }
  if (maxMemory !== undefined) coreOptions.maxMemory = maxMemory;
  cpuBackend.install(instantiateCore(module, coreOptions));
}

async function compile(source: CoreBytes): Promise<WebAssembly.Module> {
  if (source instanceof URL) return await compile(await fetch(source));
  if (source instanceof Response) {
    if (!source.ok) throw new Error(`init(): ${source.url} answered ${source.status} ${source.statusText}`);
    return await WebAssembly.compile(await source.arrayBuffer());
  }
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) {
    return await WebAssembly.compile(source as BufferSource);
  }
  throw new TypeError(
    "init(): expected a WebAssembly.Module, bytes, a Response or a URL of a tstorch .wasm file, " +
      `but got ${source === null ? "null" : typeof source}`,
  );
}

export * from "./torch.ts";
