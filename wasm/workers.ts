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
  /** Whether it has come to an end, where the runtime tells before the program's event loop turns (Node does). */
  stopped(): boolean;
}

/** A worker's program as text, in the form that each kind of worker takes. */
export interface WorkerProgram {
  /** A CommonJS script; what it was started with is `require("node:worker_threads").workerData`. */
  readonly node: string;
  /** A module; what it was started with comes as the first message. */
  readonly web: string;
  /** Does it import modules of the program, and so need what Node was told about loading them? */
  readonly imports?: boolean;
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
const POOL_WORKER: WorkerProgram = {
  node: `${RUN}run(require("node:worker_threads").workerData);`,
  web: `${RUN}onmessage = ({ data }) => run(data);`,
};

/**
 * The address of the web worker's program. Deno asks no permission for a data: URL; in a browser a worker from one has
 * an origin of its own, which may not share memory, so there it is a blob.
 */
function webWorkerUrl(code: string): string {
  return isDeno
    ? `data:text/javascript,${encodeURIComponent(code)}`
    : URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
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
  postMessage(message: unknown, transfer: unknown[]): void;
  terminate(): void;
}

const WebWorkerClass = (globalThis as { Worker?: new (url: string, options: object) => WebWorker }).Worker;

/**
 * Node reports the end of a worker by an event, which a program that never lets its event loop turn does not hear. Its
 * handle of the thread knows at once: the idle time of the event loop is -1 where there is none. That is no documented
 * interface; where it is not as expected, a worker counts as running.
 */
function nodeWorkerStopped(worker: NodeWorker): () => boolean {
  const symbol = Object.getOwnPropertySymbols(worker).find(({ description }) => description === "kHandle");
  const handle = symbol === undefined
    ? undefined
    : (worker as unknown as Record<symbol, { loopIdleTime?(): number } | null>)[symbol];
  const idle = (): number => handle?.loopIdleTime?.() ?? 0;
  let running = false;
  return () => {
    const has = idle() >= 0;
    running ||= has; // before it has begun there is no loop either
    return running && !has;
  };
}

function startNodeWorker(
  { Worker }: NodeWorkerThreads,
  program: WorkerProgram,
  start: unknown,
  transfer: unknown[],
  onError: (message: string) => void,
): WorkerHandle {
  // Loaders and inspectors of the main thread have no business in a thread that imports nothing.
  const worker = new Worker(program.node, {
    eval: true,
    workerData: start,
    transferList: transfer,
    name: "tstorch",
    ...(program.imports === true ? {} : { execArgv: [] }),
  });
  worker.on("error", (error) => onError(String(error)));
  worker.unref();
  return { terminate: () => void worker.terminate(), stopped: nodeWorkerStopped(worker) };
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
  program: WorkerProgram,
  start: unknown,
  transfer: unknown[],
  onError: (message: string) => void,
  unref?: (worker: WebWorker) => void,
): WorkerHandle {
  if (WebWorkerClass === undefined) throw new Error("this runtime has no Worker");
  const worker = new WebWorkerClass(webWorkerUrl(program.web), { type: "module", name: "tstorch" });
  worker.onerror = (event) => {
    event.preventDefault?.();
    onError(event.message ?? "the worker failed");
  };
  unref?.(worker);
  worker.postMessage(start, transfer);
  return { terminate: () => worker.terminate(), stopped: () => false };
}

/**
 * Starts one worker of the pool. Throws where the runtime has no workers or refuses one; `onError` hears of one that
 * fails later. Outside browsers none of it needs the program's event loop to turn. It blocks the caller for some 5
 * (Node) to 15 ms (Deno); workers that start workers would not help, which takes Deno a second each.
 */
export function startWorker(start: WorkerStart, onError: (message: string) => void): WorkerHandle {
  return startThread(POOL_WORKER, start, [], onError);
}

/** The same for any program; `transfer` lists the ports in `start`. */
export function startThread(
  program: WorkerProgram,
  start: unknown,
  transfer: unknown[],
  onError: (message: string) => void,
): WorkerHandle {
  if (isDeno) {
    const unref = denoUnref();
    if (unref !== undefined) return startWebWorker(program, start, transfer, onError, unref);
  }
  const node = builtinModule<NodeWorkerThreads>("worker_threads");
  return node !== undefined
    ? startNodeWorker(node, program, start, transfer, onError)
    : startWebWorker(program, start, transfer, onError);
}
