/** Prints what the environment makes of the core; run by threads.test.ts. */

import { loadCore } from "../../../wasm/loader.ts";

try {
  const core = await loadCore();
  console.log(core.variant, core.threads.limit);
} catch (error) {
  console.log(error instanceof Error ? error.message : error);
}
