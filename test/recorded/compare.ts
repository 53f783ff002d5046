/** Comparing what a recorded program returns with what PyTorch returned (test/fixtures/{autograd,seeds}.json). */
import * as torch from "../../src/mod.ts";

// deno-lint-ignore no-explicit-any -- recorded values of every kind
type Json = any;

export interface Program {
  id: string;
  /** The body of a function with torch, nn, F, optim and data in scope. */
  ts: string;
  expect: Json;
  values?: Json;
  params?: Record<string, { shape: number[]; sum: number; abs_sum: number; first: number[] }>;
  loss_rel_drift?: number;
}

// deno-lint-ignore no-explicit-any -- looked up by recorded names
const api = torch as any;

/** Runs a program and returns what it returns. */
export function run(p: Program): Json {
  const scope: Record<string, unknown> = {
    torch: api,
    nn: api.nn,
    F: api.nn.functional,
    optim: api.optim,
    data: api.utils.data,
  };
  return new Function(...Object.keys(scope), p.ts)(...Object.values(scope));
}

const FLOATS: Record<string, Float32ArrayConstructor | Float64ArrayConstructor> = {
  float32: Float32Array,
  float64: Float64Array,
};
const INTEGERS: Record<string, (b: ArrayBuffer) => ArrayLike<number | bigint>> = {
  int64: (b) => new BigInt64Array(b),
  int32: (b) => new Int32Array(b),
  uint8: (b) => new Uint8Array(b),
  bool: (b) => new Uint8Array(b),
};

function numbersOf(v: Json): number[] {
  const bytes = Uint8Array.from(atob(v.data), (c) => c.charCodeAt(0));
  const make = FLOATS[v.dtype];
  if (make) return Array.from(new make(bytes.buffer));
  const read = INTEGERS[v.dtype];
  if (!read) throw new Error(`no reader for ${v.dtype}`);
  return Array.from(read(bytes.buffer), Number);
}

function near(got: number, want: number, rtol: number, atol: number): boolean {
  return got === want || (Number.isNaN(got) && Number.isNaN(want)) ||
    Math.abs(got - want) <= atol + rtol * Math.abs(want);
}

const special = (
  text: string,
): number => (text === "inf" ? Infinity : text === "-inf" ? -Infinity : Number(text));

/** null if `got` is what was recorded, else the first difference. */
export function difference(
  got: Json,
  want: Json,
  rtol: number,
  atol: number,
  where = "result",
): string | null {
  if (want === null) {
    return got === null || got === undefined ? null : `${where}: ${String(got)}, expected null`;
  }
  if (typeof want === "boolean" || typeof want === "string") {
    return got === want ? null : `${where}: ${String(got)}, expected ${want}`;
  }
  if (typeof want === "number") {
    return near(Number(got), want, rtol, atol) ? null : `${where}: ${String(got)}, expected ${want}`;
  }
  if (Array.isArray(want)) return differenceOfLists([...got], want, rtol, atol, where);
  if (want.tensor) {
    const t = want.tensor;
    if (!(got instanceof torch.Tensor)) return `${where}: no tensor`;
    if (String(got.dtype) !== `torch.${t.dtype}`) return `${where}: ${got.dtype}, expected ${t.dtype}`;
    if (JSON.stringify([...got.shape]) !== JSON.stringify(t.shape)) {
      return `${where}: ${got.shape}, expected [${t.shape}]`;
    }
    const values = Array.from(
      got.detach().contiguous().to_typed_array() as ArrayLike<number | bigint>,
      Number,
    );
    return differenceOfLists(values, numbersOf(t), rtol, atol, where);
  }
  if (want.float !== undefined) return difference(got, special(want.float), rtol, atol, where);
  if (want.int !== undefined) {
    return BigInt(got) === BigInt(want.int) ? null : `${where}: ${got}, expected ${want.int}`;
  }
  if (want.size) return differenceOfLists([...got], want.size, 0, 0, where);
  if (want.tuple) return differenceOfLists([...got], want.tuple, rtol, atol, where);
  if (want.dtype && Object.keys(want).length === 1) {
    return String(got) === `torch.${want.dtype}` ? null : `${where}: ${got}`;
  }
  if (want.dict) return differenceOfEntries(got, want.dict, rtol, atol, where);
  return differenceOfEntries(got, Object.entries(want), rtol, atol, where);
}

function differenceOfLists(
  got: Json[],
  want: Json[],
  rtol: number,
  atol: number,
  where: string,
): string | null {
  if (got.length !== want.length) return `${where}: ${got.length} entries, expected ${want.length}`;
  for (let i = 0; i < want.length; i++) {
    const why = difference(got[i], want[i], rtol, atol, `${where}[${i}]`);
    if (why) return why;
  }
  return null;
}

function differenceOfEntries(
  got: Json,
  want: [Json, Json][],
  rtol: number,
  atol: number,
  where: string,
): string | null {
  for (const [key, value] of want) {
    const v = got instanceof Map ? got.get(key) : got[key];
    const why = difference(v, value, rtol, atol, `${where}.${String(key)}`);
    if (why) return why;
  }
  return null;
}
