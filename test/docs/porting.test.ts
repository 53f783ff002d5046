/** Runs the TypeScript side of docs/porting.md: every row of its tables and every block, type-checked by Deno. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const page = readFileSync(join(root, "docs", "porting.md"), "utf8");

/** The page's TypeScript in order, each section a scope of its own: `["## Tensors", ["const x = ...", ...]]`. */
function sections(): [string, string[]][] {
  return page.split(/^## /m).slice(1).map((section) => {
    const title = section.slice(0, section.indexOf("\n"));
    const code: string[] = [];
    for (const m of section.matchAll(/^```ts\n([\s\S]*?)^```|^\|.*\| *`([^`|]+)` *\|$/gm)) {
      code.push(m[1] ?? m[2]!);
    }
    return [title, code];
  });
}

test("every right side of docs/porting.md runs and has types", () => {
  const all = sections();
  // No row is left out: headings and rules aside, each gives one snippet.
  const rows = [...page.matchAll(/^\|(?! Python| ?-).*$/gm)].length, blocks = page.match(/^```ts$/gm)!.length;
  expect(all.flatMap(([, code]) => code).length).toBe(rows + blocks - 1);
  const given =
    "const x = torch.randn(3, 4), r = torch.randn(3, 4), i = torch.tensor([0n, 2n]); void [x, r, i];";
  const body = all.map(([title, code]) => {
    const before = title === "Indexing"
      ? given
      : title === "Saving"
      ? `const path = ${JSON.stringify(join(root, "build", "test", `porting.${process.pid}.pth`))};` +
        " const saved = new nn.Linear(2, 2);"
      : "";
    return `section(${JSON.stringify(title)}, () => {\n${before}\n${code.join("\n")}\n});`;
  }).join("\n");
  const folder = join(root, "build", "test", `porting.${process.pid}`), program = join(folder, "porting.ts");
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    program,
    `${
      page.match(/^```ts\n([\s\S]*?)^```/m)![1]!.replace("tstorch", join(root, "src", "mod.ts"))
    }void [optim, func, DataLoader, TensorDataset];
function section(title: string, body: () => void): void {
  try { body(); } catch (e) { throw new Error(title, { cause: e }); }
  console.log("done: " + title);
}
${body}`,
  );
  const deno = join(root, "node_modules", ".bin", "deno");
  const args = ["run", "--no-prompt", "--config", join(root, "deno.json"), "-A", "--check", program];
  const output = execFileSync(deno, args, { encoding: "utf8", env: { ...process.env, NO_COLOR: "1" } });
  for (const [title] of all) expect(output).toContain(`done: ${title}`);
  expect(output).toContain("torch.Size([8, 1, 3])");
}, 240_000);
