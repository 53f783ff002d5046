// Writes docs/parity.md: every public function of PyTorch, whether it is here, and what of it has been compared with
// PyTorch's recorded answers. Nothing in that page is kept by hand: names come from test/fixtures/torch_names.json,
// derivatives from the operator table, the rest from running test/fixtures/ops.json and more_ops.json.
//
//   node_modules/.bin/deno run -A scripts/make_parity.ts [--check]     --check: fails if the page would change

import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import * as torch from "../src/mod.ts";
import type { Row } from "../src/dispatch/op.ts";
import { table } from "../src/ops/table.ts";
import { judge, type OpFile } from "../test/ops/judge.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const read = (path: string) => JSON.parse(readFileSync(join(root, path), "utf8"));

/** Names of parts of PyTorch that tstorch does not have by design, and helpers that `torch` shows by accident. */
const OUTSIDE =
  /sparse|quant|^q_|qscheme|qint|fbgemm|mkldnn|cudnn|miopen|autocast|vital|(row|col|crow|ccol)_indices|^(indices|values)(_copy)?$|coalesce|dense_dim|to_dense|int_repr|fake_|^(dsmm|hsmm|hspmm|saddmm|smm|spmm|sspaddmm)|batch_norm_(backward|elemt|gather|stats|update)|dlpack|^(parse_|import_ir|merge_type|unify_type|fork|wait|classproperty|candidate|obj|prepare_multi|read_|init_num|get_file_path|compiled_with|typename|Callable|Set|Union|List|Optional|Tuple|align_|refine_names|rename|has_names|names|reinforce|record_stream|storage_type|is_(distributed|ipu|mlc|mps|ort|vulkan|xpu|nested)|is_vulkan_available|ipu|xpu|volatile|name$|as_subclass|to_padded|to_mkl|nnapi|eig|symeig|solve|lstsq|from_file|Tag)/;

interface Results {
  cases: number;
  wrong: number;
  gradients: number;
  dtypes: Set<string>;
}

/** What the recorded cases say, by the function's full name. */
function results(): Map<string, Results> {
  const out = new Map<string, Results>();
  const warn = console.warn;
  console.warn = () => {};
  const files: OpFile[] = [...read("test/fixtures/ops.json"), ...read("test/fixtures/more_ops.json")];
  for (const file of files) {
    const name = /^(torch|Tensor)\.[\w.]+/.exec(file.call)?.[0] ?? `Tensor.${/\.(\w+)/.exec(file.call)?.[1]}`;
    const entry = out.get(name) ?? { cases: 0, wrong: 0, gradients: 0, dtypes: new Set<string>() };
    out.set(name, entry);
    for (const c of file.cases) {
      entry.cases++;
      try {
        if (judge(file, c) !== null) {
          entry.wrong++;
          continue;
        }
      } catch {
        entry.wrong++;
        continue;
      }
      entry.dtypes.add(c.dtype);
      if (c.grads?.some((g) => g.grad)) entry.gradients++;
    }
  }
  console.warn = warn;
  return out;
}

const PREFIX: Readonly<Record<string, string>> = {
  "torch.linalg": "linalg_",
  "torch.special": "special_",
  "torch.fft": "fft_",
  "torch.masked": "masked__",
};

/** Rows by every name that users know. */
const rowsByName = new Map<string, readonly Row[]>();
for (const [name, rows] of Object.entries(table)) {
  for (const n of [name, ...rows.flatMap((r) => r.aliases ?? [])]) rowsByName.set(n, rows);
}

/** Do the rows have derivatives? */
function derivativeOf(rows: readonly Row[] | undefined): string {
  if (rows === undefined) return "";
  if (rows.some((r) => r.composite !== undefined)) return "yes";
  const bodies = rows.flatMap((r) => Object.values(r.derivative ?? {}));
  if (bodies.some((b) => typeof b === "function")) return "yes";
  return bodies.some((b) => String(b).startsWith("notImplemented")) ? "not in PyTorch either" : "none";
}

const SHORT: Readonly<Record<string, string>> = {
  float32: "f32",
  float64: "f64",
  float16: "f16",
  bfloat16: "bf16",
  complex64: "c64",
  complex128: "c128",
  int64: "i64",
  int32: "i32",
  int16: "i16",
  int8: "i8",
  uint8: "u8",
};

const recorded = results();
const names: Record<string, string[]> & { version: string } = read("test/fixtures/torch_names.json");
const sample = torch.ones([1]);

function section(space: string): { head: string; lines: string[]; missing: string[]; all: number } {
  const holder: unknown = space === "torch.Tensor" ? sample : space.split(".").slice(1).reduce(
    // deno-lint-ignore no-explicit-any -- walks the namespace by name
    (o: any, k) => o?.[k],
    torch,
  );
  const lines: string[] = [], missing: string[] = [];
  const listed = names[space]!.filter((n) => !OUTSIDE.test(n));
  for (const n of listed) {
    if (!(n in (holder as object))) {
      missing.push(n);
      continue;
    }
    const rows = rowsByName.get(`${PREFIX[space] ?? ""}${n}`) ?? rowsByName.get(n.replace(/_$/, ""));
    const r = recorded.get(`${space === "torch.Tensor" ? "Tensor" : space}.${n}`) ??
      (space === "torch.Tensor" ? recorded.get(`torch.${n.replace(/_$/, "")}`) : undefined) ??
      (space === "torch" ? recorded.get(`Tensor.${n}`) : undefined);
    const state = r === undefined
      ? "here"
      : r.wrong === 0
      ? `${r.cases} compared`
      : `${r.wrong} of ${r.cases} differ`;
    const gradient = r !== undefined && r.gradients > 0 ? "compared" : derivativeOf(rows);
    const dtypes = r === undefined ? "" : [...r.dtypes].map((d) => SHORT[d] ?? d).sort().join(" ");
    lines.push(`| \`${n}\` | ${state} | ${gradient} | ${dtypes} |`);
  }
  return { head: space, lines, missing, all: listed.length };
}

const spaces = Object.keys(names).filter((k) => k !== "version");
const sections = spaces.map(section);
const total = sections.reduce((n, s) => n + s.all, 0),
  here = sections.reduce((n, s) => n + s.lines.length, 0);
const text = `<!-- deno-fmt-ignore-file -->
<!-- Generated by scripts/make_parity.ts. -->

# Parity with PyTorch

Every public function of PyTorch ${
  names.version.replace(/a\d+$/, "")
}, without sparse, quantized and named tensors, TorchScript, other backends and names that were removed: ${here} of ${total} are here.

- **state**: \`3 compared\`: so many recorded cases give PyTorch's values, dtypes, shapes and gradients; \`here\`: the
  function exists and has tests of other kinds, or is another name of one that was compared.
- **gradient**: \`compared\` with PyTorch's; \`yes\`: has one, which is checked against finite differences
  (\`test/ops/gradcheck.test.ts\`); \`none\`: has none in PyTorch either.
- **dtypes**: those of the compared cases' inputs.

| namespace | here | missing |
| --- | --- | --- |
${
  sections.map((s) =>
    `| ${s.head} | ${s.lines.length} of ${s.all} | ${s.missing.map((m) => `\`${m}\``).join(", ")} |`
  ).join("\n")
}
${
  sections.map((s) =>
    `\n## ${s.head}\n\n| function | state | gradient | dtypes |\n| --- | --- | --- | --- |\n${
      s.lines.join("\n")
    }\n`
  ).join("")
}`;

const file = join(root, "docs/parity.md");
let old = "";
try {
  old = readFileSync(file, "utf8");
} catch {
  // not there yet
}
if (old === text) process.exit(0);
if (process.argv.includes("--check")) {
  console.error("docs/parity.md is not up to date: run scripts/make_parity.ts");
  process.exit(1);
}
writeFileSync(file, text);
console.log(`wrote docs/parity.md: ${here} of ${total}`);
