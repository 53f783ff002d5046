/**
 * Runs a kernel of the device library and of the C core on the same argument struct and compares every byte that either
 * could have written. The device library is the host build, so "device" memory is memory of this process and the core
 * may be handed the same kind of addresses.
 */

import { type KernelName, KERNELS, SLOT, type StructName, STRUCTS } from "../../../src/_gen/kernels.ts";
import { NativeError, type NativeLibrary, type NativeRuntime } from "../../../ffi/mod.ts";

/** Codes of core/include/tc.h. */
export const U8 = 0,
  I8 = 1,
  I16 = 2,
  I32 = 3,
  I64 = 4,
  F16 = 5,
  F32 = 6,
  F64 = 7,
  C64 = 9,
  BOOL = 11,
  BF16 = 12;

export const SIZE: Readonly<Record<number, number>> = {
  [U8]: 1,
  [I8]: 1,
  [I16]: 2,
  [I32]: 4,
  [I64]: 8,
  [F16]: 2,
  [F32]: 4,
  [F64]: 8,
  [C64]: 8,
  [BOOL]: 1,
  [BF16]: 2,
};
export const FLOATS = [F32, F64, F16, BF16];
export const INTEGERS = [U8, I8, I16, I32, I64];
export const REALS = [...FLOATS, ...INTEGERS, BOOL];

/** A small generator with good bits (Steele and Vigna, splitmix32 variant), so that every failure repeats. */
export class Random {
  #state: number;
  constructor(seed: number) {
    this.#state = seed | 0;
  }
  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) / 4294967296;
  }
  /** An integer in [low, high]. */
  int(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }
  pick<T>(values: readonly T[]): T {
    return values[this.int(0, values.length - 1)]!;
  }
  chance(p: number): boolean {
    return this.next() < p;
  }
}

const f32 = new Float32Array(1);
const u32 = new Uint32Array(f32.buffer);

function halfToNumber(h: number): number {
  const sign = h & 0x8000 ? -1 : 1, exponent = (h >> 10) & 31, fraction = h & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
function numberToHalf(x: number): number {
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0, a = Math.abs(x);
  if (Number.isNaN(x)) return 0x7e00;
  if (a >= 65520) return sign | 0x7c00;
  const exponent = Math.max(-14, Math.floor(Math.log2(a || 2 ** -30))), step = 2 ** (exponent - 10);
  const scaled = a / step, low = Math.floor(scaled), rest = scaled - low;
  const units = low + (rest > 0.5 || (rest === 0.5 && (low & 1) === 1) ? 1 : 0);
  return sign | (exponent === -14 ? units : ((exponent + 15) << 10) + units - 1024);
}
function numberToBfloat(x: number): number {
  if (Number.isNaN(x)) return 0x7fc0;
  f32[0] = x;
  return (u32[0]! + 0x7fff + ((u32[0]! >>> 16) & 1)) >>> 16;
}

/** Element i of raw bytes. */
export function getElement(view: DataView, dtype: number, i: number): number {
  const at = i * SIZE[dtype]!;
  switch (dtype) {
    case U8:
    case BOOL:
      return view.getUint8(at);
    case I8:
      return view.getInt8(at);
    case I16:
      return view.getInt16(at, true);
    case I32:
      return view.getInt32(at, true);
    case I64:
      return Number(view.getBigInt64(at, true));
    case F16:
      return halfToNumber(view.getUint16(at, true));
    case F32:
      return view.getFloat32(at, true);
    case F64:
      return view.getFloat64(at, true);
    case BF16:
      u32[0] = view.getUint16(at, true) << 16;
      return f32[0]!;
    default:
      throw new Error(`no element of dtype ${dtype}`);
  }
}
export function setElement(view: DataView, dtype: number, i: number, x: number): void {
  const at = i * SIZE[dtype]!;
  switch (dtype) {
    case U8:
      return view.setUint8(at, x);
    case BOOL:
      return view.setUint8(at, x !== 0 ? 1 : 0);
    case I8:
      return view.setInt8(at, x);
    case I16:
      return view.setInt16(at, x, true);
    case I32:
      return view.setInt32(at, x, true);
    case I64:
      return view.setBigInt64(at, BigInt(Math.trunc(x)), true);
    case F16:
      return view.setUint16(at, numberToHalf(x), true);
    case F32:
      return view.setFloat32(at, x, true);
    case F64:
      return view.setFloat64(at, x, true);
    case BF16:
      return view.setUint16(at, numberToBfloat(x), true);
    default:
      throw new Error(`no element of dtype ${dtype}`);
  }
}

/** Memory that a kernel reads or writes: both libraries get their own copy of it. */
export class Buffer {
  readonly dtype: number;
  readonly bytes: Uint8Array;
  /** Relative tolerance of the comparison; 0: bits must agree. */
  tolerance: number;
  /** Added to `tolerance * |expected|`. */
  absolute = 0;
  constructor(dtype: number, length: number, fill: (i: number) => number, tolerance = 0) {
    this.dtype = dtype;
    this.tolerance = tolerance;
    this.bytes = new Uint8Array(Math.max(1, length) * SIZE[dtype]!);
    const view = new DataView(this.bytes.buffer);
    for (let i = 0; i < length; i++) setElement(view, dtype, i, fill(i));
  }
  get length(): number {
    return this.bytes.length / SIZE[this.dtype]!;
  }
  toArray(bytes: Uint8Array = this.bytes): number[] {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    return Array.from({ length: this.length }, (_, i) => getElement(view, this.dtype, i));
  }
  /** The address of an element, for a field. */
  at(element: number): Place {
    return { buffer: this, element };
  }
}
export interface Place {
  readonly buffer: Buffer;
  readonly element: number;
}

/** An array of structs in the device's memory, for a field that points to one. */
export interface Structs {
  readonly struct: StructName;
  readonly rows: readonly Fields[];
}

type Value = number | bigint | Buffer | Place;
export type Fields = { readonly [name: string]: Value | readonly Value[] | Structs };

export interface Case {
  readonly kernel: KernelName;
  readonly fields: Fields;
  /** What to print if it fails. */
  readonly label: string;
}

function isPlace(value: unknown): value is Place {
  return typeof value === "object" && value !== null && "buffer" in value;
}
function isStructs(value: unknown): value is Structs {
  return typeof value === "object" && value !== null && "rows" in value;
}

function collect(fields: Fields, into: Set<Buffer>): void {
  for (const value of Object.values(fields)) {
    if (isStructs(value)) { for (const row of value.rows) collect(row, into); }
    else {
      for (const one of Array.isArray(value) ? value as readonly Value[] : [value as Value]) {
        if (one instanceof Buffer) into.add(one);
        else if (isPlace(one)) into.add(one.buffer);
      }
    }
  }
}

/** Writes structs for one library. */
class Writer {
  readonly #address: (buffer: Buffer) => number;
  readonly #place: (structs: Uint8Array) => number;
  /** `place` brings an array of structs to where the kernel reads it, and returns its address there. */
  constructor(address: (buffer: Buffer) => number, place: (structs: Uint8Array) => number) {
    this.#address = address;
    this.#place = place;
  }

  write(struct: StructName, rows: readonly Fields[]): Uint8Array {
    const bytes = new Uint8Array(STRUCTS[struct].slots * 8 * rows.length);
    const i64 = new BigInt64Array(bytes.buffer), f64 = new Float64Array(bytes.buffer);
    const slots = SLOT[struct] as Record<string, number>;
    const kinds = new Map(
      STRUCTS[struct].fields.split(" ").map((f) => f.split(/[:[]/).slice(0, 2) as [string, string]),
    );
    rows.forEach((fields, row) => {
      for (const [name, value] of Object.entries(fields)) {
        const slot = slots[name];
        if (slot === undefined) throw new Error(`${struct} has no field ${name}`);
        const first = row * STRUCTS[struct].slots + slot;
        if (isStructs(value)) {
          i64[first] = BigInt(this.#place(this.write(value.struct, value.rows)));
          continue;
        }
        (Array.isArray(value) ? value as readonly Value[] : [value as Value]).forEach((one, k) => {
          if (one instanceof Buffer) i64[first + k] = BigInt(this.#address(one));
          else if (isPlace(one)) {
            i64[first + k] = BigInt(this.#address(one.buffer) + one.element * SIZE[one.buffer.dtype]!);
          } else if (typeof one === "bigint") i64[first + k] = one;
          else if (kinds.get(name) === "f64" || (kinds.get(name) === "number" && !Number.isInteger(one))) {
            f64[first + k] = one;
          } else i64[first + k] = BigInt(one);
        });
      }
    });
    return bytes;
  }
}

/** A double for a field that may be a double or an integer. */
export function double(x: number): bigint {
  const bits = new Float64Array([x]);
  return new BigInt64Array(bits.buffer)[0]!;
}

export interface Outcome {
  readonly status: number;
  readonly info: readonly number[];
  readonly text: string;
  readonly buffers: Map<Buffer, Uint8Array>;
  /** What native code had addresses of; here so that it is not collected during the call. */
  readonly kept: readonly unknown[];
}

/** The two libraries under comparison. */
export interface Libraries {
  readonly device: NativeRuntime;
  readonly core: NativeLibrary;
}

/** Runs a case on the device library. */
export function runOnDevice(device: NativeRuntime, c: Case): Outcome {
  const used = new Set<Buffer>();
  collect(c.fields, used);
  const addresses = new Map<Buffer, number>();
  for (const buffer of used) {
    const address = device.malloc(buffer.bytes.length);
    addresses.set(buffer, address);
    device.copyToDevice(address, buffer.bytes);
  }
  const library = device.library;
  const tables: number[] = [];
  const writer = new Writer((buffer) => addresses.get(buffer)!, (structs) => {
    tables.push(device.malloc(structs.length));
    device.copyToDevice(tables.at(-1)!, structs);
    return tables.at(-1)!;
  });
  const struct = KERNELS[c.kernel].args;
  const args = writer.write(struct, [c.fields]);
  let scratch = 0;
  if (device.kernels.get(c.kernel)?.scratch) {
    const bytes = library.sizeFunction(`${c.kernel}_scratch`)!(args);
    if (bytes > 0) {
      scratch = device.malloc(bytes);
      new BigInt64Array(args.buffer)[0] = BigInt(scratch);
    }
  }
  const run = library.statusFunction(c.kernel);
  if (run === undefined) throw new Error(`the device library has no ${c.kernel}`);
  let status = run(args);
  args.fill(0xff); // the struct may be reused as soon as the call returns
  let failure = status === 0 ? null : device.failure();
  const buffers = new Map<Buffer, Uint8Array>();
  try {
    device.synchronize();
  } catch (error) {
    if (!(error instanceof NativeError)) throw error;
    status = error.status;
    failure = error;
  }
  for (const [buffer, address] of addresses) {
    const bytes = new Uint8Array(buffer.bytes.length);
    device.copyFromDevice(bytes, address);
    buffers.set(buffer, bytes);
    device.free(address);
  }
  for (const address of scratch === 0 ? tables : [scratch, ...tables]) device.free(address);
  return { status, info: failure?.info ?? [0, 0, 0, 0], text: failure?.text ?? "", buffers, kept: [] };
}

/** Runs a case on the C core. */
export function runOnCore(core: NativeLibrary, c: Case): Outcome {
  const used = new Set<Buffer>();
  collect(c.fields, used);
  const copies = new Map<Buffer, Uint8Array>([...used].map((buffer) => [buffer, buffer.bytes.slice()]));
  const tables: Uint8Array[] = [];
  const writer = new Writer((buffer) => core.address(copies.get(buffer)!), (structs) => {
    tables.push(structs);
    return core.address(structs);
  });
  const args = writer.write(KERNELS[c.kernel].args, [c.fields]);
  let scratch: Uint8Array | null = null;
  if (KERNELS[c.kernel].scratch) {
    const bytes = core.sizeFunction(`${c.kernel}_scratch`)!(args);
    if (bytes > 0) {
      scratch = new Uint8Array(bytes + 64);
      new BigInt64Array(args.buffer)[0] = BigInt(Math.ceil(core.address(scratch) / 64) * 64);
    }
  }
  const run = core.statusFunction(c.kernel);
  if (run === undefined) throw new Error(`the core has no ${c.kernel}`);
  const status = run(args);
  return { status, info: [], text: "", buffers: copies, kept: [scratch, ...tables] };
}

function close(a: number, b: number, buffer: Buffer): boolean {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true;
  return Math.abs(a - b) <= buffer.tolerance * Math.max(Math.abs(a), Math.abs(b)) + buffer.absolute;
}

/** Throws if the device library and the core do not agree. */
export function compare({ device, core }: Libraries, c: Case): void {
  const got = runOnDevice(device, c), wanted = runOnCore(core, c);
  if (got.status !== wanted.status) {
    throw new Error(
      `${c.kernel} ${c.label}: status ${got.status} (${got.text}), the core's is ${wanted.status}`,
    );
  }
  if (got.status !== 0) return;
  for (const [buffer, bytes] of got.buffers) {
    const a = buffer.toArray(bytes), b = buffer.toArray(wanted.buffers.get(buffer)!);
    for (let i = 0; i < a.length; i++) {
      if (close(a[i]!, b[i]!, buffer)) continue;
      throw new Error(`${c.kernel} ${c.label}: element ${i} of ${a.length} is ${a[i]}, the core has ${b[i]}`);
    }
  }
}

/** A named test of the suite; throws if it fails. */
export interface Check {
  readonly name: string;
  run(libraries: Libraries): void;
}

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}
export function assertEquals(got: unknown, wanted: unknown, what: string): void {
  const [a, b] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${what}: got ${a}, wanted ${b}`);
}
/** The error that `f` throws. */
export function caught(f: () => unknown): NativeError {
  try {
    f();
  } catch (error) {
    if (error instanceof NativeError) return error;
    throw error;
  }
  throw new Error("expected a NativeError, but nothing was thrown");
}
