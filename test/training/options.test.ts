import { describe, expect, it } from "vitest";
import { describeOptions, type OptionTable, parseOptions } from "../../src/training/options.ts";

const TABLE = {
  epochs: { kind: "int", value: "N", default: 2, min: 1, help: "passes over the data" },
  lr: { kind: "number", value: "X", default: null, min: 0, max: 10, help: "step size" },
  model: { kind: "choice", choices: ["mlp", "cnn"], default: "mlp", help: "what to train" },
  save: { kind: "text", value: "FILE", default: "a.pth", help: "where to save" },
  quick: { kind: "flag", help: "do less" },
} as const satisfies OptionTable;

describe("parseOptions", () => {
  it("has defaults", () => {
    const { values, given } = parseOptions(TABLE, []);
    expect(values).toEqual({ epochs: 2, lr: null, model: "mlp", save: "a.pth", quick: false });
    expect(given.size).toBe(0);
  });
  it("takes values behind a space or an equals sign", () => {
    const { values, given } = parseOptions(TABLE, [
      "--epochs",
      "5",
      "--lr=1e-3",
      "--model",
      "cnn",
      "--quick",
      "--save=x=y.pth",
    ]);
    expect(values).toEqual({ epochs: 5, lr: 0.001, model: "cnn", save: "x=y.pth", quick: true });
    expect([...given]).toEqual(["epochs", "lr", "model", "quick", "save"]);
  });
  it.each([
    [["--epoch", "3"], "unknown option --epoch; did you mean --epochs?"],
    [["--colour"], "unknown option --colour"],
    [["--toString"], "unknown option --toString"],
    [["-e", "3"], "unexpected argument '-e'"],
    [["train"], "unexpected argument 'train'"],
    [["--epochs"], "--epochs needs a value"],
    [["--epochs", "--quick"], "--epochs needs a value"],
    [["--epochs", "0"], "--epochs: expected at least 1, but got 0"],
    [["--epochs", "1.5"], "--epochs: expected a whole number, but got '1.5'"],
    [["--epochs="], "--epochs: expected a whole number, but got ''"],
    [["--lr", "fast"], "--lr: expected a number, but got 'fast'"],
    [["--lr", "Infinity"], "--lr: expected a number, but got 'Infinity'"],
    [["--lr", "11"], "--lr: expected at most 10, but got 11"],
    [["--model", "rnn"], "--model: expected mlp or cnn, but got 'rnn'"],
    [["--quick=yes"], "--quick takes no value"],
    [["--lr", "1", "--lr", "2"], "--lr is given twice"],
  ])("refuses %j", (args, message) => {
    expect(() => parseOptions(TABLE, args)).toThrow(message);
  });
});

describe("describeOptions", () => {
  it("lists options with their defaults", () => {
    expect(describeOptions(TABLE)).toBe([
      "  --epochs N       passes over the data (default: 2)",
      "  --lr X           step size",
      "  --model mlp|cnn  what to train (default: mlp)",
      "  --save FILE      where to save (default: a.pth)",
      "  --quick          do less",
    ].join("\n"));
  });
});
