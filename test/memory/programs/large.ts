/** Much memory, in a process of its own: `large.ts beyond` uses more than 2 GiB, `large.ts out` finds an end. */
import { readFileSync } from "node:fs";
import process from "node:process";
import { init } from "../../../src/edge.ts";
import * as torch from "../../../src/edge.ts";
import { loadCore } from "../../../wasm/loader.ts";

const [kind, file] = process.argv.slice(2);

async function module(): Promise<WebAssembly.Module> {
  return file === undefined ? (await loadCore()).module : new WebAssembly.Module(readFileSync(file));
}

if (kind === "beyond") {
  init(await module());
  // Most of it is never touched, so that the test is quick; what is computed with lies above 2 GiB.
  const n = 9 * 2 ** 26, x = torch.empty(n), tail = x.narrow(0, n - 1000, 1000); // 2.25 GiB
  tail.copy_(torch.arange(1000));
  const square = tail.narrow(0, 0, 100).view(10, 10), above = tail.add(1);
  console.log(JSON.stringify({
    where: [tail.data_ptr(), above.data_ptr()].map((address) => address > 2 ** 31),
    sum: above.sum().item(),
    max: tail.argmax().item(),
    rows: tail.index_select(0, torch.tensor([1n, 998n])).tolist(),
    sorted: above.neg().sort().values!.narrow(0, 0, 2).tolist(),
    softmax: tail.softmax(0).sum().item(),
    trace: square.matmul(square).trace().item(),
    reserved: torch.memory_stats()["reserved_bytes.all.current"],
  }));
} else {
  init(await module(), { maxMemory: 96 << 20 });
  const said = (body: () => unknown): string => {
    try {
      body();
      return "";
    } catch (error) {
      return `${(error as Error).name}: ${(error as Error).message}`;
    }
  };
  const weight = torch.ones(1 << 20, { requires_grad: true }), held: torch.Tensor[] = [];
  for (let i = 0; i < 4; i++) held.push(torch.ones(1 << 20));
  const graph = weight.exp().sin();
  const error = said(() => torch.ones(19 << 20).add(1));
  const largest = said(() => torch.ones(2 ** 30));
  graph.sum().backward(); // all is as it was
  console.log(JSON.stringify({
    error,
    largest,
    grad: weight.grad!.mean().item(),
    sums: held.map((t) => t.sum().item()),
  }));
}
