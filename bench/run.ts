// The standard workloads in PyTorch and here, alternately, with equal numbers of threads: medians, spread and ratios,
// as a table, as JSON and as a page with charts.
//
//   npx deno run -A bench/run.ts [--filter=TEXT] [--threads=1,2] [--rounds=3] [--engines=deno,node]
//                                [--python=/usr/bin/python3[,ANOTHER]] [--out=build/bench/report]
//
// Several Pythons: the faster PyTorch counts, workload by workload. Quiet machine, please. A ratio above 1 means faster
// than PyTorch. On the workloads' names see bench/README.md.

import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, resolve } from "node:path";
import process from "node:process";
import { chart, page, type Report, type Result } from "./programs/report.ts";
import { commandOf, type Engine, median, option, root, runLines } from "./programs/start.ts";

const filter = option("filter", ""), rounds = Number(option("rounds", "3"));
const out = resolve(root, option("out", "build/bench/report"));

/** What is timed: a name for the columns, its version, how it is started and with which arguments. */
interface Contender {
  name: string;
  version: string;
  command: string[];
  args(threads: number): string[];
}
const first = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).split("\n")[0]!
    .trim();

const pythons: Contender[] = [];
for (const python of option("python", "/usr/bin/python3").split(",")) {
  const version = first(python, "-c", "import torch; print(torch.__version__)");
  const command = await commandOf("torch", "bench/torch/workloads.py", python);
  pythons.push({ name: `torch ${version}`, version, command, args: () => [filter] });
}
const ours: Contender[] = [];
for (const engine of option("engines", "deno,node").split(",") as Engine[]) {
  const command = await commandOf(engine, "bench/programs/run.ts");
  ours.push({
    name: engine,
    version: first(command[0]!, "--version"),
    command,
    args: (threads) => [filter, String(threads)],
  });
}
const contenders = [...pythons, ...ours];

/** One number of threads: all contenders in turn, `rounds` times. */
async function measureAll(threads: number): Promise<Result[]> {
  const times = new Map<string, Map<string, number[]>>();
  for (let round = 1; round <= rounds; round++) {
    for (const { name: who, command, args } of contenders) {
      process.stderr.write(`${threads} threads, round ${round} of ${rounds}: ${who}\n`);
      for (const { name, ms } of await runLines(command, args(threads), { threads })) {
        const row = times.get(name as string) ?? new Map<string, number[]>();
        row.set(who, [...row.get(who) ?? [], ms as number]);
        times.set(name as string, row);
      }
    }
  }
  return [...times].map(([name, row]) => {
    const ms: Result["ms"] = {};
    for (const [who, values] of row) {
      ms[who] = { median: median(values), low: Math.min(...values), high: Math.max(...values) };
    }
    const torch = Math.min(...pythons.map((p) => ms[p.name]?.median ?? Infinity));
    const ratio: Result["ratio"] = {};
    for (const { name: who } of ours) if (ms[who] && torch < Infinity) ratio[who] = torch / ms[who].median;
    return { name, threads, ms, ratio };
  });
}

function print(threads: number, results: readonly Result[]): void {
  const columns = [...pythons.map((p) => p.name), ...ours.flatMap((o) => [o.name, "ratio"])];
  console.log(
    `\n${threads} thread${threads === 1 ? "" : "s"}, ms`.padEnd(38) +
      columns.map((c) => c.padStart(16)).join(""),
  );
  const show = (x: number | undefined, digits: number): string => (x?.toFixed(digits) ?? "-").padStart(16);
  for (const { name, ms, ratio } of results) {
    console.log(
      name.padEnd(37) + pythons.map((p) => show(ms[p.name]?.median, 5)).join("") +
        ours.map((o) => show(ms[o.name]?.median, 5) + show(ratio[o.name], 2)).join(""),
    );
  }
}

const report: Report = {
  machine: { processor: cpus()[0]?.model ?? "unknown", cores: cpus().length },
  date: new Date().toISOString().slice(0, 10),
  versions: Object.fromEntries(contenders.map((c) => [c.name, c.version])),
  rounds,
  engines: ours.map((o) => o.name),
  results: [],
};
for (const threads of option("threads", "1,2").split(",").map(Number)) {
  const results = await measureAll(threads);
  print(threads, results);
  report.results.push(...results);
}
mkdirSync(dirname(out), { recursive: true });
writeFileSync(`${out}.json`, `${JSON.stringify(report, null, 1)}\n`);
writeFileSync(`${out}.html`, page(report));
for (const threads of new Set(report.results.map((r) => r.threads))) {
  writeFileSync(`${out}_${threads}.svg`, chart(report, threads));
}
console.log(`\n${out}.html, .json, .svg`);
