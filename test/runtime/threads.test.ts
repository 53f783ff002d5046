import { expect, test } from "vitest";
import * as torch from "../../src/mod.ts";
import { cpuBackend } from "../../src/backend/wasm.ts";

/** Whether the core has threads is the runtime's affair; where it has, operators must come to use them. */
const threads = () => cpuBackend.core!.threads;

test("operators of a loop that never yields come to run on the threads that were asked for", () => {
  if (threads().max < 2) return console.warn("skipped: no threads here");
  const former = torch.get_num_threads();
  try {
    torch.set_num_threads(2);
    const a = torch.randn(256, 256), end = performance.now() + 20_000;
    while (threads().count < 2 && performance.now() < end) a.matmul(a);
    expect(threads().count).toBe(2);
    torch.set_num_threads(3);
    while (threads().count < 3 && performance.now() < end) a.add(a);
    expect(threads().count).toBe(3);
    torch.set_num_threads(1);
    a.matmul(a);
    expect(threads().count).toBe(1);
  } finally {
    torch.set_num_threads(former);
  }
});
