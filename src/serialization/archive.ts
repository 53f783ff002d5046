/**
 * The zip format of PyTorch 1.6 and later: `<name>/data.pkl` holds the pickle, `<name>/data/<key>` the bytes of each storage,
 * `<name>/version` the format's number (caffe2/serialize/inline_container.h).
 */
import { RuntimeError } from "../base/errors.ts";
import type { ByteSource } from "../base/fs.ts";
import { TypedStorage, weightsOnly } from "./globals.ts";
import { storageId, swapBytes } from "./persistent_id.ts";
import type { PyValue } from "./python_values.ts";
import { SavedStorage } from "./saved_tensor.ts";
import { unpickle } from "./unpickler.ts";
import { type ZipEntry, ZipReader } from "./zip_reader.ts";

/** The versions that PyTorch itself reads (kMinSupportedFileFormatVersion, kMaxSupportedFileFormatVersion). */
const MIN_VERSION = 1, MAX_VERSION = 10;

/** Reads the pickle of a zip archive; the bytes of its storages are read when a tensor asks for them. */
export function readArchive(source: ByteSource): PyValue {
  const zip = new ZipReader(source), prefix = findPrefix(zip);
  const entry = (name: string): ZipEntry | undefined => zip.entries.get(prefix + name);
  if (entry("constants.pkl") !== undefined) {
    throw new RuntimeError(
      `${source.name} is a TorchScript archive (torch.jit.save): a program, not data. Save the model's state_dict() instead`,
    );
  }
  checkVersion(zip, entry("version") ?? entry(".data/version"));
  const bigEndian = isBigEndian(zip, entry("byteorder"));
  const storages = new Map<string, SavedStorage>();

  const hooks = weightsOnly((id) => {
    const { type, key, location, numel, nbytes } = storageId(id);
    let storage = storages.get(key);
    if (storage === undefined) {
      const data = entry(`data/${key}`);
      if (data === undefined) throw new RuntimeError(`the data of storage '${key}' is not in the archive`);
      if (data.size < nbytes) {
        throw new RuntimeError(
          `storage '${key}' should have ${numel} elements (${nbytes} bytes), but its data has ${data.size} bytes`,
        );
      }
      storages.set(key, storage = new SavedStorage(key, type.dtype, nbytes, location));
      const { dtype } = storage;
      storage.bytes = () => {
        const bytes = zip.read(data).subarray(0, nbytes);
        return bigEndian ? swapBytes(bytes, dtype ?? storages.get(key)!.dtype) : bytes;
      };
    }
    if (type.dtype !== null) storage.use(type.dtype);
    if (nbytes > storage.nbytes) {
      throw new RuntimeError(
        `storage '${key}' is once said to have ${storage.nbytes} bytes and once ${nbytes}`,
      );
    }
    return new TypedStorage({ storage, offset: 0, numel }, type);
  });

  const data = entry("data.pkl")!;
  return unpickle(zip.read(data), hooks, `${source.name}: ${data.name}`).value;
}

/** The folder that everything in the archive is in, with its slash; empty if there is none. */
function findPrefix(zip: ZipReader): string {
  const found = [...zip.entries.keys()].filter((name) => /^(?:[^/]+\/)?data\.pkl$/.test(name));
  if (found.length === 1) return found[0]!.slice(0, -"data.pkl".length);
  throw new RuntimeError(
    `${zip.source.name} is a zip archive, but no checkpoint: it has ${
      found.length === 0 ? "no" : found.length
    } data.pkl`,
  );
}

function text(zip: ZipReader, entry: ZipEntry): string {
  if (entry.size > 64) throw new RuntimeError(`${zip.source.name}: '${entry.name}' has ${entry.size} bytes`);
  return new TextDecoder().decode(zip.read(entry)).trim();
}

function checkVersion(zip: ZipReader, entry: ZipEntry | undefined): void {
  if (entry === undefined) return;
  const version = Number(text(zip, entry));
  if (!(version >= MIN_VERSION && version <= MAX_VERSION)) {
    throw new RuntimeError(
      `${zip.source.name} has file format version ${
        text(zip, entry)
      }; versions ${MIN_VERSION} to ${MAX_VERSION} can be read`,
    );
  }
}

function isBigEndian(zip: ZipReader, entry: ZipEntry | undefined): boolean {
  const order = entry === undefined ? "little" : text(zip, entry);
  if (order !== "little" && order !== "big") {
    throw new RuntimeError(`${zip.source.name}: unknown byte order '${order}'`);
  }
  return order === "big";
}
