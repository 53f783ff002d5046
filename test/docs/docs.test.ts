/** What README.md and docs/ say is true: programs run, commands and files are there, quoted code is in the source. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const pages = [
  "README.md",
  ...readdirSync(join(root, "docs")).filter((f) => f.endsWith(".md")).map((f) => `docs/${f}`),
];
const text = (page: string): string => readFileSync(join(root, page), "utf8");
const blocks = (page: string, language: string): string[] =>
  [...text(page).matchAll(new RegExp(`^ *\`\`\`${language}\\n([\\s\\S]*?)^ *\`\`\``, "gm"))].map((match) =>
    match[1]!
  );
const scripts = (JSON.parse(text("package.json")) as { scripts: Record<string, string> }).scripts;

describe.each(pages)("%s", (page) => {
  it("links to pages that are there", () => {
    const prose = text(page).replace(/^ *```[\s\S]*?^ *```/gm, "");
    for (const [, target] of prose.matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)) {
      expect(existsSync(join(root, dirname(page), target!)), target).toBe(true);
    }
  });

  it("names files that are there", () => {
    const paths = text(page).matchAll(
      /`((?:src|core|wasm|ffi|scripts|test|bench|docs|examples)\/[\w./]+\.\w+)`/g,
    );
    for (const [, path] of paths) {
      expect(existsSync(join(root, path!)), path).toBe(true);
    }
  });

  it("names commands that are there", () => {
    for (const [, script] of text(page).matchAll(/npm run ([\w:]+)/g)) {
      expect(Object.keys(scripts), page).toContain(script);
    }
    for (const [, program] of text(page).matchAll(/deno run -A ([\w/]+\.ts)/g)) {
      expect(existsSync(join(root, program!)), program).toBe(true);
    }
  });
});

describe("README.md", () => {
  const [example] = blocks("README.md", "ts");

  it("has an example that runs as it says, of at most 30 lines", () => {
    expect(example!.trim().split("\n").length).toBeLessThanOrEqual(30);
    const folder = join(root, "build", "test", `docs.${process.pid}`), program = join(folder, "example.ts");
    mkdirSync(folder, { recursive: true });
    writeFileSync(
      program,
      example!.replace('from "tstorch"', `from ${JSON.stringify(join(root, "src", "mod.ts"))}`),
    );
    const deno = join(root, "node_modules", ".bin", "deno");
    const args = ["run", "--no-prompt", "--no-config", "--check", program];
    const output = execFileSync(deno, args, { encoding: "utf8", env: { ...process.env, NO_COLOR: "1" } });
    const value = Number(/^tensor\(\[\[([\d.]+)\]\], grad_fn=<AddmmBackward0>\)\n$/.exec(output)?.[1]);
    expect(value).toBeGreaterThan(0.2);
    expect(value).toBeLessThan(0.3);
  }, 60_000);

  it("starts with the two commands", () => {
    const commands = blocks("README.md", "sh").map((block) => block.trim());
    expect(commands).toEqual(["npm install && npx deno run -A train_mnist.ts", "npm install && npm test"]);
  });
});

it("docs/adding_an_op.md quotes the source", () => {
  const squeeze = (code: string): string => code.replace(/\s+/g, "");
  const inFolder = (folder: string): string[] =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).filter((file) =>
      /\.\w+$/.test(file)
    )
      .map((file) => join(root, folder, file));
  const sources = [
    ...inFolder("src/ops"),
    ...inFolder("core/include"),
    join(root, "core", "pointwise.def"),
  ].map((file) => squeeze(readFileSync(file, "utf8")));
  const quoted = [...blocks("docs/adding_an_op.md", "ts"), ...blocks("docs/adding_an_op.md", "c")];
  expect(quoted.length).toBeGreaterThanOrEqual(4);
  for (const code of quoted) {
    for (const part of code.split(/\n *\.\.\.\n/)) {
      expect(sources.some((source) => source.includes(squeeze(part))), part).toBe(true);
    }
  }
});
