/** Runs the whole suite in this runtime and prints one JSON line per check: a program for Deno and Node. */

import process from "node:process";
import { NativeRuntime, openLibrary } from "../../ffi/mod.ts";
import { checks } from "./suite/mod.ts";

const [hostPath, corePath, filter = ""] = process.argv.slice(2);
const device = new NativeRuntime(openLibrary(hostPath!));
const core = openLibrary(corePath!);
device.setDevice(0);
for (const check of checks) {
  if (!check.name.includes(filter)) continue;
  let error: string | null = null;
  const start = performance.now();
  try {
    check.run({ device, core });
  } catch (thrown) {
    error = thrown instanceof Error ? thrown.stack ?? thrown.message : String(thrown);
  }
  console.log(JSON.stringify({ name: check.name, error, ms: Math.round(performance.now() - start) }));
}
