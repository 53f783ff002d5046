/**
 * What a worker thread of a `DataLoader` runs. Not for programs: the library starts it.
 *
 * @module
 */
import { instantiateCore } from "../wasm/core.ts";
import { loadCore } from "../wasm/loader.ts";
import { cpuBackend } from "./backend/wasm.ts";
import type { Start } from "./utils/data/worker_messages.ts";

/** Starts the library with one thread, then makes batches. */
export async function work(start: Start): Promise<void> {
  const options = { maxThreads: 1 };
  if (cpuBackend.core === null) {
    cpuBackend.install(start.core === null ? await loadCore(options) : instantiateCore(start.core, options));
  }
  await import("./torch.ts"); // its names are those that datasets come with
  await (await import("./utils/data/worker_loop.ts")).work(start);
}
