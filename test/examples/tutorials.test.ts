import process from "node:process";
import { afterEach, expect, it, vi } from "vitest";

process.env.DIGITS = "synthetic";
process.env.DIGITS_LIMIT = "400";
afterEach(() => void vi.restoreAllMocks());

/** Runs a tutorial and gives what it printed. */
async function run(name: string): Promise<string[]> {
  const printed: string[] = [];
  vi.spyOn(console, "log").mockImplementation((x) => void printed.push(String(x)));
  await import(`../../examples/tutorials/${name}.ts`);
  return printed;
}
const numbers = (lines: string[], label: string) =>
  lines.flatMap((line) => line.includes(`${label} = `) ? [parseFloat(line.split(`${label} = `)[1]!)] : []);

it("0_multiply", async () => expect(await run("0_multiply")).toEqual(["tensor([12.])"]));

it("1_linear_regression finds PyTorch's slope", async () => {
  const lines = await run("1_linear_regression");
  expect(lines.slice(-2)).toEqual(["Epoch = 100, cost = 0.1051", "w = 1.98"]);
});

it.each([
  ["2_logistic_regression", 5],
  ["3_neural_net", 5],
  ["4_modern_neural_net", 3],
  ["5_convolutional_net", 3],
  ["6_lstm", 3],
])("%s learns digits", async (name, epochs) => {
  const costs = numbers(await run(name), "cost");
  expect(costs.length).toBe(epochs);
  expect(costs.at(-1)!).toBeLessThan(costs[0]!);
}, 120_000);

it("7_tiny_gpt learns a poem", async () => {
  const lines = await run("7_tiny_gpt"), losses = numbers(lines, "loss");
  expect(losses.at(-1)!).toBeLessThan(0.3);
  expect(lines.at(-1)).toMatch(/^Tyger.{145}/s);
}, 120_000);
