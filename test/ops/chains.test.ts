/**
 * Random chains of operators on random views, against a reference that anybody can check by reading: a view is the list
 * of the places of its elements in a plain array, in row-major order, and an operator is a loop over such lists.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import * as torch from "../../src/mod.ts";
import type { Tensor } from "../../src/tensor.ts";

/** The reference's tensor: element i is `store[at[i]]`. */
interface Ref {
  store: number[];
  at: number[];
  shape: number[];
}

const count = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const values = (r: Ref): number[] => r.at.map((p) => r.store[p]!);
const fresh = (data: number[], shape: number[]): Ref => ({ store: data, at: data.map((_, i) => i), shape });

/** The coordinates of the i-th element in row-major order. */
function coordinates(i: number, shape: readonly number[]): number[] {
  const out: number[] = [];
  for (let d = shape.length - 1; d >= 0; d--) {
    out[d] = i % shape[d]!;
    i = Math.floor(i / shape[d]!);
  }
  return out;
}
const position = (c: readonly number[], shape: readonly number[]): number =>
  shape.reduce((p, n, d) => p * n + c[d]!, 0);

/** A view of `shape` whose element at coordinates c is the element of `r` at `from(c)`. */
function viewed(r: Ref, shape: number[], from: (c: number[]) => number[]): Ref {
  const at = Array.from(
    { length: count(shape) },
    (_, i) => r.at[position(from(coordinates(i, shape)), r.shape)]!,
  );
  return { store: r.store, at, shape };
}

/** One new element of `shape` from each list of elements along dimension d. */
function along(r: Ref, d: number, f: (line: number[]) => number[]): Ref {
  const others = r.shape.filter((_, k) => k !== d), v = values(r), n = r.shape[d]!;
  const lines = Array.from({ length: count(others) }, (_, i) => {
    const c = coordinates(i, others);
    return f(
      Array.from({ length: n }, (_, k) => v[position([...c.slice(0, d), k, ...c.slice(d)], r.shape)]!),
    );
  });
  const length = f(new Array<number>(n).fill(0)).length; // there may be no line
  const shape = [...r.shape.slice(0, d), length, ...r.shape.slice(d + 1)];
  const data = Array.from({ length: count(shape) }, (_, i) => {
    const c = coordinates(i, shape);
    return lines[position([...c.slice(0, d), ...c.slice(d + 1)], others)]![c[d]!]!;
  });
  return fresh(data, shape);
}

interface Step {
  name: string;
  /** Numbers that choose dimensions, starts and constants. */
  a: number;
  b: number;
  c: number;
}
type Operator = (t: Tensor, r: Ref, s: Step) => [Tensor, Ref];

const pick = (x: number, n: number): number => x % Math.max(n, 1);
const without = (shape: readonly number[], d: number): number[] => shape.filter((_, k) => k !== d);
const elementwise = (r: Ref, f: (x: number) => number): Ref => fresh(values(r).map(f), r.shape);

/** Writes through a view, and is seen by everything that shares its memory. */
function written(r: Ref, f: (x: number) => number): Ref {
  for (const p of new Set(r.at)) r.store[p] = f(r.store[p]!);
  return r;
}

const VIEWS: Record<string, Operator> = {
  transpose: (t, r, { a, b }) => {
    const n = r.shape.length, d0 = pick(a, n), d1 = pick(b, n);
    if (n === 0) return [t, r];
    const swap = <T>(list: readonly T[]): T[] =>
      list.map((x, i) => (i === d0 ? list[d1]! : i === d1 ? list[d0]! : x));
    return [t.transpose(d0, d1), viewed(r, swap(r.shape), swap)];
  },
  slice: (t, r, { a, b, c }) => {
    if (r.shape.length === 0) return [t, r];
    const d = pick(a, r.shape.length), n = r.shape[d]!, start = pick(b, n + 1), step = 1 + pick(c, 3);
    const shape = r.shape.map((x, k) => (k === d ? Math.ceil((n - start) / step) : x));
    const index = r.shape.map((_, k) => (k === d ? torch.Slice(start, null, step) : ":"));
    return [t.index(...index), viewed(r, shape, (at) => at.map((x, k) => (k === d ? start + x * step : x)))];
  },
  select: (t, r, { a, b }) => {
    const d = pick(a, r.shape.length), n = r.shape[d] ?? 0;
    if (n === 0) return [t, r];
    const i = pick(b, n);
    return [t.select(d, i), viewed(r, without(r.shape, d), (at) => [...at.slice(0, d), i, ...at.slice(d)])];
  },
  unsqueeze: (t, r, { a }) => {
    const d = pick(a, r.shape.length + 1);
    return [
      t.unsqueeze(d),
      viewed(r, [...r.shape.slice(0, d), 1, ...r.shape.slice(d)], (c) => without(c, d)),
    ];
  },
  expand: (t, r, { a }) => {
    const n = 1 + pick(a, 3);
    return [t.expand([n, ...r.shape]), viewed(r, [n, ...r.shape], (c) => c.slice(1))];
  },
  diagonal: (t, r) => {
    if (r.shape.length < 2) return [t, r];
    const shape = [...r.shape.slice(2), Math.min(r.shape[0]!, r.shape[1]!)];
    return [t.diagonal(), viewed(r, shape, (c) => [c.at(-1)!, c.at(-1)!, ...c.slice(0, -1)])];
  },
};

const COMPUTING: Record<string, Operator> = {
  add: (t, r, { c }) => [t.add(c), elementwise(r, (x) => x + c)],
  neg: (t, r) => [t.neg(), elementwise(r, (x) => 0 - x)],
  clamp: (t, r, { c }) => [t.clamp(-c, c), elementwise(r, (x) => Math.min(Math.max(x, -c), c))],
  "add itself reversed": (t, r) => {
    const order = r.shape.map((_, d) => d).reverse();
    if (r.shape.some((n, d) => n !== r.shape[order[d]!])) return [t, r];
    const other = values(viewed(r, r.shape, (c) => c.slice().reverse()));
    return [t.add(t.permute(order)), fresh(values(r).map((x, i) => x + other[i]!), r.shape)];
  },
  "mul by a row": (t, r, { a }) => {
    const n = r.shape.at(-1);
    if (n === undefined) return [t, r];
    const row = Array.from({ length: n }, (_, i) => (i + a) % 4 - 1);
    const data = values(r).map((x, i) => x * row[i % n]! + 0);
    return [t.mul(torch.tensor(row, { dtype: torch.float64 })), fresh(data, r.shape)];
  },
  sum: (t, r, { a }) => {
    const d = pick(a, r.shape.length);
    if (r.shape.length === 0) return [t, r];
    const sums = along(r, d, (line) => [line.reduce((x, y) => x + y, 0)]);
    return [t.sum(d), fresh(sums.store, without(r.shape, d))];
  },
  amax: (t, r, { a }) => {
    const d = pick(a, r.shape.length);
    if ((r.shape[d] ?? 0) === 0) return [t, r];
    return [t.amax(d, true), along(r, d, (line) => [Math.max(...line)])];
  },
  cumsum: (t, r, { a }) => {
    const d = pick(a, r.shape.length);
    if (r.shape.length === 0 || count(r.shape) === 0) return [t, r];
    let sum = 0;
    return [t.cumsum(d), along(r, d, (line) => (sum = 0, line.map((x) => sum += x)))];
  },
  sort: (t, r, { a }) => {
    const d = pick(a, r.shape.length);
    if (r.shape.length === 0 || count(r.shape) === 0) return [t, r];
    return [t.sort(d)[0], along(r, d, (line) => line.slice().sort((x, y) => x - y))];
  },
  flip: (t, r, { a }) => {
    const d = pick(a, r.shape.length);
    if (r.shape.length === 0) return [t, r];
    const turned = viewed(r, r.shape, (c) => c.map((x, k) => (k === d ? r.shape[d]! - 1 - x : x)));
    return [t.flip([d]), fresh(values(turned), r.shape)];
  },
  cat: (t, r, { a }) => {
    const d = pick(a, r.shape.length);
    if (r.shape.length === 0 || count(r.shape) === 0 || count(r.shape) > 200) return [t, r];
    return [torch.cat([t, t.neg()], d), along(r, d, (line) => [...line, ...line.map((x) => 0 - x)])];
  },
  "index_select": (t, r, { a, b, c }) => {
    const d = pick(a, r.shape.length), n = r.shape[d] ?? 0;
    if (n === 0 || count(r.shape) === 0) return [t, r];
    const which = [pick(b, n), pick(c, n), pick(b, n)];
    return [
      t.index_select(d, torch.tensor(which.map(BigInt))),
      along(r, d, (line) => which.map((i) => line[i]!)),
    ];
  },
  // Whether reshape copies depends on strides; the copy makes both cases one.
  reshape: (t, r) => [t.reshape([-1]).clone(), fresh(values(r), [count(r.shape)])],
};

const WRITING: Record<string, Operator> = {
  add_: (t, r, { c }) => [t.add_(c), written(r, (x) => x + c)],
  neg_: (t, r) => [t.neg_(), written(r, (x) => 0 - x)],
  fill_: (t, r, { c }) => [t.fill_(c), written(r, () => c)],
};

const operators = { ...VIEWS, ...COMPUTING, ...WRITING };
const steps = fc.array(
  fc.record({
    name: fc.constantFrom(...Object.keys(operators)),
    a: fc.nat(11),
    b: fc.nat(11),
    c: fc.nat(5),
  }),
  { minLength: 1, maxLength: 9 },
);
const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });

function agree(t: Tensor, r: Ref, what: string): void {
  expect([...t.shape], what).toEqual(r.shape);
  // 0 and -0 are the same number here.
  const got = Array.from(t.contiguous().to_typed_array() as Float64Array, (x) => x + 0);
  expect(got, what).toEqual(values(r).map((x) => x + 0));
}

test("chains of operators on views agree with loops over plain arrays", () => {
  fc.assert(
    fc.property(shapes, steps, (shape, chain) => {
      const data = Array.from({ length: count(shape) }, (_, i) => (i * 7) % 11 - 5);
      const base = torch.tensor(data, { dtype: torch.float64 }).reshape(shape);
      const places = fresh(data.slice(), shape);
      let t = base, r = places;
      for (const step of chain) {
        // Elements that share memory cannot be written at once, as in PyTorch.
        if (step.name in WRITING && new Set(r.at).size < r.at.length) continue;
        [t, r] = operators[step.name]!(t, r, step);
        agree(t, r, step.name);
        if (r.at.length > 2000) break;
      }
      agree(base, places, "the beginning");
    }),
    { numRuns: 1500, seed: 1 },
  );
});
