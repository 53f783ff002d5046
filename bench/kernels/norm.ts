/** Normalisation and pooling: milliseconds. */

import process from "node:process";
import { alloc, core, f64, kernel, mark, random, release, report, runtime, struct, time } from "./lib.ts";

const F32 = 6, I64 = 4, I32 = 3;
const only = process.argv[2] || undefined;
console.log(`${runtime} ${core.variant}`);

function run(label: string, name: string, args: () => number): void {
  if (only !== undefined && !label.includes(only)) return;
  const start = mark();
  report(label, time(kernel(name, args())));
  release(start);
}

for (const [batch, channels, spatial] of [[100, 6, 784], [16, 64, 1024], [128, 512, 1]] as const) {
  const label = `batch_norm ${batch}x${channels}x${spatial}`;
  const args = (training: number) => {
    const n = batch * channels * spatial;
    const [x, y, dy, dx] = [random(n), alloc(4 * n), random(n), alloc(4 * n)];
    const p = Array.from({ length: 8 }, () => random(channels));
    for (const i of [3, 5]) for (let c = 0; c < channels; c++) core.f32[p[i]! / 4 + c] = 1;
    return struct(
      ...[0, F32, F32, batch, channels, spatial, training, f64(1e-5), f64(0.1)],
      ...[x, y, p[0]!, p[1]!, p[2]!, p[3]!, p[4]!, p[5]!, dy, dx, p[6]!, p[7]!],
    );
  };
  run(`${label} train`, "tc_batch_norm", () => args(1));
  run(`${label} eval`, "tc_batch_norm", () => args(0));
  run(`${label} backward`, "tc_batch_norm_backward", () => args(1));
}

for (const [rows, cols] of [[1024, 1024], [512, 128], [8, 4096]] as const) {
  const args = () => {
    const n = rows * cols;
    const p = Array.from({ length: 4 }, () => random(cols));
    return struct(
      ...[
        0,
        F32,
        F32,
        rows,
        cols,
        f64(1e-5),
        random(n),
        alloc(4 * n),
        p[0]!,
        p[1]!,
        random(rows),
        random(rows),
      ],
      ...[random(n), alloc(4 * n), p[2]!, p[3]!],
    );
  };
  run(`layer_norm ${rows}x${cols} forward`, "tc_layer_norm", args);
  run(`layer_norm ${rows}x${cols} backward`, "tc_layer_norm_backward", args);
}

const groupArgs = () => {
  const [batch, channels, spatial, groups] = [16, 64, 1024, 8];
  const n = batch * channels * spatial;
  const p = Array.from({ length: 4 }, () => random(channels));
  return struct(
    ...[0, F32, F32, batch, channels, spatial, groups, f64(1e-5), random(n), alloc(4 * n), p[0]!, p[1]!],
    ...[random(batch * groups), random(batch * groups), random(n), alloc(4 * n), p[2]!, p[3]!],
  );
};
run("group_norm 16x64x1024 forward", "tc_group_norm", groupArgs);
run("group_norm 16x64x1024 backward", "tc_group_norm_backward", groupArgs);

interface Pool {
  planes: number;
  size: number;
  kernel: number;
  stride: number;
  padding?: number;
}

function pool(
  { planes, size, kernel: k, stride, padding = 0 }: Pool,
  indexType: number,
  out?: number,
): number {
  const o = out ?? Math.floor((size + 2 * padding - k) / stride) + 1;
  const indices = alloc(8 * planes * o * o);
  const x = random(planes * size * size), y = random(planes * o * o);
  const args = struct(
    ...[F32, indexType || I64, planes, [1, size, size], [1, o, o], [1, k, k], [1, stride, stride], [
      0,
      padding,
      padding,
    ]],
    ...[[1, 1, 1], 1, 0, x, y, indexType ? indices : 0],
  );
  if (indexType) core.exports["tc_max_pool"]!(args);
  return args;
}

const lenet = { planes: 600, size: 28, kernel: 2, stride: 2 };
const stem = { planes: 64, size: 112, kernel: 3, stride: 2, padding: 1 };
run("max_pool 600x28x28 2/2 int64", "tc_max_pool", () => pool(lenet, I64));
run("max_pool 600x28x28 2/2 int32", "tc_max_pool", () => pool(lenet, I32));
run("max_pool 600x28x28 2/2 alone", "tc_max_pool", () => pool(lenet, 0));
run("max_pool 600x28x28 2/2 backward", "tc_max_pool_backward", () => pool(lenet, I64));
run("max_pool 64x112x112 3/2 int64", "tc_max_pool", () => pool(stem, I64));
run("max_pool 64x112x112 3/2 backward", "tc_max_pool_backward", () => pool(stem, I64));
run("avg_pool 600x28x28 2/2", "tc_avg_pool", () => pool(lenet, 0));
run("avg_pool 600x28x28 2/2 backward", "tc_avg_pool_backward", () => pool(lenet, 0));
run(
  "adaptive_avg_pool 512x7x7",
  "tc_adaptive_avg_pool",
  () => pool({ planes: 512, size: 7, kernel: 1, stride: 1 }, 0, 1),
);
process.exit(0);
