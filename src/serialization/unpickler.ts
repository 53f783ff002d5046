/**
 * A pickle machine that can build data and nothing else. A pickle is a program for a stack machine whose GLOBAL and REDUCE
 * instructions may name and call any Python function; here a name means only what the caller's allow-list says, and anything
 * else ends the reading with an error that says what was asked for and where.
 *
 * Opcodes of protocols 2 to 5 are understood as far as data needs them (CPython's Lib/pickle.py and pickletools.py).
 */
import { RuntimeError } from "../base/errors.ts";
import { PyFloat } from "../base/scalar.ts";
import { Op, opcodeName } from "./opcodes.ts";
import { PyDict, PySet, PyTuple, pyTypeName, type PyValue } from "./python_values.ts";

/** What the names and references in a pickle mean. Each may throw an error that says why not. */
export interface UnpickleHooks {
  /** The meaning of a name. */
  findGlobal(module: string, name: string): PyValue;
  /** The result of calling what `findGlobal` gave. */
  call(callable: PyValue, args: readonly PyValue[]): PyValue;
  /** Sets the state of an object that was made before. */
  build(object: PyValue, state: PyValue): void;
  /** What a persistent id stands for. */
  persistentLoad(id: PyValue): PyValue;
  /** What a `str` of Python 2 is, which may be text or bytes; by default it is text. */
  decodeString?(bytes: Uint8Array): PyValue;
}

/** Integers in a checkpoint are counters, sizes and seeds; 1 KiB is far beyond any, and keeps conversion quick. */
const MAX_LONG_BYTES = 1024;

/** The result of reading one pickle from a stream of several. */
export interface Unpickled {
  value: PyValue;
  /** Where the next byte after its STOP is. */
  end: number;
}

/** Reads the pickle that starts at `bytes[start]`. `what` names the file in errors. */
export function unpickle(bytes: Uint8Array, hooks: UnpickleHooks, what: string, start = 0): Unpickled {
  const machine = new Machine(bytes, hooks, start);
  try {
    return machine.run();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new RuntimeError(
      `${what}: ${error.message} (${opcodeName(machine.opcode)} at byte ${machine.opcodeAt} of the pickle)`,
      {
        cause: error,
      },
    );
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

class Machine {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #hooks: UnpickleHooks;
  #at: number;
  #stack: PyValue[] = [];
  readonly #marks: PyValue[][] = [];
  readonly #memo = new Map<number, PyValue>();
  opcode = 0;
  opcodeAt = 0;

  constructor(bytes: Uint8Array, hooks: UnpickleHooks, start: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#hooks = hooks;
    this.#at = start;
  }

  #take(n: number): Uint8Array {
    const end = this.#at + n;
    if (end > this.#bytes.length) {
      throw new RuntimeError(
        `the pickle ends after ${this.#bytes.length} bytes, but ${n} more are needed at ${this.#at}`,
      );
    }
    const part = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return part;
  }
  #u8(): number {
    return this.#take(1)[0]!;
  }
  #u16(): number {
    this.#take(2);
    return this.#view.getUint16(this.#at - 2, true);
  }
  #u32(): number {
    this.#take(4);
    return this.#view.getUint32(this.#at - 4, true);
  }
  /** A 64-bit length; one that is no exact number is certainly longer than the pickle. */
  #u64(): number {
    this.#take(8);
    return Number(this.#view.getBigUint64(this.#at - 8, true));
  }
  #line(): string {
    const end = this.#bytes.indexOf(10, this.#at);
    if (end < 0) throw new RuntimeError("a name does not end");
    const text = this.#text(end - this.#at);
    this.#at++;
    return text;
  }
  #text(n: number): string {
    const part = this.#take(n);
    try {
      return utf8.decode(part);
    } catch {
      return decodeWithSurrogates(part);
    }
  }

  #string(n: number): void {
    const { decodeString } = this.#hooks;
    this.#push(decodeString === undefined ? this.#text(n) : decodeString(this.#take(n)));
  }

  #push(value: PyValue): void {
    this.#stack.push(value);
  }
  #pop(): PyValue {
    const value = this.#stack.pop();
    if (value === undefined) throw new RuntimeError("the pickle's stack is empty");
    return value;
  }
  #top(): PyValue {
    const value = this.#stack[this.#stack.length - 1];
    if (value === undefined) throw new RuntimeError("the pickle's stack is empty");
    return value;
  }
  /** What was pushed since the last MARK. */
  #popMark(): PyValue[] {
    const items = this.#stack, outer = this.#marks.pop();
    if (outer === undefined) throw new RuntimeError("there is no MARK");
    this.#stack = outer;
    return items;
  }
  #tuple(n: number): void {
    if (this.#stack.length < n) throw new RuntimeError("the pickle's stack is empty");
    this.#push(new PyTuple(this.#stack.splice(this.#stack.length - n, n)));
  }

  run(): Unpickled {
    for (;;) {
      this.opcodeAt = this.#at;
      if (this.#at >= this.#bytes.length) throw new RuntimeError("the pickle has no STOP");
      this.opcode = this.#bytes[this.#at++]!;
      if (this.opcode === Op.STOP) {
        const value = this.#pop();
        if (this.#stack.length > 0 || this.#marks.length > 0) {
          throw new RuntimeError("values are left over at the end of the pickle");
        }
        return { value, end: this.#at };
      }
      this.#step(this.opcode);
    }
  }

  #step(op: number): void {
    switch (op) {
      case Op.PROTO: {
        const protocol = this.#u8();
        if (protocol < 2 || protocol > 5) throw new RuntimeError(`unsupported pickle protocol: ${protocol}`);
        return;
      }
      case Op.FRAME: {
        const length = this.#u64();
        if (length > this.#bytes.length - this.#at) {
          throw new RuntimeError(`a frame of ${length} bytes is longer than the pickle`);
        }
        return;
      }
      case Op.NONE:
        return this.#push(null);
      case Op.NEWTRUE:
        return this.#push(true);
      case Op.NEWFALSE:
        return this.#push(false);
      case Op.BININT1:
        return this.#push(this.#u8());
      case Op.BININT2:
        return this.#push(this.#u16());
      case Op.BININT:
        return this.#push(this.#u32() | 0);
      case Op.LONG1:
        return this.#push(decodeLong(this.#take(this.#u8())));
      case Op.LONG4: {
        const length = this.#u32();
        if (length > MAX_LONG_BYTES) throw new RuntimeError(`an integer of ${length} bytes is too large`);
        return this.#push(decodeLong(this.#take(length)));
      }
      case Op.BINFLOAT:
        this.#take(8);
        return this.#push(new PyFloat(this.#view.getFloat64(this.#at - 8, false)));
      case Op.BINUNICODE:
        return this.#push(this.#text(this.#u32()));
      case Op.SHORT_BINUNICODE:
        return this.#push(this.#text(this.#u8()));
      case Op.BINUNICODE8:
        return this.#push(this.#text(this.#u64()));
      case Op.BINSTRING:
        return this.#string(this.#u32());
      case Op.SHORT_BINSTRING:
        return this.#string(this.#u8());
      case Op.BINBYTES:
        return this.#push(this.#take(this.#u32()).slice());
      case Op.SHORT_BINBYTES:
        return this.#push(this.#take(this.#u8()).slice());
      case Op.BINBYTES8:
      case Op.BYTEARRAY8:
        return this.#push(this.#take(this.#u64()).slice());
      case Op.EMPTY_TUPLE:
        return this.#push(new PyTuple([]));
      case Op.TUPLE1:
        return this.#tuple(1);
      case Op.TUPLE2:
        return this.#tuple(2);
      case Op.TUPLE3:
        return this.#tuple(3);
      case Op.TUPLE:
        return this.#push(new PyTuple(this.#popMark()));
      case Op.EMPTY_LIST:
        return this.#push([]);
      case Op.APPEND: {
        const item = this.#pop();
        return this.#append([item]);
      }
      case Op.APPENDS:
        return this.#append(this.#popMark());
      case Op.EMPTY_DICT:
        return this.#push(new PyDict());
      case Op.SETITEM: {
        const value = this.#pop(), key = this.#pop();
        return this.#setItems([key, value]);
      }
      case Op.SETITEMS:
        return this.#setItems(this.#popMark());
      case Op.EMPTY_SET:
        return this.#push(new PySet());
      case Op.ADDITEMS: {
        const items = this.#popMark(), set = this.#top();
        if (!(set instanceof PySet)) {
          throw new RuntimeError(`can only add to a set, but got ${pyTypeName(set)}`);
        }
        for (const item of items) set.add(item);
        return;
      }
      case Op.FROZENSET:
        return this.#push(new PySet(this.#popMark()));
      case Op.MARK:
        this.#marks.push(this.#stack);
        this.#stack = [];
        return;
      case Op.POP:
        this.#pop();
        return;
      case Op.POP_MARK:
        this.#popMark();
        return;
      case Op.DUP:
        return this.#push(this.#top());
      case Op.BINGET:
        return this.#push(this.#recall(this.#u8()));
      case Op.LONG_BINGET:
        return this.#push(this.#recall(this.#u32()));
      case Op.BINPUT:
        this.#memo.set(this.#u8(), this.#top());
        return;
      case Op.LONG_BINPUT:
        this.#memo.set(this.#u32(), this.#top());
        return;
      case Op.MEMOIZE:
        this.#memo.set(this.#memo.size, this.#top());
        return;
      case Op.GLOBAL: {
        const module = this.#line();
        return this.#push(this.#hooks.findGlobal(module, this.#line()));
      }
      case Op.STACK_GLOBAL: {
        const name = this.#pop(), module = this.#pop();
        if (typeof name !== "string" || typeof module !== "string") {
          throw new RuntimeError("a name is not a text");
        }
        return this.#push(this.#hooks.findGlobal(module, name));
      }
      case Op.REDUCE:
      case Op.NEWOBJ: {
        const args = this.#pop(), callable = this.#pop();
        if (!(args instanceof PyTuple)) {
          throw new RuntimeError(`arguments must be a tuple, but got ${pyTypeName(args)}`);
        }
        return this.#push(this.#hooks.call(callable, args.items));
      }
      case Op.BUILD: {
        const state = this.#pop();
        return this.#hooks.build(this.#top(), state);
      }
      case Op.BINPERSID:
        return this.#push(this.#hooks.persistentLoad(this.#pop()));
      default:
        throw new RuntimeError("the pickle uses an instruction that plain data does not need");
    }
  }

  #append(items: PyValue[]): void {
    const list = this.#top();
    if (!Array.isArray(list)) {
      throw new RuntimeError(`can only append to a list, but got ${pyTypeName(list)}`);
    }
    for (const item of items) list.push(item);
  }

  #setItems(items: PyValue[]): void {
    const dict = this.#top();
    if (!(dict instanceof PyDict)) {
      throw new RuntimeError(`can only set items of a dict, but got ${pyTypeName(dict)}`);
    }
    if (items.length % 2 !== 0) throw new RuntimeError("a dict's key has no value");
    for (let i = 0; i < items.length; i += 2) dict.set(items[i]!, items[i + 1]!);
  }

  #recall(index: number): PyValue {
    const value = this.#memo.get(index);
    if (value === undefined) throw new RuntimeError(`memo ${index} was never stored`);
    return value;
  }
}

/** Two's complement, little endian. */
function decodeLong(bytes: Uint8Array): number | bigint {
  if (bytes.length === 0) return 0;
  let text = "0x";
  for (let i = bytes.length - 1; i >= 0; i--) text += bytes[i]!.toString(16).padStart(2, "0");
  const value = BigInt.asIntN(bytes.length * 8, BigInt(text));
  return -BigInt(Number.MAX_SAFE_INTEGER) <= value && value <= BigInt(Number.MAX_SAFE_INTEGER)
    ? Number(value)
    : value;
}

/**
 * UTF-8 in which half a surrogate pair stands alone, as Python's "surrogatepass" writes it (ED A0..BF xx): JavaScript's
 * strings can hold it, its decoder refuses it. Anything else that is no UTF-8 is an error.
 */
function decodeWithSurrogates(bytes: Uint8Array): string {
  let text = "", from = 0;
  const flush = (to: number): void => {
    try {
      text += utf8.decode(bytes.subarray(from, to));
    } catch {
      throw new RuntimeError("a text is not UTF-8");
    }
  };
  for (let i = 0; i + 2 < bytes.length; i++) {
    if (bytes[i] !== 0xed || bytes[i + 1]! < 0xa0 || (bytes[i + 2]! & 0xc0) !== 0x80) continue;
    flush(i);
    text += String.fromCharCode(0xd000 | ((bytes[i + 1]! & 0x3f) << 6) | (bytes[i + 2]! & 0x3f));
    from = i + 3;
    i += 2;
  }
  flush(bytes.length);
  return text;
}
