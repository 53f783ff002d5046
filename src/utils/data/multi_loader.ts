/**
 * Loading with worker threads: hands out requests in turn, and yields the batches in the order of the requests.
 *
 * @module
 */
import * as errors from "../../base/errors.ts";
import type { Generator } from "../../base/generator.ts";
import { isStream, type MapDataset, type StreamDataset } from "./dataset.ts";
import type { CollateFunction, Request } from "./fetch.ts";
import { decode, Encoder } from "./transfer.ts";
import type { CaughtError, FromWorker } from "./worker_messages.ts";
import { WorkerPool } from "./worker_pool.ts";

/** What of a DataLoader is needed here. */
export interface LoaderSettings<T, B> {
  readonly dataset: MapDataset<T> | StreamDataset<T>;
  readonly batch_size: number | null;
  readonly drop_last: boolean;
  readonly num_workers: number;
  readonly prefetch_factor: number;
  readonly persistent_workers: boolean;
  readonly timeout: number;
  readonly generator: Generator | null;
  readonly collate_fn: CollateFunction<B>;
  readonly worker_init_fn: ((worker_id: number) => void) | null;
}

/** A request on its way, or its answer. */
interface Task {
  readonly worker: number;
  answer?: FromWorker;
}

/** Threads whose loader was thrown away in the middle of a pass. */
const abandoned = new FinalizationRegistry<WorkerPool>((pool) => pool.close());

/** The workers of one DataLoader, for one pass or (`persistent_workers`) for all. */
export class MultiLoader<T, B> {
  readonly #settings: LoaderSettings<T, B>;
  readonly #stream: boolean;
  readonly #pool: WorkerPool;
  #pass = 0;
  #requests: Iterator<Request | null> = [][Symbol.iterator]();
  readonly #tasks = new Map<number, Task>();
  readonly #active: boolean[] = [];
  #sent = 0;
  #received = 0;
  #outstanding = 0;
  #turn = 0;
  closed = false;

  constructor(settings: LoaderSettings<T, B>, base_seed: bigint, shared_seed: bigint | null) {
    const { dataset, collate_fn, worker_init_fn, num_workers, batch_size, drop_last } = settings;
    this.#settings = settings;
    this.#stream = isStream(dataset);
    const encoder = new Encoder({ dataset, collate_fn, worker_init_fn }, "DataLoader");
    const bytes = new SharedArrayBuffer(encoder.packet.bytes);
    encoder.copyTensors(new Uint8Array(bytes));
    const { packet } = encoder;
    this.#pool = new WorkerPool(num_workers, {
      base_seed,
      shared_seed,
      batch_size,
      drop_last,
      packet,
      bytes,
    });
    abandoned.register(this, this.#pool, this);
  }

  /** A pass over what `requests` asks for. */
  *sync(requests: Iterable<Request>, shared_seed: bigint | null): globalThis.Generator<B> {
    this.#begin(requests, shared_seed);
    const pass = this.#pass;
    try {
      for (;;) {
        const step = this.#step();
        if (step === null) return;
        if (step !== WAIT) yield step.batch;
        else if (!this.#pool.wait(this.#settings.timeout)) throw this.#late();
      }
    } finally {
      this.#end(pass);
    }
  }

  /** The same without blocking the program while there is no batch. */
  async *async(requests: Iterable<Request>, shared_seed: bigint | null): AsyncGenerator<B> {
    this.#begin(requests, shared_seed);
    const pass = this.#pass;
    try {
      for (;;) {
        const step = this.#step();
        if (step === null) return;
        if (step !== WAIT) yield step.batch;
        else if (!await this.#pool.waitAsync(this.#settings.timeout)) throw this.#late();
      }
    } finally {
      this.#end(pass);
    }
  }

  /** Ends the threads. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    abandoned.unregister(this);
    this.#pool.close();
  }

  #late(): Error {
    return new errors.RuntimeError(`DataLoader timed out after ${this.#settings.timeout} seconds`);
  }

  #begin(requests: Iterable<Request>, shared_seed: bigint | null): void {
    const { num_workers, prefetch_factor } = this.#settings;
    if (this.#pass++ > 0) {
      for (let id = 0; id < num_workers; id++) this.#pool.send(id, { resume: this.#pass, shared_seed });
    }
    this.#requests = this.#stream ? forever() : requests[Symbol.iterator]();
    for (const { worker, answer } of this.#tasks.values()) {
      if (answer !== undefined) this.#free(worker, answer);
    }
    this.#tasks.clear();
    this.#active.length = 0;
    for (let id = 0; id < num_workers; id++) this.#active.push(true);
    this.#sent =
      this.#received =
      this.#outstanding =
      this.#turn =
        0;
    for (let i = 0; i < num_workers * prefetch_factor; i++) this.#request();
  }

  #end(pass: number): void {
    if (!this.#settings.persistent_workers) this.close();
    else if (pass === this.#pass) this.#requests.return?.();
  }

  /** Sends the next request to the worker whose turn it is; none if there are no more requests or workers. */
  #request(): void {
    const { num_workers } = this.#settings;
    if (!this.#active.includes(true)) return;
    const { done, value } = this.#requests.next();
    if (done) return;
    while (!this.#active[this.#turn]) this.#turn = (this.#turn + 1) % num_workers;
    const worker = this.#turn, index = this.#sent++;
    this.#turn = (worker + 1) % num_workers;
    this.#tasks.set(index, { worker });
    this.#outstanding++;
    this.#pool.send(worker, { pass: this.#pass, index, request: value });
  }

  /** The next batch in order; WAIT if it is not there yet, null after the last. */
  #step(): { batch: B } | typeof WAIT | null {
    for (;;) {
      // A worker whose stream has ended leaves requests unanswered.
      let task: Task | undefined;
      for (; this.#received < this.#sent; this.#received++) {
        task = this.#tasks.get(this.#received);
        if (task !== undefined && (task.answer !== undefined || this.#active[task.worker])) break;
        this.#tasks.delete(this.#received);
        task = undefined;
      }
      if (task === undefined) return null;
      if (task.answer !== undefined) {
        this.#tasks.delete(this.#received++);
        this.#request();
        return { batch: this.#open(task.worker, task.answer) };
      }
      const received = this.#pool.receive();
      if (received === undefined) return WAIT;
      this.#take(...received);
    }
  }

  #take(worker: number, message: Exclude<FromWorker, { dead: string }>): void {
    if (message.pass !== this.#pass) return this.#free(worker, message); // of a pass that was left
    this.#outstanding--;
    if (!("end" in message)) this.#tasks.get(message.index)!.answer = message;
    else if (this.#active[worker]) {
      this.#active[worker] = false;
      this.#request();
    }
  }

  #open(worker: number, message: FromWorker): B {
    if ("error" in message) throw rethrown(message.error, worker);
    const { packet, slot } = message as Extract<FromWorker, { packet: unknown }>;
    try {
      return decode(packet, new Uint8Array(slot.bytes)) as B;
    } finally {
      this.#free(worker, message);
    }
  }

  #free(worker: number, message: FromWorker): void {
    if ("slot" in message) this.#pool.send(worker, { free: message.slot.number });
  }
}

const WAIT: unique symbol = Symbol("wait");

function* forever(): globalThis.Generator<null> {
  for (;;) yield null;
}

const JAVASCRIPT_ERRORS = { Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError };

/** An error of the class that was thrown in the worker (if this thread has it), with the text and stack of there. */
function rethrown({ name, text }: CaughtError, worker: number): Error {
  const classes = { ...JAVASCRIPT_ERRORS, ...errors } as unknown as Record<
    string,
    new (message: string) => Error
  >;
  const type = Object.hasOwn(classes, name) && /Error$/.test(name) ? classes[name]! : errors.RuntimeError;
  return new type(
    `Caught ${name} in DataLoader worker process ${worker}.\nOriginal Traceback (most recent call first):\n${text}`,
  );
}
