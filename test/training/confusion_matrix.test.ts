import { describe, expect, it } from "vitest";
import { ConfusionMatrix } from "../../src/training/confusion_matrix.ts";

describe("ConfusionMatrix", () => {
  const matrix = new ConfusionMatrix(["cat", "dog", "owl"]);
  matrix.update([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 1, 0]);
  matrix.update(BigInt64Array.of(2n), BigInt64Array.of(2n));

  it("counts", () => {
    expect(matrix.total).toBe(7);
    expect(matrix.count(0, 1)).toBe(1);
    expect(matrix.count(2, 0)).toBe(1);
    expect(matrix.accuracy).toBeCloseTo(5 / 7);
    expect(matrix.recall(0)).toBeCloseTo(2 / 3);
    expect(matrix.precision(0)).toBeCloseTo(2 / 3);
    expect(matrix.precision(1)).toBeCloseTo(2 / 3);
  });
  it("prints a table", () => {
    expect(String(matrix)).toBe(
      [
        "true\\pred    cat    dog     owl  recall",
        "      cat      2      1       .   66.7%",
        "      dog      .      2       .  100.0%",
        "      owl      1      .       1   50.0%",
        "precision  66.7%  66.7%  100.0%   71.4%",
      ].join("\n"),
    );
  });
  it("has a dash for what nothing is known of", () => {
    expect(String(new ConfusionMatrix(1))).toBe(
      "true\\pred  0  recall\n        0  .       -\nprecision  -       -",
    );
  });
  it("refuses classes that it does not have, and lists of different length", () => {
    expect(() => matrix.update([3], [0])).toThrow("class 3 is not in 0 .. 2");
    expect(() => matrix.update([0], [-1])).toThrow("class -1 is not in 0 .. 2");
    expect(() => matrix.update([0, 1], [0])).toThrow("got 2 targets, but 1 predictions");
  });
});
