/**
 * Python's `copy.deepcopy`, for modules and what they hold.
 *
 * @module
 */
import { escape } from "../base/storage.ts";
import { Tensor } from "../tensor.ts";
import { isKeywords } from "./signature.ts";

/** What was copied already, so that shared objects stay shared. */
export type Memo = Map<unknown, unknown>;

interface DeepCopyable {
  __deepcopy__(memo: Memo): unknown;
}

function isDeepCopyable(x: object): x is DeepCopyable {
  return typeof (x as Partial<DeepCopyable>).__deepcopy__ === "function";
}

/**
 * A copy with tensors, arrays, maps, sets and plain objects of its own. An object of another class is shared unless
 * it has a method `__deepcopy__(memo)`.
 */
export function deepcopy<T>(x: T, memo: Memo = new Map()): T {
  if (x === null || (typeof x !== "object" && typeof x !== "function")) return x;
  if (memo.has(x)) return memo.get(x) as T;
  const copy = copyOf(x, memo);
  memo.set(x, copy);
  return copy as T;
}

function copyOf(x: object, memo: Memo): unknown {
  if (isDeepCopyable(x)) return x.__deepcopy__(memo);
  if (x instanceof Tensor) {
    const copy = x.detach().clone().requires_grad_(x.requires_grad);
    escape(copy.storage);
    return copy;
  }
  if (Array.isArray(x)) {
    const copy: unknown[] = [];
    memo.set(x, copy);
    for (const v of x) copy.push(deepcopy(v, memo));
    return copy;
  }
  if (x instanceof Map) {
    const copy = new Map<unknown, unknown>();
    memo.set(x, copy);
    for (const [k, v] of x) copy.set(deepcopy(k, memo), deepcopy(v, memo));
    return copy;
  }
  if (x instanceof Set) return new Set([...x].map((v) => deepcopy(v, memo)));
  if (isKeywords(x)) {
    const copy: Record<string, unknown> = {};
    memo.set(x, copy);
    for (const [k, v] of Object.entries(x)) copy[k] = deepcopy(v, memo);
    return copy;
  }
  return x;
}
