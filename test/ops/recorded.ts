/**
 * Reading what test/fixtures/record_indexing.py recorded, and comparing with it.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import * as torch from "../../src/mod.ts";
import type { Index } from "../../src/ops/index_args.ts";
import type { Tensor } from "../../src/tensor.ts";

/** A value as it was recorded. */
export type Json = unknown;

interface TensorJson {
  readonly dtype: string;
  readonly shape: number[];
  readonly data: (number | boolean | { float: string })[];
}

const names = torch as unknown as Record<string, unknown>;

/** The contents of a fixture file. */
export function fixture<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../fixtures/${name}`, import.meta.url), "utf8")) as T;
}

const isObject = (v: Json): v is Record<string, Json> =>
  typeof v === "object" && v !== null && !Array.isArray(v);

function floatOf(text: string): number {
  return text === "inf" ? Infinity : text === "-inf" ? -Infinity : Number(text);
}

function tensorOf(t: TensorJson): Tensor {
  const dtype = names[t.dtype] as torch.dtype;
  const flat = t.data.map((v) => typeof v === "object" ? floatOf(v.float) : Number(v));
  return torch.tensor(flat, { dtype: torch.float64 }).to(dtype).reshape(t.shape);
}

/** A recorded value as an argument. */
export function decode(v: Json): unknown {
  if (Array.isArray(v)) return v.map(decode);
  if (!isObject(v)) return v;
  if ("tensor" in v) return tensorOf(v.tensor as TensorJson).requires_grad_(v.grad === true);
  if ("float" in v) {
    const x = floatOf(v.float as string);
    return Number.isInteger(x) ? torch.pyfloat(x) : x;
  }
  if ("int" in v) return BigInt(v.int as string);
  if ("dtype" in v) return names[v.dtype as string];
  if ("slice" in v) return torch.Slice(...decode(v.slice) as [number, number, number]);
  if ("ellipsis" in v) return "...";
  if ("tuple" in v) return new Tuple(decode(v.tuple) as Index[]);
  if ("generator" in v) return new torch.Generator();
  throw new Error(`what is ${JSON.stringify(v)}?`);
}

/** Several indices, where an array would be one. */
export class Tuple {
  readonly items: Index[];
  constructor(items: Index[]) {
    this.items = items;
  }
}

/** Calls `torch.a.b` or `Tensor.m` with recorded arguments. */
export function call(path: string, args: unknown[], kwargs: Record<string, Json>): unknown {
  const options = Object.entries(kwargs).map(([k, v]) => [k, decode(v)]);
  const all = options.length === 0 ? args : [...args, Object.fromEntries(options)];
  if (path === "Tensor.index") {
    const index = args[1];
    return (args[0] as Tensor).index(...(index instanceof Tuple ? index.items : [index as Index]));
  }
  const [head, ...rest] = path.split(".");
  if (head === "Tensor") {
    const [self, ...others] = all as [Record<string, (...a: unknown[]) => unknown>, ...unknown[]];
    return self[rest[0]!]!(...others);
  }
  let f: unknown = torch;
  for (const name of rest) f = (f as Record<string, unknown>)[name];
  return (f as (...a: unknown[]) => unknown)(...all);
}

/** The elements as numbers, row-major. */
export function values(t: Tensor): number[] {
  return Array.from(t.detach().to(torch.float64).contiguous().to_typed_array() as ArrayLike<number>);
}

/** Expects dtype, shape and elements to be as recorded. */
export function expectTensor(got: unknown, want: Json, tolerance = 1e-12): void {
  expect(got).toBeInstanceOf(torch.Tensor);
  const t = got as Tensor;
  const w = (want as { tensor: TensorJson }).tensor;
  expect(t.dtype.name).toBe(w.dtype);
  expect([...t.shape]).toEqual(w.shape);
  const wide = w.dtype === "float64" || !w.dtype.includes("float");
  const expected = w.data.map((v) => typeof v === "object" ? floatOf(v.float) : Number(v));
  values(t).forEach((x, i) => {
    const y = expected[i]!;
    const close = Object.is(x, y) || x === y ||
      Math.abs(x - y) <= (wide ? tolerance : 2e-7) * (1 + Math.abs(y));
    if (!close) expect.fail(`element ${i} is ${x}, not ${y}`);
  });
}

/** Expects a result that may be several. */
export function expectResult(got: unknown, want: Json, tolerance?: number): void {
  if (!Array.isArray(want)) return expectTensor(got, want, tolerance);
  expect(Array.isArray(got)).toBe(true);
  const list = got as unknown[];
  expect(list.length).toBe(want.length);
  want.forEach((w, i) => expectTensor(list[i], w, tolerance));
}

/** What a call throws, as Python's class name and the first line of its message. */
export function thrown(body: () => unknown): [string, string] | null {
  try {
    body();
    return null;
  } catch (e) {
    return [(e as Error).name, (e as Error).message.split("\n")[0]!];
  }
}
