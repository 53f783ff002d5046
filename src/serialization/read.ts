/** Reads a checkpoint of any format as Python values. */
import { RuntimeError } from "../base/errors.ts";
import type { ByteSource } from "../base/fs.ts";
import { looksLikeTar } from "../base/tar.ts";
import { readArchive } from "./archive.ts";
import { looksLikeLegacy, readLegacy } from "./legacy.ts";
import type { PyValue } from "./python_values.ts";
import { readTarCheckpoint } from "./tar.ts";
import { looksLikeZip } from "./zip_reader.ts";

/** The content of a file as Python values; tensors are `SavedTensor`s, checked but without memory. */
export function readCheckpoint(source: ByteSource): PyValue {
  if (source.size === 0) throw new RuntimeError(`${source.name} is empty (0 bytes)`);
  const head = source.read(0, Math.min(source.size, 512));
  if (looksLikeZip(head)) return readArchive(source);
  if (looksLikeLegacy(head)) return readLegacy(source);
  if (looksLikeTar(head)) return readTarCheckpoint(source);
  const start = Array.from(head.subarray(0, 8), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  throw new RuntimeError(
    `${source.name} is no PyTorch file: it is neither a zip archive, nor a pickle, nor a tar archive (it begins with ${start})`,
  );
}
