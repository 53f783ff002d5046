/**
 * Modules in random configurations against PyTorch itself, where it is installed: weights, printed text, results,
 * gradients and buffers. `MODULES_SEED` and `MODULES_COUNT` choose others; test/nn/random_modules.py records them.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import * as torch from "../../src/mod.ts";
import { Tensor } from "../../src/tensor.ts";
import { decode, decodeOptions, type Json } from "../ops/judge.ts";

const here = dirname(fileURLToPath(import.meta.url));
const python = process.env.PYTHON ?? "/usr/bin/python3";
const version = spawnSync(python, ["-c", "import torch; print(torch.__version__)"], { encoding: "utf8" });
const found = version.status === 0 && version.stdout.startsWith("1.13");
if (!found) console.warn(`random modules: skipped, ${python} has no PyTorch 1.13`);

/** Is `got` what PyTorch has: to the last digits for weights, else as far as another order of additions may go? */
function close(got: unknown, want: Json, exact: boolean, where: string): void {
  if (want === null || want === undefined) return;
  if (want.tuple) {
    return want.tuple.forEach((w: Json, i: number) =>
      close((got as unknown[])[i], w, exact, `${where}[${i}]`)
    );
  }
  expect(got, where).toBeInstanceOf(Tensor);
  const a = (got as Tensor).detach(), b = decode(want) as Tensor;
  expect(`${a.dtype} ${a.shape}`, where).toBe(`${b.dtype} ${b.shape}`);
  const double = b.dtype === torch.float64;
  const [rtol, atol] = double ? [1e-9, 1e-9] : exact ? [1e-6, 1e-8] : [1e-4, 2e-5];
  expect(torch.allclose(a, b, { rtol, atol, equal_nan: true }), `${where}\n${a}\n${b}`).toBe(true);
}

function judge(c: Json): void {
  // deno-lint-ignore no-explicit-any -- looked up by name
  const make = (torch.nn as any)[c.class];
  torch.manual_seed(c.seed);
  const kwargs = decodeOptions(c.kwargs);
  const m = new make(...c.args.map(decode), ...(Object.keys(kwargs).length > 0 ? [kwargs] : []));
  const state = m.state_dict() as Map<string, Tensor>;
  expect([...state.keys()]).toEqual(c.state_keys);
  for (const [k, t] of state) close(t, c.state_dict[k], true, k);
  // JavaScript has one kind of number: 2 prints for 2.0.
  const plain = (s: string): string => s.replace(/(\d)\.0\b/g, "$1");
  expect(plain(String(m))).toBe(plain(c.repr));
  m.train(c.train);
  const buffers = new Map<string, Tensor>(m.named_buffers());
  for (const [k, v] of Object.entries(c.load ?? {})) {
    torch.no_grad(() => void buffers.get(k)!.copy_(decode(v)));
  }
  const wanted: Json[] = c.input_grads ?? [];
  const inputs = c.inputs.map((v: Json, i: number) =>
    (decode(v) as Tensor).requires_grad_(Boolean(wanted[i]))
  );
  torch.manual_seed(c.forward_seed);
  const out = m(...inputs);
  close(out, c.output, false, "output");
  if (c.cotangents) {
    const flat = (x: unknown): Tensor[] => x instanceof Tensor ? [x] : (x as unknown[]).flatMap(flat);
    const roots = flat(out).flatMap((t, i) => c.cotangents[i] ? [[t, decode(c.cotangents[i])] as const] : []);
    torch.autograd.backward(roots.map(([t]) => t), roots.map(([, g]) => g as Tensor));
    wanted.forEach((g, i) => close(inputs[i].grad, g, false, `gradient of input ${i}`));
    for (const [k, p] of m.named_parameters()) {
      close((p as Tensor).grad, c.param_grads[k], false, `gradient of ${k}`);
    }
  }
  for (const [k, b] of m.named_buffers()) close(b, c.buffers_after[k], false, k);
}

describe.skipIf(!found)("modules in random configurations", () => {
  const folder = mkdtempSync(join(tmpdir(), "tstorch-modules-"));
  const seed = process.env.MODULES_SEED ?? "11", count = process.env.MODULES_COUNT ?? "220";
  const run = found
    ? spawnSync(python, [join(here, "random_modules.py"), seed, count, folder], { encoding: "utf8" })
    : null;
  if (run !== null && run.status !== 0) throw new Error(run.stderr);
  for (const file of readdirSync(folder).sort()) {
    const { cases } = JSON.parse(readFileSync(join(folder, file), "utf8"));
    test(file.replace(".json", ""), () => {
      for (const c of cases) {
        try {
          judge(c);
        } catch (e) {
          throw new Error(`${c.id}: ${JSON.stringify([c.args, c.kwargs]).slice(0, 300)}`, { cause: e });
        }
      }
    });
  }
});
