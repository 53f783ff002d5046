/**
 * Linear algebra through the public functions: milliseconds, beside PyTorch's (bench/torch/linalg.py, run by this
 * program if `--torch` is given; `--python=PATH` names the interpreter).
 *
 *   TSTORCH_NUM_THREADS=1 deno run -A bench/kernels/linalg.ts --torch [OP]
 */

import { execFileSync } from "node:child_process";
import process from "node:process";
import * as torch from "../../src/mod.ts";
import type { Tensor } from "../../src/tensor.ts";

const words = process.argv.slice(2);
const only = words.find((w) => !w.startsWith("--"));
const python = words.find((w) => w.startsWith("--python="))?.slice(9) ?? "/usr/bin/python3";
const sizes = [64, 256, 512];
const { linalg } = torch;

const operations: Record<string, (a: Tensor, spd: Tensor) => unknown> = {
  lu_factor: (a) => linalg.lu_factor(a),
  solve: (a) => linalg.solve(a, a),
  inv: (a) => linalg.inv(a),
  cholesky: (_, spd) => linalg.cholesky(spd),
  qr: (a) => linalg.qr(a),
  eigvalsh: (_, spd) => linalg.eigvalsh(spd),
  eigh: (_, spd) => linalg.eigh(spd),
  svdvals: (a) => linalg.svdvals(a),
  svd: (a) => linalg.svd(a),
  matrix_exp: (a) => torch.matrix_exp(a),
};

/** The best of several calls, in milliseconds. */
function time(f: () => unknown): number {
  f();
  let best = Infinity;
  const until = performance.now() + 400;
  for (let i = 0; i < 3 || performance.now() < until && i < 200; i++) {
    const start = performance.now();
    torch.scope(() => void f());
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

const theirs = new Map<string, number>();
if (words.includes("--torch")) {
  const script = new URL("../torch/linalg.py", import.meta.url).pathname;
  const threads = String(torch.get_num_threads());
  const output = execFileSync(python, [script, threads, only ?? ""], { encoding: "utf8" });
  for (const line of output.trim().split("\n")) {
    const [key, ms] = line.split("\t") as [string, string];
    theirs.set(key, Number(ms));
  }
}

for (const dtype of [torch.float32, torch.float64]) {
  for (const [name, f] of Object.entries(operations)) {
    if (only !== undefined && only !== name) continue;
    for (const n of sizes) {
      torch.manual_seed(n);
      const a = torch.randn(n, n, { dtype });
      const spd = a.matmul(a.mT).add(torch.eye(n, { dtype }));
      const ms = time(() => f(a, spd)), key = `${name} ${n} ${String(dtype).slice(6)}`;
      const other = theirs.get(key);
      const beside = other === undefined
        ? ""
        : `  PyTorch ${other.toFixed(3).padStart(9)}  ${(ms / other).toFixed(2)}`;
      console.log(`${key.padEnd(26)} ${ms.toFixed(3).padStart(9)} ms${beside}`);
    }
  }
}
process.exit(0);
