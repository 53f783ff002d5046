/** Finds out which variant of the core this engine can run. */

import { nodeModule } from "./env.ts";

/** `relaxed`: fused multiply-add; `-mt`: shared memory and threads. */
export type Variant = "simd" | "relaxed" | "simd-mt" | "relaxed-mt";

export const VARIANTS: readonly Variant[] = ["relaxed-mt", "simd-mt", "relaxed", "simd"];

// Each module has one function; its body uses the feature. Sections: type, function, (memory), code.
const HEADER = [0, 97, 115, 109, 1, 0, 0, 0];
const TO_V128 = [1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0]; // type () -> v128, function 0
const PROBES = {
  // i32.const 0; i32x4.splat
  simd: [...HEADER, ...TO_V128, 10, 8, 1, 6, 0, 65, 0, 253, 17, 11],
  // three v128 by splat; f32x4.relaxed_madd
  relaxed: [
    ...HEADER,
    ...TO_V128,
    ...[10, 19, 1, 17, 0, 65, 0, 253, 17, 65, 0, 253, 17, 65, 0, 253, 17, 253, 133, 2, 11],
  ],
  // type () -> (), function 0, shared memory of 1 to 1 pages; memory.atomic.notify
  threads: [
    ...HEADER,
    ...[1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 5, 4, 1, 3, 1, 1],
    ...[10, 13, 1, 11, 0, 65, 0, 65, 0, 254, 0, 2, 0, 26, 11],
  ],
} as const;

function validates(probe: keyof typeof PROBES): boolean {
  return WebAssembly.validate(new Uint8Array(PROBES[probe]));
}

export interface Features {
  simd: boolean;
  relaxed: boolean;
  threads: boolean;
}

/** What the engine supports. Node 20 has relaxed SIMD behind a flag, which is switched on here. */
export async function probe(): Promise<Features> {
  if (!validates("relaxed")) {
    const v8 = await nodeModule<{ setFlagsFromString?(flags: string): void }>("v8");
    v8?.setFlagsFromString?.("--experimental-wasm-relaxed-simd");
  }
  // A browser page that is not cross-origin isolated has no SharedArrayBuffer. No memory is made to try it out: each
  // takes gigabytes of address space until it is collected.
  const threads = typeof SharedArrayBuffer !== "undefined" && validates("threads");
  return { simd: validates("simd"), relaxed: validates("relaxed"), threads };
}

/** The fastest variant that the engine supports, or null without SIMD. */
export function bestVariant({ simd, relaxed, threads }: Features): Variant | null {
  if (!simd) return null;
  return `${relaxed ? "relaxed" : "simd"}${threads ? "-mt" : ""}`;
}

/** Whether the engine can run a variant. */
export function supports(features: Features, variant: Variant): boolean {
  return features.simd && (features.relaxed || !variant.startsWith("relaxed")) &&
    (features.threads || !variant.endsWith("-mt"));
}
