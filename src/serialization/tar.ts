/**
 * The oldest format (PyTorch before 0.1.10, January 2017): a tar archive of the files `storages`, `tensors` and `pickle`
 * (torch/serialization.py, `legacy_load`).
 */
import { RuntimeError } from "../base/errors.ts";
import type { ByteSource } from "../base/fs.ts";
import { readTar } from "../base/tar.ts";
import { TypedStorage, weightsOnly } from "./globals.ts";
import { takeStorage } from "./legacy.ts";
import { keyText, storageId } from "./persistent_id.ts";
import { PyDict, PyTuple, type PyValue } from "./python_values.ts";
import { natural, SavedStorage, SavedTensor, StorageType, type StorageView } from "./saved_tensor.ts";
import { unpickle, type UnpickleHooks } from "./unpickler.ts";

/** One tar archive being read. */
class TarLoader {
  readonly #source: ByteSource;
  readonly #files: Map<string, Uint8Array>;
  readonly #storages = new Map<string, { view: StorageView; type: StorageType }>();
  readonly #tensors = new Map<string, SavedTensor>();

  constructor(source: ByteSource) {
    this.#source = source;
    this.#files = readTar(source);
  }

  #file(name: string): Uint8Array {
    const bytes = this.#files.get(name);
    if (bytes === undefined) {
      throw new RuntimeError(`${this.#source.name} is a tar archive, but no checkpoint: it has no '${name}'`);
    }
    return bytes;
  }

  /** Calls `read` with a reader of the pickles in a file and the position after the last one. */
  #pickles(name: string, hooks: UnpickleHooks): { bytes: Uint8Array; next: () => PyValue; at: number } {
    const bytes = this.#file(name), what = `${this.#source.name}: ${name}`;
    return {
      bytes,
      at: 0,
      next() {
        const { value, end } = unpickle(bytes, hooks, what, this.at);
        this.at = end;
        return value;
      },
    };
  }

  #storage(key: string): { view: StorageView; type: StorageType } {
    const found = this.#storages.get(key);
    if (found === undefined) throw new RuntimeError(`storage '${key}' is not in the archive`);
    return found;
  }

  #readStorages(hooks: UnpickleHooks, bigEndian: boolean): void {
    const file = this.#pickles("storages", hooks);
    for (let left = natural(file.next(), "the number of storages"); left > 0; left--) {
      const [key, location, type] = fields(file.next(), 3, "a storage");
      if (!(type instanceof StorageType) || type.dtype === null) {
        throw new RuntimeError("a storage has no class");
      }
      if (file.at + 8 > file.bytes.length) {
        throw new RuntimeError(`the data of storage '${keyText(key)}' is missing`);
      }
      const count = new DataView(file.bytes.buffer, file.bytes.byteOffset + file.at, 8).getBigInt64(
        0,
        !bigEndian,
      );
      const numel = natural(Number(count), "a storage's number of elements"), name = keyText(key);
      const storage = new SavedStorage(
        name,
        type.dtype,
        numel * type.dtype.itemsize,
        typeof location === "string" ? location : "cpu",
      );
      file.at = takeStorage(file.bytes, file.at, storage, bigEndian, `${this.#source.name}: storages`);
      this.#storages.set(name, { view: { storage, offset: 0, numel }, type });
    }
    if (file.at >= file.bytes.length) return;
    const views = file.next();
    for (const item of Array.isArray(views) ? views as PyValue[] : []) {
      const [key, root, offset, numel] = fields(item, 4, "a storage view"),
        { view, type } = this.#storage(keyText(root));
      const start = natural(offset!, "a storage view's offset"),
        count = natural(numel!, "a storage view's size");
      if (start + count > view.numel) {
        throw new RuntimeError(`storage view '${keyText(key)}' reaches beyond its storage`);
      }
      this.#storages.set(keyText(key), {
        view: { storage: view.storage, offset: view.offset + start, numel: count },
        type,
      });
    }
  }

  #readTensors(hooks: UnpickleHooks): void {
    if (!this.#files.has("tensors")) return;
    const file = this.#pickles("tensors", hooks),
      data = new DataView(file.bytes.buffer, file.bytes.byteOffset, file.bytes.byteLength);
    for (let left = natural(file.next(), "the number of tensors"); left > 0; left--) {
      const [key, storageKey] = fields(file.next(), 3, "a tensor"),
        { view, type } = this.#storage(keyText(storageKey));
      // int32 rank, 4 unused bytes, then rank sizes, rank strides and the offset, 8 bytes each
      if (file.at + 8 > file.bytes.length) throw new RuntimeError("a tensor's shape is cut off");
      const rank = data.getInt32(file.at, true), start = file.at + 8, end = start + 8 * (2 * rank + 1);
      if (rank < 0 || end > file.bytes.length) {
        throw new RuntimeError(`a tensor of ${rank} dimensions does not fit into the file`);
      }
      const numbers = Array.from(
        { length: 2 * rank + 1 },
        (_, i) => Number(data.getBigInt64(start + 8 * i, true)),
      );
      file.at = end;
      const size = numbers.slice(0, rank), stride = numbers.slice(rank, 2 * rank);
      this.#tensors.set(
        keyText(key),
        new SavedTensor(view, type.dtype!, numbers[2 * rank]!, size, stride, false),
      );
    }
  }

  read(): PyValue {
    const hooks = weightsOnly((id) => {
      if (!(id instanceof PyTuple)) {
        const tensor = this.#tensors.get(keyText(id));
        if (tensor === undefined) throw new RuntimeError(`tensor '${keyText(id)}' is not in the archive`);
        return tensor;
      }
      const { key, numel } = storageId(id), { view, type } = this.#storage(key);
      if (numel > view.numel) {
        throw new RuntimeError(`storage '${key}' should have ${numel} elements, but ${view.numel} are there`);
      }
      return new TypedStorage(view, type);
    }, { inlineStorages: true });
    const system = this.#files.has("sys_info") ? this.#pickles("sys_info", hooks).next() : null;
    this.#readStorages(hooks, system instanceof PyDict && system.get("little_endian") === false);
    this.#readTensors(hooks);
    return this.#pickles("pickle", hooks).next();
  }
}

function fields(value: PyValue, count: number, what: string): readonly PyValue[] {
  if (value instanceof PyTuple && value.items.length >= count) return value.items;
  throw new RuntimeError(`${what} is not described by ${count} fields`);
}

/** Reads a tar archive. */
export function readTarCheckpoint(source: ByteSource): PyValue {
  return new TarLoader(source).read();
}
