/** Every recorded operator under vmap: the same as a loop over the samples, values and gradients. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import * as torch from "../../src/mod.ts";
import { Tensor } from "../../src/tensor.ts";
import { at, call, type Case, decode, decodeOptions, Missing, type OpFile } from "../ops/judge.ts";

const files: OpFile[] = JSON.parse(
  readFileSync(new URL("../fixtures/ops.json", import.meta.url), "utf8"),
);

const SAMPLES = 3;
/** What vmap says where the answer's shape would depend on values, or is no tensor. */
const REFUSED =
  /dynamic shape|calling \.item\(\)|data-dependent|must only return Tensors|not a Tensor|is not possible because|randomness|updated in place/;

// deno-lint-ignore no-explicit-any -- arguments of every operator
type Any = any;

/** The tensors of an argument list, and the list with others in their place. */
function parts(args: Any): { tensors: Tensor[]; put: (t: Tensor[]) => Any } {
  const tensors: Tensor[] = [];
  const take = (x: Any): void => {
    if (x instanceof Tensor) tensors.push(x);
    else if (Array.isArray(x)) x.forEach(take);
    else if (x !== null && typeof x === "object" && Object.getPrototypeOf(x) === Object.prototype) {
      Object.values(x).forEach(take);
    }
  };
  take(args);
  return {
    tensors,
    put: (list) => {
      let i = 0;
      const give = (x: Any): Any => {
        if (x instanceof Tensor) return list[i++];
        if (Array.isArray(x)) return Object.assign(x.map(give), "tuple" in x ? { tuple: true } : {});
        if (x !== null && typeof x === "object" && Object.getPrototypeOf(x) === Object.prototype) {
          return Object.fromEntries(Object.entries(x).map(([k, v]) => [k, give(v)]));
        }
        return x;
      };
      return give(args);
    },
  };
}

/** Samples of a tensor: its elements moved round, so that values stay in the operator's domain. */
function samplesOf(t: Tensor): Tensor[] {
  return Array.from(
    { length: SAMPLES },
    (_, k) => k === 0 ? t : t.reshape([-1]).roll(k).reshape([...t.shape]),
  );
}

const flat = (x: Any): Tensor[] => x instanceof Tensor ? [x] : [...x].flatMap(flat);

function close(a: Tensor, b: Tensor): string | null {
  if (a.dtype !== b.dtype) return `dtype ${a.dtype}, expected ${b.dtype}`;
  if (String(a.shape) !== String(b.shape)) return `shape ${a.shape}, expected ${b.shape}`;
  if (!a.dtype.is_floating_point) return a.equal(b) ? null : `${a}, expected ${b}`;
  const same = torch.allclose(a.double(), b.double(), { rtol: 1e-4, atol: 1e-5, equal_nan: true });
  return same ? null : `${a}, expected ${b}`;
}

/** null if right, "skip" if the operator has no answer for these samples. */
function check(file: OpFile, c: Case, batched: (i: number) => boolean, dim: number): string | null {
  const given = [c.args.map(decode), decodeOptions(c.kwargs)];
  const { tensors, put } = parts(given);
  const run = (list: Tensor[]): Tensor[] => {
    const [args, kwargs] = put(list);
    return flat(call(file.call, args, kwargs));
  };
  const mapped = tensors.map((t, i) => batched(i) && t.numel() > 0);
  if (!mapped.some(Boolean)) return "skip";
  const differentiable = c.grads !== null && c.grads.length > 0;
  const wanting = new Set(
    (c.grads ?? []).map((g) => at({ args: given[0], kwargs: given[1] }, g.arg)),
  );
  const leaf = (t: Tensor, i: number): Tensor =>
    wanting.has(tensors[i]!) ? t.detach().clone().requires_grad_(true) : t;
  const each = tensors.map((t, i) => mapped[i] ? samplesOf(t).map((s) => leaf(s, i)) : null);
  let wanted: Tensor[][];
  try {
    wanted = Array.from({ length: SAMPLES }, (_, k) => run(tensors.map((t, i) => each[i] ? each[i][k]! : t)));
    wanted[0]!.forEach((_, k) => torch.stack(wanted.map((w) => w[k]!)));
  } catch (e) {
    if (e instanceof Missing) throw e;
    return "skip";
  }
  const stacked = tensors.map((t, i) => {
    if (each[i] === null || each[i] === undefined) return t;
    const where = dim < 0 ? t.dim() : 0;
    return torch.stack(each[i].map((s) => s.detach()), where).requires_grad_(each[i][0]!.requires_grad);
  });
  const inDims = tensors.map((t, i) => (each[i] ? (dim < 0 ? t.dim() : 0) : null));
  let got: Tensor[];
  try {
    got = flat(torch.vmap((...list: Tensor[]) => run(list), inDims)(...stacked));
  } catch (e) {
    if (REFUSED.test((e as Error).message)) return "skip";
    throw e;
  }
  for (let k = 0; k < wanted[0]!.length; k++) {
    const why = close(got[k]!.detach(), torch.stack(wanted.map((w) => w[k]!.detach())));
    if (why !== null) return `result ${k}: ${why}`;
  }
  const roots = got.filter((t) => t.requires_grad);
  if (!differentiable || roots.length === 0) return null;
  const total = (list: Tensor[]): Tensor =>
    list.map((t) => t.mul(t.detach().abs().add(0.5).clamp({ max: 2 }).nan_to_num()).sum()).reduce((a, b) =>
      a.add(b)
    );
  try {
    wanted.forEach((w) => total(w.filter((t) => t.requires_grad)).backward());
  } catch {
    return null;
  }
  total(roots).backward();
  for (let i = 0; i < tensors.length; i++) {
    if (!stacked[i]!.requires_grad || !stacked[i]!.grad) continue;
    const gs = each[i]!.map((s) => s.grad ?? torch.zeros_like(s));
    const why = close(stacked[i]!.grad!, torch.stack(gs, inDims[i]!));
    if (why !== null) return `gradient ${i}: ${why}`;
  }
  return null;
}

const WAYS: [string, (i: number) => boolean, number][] = [
  ["all tensors", () => true, 0],
  ["the first, last dimension", (i) => i === 0, -1],
  ["the others", (i) => i > 0, 0],
];

describe("vmap is a loop", () => {
  for (const file of files) {
    test(`${file.op}${file.variant ? `-${file.variant}` : ""}`, () => {
      const wrong: string[] = [];
      for (const c of file.cases.filter((c) => c.dtype !== "float16" && c.dtype !== "bfloat16").slice(0, 4)) {
        for (const [name, batched, dim] of WAYS) {
          try {
            const why = check(file, c, batched, dim);
            if (why !== null && why !== "skip") wrong.push(`${c.id}, ${name}: ${why}`);
          } catch (e) {
            if (!(e instanceof Missing)) wrong.push(`${c.id}, ${name}: threw ${(e as Error).message}`);
          }
        }
      }
      expect(wrong).toEqual([]);
    });
  }
});
