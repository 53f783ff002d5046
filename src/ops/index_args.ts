/**
 * What stands between the brackets of Python's `x[...]`: integers, slices, None, Ellipsis, booleans, masks, index
 * tensors and nested lists, read as PyTorch reads them (torch/csrc/autograd/python_variable_indexing.cpp).
 *
 * @module
 */
import { bool, int64, Kind, uint8 } from "../base/dtype.ts";
import { IndexError, RuntimeError, ValueError } from "../base/errors.ts";
import { emptyTensor } from "../dispatch/iterator.ts";
import { pythonType } from "../dispatch/schema.ts";
import { Tensor } from "../tensor.ts";

/** A bound of a slice. */
export type SliceBound = number | bigint | Tensor | null | undefined;

/** Python's `start:stop:step`. Made by {@linkcode Slice}. */
export class SliceIndex {
  readonly start: SliceBound;
  readonly stop: SliceBound;
  readonly step: SliceBound;
  constructor(start: SliceBound, stop: SliceBound, step: SliceBound) {
    this.start = start;
    this.stop = stop;
    this.step = step;
  }
  toString(): string {
    const text = (x: SliceBound): string => x === null || x === undefined ? "" : String(x);
    const step = this.step === null || this.step === undefined ? "" : `:${text(this.step)}`;
    return `${text(this.start)}:${text(this.stop)}${step}`;
  }
}

/** `Slice(start, stop, step)`: the elements start, start + step, ... before stop; null leaves a bound open. */
export function Slice(
  start: SliceBound = null,
  stop: SliceBound = null,
  step: SliceBound = null,
): SliceIndex {
  return new SliceIndex(start, stop, step);
}

/** All dimensions that no other index names: `x.index(Ellipsis, 0)`, the same as `"..."`. */
export const Ellipsis = "...";

/** Nested arrays of integers, booleans or 0-dim tensors. */
export type NestedIndex = readonly (number | bigint | boolean | Tensor | NestedIndex)[];

/** One index. Text may be a slice (`"1:3"`, `"::2"`), `"..."`, `"None"`, an integer, or several of them with commas. */
export type Index =
  | number
  | bigint
  | boolean
  | null
  | string
  | SliceIndex
  | Tensor
  | NestedIndex
  | TypedIndex;

type TypedIndex = Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | BigInt64Array;

const isTyped = (x: unknown): x is TypedIndex => ArrayBuffer.isView(x) && !(x instanceof DataView);

function invalid(x: unknown): IndexError {
  return new IndexError(
    "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices (got " +
      `${pythonType(x)})`,
  );
}

/** A mask counts as many dimensions as it has. */
function isMask(t: Tensor): boolean {
  return t.dtype === bool || t.dtype === uint8;
}

const SLICE_TEXT = /^(-?\d+)?\s*:\s*(-?\d+)?\s*(?::\s*(-?\d+)?)?$/;

/** One piece of an index text. */
function parseText(text: string): Index {
  if (text === "...") return text;
  if (text === "None") return null;
  if (/^-?\d+$/.test(text)) return Number(text);
  const m = SLICE_TEXT.exec(text);
  if (m === null) throw new TypeError(`index(): '${text}' is neither a slice such as '1:3' nor '...'`);
  const [start, stop, step] = [m[1], m[2], m[3]].map((s) => (s === undefined ? null : Number(s)));
  return new SliceIndex(start, stop, step);
}

/** May a list stand for a tuple? NumPy's heuristic: only if it holds something that is no number. */
function isTuple(list: readonly unknown[]): boolean {
  if (list.length >= 32) return false;
  return list.some((x) =>
    x === null || typeof x === "string" || x instanceof Tensor || x instanceof SliceIndex ||
    Array.isArray(x) || isTyped(x)
  );
}

/** The indices of `x[...]` one by one. */
export function indexItems(given: readonly unknown[]): unknown[] {
  const only = given.length === 1 ? given[0] : undefined;
  const items = Array.isArray(only) && isTuple(only) ? only : given;
  return items.flatMap((x) =>
    typeof x === "string" ? x.split(",").map((piece) => parseText(piece.trim())) : [x]
  );
}

/** The shape of nested arrays; PyTorch's error if they are ragged. */
function nestedSizes(list: readonly unknown[]): number[] {
  const sizes: number[] = [];
  for (let x: unknown = list; Array.isArray(x); x = x[0]) {
    sizes.push(x.length);
    if (x.length === 0) break;
  }
  return sizes;
}

function collect(
  x: unknown,
  sizes: readonly number[],
  depth: number,
  out: (number | bigint | boolean)[],
): void {
  if (Array.isArray(x) && depth < sizes.length) {
    if (x.length !== sizes[depth]) {
      throw new ValueError(`expected sequence of length ${sizes[depth]} at dim ${depth} (got ${x.length})`);
    }
    for (const y of x) collect(y, sizes, depth + 1, out);
    return;
  }
  if (depth < sizes.length) throw new TypeError("not a sequence");
  const value = x instanceof Tensor && x.count === 1 ? x.item() : x;
  if (typeof value !== "number" && typeof value !== "bigint" && typeof value !== "boolean") {
    throw new TypeError(`an index list may hold integers and booleans, but got ${pythonType(value)}`);
  }
  out.push(value);
}

/** Nested arrays as an index tensor: a mask if all are booleans, else int64. */
function tensorOf(list: readonly unknown[] | TypedIndex, like: Tensor): Tensor {
  const array = isTyped(list) ? Array.from(list as ArrayLike<number | bigint>) : list;
  const sizes = nestedSizes(array);
  const values: (number | bigint | boolean)[] = [];
  collect(array, sizes, 0, values);
  const mask = values.length > 0 && values.every((v) => typeof v === "boolean");
  const backend = like.storage.backend;
  const t = emptyTensor(sizes, mask ? bool : int64, backend);
  if (values.length > 0 && backend.hasData) {
    const data = mask
      ? Uint8Array.from(values, (v) => v ? 1 : 0)
      : BigInt64Array.from(values, (v) => BigInt(typeof v === "number" ? Math.trunc(v) : v));
    backend.write(t.storage.resident(), new Uint8Array(data.buffer));
  }
  return t;
}

/** An integer index or bound as a number. */
function integer(x: unknown): number {
  if (x instanceof Tensor) return integer(x.item());
  if (typeof x === "bigint") {
    if (x < -(1n << 63n) || x >= 1n << 63n) throw new RuntimeError("Overflow when unpacking long");
    return Number(x);
  }
  if (typeof x !== "number" || !Number.isInteger(x)) throw invalid(x);
  return x;
}

function applySelect(t: Tensor, dim: number, index: number, position: number): Tensor {
  if (t.sizes.length === 0 && index === 0) {
    throw new IndexError(
      "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ to convert a 0-dim tensor to a number",
    );
  }
  const size = t.sizes[dim] ?? 0;
  if (index < -size || index >= size) {
    throw new IndexError(`index ${index} is out of bounds for dimension ${position} with size ${size}`);
  }
  return t.select(dim, index);
}

function applySlice(t: Tensor, dim: number, s: SliceIndex): Tensor {
  const bound = (x: SliceBound): number | null => x === null || x === undefined ? null : integer(x);
  const start = bound(s.start), stop = bound(s.stop), step = bound(s.step) ?? 1;
  if (step === 0) throw new ValueError("slice step cannot be zero");
  if (step < 0) throw new ValueError("step must be greater than zero");
  if (t.sizes.length === 0) throw new IndexError("slice() cannot be applied to a 0-dim tensor.");
  const size = t.sizes[dim]!;
  if ((start === null || start === 0) && (stop === null || stop === size) && step === 1) return t;
  return t.slice(dim, start, stop, step);
}

/** A boolean selects all or nothing of a new dimension. */
function boolIndex(on: boolean, like: Tensor): Tensor {
  return like.new_zeros([on ? 1 : 0], { dtype: int64 });
}

/** What basic indices leave: a view, and the index tensors of its dimensions (null where there is none). */
export interface Resolved {
  readonly view: Tensor;
  readonly tensors: (Tensor | null)[];
}

/** Applies integers, slices, None and Ellipsis, and collects tensors, masks and lists for advanced indexing. */
export function resolveIndex(self: Tensor, given: readonly unknown[]): Resolved {
  const items = indexItems(given);
  // How many dimensions of self they take.
  let taken = 0;
  for (const x of items) {
    if (x instanceof Tensor && isMask(x)) taken += x.sizes.length;
    else if (x !== null && x !== "..." && typeof x !== "boolean") taken++;
  }
  const rank = self.sizes.length;
  const single = items.length === 1 && (typeof items[0] === "number" || items[0] instanceof SliceIndex);
  if (taken > rank && !single) {
    throw new IndexError(`too many indices for tensor of dimension ${rank}`);
  }
  let view = self;
  let dim = 0;
  const tensors: (Tensor | null)[] = [];
  const record = (t: Tensor): void => {
    while (tensors.length < dim) tensors.push(null);
    tensors[dim++] = t;
  };
  items.forEach((item, position) => {
    if (item === null) view = view.unsqueeze(dim++);
    else if (item === "...") dim += rank - taken;
    else if (item instanceof SliceIndex) view = applySlice(view, dim++, item);
    else if (typeof item === "number" || typeof item === "bigint") {
      view = applySelect(view, dim, integer(item), position);
    } else if (typeof item === "boolean") {
      view = view.unsqueeze(dim);
      record(boolIndex(item, self));
    } else {
      const t = Array.isArray(item) || isTyped(item) ? tensorOf(item, self) : item;
      if (!(t instanceof Tensor)) throw invalid(item);
      if (t.sizes.length > 0 || t.dtype.kind >= Kind.float) record(t);
      else if (isMask(t)) {
        view = view.unsqueeze(dim);
        record(boolIndex(Boolean(t.item()), self));
      } else view = applySelect(view, dim, integer(t), position);
    }
  });
  return { view, tensors };
}
