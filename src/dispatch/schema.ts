/**
 * PyTorch's operator schemas, e.g. `sum.dim(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None)`,
 * and the argument parser that they drive: positional arguments in order, keywords in one trailing plain object.
 *
 * Our own type `Operand` is what Python's bindings accept for a Tensor in arithmetic: a Tensor or a number.
 *
 * @module
 */
import { Device } from "../base/device.ts";
import { DType } from "../base/dtype.ts";
import { isScalar, PyFloat, type Scalar } from "../base/scalar.ts";
import { Tensor } from "../tensor.ts";

/** One parameter of a schema. */
export interface Param {
  readonly name: string;
  /** `Tensor`, `int`, `float`, `bool`, `Scalar`, `ScalarType`, `Device`, `str`, `Generator`, `Operand`, `Index`, `Any`. */
  readonly type: string;
  readonly optional: boolean;
  /** `T[]` or `T[n]`. */
  readonly list: boolean;
  /** `int[2]`: a single number stands for n of them; 0 for `int[]`. */
  readonly fixed: number;
  readonly keywordOnly: boolean;
  readonly hasDefault: boolean;
  readonly default: unknown;
}

/** A parsed schema. */
export interface Schema {
  readonly text: string;
  /** Without overload: `sum`. */
  readonly name: string;
  readonly overload: string;
  readonly params: readonly Param[];
  /** How many results, and their names where PyTorch names them. `-1`: a list of any length. */
  readonly results: number;
  readonly resultNames: readonly string[] | null;
  /** The result type text, for generated signatures. */
  readonly returns: string;
}

function parseDefault(text: string): unknown {
  if (text === "None") return null;
  if (text === "True") return true;
  if (text === "False") return false;
  if (text === "[]") return [];
  if (/^\[.*\]$/.test(text)) return text.slice(1, -1).split(",").map((x) => parseDefault(x.trim()));
  if (/^'.*'$|^".*"$/.test(text)) return text.slice(1, -1);
  if (text === "inf") return Infinity;
  const n = Number(text);
  if (!Number.isNaN(n)) return /[.e]/.test(text) && Number.isInteger(n) ? new PyFloat(n) : n;
  throw new Error(`schema: unknown default '${text}'`);
}

function parseParam(text: string, keywordOnly: boolean): Param {
  const m = /^([A-Za-z]+)(\?)?(\[(\d*)\])?(\?)?\s+([A-Za-z_0-9]+)(?:=(.+))?$/.exec(text);
  if (!m) throw new Error(`schema: cannot read parameter '${text}'`);
  const [, type, elementOptional, list, fixed, listOptional, name, def] = m;
  return {
    name: name!,
    type: type!,
    optional: list ? listOptional !== undefined : elementOptional !== undefined,
    list: list !== undefined,
    fixed: fixed ? Number(fixed) : 0,
    keywordOnly,
    hasDefault: def !== undefined,
    default: def === undefined ? undefined : parseDefault(def),
  };
}

function splitTop(text: string): string[] {
  const parts: string[] = [];
  let level = 0, start = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === "[" || c === "(") level++;
    else if (c === "]" || c === ")") level--;
    else if (c === "," && level === 0) {
      parts.push(text.slice(start, i).trim());
      start = i + 1;
    }
  }
  const last = text.slice(start).trim();
  if (last) parts.push(last);
  return parts;
}

/** Reads a schema; throws on anything it does not understand. */
export function parseSchema(text: string): Schema {
  const m = /^([A-Za-z_0-9]+)(?:\.([A-Za-z_0-9]+))?\((.*)\)\s*->\s*(.+)$/.exec(text);
  if (!m) throw new Error(`schema: cannot read '${text}'`);
  const [, name, overload, inner, returns] = m;
  let keywordOnly = false;
  const params: Param[] = [];
  for (const part of splitTop(inner!)) {
    if (part === "*") keywordOnly = true;
    else params.push(parseParam(part, keywordOnly));
  }
  let results = 1;
  let resultNames: string[] | null = null;
  const tuple = /^\((.*)\)$/.exec(returns!);
  if (tuple) {
    const items = splitTop(tuple[1]!);
    results = items.length;
    const names = items.map((x) => x.split(/\s+/)[1]);
    if (names.every((x) => x !== undefined)) resultNames = names as string[];
  } else if (returns === "Tensor[]") results = -1;
  return { text, name: name!, overload: overload ?? "", params, results, resultNames, returns: returns! };
}

/** Is `x` an options object: `{ dim: 1 }`? */
export function isOptions(x: unknown): x is Record<string, unknown> {
  if (typeof x !== "object" || x === null) return false;
  const proto = Object.getPrototypeOf(x);
  return proto === Object.prototype || proto === null;
}

/** Python's names for keyword arguments that NumPy calls otherwise. */
const KEYWORD_ALIASES: Readonly<Record<string, string>> = {
  input: "self",
  axis: "dim",
  keepdims: "keepdim",
  x: "self",
};

/** Python's type name of a value, for error texts. */
export function pythonType(x: unknown): string {
  if (x === null || x === undefined) return "NoneType";
  if (typeof x === "boolean") return "bool";
  if (typeof x === "bigint") return "int";
  if (typeof x === "number") return Number.isInteger(x) ? "int" : "float";
  if (x instanceof PyFloat) return "float";
  if (typeof x === "string") return "str";
  if (x instanceof Tensor) return "Tensor";
  if (x instanceof DType) return "torch.dtype";
  if (x instanceof Device) return "torch.device";
  if (Array.isArray(x)) return "list";
  if (isOptions(x)) return "dict";
  if (typeof x === "function") return "function";
  return (x as object).constructor?.name ?? "object";
}

const FAIL = Symbol("no match");

function scalarMatches(type: string, x: unknown): boolean {
  switch (type) {
    case "Tensor":
      return x instanceof Tensor;
    case "Operand":
      return x instanceof Tensor || isScalar(x);
    case "int":
      return typeof x === "number" ? Number.isInteger(x) : typeof x === "bigint" || isIndexTensor(x);
    case "float":
      return typeof x === "number" || typeof x === "bigint" || x instanceof PyFloat || isScalarTensor(x);
    case "bool":
      return typeof x === "boolean";
    case "Scalar":
      return isScalar(x) || isScalarTensor(x);
    case "ScalarType":
      return x instanceof DType;
    case "Device":
      return x instanceof Device || typeof x === "string" || (typeof x === "number" && Number.isInteger(x));
    case "str":
      return typeof x === "string";
    case "Generator":
      return typeof x === "object" && x !== null && "initial_seed" in x;
    default:
      return true;
  }
}

// Python's bindings take one-element tensors where a number is wanted.
function isScalarTensor(x: unknown): x is Tensor {
  return x instanceof Tensor && x.sizes.length === 0 && !x.requires_grad;
}
function isIndexTensor(x: unknown): x is Tensor {
  return isScalarTensor(x) && x.dtype.kind === 1;
}

function convertOne(type: string, x: unknown): unknown {
  if (x instanceof Tensor && (type === "int" || type === "float" || type === "Scalar")) {
    x = x.item() as Scalar;
  }
  switch (type) {
    case "int":
      return typeof x === "bigint" && x >= BigInt(Number.MIN_SAFE_INTEGER) &&
          x <= BigInt(Number.MAX_SAFE_INTEGER)
        ? Number(x)
        : x;
    case "float":
      return typeof x === "number" ? x : Number(x);
    case "Device":
      return x instanceof Device
        ? x
        : typeof x === "number"
        ? new Device("cuda", x)
        : new Device(x as string);
    default:
      return x;
  }
}

/** `x` as a value of parameter `p`, or FAIL. */
function convert(p: Param, x: unknown): unknown {
  if (x === null || x === undefined) return p.optional || p.type === "Any" ? null : FAIL;
  if (!p.list) return scalarMatches(p.type, x) ? convertOne(p.type, x) : FAIL;
  if (Array.isArray(x)) {
    for (const v of x) {
      if (v === null || v === undefined) { if (p.type !== "Tensor" && p.type !== "Index") return FAIL; }
      else if (!scalarMatches(p.type, v)) return FAIL;
    }
    if (p.type === "int" || p.type === "float") {
      for (const v of x) if (typeof v !== "number") return x.map((w) => convertOne(p.type, w));
    }
    return x;
  }
  if (ArrayBuffer.isView(x) && p.type === "int") return Array.from(x as unknown as ArrayLike<number>, Number);
  if (p.fixed > 0 && scalarMatches(p.type, x)) return new Array(p.fixed).fill(convertOne(p.type, x));
  // unbind-like iteration over a tensor is left to the caller; a tuple of tensors may be any iterable
  if (p.type === "Tensor" && typeof x === "object" && !(x instanceof Tensor) && Symbol.iterator in x) {
    const list = [...(x as Iterable<unknown>)];
    return list.every((v) => v instanceof Tensor) ? list : FAIL;
  }
  return FAIL;
}

/** Why a call does not fit a schema. */
export interface Mismatch {
  readonly mismatch: string;
}

/**
 * The values of a call in schema order, or why it does not fit. `varargs`: the name of a list parameter that may be
 * spread over the positional arguments (`x.view(2, 3)`).
 */
export function bind(
  schema: Schema,
  args: readonly unknown[],
  options: Record<string, unknown> | null,
  varargs: string | null,
): unknown[] | Mismatch {
  const params = schema.params;
  const values = new Array<unknown>(params.length);
  let pos = 0;
  for (let i = 0; i < params.length; i++) {
    const p = params[i]!;
    let given: unknown = undefined;
    let has = false;
    if (!p.keywordOnly && pos < args.length) {
      given = args[pos];
      has = true;
      if (p.type === "Index" && p.name === varargs) {
        given = args.slice(pos);
        pos = args.length - 1;
      } else if (p.list && p.name === varargs && !Array.isArray(given) && !ArrayBuffer.isView(given)) {
        let end = pos;
        while (end < args.length && scalarMatches(p.type, args[end])) end++;
        if (end > pos) {
          given = args.slice(pos, end);
          pos = end - 1;
        }
      }
      pos++;
    }
    if (options !== null) {
      const key = p.name in options ? p.name : keywordAlias(p.name, options);
      if (key !== null && options[key] !== undefined) {
        if (has) {
          return { mismatch: `${schema.name}() got multiple values for argument '${publicName(p.name)}'` };
        }
        given = options[key];
        has = true;
      }
    }
    if (!has || given === undefined) {
      if (p.hasDefault) values[i] = p.default;
      else if (p.type === "Index" && p.name === varargs) values[i] = [];
      else if (p.optional && p.keywordOnly) values[i] = null;
      else if (has && p.optional) values[i] = null;
      else {
        return {
          mismatch: `${schema.name}() missing 1 required positional arguments: "${publicName(p.name)}"`,
        };
      }
      continue;
    }
    const value = convert(p, given);
    if (value === FAIL) {
      if ((given === null) && p.hasDefault) {
        values[i] = p.default;
        continue;
      }
      return {
        mismatch: `${schema.name}(): argument '${publicName(p.name)}'${
          p.keywordOnly ? "" : ` (position ${i + 1})`
        } must be ${typeText(p)}, not ${pythonType(given)}`,
      };
    }
    values[i] = value;
  }
  if (pos < args.length) {
    return {
      mismatch: `${schema.name}() takes ${
        params.filter((p) => !p.keywordOnly).length
      } positional arguments but ${args.length} were given`,
    };
  }
  if (options !== null) {
    for (const key of Object.keys(options)) {
      const name = KEYWORD_ALIASES[key] ?? key;
      if (!params.some((p) => p.name === key || p.name === name)) {
        return { mismatch: `${schema.name}() got an unexpected keyword argument '${key}'` };
      }
    }
  }
  return values;
}

function keywordAlias(name: string, options: Record<string, unknown>): string | null {
  for (const key in KEYWORD_ALIASES) if (KEYWORD_ALIASES[key] === name && key in options) return key;
  return null;
}

function publicName(name: string): string {
  return name === "self" ? "input" : name;
}

/** A parameter's type in PyTorch's error texts. */
function typeText(p: Param): string {
  const one = p.type === "Operand" || p.type === "Tensor" || p.type === "Index"
    ? "Tensor"
    : p.type === "Scalar"
    ? "Number"
    : p.type === "ScalarType"
    ? "torch.dtype"
    : p.type === "Device"
    ? "torch.device"
    : p.type;
  return p.list ? `tuple of ${one}s` : one;
}

/** PyTorch's text of one accepted signature: `(Tensor input, Tensor other, *, Number alpha)`. */
export function signatureText(schema: Schema): string {
  const parts: string[] = [];
  let star = false;
  for (const p of schema.params) {
    if (p.keywordOnly && !star) {
      parts.push("*");
      star = true;
    }
    parts.push(`${p.list && p.type === "int" ? "tuple of ints" : typeText(p)} ${publicName(p.name)}`);
  }
  return `(${parts.join(", ")})`;
}

/** PyTorch's text of the given arguments: `(Tensor, int, dim=int)`. */
export function givenText(args: readonly unknown[], options: Record<string, unknown> | null): string {
  const positional = args.map(pythonType);
  const named = options === null ? [] : Object.keys(options).map((k) => `${k}=${pythonType(options[k])}`);
  return `(${[...positional, ...named].join(", ")})`;
}
