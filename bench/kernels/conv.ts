/** Convolutions: milliseconds, GFLOP/s and the share of the multiply-add peak of as many threads. */

import process from "node:process";
import { alloc, core, kernel, mark, peak, random, release, report, runtime, struct, time } from "./lib.ts";

const F32 = 6;
const only = process.argv[2] || undefined;

interface Case {
  name: string;
  batch: number;
  groups?: number;
  inC: number;
  outC: number;
  size: number;
  kernel: number;
  stride?: number;
  padding?: number;
}

const cases: Case[] = [
  { name: "lenet1", batch: 100, inC: 3, outC: 6, size: 32, kernel: 5 },
  { name: "lenet2", batch: 100, inC: 6, outC: 16, size: 14, kernel: 5 },
  { name: "mnist1", batch: 64, inC: 1, outC: 32, size: 28, kernel: 3 },
  { name: "mnist2", batch: 64, inC: 32, outC: 64, size: 26, kernel: 3 },
  { name: "64x56x56", batch: 1, inC: 64, outC: 64, size: 56, kernel: 3, padding: 1 },
  { name: "128x28x28", batch: 1, inC: 128, outC: 128, size: 28, kernel: 3, padding: 1 },
  { name: "512x7x7", batch: 1, inC: 512, outC: 512, size: 7, kernel: 3, padding: 1 },
  { name: "resnet stem", batch: 1, inC: 3, outC: 64, size: 224, kernel: 7, stride: 2, padding: 3 },
  { name: "down 64-128", batch: 1, inC: 64, outC: 128, size: 56, kernel: 3, stride: 2, padding: 1 },
  { name: "1x1 256-64", batch: 1, inC: 256, outC: 64, size: 56, kernel: 1 },
  { name: "cifar 64x32x32", batch: 16, inC: 64, outC: 64, size: 32, kernel: 3, padding: 1 },
  { name: "depthwise 96x56", batch: 4, groups: 96, inC: 96, outC: 96, size: 56, kernel: 3, padding: 1 },
];

const top = peak();
console.log(`${runtime} ${core.variant}: peak ${top.toFixed(1)} GFLOP/s per thread`);
for (const c of cases) {
  const { batch, groups = 1, inC, outC, size, kernel: k, stride = 1, padding = 0 } = c;
  const wanted = (pass: string) => only === undefined || `${c.name} ${pass}`.includes(only);
  if (!["forward", "input", "weight"].some(wanted)) continue;
  const start = mark();
  const out = Math.floor((size + 2 * padding - k) / stride) + 1;
  const x = random(batch * inC * size * size), w = random(outC * (inC / groups) * k * k), b = random(outC);
  const y = random(batch * outC * out * out),
    other = alloc(4 * batch * Math.max(inC * size * size, outC * out * out));
  const otherW = alloc(4 * outC * (inC / groups) * k * k);
  const args = (x: number, w: number, b: number, y: number) =>
    struct(
      ...[0, F32, batch, groups, inC, outC, [1, size, size], [1, out, out], [1, k, k], [1, stride, stride]],
      ...[[0, padding, padding], [1, 1, 1], x, w, b, y, 0, 0],
    );
  const flops = 2 * batch * outC * out * out * (inC / groups) * k * k;
  const share = top * core.threads.count;
  if (wanted("forward")) {
    report(`${c.name} forward`, time(kernel("tc_conv", args(x, w, b, other))), flops, share);
  }
  if (wanted("input")) {
    report(`${c.name} input`, time(kernel("tc_conv_backward_input", args(other, w, 0, y))), flops, share);
  }
  if (wanted("weight")) {
    report(`${c.name} weight`, time(kernel("tc_conv_backward_weight", args(x, otherW, b, y))), flops, share);
  }
  release(start);
}
process.exit(0);
