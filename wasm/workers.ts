/** Starting worker threads in Node, Deno and browsers, in such a way that they do not keep the program alive. */

import { builtinModule, isDeno } from "./env.ts";

/** What a worker needs to join the pool. */
export interface WorkerStart {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Top of the worker's stack, and its thread-local block. */
  readonly stackTop: number;
  readonly tls: number;
  /** Where to leave the text of an error (UTF-8, zero-terminated), and how much room there is. */
  readonly failure: number;
  readonly failureBytes: number;
}

/** A started worker. */
export interface WorkerHandle {
  terminate(): void;
}

// Runs in the worker, as text: it can use nothing from this module.
const RUN = `function run({ module, memory, stackTop, tls, failure, failureBytes }) {
  const report = (error) => {
    const text = new TextEncoder().encode(String(error)).subarray(0, failureBytes - 1);
    const area = new Uint8Array(memory.buffer, failure, failureBytes);
    area.fill(0);
    area.set(text);
  };
  let core;
  try {
    const tc_pool_throw = () => { throw new Error("a worker cannot launch a job"); };
    core = new WebAssembly.Instance(module, { env: { memory, tc_pool_throw } }).exports;
    core.__wasm_init_tls(tls);
  } catch (error) {
    report(error);
    return;
  }
  for (;;) {
    core.__stack_pointer.value = stackTop;
    try {
      core.tc_pool_worker();
      return;
    } catch (error) {
      report(error);
      core.tc_pool_worker_failed();
    }
  }
}
`;
const RUN_IN_NODE = `${RUN}run(require("node:worker_threads").workerData);`;
const RUN_IN_WEB = `${RUN}onmessage = ({ data }) => run(data);`;

/**
 * The address of the web worker's program. Deno asks no permission for a data: URL; in a browser a worker from one has
 * an origin of its own, which may not share memory, so there it is a blob.
 */
function webWorkerUrl(): string {
  return isDeno
    ? `data:text/javascript,${encodeURIComponent(RUN_IN_WEB)}`
    : URL.createObjectURL(new Blob([RUN_IN_WEB], { type: "text/javascript" }));
}

interface NodeWorker {
  on(event: "error", listener: (error: unknown) => void): void;
  unref(): void;
  terminate(): unknown;
}

interface NodeWorkerThreads {
  readonly Worker: new (code: string, options: object) => NodeWorker;
}

interface WebWorker {
  onerror: ((event: { message?: string; preventDefault?(): void }) => void) | null;
  postMessage(message: unknown): void;
  terminate(): void;
}

const WebWorkerClass = (globalThis as { Worker?: new (url: string, options: object) => WebWorker }).Worker;

function startNodeWorker(
  { Worker }: NodeWorkerThreads,
  start: WorkerStart,
  onError: (message: string) => void,
): WorkerHandle {
  // No execArgv: loaders and inspectors of the main thread have no business in a pool thread.
  const worker = new Worker(RUN_IN_NODE, { eval: true, workerData: start, execArgv: [], name: "tstorch" });
  worker.on("error", (error) => onError(String(error)));
  worker.unref();
  return { terminate: () => void worker.terminate() };
}

/**
 * Deno's own Worker starts in a third of the time that its node:worker_threads takes (which blocks the program for
 * 50 ms besides), but only the latter documents a way to let the program end while workers run. Deno implements that
 * by an unnamed method of Worker, which is looked for here; undefined if it is not what it was.
 */
function denoUnref(): ((worker: WebWorker) => void) | undefined {
  const prototype = WebWorkerClass?.prototype as Record<symbol, unknown> | undefined;
  if (prototype === undefined) return undefined;
  for (const symbol of Object.getOwnPropertySymbols(prototype)) {
    const method = prototype[symbol];
    if (symbol.description === undefined && typeof method === "function" && /refCount/.test(String(method))) {
      return (worker) => method.call(worker, false);
    }
  }
  return undefined;
}

function startWebWorker(
  start: WorkerStart,
  onError: (message: string) => void,
  unref?: (worker: WebWorker) => void,
): WorkerHandle {
  if (WebWorkerClass === undefined) throw new Error("this runtime has no Worker");
  const worker = new WebWorkerClass(webWorkerUrl(), { type: "module", name: "tstorch" });
  worker.onerror = (event) => {
    event.preventDefault?.();
    onError(event.message ?? "the worker failed");
  };
  unref?.(worker);
  worker.postMessage(start);
  return { terminate: () => worker.terminate() };
}

/**
 * Starts one worker. Throws where the runtime has no workers or refuses one; `onError` hears of one that fails later.
 * Outside browsers none of it needs the program's event loop to turn. It blocks the caller for some 5 (Node) to 15 ms
 * (Deno); workers that start workers would not help, which takes Deno a second each.
 */
export function startWorker(start: WorkerStart, onError: (message: string) => void): WorkerHandle {
  if (isDeno) {
    const unref = denoUnref();
    if (unref !== undefined) return startWebWorker(start, onError, unref);
  }
  const node = builtinModule<NodeWorkerThreads>("worker_threads");
  return node !== undefined ? startNodeWorker(node, start, onError) : startWebWorker(start, onError);
}
