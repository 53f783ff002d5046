/**
 * Softmax, losses, indexing, sorting, random numbers and optimizer steps: milliseconds.
 *
 *   deno run -A scripts/build_wasm.ts --dev=relaxed-mt
 *   TSTORCH_WASM_FILE=build/wasm/tstorch-relaxed-mt.wasm deno run -A bench/kernels/data.ts [part of a name]
 */

import process from "node:process";
import { alloc, core, f64, kernel, mark, random, release, report, type Slot, struct, time } from "./lib.ts";

const I64 = 4, F32 = 6;
const MILLION = 1000000;
const only = process.argv[2] ?? "";

/** `n` int64 in [0, high). */
function indices(n: number, high: number): number {
  const at = alloc(8 * n);
  for (let i = 0; i < n; i++) core.i64[at / 8 + i] = BigInt(Math.floor(Math.random() * high));
  return at;
}

function bench(name: string, kernelName: string, slots: () => Slot[]): void {
  if (!name.includes(only)) return;
  const start = mark();
  report(name, time(kernel(kernelName, struct(...slots()))));
  release(start);
}

const softmax = (log: number, outer: number, n: number, inner: number) => () => {
  const count = outer * n * inner;
  return [log, F32, random(count), alloc(4 * count), outer, n, inner];
};
bench("softmax 1024x1024", "tc_softmax", softmax(0, 1024, 1024, 1));
bench("log_softmax 1024x1024", "tc_softmax", softmax(1, 1024, 1024, 1));
bench("softmax 1024x1024, dim 0", "tc_softmax", softmax(0, 1, 1024, 1024));
bench("log_softmax 64x10", "tc_softmax", softmax(1, 64, 10, 1));
const crossEntropy = (n: number, c: number, inner: number) => () => {
  const x = random(n * c * inner), target = indices(n * inner, c);
  return [
    0,
    F32,
    I64,
    1,
    -100,
    f64(0),
    x,
    target,
    0,
    alloc(4),
    alloc(4),
    alloc(4 * n * c * inner),
    n,
    c,
    inner,
  ];
};
bench("cross entropy 64x10", "tc_cross_entropy", crossEntropy(64, 10, 1));
bench("cross entropy 8x21x256x256", "tc_cross_entropy", crossEntropy(8, 21, 65536));
bench("cross entropy 64x50257", "tc_cross_entropy", crossEntropy(64, 50257, 1));

bench("embedding 4096 of 30000x256", "tc_index_select", () => {
  const weight = random(30000 * 256), index = indices(4096, 30000);
  return [F32, I64, 0, alloc(4 * 4096 * 256), weight, index, 1, 30000, 4096, 256, 0, 256, 0];
});
bench("embedding backward 4096 to 30000x256", "tc_embedding_backward", () => {
  const grad = random(4096 * 256), index = indices(4096, 30000);
  return [0, F32, I64, grad, index, alloc(4 * 30000 * 256), 4096, 30000, 256, -1, 0, 0, 0, 0];
});
const lines = (dim: number) => dim === 1 ? [1, 1, 1] : [1000, 1000, 1000];
const others = (dim: number): number[] => {
  const shape = new Array<number>(64).fill(0), strides = new Array<number>(192).fill(0);
  shape[0] = 1000;
  for (let k = 0; k < 3; k++) strides[k] = dim === 1 ? 1000 : 1;
  return [1, ...shape, ...strides];
};
for (const dim of [0, 1]) {
  bench(`gather 1000x1000, dim ${dim}`, "tc_gather", () => {
    const index = indices(MILLION, 1000);
    return [F32, alloc(4 * MILLION), random(MILLION), index, 1000, 1000, lines(dim), dim, others(dim)].flat();
  });
  bench(`scatter_add 1000x1000, dim ${dim}`, "tc_scatter", () => {
    const index = indices(MILLION, 1000), out = random(MILLION), src = random(MILLION);
    return [0, 1, 1, F32, out, src, index, 0, 0, 1000, 1000, lines(dim), dim, MILLION, others(dim)].flat();
  });
}
bench("masked_select 1M, half", "tc_masked_select", () => {
  const mask = alloc(MILLION);
  for (let i = 0; i < MILLION; i++) core.u8[mask + i] = Math.random() < 0.5 ? 1 : 0;
  return [0, F32, mask, random(MILLION), alloc(4 * MILLION), 0, MILLION, 0];
});

const sort = (dtype: number, outer: number, n: number, inner: number) => () => {
  const count = outer * n * inner, x = dtype === I64 ? indices(count, 2 ** 52) : random(count);
  return [0, dtype, x, alloc(8 * count), alloc(8 * count), outer, n, inner, 0];
};
bench("sort 1M float32", "tc_sort", sort(F32, 1, MILLION, 1));
bench("sort 1M int64", "tc_sort", sort(I64, 1, MILLION, 1));
bench("sort 1000x1000", "tc_sort", sort(F32, 1000, 1000, 1));
bench("sort 1000x1000, dim 0", "tc_sort", sort(F32, 1, 1000, 1000));
bench("sort 100000x10", "tc_sort", sort(F32, 100000, 10, 1));
const select = (outer: number, n: number, k: number) => () => {
  const out = alloc(4 * outer * k), places = alloc(8 * outer * k);
  return [0, F32, random(outer * n), out, places, outer, n, 1, k, 1, 1, 0];
};
bench("topk 5 of 1000x1000", "tc_topk", select(1000, 1000, 5));
bench("topk 100 of 1M", "tc_topk", select(1, MILLION, 100));
bench("median 1000x1000", "tc_median", select(1000, 1000, 1));

/** A seeded generator. */
function generator(): number {
  const at = alloc(40 + 624 * 4);
  kernel("tc_generator_seed", struct(at, 1, 0))();
  return at;
}
const draw = (op: number, dtype: number, a: number, b: number, range = 0) => () => {
  return [op, generator(), dtype, alloc(8 * MILLION), MILLION, f64(a), f64(b), 0, range, 1];
};
bench("rand 1M", "tc_random", draw(0, F32, 0, 1));
bench("randn 1M", "tc_random", draw(1, F32, 0, 1));
bench("randn 1M float64", "tc_random", draw(1, 7, 0, 1));
bench("exponential 1M", "tc_random", draw(3, F32, 1, 0));
bench("bernoulli 1M", "tc_random", draw(6, F32, 0.5, 0));
bench("randint 1M", "tc_random", draw(7, I64, 0, 0, 1000));
bench("randperm 1M", "tc_randperm", () => [generator(), I64, alloc(8 * MILLION), MILLION]);
bench("dropout 1M", "tc_dropout", () => {
  return [generator(), F32, random(MILLION), alloc(4 * MILLION), alloc(MILLION), MILLION, f64(0.5)];
});

const tensors = () => {
  const [p, g, m, v] = [random(MILLION), random(MILLION), random(MILLION), random(MILLION)];
  for (let i = 0; i < MILLION; i++) core.f32[v / 4 + i] = Math.abs(core.f32[v / 4 + i] ?? 0);
  return struct(p, g, m, v, 0, MILLION, F32, 0, f64(3), 0, 0, 0);
};
const numbers = [1e-3, 0, 0.9, 0].map(f64), adam = [0.9, 0.999, 1e-8].map(f64);
bench(
  "Adam 1M",
  "tc_optim_step",
  () => [1, 1, tensors(), 0, ...numbers, 0, ...adam, ...new Array(11).fill(0)],
);
bench("SGD with momentum 1M", "tc_optim_step", () => {
  const list = tensors();
  core.i64[list / 8 + 3] = 0n;
  return [0, 1, list, 0, ...numbers, 0, ...adam, ...new Array(11).fill(0)];
});
process.exit(0);
