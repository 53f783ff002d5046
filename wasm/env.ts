/** The environment as this folder needs it: variables, and Node's built-in modules where a runtime has them. */

interface Permissions {
  querySync(what: { name: string; variable?: string; path?: string }): { state: string };
}

interface ProcessLike {
  readonly env?: Record<string, string | undefined>;
  readonly versions?: { readonly node?: string };
  readonly getBuiltinModule?: (name: string) => unknown;
}

interface DenoLike {
  readonly permissions: Permissions;
  readonly env: { get(name: string): string | undefined };
  readTextFileSync(path: string): string;
}

const host = globalThis as { Deno?: DenoLike; process?: ProcessLike };

/** Whether this is Deno (whose V8 has no trap handler: every wasm memory access carries a bounds check). */
export const isDeno: boolean = host.Deno !== undefined;

// In Deno the first use of `process` or of a node: module loads its compatibility layer, some 15 ms: Deno's own
// functions are used instead wherever the core's start needs something.

/** Whether a permission is there already: Deno would stop and ask; other runtimes have no such thing. */
function granted(what: { name: string; variable?: string; path?: string }): boolean {
  return host.Deno === undefined || host.Deno.permissions.querySync(what).state === "granted";
}

/** An environment variable, or undefined where there is none or it may not be read. Never asks for a permission. */
export function envVariable(name: string): string | undefined {
  if (!granted({ name: "env", variable: name })) return undefined;
  return host.Deno !== undefined ? host.Deno.env.get(name) : host.process?.env?.[name];
}

/** A text file, or undefined where there is none or it may not be read. Never asks for a permission. */
export function readTextFile(path: string): string | undefined {
  if (!granted({ name: "read", path })) return undefined;
  try {
    if (host.Deno !== undefined) return host.Deno.readTextFileSync(path);
    return builtinModule<{ readFileSync(path: string, encoding: "utf8"): string }>("fs")?.readFileSync(
      path,
      "utf8",
    );
  } catch {
    return undefined;
  }
}

/** One of the modules that come with Node, or undefined where the runtime has none. Needs no permission. */
export function builtinModule<T>(name: string): T | undefined {
  return host.process?.getBuiltinModule?.(`node:${name}`) as T | undefined;
}

/** The same for Node before 20.16 too. */
export async function nodeModule<T>(name: string): Promise<T | undefined> {
  if (host.process?.getBuiltinModule !== undefined) return builtinModule<T>(name);
  if (host.process?.versions?.node === undefined) return undefined;
  const specifier = `node:${name}`; // not a literal: a bundler for browsers would try to resolve it
  return await import(specifier) as T;
}
