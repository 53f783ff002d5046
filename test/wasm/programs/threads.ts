/** Starts three threads, uses them, waits idle for half a second and ends; run by threads.test.ts. */

import { cpuUsage } from "node:process";
import { loadCore } from "../../../wasm/loader.ts";
import { pointwiseF32 } from "../pointwise.ts";

const core = await loadCore();
core.threads.setLimit(3);
core.threads.wait(10_000);
pointwiseF32(core, "exp", 1 << 18, core.heapBase, core.heapBase);
console.log("threads", core.threads.count);
await new Promise((resolve) => setTimeout(resolve, 100));
const before = cpuUsage(), start = performance.now();
await new Promise((resolve) => setTimeout(resolve, 500));
const used = cpuUsage(before);
console.log("idle", (used.user + used.system) / 1e3 / (performance.now() - start) * 100, "%");
console.log("end");
