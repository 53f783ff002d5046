/**
 * Synchronous HTTP: a worker fetches, this thread sleeps until bytes arrive. So `new MNIST(root, { download: true })` can be an
 * ordinary constructor, as in PyTorch, in Node and Deno alike.
 *
 * Messages go through one shared buffer: header word 0 says whether it is full, word 1 how long the message is, word 2 what it is.
 */
import { builtinModule, mayConnect, runtime } from "./env.ts";

const EMPTY = 0, FULL = 1;
const HEAD = 0, BODY = 1, END = 2, FAILED = 3;
const CAPACITY = 1 << 18;

/**
 * The worker, in plain JavaScript: it is started from text, so that no second file must be found at run time. Word 3 of the
 * header tells it to stop.
 */
const WORKER = `
const { workerData } = process.getBuiltinModule("node:worker_threads");
const { url, headers, shared, capacity } = workerData;
const words = new Int32Array(shared, 0, 4), room = new Uint8Array(shared, 16, capacity);
function send(kind, bytes) {
  while (Atomics.load(words, 0) !== ${EMPTY}) { if (Atomics.load(words, 3)) return false; Atomics.wait(words, 0, ${FULL}, 100); }
  room.set(bytes);
  words[1] = bytes.length;
  words[2] = kind;
  Atomics.store(words, 0, ${FULL});
  Atomics.notify(words, 0);
  return true;
}
const text = (value) => new TextEncoder().encode(JSON.stringify(value)).subarray(0, capacity);
const reason = (e) => [e?.message ?? String(e), e?.cause?.code ?? e?.cause?.message].filter(Boolean).join(": ");
try {
  const response = await fetch(url, { headers });
  send(${HEAD}, text({ status: response.status, url: response.url, headers: [...response.headers] }));
  let going = true;
  if (response.body) for await (const chunk of response.body) {
    for (let at = 0; going && at < chunk.length; at += capacity) going = send(${BODY}, chunk.subarray(at, at + capacity));
    if (!going) break;
  }
  send(${END}, new Uint8Array(0));
} catch (e) {
  send(${FAILED}, text(reason(e)));
}
`;

/** The answer to a request, its body read piece by piece. */
export interface HttpResponse {
  readonly status: number;
  /** Where the body comes from, after redirections. */
  readonly url: string;
  /** Header values by lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  /** The next piece of the body, or null at its end. Throws if nothing comes for the timeout, or the connection breaks. */
  read(): Uint8Array | null;
  /** Ends the request; must be called. */
  close(): void;
}

/** Whether this runtime can do it. */
export function hasSyncHttp(): boolean {
  return builtinModule("node:worker_threads") !== undefined && typeof SharedArrayBuffer === "function";
}

/** Sends a GET request and waits for the answer's head; `timeout` is the longest silence in milliseconds. */
export function httpGet(
  url: string,
  { headers = {}, timeout = 20_000 }: { headers?: Record<string, string>; timeout?: number } = {},
): HttpResponse {
  const threads = builtinModule("node:worker_threads");
  if (threads === undefined) throw new Error(`this runtime (${runtime}) cannot download synchronously`);
  const { host } = new URL(url);
  if (!mayConnect(host)) {
    throw new Error(`no permission to connect to ${host} (run with --allow-net=${host})`);
  }

  const shared = new SharedArrayBuffer(16 + CAPACITY),
    words = new Int32Array(shared, 0, 4),
    room = new Uint8Array(shared, 16);
  // `await` at the top needs a module; a data: URL is one in every runtime.
  const source = new URL(`data:text/javascript,${encodeURIComponent(WORKER)}`);
  const worker = new threads.Worker(source, { workerData: { url, headers, shared, capacity: CAPACITY } });
  worker.unref();
  worker.on("error", () => {}); // a worker that dies is noticed by its silence

  const close = (): void => {
    Atomics.store(words, 3, 1);
    Atomics.store(words, 0, EMPTY);
    Atomics.notify(words, 0);
    void worker.terminate();
  };
  const receive = (): { kind: number; bytes: Uint8Array } => {
    if (Atomics.wait(words, 0, EMPTY, timeout) === "timed-out") {
      throw new Error(`nothing received for ${timeout / 1000} s`);
    }
    const message = { kind: words[2]!, bytes: room.slice(0, words[1]) };
    Atomics.store(words, 0, EMPTY);
    Atomics.notify(words, 0);
    if (message.kind === FAILED) throw new Error(String(JSON.parse(new TextDecoder().decode(message.bytes))));
    return message;
  };

  try {
    const head = JSON.parse(new TextDecoder().decode(receive().bytes)) as {
      status: number;
      url: string;
      headers: [string, string][];
    };
    let ended = false;
    return {
      status: head.status,
      url: head.url || url,
      headers: new Map(head.headers),
      read() {
        if (ended) return null;
        const { kind, bytes } = receive();
        ended = kind === END;
        return ended ? null : bytes;
      },
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}
