/**
 * What the program runs on, and guarded access to it. Together with `fs.ts` this is the only place in `src/` that may ask for
 * the runtime's own modules: everything else works wherever WebAssembly does.
 *
 * Modules come through `process.getBuiltinModule` (Node 20.16, Deno 2, Bun, workerd with nodejs_compat): synchronous, no static
 * import that a bundler or a browser would trip over, and undefined where there is none.
 */

/** The kind of program that runs us. */
export type Runtime = "deno" | "node" | "bun" | "workerd" | "browser" | "unknown";

interface Permissions {
  querySync(what: { name: string; variable?: string; host?: string }): { state: string };
}
interface Globals {
  Deno?: { version?: unknown; permissions?: Permissions; env?: { get(name: string): string | undefined } };
  Bun?: unknown;
  navigator?: { userAgent?: string };
  document?: unknown;
  importScripts?: unknown;
  process?: NodeJS.Process;
}
const host = globalThis as unknown as Globals;

function detectRuntime(): Runtime {
  if (host.Deno?.version !== undefined) return "deno";
  if (host.Bun !== undefined) return "bun";
  if (host.navigator?.userAgent === "Cloudflare-Workers") return "workerd";
  if (host.process?.versions?.node !== undefined) return "node";
  if (host.document !== undefined || host.importScripts !== undefined) return "browser";
  return "unknown";
}

/** The runtime that this module was loaded in. */
export const runtime: Runtime = detectRuntime();

interface BuiltinModules {
  "node:fs": typeof import("node:fs");
  "node:url": typeof import("node:url");
  "node:zlib": typeof import("node:zlib");
  "node:worker_threads": typeof import("node:worker_threads");
  "node:v8": typeof import("node:v8");
  "node:vm": typeof import("node:vm");
}

/** A module that comes with the runtime, or undefined where there is none. */
export function builtinModule<K extends keyof BuiltinModules>(name: K): BuiltinModules[K] | undefined {
  return host.process?.getBuiltinModule?.(name) as BuiltinModules[K] | undefined;
}

/** Whether a permission is there already: Deno would stop and ask the user otherwise; other runtimes have no such thing. */
function granted(what: { name: string; variable?: string; host?: string }): boolean {
  const permissions = host.Deno?.permissions;
  if (permissions === undefined) return true;
  try {
    return permissions.querySync(what).state === "granted";
  } catch {
    return false;
  }
}

/** An environment variable; undefined if it is not set or must not be read. Never asks for a permission. */
export function envVar(name: string): string | undefined {
  if (!granted({ name: "env", variable: name })) return undefined;
  return host.Deno?.env !== undefined ? host.Deno.env.get(name) : host.process?.env?.[name];
}

/** Whether `hostName` ("example.org" or "example.org:8080") may be reached as far as permissions go. Never asks. */
export function mayConnect(hostName: string): boolean {
  return granted({ name: "net", host: hostName });
}

/** The command line after the script's name; empty where there is none. */
export function commandLine(): string[] {
  return host.process?.argv?.slice(2) ?? [];
}

/** Whether the module with this `import.meta` is the program that was started, not one that was imported. */
export function isMain(meta: ImportMeta): boolean {
  const main = (meta as { main?: boolean }).main; // Deno, Bun, Node 24
  if (main !== undefined) return main;
  const script = host.process?.argv?.[1], url = builtinModule("node:url");
  return script !== undefined && url !== undefined && meta.url === url.pathToFileURL(script).href;
}

/** One of the program's two output streams, as far as a progress bar needs to know it. */
export interface Output {
  /** Whether a person is looking: cursor movement and colours make sense. */
  readonly isTerminal: boolean;
  /** Width in characters; 80 where unknown. */
  readonly columns: number;
  /** Whether colours are wanted (terminal, no NO_COLOR). */
  readonly hasColor: boolean;
  write(text: string): void;
}

/** The stream is looked up when it is first needed: in Deno `process` takes 15 ms to load. */
function standardOutput(name: "stdout" | "stderr"): Output {
  let found: Output | undefined;
  const output = (): Output =>
    found ??= nodeOutput(name) ?? consoleOutput((line) => console[name === "stdout" ? "log" : "error"](line));
  return {
    get isTerminal() {
      return output().isTerminal;
    },
    get columns() {
      return output().columns;
    },
    get hasColor() {
      return output().hasColor;
    },
    write: (text) => output().write(text),
  };
}

function nodeOutput(name: "stdout" | "stderr"): Output | undefined {
  const stream = host.process?.[name];
  if (typeof stream?.write !== "function") return undefined;
  return {
    get isTerminal() {
      return stream.isTTY === true;
    },
    get columns() {
      return stream.columns > 0 ? stream.columns : 80;
    },
    get hasColor() {
      return stream.isTTY === true && !envVar("NO_COLOR") && envVar("TERM") !== "dumb";
    },
    write: (text) => void stream.write(text),
  };
}

/** Standard output; where there is no such stream, whole lines go to `console.log`. */
export const stdout: Output = standardOutput("stdout");
/** Standard error; where there is no such stream, whole lines go to `console.error`. */
export const stderr: Output = standardOutput("stderr");

/** An `Output` over a function that prints one whole line. */
export function consoleOutput(print: (line: string) => void): Output {
  let pending = "";
  return {
    isTerminal: false,
    columns: 80,
    hasColor: false,
    write(text) {
      const lines = (pending + text).split("\n");
      pending = lines.pop() ?? "";
      for (const line of lines) print(line);
    },
  };
}

/** Calls `handler` on Ctrl-C (SIGINT) and SIGTERM instead of ending the program; returns a function that undoes it. */
export function onInterrupt(handler: (signal: "SIGINT" | "SIGTERM") => void): () => void {
  const process = host.process;
  if (typeof process?.on !== "function") return () => {};
  const removers = (["SIGINT", "SIGTERM"] as const).map((signal) => {
    const listener = () => handler(signal);
    process.on(signal, listener);
    return () => void process.off(signal, listener);
  });
  return () => removers.forEach((remove) => remove());
}

/** Sets the status that the program will end with; it goes on until it has nothing left to do. */
export function setExitCode(code: number): void {
  if (host.process) host.process.exitCode = code;
}

/** Blocks for `ms` milliseconds where the runtime allows it (not on a browser's main thread); returns whether it did. */
export function sleepSync(ms: number): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
    return true;
  } catch {
    return false;
  }
}
