// Checks who imports whom (npm run check:layers): a file may import from a lower layer and from its own part of the
// layer, nothing else. `import type` may look up: it is gone at run time. docs/architecture.md describes the layers.
//
//   node_modules/.bin/deno run -A scripts/check_layers.ts

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** One part of a layer: a folder ("src/ops/"), single files, or both. */
export interface Part {
  readonly layer: number;
  readonly name: string;
  readonly paths: readonly string[];
}

/** From the bottom up. A file belongs to the part with the longest matching path. */
export const PARTS: readonly Part[] = [
  { layer: 1, name: "wasm", paths: ["wasm/"] },
  { layer: 1, name: "ffi", paths: ["ffi/"] },
  { layer: 2, name: "abi", paths: ["src/_gen/kernels.ts"] },
  { layer: 3, name: "base", paths: ["src/base/"] },
  { layer: 4, name: "backend", paths: ["src/backend/"] },
  {
    layer: 5,
    name: "tensor",
    paths: [
      "src/tensor.ts",
      "src/autograd/anomaly.ts",
      "src/autograd/engine.ts",
      "src/autograd/grad_mode.ts",
      "src/autograd/graph.ts",
      "src/autograd/inplace.ts",
    ],
  },
  { layer: 6, name: "dispatch", paths: ["src/dispatch/"] },
  { layer: 7, name: "ops", paths: ["src/ops/", "src/tensor_str.ts"] },
  { layer: 8, name: "signatures", paths: ["src/_gen/", "src/ops/mod.ts"] },
  { layer: 9, name: "autograd", paths: ["src/autograd/"] },
  { layer: 9, name: "distributed", paths: ["src/distributed/"] },
  {
    layer: 9,
    name: "config",
    paths: ["src/config.ts", "src/constants.ts", "src/determinism.ts", "src/random.ts"],
  },
  {
    layer: 9,
    name: "helpers",
    paths: [
      "src/utils/copy.ts",
      "src/utils/hooks.ts",
      "src/utils/pyrepr.ts",
      "src/utils/signature.ts",
      "src/utils/tensor_list.ts",
      "src/utils/typename.ts",
    ],
  },
  { layer: 10, name: "nn", paths: ["src/nn/"] },
  { layer: 10, name: "utils", paths: ["src/utils/"] },
  { layer: 10, name: "amp", paths: ["src/amp/"] },
  { layer: 11, name: "cuda", paths: ["src/cuda/"] },
  { layer: 11, name: "func", paths: ["src/func.ts"] },
  { layer: 11, name: "optim", paths: ["src/optim/"] },
  { layer: 11, name: "serialization", paths: ["src/serialization/", "src/serialization.ts"] },
  { layer: 12, name: "vision", paths: ["src/vision/"] },
  { layer: 13, name: "training", paths: ["src/training/"] },
  { layer: 14, name: "entries", paths: ["src/torch.ts", "src/mod.ts", "src/edge.ts", "src/worker.ts"] },
];

export interface Import {
  readonly from: string;
  readonly to: string;
  readonly line: number;
  readonly typeOnly: boolean;
}

export function partOf(file: string): Part | undefined {
  let best: Part | undefined, length = 0;
  for (const part of PARTS) {
    for (const path of part.paths) {
      if (path.length > length && (path.endsWith("/") ? file.startsWith(path) : file === path)) {
        best = part;
        length = path.length;
      }
    }
  }
  return best;
}

// import ... from "x"; export ... from "x"; import "x"; import("x"). Comments are taken out before.
const STATEMENT = /^[ \t]*(?:import|export)\s+(type\s+(?!from\b))?(?:[\w*\s{},$]*?\sfrom\s+)?"([^"]+)"/gm;
const DYNAMIC = /\bimport\(\s*"([^"]+)"\s*\)/g;
const COMMENT = /\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/[^\n]*/g;

/** What a module imports from files of the project. */
export function importsOf(file: string, source: string): Import[] {
  const text = source.replace(COMMENT, (comment) => comment.replace(/[^\n]/g, " "));
  const out: Import[] = [];
  const add = (specifier: string, at: number, typeOnly: boolean): void => {
    if (!specifier.startsWith(".")) return;
    const to = posix.join(posix.dirname(file), specifier);
    out.push({ from: file, to, line: text.slice(0, at).split("\n").length, typeOnly });
  };
  for (const match of text.matchAll(STATEMENT)) {
    const names = /\{([^}]*)\}/.exec(match[0])?.[1];
    const allTypes = names !== undefined && !/^\s*(?:import|export)\s+\w+\s*,/.test(match[0]) &&
      names.split(",").every((name) => name.trim() === "" || name.trim().startsWith("type "));
    add(match[2]!, match.index + match[0].search(/\S/), match[1] !== undefined || allTypes);
  }
  // `typeof import("x")` and `import("x").Type` are types; a module that is really loaded is awaited or returned.
  for (const match of text.matchAll(DYNAMIC)) {
    const before = text.slice(Math.max(0, match.index - 16), match.index);
    const after = text.slice(match.index + match[0].length).trimStart();
    add(match[1]!, match.index, /typeof\s+$/.test(before) || /^\.[A-Z]/.test(after));
  }
  return out;
}

/** Why an import may not be there, or undefined. */
export function offence({ from, to, typeOnly }: Import): string | undefined {
  if (typeOnly) return undefined;
  const source = partOf(from), target = partOf(to);
  if (source === undefined || target === undefined) {
    return `${source === undefined ? from : to} is in no layer: scripts/check_layers.ts names them`;
  }
  if (source === target || target.layer < source.layer) return undefined;
  return `${source.name} (layer ${source.layer}) may not import ${target.name} (layer ${target.layer})`;
}

function typeScriptFiles(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory() ? typeScriptFiles(root, path) : path.endsWith(".ts") ? [path] : [];
  });
}

/** Every import between files of the library. */
export function libraryImports(root: string): Import[] {
  return ["wasm", "ffi", "src"].flatMap((folder) => typeScriptFiles(root, folder)).flatMap((file) =>
    importsOf(file, readFileSync(join(root, file), "utf8"))
  );
}

/** The runtime's own modules belong into these files of src/; everything else works wherever WebAssembly does. */
const RUNTIME_FILES = ["src/base/env.ts", "src/base/fs.ts"];
const RUNTIME_USE = /\bDeno\.[a-z]|(?:from|import)\s*\(?\s*"node:/;

/** Places in src/ that use the runtime's own modules though they should not. */
export function runtimeUses(root: string): string[] {
  return typeScriptFiles(root, "src").filter((file) => !RUNTIME_FILES.includes(file)).flatMap((file) => {
    const text = readFileSync(join(root, file), "utf8").replace(
      COMMENT,
      (comment) => comment.replace(/[^\n]/g, " "),
    );
    return text.split("\n").flatMap((line, i) =>
      RUNTIME_USE.test(line.replace(/Symbol\.for\("[^"]*"\)|typeof import\("node:\w+"\)/g, ""))
        ? [
          `${file}:${i + 1}: only ${
            RUNTIME_FILES.join(" and ")
          } may use the runtime's modules: ${line.trim()}`,
        ]
        : []
    );
  });
}

/** Halves of one mechanism: neither runs any of the other while it loads. */
const MUTUAL: readonly (readonly string[])[] = [["src/base/scope.ts", "src/base/storage.ts"]];

/** Files that load each other: which of them runs first would depend on who asks. */
export function cycles(imports: readonly Import[]): string[][] {
  const edges = new Map<string, string[]>();
  for (const { from, to, typeOnly } of imports) {
    if (!typeOnly) edges.set(from, [...edges.get(from) ?? [], to]);
  }
  const state = new Map<string, "open" | "done">(), found: string[][] = [], path: string[] = [];
  const visit = (file: string): void => {
    if (state.get(file) === "done") return;
    if (state.get(file) === "open") {
      const cycle = path.slice(path.indexOf(file));
      if (!MUTUAL.some((files) => cycle.every((entry) => files.includes(entry)))) {
        found.push([...cycle, file]);
      }
      return;
    }
    state.set(file, "open");
    path.push(file);
    for (const next of edges.get(file) ?? []) visit(next);
    path.pop();
    state.set(file, "done");
  };
  for (const file of edges.keys()) visit(file);
  return found;
}

if (import.meta.main) {
  const root = join(dirname(fileURLToPath(import.meta.url)), "..");
  const imports = libraryImports(root), problems = runtimeUses(root);
  for (const entry of imports) {
    const problem = offence(entry);
    if (problem !== undefined) problems.push(`${entry.from}:${entry.line}: ${problem}: ${entry.to}`);
  }
  for (const cycle of cycles(imports)) problems.push(`import cycle: ${cycle.join(" -> ")}`);
  if (problems.length > 0) {
    console.error(problems.join("\n"));
    process.exitCode = 1;
  } else {
    console.log(
      `${imports.length} imports between ${
        new Set(imports.map(({ from }) => from)).size
      } files: all point down`,
    );
  }
}
