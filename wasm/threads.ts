/**
 * The thread pool's host side. The pool itself is core/parallel.c: workers wait in C on a word of shared memory, and
 * a kernel's caller takes part in the work. Here workers are started, counted and sized.
 *
 * Workers start at the first `request()`, which is for the first work worth sharing. Until they have checked in
 * (some 20 to 70 ms, also while the program never returns to its event loop) kernels run on the calling thread.
 */

import type { CoreFunction } from "./core.ts";
import { defaultThreads, logicalProcessors } from "./cpu_count.ts";
import { envVariable } from "./env.ts";
import { startWorker, type WorkerHandle } from "./workers.ts";

/** As in core/parallel.h. */
const MAX_THREADS = 256;
const FAILURE_BYTES = 512;
const CALLER_SPINS_OPTION = 1;

/** A worker's stack and thread-local block; the main stack has the same size (scripts/build_wasm.ts). */
const STACK_BYTES = 256 * 1024;

/** Even on a small machine `set_num_threads` may ask for this many. */
const MIN_SLOTS = 16;

/** What `torch.show_config()` says about threads. */
export interface ThreadInfo {
  /** Threads that kernels use now. */
  readonly count: number;
  /** Threads that are wanted: what `get_num_threads()` says. */
  readonly limit: number;
  /** The most that `set_num_threads()` can give. */
  readonly max: number;
  /** Workers started, and workers that have checked in. */
  readonly started: number;
  readonly ready: number;
  /** Why there are fewer threads than wanted; null if there are not. */
  readonly reason: string | null;
}

/** The parts of a core that the pool works on. */
export interface PoolHost {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly exports: Readonly<Record<string, CoreFunction>>;
  addressOf(name: string): number;
}

function environmentThreads(): number | undefined {
  const text = envVariable("TSTORCH_NUM_THREADS");
  if (text === undefined) return undefined;
  const n = Number(text);
  if (!Number.isInteger(n) || n < 1) {
    throw new RangeError(`TSTORCH_NUM_THREADS: expected a positive integer, but got ${text}`);
  }
  return n;
}

/** How many threads to reserve stacks for: untouched address space, so that the number can be raised later. */
export function threadSlots(maxThreads: number | undefined): number {
  const wanted = maxThreads ?? Math.max(environmentThreads() ?? 0, logicalProcessors(), MIN_SLOTS);
  return Math.max(1, Math.min(MAX_THREADS, wanted));
}

/** Bytes of memory that the stacks of `slots` threads take; the caller's own stack is part of the module. */
export function stackBytes(slots: number): number {
  return (slots - 1) * STACK_BYTES;
}

/** The threads of one core. */
export class ThreadPool {
  /** Threads that kernels use now: the C side's tc_num_threads(). */
  count = 1;
  /** The most there can be. */
  max: number;

  readonly #host: PoolHost;
  readonly #stacks: number;
  readonly #workers: WorkerHandle[] = [];
  #limit: number | undefined;
  #nextStart = 0;
  #settled = false;
  #reason: string | null;

  /**
   * `stacks` is the address of `stackBytes(slots)` bytes; `unavailable` says why there can be no threads, or null.
   */
  constructor(host: PoolHost, slots: number, stacks: number, unavailable: string | null) {
    this.#host = host;
    this.#stacks = stacks;
    this.#reason = unavailable;
    this.max = unavailable === null ? slots : 1;
    if (unavailable !== null) this.#settled = true;
  }

  /** Threads that are wanted, this one included. */
  get limit(): number {
    return this.#limit ??= Math.min(this.max, environmentThreads() ?? defaultThreads());
  }

  /**
   * Called before a launch that is worth sharing: starts workers, takes those that have checked in since into use,
   * and returns how many threads there are. Costs nothing once all are there. Starting a worker blocks for some
   * milliseconds, so they start one a call and take at most a third of the time.
   */
  request(): number {
    if (this.#settled) return this.count;
    if (this.#workers.length < this.limit - 1 && this.#reason === null) {
      const now = performance.now();
      if (now >= this.#nextStart) {
        this.#startOne();
        const end = performance.now();
        this.#nextStart = end + 2 * (end - now);
      }
    }
    return this.#sync();
  }

  /** Sets the number of threads, from 1 to `max`; running workers beyond it sleep. Returns what it was set to. */
  setLimit(threads: number): number {
    if (!Number.isInteger(threads) || threads < 1) {
      throw new RangeError("set_num_threads expects a positive integer");
    }
    this.#limit = Math.min(threads, this.max);
    if (this.max > 1) this.#sync();
    return this.#limit;
  }

  /** Blocks until the wanted threads are in use or `milliseconds` are over; for tests and benchmarks. */
  wait(milliseconds = 5000): number {
    const deadline = performance.now() + milliseconds;
    while (this.#workers.length < this.limit - 1 && this.#reason === null) this.#startOne();
    while (!this.#settled && performance.now() < deadline) this.#sync();
    return this.count;
  }

  info(): ThreadInfo {
    const { count, limit, max } = this;
    const started = this.#workers.length;
    const ready = this.max > 1 ? this.#host.exports["tc_pool_ready"]?.() ?? 0 : 0;
    let reason = this.#reason;
    if (reason === null && count < limit) {
      reason = started === 0
        ? "workers start with the first large operation"
        : this.#failureText() || "workers are still starting";
    }
    return { count, limit, max, started, ready, reason };
  }

  /** Ends all workers: kernels run on this thread from now on. */
  terminate(): void {
    this.#reason = "threads were switched off";
    this.max = this.count = this.#limit = 1;
    this.#settled = true;
    this.#host.exports["tc_pool_stop"]?.();
    for (const worker of this.#workers.splice(0)) worker.terminate();
  }

  /** Throws what a failed worker left behind. The core imports this; see tc_pool_throw in parallel.c. */
  throwFailure(): never {
    throw new Error(`a thread of the tstorch core failed: ${this.#failureText()}`);
  }

  #sync(): number {
    this.count = this.#host.exports["tc_pool_sync"]?.(this.limit) ?? 1;
    // All there, or all that could be started.
    this.#settled = this.count >= this.limit || this.#reason !== null && this.count > this.#workers.length;
    return this.count;
  }

  #startOne(): void {
    const { module, memory, exports } = this.#host;
    exports["tc_set_option"]?.(CALLER_SPINS_OPTION, mayBlock(memory) ? 0 : 1);
    const tls = this.#stacks + this.#workers.length * STACK_BYTES;
    const stackTop = tls + STACK_BYTES;
    const failure = this.#host.addressOf("tc_pool_failure");
    try {
      const start = { module, memory, stackTop, tls, failure, failureBytes: FAILURE_BYTES };
      this.#workers.push(startWorker(start, (message) => this.#reason ??= message));
    } catch (error) {
      this.#reason = `no workers: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  #failureText(): string {
    const area = new Uint8Array(
      this.#host.memory.buffer,
      this.#host.addressOf("tc_pool_failure"),
      FAILURE_BYTES,
    );
    const text = area.slice(0, area.indexOf(0)); // a copy: TextDecoder takes no shared memory in browsers
    return new TextDecoder().decode(text);
  }
}

/** Whether this thread may sleep on memory: not on a browser's main thread. */
function mayBlock(memory: WebAssembly.Memory): boolean {
  try {
    Atomics.wait(new Int32Array(memory.buffer), 0, Atomics.load(new Int32Array(memory.buffer), 0) ^ 1, 0);
    return true;
  } catch {
    return false;
  }
}
