/**
 * Loads the core: chooses the fastest variant that the engine runs, unpacks it from the library itself (no file, no
 * network, no permission) and instantiates it.
 */

import { type Core, type CoreOptions, instantiateCore } from "./core.ts";
import { envVariable, nodeModule } from "./env.ts";
import { inflate } from "./inflate.ts";
import { bestVariant, type Features, probe, supports, type Variant, VARIANTS } from "./probe.ts";

export { Core, type CoreFunction, type CoreOptions, instantiateCore } from "./core.ts";
export { bestVariant, type Features, probe, supports, type Variant, VARIANTS } from "./probe.ts";
export type { ThreadInfo, ThreadPool } from "./threads.ts";

export interface LoadOptions extends CoreOptions {
  /** Which embedded build to run; default: the environment's TSTORCH_WASM_VARIANT, else the fastest that runs. */
  variant?: Variant;
  /** A compiled module, instead of an embedded one. */
  module?: WebAssembly.Module;
  /** The bytes of a module, instead of an embedded one. */
  bytes?: Uint8Array<ArrayBuffer>;
}

// One literal import each, so that bundlers find them and a program loads only the one it runs.
const embedded: Record<Variant, () => Promise<{ data: string; byteLength: number }>> = {
  "simd": () => import("./embedded/simd.ts"),
  "relaxed": () => import("./embedded/relaxed.ts"),
  "simd-mt": () => import("./embedded/simd-mt.ts"),
  "relaxed-mt": () => import("./embedded/relaxed-mt.ts"),
};

function chooseVariant(features: Features, wanted: string | undefined): Variant {
  if (wanted !== undefined) {
    const variant = VARIANTS.find((name) => name === wanted);
    if (variant === undefined) {
      throw new Error(`TSTORCH_WASM_VARIANT: expected one of ${VARIANTS.join(", ")}, but got ${wanted}`);
    }
    if (!supports(features, variant)) {
      throw new Error(`this JavaScript engine cannot run the ${variant} core`);
    }
    return variant;
  }
  const variant = bestVariant(features);
  if (variant === null) throw new Error("tstorch needs WebAssembly SIMD, which this JavaScript engine lacks");
  return variant;
}

/** Browsers refuse to compile large modules synchronously on the main thread; elsewhere that is the quicker way. */
async function compile(bytes: Uint8Array<ArrayBuffer>): Promise<WebAssembly.Module> {
  return "document" in globalThis ? await WebAssembly.compile(bytes) : new WebAssembly.Module(bytes);
}

/** The bytes of a development build (TSTORCH_WASM_FILE), if one is asked for. */
async function developmentBuild(): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const path = envVariable("TSTORCH_WASM_FILE");
  if (path === undefined) return undefined;
  const fs = await nodeModule<{ readFileSync(path: string): Uint8Array }>("fs");
  return fs === undefined ? undefined : new Uint8Array(fs.readFileSync(path));
}

/**
 * Loads the core. Environment: TSTORCH_WASM_VARIANT names the variant, TSTORCH_NUM_THREADS the most threads,
 * TSTORCH_WASM_FILE a module to load instead of the embedded one.
 */
export async function loadCore(options: LoadOptions = {}): Promise<Core> {
  if (options.module !== undefined) return instantiateCore(options.module, options);
  const features = await probe();
  const bytes = options.bytes ?? await developmentBuild();
  if (bytes !== undefined) return instantiateCore(await compile(bytes), options);
  const variant = chooseVariant(features, options.variant ?? envVariable("TSTORCH_WASM_VARIANT"));
  const { data, byteLength } = await embedded[variant]();
  return instantiateCore(await compile(await inflate(data, byteLength)), options);
}
