/**
 * First and second derivatives of the whole operator table against finite differences (float64): on recorded samples,
 * and on samples of its own where there are none. A formula of the table that no sample reaches fails the last test.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { formulas, ran } from "./gradcheck_formulas.ts"; // before anything uses an operator
import * as torch from "../../src/mod.ts";
import { Tensor } from "../../src/tensor.ts";
import { at, call, type Case, decode, decodeOptions, type Json, type OpFile } from "./judge.ts";
import { samples } from "./gradcheck_samples.ts";

const files: OpFile[] = JSON.parse(
  readFileSync(new URL("../fixtures/ops.json", import.meta.url).pathname, "utf8"),
);

/** Elements of all inputs of a sample. */
const LARGEST = 60;

/** Operators that change the dtype: finite differences see its rounding. */
const CASTS = /^(bfloat16|half|float|to)$/;

/** Functions whose derivative holds for inputs of a kind; applied to the input that is named. */
const symmetric = (x: Tensor): Tensor => x.add(x.mT).div(2);
const DOMAIN: Readonly<Record<string, [arg: string, project: (x: Tensor) => Tensor]>> = {
  cholesky: ["args[0]", symmetric],
  "linalg.cholesky": ["args[0]", symmetric],
  "linalg.cholesky_ex": ["args[0]", symmetric],
  "linalg.eigh": ["args[0]", symmetric],
  "linalg.eigvalsh": ["args[0]", symmetric],
  "linalg.pinv-hermitian": ["args[0]", symmetric],
  cholesky_inverse: ["args[0]", (x) => x.tril()],
  cholesky_solve: ["args[1]", (x) => x.tril()],
  "nn.functional.ctc_loss": ["args[0]", (x) => x.log_softmax(-1)],
};

/** What differs from finite differences, and why. */
const KINKS: Readonly<Record<string, string>> = {
  "linalg.svd/0": "full_matrices: the columns beyond the rank are any basis",
  "svd/0": "full matrices: the columns beyond the rank are any basis",
  "svd/2": "full matrices: the columns beyond the rank are any basis",
  "linalg.norm-subgradients_at_zero/2": "a subgradient",
  "trace/2": "PyTorch 1.13's gradient of a tall matrix goes on below the diagonal",
  "nn.functional.embedding/0": "padding_idx has no gradient by definition",
  "nn.functional.embedding/2": "scale_grad_by_freq is no derivative",
  "nn.functional.max_unpool1d/1": "indices that meet: PyTorch's gradient counts every one",
  "nn.functional.max_unpool1d/2": "indices that meet: PyTorch's gradient counts every one",
  "nn.functional.max_unpool2d/0": "indices that meet: PyTorch's gradient counts every one",
  "nn.functional.max_unpool2d/1": "indices that meet: PyTorch's gradient counts every one",
};
const SECOND_KINKS: Readonly<Record<string, string>> = {
  "linalg.norm-subgradients_at_zero/0": "not differentiable twice at zero",
  "masked.logaddexp/0": "-inf for what is masked: inf / inf in PyTorch's formula",
  "max-reduction_no_dim/2": "equal elements share the gradient",
};
/** PyTorch has no second derivatives of these either, and says so. */
const NO_SECOND = /^nn\.functional\.(embedding_bag|ctc_loss)$/;

/** Formulas that no test here can check: of random numbers, of complex numbers, those that only throw. */
const UNREACHED =
  /^(normal|normal_|bernoulli|bernoulli_|poisson|uniform_|log_normal_|exponential_|geometric_|cauchy_|random_|native_dropout|native_dropout_backward|rrelu_with_noise|multinomial)#|^scatter#[23]|^(view_as_real|view_as_complex|to_copy|alias|_neg_view|_conj)#/;
/** Families whose formulas have tests of their own: test/ops/linalg.test.ts, complex.test.ts. */
const ELSEWHERE = /^(_?linalg_|_?fft_|lu|svd|real|imag|conj|resolve|complex|polar|angle|_complex)/;

function wide(x: Json): Json {
  if (x instanceof Tensor) return x.dtype.is_floating_point ? x.double() : x;
  if (Array.isArray(x)) {
    return Object.assign(x.map(wide), (x as { tuple?: boolean }).tuple ? { tuple: true } : {});
  }
  if (x !== null && typeof x === "object" && Object.getPrototypeOf(x) === Object.prototype) {
    return Object.fromEntries(Object.entries(x).map(([k, v]) => [k, wide(v)]));
  }
  return x;
}

/** A copy of nested arguments with `value` at `path`. */
function replaced(root: Json, path: string[], value: Json): Json {
  if (path.length === 0) return value;
  const copy = Array.isArray(root) ? Object.assign(root.slice(), root) : { ...root };
  copy[path[0]!] = replaced(root[path[0]!], path.slice(1), value);
  return copy;
}

type Loss = (...inputs: Tensor[]) => Tensor;

/** The results of a function, each element with a weight of its own, as one number. */
function weighted(fn: (...inputs: Tensor[]) => Json, inputs: readonly Tensor[]): Loss | null {
  const list = (out: Json): Json[] => (out instanceof Tensor ? [out] : [...out]);
  const chosen = list(fn(...inputs)).flatMap((o, k) => (o instanceof Tensor && o.requires_grad ? [k] : []));
  if (chosen.length === 0) return null;
  return (...xs) => {
    const outs = list(fn(...xs));
    return chosen.map((k) => {
      const out = outs[k] as Tensor;
      const weights = torch.arange(out.numel(), { dtype: torch.float64 }).mul(12.9898).sin().add(1.1);
      return out.double().mul(weights.view(out.shape)).sum();
    }).reduce((a, b) => a.add(b));
  };
}

/** null if first and second derivatives are right, else what is wrong. */
function check(fn: (...inputs: Tensor[]) => Json, inputs: Tensor[], second: boolean): string | null {
  const loss = weighted(fn, inputs);
  if (loss === null) return null;
  const size = Math.abs(loss(...inputs).item() as number);
  if (!Number.isFinite(size)) return null;
  // A difference of two losses has their rounding error, divided by the step of 1e-6.
  const options = { atol: 1e-5 + 1e-9 * size };
  try {
    torch.autograd.gradcheck(loss, inputs, options);
  } catch (e) {
    return `gradient: ${(e as Error).message}`;
  }
  if (!second) return null;
  try {
    torch.autograd.gradgradcheck(loss, inputs, null, options);
  } catch (e) {
    return `second derivative: ${(e as Error).message}`;
  }
  return null;
}

/** The function and the inputs of a recorded case, or null if it does not serve. */
function prepare(file: OpFile, c: Case): [(...inputs: Tensor[]) => Json, Tensor[]] | null {
  const wanted = (c.grads ?? []).filter((g) => g.grad).map((g) => g.arg);
  const root = wide({ args: decode(c.args), kwargs: decodeOptions(c.kwargs) });
  delete root.kwargs.dtype;
  const start = wanted.map((w) => at(root, w) as Tensor);
  const count = start.reduce((n, t) => n + t.numel(), 0);
  if (count === 0 || count > LARGEST || start.some((t) => !t.isfinite().all().item())) return null;
  const [arg, project] = DOMAIN[file.op + (file.variant ? `-${file.variant}` : "")] ?? DOMAIN[file.op] ??
    [null, null];
  const fn = (...xs: Tensor[]): Json => {
    let r = root;
    wanted.forEach((w, i) => {
      const path = w.replace(/\[(\d+)\]/g, ".$1").split(".");
      r = replaced(r, path, w === arg ? project!(xs[i]!) : xs[i]);
    });
    return call(file.call, r.args, r.kwargs);
  };
  return [fn, start.map((t) => t.detach().clone().requires_grad_(true))];
}

describe("derivatives of recorded samples", () => {
  for (const file of files) {
    if (CASTS.test(file.op) || !file.cases.some((c) => c.grads?.some((g) => g.grad))) continue;
    const name = file.op + (file.variant ? `-${file.variant}` : "");
    test(`${name} agrees with finite differences`, () => {
      const wrong: string[] = [];
      for (const c of file.cases) {
        if (c.id in KINKS) continue;
        const sample = prepare(file, c);
        const second = !(c.id in SECOND_KINKS) && !NO_SECOND.test(file.op);
        const why = sample === null ? null : check(...sample, second);
        if (why !== null) wrong.push(`${c.id}: ${why}`);
      }
      expect(wrong).toEqual([]);
    });
  }
});

describe("derivatives of more samples", () => {
  for (const [name, make] of Object.entries(samples)) {
    test(`${name} agrees with finite differences`, () => {
      const [fn, inputs] = make();
      expect(check(fn, inputs, true)).toBe(null);
    });
  }
});

test("every derivative of the table was checked", () => {
  const missed = [...formulas].filter((f) => !ran.has(f) && !UNREACHED.test(f) && !ELSEWHERE.test(f));
  expect(missed).toEqual([]);
});
