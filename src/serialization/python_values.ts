/**
 * Python's values between a pickle and JavaScript. Inside a pickle 1.0 is not 1, a tuple is not a list and (1, 2) is a usable
 * dict key; these classes keep all that. `to_js.ts` and `from_js.ts` translate.
 *
 * | Python | here |
 * | --- | --- |
 * | None, bool, str | null, boolean, string |
 * | int | number if safe, else bigint |
 * | float | PyFloat |
 * | list | Array |
 * | bytes, bytearray | Uint8Array |
 * | the rest | the classes below |
 */
import { RuntimeError } from "../base/errors.ts";
import { PyFloat } from "../base/scalar.ts";

/** Anything a pickle may hold. `object` covers what the allow-listed functions make (tensors and the like). */
export type PyValue = null | boolean | number | bigint | string | PyFloat | object;

/** A tuple. */
export class PyTuple {
  readonly items: readonly PyValue[];
  constructor(items: readonly PyValue[]) {
    this.items = items;
  }
}

/** How much of a key is looked at: a pickle can make a tuple whose text is exponentially long. */
const KEY_LIMIT = 4096;

/** A text that two hashable values share just if Python calls them equal (so 1, 1.0 and True do); tensors go by identity. */
function keyText(value: PyValue, idOf: (object: object) => number): string {
  let nodes = 0;
  const text = (v: PyValue): string => {
    if (++nodes > KEY_LIMIT) throw new RuntimeError("a dict key is too large");
    if (v === null) return "N";
    if (typeof v === "boolean") return v ? "#1" : "#0";
    if (typeof v === "number" || typeof v === "bigint") return `#${v}`;
    if (typeof v === "string") return `s${v.length}:${v}`;
    if (v instanceof PyFloat) return Number.isInteger(v.value) ? `#${BigInt(v.value)}` : `#${v.value}`;
    if (v instanceof PyTuple) return `(${v.items.map(text).join(",")})`;
    if (v instanceof Uint8Array) {
      nodes += v.length;
      return `b${v.join(",")}`;
    }
    if (Array.isArray(v) || v instanceof PyDict || v instanceof PySet) {
      throw new RuntimeError(
        `unhashable type: '${Array.isArray(v) ? "list" : v instanceof PySet ? "set" : "dict"}'`,
      );
    }
    return `@${idOf(v)}`;
  };
  return text(value);
}

/** A dict or an OrderedDict. */
export class PyDict {
  /** Whether it is an OrderedDict. */
  readonly ordered: boolean;
  /** Attributes of an OrderedDict (a state_dict's `_metadata`). */
  attributes: PyDict | undefined;
  // Both are made when needed: a hostile pickle makes an empty dict with every byte.
  #items: Map<string, [PyValue, PyValue]> | undefined;
  #ids: Map<object, number> | undefined;

  constructor(ordered = false) {
    this.ordered = ordered;
  }

  #keyText(key: PyValue): string {
    return keyText(key, (object) => {
      this.#ids ??= new Map();
      let id = this.#ids.get(object);
      if (id === undefined) this.#ids.set(object, id = this.#ids.size);
      return id;
    });
  }

  get size(): number {
    return this.#items?.size ?? 0;
  }
  set(key: PyValue, value: PyValue): void {
    const items = this.#items ??= new Map(), text = this.#keyText(key), old = items.get(text);
    if (old !== undefined) old[1] = value; // as in Python the first of two equal keys stays
    else items.set(text, [key, value]);
  }
  get(key: PyValue): PyValue | undefined {
    return this.#items?.get(this.#keyText(key))?.[1];
  }
  [Symbol.iterator](): IterableIterator<[PyValue, PyValue]> {
    return (this.#items ?? []).values() as IterableIterator<[PyValue, PyValue]>;
  }
}

/** A set or a frozenset. */
export class PySet {
  readonly #items = new PyDict();

  constructor(items: Iterable<PyValue> = []) {
    for (const item of items) this.add(item);
  }
  add(item: PyValue): void {
    this.#items.set(item, null);
  }
  *[Symbol.iterator](): IterableIterator<PyValue> {
    for (const [item] of this.#items) yield item;
  }
}

/** A name that a pickle refers to. What it does when called is the business of the allow-list (`globals.ts`). */
export class PyGlobal {
  readonly module: string;
  readonly name: string;
  constructor(module: string, name: string) {
    this.module = module;
    this.name = name;
  }
  toString(): string {
    return `${this.module}.${this.name}`;
  }
}

/** For writing: `callable(*args)`, then `obj.__dict__.update(state)`. */
export class PyReduce {
  readonly callable: PyGlobal;
  readonly args: PyTuple;
  /** Items that SETITEMS adds to the result (an OrderedDict's). */
  readonly items: Iterable<readonly [PyValue, PyValue]> | undefined;
  readonly state: PyValue | undefined;
  constructor(
    callable: PyGlobal,
    args: PyTuple,
    items?: Iterable<readonly [PyValue, PyValue]>,
    state?: PyValue,
  ) {
    this.callable = callable;
    this.args = args;
    this.items = items;
    this.state = state;
  }
}

/** For writing: a reference to something kept outside the pickle. */
export class PyPersistent {
  readonly id: PyTuple;
  constructor(id: PyTuple) {
    this.id = id;
  }
}

/** What kind of value this is, in Python's words, for error messages. */
export function pyTypeName(value: PyValue): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number" || typeof value === "bigint") return "int";
  if (typeof value === "string") return "str";
  if (value instanceof PyFloat) return "float";
  if (value instanceof PyTuple) return "tuple";
  if (Array.isArray(value)) return "list";
  if (value instanceof PyDict) return value.ordered ? "OrderedDict" : "dict";
  if (value instanceof PySet) return "set";
  if (value instanceof Uint8Array) return "bytes";
  if (value instanceof PyGlobal) return `the name ${value}`;
  return value.constructor.name;
}
