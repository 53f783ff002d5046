/**
 * `torch.save` and `torch.load`: PyTorch's own files, in both directions.
 *
 * What is written is byte for byte what PyTorch 1.13 writes for the same values. What is read is data only: every name in a
 * file is looked up in a fixed list of harmless ones (PyTorch's `weights_only=True`), so a file cannot run anything. Formats:
 * zip (PyTorch 1.6 and later), the pickle stream before it, and the tar archives of early 2017.
 *
 * @see https://pytorch.org/docs/stable/notes/serialization.html
 * @module
 */
import { backendOf } from "./backend/registry.ts";
import { Device } from "./base/device.ts";
import type { DType } from "./base/dtype.ts";
import { RuntimeError } from "./base/errors.ts";
import { type ByteSource, memorySource, openFile, toPath, writeFileAtomic } from "./base/fs.ts";
import { allocate, type Storage } from "./base/storage.ts";
import { Parameter } from "./nn/parameter.ts";
import { pickle, type ReduceObject } from "./serialization/pickler.ts";
import { readCheckpoint } from "./serialization/read.ts";
import { reduceTensor } from "./serialization/reduce_tensor.ts";
import type { SavedStorage, SavedTensor } from "./serialization/saved_tensor.ts";
import { toJs } from "./serialization/to_js.ts";
import { type Write, ZipWriter } from "./serialization/zip_writer.ts";
import { alias, Tensor, wrapStorage } from "./tensor.ts";
import { isKeywords } from "./utils/signature.ts";

/** Anything with a synchronous `write(bytes)`. */
export interface WritableSink {
  write(bytes: Uint8Array): unknown;
}

/** The storages of the tensors in one file, by the key under which they are kept. */
class StorageTable {
  readonly #keys = new Map<Storage, { key: string; dtype: DType }>();

  keyOf(tensor: Tensor): string {
    const known = this.#keys.get(tensor.storage);
    if (known === undefined) {
      const key = String(this.#keys.size);
      this.#keys.set(tensor.storage, { key, dtype: tensor.dtype });
      return key;
    }
    if (known.dtype !== tensor.dtype) {
      throw new RuntimeError(
        "Cannot save multiple tensors or storages that view the same data as different types",
      );
    }
    return known.key;
  }

  /** Sorted by key as texts, as PyTorch writes them: 0, 1, 10, 11, 2. */
  sorted(): [string, Storage][] {
    const all = [...this.#keys].map(([storage, { key }]): [string, Storage] => [key, storage]);
    return all.sort(([a], [b]) => a < b ? -1 : 1);
  }
}

function locationTag(device: Device): string {
  return device.type === "cpu" ? "cpu" : `${device.type}:${device.index ?? 0}`;
}

function tensorReducer(table: StorageTable): ReduceObject {
  return (object) => {
    if (!(object instanceof Tensor)) return undefined;
    if (object.is_meta) throw new RuntimeError("torch.save(): a meta tensor has no data to save");
    const { dtype, storage } = object;
    return reduceTensor({
      dtype,
      key: table.keyOf(object),
      location: locationTag(object.device),
      storageNumel: Math.floor(storage.nbytes / dtype.itemsize),
      offset: object.offset,
      size: object.sizes,
      stride: object.strides,
      requiresGrad: object.requires_grad,
      isParameter: object instanceof Parameter,
    });
  };
}

/** Writes the archive called `name`. */
function writeArchive(obj: unknown, name: string, write: Write): void {
  const table = new StorageTable(), zip = new ZipWriter(write);
  zip.add(`${name}/data.pkl`, pickle(obj, tensorReducer(table)));
  for (const [key, storage] of table.sorted()) {
    zip.add(
      `${name}/data/${key}`,
      storage.evicted ?? storage.backend.read(storage.resident(), storage.nbytes),
    );
  }
  zip.add(`${name}/version`, new TextEncoder().encode("3\n"));
  zip.finish();
}

/** The name that PyTorch gives the archive in a file: the file's, without folder and last extension. */
function archiveName(path: string): string {
  const file = path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1),
    dot = file.lastIndexOf(".");
  return (dot < 0 ? file : file.slice(0, dot)) || "archive";
}

/**
 * Saves `obj` so that `torch.load`, here and in PyTorch, gives it back: tensors, Parameters, and arrays, Maps, plain objects,
 * Sets, texts, numbers, bytes that hold them. Tensors that share memory share it again after loading.
 *
 * A Map becomes an OrderedDict and a plain object a dict; a whole number becomes an int (`torch.pyfloat(2)` is 2.0). To a path
 * the file is written as a whole or not at all.
 *
 * ```ts
 * torch.save({ epoch, model: net.state_dict(), optimizer: optimizer.state_dict() }, "checkpoint.pth");
 * ```
 *
 * @param f Path, file: URL, or anything with `write(bytes)`.
 * @see https://pytorch.org/docs/stable/generated/torch.save.html
 */
export function save(obj: unknown, f: string | URL | WritableSink): void {
  if (typeof f === "string" || f instanceof URL) {
    writeFileAtomic(f, (write) => writeArchive(obj, archiveName(toPath(f)), write));
  } else if (typeof (f as WritableSink | null)?.write === "function") {
    writeArchive(obj, "archive", (bytes) => void f.write(bytes));
  } else {
    throw new TypeError(`save(): expected a path or an object with write(bytes), but got ${typeof f}`);
  }
}

/** Saves `obj` into memory: the bytes of the file that `torch.save` would write. */
export function save_to_bytes(obj: unknown): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  writeArchive(obj, "archive", (bytes) => void parts.push(bytes));
  const out = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** What a `map_location` function is given: where a storage is and may be sent to. */
export class LoadedStorage {
  readonly device: Device;
  readonly nbytes: number;

  constructor(device: Device, nbytes: number) {
    this.device = device;
    this.nbytes = nbytes;
  }
  /** The same storage on the CPU. */
  cpu(): LoadedStorage {
    return new LoadedStorage(new Device("cpu"), this.nbytes);
  }
  /** The same storage on a CUDA device. */
  cuda(index = 0): LoadedStorage {
    return new LoadedStorage(new Device("cuda", index), this.nbytes);
  }
}

/**
 * Where tensors go: a device for all, new devices by the old ones' names ("cuda:0"), or a function of a storage (on the CPU)
 * and its old location that gives the storage where it shall be, or nothing for the default.
 */
export type MapLocation =
  | string
  | Device
  | ReadonlyMap<string, string | Device>
  | Readonly<Record<string, string | Device>>
  | ((storage: LoadedStorage, location: string) => LoadedStorage | string | Device | null | undefined);

/** Keyword arguments of `torch.load`. */
export interface LoadOptions {
  map_location?: MapLocation | null;
  /** Accepted for PyTorch's sake: here loading is always restricted to data. */
  weights_only?: boolean;
}

/** The device for a storage that was saved at `location`. */
function placement(map: MapLocation | null | undefined, location: string, nbytes: number): Device {
  let to: string | Device | LoadedStorage | null | undefined;
  if (typeof map === "string" || map instanceof Device) to = map;
  else if (typeof map === "function") to = map(new LoadedStorage(new Device("cpu"), nbytes), location);
  else if (map instanceof Map) to = map.get(location) as string | Device | undefined;
  else if (map) to = (map as Record<string, string | Device>)[location];
  if (to instanceof LoadedStorage) return to.device;
  return new Device(to ?? location);
}

function deviceBackend(device: Device): ReturnType<typeof backendOf> {
  try {
    return backendOf(device);
  } catch (error) {
    if (device.type !== "cuda") throw error;
    throw new RuntimeError(
      "Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is False. If you are running on a " +
        "CPU-only machine, please use torch.load with map_location=torch.device('cpu') to map your storages to the CPU.",
      { cause: error },
    );
  }
}

/** Makes tensors from what a file says; one storage for all tensors that share it. */
function tensorMaker(map: MapLocation | null | undefined): (saved: SavedTensor) => Tensor {
  const bases = new Map<SavedStorage, Tensor>();

  const baseOf = (saved: SavedStorage): Tensor => {
    let base = bases.get(saved);
    if (base === undefined) {
      const backend = deviceBackend(placement(map, saved.location, saved.nbytes));
      const storage = allocate(backend, saved.nbytes), dtype = saved.dtype!;
      if (backend.hasData && saved.nbytes > 0) backend.write(storage.resident(), saved.bytes());
      const numel = Math.floor(saved.nbytes / dtype.itemsize);
      bases.set(saved, base = wrapStorage(storage, dtype, [numel], numel));
    }
    return base;
  };

  return (saved) => {
    const tensor = alias(baseOf(saved.storage), [...saved.size], [...saved.stride], saved.offset);
    if (saved.isParameter) return new Parameter(tensor, saved.requiresGrad);
    return saved.requiresGrad ? tensor.requires_grad_(true) : tensor;
  };
}

function isLoadOptions(value: unknown): value is LoadOptions {
  return isKeywords(value) &&
    Object.keys(value).every((key) => key === "map_location" || key === "weights_only");
}

/**
 * Loads what `torch.save` saved, here or in PyTorch. Nothing in the file is run: models must be saved as their `state_dict()`.
 *
 * A dict comes back as a plain object (a Map if its keys are not all plain texts), an OrderedDict as a Map, lists and tuples as
 * arrays, ints beyond 2^53 as bigints.
 *
 * ```ts
 * net.load_state_dict(torch.load("lenet.pth"));
 * ```
 *
 * @param f Path, file: URL, or the file's bytes.
 * @param map_location Where the tensors go; by default to the kind of device that they were saved from.
 * @see https://pytorch.org/docs/stable/generated/torch.load.html
 */
export function load<T = unknown>(
  f: string | URL | Uint8Array | ArrayBuffer,
  map_location?: MapLocation | LoadOptions | null,
  options?: LoadOptions,
): T {
  const given: LoadOptions = isLoadOptions(map_location)
    ? map_location
    : { map_location: map_location ?? null, ...options };
  const source = sourceOf(f);
  try {
    return toJs(readCheckpoint(source), tensorMaker(given.map_location)) as T;
  } finally {
    source.close();
  }
}

function sourceOf(f: string | URL | Uint8Array | ArrayBuffer): ByteSource {
  if (typeof f === "string" || f instanceof URL) return openFile(f);
  if (f instanceof ArrayBuffer) return memorySource(new Uint8Array(f));
  if (f instanceof Uint8Array) return memorySource(f);
  throw new TypeError(
    `load(): expected a path, a file: URL or bytes, but got ${f === null ? "null" : typeof f}`,
  );
}
