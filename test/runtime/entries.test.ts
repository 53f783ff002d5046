/** The entries of the library in programs of their own. */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { expect, it } from "vitest";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const folder = join(root, "build", "test", `entries.${process.pid}`);
mkdirSync(folder, { recursive: true });

it("computes in Deno without any permission", () => {
  const program = join(folder, "program.ts");
  writeFileSync(
    program,
    `import * as torch from ${JSON.stringify(join(root, "src", "mod.ts"))};
    const a = torch.ones(600, 600);
    console.log(a.matmul(a).sum().item(), torch.randn(3).shape[0]);`,
  );
  const deno = join(root, "node_modules", ".bin", "deno");
  const args = ["run", "--no-prompt", "--no-config", "--no-check", "--cached-only", program];
  const text = execFileSync(deno, args, { encoding: "utf8", env: { ...process.env, NO_COLOR: "1" } });
  expect(text).toBe(`${600 ** 3} 3\n`);
});

it.each(["mod", "edge"])("can be bundled for browsers: src/%s.ts", async (entry) => {
  const result = await build({
    entryPoints: [join(root, "src", `${entry}.ts`)],
    outdir: join(folder, entry),
    bundle: true,
    platform: "browser",
    format: "esm",
    target: "es2024",
    logLevel: "silent",
  });
  expect(result.errors).toEqual([]);
  expect(result.warnings.map(({ text, location }) => `${location?.file}: ${text}`)).toEqual([]);
});
