/**
 * `torch.utils.data.DataLoader`.
 *
 * @module
 */
import { logicalProcessors } from "../../../wasm/cpu_count.ts";
import { AssertionError, RuntimeError, ValueError, warnOnce } from "../../base/errors.ts";
import type { Generator } from "../../base/generator.ts";
import { pyrepr } from "../pyrepr.ts";
import { required, signature } from "../signature.ts";
import type { IterDataPipe } from "./datapipes/datapipe.ts";
import { apply_shuffle_settings, applyRandomSeed, isIterDataPipe } from "./datapipes/graph.ts";
import { type Collated, default_collate, default_convert } from "./collate.ts";
import { isStream, lengthOf, type MapDataset, type StreamDataset } from "./dataset.ts";
import { asyncBatches, batches, type CollateFunction, fetchBatch, type Request } from "./fetch.ts";
import { MultiLoader } from "./multi_loader.ts";
import { BatchSampler, drawSeed, RandomSampler, SequentialSampler } from "./sampler.ts";

/** Options of `DataLoader`. */
export interface DataLoaderOptions<B = unknown> {
  /** Samples per batch; null: the dataset's own batches. */
  batch_size?: number | null;
  shuffle?: boolean | null;
  sampler?: Iterable<number> | null;
  batch_sampler?: Iterable<number[]> | null;
  /** How many worker threads load; 0: the program's own thread does. docs/data_loading.md */
  num_workers?: number;
  collate_fn?: CollateFunction<B> | null;
  /** Accepted: copies to a GPU need no pinned memory here. */
  pin_memory?: boolean;
  drop_last?: boolean;
  /** Seconds to wait for a batch of a worker (and in `for await` for one that is a promise); 0: without limit. */
  timeout?: number;
  /** Called in each worker with its number, after seeding and before loading. */
  worker_init_fn?: ((worker_id: number) => void) | null;
  multiprocessing_context?: unknown;
  generator?: Generator | null;
  /** Batches that each worker makes ahead. */
  prefetch_factor?: number;
  /** Keeps the workers, with their datasets, from one pass to the next. */
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

/** One macrotask of so many is a timer: while messages wait, Deno hardly looks at signals, files and sockets. */
const TIMER_EVERY = 4;

/** Resolves in a macrotask, in one that lets the system's events in if `idle`. */
function macrotask(idle: boolean): Promise<void> {
  return new Promise((resolve) => {
    // A message arrives at once, a timer after some milliseconds; not every edge runtime has message channels.
    if (idle || typeof MessageChannel === "undefined") return void setTimeout(resolve, 0);
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

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
    check(a, dataset);
    const processors = a.num_workers > 0 ? logicalProcessors() : Infinity;
    if (a.num_workers > processors) {
      warnOnce(
        "UserWarning",
        `This DataLoader will create ${a.num_workers} worker processes in total. Our suggested max number of worker ` +
          `in current system is ${processors}, which is smaller than what this DataLoader is going to create. ` +
          "Please be aware that excessive worker creation might get DataLoader running slow or even freeze, " +
          "lower the worker number to avoid potential slowness/freeze if necessary.",
      );
    }
    // A pipe shuffles itself, where it is told to.
    this.dataset = isIterDataPipe(dataset)
      ? apply_shuffle_settings(dataset, a.shuffle) as unknown as StreamDataset<T>
      : dataset;
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

  [Symbol.iterator](): Iterator<B> & Iterable<B> {
    const pass = this.#begin();
    return pass === null ? this.#load() : pass.workers.sync(this.#requests(), pass.shared_seed);
  }

  [Symbol.asyncIterator](): AsyncGenerator<B> {
    const pass = this.#begin();
    return withMacrotasks(
      pass === null ? this.#loadAsync() : pass.workers.async(this.#requests(), pass.shared_seed),
    );
  }

  #persistent: MultiLoader<T, B> | null = null;

  /**
   * Draws what a new pass draws: a seed for pipes with random parts, and one for workers, whether there are any or not,
   * unless they are there already. Gives the workers, or null where this thread loads.
   */
  #begin(): { workers: MultiLoader<T, B>; shared_seed: bigint | null } | null {
    const { dataset, generator } = this;
    const shared_seed = isIterDataPipe(dataset) ? drawSeed(generator) : null;
    if (shared_seed !== null) applyRandomSeed(dataset as IterDataPipe, shared_seed);
    if (this.#persistent !== null && !this.#persistent.closed) {
      return { workers: this.#persistent, shared_seed };
    }
    const base_seed = drawSeed(generator);
    if (this.num_workers === 0) return null;
    if (shared_seed !== null) drawSeed(generator); // PyTorch draws one more here, and does not use it
    const workers = new MultiLoader<T, B>(this, base_seed, shared_seed);
    if (this.persistent_workers) this.#persistent = workers;
    return { workers, shared_seed };
  }

  #requests(): Iterable<Request> {
    return this.batch_sampler ?? this.sampler ?? [];
  }

  *#load(): globalThis.Generator<B> {
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
    for (const request of this.#requests()) yield synchronous(fetchBatch(dataset, request, this.collate_fn));
  }

  async *#loadAsync(): AsyncGenerator<B> {
    const { dataset } = this;
    if (isStream(dataset)) {
      for await (const samples of asyncBatches(dataset, this.batch_size, this.drop_last)) {
        yield await this.collate_fn(samples as T[]);
      }
      return;
    }
    for (const request of this.#requests()) {
      yield await within(fetchBatch(dataset, request, this.collate_fn), this.timeout);
    }
  }
}

/** The same batches; now and then it lets a macrotask pass. */
async function* withMacrotasks<B>(loader: AsyncIterable<B>): AsyncGenerator<B> {
  let last = performance.now(), turns = 0;
  for await (const batch of loader) {
    yield batch;
    if (performance.now() - last > MACROTASK_EVERY) {
      await macrotask(turns++ % TIMER_EVERY === 0);
      last = performance.now();
    }
  }
}

/** A promise's value, if it comes within so many seconds (0: whenever it comes). */
function within<B>(batch: B | Promise<B>, seconds: number): B | Promise<B> {
  if (!(batch instanceof Promise) || seconds === 0) return batch;
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new RuntimeError(`DataLoader timed out after ${seconds} seconds`)),
      seconds * 1000,
    );
  });
  return Promise.race([batch, late]).finally(() => clearTimeout(timer));
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

/** Throws PyTorch's errors for options that do not go together. */
function check(a: Required<DataLoaderOptions>, dataset: unknown): void {
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
  if (isStream(dataset)) {
    for (
      const [name, given] of [["shuffle", isIterDataPipe(dataset) ? null : a.shuffle || null], [
        "sampler",
        a.sampler,
      ], [
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
