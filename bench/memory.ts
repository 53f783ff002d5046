// Resident memory over a synchronous training loop and over synchronous inference, in Deno and in Node. Nobody disposes
// of anything; the figures have to stay where they are after the warm-up.
//
//   npx deno run -A bench/memory.ts [--train=20000] [--infer=200000] [--engines=deno,node] [--json=FILE]

import { writeFileSync } from "node:fs";
import { commandOf, type Engine, option, runLines } from "./programs/start.ts";

const json = option("json", ""), results: Record<string, unknown>[] = [];
const engines = option("engines", "deno,node").split(",") as Engine[];
const megabytes = (bytes: unknown): string => ((bytes as number) / 1e6).toFixed(1);
for (const kind of ["train", "infer"]) {
  const steps = Number(option(kind, kind === "train" ? "20000" : "200000"));
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
  }
}
if (json !== "") writeFileSync(json, `${JSON.stringify(results, null, 1)}\n`);
