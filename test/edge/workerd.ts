/** Runs a Worker of examples/ in Cloudflare's runtime, on a free port of this machine. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

export const root: string = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** The program itself: `node_modules/.bin/workerd` is a script that waits for it, which a signal would not reach. */
const binary = (): string => {
  const require = createRequire(import.meta.url);
  return (require("workerd") as { default: string }).default;
};

export class RunningWorker {
  readonly #child: ChildProcess;
  #output = "";
  #port = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    const hear = (data: unknown): void => {
      this.#output += String(data);
    };
    child.stdout!.on("data", hear);
    child.stderr!.on("data", hear);
  }

  /** Serves a folder that has a config.capnp with one socket named http. */
  static async start(folder: string): Promise<RunningWorker> {
    const child = spawn(
      binary(),
      ["serve", "config.capnp", "--socket-addr=http=127.0.0.1:0", "--control-fd=3"],
      { cwd: folder, stdio: ["ignore", "pipe", "pipe", "pipe"] },
    );
    const worker = new RunningWorker(child), control = child.stdio[3] as Readable;
    worker.#port = await new Promise<number>((resolve, reject) => {
      let text = "";
      control.on("data", (data) => {
        text += String(data);
        for (const line of text.split("\n").slice(0, -1)) {
          const message = JSON.parse(line) as { event: string; port?: number };
          if (message.event === "listen" && message.port !== undefined) resolve(message.port);
        }
      });
      child.on("error", reject);
      child.on("exit", (code) => reject(new Error(`workerd ended with ${code}:\n${worker.output}`)));
    });
    return worker;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/`;
  }

  /** What it has printed: nothing, if all is well. */
  get output(): string {
    return this.#output;
  }

  /**
   * What the process holds now, in MB (10^6 bytes), without the pages of files that are mapped into it: those are
   * workerd's own program of over 80 MB, of which a machine may have more or less in memory. What remains is the isolate
   * (JavaScript's heap, compiled code, WebAssembly memory) and some 14 MB of workerd's. Linux only.
   */
  get heldMegabytes(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, "utf8");
    const kB = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)![1]);
    return (kB("RssAnon") + kB("RssShmem")) * 1024 / 1e6;
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, "exit");
    this.#child.kill();
    await ended;
  }
}
