/**
 * Datasets: samples by number, or one after the other.
 *
 * @module
 */
import { AssertionError, IndexError, NotImplementedError, ValueError, warnOnce } from "../../base/errors.ts";
import { int32 } from "../../base/dtype.ts";
import type { Generator } from "../../base/generator.ts";
import * as aten from "../../ops/mod.ts";
import { Tensor } from "../../tensor.ts";
import { signature } from "../signature.ts";
import { typename } from "../typename.ts";

/** What a DataLoader takes samples from by number: arrays, tensors (by row), and objects with these methods. */
export type MapDataset<T> = ArrayLike<T> | SampleSource<T>;

/** An object that has samples by number. */
export interface SampleSource<T> {
  /** The sample with this number; a promise of it where it has to be fetched (for `for await` only). */
  __getitem__(index: number): T | Promise<T>;
  /**
   * The samples with these numbers as one batch, exactly as the default collation would make it of them; undefined
   * where that cannot be done. Faster than making the samples one by one.
   */
  __getitems__?(indices: readonly number[]): unknown;
  /** How many samples there are; or a property `length`. */
  __len__?(): number;
  readonly length?: number;
}

/** Samples one after the other. */
export type StreamDataset<T> = Iterable<T> | AsyncIterable<T>;

/**
 * Base class of datasets that have samples by number. A subclass overrides `__getitem__`, and `__len__` or `length`.
 *
 * @see https://pytorch.org/docs/stable/data.html#torch.utils.data.Dataset
 */
export class Dataset<T = unknown> implements SampleSource<T> {
  /** The sample with this number. */
  __getitem__(_index: number): T | Promise<T> {
    throw new NotImplementedError("");
  }
  /** How many samples there are. */
  __len__(): number {
    throw new TypeError(`object of type '${this.constructor.name}' has no len()`);
  }
  get length(): number {
    return this.__len__();
  }
  /** This dataset and another, one after the other. */
  add<U>(other: Dataset<U>): ConcatDataset<T | U> {
    return new ConcatDataset<T | U>([this as Dataset<T | U>, other as Dataset<T | U>]);
  }
}

/** Base class of datasets that give samples one after the other: a subclass overrides `[Symbol.iterator]`. */
export class IterableDataset<T = unknown> {
  [Symbol.iterator](): Iterator<T> {
    throw new NotImplementedError("");
  }
  /** This dataset and another, one after the other. */
  add<U>(other: IterableDataset<U>): ChainDataset<T | U> {
    return new ChainDataset<T | U>([this, other]);
  }
}

/** How many samples `dataset` has. */
export function lengthOf(dataset: unknown): number {
  if (dataset instanceof Tensor) return dataset.size(0);
  const d = dataset as Partial<SampleSource<unknown>> & { size?: unknown };
  if (typeof d.__len__ === "function" && d.__len__ !== Dataset.prototype.__len__) return d.__len__();
  if (typeof d.length === "number") return d.length;
  if (typeof d.size === "number") return d.size;
  throw new TypeError(`object of type '${typename(dataset)}' has no len()`);
}

/** Sample `index` of `dataset`. */
export function sampleOf<T>(dataset: MapDataset<T>, index: number): T | Promise<T> {
  if (dataset instanceof Tensor) return dataset.select(0, index) as T;
  const d = dataset as SampleSource<T> & { get?(index: number): T };
  if (typeof d.__getitem__ === "function") return d.__getitem__(index);
  if (Array.isArray(dataset) || ArrayBuffer.isView(dataset)) {
    const n = (dataset as ArrayLike<T>).length;
    if (!(index >= -n && index < n)) throw new IndexError("list index out of range");
    return (dataset as ArrayLike<T>)[index < 0 ? index + n : index]!;
  }
  if (typeof d.get === "function") return d.get(index);
  throw new TypeError(`'${typename(dataset)}' object is not subscriptable`);
}

/** Does `dataset` give samples one after the other only? */
export function isStream(dataset: unknown): dataset is StreamDataset<unknown> {
  if (dataset instanceof IterableDataset) return true;
  if (dataset === null || typeof dataset !== "object" || dataset instanceof Tensor) return false;
  const d = dataset as Partial<SampleSource<unknown>> & { get?: unknown };
  if (typeof d.__getitem__ === "function" || typeof d.get === "function") return false;
  if (Array.isArray(dataset) || ArrayBuffer.isView(dataset)) return false;
  return Symbol.iterator in dataset || Symbol.asyncIterator in dataset;
}

/** The rows of tensors. */
export class TensorDataset<T extends readonly Tensor[] = Tensor[]>
  extends Dataset<{ [K in keyof T]: Tensor }> {
  tensors: T;
  constructor(...tensors: T) {
    super();
    if (tensors.some((t) => t.size(0) !== tensors[0]!.size(0))) {
      throw new AssertionError("Size mismatch between tensors");
    }
    this.tensors = tensors;
  }
  override __getitem__(index: number): { [K in keyof T]: Tensor } {
    return this.tensors.map((t) => t.select(0, index)) as unknown as { [K in keyof T]: Tensor };
  }
  __getitems__(indices: readonly number[]): Tensor[] {
    // Stacking copies of rows is selecting them.
    const rows = aten.tensor(Int32Array.from(indices), { dtype: int32 });
    return this.tensors.map((t) => t.index_select(0, rows.to(t.device)));
  }
  override __len__(): number {
    return this.tensors[0]!.size(0);
  }
}

/** Some samples of a dataset. */
export class Subset<T = unknown> extends Dataset<T> {
  dataset: MapDataset<T>;
  indices: readonly number[];
  constructor(dataset: MapDataset<T>, indices: readonly number[]) {
    super();
    this.dataset = dataset;
    this.indices = indices;
  }
  override __getitem__(index: number): T | Promise<T> {
    return sampleOf(this.dataset, this.indices[index]!);
  }
  __getitems__(indices: readonly number[]): unknown {
    return (this.dataset as SampleSource<T>).__getitems__?.(indices.map((i) => this.indices[i]!));
  }
  override __len__(): number {
    return this.indices.length;
  }
}

/** Datasets one after the other. */
export class ConcatDataset<T = unknown> extends Dataset<T> {
  datasets: MapDataset<T>[];
  /** Where each dataset ends. */
  cumulative_sizes: number[];

  constructor(datasets: Iterable<MapDataset<T>>) {
    super();
    this.datasets = [...datasets];
    if (this.datasets.length === 0) throw new AssertionError("datasets should not be an empty iterable");
    if (this.datasets.some(isStream)) {
      throw new AssertionError("ConcatDataset does not support IterableDataset");
    }
    let total = 0;
    this.cumulative_sizes = this.datasets.map((d) => total += lengthOf(d));
  }
  override __len__(): number {
    return this.cumulative_sizes.at(-1)!;
  }
  override __getitem__(index: number): T | Promise<T> {
    const n = this.length;
    if (-index > n) throw new ValueError("absolute value of index should not exceed dataset length");
    const at = index < 0 ? index + n : index;
    const k = this.cumulative_sizes.findIndex((end) => at < end);
    if (k < 0) throw new IndexError("list index out of range");
    return sampleOf(this.datasets[k]!, at - (k === 0 ? 0 : this.cumulative_sizes[k - 1]!));
  }
}

/** Iterable datasets one after the other. */
export class ChainDataset<T = unknown> extends IterableDataset<T> {
  datasets: Iterable<IterableDataset<T>>;
  constructor(datasets: Iterable<IterableDataset<T>>) {
    super();
    this.datasets = datasets;
  }
  override *[Symbol.iterator](): Generator_<T> {
    for (const d of this.datasets) {
      if (!isStream(d)) throw new AssertionError("ChainDataset only supports IterableDataset");
      yield* d as Iterable<T>;
    }
  }
  get length(): number {
    let total = 0;
    for (const d of this.datasets) {
      if (!isStream(d)) throw new AssertionError("ChainDataset only supports IterableDataset");
      total += lengthOf(d);
    }
    return total;
  }
}
type Generator_<T> = globalThis.Generator<T>;

const SPLIT = signature<{ generator?: Generator | null }>("random_split", { generator: null });

/** Splits a dataset at random into parts of the given lengths, or of the given shares if these add up to 1. */
export function random_split<T>(
  dataset: MapDataset<T>,
  lengths: readonly number[],
  generator?: Generator | null | { generator?: Generator | null },
): Subset<T>[] {
  const { generator: source } = SPLIT([generator]);
  const n = lengthOf(dataset);
  const sum = lengths.reduce((a, b) => a + b, 0);
  let parts = lengths;
  if (Math.abs(sum - 1) <= 1e-9 && sum <= 1) {
    const sizes = lengths.map((share, i) => {
      if (share < 0 || share > 1) throw new ValueError(`Fraction at index ${i} is not between 0 and 1`);
      return Math.floor(n * share);
    });
    const rest = n - sizes.reduce((a, b) => a + b, 0);
    for (let i = 0; i < rest; i++) sizes[i % sizes.length]!++;
    sizes.forEach((s, i) => {
      if (s === 0) {
        warnOnce("UserWarning", `Length of split at index ${i} is 0. This might result in an empty dataset.`);
      }
    });
    parts = sizes;
  }
  if (parts.reduce((a, b) => a + b, 0) !== n) {
    throw new ValueError("Sum of input lengths does not equal the length of the input dataset!");
  }
  const order = permutation(n, source);
  let offset = 0;
  return parts.map((length) => new Subset(dataset, order.slice(offset, offset += length)));
}

/** A random permutation of 0 .. n - 1. */
export function permutation(n: number, generator: Generator | null): number[] {
  // 32-bit numbers: the draws are the same, and they need no bigints on their way here.
  return Array.from(aten.randperm(n, { dtype: int32, generator }).to_typed_array() as Int32Array);
}
