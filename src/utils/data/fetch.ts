/**
 * Making batches of samples: the same on the program's thread and in a worker.
 *
 * @module
 */
import { default_collate } from "./collate.ts";
import { type MapDataset, sampleOf, type SampleSource, type StreamDataset } from "./dataset.ts";
import { BatchSampler } from "./sampler.ts";

/** Makes a batch of samples. */
// deno-lint-ignore no-explicit-any
export type CollateFunction<B> = (samples: any[]) => B | Promise<B>;

/** What a sampler gives for one batch: numbers of samples, or of the one sample that is the batch. */
export type Request = number[] | number;

/** The batch of these samples; a promise if a sample or the collation is one. */
export function fetchBatch<T, B>(
  dataset: MapDataset<T>,
  request: Request,
  collate: CollateFunction<B>,
): B | Promise<B> {
  if (typeof request === "number") {
    const sample = sampleOf(dataset, request);
    return sample instanceof Promise ? sample.then((s) => collate(s as never)) : collate(sample as never);
  }
  if ((collate as unknown) === default_collate) {
    const whole = (dataset as SampleSource<T>).__getitems__?.(request);
    if (whole !== undefined) return whole as B | Promise<B>;
  }
  const samples = request.map((i) => sampleOf(dataset, i));
  return samples.some((s) => s instanceof Promise)
    ? Promise.all(samples).then((s) => collate(s))
    : collate(samples);
}

/** Samples in batches; with size null, each by itself. */
export function* batches<T>(
  samples: Iterable<T>,
  size: number | null,
  drop_last: boolean,
): Iterable<T[] | T> {
  if (size === null) yield* samples;
  else yield* new BatchSampler(samples, size, drop_last);
}

/** The same for samples that may come as promises. */
export async function* asyncBatches<T>(
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
