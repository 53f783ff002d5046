/**
 * `torch.utils.data.DataLoader`.
 *
 * @module
 */
import { AssertionError, ValueError } from "../../base/errors.ts";
import type { Generator } from "../../base/generator.ts";
import { pyrepr } from "../pyrepr.ts";
import { required, signature } from "../signature.ts";
import { type Collated, default_collate, default_convert } from "./collate.ts";
import {
  isStream,
  lengthOf,
  type MapDataset,
  sampleOf,
  type SampleSource,
  type StreamDataset,
} from "./dataset.ts";
import { BatchSampler, drawSeed, RandomSampler, SequentialSampler } from "./sampler.ts";

/** Makes a batch of samples. */
// deno-lint-ignore no-explicit-any
export type CollateFunction<B> = (samples: any[]) => B | Promise<B>;

/** Options of `DataLoader`. */
export interface DataLoaderOptions<B = unknown> {
  /** Samples per batch; null: the dataset's own batches. */
  batch_size?: number | null;
  shuffle?: boolean | null;
  sampler?: Iterable<number> | null;
  batch_sampler?: Iterable<number[]> | null;
  /** How many batches `for await` loads at once where samples are promises; they load on this thread. */
  num_workers?: number;
  collate_fn?: CollateFunction<B> | null;
  /** Accepted: copies to a GPU need no pinned memory here. */
  pin_memory?: boolean;
  drop_last?: boolean;
  /** Seconds to wait for a batch in `for await`; 0: without limit. */
  timeout?: number;
  /** Called with 0, 1, ... before `for await` starts to load with `num_workers`. */
  worker_init_fn?: ((worker_id: number) => void) | null;
  multiprocessing_context?: unknown;
  generator?: Generator | null;
  /** Batches in flight per worker. */
  prefetch_factor?: number;
  persistent_workers?: boolean;
  pin_memory_device?: string;
}
const LOADER = signature<{ dataset: unknown } & DataLoaderOptions>("DataLoader", {
  dataset: required as never,
  batch_size: 1,
  shuffle: null,
  sampler: null,
  batch_sampler: null,
  num_workers: 0,
  collate_fn: null,
  pin_memory: false,
  drop_last: false,
  timeout: 0,
  worker_init_fn: null,
  multiprocessing_context: null,
  generator: null,
  prefetch_factor: 2,
  persistent_workers: false,
  pin_memory_device: "",
});

/** After so many milliseconds without one, `for await` lets a macrotask pass: finalizers run in these alone. */
const MACROTASK_EVERY = 50;

/** Resolves in a macrotask. */
function macrotask(): Promise<void> {
  return new Promise((resolve) => {
    // A message arrives at once, a timer after some milliseconds; not every edge runtime has message channels.
    if (typeof MessageChannel === "undefined") return void setTimeout(resolve, 0);
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** What a sampler gives for one batch: numbers of samples; null from an iterable dataset. */
type Request = number[] | number | null;

/**
 * Batches of a dataset, shuffled where asked for. Iterate it with `for (const [x, y] of loader)`, or with `for await`
 * where samples come as promises or other tasks shall run in between.
 *
 * @see https://pytorch.org/docs/stable/data.html#torch.utils.data.DataLoader
 */
export class DataLoader<T = unknown, B = Collated<T>> implements Iterable<B>, AsyncIterable<B> {
  readonly dataset: MapDataset<T> | StreamDataset<T>;
  readonly batch_size: number | null;
  readonly num_workers: number;
  readonly drop_last: boolean;
  readonly sampler: Iterable<number> | null;
  readonly batch_sampler: Iterable<number[]> | null;
  readonly generator: Generator | null;
  readonly collate_fn: CollateFunction<B>;
  readonly timeout: number;
  readonly worker_init_fn: ((worker_id: number) => void) | null;
  readonly prefetch_factor: number;
  readonly pin_memory: boolean;
  readonly persistent_workers: boolean;

  constructor(
    dataset: MapDataset<T> | StreamDataset<T>,
    batch_size?: number | null | DataLoaderOptions<B>,
    shuffle?: boolean | null | DataLoaderOptions<B>,
    sampler?: Iterable<number> | null | DataLoaderOptions<B>,
    batch_sampler?: Iterable<number[]> | null | DataLoaderOptions<B>,
    num_workers?: number | DataLoaderOptions<B>,
    collate_fn?: CollateFunction<B> | null | DataLoaderOptions<B>,
    pin_memory?: boolean | DataLoaderOptions<B>,
    drop_last?: boolean | DataLoaderOptions<B>,
    options?: DataLoaderOptions<B>,
  );
  constructor(dataset: MapDataset<T> | StreamDataset<T>, ...args: unknown[]) {
    const a = LOADER([[dataset], ...args]); // in an array: a dataset may be a plain object
    const stream = isStream(dataset);
    check(a, stream);
    this.dataset = dataset;
    this.num_workers = a.num_workers;
    this.drop_last = a.drop_last;
    this.generator = a.generator;
    this.timeout = a.timeout;
    this.worker_init_fn = a.worker_init_fn;
    this.prefetch_factor = a.prefetch_factor;
    this.pin_memory = a.pin_memory;
    this.persistent_workers = a.persistent_workers;
    this.batch_size = a.batch_sampler !== null ? null : a.batch_size;
    this.sampler = a.sampler ??
      (stream
        ? null
        : a.shuffle
        ? new RandomSampler(dataset, { generator: a.generator })
        : new SequentialSampler(dataset));
    this.batch_sampler = a.batch_sampler ??
      (this.batch_size === null || this.sampler === null
        ? null
        : new BatchSampler(this.sampler, this.batch_size, a.drop_last));
    if (stream && this.batch_size !== null) new BatchSampler([], this.batch_size, a.drop_last); // checks the size
    const batched = this.batch_sampler !== null || (stream && this.batch_size !== null);
    this.collate_fn = (a.collate_fn ?? (batched ? default_collate : default_convert)) as CollateFunction<B>;
  }

  /** The number of batches. */
  get length(): number {
    if (!isStream(this.dataset)) return lengthOf(this.batch_sampler ?? this.sampler);
    const n = lengthOf(this.dataset), size = this.batch_size;
    return size === null ? n : this.drop_last ? Math.floor(n / size) : Math.ceil(n / size);
  }
  __len__(): number {
    return this.length;
  }

  *[Symbol.iterator](): globalThis.Generator<B> {
    this.#begin();
    const { dataset } = this;
    if (isStream(dataset)) {
      if (!(Symbol.iterator in dataset)) {
        throw new TypeError(
          "DataLoader: this dataset is asynchronous; iterate over the loader with `for await`",
        );
      }
      for (const samples of batches(dataset as Iterable<T>, this.batch_size, this.drop_last)) {
        yield synchronous(this.collate_fn(samples as T[]));
      }
      return;
    }
    for (const request of this.#requests()) yield synchronous(this.#fetch(request));
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<B> {
    this.#begin();
    let last = performance.now();
    for await (const batch of this.#loadAhead()) {
      yield batch;
      if (performance.now() - last > MACROTASK_EVERY) {
        await macrotask();
        last = performance.now();
      }
    }
  }

  /** An iterator over a DataLoader takes a seed from the generator, for workers, whether it has any or not. */
  #begin(): void {
    drawSeed(this.generator);
  }

  #requests(): Iterable<number[] | number> {
    return this.batch_sampler ?? this.sampler!;
  }

  /** The batch of these samples; a promise if a sample or the collation is one. */
  #fetch(request: number[] | number): B | Promise<B> {
    const dataset = this.dataset as MapDataset<T>;
    if (typeof request === "number") {
      const sample = sampleOf(dataset, request);
      return sample instanceof Promise
        ? sample.then((s) => this.collate_fn(s as never))
        : this.collate_fn(sample as never);
    }
    if ((this.collate_fn as unknown) === default_collate) {
      const whole = (dataset as SampleSource<T>).__getitems__?.(request);
      if (whole !== undefined) return whole as B | Promise<B>;
    }
    const samples = request.map((i) => sampleOf(dataset, i));
    return samples.some((s) => s instanceof Promise)
      ? Promise.all(samples).then((s) => this.collate_fn(s))
      : this.collate_fn(samples);
  }

  /** The batches in order, with up to `num_workers * prefetch_factor` of them loading. */
  async *#loadAhead(): AsyncGenerator<B> {
    const { dataset, num_workers } = this;
    if (isStream(dataset)) {
      for await (const samples of asyncBatches(dataset, this.batch_size, this.drop_last)) {
        yield await this.collate_fn(samples as T[]);
      }
      return;
    }
    for (let i = 0; i < num_workers; i++) this.worker_init_fn?.(i);
    const ahead = Math.max(1, num_workers * this.prefetch_factor);
    const queue: (B | Promise<B>)[] = [];
    for (const request of this.#requests()) {
      const batch = this.#fetch(request);
      // A failure is reported when its turn comes.
      if (batch instanceof Promise) batch.catch(() => {});
      queue.push(batch);
      if (queue.length >= ahead) yield await this.#within(queue.shift()!);
    }
    while (queue.length > 0) yield await this.#within(queue.shift()!);
  }

  #within(batch: B | Promise<B>): B | Promise<B> {
    if (!(batch instanceof Promise) || this.timeout === 0) return batch;
    let timer: ReturnType<typeof setTimeout>;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`DataLoader timed out after ${this.timeout} seconds`)),
        this.timeout * 1000,
      );
    });
    return Promise.race([batch, late]).finally(() => clearTimeout(timer));
  }
}

function synchronous<B>(batch: B | Promise<B>): B {
  if (batch instanceof Promise) {
    batch.catch(() => {});
    throw new TypeError(
      "DataLoader: a sample or collate_fn gave a promise; iterate over the loader with `for await`",
    );
  }
  return batch;
}

/** Samples in batches; with size null, each by itself. */
function* batches<T>(samples: Iterable<T>, size: number | null, drop_last: boolean): Iterable<T[] | T> {
  if (size === null) yield* samples;
  else yield* new BatchSampler(samples, size, drop_last);
}

async function* asyncBatches<T>(
  samples: StreamDataset<T>,
  size: number | null,
  drop_last: boolean,
): AsyncIterable<T[] | T> {
  let batch: T[] = [];
  for await (const s of samples) {
    if (size === null) {
      yield s;
      continue;
    }
    batch.push(s);
    if (batch.length === size) {
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0 && !drop_last) yield batch;
}

/** Throws PyTorch's errors for options that do not go together. */
function check(a: Required<DataLoaderOptions>, stream: boolean): void {
  if (a.num_workers < 0) {
    throw new ValueError(
      "num_workers option should be non-negative; use num_workers=0 to disable multiprocessing.",
    );
  }
  if (a.timeout < 0) throw new ValueError("timeout option should be non-negative");
  if (a.num_workers === 0 && a.prefetch_factor !== 2) {
    throw new ValueError(
      "prefetch_factor option could only be specified in multiprocessing.let num_workers > 0 to enable " +
        "multiprocessing.",
    );
  }
  if (!(a.prefetch_factor > 0)) throw new AssertionError("");
  if (a.persistent_workers && a.num_workers === 0) {
    throw new ValueError("persistent_workers option needs num_workers > 0");
  }
  if (stream) {
    for (
      const [name, given] of [["shuffle", a.shuffle || null], ["sampler", a.sampler], [
        "batch_sampler",
        a.batch_sampler,
      ]] as const
    ) {
      if (given !== null) {
        throw new ValueError(
          `DataLoader with IterableDataset: expected unspecified ${name} option, but got ${name}=${
            pyrepr(given)
          }`,
        );
      }
    }
  }
  if (a.sampler !== null && a.shuffle) {
    throw new ValueError("sampler option is mutually exclusive with shuffle");
  }
  if (a.batch_sampler !== null) {
    if (a.batch_size !== 1 || a.shuffle || a.sampler !== null || a.drop_last) {
      throw new ValueError(
        "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last",
      );
    }
  } else if (a.batch_size === null && a.drop_last) {
    throw new ValueError(
      "batch_size=None option disables auto-batching and is mutually exclusive with drop_last",
    );
  }
}

/** PyTorch's description of the worker that loads; there is none here: null. */
export function get_worker_info(): null {
  return null;
}
