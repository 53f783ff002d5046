/**
 * Where the code runs: in a worker of a DataLoader, or not.
 *
 * @module
 */

/** What `get_worker_info()` tells. */
export interface WorkerInfo {
  /** 0 to `num_workers - 1`. */
  readonly id: number;
  readonly num_workers: number;
  /** The seed of this worker's default generator: of this pass over the data, plus its id. */
  readonly seed: number | bigint;
  /** This worker's own copy of the dataset. */
  readonly dataset: unknown;
}

let info: WorkerInfo | null = null;

/**
 * In a worker thread of a DataLoader: which one it is, and its copy of the dataset; null elsewhere. An iterable dataset
 * finds its share of the samples with it.
 *
 * @see https://pytorch.org/docs/stable/data.html#torch.utils.data.get_worker_info
 */
export function get_worker_info(): WorkerInfo | null {
  return info;
}

export function setWorkerInfo(mine: WorkerInfo): void {
  info = mine;
}

/** Set in a worker thread before it imports anything. */
export const IN_WORKER: symbol = Symbol.for("tstorch.DataLoader.worker");

/** Is this a worker thread of a DataLoader? */
export function inWorker(): boolean {
  return (globalThis as Record<symbol, unknown>)[IN_WORKER] === true;
}
