/** Matrix products: GFLOP/s and the share of what a loop of nothing but multiply-adds reaches on as many threads. */

import process from "node:process";
import {
  alloc,
  core,
  f64,
  kernel,
  mark,
  peak,
  random,
  release,
  report,
  runtime,
  struct,
  time,
} from "./lib.ts";

const F32 = 6;
const only = process.argv[2] || undefined;

interface Options {
  ta?: boolean;
  tb?: boolean;
  batch?: number;
  bias?: boolean;
}

function product(
  m: number,
  n: number,
  k: number,
  { ta = false, tb = false, batch = 1, bias = false }: Options,
) {
  const a = random(batch * m * k), b = random(batch * k * n), c = alloc(4 * batch * m * n);
  const eight = (...first: number[]) => [...first, ...Array<number>(8 - first.length).fill(0)];
  const strides = [ta ? 1 : k, ta ? m : 1, tb ? 1 : n, tb ? k : 1, n, 1];
  const args = struct(
    ...[0, F32, m, n, k, a, b, c, ...strides],
    f64(1),
    f64(0),
    ...[bias ? random(n) : 0, 0, 1, 0, batch === 1 ? 0 : 1],
    ...[eight(batch), eight(m * k), eight(k * n), eight(m * n)],
  );
  return { run: kernel("tc_matmul", args), a, b, c, strides };
}

/** A few elements of the last product of the batch, the slow way. */
function check(m: number, n: number, k: number, o: Options, p: ReturnType<typeof product>): void {
  const [ars = 0, acs = 0, brs = 0, bcs = 0] = p.strides;
  const last = (o.batch ?? 1) - 1;
  p.run();
  for (let s = 0; s < 20; s++) {
    const i = Math.floor(Math.random() * m), j = Math.floor(Math.random() * n);
    let sum = 0;
    for (let q = 0; q < k; q++) {
      sum += core.f32[p.a / 4 + last * m * k + i * ars + q * acs]! *
        core.f32[p.b / 4 + last * k * n + q * brs + j * bcs]!;
    }
    const got = core.f32[p.c / 4 + last * m * n + i * n + j]!;
    if (!o.bias && !(Math.abs(got - sum) < 1e-5 * k)) throw new Error(`[${i}, ${j}] is ${got}, not ${sum}`);
  }
}

const cases: [number, number, number, Options?][] = [
  [512, 512, 512],
  [512, 512, 512, { tb: true }],
  [512, 512, 512, { ta: true }],
  [512, 512, 512, { ta: true, tb: true }],
  [1024, 1024, 1024],
  [256, 256, 256],
  [128, 128, 128],
  [64, 64, 64],
  [64, 64, 64, { tb: true }],
  [32, 128, 784],
  [32, 128, 784, { tb: true }],
  [32, 128, 784, { ta: true, tb: true }],
  [32, 128, 784, { tb: true, bias: true }],
  [128, 784, 32, { ta: true }],
  [32, 784, 128],
  [32, 10, 128, { tb: true }],
  [10, 128, 32, { ta: true }],
  [32, 128, 10],
  [100, 512, 784, { tb: true }],
  [512, 784, 100, { ta: true }],
  [1, 128, 784, { tb: true }],
  [1, 1024, 1024],
  [1, 1024, 1024, { tb: true }],
  [4, 1024, 1024, { tb: true }],
  [8, 1024, 1024, { tb: true }],
  [1024, 1, 1024],
  [4, 4, 4],
  [16, 16, 16],
  [64, 64, 32, { tb: true, batch: 32 }],
  [64, 32, 64, { batch: 32 }],
];

const top = peak();
console.log(`${runtime} ${core.variant}: peak ${top.toFixed(1)} GFLOP/s per thread`);
for (const [m, n, k, o = {}] of cases) {
  const name = `${o.batch ? `${o.batch}x ` : ""}${m}x${n}x${k}${o.ta ? " ta" : ""}${o.tb ? " tb" : ""}${
    o.bias ? " bias" : ""
  }`;
  if (only !== undefined && !name.includes(only)) continue;
  const start = mark();
  const p = product(m, n, k, o);
  check(m, n, k, o, p);
  report(name, time(p.run), 2 * m * n * k * (o.batch ?? 1), top * core.threads.count);
  release(start);
}
process.exit(0);
