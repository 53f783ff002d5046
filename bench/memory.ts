// Resident memory over a long run, in Deno and in Node: a synchronous training loop, inference under no_grad, training
// from a DataLoader with `for await`, and a loop that keeps every loss. Nobody disposes of anything; the figures have to
// stay where they are after the warm-up (a kept loss takes some 2 kB).
//
//   npx deno run -A bench/memory.ts [--train=20000] [--infer=200000] [--loader=20000] [--losses=20000] (0: not this one)
//     [--engines=deno,node] [--json=FILE]

import { writeFileSync } from "node:fs";
import { commandOf, type Engine, option, runLines } from "./programs/start.ts";

const json = option("json", ""), results: Record<string, unknown>[] = [];
const engines = option("engines", "deno,node").split(",") as Engine[];
const megabytes = (bytes: unknown): string => ((bytes as number) / 1e6).toFixed(1);
const table: string[] = [];
for (const kind of ["train", "infer", "loader", "losses"]) {
  const steps = Number(option(kind, kind === "infer" ? "200000" : "20000"));
  if (steps === 0) continue;
  for (const engine of engines) {
    console.log(
      `${kind}, ${steps} steps, ${engine}: step, resident MB, JavaScript heap MB, tensors MB`,
    );
    const command = await commandOf(engine, "bench/programs/memory.ts");
    const lines = await runLines(command, [
      kind,
      String(steps),
      String(Math.ceil(steps / 20)),
    ], {
      onLine: ({ step, rss, heap, live }) =>
        console.log(
          `${String(step).padStart(8)}${megabytes(rss).padStart(10)}${megabytes(heap).padStart(8)}${
            megabytes(live).padStart(8)
          }`,
        ),
    });
    results.push({ kind, engine, steps, lines });
    const rss = lines.map((line) => line["rss"] as number), warm = rss.slice(4);
    const columns = [Math.max(...rss), Math.min(...warm), Math.max(...warm), rss.at(-1)].map(megabytes);
    table.push(
      `${kind.padEnd(8)}${engine.padEnd(6)}${String(steps).padStart(8)}${
        columns.map((c) => c.padStart(10)).join("")
      }`,
    );
  }
}
console.log(`\nresident MB                   most  warm from        to       end\n${table.join("\n")}`);
if (json !== "") writeFileSync(json, `${JSON.stringify(results, null, 1)}\n`);
