import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import {
  cycles,
  importsOf,
  libraryImports,
  offence,
  partOf,
  PARTS,
  runtimeUses,
} from "../../scripts/check_layers.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const check = (from: string, source: string): (string | undefined)[] => importsOf(from, source).map(offence);

describe("the layers of the library", () => {
  it("are kept", () => {
    const imports = libraryImports(root);
    expect(imports.length).toBeGreaterThan(500);
    expect(
      imports.map((entry) => [entry.from, entry.to, offence(entry)]).filter(([, , why]) => why !== undefined),
    )
      .toEqual([]);
    expect(cycles(imports)).toEqual([]);
    expect(runtimeUses(root)).toEqual([]);
  });

  it("are described in docs/architecture.md, in the same order", () => {
    const text = readFileSync(join(root, "docs", "architecture.md"), "utf8");
    const rows = [...text.matchAll(/^\| *(\d+) *\| *`?([a-z ]+?)`? *\|/gm)].map(([, layer, name]) =>
      `${layer} ${name}`
    );
    expect(rows.filter((row) => !row.startsWith("0 "))).toEqual(
      PARTS.map(({ layer, name }) => `${layer} ${name}`),
    );
  });
});

describe("scripts/check_layers.ts", () => {
  it("knows the longest path", () => {
    expect(partOf("src/autograd/engine.ts")?.name).toBe("tensor");
    expect(partOf("src/autograd/mod.ts")?.name).toBe("autograd");
    expect(partOf("src/new_folder/x.ts")).toBeUndefined();
  });

  it("finds what points up or sideways", () => {
    expect(check("src/base/dtype.ts", 'import { x } from "../ops/mod.ts";')).toEqual([
      "base (layer 3) may not import signatures (layer 8)",
    ]);
    expect(check("wasm/core.ts", 'export * from "../ffi/mod.ts";')).toEqual([
      "wasm (layer 1) may not import ffi (layer 1)",
    ]);
    expect(check("src/nn/init.ts", 'import "../optim/mod.ts";\nimport "./mod.ts";\nimport "../tensor.ts";'))
      .toEqual([
        "nn (layer 10) may not import optim (layer 11)",
        undefined,
        undefined,
      ]);
    expect(check("src/tensor.ts", 'const x = await import("./torch.ts");')[0]).toMatch(/^tensor .* entries/);
    expect(check("src/tensor.ts", 'import {\n  a,\n  type B,\n} from "./torch.ts";')[0]).toMatch(
      /^tensor .* entries/,
    );
    expect(check("src/tensor.ts", 'import { a } from "./what.ts";')[0]).toMatch(/is in no layer/);
  });

  it("lets types look up, and reads no comments", () => {
    for (
      const source of [
        'import type { A } from "./torch.ts";',
        'import { type A, type B } from "./torch.ts";',
        'export type { A } from "./torch.ts";',
        'type A = typeof import("./torch.ts");',
      ]
    ) expect(check("src/tensor.ts", source)).toEqual([undefined]);
    expect(check("src/tensor.ts", '// import { a } from "./torch.ts";\n/* import "./torch.ts"; */')).toEqual(
      [],
    );
  });

  it("finds cycles", () => {
    const edge = (from: string, to: string, typeOnly = false) => ({ from, to, line: 1, typeOnly });
    expect(cycles([edge("a", "b"), edge("b", "c"), edge("c", "a")])).toEqual([["a", "b", "c", "a"]]);
    expect(cycles([edge("a", "b"), edge("b", "a", true)])).toEqual([]);
  });
});
