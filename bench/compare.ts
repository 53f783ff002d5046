// The standard workloads in PyTorch and here, alternately, with equal numbers of threads: medians and ratios.
//
//   npx deno run -A bench/compare.ts [--filter=TEXT] [--threads=1,2] [--rounds=3] [--engines=deno,node]
//                                    [--python=/usr/bin/python3] [--json=FILE]
//
// Quiet machine, please. A ratio above 1 means faster than PyTorch. On the workloads' names see bench/README.md.

import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import process from "node:process";
import { commandOf, type Engine, median, option, runLines } from "./programs/start.ts";

const filter = option("filter", ""),
  rounds = Number(option("rounds", "3")),
  json = option("json", "");
const engines: Engine[] = [
  "torch",
  ...option("engines", "deno,node").split(",") as Engine[],
];
const commands = new Map<Engine, string[]>();
for (const engine of engines) {
  const program = engine === "torch" ? "bench/torch/workloads.py" : "bench/run.ts";
  commands.set(
    engine,
    await commandOf(engine, program, option("python", "/usr/bin/python3")),
  );
}

const results: Record<string, unknown>[] = [];
for (const threads of option("threads", "1,2").split(",").map(Number)) {
  const times = new Map<string, Map<Engine, number[]>>();
  for (let round = 1; round <= rounds; round++) {
    for (const engine of engines) {
      process.stderr.write(
        `${threads} threads, round ${round} of ${rounds}: ${engine}\n`,
      );
      const args = engine === "torch" ? [filter] : [`--filter=${filter}`, `--threads=${threads}`];
      for (
        const { name, ms } of await runLines(commands.get(engine)!, args, {
          threads,
        })
      ) {
        const row = times.get(name as string) ?? new Map<Engine, number[]>();
        row.set(engine, [...row.get(engine) ?? [], ms as number]);
        times.set(name as string, row);
      }
    }
  }
  const ours = engines.slice(1);
  const columns = [
    "torch ms",
    ...ours.flatMap((engine) => [`${engine} ms`, "ratio"]),
  ];
  console.log(
    `\n${threads} thread${threads === 1 ? "" : "s"}`.padEnd(38) +
      columns.map((c) => c.padStart(12)).join(""),
  );
  for (const [name, row] of times) {
    const of = (engine: Engine): number => row.has(engine) ? median(row.get(engine)!) : NaN;
    const show = (x: number, digits: number): string =>
      (Number.isNaN(x) ? "-" : x.toFixed(digits)).padStart(12);
    console.log(
      name.padEnd(37) + show(of("torch"), 5) +
        ours.map((engine) => show(of(engine), 5) + show(of("torch") / of(engine), 2)).join(""),
    );
    results.push({
      name,
      threads,
      ms: Object.fromEntries(engines.map((engine) => [engine, of(engine)])),
    });
  }
}
if (json !== "") {
  const machine = {
    processor: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    rounds,
  };
  writeFileSync(json, `${JSON.stringify({ machine, results }, null, 1)}\n`);
}
