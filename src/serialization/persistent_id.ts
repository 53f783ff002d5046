/** Persistent ids: how a pickle refers to the storages that a file keeps beside it. */
import { RuntimeError } from "../base/errors.ts";
import type { DType } from "../base/dtype.ts";
import { Kind } from "../base/dtype.ts";
import { PyTuple, pyTypeName, type PyValue } from "./python_values.ts";
import { natural, StorageType } from "./saved_tensor.ts";

/** The fields of `("storage", type, key, location, numel[, view])`. */
export interface StorageId {
  type: StorageType;
  key: string;
  location: string;
  numel: number;
  nbytes: number;
  /** Legacy files only: `(key, offset, numel)` of a part of the storage. */
  view: { key: string; offset: number; numel: number } | undefined;
}

/** Keys are numbers in some old files. */
export function keyText(value: PyValue | undefined): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  throw new RuntimeError(`a storage's key must be a str, but is ${pyTypeName(value ?? null)}`);
}

/** Checks a persistent id and takes it apart. */
export function storageId(id: PyValue): StorageId {
  if (!(id instanceof PyTuple)) {
    throw new RuntimeError(`persistent_load id must be a tuple, but got ${pyTypeName(id)}`);
  }
  const [kind, type, key, location, numel, view] = id.items;
  if (kind !== "storage") {
    const got = typeof kind === "string" ? `'${kind}'` : pyTypeName(kind ?? null);
    throw new RuntimeError(`Only persistent_load of storage is allowed, but got ${got}`);
  }
  if (!(type instanceof StorageType)) {
    throw new RuntimeError(`a storage's class must be a storage class, but is ${pyTypeName(type ?? null)}`);
  }
  if (typeof location !== "string") {
    throw new RuntimeError(`a storage's location must be a str, but is ${pyTypeName(location ?? null)}`);
  }
  const count = natural(numel ?? null, "a storage's number of elements");
  return {
    type,
    key: keyText(key),
    location,
    numel: count,
    nbytes: count * (type.dtype?.itemsize ?? 1),
    view: view instanceof PyTuple ? viewOf(view, count) : undefined,
  };
}

function viewOf(view: PyTuple, rootNumel: number): StorageId["view"] {
  const offset = natural(view.items[1] ?? null, "a storage view's offset"),
    numel = natural(view.items[2] ?? null, "a storage view's size");
  if (offset + numel > rootNumel) {
    throw new RuntimeError(
      `a storage view of ${numel} elements at ${offset} reaches beyond the ${rootNumel} of its storage`,
    );
  }
  return { key: keyText(view.items[0]), offset, numel };
}

/** Turns the elements of a file from a big-endian machine round, in a copy. */
export function swapBytes(bytes: Uint8Array, dtype: DType | null): Uint8Array {
  const width = dtype === null ? 1 : dtype.kind === Kind.complex ? dtype.itemsize / 2 : dtype.itemsize;
  const out = bytes.slice();
  for (let at = 0; at + width <= out.length; at += width) out.subarray(at, at + width).reverse();
  return out;
}
