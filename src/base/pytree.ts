/**
 * Nested arrays, plain objects and Maps with anything else as leaves: what function transforms take and return.
 *
 * @module
 */

/** The shape of a nested value: null for a leaf, else how to build it from its parts. */
interface Spec {
  readonly kind: "leaf" | "array" | "object" | "map";
  readonly keys: readonly unknown[];
  readonly parts: readonly Spec[];
}

const LEAF: Spec = { kind: "leaf", keys: [], parts: [] };

function isPlain(x: unknown): x is Record<string, unknown> {
  if (typeof x !== "object" || x === null) return false;
  const proto = Object.getPrototypeOf(x);
  return proto === Object.prototype || proto === null;
}

/** A value's leaves in order, and its shape. */
export class Tree {
  readonly leaves: unknown[] = [];
  readonly spec: Spec;
  constructor(value: unknown) {
    this.spec = this.#take(value);
  }
  #take(x: unknown): Spec {
    if (Array.isArray(x)) return { kind: "array", keys: [], parts: x.map((v) => this.#take(v)) };
    if (x instanceof Map) {
      return { kind: "map", keys: [...x.keys()], parts: [...x.values()].map((v) => this.#take(v)) };
    }
    if (isPlain(x)) {
      const keys = Object.keys(x);
      return { kind: "object", keys, parts: keys.map((k) => this.#take(x[k])) };
    }
    this.leaves.push(x);
    return LEAF;
  }
  /** The same shape with other leaves. */
  build(leaves: readonly unknown[]): unknown {
    let i = 0;
    const make = (s: Spec): unknown => {
      if (s.kind === "leaf") return leaves[i++];
      const parts = s.parts.map(make);
      if (s.kind === "array") return parts;
      const entries = s.keys.map((k, n) => [k, parts[n]] as const);
      return s.kind === "map" ? new Map(entries) : Object.fromEntries(entries as [string, unknown][]);
    };
    return make(this.spec);
  }
  /** The shape as a text, in Python's form of it. */
  toString(): string {
    return specText(this.spec);
  }
  /** Have both the same shape? */
  matches(other: Tree): boolean {
    return specText(this.spec) === specText(other.spec);
  }
}

function specText(s: Spec): string {
  if (s.kind === "leaf") return "*";
  const parts = s.parts.map(specText);
  if (s.kind === "array") return `(${parts.join(", ")}${parts.length === 1 ? "," : ""})`;
  return `{${parts.map((p, i) => `'${s.keys[i]}': ${p}`).join(", ")}}`;
}

/** `f` of every leaf. */
export function treeMap(f: (leaf: unknown) => unknown, value: unknown): unknown {
  const tree = new Tree(value);
  return tree.build(tree.leaves.map(f));
}

/** `prefix`, which may end earlier than `value`, as one leaf for each leaf of `value`; null if it does not fit. */
export function broadcastPrefix(prefix: unknown, value: unknown): unknown[] | null {
  if (prefix === null || typeof prefix !== "object") return new Tree(value).leaves.map(() => prefix);
  const join = (pairs: [unknown, unknown][]): unknown[] | null => {
    const all: unknown[] = [];
    for (const [p, v] of pairs) {
      const part = broadcastPrefix(p, v);
      if (part === null) return null;
      all.push(...part);
    }
    return all;
  };
  if (Array.isArray(prefix)) {
    if (!Array.isArray(value) || value.length !== prefix.length) return null;
    return join(prefix.map((p, i) => [p, value[i]]));
  }
  const entries = (x: unknown): [unknown, unknown][] | null =>
    x instanceof Map ? [...x] : isPlain(x) ? Object.entries(x) : null;
  const wanted = entries(value), given = entries(prefix);
  if (wanted === null || given === null || wanted.length !== given.length) return null;
  const by = new Map(given);
  return wanted.every(([k]) => by.has(k)) ? join(wanted.map(([k, v]) => [by.get(k), v])) : null;
}
