// One epoch of the MNIST tutorial with DataLoader and transforms, in PyTorch + torchvision and here, in one go.
//
//   npx deno run -A bench/mnist_epoch.ts [--data=../shared/data] [--epochs=1] [--batch=32] [--rounds=1] [--threads=2]
//                                        [--engines=deno,node] [--python=/usr/bin/python3] [--json=FILE]
//
// The losses are PyTorch's too: same seed, same weights, same shuffle.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { gunzipSync } from "node:zlib";
import { commandOf, type Engine, median, option, root, runLines } from "./programs/start.ts";

const source = resolve(root, option("data", "../shared/data")),
  rounds = Number(option("rounds", "1"));
const epochs = option("epochs", "1"),
  batch = option("batch", "32"),
  json = option("json", "");
const threads = Number(option("threads", String(cpus().length)));
const engines: Engine[] = [
  "torch",
  ...option("engines", "deno,node").split(",") as Engine[],
];

/** torchvision reads unpacked files only: both get the same. */
function unpacked(): string {
  const out = join(root, "build", "bench", "mnist");
  for (
    const name of [
      "train-images-idx3",
      "train-labels-idx1",
      "t10k-images-idx3",
      "t10k-labels-idx1",
    ]
  ) {
    const file = join("MNIST", "raw", `${name}-ubyte`),
      plain = join(source, file);
    mkdirSync(join(out, "MNIST", "raw"), { recursive: true });
    if (!existsSync(join(out, file))) {
      writeFileSync(
        join(out, file),
        existsSync(plain) ? readFileSync(plain) : gunzipSync(readFileSync(`${plain}.gz`)),
      );
    }
  }
  return out;
}
const data = unpacked();

interface Epoch {
  loss: number;
  accuracy: number;
  train: number;
  evaluate: number;
}
const epochsOf = new Map<Engine, Epoch[]>(
  engines.map((engine) => [engine, []]),
);
for (let round = 1; round <= rounds; round++) {
  for (const engine of engines) {
    process.stderr.write(`round ${round} of ${rounds}: ${engine}\n`);
    const program = engine === "torch" ? "bench/torch/mnist_epoch.py" : "bench/programs/mnist_epoch.ts";
    const command = await commandOf(
      engine,
      program,
      option("python", "/usr/bin/python3"),
    );
    const args = [
      data,
      epochs,
      batch,
      ...engine === "torch" ? [] : [String(threads)],
    ];
    epochsOf.get(engine)!.push(
      ...await runLines(command, args, { threads }) as unknown as Epoch[],
    );
  }
}

const mid = (engine: Engine, key: keyof Epoch): number =>
  median(epochsOf.get(engine)!.map((epoch) => epoch[key]));
const base = mid("torch", "train");
console.log(
  `${threads} threads, batch ${batch}`.padEnd(24) +
    "train s   ratio  evaluate s   ratio  first loss  accuracy",
);
for (const engine of engines) {
  const train = mid(engine, "train"),
    evaluate = mid(engine, "evaluate"),
    [first] = epochsOf.get(engine)!;
  console.log(
    engine.padEnd(24) + train.toFixed(2).padStart(7) +
      (base / train).toFixed(1).padStart(8) +
      evaluate.toFixed(2).padStart(12) +
      (mid("torch", "evaluate") / evaluate).toFixed(1).padStart(8) +
      first!.loss.toFixed(6).padStart(12) +
      `${(100 * first!.accuracy).toFixed(2)} %`.padStart(10),
  );
}
if (json !== "") {
  const machine = {
    processor: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    rounds,
    threads,
  };
  writeFileSync(
    json,
    `${JSON.stringify({ machine, epochs: Object.fromEntries(epochsOf) }, null, 1)}\n`,
  );
}
