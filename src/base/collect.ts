/**
 * Asking the JavaScript collector to run, where the runtime lets us. Evicted bytes are the collector's, but V8 may let
 * a gigabyte of them pile up before it looks: its clock is the rate of small objects.
 *
 * @module
 */
import { builtinModule } from "./env.ts";

let collector: (() => void) | null | undefined;

function findCollector(): (() => void) | null {
  const own = (globalThis as { gc?: () => void }).gc;
  if (typeof own === "function") return own;
  try {
    builtinModule("node:v8")?.setFlagsFromString("--expose-gc");
    const gc = builtinModule("node:vm")?.runInNewContext("gc") as unknown;
    return typeof gc === "function" ? (gc as () => void) : null;
  } catch {
    return null;
  }
}

/** Runs a full collection if the runtime offers one; returns whether it did. */
export function collectGarbage(): boolean {
  if (collector === undefined) collector = findCollector();
  if (collector === null) return false;
  collector();
  return true;
}
