/**
 * Objects on their way to another thread. What structured cloning can carry goes as it is; tensors go as bytes in one
 * shared buffer; functions, classes and their instances go by name: the other thread imports the module that exports
 * them (as Python's pickle does). JavaScript cannot tell which module a class is from, so a module says it itself:
 * {@linkcode importable}. What the library exports needs nothing said.
 *
 * @module
 */
import { cpuBackend } from "../../backend/wasm.ts";
import { DType, dtypes } from "../../base/dtype.ts";
import { RuntimeError } from "../../base/errors.ts";
import { Generator } from "../../base/generator.ts";
import { PyFloat } from "../../base/scalar.ts";
import { Size } from "../../base/size.ts";
import * as aten from "../../ops/mod.ts";
import { Tensor } from "../../tensor.ts";
import { isKeywords } from "../signature.ts";
import { typename } from "../typename.ts";

/** Where a thread finds a value: an export of a module, or a name in the torch namespace. */
interface Reference {
  readonly module: string | null;
  readonly name: string;
}

const references = new Map<unknown, Reference>();
/** What this thread itself knows by reference: decoding asks here first. */
const known = new Map<string, unknown>();
const keyOf = ({ module, name }: Reference): string => `${module ?? "torch"}#${name}`;

/**
 * Tells under which names a module exports classes and functions, so that a `DataLoader` with `num_workers` can name
 * them to its worker threads: datasets, transforms, `collate_fn`, `worker_init_fn`.
 *
 * ```ts
 * export class Squares extends torch.utils.data.Dataset { ... }
 * torch.utils.data.importable(import.meta.url, { Squares });
 * ```
 *
 * The names must be those of the exports. Instances travel as their own properties, or as their class says with
 * `__getstate__` / `__setstate__` or `__reduce__`, whose meaning is Python's.
 */
export function importable(module: string | URL, exports: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(exports)) {
    if (typeof value !== "function") {
      throw new TypeError(`importable(): expected classes and functions, but ${name} is ${typename(value)}`);
    }
    const reference = { module: String(module), name };
    references.set(value, reference);
    known.set(keyOf(reference), value);
  }
}

let namespace: Record<string, unknown> | null = null;

/** Names the library's own exports: called by `src/torch.ts`, looked at when something is sent for the first time. */
export function exportsOfLibrary(root: Record<string, unknown>): void {
  namespace = root;
}

function nameLibrary(): void {
  const visit = (object: Record<string, unknown>, prefix: string, depth: number): void => {
    for (const key of Object.keys(object)) {
      const value = object[key], name = prefix + key;
      if (typeof value === "function") {
        const reference = { module: null, name };
        if (!references.has(value)) references.set(value, reference);
        known.set(keyOf(reference), value);
      } else if (depth > 0 && isNamespace(value)) visit(value, `${name}.`, depth - 1);
    }
  };
  const root = namespace;
  namespace = null;
  if (root !== null) visit(root, "", 4);
}

function isNamespace(x: unknown): x is Record<string, unknown> {
  if (typeof x !== "object" || x === null) return false;
  return Object.prototype.toString.call(x) === "[object Module]" || isKeywords(x);
}

function referenceTo(value: unknown): Reference | undefined {
  nameLibrary();
  return references.get(value);
}

/** What a class may have besides its properties: Python's protocol for objects that travel. */
interface Travelling {
  __reduce__?(): [callable: unknown, args: unknown[], state?: unknown];
  __getstate__?(): unknown;
  __setstate__?(state: unknown): void;
}

/** Encoded values: what is no primitive is a node. */
type Encoded = unknown;
type Node =
  | { k: "seen"; id: number }
  | { k: "raw"; v: unknown }
  | { k: "list" | "set"; v: Encoded[] }
  | { k: "size"; v: number[] }
  | { k: "map"; v: [Encoded, Encoded][] }
  | { k: "object"; v: [string, Encoded][] }
  | { k: "tensor"; dtype: string; shape: number[]; at: number; grad: boolean }
  | { k: "dtype"; name: string }
  | { k: "float"; v: number }
  | { k: "generator"; state: Encoded; seed: bigint }
  | { k: "name"; ref: Reference }
  | { k: "made"; by: Encoded; args: Encoded[]; state: Encoded }
  | { k: "instance"; of: Encoded; state: Encoded };

/** An encoded value, for `postMessage`; the bytes of its tensors travel besides. */
export interface Packet {
  readonly value: Encoded;
  /** Modules that must be imported to decode it. */
  readonly modules: readonly string[];
  /** How many bytes of tensors there are. */
  readonly bytes: number;
}

/** Tensors start at multiples of this. */
const ALIGN = 64;

/** Something in a value has no way to another thread; the message says which part and what can be done. */
export class TransferError extends RuntimeError {}

/** Encodes one value. */
export class Encoder {
  readonly #tensors: [Tensor, number][] = [];
  readonly #modules = new Set<string>();
  readonly #ids = new Map<object, number>();
  #bytes = 0;
  readonly packet: Packet;

  /** `what` names the value in errors. */
  constructor(value: unknown, what: string) {
    const encoded = this.#encode(value, what);
    this.packet = { value: encoded, modules: [...this.#modules], bytes: this.#bytes };
  }

  /** Copies the tensors' bytes to where the packet says they are. */
  copyTensors(to: Uint8Array): void {
    for (const [tensor, at] of this.#tensors) {
      const size = tensor.dtype.itemsize, from = tensor.storage.resident() + tensor.offset * size;
      to.set(cpuBackend.core!.u8.subarray(from, from + tensor.count * size), at);
    }
  }

  #encode(value: unknown, path: string): Encoded {
    if (typeof value === "function") {
      return this.#function(value as Travelling & ((x: unknown) => void), path);
    }
    if (typeof value === "symbol") throw new TransferError(`${path} is a symbol, which cannot be sent`);
    if (typeof value !== "object" || value === null) return value;
    const seen = this.#ids.get(value);
    if (seen !== undefined) return { k: "seen", id: seen } satisfies Node;
    this.#ids.set(value, this.#ids.size);
    return this.#object(value, path);
  }

  #object(value: object, path: string): Node {
    if (value instanceof Tensor) return this.#tensor(value, path);
    if (value instanceof DType) return { k: "dtype", name: value.name };
    if (value instanceof PyFloat) return { k: "float", v: Number(value) };
    if (value instanceof Generator) {
      return {
        k: "generator",
        state: this.#encode(value.get_state(), path),
        seed: BigInt(value.initial_seed()),
      };
    }
    if (value instanceof Size) return { k: "size", v: [...value] };
    if (Array.isArray(value)) {
      if (value.every((x) => x === null || (typeof x !== "object" && typeof x !== "function"))) {
        return { k: "raw", v: value };
      }
      return { k: "list", v: value.map((x, i) => this.#encode(x, `${path}[${i}]`)) };
    }
    if (value instanceof Map) {
      return {
        k: "map",
        v: [...value].map((
          [k, v],
        ) => [this.#encode(k, `a key of ${path}`), this.#encode(v, `${path}[${String(k)}]`)]),
      };
    }
    if (value instanceof Set) {
      return {
        k: "set",
        v: [...value].map((x) => this.#encode(x, `an item of ${path}`)),
      };
    }
    if (isKeywords(value)) return { k: "object", v: this.#properties(value, path) };
    if (isNative(value)) return { k: "raw", v: value };
    return this.#instance(value, path);
  }

  #properties(value: object, path: string): [string, Encoded][] {
    return Object.entries(value).map(([k, v]) => [k, this.#encode(v, `${path}.${k}`)]);
  }

  #tensor(value: Tensor, path: string): Node {
    if (value.device.type !== "cpu") {
      throw new TransferError(`${path} is a tensor on ${value.device}: only tensors of the CPU can be sent`);
    }
    if (value.requires_grad && !value.is_leaf) {
      throw new TransferError(
        "Cowardly refusing to serialize non-leaf tensor which requires_grad, since autograd does not support " +
          "crossing process boundaries.  If you just want to transfer the data, call detach() on the tensor " +
          "before serializing (e.g., putting it on the queue).",
      );
    }
    const at = this.#bytes, packed = value.detach().contiguous();
    this.#bytes = Math.ceil((at + packed.nbytes) / ALIGN) * ALIGN;
    this.#tensors.push([packed, at]);
    return { k: "tensor", dtype: value.dtype.name, shape: [...value.sizes], at, grad: value.requires_grad };
  }

  #function(value: Travelling & ((x: unknown) => void), path: string): Encoded {
    const ref = referenceTo(value);
    if (ref !== undefined) return this.#named(ref);
    const parent = Object.getPrototypeOf(value) as unknown;
    const callable = parent !== Function.prototype && Object.hasOwn(parent as object, "constructor") &&
      typeof (parent as { constructor: unknown }).constructor === "function" &&
      !Object.hasOwn(value, "prototype");
    if (
      callable && !/^(Async|Generator)/.test((parent as { constructor: { name: string } }).constructor.name)
    ) {
      const seen = this.#ids.get(value);
      if (seen !== undefined) return { k: "seen", id: seen } satisfies Node;
      this.#ids.set(value, this.#ids.size);
      return this.#instance(value, path);
    }
    throw new TransferError(
      `${path} is ${
        value.name === "" ? "a function without a name" : `the function ${value.name}`
      }, and a worker ` +
        "thread cannot know where to import it from. Export it from a module, and say so there: " +
        `torch.utils.data.importable(import.meta.url, { ${value.name || "name"} })`,
    );
  }

  #instance(value: Travelling, path: string): Node {
    if (typeof value.__reduce__ === "function") {
      const [by, args, state] = value.__reduce__();
      return {
        k: "made",
        by: this.#encode(by, `what ${path}.__reduce__() gave`),
        args: args.map((x, i) => this.#encode(x, `${path}.__reduce__()[1][${i}]`)),
        state: this.#encode(state, `${path}.__reduce__()[2]`),
      };
    }
    const type = (value as { constructor?: { name: string } }).constructor, ref = referenceTo(type);
    if (ref === undefined) {
      const name = type?.name || "an unknown class";
      throw new TransferError(
        `${path} is an instance of ${name}, and a worker thread cannot know where to import that from. Export the ` +
          "class from a module (not from the program itself), and say so there: " +
          `torch.utils.data.importable(import.meta.url, { ${name} })`,
      );
    }
    const state = typeof value.__getstate__ === "function"
      ? this.#encode(value.__getstate__(), `${path}.__getstate__()`)
      : { k: "object", v: this.#properties(value, path) } satisfies Node;
    return { k: "instance", of: this.#named(ref), state };
  }

  #named(ref: Reference): Node {
    if (ref.module !== null) this.#modules.add(ref.module);
    return { k: "name", ref };
  }
}

/** Does structured cloning carry it as what it is? */
function isNative(value: object): boolean {
  return ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof Date ||
    value instanceof RegExp || value instanceof Error ||
    (typeof SharedArrayBuffer !== "undefined" && value instanceof SharedArrayBuffer) ||
    (typeof Blob !== "undefined" && value instanceof Blob);
}

/** Imports the modules that a packet needs, so that `decode` finds their exports. */
export async function importModules({ modules }: Packet): Promise<void> {
  for (const url of modules) {
    const exports = await import(url) as Record<string, unknown>;
    for (const [name, value] of Object.entries(exports)) known.set(keyOf({ module: url, name }), value);
  }
}

/** The value of a packet; `bytes` has its tensors. */
export function decode({ value }: Packet, bytes: Uint8Array): unknown {
  nameLibrary();
  const made: unknown[] = [];
  const find = (ref: Reference): unknown => {
    const found = known.get(keyOf(ref));
    if (found !== undefined) return found;
    throw new TransferError(
      ref.module === null
        ? `torch.${ref.name} is not there in this thread`
        : `${ref.module} exports nothing of the name ${ref.name}, which importable() says it does`,
    );
  };
  const properties = (target: object, entries: [string, Encoded][]): void => {
    for (const [k, v] of entries) (target as Record<string, unknown>)[k] = read(v);
  };
  const read = (encoded: Encoded): unknown =>
    typeof encoded !== "object" || encoded === null ? encoded : node(encoded as Node);
  /** Containers are made before what is in them, in the order in which they were numbered. */
  const keep = <T>(x: T): T => {
    made.push(x);
    return x;
  };
  function node(n: Node): unknown {
    switch (n.k) {
      case "seen":
        return made[n.id];
      case "raw":
        return keep(n.v);
      case "dtype":
        return keep(dtypeOf(n.name));
      case "float":
        return keep(new PyFloat(n.v));
      case "size":
        return keep(Size.fromArray(n.v));
      case "tensor":
        return keep(tensorFrom(n, bytes));
      case "generator": {
        const generator = keep(new Generator());
        generator.manual_seed(n.seed);
        return generator.set_state(read(n.state) as Tensor), generator;
      }
      case "list": {
        const list = keep([] as unknown[]);
        for (const x of n.v) list.push(read(x));
        return list;
      }
      case "set": {
        const set = keep(new Set<unknown>());
        for (const x of n.v) set.add(read(x));
        return set;
      }
      case "map": {
        const map = keep(new Map<unknown, unknown>());
        for (const [k, v] of n.v) map.set(read(k), read(v));
        return map;
      }
      case "object": {
        const object = keep({});
        properties(object, n.v);
        return object;
      }
      case "name":
        return find(n.ref);
      case "made": {
        const id = made.push(undefined) - 1;
        const by = read(n.by), args = n.args.map(read);
        const object = construct(by, args);
        made[id] = object;
        restore(object, read(n.state));
        return object;
      }
      case "instance": {
        const type = read(n.of) as { prototype: object; __new__?(): object };
        const object = keep(type.__new__?.() ?? Object.create(type.prototype) as object);
        const state = n.state as Node;
        if (typeof (object as Travelling).__setstate__ !== "function" && state.k === "object") {
          properties(object, state.v);
        } else restore(object, read(state));
        return object;
      }
    }
  }
  return read(value);
}

function construct(by: unknown, args: unknown[]): object {
  const f = by as (new (...args: unknown[]) => object) & ((...args: unknown[]) => object);
  return /^class\b/.test(Function.prototype.toString.call(f)) ? new f(...args) : f(...args);
}

function restore(object: Travelling, state: unknown): void {
  if (state === undefined || state === null) return;
  if (typeof object.__setstate__ === "function") object.__setstate__(state);
  else Object.assign(object, state);
}

function tensorFrom(n: Extract<Node, { k: "tensor" }>, bytes: Uint8Array): Tensor {
  const tensor = aten.empty(n.shape, { dtype: dtypeOf(n.dtype) });
  const { storage } = tensor;
  storage.backend.write(
    storage.resident(),
    bytes.subarray(n.at, n.at + tensor.nbytes) as Uint8Array<ArrayBuffer>,
  );
  return n.grad ? tensor.requires_grad_() : tensor;
}

function dtypeOf(name: string): DType {
  return dtypes.find((dtype) => dtype.name === name)!;
}
