/** Runs the checks of the device "cuda" in this runtime and prints one JSON line each: a program for Deno and Node. */

import { deviceChecks } from "./suite/device.ts";

for (const check of deviceChecks) {
  let error: string | null = null;
  const start = performance.now();
  try {
    check.run();
  } catch (thrown) {
    error = thrown instanceof Error ? thrown.stack ?? thrown.message : String(thrown);
  }
  console.log(JSON.stringify({ name: check.name, error, ms: Math.round(performance.now() - start) }));
}
