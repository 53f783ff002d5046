/**
 * Which classes are taken for which.
 *
 * @module
 */
import { ValueError } from "../base/errors.ts";

/** Counts predictions by true class (rows) and predicted class (columns). */
export class ConfusionMatrix {
  readonly classes: readonly string[];
  readonly #counts: Float64Array;

  /** For classes of these names, or for so many numbered ones. */
  constructor(classes: readonly string[] | number) {
    this.classes = typeof classes === "number"
      ? Array.from({ length: classes }, (_, i) => String(i))
      : classes;
    this.#counts = new Float64Array(this.classes.length ** 2);
  }

  /** Adds samples: their true classes and what was predicted. */
  update(targets: ArrayLike<number | bigint>, predictions: ArrayLike<number | bigint>): void {
    if (targets.length !== predictions.length) {
      throw new ValueError(
        `ConfusionMatrix.update(): got ${targets.length} targets, but ${predictions.length} predictions`,
      );
    }
    for (let i = 0; i < targets.length; i++) {
      this.#counts[this.#index(Number(targets[i]), Number(predictions[i]))]!++;
    }
  }

  #index(target: number, prediction: number): number {
    const n = this.classes.length;
    for (const c of [target, prediction]) {
      if (!(Number.isInteger(c) && c >= 0 && c < n)) {
        throw new ValueError(`ConfusionMatrix: class ${c} is not in 0 .. ${n - 1}`);
      }
    }
    return target * n + prediction;
  }

  /** How often `target` was taken for `prediction`. */
  count(target: number, prediction: number): number {
    return this.#counts[this.#index(target, prediction)]!;
  }
  /** All samples. */
  get total(): number {
    return this.#counts.reduce((a, b) => a + b, 0);
  }
  /** The share of right predictions; NaN without samples. */
  get accuracy(): number {
    return this.classes.reduce((sum, _, i) => sum + this.count(i, i), 0) / this.total;
  }
  /** The share of a class that was recognised. */
  recall(target: number): number {
    return this.count(target, target) / this.classes.reduce((sum, _, p) => sum + this.count(target, p), 0);
  }
  /** The share of predictions of a class that were right. */
  precision(prediction: number): number {
    return this.count(prediction, prediction) /
      this.classes.reduce((sum, _, t) => sum + this.count(t, prediction), 0);
  }

  /** A table: a row per true class with its recall, a last row with the precisions. */
  toString(): string {
    const n = this.classes.length,
      percent = (x: number): string => Number.isNaN(x) ? "-" : `${(100 * x).toFixed(1)}%`;
    const rows: string[][] = [["true\\pred", ...this.classes, "recall"]];
    for (let t = 0; t < n; t++) {
      const counts = this.classes.map((_, p) => this.count(t, p) === 0 ? "." : String(this.count(t, p)));
      rows.push([this.classes[t]!, ...counts, percent(this.recall(t))]);
    }
    rows.push([
      "precision",
      ...this.classes.map((_, p) => percent(this.precision(p))),
      percent(this.accuracy),
    ]);
    const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
    return rows.map((row) => row.map((cell, i) => cell.padStart(widths[i]!)).join("  ")).join("\n");
  }
}
