/** The larger examples, each for a few steps: they run, learn something and write what they say. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { tales } from "../../examples/char_gpt/tales.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const folder = mkdtempSync(join(tmpdir(), "tstorch-examples-"));

function run(program: string, ...args: string[]): string {
  const deno = join(root, "node_modules", ".bin", "deno");
  const file = join(root, "examples", program, "main.ts");
  return execFileSync(deno, ["run", "--no-check", "-A", file, ...args], {
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
  });
}
const numbers = (text: string, pattern: RegExp): number[] =>
  [...text.matchAll(pattern)].map((m) => Number(m[1]));
const PNG = Uint8Array.of(137, 80, 78, 71);

test("tales are the same everywhere", () => {
  expect(tales(100, 7)).toBe(tales(300, 7).slice(0, tales(100, 7).length));
  expect(tales(300, 7).startsWith("After the rain a hungry bear lived in the wood.")).toBe(true);
});

test("char_gpt", () => {
  const out = join(folder, "tale.txt");
  const small = ["--width", "32", "--layers", "1", "--batch", "8", "--context", "32"];
  const printed = run("char_gpt", "--steps", "80", ...small, "--letters", "40", "--out", out);
  const losses = numbers(printed, /on unseen text ([\d.]+)/g);
  expect(losses.length).toBe(8);
  expect(losses.at(-1)!).toBeLessThan(0.8 * losses[0]!);
  expect(readFileSync(out, "utf8").length).toBeGreaterThan(30);
}, 120_000);

test("vae_digits", () => {
  const printed = run("vae_digits", "--epochs", "2", "--count", "1024", "--hidden", "64", "--out", folder);
  const losses = numbers(printed, /epoch \d: ([\d.]+)/g);
  expect(losses.at(-1)!).toBeLessThan(losses[0]!);
  for (const name of ["samples", "reconstructions", "between"]) {
    expect(readFileSync(join(folder, `${name}.png`)).subarray(0, 4)).toEqual(Buffer.from(PNG));
  }
}, 120_000);

test("lstm_forecast", () => {
  const printed = run("lstm_forecast", "--steps", "24", "--hidden", "16", "--length", "40", "--out", folder);
  const errors = numbers(printed, /mean squared error ([\d.e+-]+)/g);
  expect(errors.at(-1)!).toBeLessThan(errors[0]!);
  expect(readFileSync(join(folder, "forecast.png")).subarray(0, 4)).toEqual(Buffer.from(PNG));
}, 120_000);

test("options are checked", () => {
  expect(run("char_gpt", "--help")).toContain("--temperature X");
  expect(() => run("char_gpt", "--stesp", "3")).toThrow("did you mean --steps?");
});
