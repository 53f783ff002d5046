/**
 * The IDX format of MNIST's files (Pascal Vincent's, in Lush's idx-io.lsh): two zero bytes, element type, number of
 * dimensions, the dimensions as big-endian 32-bit numbers, the elements in big-endian order.
 */
import { RuntimeError } from "../../base/errors.ts";
import { fileExists, gunzip, readFile } from "../../base/fs.ts";

/** Element types by their code: name and bytes per element. */
const TYPES: Readonly<Record<number, readonly [name: string, bytes: number]>> = {
  8: ["uint8", 1],
  9: ["int8", 1],
  11: ["int16", 2],
  12: ["int32", 4],
  13: ["float32", 4],
  14: ["float64", 8],
};

/** A file's content: sizes and raw elements (uint8 in every data set here). */
export interface IdxArray {
  readonly type: string;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** MNIST's largest relative (EMNIST byclass) unpacks to 547 MB; this only keeps a hostile file from filling the memory. */
const MAX_BYTES = 2 ** 30;

/** Takes an IDX file apart; `name` is what errors call it. */
export function parseIdx(bytes: Uint8Array, name: string): IdxArray {
  if (bytes.length < 4) {
    throw new RuntimeError(`${name}: expected an IDX file, but got ${bytes.length} bytes`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    magic = view.getUint32(0, false);
  const type = TYPES[(magic >>> 8) & 0xff],
    rank = magic & 0xff,
    hex = `0x${magic.toString(16).padStart(8, "0")}`;
  if (magic >>> 16 !== 0 || type === undefined) {
    throw new RuntimeError(`${name}: expected an IDX file, but its magic number is ${hex}`);
  }
  if (rank < 1 || rank > 8) {
    throw new RuntimeError(`${name}: expected 1 to 8 dimensions, but its magic number ${hex} says ${rank}`);
  }
  const header = 4 + 4 * rank;
  if (bytes.length < header) {
    throw new RuntimeError(`${name}: expected a header of ${header} bytes, but got ${bytes.length} bytes`);
  }
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i, false));
  const size = shape.reduce((a, b) => a * b, 1) * type[1];
  if (bytes.length !== header + size) {
    const wrong = bytes.length < header + size ? "it is cut off" : "there is something behind its end";
    throw new RuntimeError(
      `${name}: expected ${header + size} bytes for shape [${shape.join(", ")}] of ${
        type[0]
      }, but got ${bytes.length}: ${wrong}`,
    );
  }
  return { type: type[0], shape, data: bytes.subarray(header) };
}

/** Reads `path`, or `path.gz` where only that is there; undefined if neither is. */
export function readIdxFile(path: string): IdxArray | undefined {
  if (fileExists(path)) return parseIdx(readFile(path), path);
  const packed = `${path}.gz`;
  if (!fileExists(packed)) return undefined;
  return parseIdx(gunzip(readFile(packed), packed, MAX_BYTES), packed);
}

/** Images: uint8 with 3 dimensions. */
export function readImages(path: string): IdxArray | undefined {
  return expectBytes(readIdxFile(path), path, 3);
}

/** Labels: uint8 with 1 dimension. */
export function readLabels(path: string): IdxArray | undefined {
  return expectBytes(readIdxFile(path), path, 1);
}

function expectBytes(array: IdxArray | undefined, path: string, rank: number): IdxArray | undefined {
  if (array === undefined) return undefined;
  if (array.type !== "uint8") {
    throw new RuntimeError(`${path}: x should be of dtype torch.uint8 instead of torch.${array.type}`);
  }
  if (array.shape.length !== rank) {
    throw new RuntimeError(`${path}: x should have ${rank} dimension instead of ${array.shape.length}`);
  }
  return array;
}
