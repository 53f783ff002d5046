/**
 * Writes pickles of protocol 2, the one PyTorch uses, with the same instructions in the same order as CPython's pickler
 * (Lib/pickle.py), so that equal values give equal bytes.
 */
import { RuntimeError } from "../base/errors.ts";
import { PyFloat } from "../base/scalar.ts";
import { fromJs, LazyDict, type PyShape } from "./from_js.ts";
import { Op } from "./opcodes.ts";
import { PyGlobal, PyPersistent, PyReduce, PyTuple, type PyValue } from "./python_values.ts";

/** CPython's _BATCHSIZE: so many items per APPENDS or SETITEMS. */
const BATCH = 1000;
const MAX_DEPTH = 1000;

/** A growing run of bytes. */
class ByteBuffer {
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  #room(n: number): number {
    const at = this.#length;
    this.#length += n;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }
  u8(...values: number[]): void {
    const at = this.#room(values.length);
    for (let i = 0; i < values.length; i++) this.#bytes[at + i] = values[i]!;
  }
  // The room is made first: it may replace the buffer.
  u16(value: number): void {
    const at = this.#room(2);
    this.#view.setUint16(at, value, true);
  }
  u32(value: number): void {
    const at = this.#room(4);
    this.#view.setUint32(at, value, true);
  }
  f64BigEndian(value: number): void {
    const at = this.#room(8);
    this.#view.setFloat64(at, value, false);
  }
  bytes(bytes: Uint8Array): void {
    const at = this.#room(bytes.length);
    this.#bytes.set(bytes, at);
  }
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
}

/** Translates instances that `from_js.ts` does not know (tensors); undefined: it cannot be saved. */
export type ReduceObject = (object: object) => PyValue | undefined;

/** The pickle of a value. */
export function pickle(value: unknown, reduceObject: ReduceObject = () => undefined): Uint8Array {
  return new Pickler(reduceObject).dump(value);
}

class Pickler {
  readonly #out = new ByteBuffer();
  readonly #reduceObject: ReduceObject;
  /** Objects by identity, texts by value. */
  readonly #memo = new Map<unknown, number>();
  readonly #globals = new Map<string, number>();
  #memoSize = 0;
  readonly #path: string[] = [];

  constructor(reduceObject: ReduceObject) {
    this.#reduceObject = reduceObject;
  }

  dump(value: unknown): Uint8Array {
    this.#out.u8(Op.PROTO, 2);
    this.#save(value, "the value");
    this.#out.u8(Op.STOP);
    return this.#out.finish();
  }

  /** Saves a part; `step` says where it is in its container. */
  #save(value: unknown, step: string): void {
    this.#path.push(step);
    if (this.#path.length > MAX_DEPTH) {
      throw new RuntimeError(`torch.save(): values are nested more than ${MAX_DEPTH} deep`);
    }
    const index = this.#memo.get(value);
    if (index !== undefined) this.#recall(index);
    else this.#write(value, fromJs(value, this.#reduceObject, () => this.#path.join("")));
    this.#path.pop();
  }

  /** Writes a reference to what was written before. */
  #recall(index: number): void {
    if (index < 256) this.#out.u8(Op.BINGET, index);
    else {
      this.#out.u8(Op.LONG_BINGET);
      this.#out.u32(index);
    }
  }

  #memoize<K>(key: K, memo: Map<K, number> = this.#memo as Map<K, number>): void {
    const index = this.#memoSize++;
    memo.set(key, index);
    if (index < 256) this.#out.u8(Op.BINPUT, index);
    else {
      this.#out.u8(Op.LONG_BINPUT);
      this.#out.u32(index);
    }
  }

  /** Writes `shape`, the Python form of `key`. */
  #write(key: unknown, shape: PyShape): void {
    if (shape === null) this.#out.u8(Op.NONE);
    else if (typeof shape === "boolean") this.#out.u8(shape ? Op.NEWTRUE : Op.NEWFALSE);
    else if (typeof shape === "number" || typeof shape === "bigint") this.#integer(shape);
    else if (typeof shape === "string") this.#text(shape);
    else if (shape instanceof PyFloat) {
      this.#out.u8(Op.BINFLOAT);
      this.#out.f64BigEndian(shape.value);
    } else if (shape instanceof PyTuple) this.#tuple(key, shape);
    else if (shape instanceof PyGlobal) this.#global(shape);
    else if (shape instanceof PyReduce) this.#reduce(key, shape);
    else if (shape instanceof PyPersistent) {
      this.#save(shape.id, "");
      this.#out.u8(Op.BINPERSID);
    } else if (shape instanceof LazyDict) {
      this.#out.u8(Op.EMPTY_DICT);
      this.#memoize(key);
      this.#items(shape.items());
    } else if (Array.isArray(shape)) {
      this.#out.u8(Op.EMPTY_LIST);
      this.#memoize(key);
      this.#batches(shape, Op.APPEND, Op.APPENDS, (item, i) => this.#save(item, `[${i}]`));
    } else throw new RuntimeError("torch.save(): an object was not translated"); // fromJs gives nothing else
  }

  #integer(value: number | bigint): void {
    if (value >= 0 && value < 256) this.#out.u8(Op.BININT1, Number(value));
    else if (value >= 0 && value < 65536) {
      this.#out.u8(Op.BININT2);
      this.#out.u16(Number(value));
    } else if (value >= -(2 ** 31) && value < 2 ** 31) {
      this.#out.u8(Op.BININT);
      this.#out.u32(Number(value) >>> 0);
    } else this.#long(BigInt(value));
  }

  /** The shortest two's complement, little endian. */
  #long(value: bigint): void {
    const bytes: number[] = [];
    for (let rest = value;; rest >>= 8n) {
      bytes.push(Number(rest & 255n));
      const sign = bytes[bytes.length - 1]! & 128;
      if ((rest >> 8n) === (sign ? -1n : 0n)) break;
    }
    if (bytes.length < 256) this.#out.u8(Op.LONG1, bytes.length);
    else {
      this.#out.u8(Op.LONG4);
      this.#out.u32(bytes.length);
    }
    this.#out.bytes(Uint8Array.from(bytes));
  }

  #text(text: string): void {
    const bytes = encodeText(text);
    this.#out.u8(Op.BINUNICODE);
    this.#out.u32(bytes.length);
    this.#out.bytes(bytes);
    this.#memoize(text);
  }

  #tuple(key: unknown, tuple: PyTuple): void {
    const { items } = tuple;
    if (items.length === 0) return this.#out.u8(Op.EMPTY_TUPLE);
    if (items.length > 3) this.#out.u8(Op.MARK);
    items.forEach((item, i) => this.#save(item, `[${i}]`));
    this.#out.u8(items.length > 3 ? Op.TUPLE : [Op.TUPLE1, Op.TUPLE2, Op.TUPLE3][items.length - 1]!);
    this.#memoize(key);
  }

  #global(global: PyGlobal): void {
    const name = `${global.module}\n${global.name}\n`, index = this.#globals.get(name);
    if (index !== undefined) return this.#recall(index);
    this.#out.u8(Op.GLOBAL);
    this.#out.bytes(new TextEncoder().encode(name));
    this.#memoize(name, this.#globals);
  }

  #reduce(key: unknown, reduce: PyReduce): void {
    this.#global(reduce.callable);
    this.#save(reduce.args, "");
    this.#out.u8(Op.REDUCE);
    this.#memoize(key);
    if (reduce.items !== undefined) this.#items(reduce.items);
    if (reduce.state !== undefined) {
      this.#save(reduce.state, "");
      this.#out.u8(Op.BUILD);
    }
  }

  #items(items: Iterable<readonly [unknown, unknown]>): void {
    this.#batches([...items], Op.SETITEM, Op.SETITEMS, ([key, value]) => {
      this.#save(key, ` key`);
      this.#save(value, typeof key === "string" ? `.${key}` : `.get(${String(key)})`);
    });
  }

  #batches<T>(items: readonly T[], one: number, many: number, save: (item: T, index: number) => void): void {
    for (let i = 0; i < items.length; i += BATCH) {
      const end = Math.min(i + BATCH, items.length), single = end - i === 1;
      if (!single) this.#out.u8(Op.MARK);
      for (let k = i; k < end; k++) save(items[k]!, k);
      this.#out.u8(single ? one : many);
    }
  }
}

/** UTF-8, with half a surrogate pair written as Python's "surrogatepass" does. */
function encodeText(text: string): Uint8Array {
  if (text.isWellFormed?.() ?? !/\p{Surrogate}/u.test(text)) return new TextEncoder().encode(text);
  const bytes: number[] = [];
  for (const c of text) {
    const code = c.codePointAt(0)!;
    if (code < 0xd800 || code > 0xdfff) bytes.push(...new TextEncoder().encode(c));
    else bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
  }
  return Uint8Array.from(bytes);
}
