/**
 * What a file says about a tensor, checked: nothing here has touched tensor memory yet, so that a file is refused before
 * anything is made from it.
 */
import { RuntimeError } from "../base/errors.ts";
import { type DType, dtypes } from "../base/dtype.ts";
import { PyTuple, pyTypeName, type PyValue } from "./python_values.ts";

/** `torch.FloatStorage` and the like; `dtype` is null for `UntypedStorage`, whose elements are bytes. */
export class StorageType {
  readonly name: string;
  readonly dtype: DType | null;
  constructor(name: string, dtype: DType | null) {
    this.name = name;
    this.dtype = dtype;
  }
}

/** Every storage class by name. */
export const storageTypes: ReadonlyMap<string, StorageType> = new Map([
  ...dtypes.map((d) => [`${d.scalarName}Storage`, new StorageType(`${d.scalarName}Storage`, d)] as const),
  ["UntypedStorage", new StorageType("UntypedStorage", null)] as const,
]);

/** A storage of a file. Its bytes may come only after the pickle (legacy format). */
export class SavedStorage {
  readonly key: string;
  readonly location: string;
  readonly nbytes: number;
  /** The dtype of its elements; null until a tensor says it (untyped storages). */
  dtype: DType | null;
  /** Gives the bytes, in the order of little-endian machines. The format sets it before any tensor is made. */
  bytes: () => Uint8Array;

  constructor(key: string, dtype: DType | null, nbytes: number, location: string) {
    this.key = key;
    this.dtype = dtype;
    this.nbytes = nbytes;
    this.location = location;
    this.bytes = () => {
      throw new RuntimeError(`the data of storage '${key}' is missing`);
    };
  }

  /** Says that a tensor of `dtype` lives here. */
  use(dtype: DType): void {
    this.dtype ??= dtype;
    if (this.dtype !== dtype) {
      throw new RuntimeError(`storage '${this.key}' holds ${this.dtype} and cannot be read as ${dtype} too`);
    }
  }
}

/** A storage, or a part of one (the legacy format's storage views). */
export interface StorageView {
  readonly storage: SavedStorage;
  /** In elements of the storage. */
  readonly offset: number;
  readonly numel: number;
}

/** The tensor that a file describes; its elements are inside its storage. */
export class SavedTensor {
  readonly storage: SavedStorage;
  readonly dtype: DType;
  readonly offset: number;
  readonly size: readonly number[];
  readonly stride: readonly number[];
  readonly requiresGrad: boolean;
  readonly isParameter: boolean;

  constructor(
    view: StorageView,
    dtype: DType,
    offset: PyValue,
    size: PyValue,
    stride: PyValue,
    requiresGrad: PyValue,
  ) {
    view.storage.use(dtype);
    this.storage = view.storage;
    this.dtype = dtype;
    this.size = naturals(size, "size");
    this.stride = naturals(stride, "stride");
    this.requiresGrad = requiresGrad === true;
    this.isParameter = false;
    const start = natural(offset, "storage offset");
    checkReach(this.size, this.stride, start, view.numel, view.storage.key);
    this.offset = view.offset + start;
  }

  /** The same tensor as a Parameter. */
  asParameter(requiresGrad: boolean): SavedTensor {
    return Object.assign(Object.create(SavedTensor.prototype) as SavedTensor, this, {
      requiresGrad,
      isParameter: true,
    });
  }
}

/** A number that is an exact integer of at least 0. */
export function natural(value: PyValue, what: string): number {
  if (typeof value === "bigint") throw new RuntimeError(`${what} ${value} is beyond any memory`);
  if (typeof value !== "number") {
    throw new RuntimeError(`${what} must be an int, but is ${pyTypeName(value)}`);
  }
  if (value < 0) throw new RuntimeError(`${what} ${value} is negative`);
  return value;
}

const MAX_RANK = 64;

function naturals(value: PyValue, what: string): number[] {
  const items = value instanceof PyTuple
    ? value.items
    : Array.isArray(value)
    ? value as PyValue[]
    : undefined;
  if (items === undefined) {
    throw new RuntimeError(`a tensor's ${what} must be a tuple, but is ${pyTypeName(value)}`);
  }
  if (items.length > MAX_RANK) {
    throw new RuntimeError(`a tensor's ${what} has ${items.length} dimensions, more than ${MAX_RANK}`);
  }
  return items.map((n) => natural(n, what));
}

/** Throws unless every element that the tensor can address lies within the storage. */
function checkReach(
  size: readonly number[],
  stride: readonly number[],
  offset: number,
  numel: number,
  key: string,
): void {
  const shape = `size [${size.join(", ")}], stride [${stride.join(", ")}], offset ${offset}`;
  if (size.length !== stride.length) {
    throw new RuntimeError(`a tensor has ${size.length} sizes but ${stride.length} strides`);
  }
  const count = size.reduce((a, b) => a * b, 1);
  if (count > Number.MAX_SAFE_INTEGER) {
    throw new RuntimeError(`a tensor of size [${size.join(", ")}] has too many elements`);
  }
  const end = count === 0 ? offset : size.reduce((last, n, i) => last + (n - 1) * stride[i]!, offset + 1);
  if (!(end <= numel)) {
    throw new RuntimeError(`a tensor (${shape}) reaches beyond its storage '${key}' of ${numel} elements`);
  }
}
