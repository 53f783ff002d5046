/**
 * From JavaScript's values to Python's, one level at a time (the pickler asks for the parts as it reaches them).
 *
 * | JavaScript | Python |
 * | --- | --- |
 * | null, undefined, boolean, string | None, None, bool, str |
 * | whole number, bigint | int |
 * | other number, `torch.pyfloat(2)` | float |
 * | Array | list (tuple if it was loaded as one) |
 * | plain object | dict |
 * | Map | OrderedDict (dict if it was loaded as one) |
 * | Set | set |
 * | Uint8Array | bytes |
 * | tensor, Parameter, torch.Size, dtype, device | the same |
 */
import { Device } from "../base/device.ts";
import { DType } from "../base/dtype.ts";
import { Complex, PyFloat } from "../base/scalar.ts";
import { Size } from "../base/size.ts";
import { findNote, wasFloat } from "./notes.ts";
import { PyGlobal, PyPersistent, PyReduce, PyTuple, type PyValue } from "./python_values.ts";

/** A dict whose items are translated as the pickler comes to them. */
export class LazyDict {
  readonly items: () => Iterable<readonly [unknown, unknown]>;
  constructor(items: () => Iterable<readonly [unknown, unknown]>) {
    this.items = items;
  }
}

/** What the pickler writes for a value; parts of containers are still JavaScript's. */
export type PyShape = PyValue | LazyDict;

/** A number as Python has it: what has a fraction, is no exact integer, or was loaded as a float, is a float. */
function pyNumber(value: number): number | PyFloat {
  return Number.isSafeInteger(value) && !Object.is(value, -0) ? value : new PyFloat(value);
}

/** The items of a container, whole numbers marked where they were floats. */
function marked(container: object, key: unknown, value: unknown): unknown {
  return typeof value === "number" && wasFloat(container, key, value) ? new PyFloat(value) : value;
}

function* items(
  container: object,
  entries: Iterable<readonly [unknown, unknown]>,
): Iterable<readonly [unknown, unknown]> {
  for (const [key, value] of entries) yield [key, marked(container, key, value)];
}

const ORDERED_DICT = new PyGlobal("collections", "OrderedDict");
const BUILTIN_SET = new PyGlobal("__builtin__", "set");
const ENCODE = new PyGlobal("_codecs", "encode");
const COMPLEX = new PyGlobal("__builtin__", "complex");
const SIZE = new PyGlobal("torch", "Size");
const DEVICE = new PyGlobal("torch", "device");

/** An empty OrderedDict: what stands for a tensor's backward hooks. */
export function emptyOrderedDict(): PyReduce {
  return new PyReduce(ORDERED_DICT, new PyTuple([]));
}

/**
 * The Python value for `value`. `reduceObject` is asked about instances of classes that are not known here (tensors) and
 * gives undefined for those that cannot be saved.
 */
export function fromJs(
  value: unknown,
  reduceObject: (object: object) => PyValue | undefined,
  path: () => string,
): PyShape {
  switch (typeof value) {
    case "undefined":
      return null;
    case "boolean":
    case "string":
    case "bigint":
      return value;
    case "number":
      return pyNumber(value);
    case "object":
      return value === null ? null : fromObject(value, reduceObject, path);
    default: {
      // A module is callable: it may be a function with a prototype of its own.
      const made = typeof value === "function" ? reduceObject(value) : undefined;
      if (made !== undefined) return made;
      throw new TypeError(
        `torch.save(): ${path()} is a ${typeof value}, which a file cannot hold; save data, such as a module's state_dict()`,
      );
    }
  }
}

function fromObject(
  value: object,
  reduceObject: (object: object) => PyValue | undefined,
  path: () => string,
): PyShape {
  if (value instanceof PyFloat || value instanceof PyTuple || value instanceof PyGlobal) return value;
  if (value instanceof PyReduce || value instanceof PyPersistent) return value;
  if (value instanceof Size) return new PyReduce(SIZE, new PyTuple([new PyTuple([...value])]));
  if (Array.isArray(value)) {
    const parts = value.map((item: unknown, i) => marked(value, i, item)) as PyValue[];
    return findNote(value)?.tuple ? new PyTuple(parts) : parts;
  }
  if (value instanceof Map) {
    const entries = items(value, value as Map<unknown, unknown>);
    if (findNote(value)?.dict) return new LazyDict(() => entries);
    const metadata = (value as { _metadata?: object })._metadata;
    return new PyReduce(
      ORDERED_DICT,
      new PyTuple([]),
      entries as Iterable<[PyValue, PyValue]>,
      metadata === undefined ? undefined : { _metadata: metadata },
    );
  }
  if (value instanceof Set) return new PyReduce(BUILTIN_SET, new PyTuple([[...value] as PyValue[]]));
  if (value instanceof DType) return new PyGlobal("torch", value.name);
  if (value instanceof Device) {
    return new PyReduce(DEVICE, new PyTuple(value.index === null ? [value.type] : [value.type, value.index]));
  }
  if (value instanceof Complex) {
    return new PyReduce(COMPLEX, new PyTuple([new PyFloat(value.re), new PyFloat(value.im)]));
  }
  if (value instanceof Uint8Array) {
    let text = "";
    for (const byte of value) text += String.fromCharCode(byte);
    return new PyReduce(ENCODE, new PyTuple([text, "latin1"]));
  }
  const made = reduceObject(value);
  if (made !== undefined) return made;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) {
    return new LazyDict(() => items(value, Object.entries(value)));
  }
  const name = value.constructor?.name ?? "object";
  const advice = ArrayBuffer.isView(value)
    ? "make a tensor of it (torch.tensor)"
    : "save data, such as a module's state_dict()";
  throw new TypeError(`torch.save(): ${path()} is a ${name}, which a file cannot hold; ${advice}`);
}
