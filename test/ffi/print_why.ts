/** Prints what `torch.cuda` says about CUDA: a program for Deno. */

import * as torch from "../../src/mod.ts";

console.log(torch.cuda.is_available(), torch.cuda.device_count(), torch.cuda.why_unavailable());
try {
  torch.zeros([1], { device: "cuda" });
} catch (error) {
  console.log(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
}
