/**
 * The worker threads of a DataLoader as its thread sees them: started, waited for with or without blocking, watched,
 * and ended.
 *
 * @module
 */
import { startThread, type WorkerHandle, type WorkerProgram } from "../../../wasm/workers.ts";
import { cpuBackend } from "../../backend/wasm.ts";
import { builtinModule, runtime } from "../../base/env.ts";
import { RuntimeError } from "../../base/errors.ts";
import { inWorker } from "./worker_info.ts";
import type { FromWorker, Start, ToWorker } from "./worker_messages.ts";

/** Beside `src/` there is `worker.ts`, in the package `worker.js`. */
const entry = (): string =>
  new URL(/\.ts$/.test(import.meta.url) ? "../../worker.ts" : "../../worker.js", import.meta.url).href;

/** How often it is looked at whether workers are alive, in milliseconds. */
const WATCH_EVERY = 500;

// Runs in the worker before anything is imported, as text. Whatever ends the worker is said on its port, because a
// program in a synchronous loop hears no events.
const BOOTSTRAP = `function boot(start, onEnd) {
  globalThis[Symbol.for("tstorch.DataLoader.worker")] = true;
  let said = false;
  const dead = (why) => {
    if (said) return;
    said = true;
    start.port.postMessage({ dead: why });
    Atomics.add(start.control, 0, 1);
    Atomics.notify(start.control, 0);
  };
  const text = (error) => error && error.stack || String(error);
  onEnd(dead, text);
  import(start.entry).then(({ work }) => work(start)).catch((error) => dead(text(error)));
}
`;
const PROGRAM: WorkerProgram = {
  imports: true,
  node: `${BOOTSTRAP}boot(require("node:worker_threads").workerData, (dead, text) => {
  process.on("exit", (code) => dead("it ended with status " + code));
  process.on("uncaughtException", (error) => { dead(text(error)); process.exit(1); });
});`,
  web: `${BOOTSTRAP}onmessage = ({ data }) => boot(data, (dead, text) => {
  const close = globalThis.close;
  globalThis.close = () => { dead("it was closed"); close.call(globalThis); };
  addEventListener("unload", () => dead("it ended"));
  addEventListener("error", (event) => { event.preventDefault(); dead(text(event.error ?? event.message)); });
  addEventListener("unhandledrejection", (event) => { event.preventDefault(); dead(text(event.reason)); });
});`,
};

type Receive = (port: MessagePort) => { message: FromWorker } | undefined;

/** Why there can be no workers here, or undefined. */
function obstacle(): string | undefined {
  if (runtime === "deno" || runtime === "node" || runtime === "bun") return undefined;
  return "this runtime has no threads that a loop can wait for";
}

/** The threads and the channels to them. */
export class WorkerPool {
  readonly #handles: WorkerHandle[] = [];
  readonly #ports: MessagePort[] = [];
  readonly #control = new Int32Array(new SharedArrayBuffer(4));
  readonly #receive: Receive;
  #seen = 0;
  #next = 0;

  /** Starts `count` threads with what all of them share. */
  constructor(
    count: number,
    common: Omit<Start, "entry" | "port" | "control" | "core" | "id" | "num_workers">,
  ) {
    const why = obstacle();
    if (why !== undefined) throw new RuntimeError(`DataLoader: ${why}; use num_workers: 0`);
    if (inWorker()) {
      throw new RuntimeError(
        "DataLoader: a worker thread may not start workers. If this is the program itself, which a worker runs " +
          "again because a dataset comes from it: put the dataset into a module of its own, or let only the main " +
          "program do its work (if (import.meta.main) ...)",
      );
    }
    this.#receive = builtinModule("node:worker_threads")!.receiveMessageOnPort as unknown as Receive;
    for (let id = 0; id < count; id++) {
      const { port1, port2 } = new MessageChannel();
      const start: Start = {
        ...common,
        entry: entry(),
        port: port2,
        control: this.#control,
        core: cpuBackend.core!.module,
        id,
        num_workers: count,
      };
      this.#ports.push(port1);
      // What it says itself comes through its port; this one is heard only where the event loop turns.
      this.#handles.push(startThread(PROGRAM, start, [port2], (message) => this.#failures[id] = message));
    }
  }
  readonly #failures: (string | undefined)[] = [];

  send(id: number, message: ToWorker): void {
    this.#ports[id]!.postMessage(message);
  }

  /** The next message of any worker, if one is there. Throws if a worker has ended. */
  receive(): [id: number, message: Exclude<FromWorker, { dead: string }>] | undefined {
    this.#seen = Atomics.load(this.#control, 0);
    for (let i = 0; i < this.#ports.length; i++) {
      const id = this.#next;
      this.#next = (id + 1) % this.#ports.length;
      const message = this.#receive(this.#ports[id]!)?.message;
      if (message === undefined) continue;
      if ("dead" in message) throw unexpected(id, message.dead);
      return [id, message];
    }
    return undefined;
  }

  /** Blocks until something may have come since `receive` found nothing; false after `timeout` seconds (0: never). */
  wait(timeout: number): boolean {
    const end = timeout === 0 ? Infinity : performance.now() + timeout * 1000;
    for (;;) {
      const left = end - performance.now();
      if (left <= 0) return false;
      if (Atomics.wait(this.#control, 0, this.#seen, Math.min(left, WATCH_EVERY)) !== "timed-out") {
        return true;
      }
      this.#watch();
    }
  }

  /** The same without blocking. */
  async waitAsync(timeout: number): Promise<boolean> {
    const result = Atomics.waitAsync(this.#control, 0, this.#seen);
    if (!result.async) return true;
    return await new Promise<boolean>((resolve, reject) => {
      const end = timeout === 0 ? Infinity : performance.now() + timeout * 1000;
      // Also keeps the program alive: neither the threads nor the wait would.
      const timer = setInterval(() => {
        try {
          this.#watch();
          if (performance.now() >= end) finish(() => resolve(false));
        } catch (error) {
          finish(() => reject(error));
        }
      }, Math.min(WATCH_EVERY, timeout === 0 ? Infinity : timeout * 1000));
      const finish = (settle: () => void): void => {
        clearInterval(timer);
        settle();
      };
      result.value.then(() => finish(() => resolve(true)), (error: unknown) => finish(() => reject(error)));
    });
  }

  /** Throws if a worker has ended without a word. */
  #watch(): void {
    this.#handles.forEach((handle, id) => {
      const failure = this.#failures[id];
      if (failure === undefined && !handle.stopped()) return;
      if (Atomics.load(this.#control, 0) !== this.#seen) return; // its last words are there
      throw unexpected(id, failure ?? "it ended without a word");
    });
  }

  /** Ends the threads. */
  close(): void {
    for (const handle of this.#handles) handle.terminate();
    for (const port of this.#ports) port.close();
    this.#handles.length = this.#ports.length = 0;
  }
}

function unexpected(id: number, why: string): RuntimeError {
  return new RuntimeError(`DataLoader worker (id ${id}) exited unexpectedly: ${why}`);
}
