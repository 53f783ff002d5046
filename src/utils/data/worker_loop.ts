/**
 * The program of a DataLoader's worker thread: makes the batches that it is asked for, one after the other.
 *
 * @module
 */
import { manual_seed } from "../../random.ts";
import { apply_sharding, applyRandomSeed, isIterDataPipe } from "./datapipes/graph.ts";
import { isStream, type MapDataset, type StreamDataset } from "./dataset.ts";
import { asyncBatches, fetchBatch, type Request } from "./fetch.ts";
import { decode, Encoder, importModules } from "./transfer.ts";
import { setWorkerInfo } from "./worker_info.ts";
import type { CaughtError, FromWorker, Slot, Start, ToWorker, Work } from "./worker_messages.ts";

/** Runs until the thread is ended from outside. */
export async function work(start: Start): Promise<void> {
  const { port, control, id } = start;
  const queue: ToWorker[] = [];
  let wake: (() => void) | null = null;
  const slots = new Slots();
  port.onmessage = ({ data }: MessageEvent<ToWorker>): void => {
    if ("free" in data) slots.release(data.free);
    else {
      queue.push(data);
      wake?.();
    }
  };
  const say = (message: FromWorker): void => {
    port.postMessage(message);
    Atomics.add(control, 0, 1);
    Atomics.notify(control, 0);
  };

  await importModules(start.packet);
  const job = decode(start.packet, new Uint8Array(start.bytes)) as Work;
  const seed = start.base_seed + BigInt(id);
  manual_seed(seed);
  setWorkerInfo({
    id,
    num_workers: start.num_workers,
    seed: seed <= Number.MAX_SAFE_INTEGER ? Number(seed) : seed,
    dataset: job.dataset,
  });

  let failure: CaughtError | null = null, source: Source | null = null;
  const begin = (shared_seed: bigint | null): void => {
    if (isIterDataPipe(job.dataset) && shared_seed !== null) applyRandomSeed(job.dataset, shared_seed);
    source = new Source(job, start);
  };
  try {
    if (isIterDataPipe(job.dataset)) apply_sharding(job.dataset, start.num_workers, id);
    if (job.worker_init_fn !== null) await job.worker_init_fn(id);
    begin(start.shared_seed);
  } catch (error) {
    failure = caught(error);
  }
  for (;;) {
    const message = queue.shift();
    if (message === undefined) {
      await new Promise<void>((resolve) => wake = resolve);
      wake = null;
    } else if ("resume" in message) begin(message.shared_seed);
    else if ("request" in message) {
      const { pass, index, request } = message;
      if (failure !== null) {
        say({ pass, index, error: failure });
        failure = null;
        continue;
      }
      try {
        const batch = await source!.next(request);
        if (batch === END) say({ pass, index, end: true });
        else {
          const encoder = new Encoder(batch, "the batch"), slot = slots.take(encoder.packet.bytes);
          encoder.copyTensors(new Uint8Array(slot.bytes));
          say({ pass, index, packet: encoder.packet, slot });
        }
      } catch (error) {
        say({ pass, index, error: caught(error) });
      }
    }
  }
}

const END: unique symbol = Symbol("end");

/** Where the batches come from. */
class Source {
  readonly #job: Work;
  readonly #stream: AsyncIterator<unknown> | null;

  constructor(job: Work, { batch_size, drop_last }: Start) {
    this.#job = job;
    const { dataset } = job;
    this.#stream = isStream(dataset)
      ? asyncBatches(dataset as StreamDataset<unknown>, batch_size, drop_last)[Symbol.asyncIterator]()
      : null;
  }

  async next(request: Request | null): Promise<unknown> {
    const { dataset, collate_fn } = this.#job;
    if (this.#stream === null) {
      return await fetchBatch(
        dataset as MapDataset<unknown>,
        request!,
        collate_fn as (x: unknown[]) => unknown,
      );
    }
    const { done, value } = await this.#stream.next();
    return done ? END : await collate_fn(value as unknown[]);
  }
}

/** The shared memory that this worker's batches are in: as many pieces as are on their way at once, used in turn. */
class Slots {
  readonly #slots: SharedArrayBuffer[] = [];
  readonly #free: number[] = [];

  take(bytes: number): Slot {
    let number = this.#free.findIndex((n) => this.#slots[n]!.byteLength >= bytes);
    number = number >= 0 ? this.#free.splice(number, 1)[0]! : this.#free.pop() ?? this.#slots.length;
    let buffer = this.#slots[number];
    if (buffer === undefined || buffer.byteLength < bytes) {
      this.#slots[number] = buffer = new SharedArrayBuffer(bytes);
    }
    return { number, bytes: buffer };
  }

  release(number: number): void {
    this.#free.push(number);
  }
}

function caught(error: unknown): CaughtError {
  if (!(error instanceof Error)) return { name: "RuntimeError", text: `RuntimeError: ${String(error)}` };
  const line = `${error.name}: ${error.message}`, stack = error.stack ?? "";
  // The stack's first line is written when the error is made, with the name that its class has.
  const frames = stack.slice(Math.max(0, stack.search(/^\s+at /m)));
  return { name: error.name, text: /^\s+at /m.test(stack) ? `${line}\n${frames}` : line };
}
