/**
 * Scopes: the storages that library code makes while it computes something are freed when it is done, except those
 * it returns and those that the autograd graph holds. So composite operators, optimizers and the backward engine
 * leave nothing behind, also where no collector runs.
 *
 * Only library code runs inside a scope. Where it calls a user's function (a hook, a custom backward, a closure) it
 * leaves the scope for that call with `external`.
 *
 * @module
 */
import { list, release, settle, type Storage } from "./storage.ts";

let current: Storage[] | null = null;
const pool: Storage[][] = [];

/** The storages made in the innermost scope so far, or null outside of any. */
export function currentScope(): Storage[] | null {
  return current;
}

/** What scopes look for in results: anything with a storage. */
interface HasStorage {
  readonly storage: Storage;
}

/** Opens a scope and returns what `endScope` needs. */
export function beginScope(): Storage[] | null {
  const outer = current;
  current = pool.pop() ?? [];
  return outer;
}

/** Closes the scope opened with `outer = beginScope()`; `result`'s storages move to the scope outside. */
export function endScope(outer: Storage[] | null, result: unknown): void {
  const mine = current!;
  current = outer;
  if (result !== undefined && result !== null) keep(result, mine, outer);
  for (let i = 0; i < mine.length; i++) {
    const s = mine[i]!;
    if (s.ptr === 0 || s.escaped) continue;
    if (s.refs > 0) list(s); // the graph holds it; it is freed when the graph lets go
    else if (!kept.has(s)) release(s);
  }
  kept.clear();
  mine.length = 0;
  if (pool.length < 64) pool.push(mine);
  // A program may call nothing but composite operators: then this is the only place where their results are counted.
  if (outer === null) settle();
}

const kept = new Set<Storage>();

function keep(value: unknown, mine: Storage[], outer: Storage[] | null): void {
  if (typeof value !== "object" || value === null) return;
  const s = (value as Partial<HasStorage>).storage;
  if (s !== undefined) {
    if (s.escaped || kept.has(s)) return;
    if (outer === null) {
      s.escaped = true;
      list(s);
    } else if (mine.includes(s)) {
      kept.add(s);
      outer.push(s);
    }
    return;
  }
  if (Array.isArray(value)) { for (const v of value) keep(v, mine, outer); }
  else if (value instanceof Map) { for (const v of value.values()) keep(v, mine, outer); }
}

/** Runs library code in a scope of its own. */
export function internal<T>(body: () => T): T {
  const outer = beginScope();
  let result: T | undefined;
  try {
    return result = body();
  } finally {
    endScope(outer, result);
  }
}

/** Runs a user's function as if no scope were open: what it makes it may keep. */
export function external<T>(body: () => T): T {
  const saved = current;
  current = null;
  try {
    return body();
  } finally {
    current = saved;
  }
}
