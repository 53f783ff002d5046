/**
 * What a DataLoader and its worker threads say to each other.
 *
 * @module
 */
import type { Request } from "./fetch.ts";
import type { Packet } from "./transfer.ts";

/** With what a worker starts. */
export interface Start {
  /** The library's module for workers. */
  readonly entry: string;
  readonly port: MessagePort;
  /** Word 0 counts what all workers have said; who waits for them waits on it. */
  readonly control: Int32Array;
  /** The compiled core, or null where the worker has to load its own. */
  readonly core: WebAssembly.Module | null;
  readonly id: number;
  readonly num_workers: number;
  readonly base_seed: bigint;
  readonly batch_size: number | null;
  readonly drop_last: boolean;
  /** The dataset, `collate_fn` and `worker_init_fn`, and the bytes of their tensors. */
  readonly packet: Packet;
  readonly bytes: SharedArrayBuffer;
  /** Seed of the pipes of an `IterDataPipe`, which all workers share. */
  readonly shared_seed: bigint | null;
}

/** The value of the packet in {@linkcode Start}. */
export interface Work {
  readonly dataset: unknown;
  readonly collate_fn: (samples: unknown[]) => unknown;
  readonly worker_init_fn: ((worker_id: number) => void) | null;
}

/** To a worker: make a batch (null: the next one of the stream); begin anew; bytes that were read. */
export type ToWorker =
  | { readonly pass: number; readonly index: number; readonly request: Request | null }
  | { readonly resume: number; readonly shared_seed: bigint | null }
  | { readonly free: number };

/** An error that travelled. */
export interface CaughtError {
  readonly name: string;
  /** With its stack. */
  readonly text: string;
}

/** From a worker: a batch, an error in its place, or the end of its stream; or why the worker cannot go on. */
export type FromWorker =
  | { readonly pass: number; readonly index: number; readonly packet: Packet; readonly slot: Slot }
  | { readonly pass: number; readonly index: number; readonly error: CaughtError }
  | { readonly pass: number; readonly index: number; readonly end: true }
  | { readonly dead: string };

/** Shared memory with the tensors of a batch; the worker uses it again when it hears that they were read. */
export interface Slot {
  readonly number: number;
  readonly bytes: SharedArrayBuffer;
}
