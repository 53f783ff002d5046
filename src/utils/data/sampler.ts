/**
 * Samplers: in which order samples are taken.
 *
 * @module
 */
import { float64, int32, int64 } from "../../base/dtype.ts";
import { NotImplementedError, ValueError } from "../../base/errors.ts";
import { Generator } from "../../base/generator.ts";
import * as aten from "../../ops/mod.ts";
import type { Tensor } from "../../tensor.ts";
import { pyrepr, tupleRepr } from "../pyrepr.ts";
import { required, signature } from "../signature.ts";
import { lengthOf, permutation } from "./dataset.ts";

type Iteration<T> = globalThis.Generator<T>;

/** Base class of samplers: a subclass overrides `[Symbol.iterator]` and `length`. */
export class Sampler<T = number> implements Iterable<T> {
  [Symbol.iterator](): Iterator<T> {
    throw new NotImplementedError("");
  }
  get length(): number {
    throw new TypeError(`object of type '${this.constructor.name}' has no len()`);
  }
}

function positive(name: string, x: unknown): void {
  if (typeof x !== "number" || !Number.isInteger(x) || x <= 0) {
    throw new ValueError(`${name} should be a positive integer value, but got ${name}=${pyrepr(x)}`);
  }
}

/** In order. */
export class SequentialSampler extends Sampler {
  data_source: unknown;
  constructor(data_source: unknown) {
    super();
    this.data_source = data_source;
  }
  override *[Symbol.iterator](): Iteration<number> {
    for (let i = 0, n = this.length; i < n; i++) yield i;
  }
  override get length(): number {
    return lengthOf(this.data_source);
  }
}

/** 63 bits of `generator`, or of the default one: what PyTorch's `torch.empty((), dtype=int64).random_()` draws. */
export function drawSeed(generator: Generator | null): bigint {
  return BigInt(aten.empty([], { dtype: int64 }).random_({ generator }).item() as number | bigint);
}

interface RandomOptions {
  replacement?: boolean;
  num_samples?: number | null;
  generator?: Generator | null;
}
const RANDOM = signature<{ data_source: unknown } & RandomOptions>("RandomSampler", {
  data_source: required as never,
  replacement: false,
  num_samples: null,
  generator: null,
});
/** In random order, or at random with replacement. */
export class RandomSampler extends Sampler {
  data_source: unknown;
  replacement: boolean;
  generator: Generator | null;
  readonly #count: number | null;

  constructor(
    data_source: unknown,
    replacement?: boolean | RandomOptions,
    num_samples?: number | null | RandomOptions,
    generator?: Generator | null | RandomOptions,
  );
  constructor(data_source: unknown, ...args: unknown[]) {
    super();
    // The data source may itself be a plain object.
    const { replacement, num_samples, generator } = RANDOM([[data_source], ...args]);
    this.data_source = data_source;
    this.replacement = replacement;
    this.generator = generator;
    this.#count = num_samples;
    if (typeof replacement !== "boolean") {
      throw new TypeError(
        `replacement should be a boolean value, but got replacement=${pyrepr(replacement)}`,
      );
    }
    positive("num_samples", this.num_samples);
  }
  /** How many samples one pass takes. */
  get num_samples(): number {
    return this.#count ?? lengthOf(this.data_source);
  }
  override *[Symbol.iterator](): Iteration<number> {
    const n = lengthOf(this.data_source), count = this.num_samples;
    const generator = this.generator ?? new Generator().manual_seed(drawSeed(null));
    if (this.replacement) {
      const draw = (size: number): Iterable<number> =>
        aten.randint(0, n, [size], { dtype: int32, generator }).to_typed_array() as Int32Array;
      for (let i = 0; i < Math.floor(count / 32); i++) yield* draw(32);
      yield* draw(count % 32);
      return;
    }
    for (let i = 0; i < Math.floor(count / n); i++) yield* permutation(n, generator);
    // PyTorch draws this one also where nothing is left.
    yield* permutation(n, generator).slice(0, count % n);
  }
  override get length(): number {
    return this.num_samples;
  }
}

/** Some samples in random order. */
export class SubsetRandomSampler extends Sampler {
  indices: readonly number[];
  generator: Generator | null;
  constructor(indices: readonly number[], generator?: Generator | null | { generator?: Generator | null }) {
    super();
    this.indices = indices;
    this.generator = (generator instanceof Generator ? generator : generator?.generator) ?? null;
  }
  override *[Symbol.iterator](): Iteration<number> {
    for (const i of permutation(this.indices.length, this.generator)) yield this.indices[i]!;
  }
  override get length(): number {
    return this.indices.length;
  }
}

interface WeightedOptions {
  replacement?: boolean;
  generator?: Generator | null;
}
const WEIGHTED = signature<{ weights: Tensor | ArrayLike<number>; num_samples: number } & WeightedOptions>(
  "WeightedRandomSampler",
  { weights: required, num_samples: required, replacement: true, generator: null },
);
/** At random with the given weights. */
export class WeightedRandomSampler extends Sampler {
  weights: Tensor;
  num_samples: number;
  replacement: boolean;
  generator: Generator | null;

  constructor(
    weights: Tensor | ArrayLike<number>,
    num_samples: number | (WeightedOptions & { num_samples: number }),
    replacement?: boolean | WeightedOptions,
    generator?: Generator | null | WeightedOptions,
  );
  constructor(...args: unknown[]) {
    super();
    const { weights, num_samples, replacement, generator } = WEIGHTED(args);
    positive("num_samples", num_samples);
    if (typeof replacement !== "boolean") {
      throw new ValueError(
        `replacement should be a boolean value, but got replacement=${pyrepr(replacement)}`,
      );
    }
    this.weights = aten.as_tensor(weights as Tensor | number[], { dtype: float64 });
    if (this.weights.dim() !== 1) {
      throw new ValueError(
        `weights should be a 1d sequence but given weights have shape ${tupleRepr(this.weights.shape)}`,
      );
    }
    this.num_samples = num_samples;
    this.replacement = replacement;
    this.generator = generator;
  }
  override *[Symbol.iterator](): Iteration<number> {
    const { weights, num_samples, replacement, generator } = this;
    const drawn = aten.multinomial(weights, num_samples, replacement, { generator });
    yield* drawn.to(int32).to_typed_array() as Int32Array;
  }
  override get length(): number {
    return this.num_samples;
  }
}

interface BatchOptions<T> {
  sampler: Iterable<T>;
  batch_size: number;
  drop_last: boolean;
}
const BATCH = signature<BatchOptions<unknown>>("BatchSampler", {
  sampler: required as never,
  batch_size: required,
  drop_last: required,
});
/** Batches of another sampler's samples. */
export class BatchSampler<T = number> extends Sampler<T[]> {
  sampler: Iterable<T>;
  batch_size: number;
  drop_last: boolean;

  constructor(
    sampler: Iterable<T>,
    batch_size: number | Omit<BatchOptions<T>, "sampler">,
    drop_last?: boolean | Pick<BatchOptions<T>, "drop_last">,
  );
  constructor(...args: unknown[]) {
    super();
    const { sampler, batch_size, drop_last } = BATCH(args);
    positive("batch_size", batch_size);
    if (typeof drop_last !== "boolean") {
      throw new ValueError(`drop_last should be a boolean value, but got drop_last=${pyrepr(drop_last)}`);
    }
    this.sampler = sampler as Iterable<T>;
    this.batch_size = batch_size;
    this.drop_last = drop_last;
  }
  override *[Symbol.iterator](): Iteration<T[]> {
    let batch: T[] = [];
    for (const i of this.sampler) {
      batch.push(i);
      if (batch.length === this.batch_size) {
        yield batch;
        batch = [];
      }
    }
    if (batch.length > 0 && !this.drop_last) yield batch;
  }
  override get length(): number {
    const n = lengthOf(this.sampler);
    return this.drop_last ? Math.floor(n / this.batch_size) : Math.ceil(n / this.batch_size);
  }
}
