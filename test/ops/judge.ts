/**
 * Judges recorded operator cases (the format of PyTorch's answers in test/fixtures/ops.json): values, dtypes, shapes,
 * gradients and error texts.
 */
import * as torch from "../../src/mod.ts";
import { Tensor } from "../../src/tensor.ts";

/** A JSON value of a case. */
// deno-lint-ignore no-explicit-any -- recorded values of every kind
export type Json = any;

export interface Case {
  id: string;
  dtype: string;
  args: Json[];
  kwargs: Record<string, Json>;
  expected: Json;
  cotangents: Json[] | null;
  grads: { arg: string; grad: Json }[] | null;
  compare?: string[];
  mutated?: { arg: string; value: Json }[];
  tol?: { rtol: number; atol: number };
}

export interface OpFile {
  op: string;
  variant: string;
  call: string;
  cases: Case[];
  errors?: { args: Json[]; kwargs: Record<string, Json>; error_type: string; message: string }[];
}

// deno-lint-ignore no-explicit-any -- looked up by recorded names
const api = torch as any;

let device = "cpu";
/** Where cases run from now on. On another device than the CPU, 16-bit results may differ by a rounding. */
export function judgeOn(name: string): void {
  device = name;
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
}

function tensorOf(v: Json): Tensor {
  const dtype = api[v.dtype];
  if (v.shape.includes(0)) return torch.empty(v.shape, { dtype, device });
  return torch.frombuffer(bytesOf(v.data), { dtype }).reshape(v.shape).to(device);
}

const KINDS = ["tensor", "complex", "float", "int", "dtype", "slice", "ellipsis", "tuple"];
/** Is v a tagged value, e.g. {"dtype": "float32"}, and not an options object that has such a key? */
function tagged(v: Json, kind: string): boolean {
  if (!(kind in v) || Object.keys(v).some((k) => !KINDS.includes(k) && k !== "names")) return false;
  return kind !== "dtype" || typeof v.dtype === "string";
}

/** The value that a recorded JSON value stands for. */
export function decode(v: Json): Json {
  if (v === null || typeof v !== "object") return v;
  if (Array.isArray(v)) return v.map(decode);
  if (tagged(v, "tensor")) return tensorOf(v.tensor);
  if (tagged(v, "float")) {
    const x = v.float === "inf" ? Infinity : v.float === "-inf" ? -Infinity : Number(v.float);
    return Number.isInteger(x) ? torch.pyfloat(x) : x;
  }
  if (tagged(v, "complex")) return new torch.Complex(v.complex[0], v.complex[1]);
  if (tagged(v, "int")) return BigInt(v.int);
  if (tagged(v, "dtype")) return api[v.dtype];
  if (tagged(v, "slice")) return api.Slice(...v.slice.map((x: Json) => x ?? null));
  if (tagged(v, "ellipsis")) return "...";
  if (tagged(v, "tuple")) return Object.assign(v.tuple.map(decode), { tuple: true });
  return decodeOptions(v);
}
/** Recorded keywords. */
export function decodeOptions(v: Record<string, Json>): Record<string, Json> {
  return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, decode(x)]));
}

/** What a path like `args[0]` names. */
export const at = (root: Json, path: string): Json =>
  path.replace(/\[(\d+)\]/g, ".$1").split(".").reduce((o, k) => o[k], root);

/** A function that is not there (yet). */
export class Missing extends Error {}

const REFLECTED: Record<string, (a: Json, b: Json) => Json> = {
  __radd__: (a, b) => torch.add(a, b),
  __rmul__: (a, b) => torch.mul(a, b),
  __rsub__: (a, b) => torch.sub(b, a),
  __rdiv__: (a, b) => torch.div(b, a),
  __rmatmul__: (a, b) => torch.matmul(b, a),
  __rpow__: (a, b) => torch.pow(b, a),
  __rand__: (a, b) => torch.bitwise_and(a, b),
  __ror__: (a, b) => torch.bitwise_or(a, b),
  __rxor__: (a, b) => torch.bitwise_xor(a, b),
  __rmod__: (a, b) => torch.remainder(b, a),
};

/** Calls that are written as expressions. */
const EXPRESSIONS: Record<string, (args: Json[], kwargs: Record<string, Json>) => Json> = {
  "torch.linalg.lstsq(a, b, driver=driver)[0]": ([a, b], { driver }) =>
    torch.linalg.lstsq(a, b, { driver }).solution,
  "torch.linalg.pinv(a @ b.mT)": ([a, b], options) => torch.linalg.pinv(torch.matmul(a, b.mT), options),
};

/** Calls what a file recorded, `torch.add` or `Tensor.add`. */
export function call(spec: string, args: Json[], kwargs: Record<string, Json>): Json {
  if (spec in EXPRESSIONS) return EXPRESSIONS[spec]!(args, kwargs);
  const options = Object.keys(kwargs).length > 0 ? [kwargs] : [];
  if (spec.startsWith("torch.")) {
    const f = spec.slice(6).split(".").reduce((o, k) => o?.[k], api);
    if (typeof f !== "function") throw new Missing(spec);
    return f(...args, ...options);
  }
  if (spec.startsWith("aten.slice(")) {
    const [x, dim, start, end, step] = args;
    return x.index(...new Array(((dim ?? 0) + x.dim()) % x.dim()).fill(":"), torch.Slice(start, end, step));
  }
  if (spec === "Tensor.__getitem__") return args[0].index(...(args[1]?.tuple ? args[1] : [args[1]]));
  const method = /^Tensor\.(\w+)/.exec(spec)?.[1];
  if (method !== undefined && REFLECTED[method]) return REFLECTED[method](args[0], args[1]);
  const name = method ?? /^x\.(\w+)/.exec(spec)?.[1];
  if (name === undefined) throw new Missing(spec);
  const m = args[0][name];
  if (method === undefined) return typeof m === "function" ? m.call(args[0]) : m;
  if (typeof m !== "function") throw new Missing(spec);
  return m.call(args[0], ...args.slice(1), ...options);
}

function valuesOf(t: Tensor): (number | bigint)[] {
  // The real and the imaginary part of each.
  if (t.dtype.is_complex) return valuesOf(torch.view_as_real(t.detach().resolve_conj()));
  return t.detach().reshape([-1]).to(widest(t)).to_typed_array() as unknown as (number | bigint)[];
}
/** The dtype in which to compare: integers exactly, floats as doubles. */
function widest(t: Tensor): typeof torch.float64 {
  return t.dtype.is_floating_point ? torch.float64 : torch.int64;
}

function difference(got: unknown, want: Json, c: Case, onlyShape: boolean): string | null {
  if (!(got instanceof Tensor)) return `expected a tensor, but got ${String(got)}`;
  const expected = tensorOf(want);
  if (got.dtype !== expected.dtype) return `dtype ${got.dtype}, expected ${expected.dtype}`;
  if (JSON.stringify([...got.shape]) !== JSON.stringify(want.shape)) {
    return `shape ${got.shape}, expected [${want.shape}]`;
  }
  if (onlyShape || got.numel() === 0) return null;
  const a = valuesOf(got), b = valuesOf(expected);
  const float = got.dtype.is_floating_point || got.dtype.is_complex;
  const half = want.dtype === "float16" || want.dtype === "bfloat16";
  const { rtol, atol } = c.tol ??
    (half && device !== "cpu"
      ? { rtol: want.dtype === "float16" ? 2e-3 : 1.6e-2, atol: 1e-4 }
      : half || !float
      ? { rtol: 0, atol: 0 }
      : /^(float64|complex128)$/.test(want.dtype) && !/^(float32|complex64)$/.test(c.dtype)
      ? { rtol: 1e-7, atol: 1e-9 }
      : { rtol: 1e-4, atol: 1e-5 });
  for (let i = 0; i < b.length; i++) {
    const x = a[i]!, y = b[i]!;
    if (x === y || (Number.isNaN(x) && Number.isNaN(y))) continue;
    if (!float || !(Math.abs(Number(x) - Number(y)) <= atol + rtol * Math.abs(Number(y)))) {
      return `[${i}] ${x}, expected ${y}`;
    }
  }
  return null;
}

function compareResult(got: Json, want: Json, c: Case, how: string): string | null {
  if (want?.tensor) {
    return how.endsWith("_sign") || how === "tied_index"
      ? difference(got, want.tensor, c, true)
      : difference(got, want.tensor, c, how === "shape_only");
  }
  if (Array.isArray(want)) {
    if (!want.some((x) => x?.tensor)) {
      return JSON.stringify([...got]) === JSON.stringify(want) ? null : `${got}, expected ${want}`;
    }
    for (let k = 0; k < want.length; k++) {
      const why = difference(got[k], want[k].tensor, c, false);
      if (why) return `[${k}]: ${why}`;
    }
    return null;
  }
  const w = Number(decode(want)), g = Number(got);
  return g === w || Math.abs(g - w) <= 1e-5 * Math.abs(w) || (Number.isNaN(g) && Number.isNaN(w))
    ? null
    : `${got}, expected ${JSON.stringify(want)}`;
}

/** null if the case is right, else what is wrong. Throws Missing for functions that do not exist. */
export function judge(file: OpFile, c: Case): string | null {
  const args = c.args.map(decode), kwargs = decodeOptions(c.kwargs);
  const root = { args, kwargs };
  for (const g of c.grads ?? []) at(root, g.arg).requires_grad_(true);
  const out = call(file.call, args, kwargs);
  const wants: Json[] = c.expected?.tuple ?? [c.expected];
  const gots: Json[] = c.expected?.tuple ? [...out] : [out];
  for (let i = 0; i < wants.length; i++) {
    const why = compareResult(gots[i], wants[i], c, c.compare?.[i] ?? "value");
    if (why) return `result ${i}: ${why}`;
  }
  if (!c.grads || c.compare?.some((x) => x.endsWith("sign"))) return null;
  const flat: Json[] = gots.length === 1 && Array.isArray(gots[0]) ? gots[0] : gots;
  const roots: Tensor[] = [], seeds: Tensor[] = [];
  (c.cotangents ?? []).forEach((v, i) => {
    if (v && flat[i].requires_grad) {
      roots.push(flat[i]);
      seeds.push(decode(v));
    }
  });
  if (roots.length > 0) torch.autograd.backward(roots, seeds);
  for (const g of c.grads) {
    if (g.grad === null) continue;
    const t = at(root, g.arg);
    if (!t.grad) return `no gradient for ${g.arg}`;
    const why = difference(t.grad, g.grad.tensor, c, false);
    if (why) return `gradient of ${g.arg}: ${why}`;
  }
  return null;
}

/** null if the call fails with the recorded sentence. */
export function judgeError(file: OpFile, e: NonNullable<OpFile["errors"]>[number]): string | null {
  const args = e.args.map(decode), kwargs = decodeOptions(e.kwargs);
  try {
    call(file.call, args, kwargs);
    if (device !== "cpu") torch.cuda.synchronize(); // what a kernel finds in its data comes late
  } catch (error) {
    if (error instanceof Missing) throw error;
    const text = (error as Error).message;
    return new RegExp(e.message).test(text)
      ? null
      : `message '${text.slice(0, 150)}', expected /${e.message}/`;
  }
  return `did not throw /${e.message}/`;
}
