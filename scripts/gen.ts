// Generates src/_gen/{functions,hidden,linalg,special,fft,masked,tensor_methods}.ts from the operator table: typed signatures with doc comments for
// every function and method. `--check`: fails if the files are not what would be generated.
//
//   node_modules/.bin/deno run -A scripts/gen.ts [--check]

import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Row } from "../src/dispatch/op.ts";
import type { Param, Schema } from "../src/dispatch/schema.ts";
import { table } from "../src/ops/table.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const check = process.argv.includes("--check");

const RESERVED = new Set([
  "var",
  "in",
  "function",
  "default",
  "with",
  "new",
  "delete",
  "export",
  "import",
  "switch",
  "case",
]);

function elementType(p: Param, input: boolean): string {
  switch (p.type) {
    case "Tensor":
      return "Tensor";
    case "Operand":
      return "Tensor | Scalar";
    case "Scalar":
      return input ? "Scalar" : "Scalar";
    case "int":
      return "number";
    case "float":
      return "number | PyFloat";
    case "bool":
      return "boolean";
    case "str":
      return "string";
    case "ScalarType":
      return "DType";
    case "Device":
      return "Device | string";
    case "Generator":
      return "Generator";
    case "Index":
      return "Index";
    default:
      return "unknown";
  }
}

function paramType(p: Param): string {
  let t = elementType(p, true);
  if (p.list) {
    const element = p.type === "Tensor" ? "Tensor" : t;
    t = `readonly ${element.includes("|") ? `(${element})` : element}[]`;
    if (p.fixed > 0) t += ` | ${element}`;
  }
  return p.optional ? `${t} | null` : t;
}

function resultType(s: Schema): string {
  if (s.returns === "Tensor") return "Tensor";
  if (s.returns === "Tensor[]") return "Tensor[]";
  if (s.returns === "bool") return "boolean";
  if (s.returns === "ScalarType") return "DType";
  if (s.returns === "int") return "number";
  if (s.returns === "int[]") return "number[]";
  if (s.returns === "Scalar") return "Scalar";
  if (s.returns === "()") return "void";
  if (s.returns === "Any") return "any";
  if (s.resultNames !== null) {
    const named = s.resultNames.map((n) => `readonly ${n}: Tensor`).join("; ");
    return `[${s.resultNames.map((n) => `${n}: Tensor`).join(", ")}] & { ${named} }`;
  }
  if (s.results > 1) return `[${new Array(s.results).fill("Tensor").join(", ")}]`;
  throw new Error(`${s.text}: unknown result type ${s.returns}`);
}

/** The call signature of one row; `skip` leading parameters belong to `this`. */
function signature(row: Row, skip: number, out: boolean): string[] {
  const s = row.parsed;
  const params = s.params.slice(skip);
  const optional = (p: Param): boolean => p.hasDefault || (p.optional && p.keywordOnly);
  const named = (
    p: Param,
  ): string => (RESERVED.has(p.name) ? `${p.name}_` : p.name === "self" ? "input" : p.name);
  const keywords = params.filter((p) => optional(p) || p.keywordOnly);
  const options = keywords.map((p) => `${p.name}?: ${paramType(p)}`);
  if (out && s.returns === "Tensor") options.push("out?: Tensor | null");
  const positional = params.filter((p) => !p.keywordOnly);
  const required = positional.filter((p) => !optional(p));
  const rest = positional.filter(optional);
  const result = resultType(s);
  const bag = options.length > 0 ? `{ ${options.join("; ")} }` : "";
  const lines: string[] = [];
  const head = required.map((p) => `${named(p)}: ${paramType(p)}`);
  if (bag) lines.push(`(${[...head, `options?: ${bag}`].join(", ")}): ${result};`);
  else lines.push(`(${head.join(", ")}): ${result};`);
  // All by name, unless the first is a tensor, which nobody names.
  if (required.length > 0 && !required[0]!.type.startsWith("Tensor") && required[0]!.type !== "Index") {
    const all = [...required.map((p) => `${p.name}: ${paramType(p)}`), ...options];
    lines.push(`(options: { ${all.join("; ")} }): ${result};`);
  }
  if (rest.length > 1) {
    const first = rest[0]!;
    lines.push(
      `(${[...head, `${named(first)}: ${paramType(first)}`, `options: ${bag}`].join(", ")}): ${result};`,
    );
  }
  if (rest.length > 0) {
    const all = [...head, ...rest.map((p) => `${named(p)}?: ${paramType(p)}`)];
    lines.push(`(${[...all, ...(bag ? [`options?: ${bag}`] : [])].join(", ")}): ${result};`);
  }
  if (row.varargs !== undefined) {
    const v = params.findIndex((p) => p.name === row.varargs);
    if (v >= 0) {
      const before = params.slice(0, v).map((p) => `${named(p)}: ${paramType(p)}`);
      const type = params[v]!.type;
      const element = type === "Tensor" || type === "Index" ? type : "number";
      lines.push(`(${[...before, `...${named(params[v]!)}: ${element}[]`].join(", ")}): ${result};`);
      if (bag) {
        lines.push(
          `(${[...before, `...${named(params[v]!)}: (${element} | ${bag})[]`].join(", ")}): ${result};`,
        );
      }
    }
  }
  return lines;
}

function doc(rows: readonly Row[], name: string): string {
  const text = rows[0]!.doc;
  const base = rows[0]!.name;
  const link = name.startsWith("_")
    ? ""
    : `\n *\n * @see https://pytorch.org/docs/stable/generated/torch.${
      base.replace(/^(linalg|special|fft|masked_)_/, "$1.").replace("_.", ".")
    }.html`;
  return `/**\n * ${text}${link}\n */`;
}

const HEADER =
  "// Generated by scripts/gen.ts from the operator table.\n// deno-fmt-ignore-file\n// deno-lint-ignore-file\n";

/** Names of a namespace in the table carry its prefix; without it they are the namespace's own. */
const NAMESPACES = ["linalg", "special", "fft", "masked"] as const;
const prefixOf = (home: string): string => (home === "masked" ? "masked__" : `${home}_`);

/** Those are functions only. */
const inNamespace = (name: string): boolean => NAMESPACES.some((n) => name.startsWith(prefixOf(n)));

/** The file for a name: where users find it. */
function homeOf(name: string, rows: readonly Row[]): string {
  if (rows.every((r) => r.only === "hidden") || name.startsWith("_")) return "hidden";
  return NAMESPACES.find((n) => name.startsWith(prefixOf(n))) ?? "functions";
}

function functionsFile(home: string): string {
  const out: string[] = [
    HEADER,
    'import type { Device } from "../base/device.ts";',
    'import type { DType } from "../base/dtype.ts";',
    'import type { Generator } from "../base/generator.ts";',
    'import type { PyFloat, Scalar } from "../base/scalar.ts";',
    'import { fn } from "../dispatch/functions.ts";',
    'import type { Index } from "../ops/index_args.ts";',
    'import type { Tensor } from "../tensor.ts";',
    'import "../ops/table.ts";',
    "",
  ];
  for (const name of Object.keys(table).sort()) {
    const inplace = table[name]!.filter((r) => r.inplace);
    for (const n of inplace.length > 0 ? [name, ...inplace.flatMap((r) => r.aliases ?? [])] : []) {
      if (homeOf(n, inplace) !== home || inNamespace(n)) continue;
      const lines = inplace.flatMap((r) => signature(r, 0, false).map((l) => `  ${l}`));
      out.push(
        `/** In-place form of \`${n}\`. */`,
        `export const ${n}_: {\n${lines.join("\n")}\n} = fn.${n}_ as never;`,
      );
    }
    const rows = table[name]!.filter((r) => r.only !== "method");
    if (rows.length === 0) continue;
    const lines = rows.flatMap((r) => signature(r, 0, true).map((l) => `  ${l}`));
    for (const n of [name, ...rows.flatMap((r) => r.aliases ?? [])]) {
      if (homeOf(n, rows) !== home) continue;
      const short = n.startsWith(prefixOf(home)) ? n.slice(prefixOf(home).length) : n;
      const local = RESERVED.has(short) ? `${short}_function` : short;
      out.push(doc(rows, n), `export const ${local}: {\n${lines.join("\n")}\n} = fn.${n} as never;`);
      if (local !== short) out.push(`export { ${local} as ${short} };`);
    }
  }
  return out.join("\n") + "\n";
}

function methodsFile(): string {
  const out: string[] = [
    HEADER,
    'import type { Device } from "../base/device.ts";',
    'import type { DType } from "../base/dtype.ts";',
    'import type { Generator } from "../base/generator.ts";',
    'import type { PyFloat, Scalar } from "../base/scalar.ts";',
    'import type { Index } from "../ops/index_args.ts";',
    'import type { TensorApi } from "../ops/tensor_api.ts";',
    'import type { Tensor } from "../tensor.ts";',
    "",
    "/** Methods of Tensor that the operator table makes. */",
    "export interface TensorMethods extends TensorApi {",
  ];
  const isMethod = (r: Row): boolean =>
    (r.only === undefined || r.only === "method") && /\((Tensor|Operand) self/.test(r.schema);
  for (const name of Object.keys(table).sort()) {
    const rows = table[name]!.filter(isMethod);
    for (const n of rows.length > 0 ? [name, ...rows.flatMap((r) => r.aliases ?? [])] : []) {
      if (inNamespace(n)) continue;
      out.push(doc(rows, n).replace(/^/gm, "  "));
      for (const r of rows) for (const line of signature(r, 1, !r.mutates)) out.push(`  ${n}${line}`);
    }
    const inplace = table[name]!.filter((r) => r.inplace);
    for (const n of inplace.length > 0 ? [name, ...inplace.flatMap((r) => r.aliases ?? [])] : []) {
      if (inNamespace(n)) continue;
      out.push(`  /** In-place form of \`${n}\`. */`);
      for (const r of inplace) {
        for (const line of signature(r, 1, false)) out.push(`  ${n}_${line.replace(/: [^:]*;$/, ": this;")}`);
      }
    }
  }
  out.push("}");
  return out.join("\n") + "\n";
}

let stale = false;
function emit(path: string, text: string): void {
  const file = join(root, path);
  let old = "";
  try {
    old = readFileSync(file, "utf8");
  } catch {
    // not there yet
  }
  if (old === text) return;
  if (check) {
    console.error(`${path} is not up to date: run scripts/gen.ts`);
    stale = true;
  } else {
    writeFileSync(file, text);
    console.log(`wrote ${path}`);
  }
}

for (const home of ["functions", "hidden", ...NAMESPACES]) emit(`src/_gen/${home}.ts`, functionsFile(home));
emit("src/_gen/tensor_methods.ts", methodsFile());
if (stale) process.exit(1);
