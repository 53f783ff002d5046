/** What this folder needs to know about the runtime. Nothing here asks the user for a permission. */

interface DenoLike {
  readonly build: { readonly os: string; readonly arch: string };
  readonly permissions: {
    querySync(what: { name: string; variable?: string; path?: string }): { state: string };
  };
}

interface ProcessLike {
  readonly env?: Record<string, string | undefined>;
  readonly platform?: string;
  readonly arch?: string;
  readonly on?: (event: "exit", f: (code: number) => void) => unknown;
  readonly versions?: { readonly node?: string; readonly bun?: string };
  readonly getBuiltinModule?: (name: string) => unknown;
}

const host = globalThis as { Deno?: DenoLike; process?: ProcessLike };

/** Calls `f` with the exit code when the program ends by itself. */
export function onExit(f: (code: number) => void): void {
  host.process?.on?.("exit", f);
}

/** How native code can be called here. */
export type Bridge = "deno" | "koffi" | "none";

/** Deno has its own foreign functions, Node and Bun have koffi's, other runtimes have none. */
export const bridge: Bridge = host.Deno !== undefined
  ? "deno"
  : host.process?.versions?.node !== undefined && host.process.getBuiltinModule !== undefined
  ? "koffi"
  : "none";

/** The operating system and processor in Node's words: `linux-x64`. */
export function platform(): string {
  return `${host.process?.platform ?? "unknown"}-${host.process?.arch ?? "unknown"}`;
}

/** Whether a permission is there already; only Deno has any. */
export function granted(what: { name: string; variable?: string; path?: string }): boolean {
  return host.Deno === undefined || host.Deno.permissions.querySync(what).state === "granted";
}

/** An environment variable, or undefined where there is none or it may not be read. */
export function envVariable(name: string): string | undefined {
  return granted({ name: "env", variable: name }) ? host.process?.env?.[name] : undefined;
}

/** One of the modules that come with Node, or undefined where the runtime has none. */
export function builtinModule<T>(name: string): T | undefined {
  return host.process?.getBuiltinModule?.(`node:${name}`) as T | undefined;
}
