/**
 * Asking the JavaScript collector to run, where the runtime lets us. Evicted bytes are the collector's, but V8 may let
 * a gigabyte of them pile up before it looks: its clock is the rate of small objects.
 *
 * @module
 */
import { builtinModule } from "./env.ts";

/** Found at the first use; null where the runtime has none. */
let collector: (() => void) | null | undefined;
let checkpoint: (() => void) | null | undefined;

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

/**
 * What a WeakRef was made for or asked about stays alive until the job ends, and a loop is one job. The end of a job is
 * where the engine has worked off a queue of microtasks, and a context with a queue of its own (always empty here)
 * works it off after every script: so the references can be let go in the middle of a loop.
 */
function findCheckpoint(): (() => void) | null {
  try {
    const vm = builtinModule("node:vm");
    if (vm === undefined) return null;
    const context = vm.createContext({}, { microtaskMode: "afterEvaluate" }), script = new vm.Script("0");
    return () => void script.runInContext(context);
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

/**
 * Runs a full collection after which a WeakRef to an object that nothing holds is empty, also in the middle of a job;
 * returns whether the runtime offers that.
 */
export function collectUnreachable(): boolean {
  if (checkpoint === undefined) checkpoint = findCheckpoint();
  if (checkpoint === null) return false;
  checkpoint();
  return collectGarbage();
}
