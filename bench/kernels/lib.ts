/**
 * What the kernel benchmarks share: a core with the peak loop linked in, memory, argument structs, timing.
 *
 *   deno run -A scripts/build_wasm.ts --dev=relaxed-mt --extra=../bench/kernels/peak.c
 *   TSTORCH_WASM_FILE=build/wasm/tstorch-relaxed-mt.wasm TSTORCH_NUM_THREADS=1 deno run -A bench/kernels/matmul.ts
 *
 * On Node: `esbuild --bundle --platform=node --format=esm` first.
 */

import process from "node:process";
import { type Core, loadCore } from "../../wasm/loader.ts";

export const runtime = "Deno" in globalThis ? "deno" : "node";

if (runtime === "node") {
  const v8 = await import("node:v8");
  v8.setFlagsFromString("--experimental-wasm-relaxed-simd");
}

export const core: Core = await loadCore();
const threads = Number(process.env["TSTORCH_NUM_THREADS"] ?? 1);
core.threads.setLimit(threads);
core.threads.request();
core.threads.wait(2000);
core.threads.request();
if (core.threads.count !== threads) {
  throw new Error(`wanted ${threads} threads, but got ${core.threads.count}`);
}

let top = core.heapBase;

/** `bytes` of memory, 64-byte aligned, never freed. */
export function alloc(bytes: number): number {
  const at = Math.ceil(top / 64) * 64;
  top = at + bytes;
  if (top > core.byteLength && !core.grow(top - core.byteLength)) throw new Error("out of memory");
  return at;
}

/** Frees everything allocated since `mark` was returned by it. */
export function mark(): number {
  return top;
}

export function release(to: number): void {
  top = to;
}

/** `n` float32 in [-1, 1). */
export function random(n: number): number {
  const at = alloc(4 * n);
  for (let i = 0; i < n; i++) core.f32[at / 4 + i] = Math.random() * 2 - 1;
  return at;
}

/** A slot: a number that is an int64 or an address, or `f64(x)`. */
export type Slot = number | { f64: number } | readonly number[];

export const f64 = (x: number): Slot => ({ f64: x });

/** Writes an argument struct to fresh memory and returns its address. */
export function struct(...slots: Slot[]): number {
  const flat = slots.flat() as (number | { f64: number })[];
  const at = alloc(8 * flat.length);
  flat.forEach((slot, i) => {
    if (typeof slot === "number") core.i64[at / 8 + i] = BigInt(slot);
    else core.f64[at / 8 + i] = slot.f64;
  });
  return at;
}

/** Allocates what `tc_<name>_scratch` asks for and returns a function that launches the kernel. */
export function kernel(name: string, args: number): () => void {
  const scratch = core.exports[`${name}_scratch`];
  if (scratch !== undefined) {
    const at = alloc(Number(scratch(args))); // may replace the views
    core.i64[args / 8] = BigInt(at);
  }
  const launch = core.exports[name];
  if (launch === undefined) throw new Error(`the core has no ${name}`);
  return () => {
    const status: number = launch(args);
    if (status !== 0) throw new Error(`${name}: status ${status}`);
  };
}

/** On one thread the process's own processor time, so that a busy machine disturbs little; else the clock. */
function now(): number {
  if (core.threads.count > 1) return performance.now();
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Milliseconds of one call: the best of several stretches of about `stretch` ms. */
export function time(f: () => void, stretch = 20, stretches = 8): number {
  const warm = performance.now();
  for (let i = 0; i < 3 || performance.now() - warm < 60; i++) f();
  let start = performance.now();
  f();
  const calls = Math.max(1, Math.round(stretch / Math.max(performance.now() - start, 1e-3)));
  let best = Infinity;
  for (let s = 0; s < stretches; s++) {
    start = now();
    for (let i = 0; i < calls; i++) f();
    best = Math.min(best, (now() - start) / calls);
  }
  return best;
}

/** GFLOP/s of one thread that only multiplies and adds. */
export function peak(type: "f32" | "f64" = "f32"): number {
  const loop = core.exports[`tc_bench_peak_${type}`];
  if (loop === undefined) throw new Error("build with --extra=../bench/kernels/peak.c");
  const rounds = 20000;
  const lanes = type === "f32" ? 4 : 2;
  return rounds * 10 * lanes * 2 / time(() => loop(rounds, 1e-9), 2, 12) / 1e6;
}

export function report(name: string, ms: number, flops = 0, top = 0): void {
  const rate = flops > 0 ? `  ${(flops / ms / 1e6).toFixed(1).padStart(6)} GFLOP/s` : "";
  const share = flops > 0 && top > 0 ? `  ${(100 * flops / ms / 1e6 / top).toFixed(0).padStart(3)} %` : "";
  console.log(
    `${runtime} ${core.threads.count}t  ${name.padEnd(36)} ${ms.toFixed(4).padStart(9)} ms${rate}${share}`,
  );
}
