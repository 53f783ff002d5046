/**
 * The format of PyTorch 0.1.10 to 1.5 (torch/serialization.py, `_legacy_load`): five pickles one after the other (magic number,
 * protocol version, system information, the object, the keys of its storages), then for each key the number of elements as
 * 8 bytes and the elements themselves.
 */
import { RuntimeError } from "../base/errors.ts";
import type { ByteSource } from "../base/fs.ts";
import { TypedStorage, weightsOnly } from "./globals.ts";
import { keyText, storageId, swapBytes } from "./persistent_id.ts";
import { PyDict, type PyValue } from "./python_values.ts";
import { SavedStorage } from "./saved_tensor.ts";
import { unpickle } from "./unpickler.ts";

const MAGIC_NUMBER = 0x1950a86a20f9469cfc6cn;
const PROTOCOL_VERSION = 1001;

/** A pickle that starts the legacy format: PROTO 2, then LONG1 with the magic number's 10 bytes. */
export function looksLikeLegacy(head: Uint8Array): boolean {
  return head.length >= 3 && head[0] === 0x80 && head[1]! <= 5;
}

const noReferences = weightsOnly(() => {
  throw new RuntimeError("a reference to a storage where none can be");
});

/** Reads a legacy file. */
export function readLegacy(source: ByteSource): PyValue {
  const bytes = source.read(0, source.size), storages = new Map<string, SavedStorage>();
  let at = 0;
  const next = (what: string, hooks = noReferences): PyValue => {
    const { value, end } = unpickle(bytes, hooks, `${source.name}: ${what}`, at);
    at = end;
    return value;
  };

  if (next("the magic number") !== MAGIC_NUMBER) {
    throw new RuntimeError(`${source.name}: Invalid magic number; corrupt file?`);
  }
  const version = next("the protocol version");
  if (version !== PROTOCOL_VERSION) {
    throw new RuntimeError(`${source.name}: Invalid protocol version: ${String(version)}`);
  }
  const system = next("the system information");
  const bigEndian = system instanceof PyDict && system.get("little_endian") === false;

  const value = next(
    "the object",
    weightsOnly((id) => {
      const { type, key, location, nbytes, numel, view } = storageId(id);
      let storage = storages.get(key);
      if (storage === undefined) {
        if (nbytes > bytes.length) {
          throw new RuntimeError(`storage '${key}' should have ${nbytes} bytes, more than the file has`);
        }
        storages.set(key, storage = new SavedStorage(key, type.dtype, nbytes, location));
      } else if (nbytes !== storage.nbytes) {
        throw new RuntimeError(
          `storage '${key}' is once said to have ${storage.nbytes} bytes and once ${nbytes}`,
        );
      }
      if (type.dtype !== null) storage.use(type.dtype);
      return new TypedStorage({ storage, offset: view?.offset ?? 0, numel: view?.numel ?? numel }, type);
    }),
  );

  const keys = next("the list of storages");
  if (!Array.isArray(keys)) throw new RuntimeError(`${source.name}: the list of storages is missing`);
  for (const item of keys as PyValue[]) {
    const key = keyText(item), storage = storages.get(key);
    if (storage === undefined) {
      throw new RuntimeError(`${source.name}: storage '${key}' belongs to no tensor`);
    }
    at = takeStorage(bytes, at, storage, bigEndian, source.name);
  }
  return value;
}

/** Takes a storage's elements at `at`, preceded by their number; returns where the next one starts. */
export function takeStorage(
  bytes: Uint8Array,
  at: number,
  storage: SavedStorage,
  bigEndian: boolean,
  what: string,
): number {
  const { key, nbytes, dtype } = storage, start = at + 8, end = start + nbytes;
  if (end > bytes.length) {
    throw new RuntimeError(
      `${what}: the data of storage '${key}' (${nbytes} bytes at ${start}) is cut off: the file has ${bytes.length} bytes`,
    );
  }
  const count = new DataView(bytes.buffer, bytes.byteOffset + at, 8).getBigInt64(0, !bigEndian);
  const numel = nbytes / (dtype?.itemsize ?? 1);
  if (count !== BigInt(numel)) {
    throw new RuntimeError(`${what}: storage '${key}' should have ${numel} elements, but ${count} are there`);
  }
  storage.bytes = () =>
    bigEndian ? swapBytes(bytes.subarray(start, end), storage.dtype) : bytes.subarray(start, end);
  return end;
}
