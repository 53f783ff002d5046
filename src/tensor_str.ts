/**
 * Printing tensors as PyTorch does (torch/_tensor_str.py).
 *
 * @module
 */
import { bool, Kind } from "./base/dtype.ts";
import { get_default_dtype, int64 } from "./base/dtype.ts";
import { Complex } from "./base/scalar.ts";
import { elements } from "./ops/from_data.ts";
import type { Tensor } from "./tensor.ts";

/** What `set_printoptions` sets. */
export interface PrintOptions {
  precision: number;
  threshold: number;
  edgeitems: number;
  linewidth: number;
  sci_mode: boolean | null;
}

const options: PrintOptions = { precision: 4, threshold: 1000, edgeitems: 3, linewidth: 80, sci_mode: null };

const PROFILES: Record<string, Partial<PrintOptions>> = {
  default: { precision: 4, threshold: 1000, edgeitems: 3, linewidth: 80 },
  short: { precision: 2, threshold: 1000, edgeitems: 2, linewidth: 80 },
  full: { precision: 4, threshold: Infinity, edgeitems: 3, linewidth: 80 },
};

/** Arguments of {@linkcode set_printoptions}. */
export interface PrintOptionsInput extends Partial<PrintOptions> {
  profile?: "default" | "short" | "full";
}

/**
 * Sets how tensors are printed.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.set_printoptions.html
 */
export function set_printoptions(
  precision?: number | PrintOptionsInput | null,
  threshold?: number | null,
  edgeitems?: number | null,
  linewidth?: number | null,
  profile?: string | null,
  sci_mode?: boolean | null,
): void {
  const o: PrintOptionsInput = typeof precision === "object" && precision !== null
    ? precision
    : { ...pick({ precision, threshold, edgeitems, linewidth, profile, sci_mode }) };
  if (o.profile) Object.assign(options, PROFILES[o.profile]);
  for (const key of ["precision", "threshold", "edgeitems", "linewidth"] as const) {
    const v = o[key];
    if (v !== undefined && v !== null) options[key] = v;
  }
  options.sci_mode = o.sci_mode ?? null;
}

function pick(o: Record<string, unknown>): PrintOptionsInput {
  return Object.fromEntries(
    Object.entries(o).filter(([, v]) => v !== undefined && v !== null),
  ) as PrintOptionsInput;
}

/** Digits beyond the wanted ones that tell an exact tie from a double next to one. */
const BEYOND = 25;

/**
 * Python rounds exact ties to an even digit, JavaScript away from zero: `rounded`, or its even neighbour if `exact`
 * (the same number with BEYOND more digits) says that it is a tie.
 */
function halfToEven(rounded: string, exact: string): string {
  const [mantissa, exponent] = exact.split("e") as [string, string | undefined];
  if (!/^50*$/.test(mantissa.slice(-BEYOND))) return rounded;
  const cut = mantissa.slice(0, -BEYOND).replace(/\.$/, "");
  if (Number(cut.at(-1)) % 2 !== 0) return rounded;
  return cut + (exponent === undefined ? "" : `e${exponent}`);
}

/** Python's `f"{x:.{digits}f}"`. */
function fixed(x: number, digits: number): string {
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x > 0 ? "inf" : "-inf";
  const s = Math.abs(x) < 1e21
    ? halfToEven(x.toFixed(digits), x.toFixed(digits + BEYOND))
    : BigInt(x).toString() + (digits > 0 ? "." + "0".repeat(digits) : "");
  return Object.is(x, -0) || (x < 0 && !s.startsWith("-")) ? `-${s.replace(/^-/, "")}` : s;
}

/** Python's `f"{x:.{digits}e}"`. */
function scientific(x: number, digits: number): string {
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x > 0 ? "inf" : "-inf";
  const text = halfToEven(x.toExponential(digits), x.toExponential(digits + BEYOND));
  const [mantissa, exponent] = text.split("e") as [string, string];
  const e = Math.abs(Number(exponent));
  const sign = Object.is(x, -0) ? "-" : "";
  return `${sign}${mantissa}e${exponent.startsWith("-") ? "-" : "+"}${e < 10 ? "0" : ""}${e}`;
}

type Value = number | bigint | boolean | Complex;

/** Chooses one format for all elements of a tensor. */
class Formatter {
  readonly floating: boolean;
  intMode = true;
  sciMode = false;
  width = 1;

  constructor(values: readonly Value[], floating: boolean) {
    this.floating = floating;
    if (!floating) {
      for (const v of values) this.width = Math.max(this.width, plainText(v).length);
      return;
    }
    // Only finite nonzero values decide the format and the width.
    const finite = (values as number[]).filter((v) => Number.isFinite(v) && v !== 0);
    if (finite.length === 0) {
      if (options.sci_mode !== null) this.sciMode = options.sci_mode;
      return;
    }
    let max = 0, min = Infinity;
    for (const v of finite) {
      const a = Math.abs(v);
      if (a > max) max = a;
      if (a < min) min = a;
      if (v !== Math.ceil(v)) this.intMode = false;
    }
    // PyTorch widens to double before it compares.
    this.sciMode = this.intMode ? max / min > 1000 || max > 1e8 : max / min > 1000 || max > 1e8 || min < 1e-4;
    for (const v of finite) this.width = Math.max(this.width, this.text(v).length);
    if (options.sci_mode !== null) this.sciMode = options.sci_mode;
  }

  text(v: number): string {
    if (this.sciMode) return scientific(v, options.precision);
    if (this.intMode) return Number.isFinite(v) ? `${fixed(v, 0)}.` : fixed(v, 0);
    return fixed(v, options.precision);
  }

  format(v: Value): string {
    return (this.floating ? this.text(v as number) : plainText(v)).padStart(this.width);
  }
}

function plainText(v: Value): string {
  return typeof v === "boolean" ? (v ? "True" : "False") : String(v);
}

/** Formats a complex number from the formats of its parts. */
class ComplexFormatter {
  readonly #re: Formatter;
  readonly #im: Formatter;
  constructor(values: readonly Complex[]) {
    this.#re = new Formatter(values.map((v) => v.re), true);
    this.#im = new Formatter(values.map((v) => v.im), true);
  }
  get width(): number {
    return this.#re.width + this.#im.width + 1;
  }
  format(v: Complex): string {
    const re = this.#re.format(v.re);
    const im = this.#im.format(v.im).trimStart();
    const joined = im.startsWith("-") || im.startsWith("+") ? im : `+${im}`;
    return `${re}${joined}j`;
  }
}

interface Format {
  readonly width: number;
  // deno-lint-ignore no-explicit-any -- one of two value types, by the tensor's dtype
  format(v: any): string;
}

/** Indices along a dimension that are shown; -1 stands for the dots. */
function shown(n: number, summarize: boolean): number[] {
  const e = options.edgeitems;
  if (!summarize || n <= 2 * e) return Array.from({ length: n }, (_, i) => i);
  return [
    ...Array.from({ length: e }, (_, i) => i),
    -1,
    ...Array.from({ length: e }, (_, i) => n - e + i),
  ];
}

function body(t: Tensor, indent: number, summarize: boolean): string {
  const flat: Value[] = summarize ? [] : elements(t);
  const rank = t.sizes.length;
  // When summarizing, only the shown elements are read and decide the format.
  const steps = new Array<number>(rank).fill(1);
  const cells = new Map<number, Value>();
  for (let i = rank - 2; i >= 0; i--) steps[i] = steps[i + 1]! * t.sizes[i + 1]!;
  if (summarize) {
    let corner = t;
    let keep: number[][] = [];
    for (let d = 0; d < rank; d++) {
      const idx = shown(t.sizes[d]!, true).filter((i) => i >= 0);
      keep.push(idx);
      if (idx.length < t.sizes[d]!) {
        const e = options.edgeitems;
        corner = joinEdges(corner, d, e);
      }
    }
    const values = elements(corner);
    let at = 0;
    const walk = (d: number, base: number): void => {
      if (d === rank) {
        cells.set(base, values[at++]!);
        return;
      }
      for (const i of keep[d]!) walk(d + 1, base + i * steps[d]!);
    };
    walk(0, 0);
    keep = [];
  }
  const at = (i: number): Value => summarize ? cells.get(i)! : flat[i]!;
  const all = summarize ? [...cells.values()] : flat;
  const f: Format = t.dtype.kind === Kind.complex
    ? new ComplexFormatter(all as Complex[])
    : new Formatter(all, t.dtype.kind === Kind.float);

  const vector = (base: number, n: number, pad: number): string => {
    const perLine = Math.max(1, Math.floor((options.linewidth - pad) / (f.width + 2)));
    const items = shown(n, summarize).map((i) => (i < 0 ? " ..." : f.format(at(base + i))));
    const lines: string[] = [];
    for (let i = 0; i < items.length; i += perLine) lines.push(items.slice(i, i + perLine).join(", "));
    return `[${lines.join(`,\n${" ".repeat(pad + 1)}`)}]`;
  };
  const level = (d: number, base: number, pad: number): string => {
    const left = rank - d;
    if (left === 1) return vector(base, t.sizes[d]!, pad);
    const parts = shown(t.sizes[d]!, summarize).map((
      i,
    ) => (i < 0 ? "..." : level(d + 1, base + i * steps[d]!, pad + 1)));
    return `[${parts.join(`,${"\n".repeat(left - 1)}${" ".repeat(pad + 1)}`)}]`;
  };
  if (rank === 0) return f.format(at(0));
  return level(0, 0, indent);
}

function joinEdges(t: Tensor, dim: number, e: number): Tensor {
  const n = t.sizes[dim]!;
  const index: number[] = [];
  for (let i = 0; i < e; i++) index.push(i);
  for (let i = n - e; i < n; i++) index.push(i);
  return t.index_select(dim, t.new_empty([0]).new_empty([0], { dtype: int64 }).new_tensor(index.map(BigInt)));
}

/** `tensor([1., 2.])`: what Python's `str` gives. `name`: the word in front. */
export function tensorText(tensor: Tensor, name = "tensor"): string {
  const t = tensor.detach();
  const suffixes: string[] = [];
  const prefix = `${name}(`;
  const indent = prefix.length;
  const d = t.dtype;
  const defaults = d === get_default_dtype() || d === int64 || d === bool ||
    (d.kind === Kind.complex &&
      d.name === (get_default_dtype().name === "float64" ? "complex128" : "complex64"));
  const device = t.device;
  if (device.type !== "cpu") suffixes.push(`device='${device}'`);
  let text: string;
  if (!t.storage.backend.hasData) {
    suffixes.push(`size=(${t.sizes.join(", ")}${t.sizes.length === 1 ? "," : ""})`);
    if (d !== get_default_dtype()) suffixes.push(`dtype=${d}`);
    text = "...";
  } else if (t.count === 0) {
    if (t.sizes.length !== 1) suffixes.push(`size=(${t.sizes.join(", ")}${t.sizes.length === 1 ? "," : ""})`);
    if (d !== get_default_dtype()) suffixes.push(`dtype=${d}`);
    text = "[]";
  } else {
    if (!defaults) suffixes.push(`dtype=${d}`);
    text = body(t, indent, t.count > options.threshold);
  }
  const node = tensor.grad_fn;
  if (node !== null) {
    const fn = node.name();
    suffixes.push(fn === "CppFunction" ? "grad_fn=<PythonBackend>" : `grad_fn=<${fn}>`);
  } else if (tensor.requires_grad) suffixes.push("requires_grad=True");
  return joinSuffixes(prefix + text, suffixes, indent);
}

function joinSuffixes(text: string, suffixes: readonly string[], indent: number): string {
  const lines = [text];
  let last = text.length - text.lastIndexOf("\n") + 1;
  for (const s of suffixes) {
    // A suffix goes on a new line when it would pass the width.
    if (last + s.length + 2 > options.linewidth) {
      lines.push(`,\n${" ".repeat(indent)}${s}`);
      last = indent + s.length;
    } else {
      lines.push(`, ${s}`);
      last += s.length + 2;
    }
  }
  return `${lines.join("")})`;
}
