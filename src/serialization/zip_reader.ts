/**
 * Reads zip archives as PyTorch writes them, and any other with stored or deflated entries. Nothing in the file is believed:
 * every offset and length is checked before it is used, and memory is asked for only in proportion to the file's size.
 *
 * Format: PKWARE APPNOTE 6.3.9, sections 4.3 (records), 4.5.3 (ZIP64).
 */
import { crc32 } from "../base/crc32.ts";
import { RuntimeError } from "../base/errors.ts";
import { type ByteSource, inflateRaw } from "../base/fs.ts";

const END = 0x06054b50,
  END64 = 0x06064b50,
  END64_LOCATOR = 0x07064b50,
  CENTRAL = 0x02014b50,
  LOCAL = 0x04034b50;
const END_SIZE = 22, LOCATOR_SIZE = 20, END64_SIZE = 56, CENTRAL_SIZE = 46, LOCAL_SIZE = 30;
/** Deflate cannot shrink more than 1032 to 1 (a 258-byte match costs at least 2 bits). */
const MAX_RATIO = 1032;

/** What the central directory says about an entry. */
export interface ZipEntry {
  readonly name: string;
  /** 0: stored, 8: deflated. */
  readonly method: number;
  readonly crc: number;
  readonly packedSize: number;
  readonly size: number;
  /** Where its local header starts. */
  readonly offset: number;
}

/** Whether the bytes begin like a zip archive with at least one entry. */
export function looksLikeZip(head: Uint8Array): boolean {
  return head.length >= 4 && head[0] === 0x50 && head[1] === 0x4b && head[2] === 3 && head[3] === 4;
}

const viewOf = (b: Uint8Array): DataView => new DataView(b.buffer, b.byteOffset, b.byteLength);

/** A 64-bit unsigned number that must be an exact JavaScript integer. */
function u64(view: DataView, at: number, what: string): number {
  const n = view.getBigUint64(at, true);
  if (n > BigInt(Number.MAX_SAFE_INTEGER)) throw new RuntimeError(`${what} is impossible (${n})`);
  return Number(n);
}

/** An open zip archive. */
export class ZipReader {
  readonly source: ByteSource;
  readonly entries: ReadonlyMap<string, ZipEntry>;
  /** Where the central directory starts: no entry's data reaches beyond it. */
  readonly #dataEnd: number;

  constructor(source: ByteSource) {
    this.source = source;
    const directory = findDirectory(source);
    this.#dataEnd = directory.offset;
    this.entries = readDirectory(source, directory);
  }

  /** The content of an entry, with its checksum verified (an archive may leave it out by storing 0). */
  read(entry: ZipEntry): Uint8Array {
    const what = `${this.source.name}: zip entry '${entry.name}'`;
    const start = this.#dataStart(entry, what);
    let bytes = this.source.read(start, entry.packedSize);
    if (entry.method === 8) bytes = inflateRaw(bytes, what, entry.size);
    if (entry.crc !== 0) {
      const crc = crc32(bytes);
      if (crc !== entry.crc) {
        throw new RuntimeError(
          `${what} is damaged: its checksum is ${hex(crc)}, but ${hex(entry.crc)} is recorded`,
        );
      }
    }
    return bytes;
  }

  #dataStart(entry: ZipEntry, what: string): number {
    if (entry.offset + LOCAL_SIZE > this.#dataEnd) {
      throw new RuntimeError(`${what} starts beyond the data (at ${entry.offset})`);
    }
    const view = viewOf(this.source.read(entry.offset, LOCAL_SIZE));
    if (view.getUint32(0, true) !== LOCAL) {
      throw new RuntimeError(`${what} has no local header at ${entry.offset}`);
    }
    const nameLength = view.getUint16(26, true), extraLength = view.getUint16(28, true);
    const start = entry.offset + LOCAL_SIZE + nameLength + extraLength;
    if (start + entry.packedSize > this.#dataEnd) {
      throw new RuntimeError(
        `${what} needs bytes ${start} to ${start + entry.packedSize}, but the data ends at ${this.#dataEnd}`,
      );
    }
    const name = decodeName(this.source.read(entry.offset + LOCAL_SIZE, nameLength), what);
    if (name !== entry.name) throw new RuntimeError(`${what} is called '${name}' in its own header`);
    return start;
  }
}

const hex = (n: number): string => n.toString(16).padStart(8, "0");

function decodeName(bytes: Uint8Array, what: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new RuntimeError(`${what}: a name is not UTF-8`);
  }
}

interface Directory {
  offset: number;
  size: number;
  count: number;
}

/** Finds the end record: the last signature whose comment fits into the file. */
function findDirectory(source: ByteSource): Directory {
  const tailSize = Math.min(source.size, END_SIZE + 0xffff), tailStart = source.size - tailSize;
  const tail = source.read(tailStart, tailSize), view = viewOf(tail);
  for (let at = tailSize - END_SIZE; at >= 0; at--) {
    if (view.getUint32(at, true) !== END || at + END_SIZE + view.getUint16(at + 20, true) > tailSize) {
      continue;
    }
    if (view.getUint16(at + 4, true) !== 0 || view.getUint16(at + 6, true) !== 0) {
      throw new RuntimeError(`${source.name}: a zip archive split over several files`);
    }
    const end: Directory = {
      count: view.getUint16(at + 10, true),
      size: view.getUint32(at + 12, true),
      offset: view.getUint32(at + 16, true),
    };
    const end64 = at >= LOCATOR_SIZE && view.getUint32(at - LOCATOR_SIZE, true) === END64_LOCATOR
      ? u64(view, at - LOCATOR_SIZE + 8, `${source.name}: the offset of the ZIP64 end record`)
      : undefined;
    const needs64 = end.count === 0xffff || end.size === 0xffffffff || end.offset === 0xffffffff;
    if (needs64 && end64 === undefined) {
      throw new RuntimeError(`${source.name}: the ZIP64 end record is missing`);
    }
    const position = tailStart + at;
    return end64 === undefined ? checked(end, position) : readEnd64(end64, position);
  }
  throw new RuntimeError(
    `${source.name} (${source.size} bytes) begins like a zip archive but has no end record: the file is cut off or not complete`,
  );

  function readEnd64(offset: number, limit: number): Directory {
    if (offset + END64_SIZE > limit) {
      throw new RuntimeError(`${source.name}: the ZIP64 end record at ${offset} is beyond the file`);
    }
    const view = viewOf(source.read(offset, END64_SIZE));
    if (view.getUint32(0, true) !== END64) {
      throw new RuntimeError(`${source.name}: no ZIP64 end record at ${offset}`);
    }
    const what = `${source.name}: the zip directory's`;
    return checked(
      {
        count: u64(view, 32, `${what} count`),
        size: u64(view, 40, `${what} size`),
        offset: u64(view, 48, `${what} offset`),
      },
      offset,
    );
  }

  function checked(d: Directory, limit: number): Directory {
    if (d.offset + d.size > limit || d.count * CENTRAL_SIZE > d.size) {
      throw new RuntimeError(
        `${source.name}: its zip directory (${d.count} entries, ${d.size} bytes at ${d.offset}) does not fit into ${limit} bytes: ` +
          `the file is damaged or its beginning is missing`,
      );
    }
    return d;
  }
}

function readDirectory(source: ByteSource, directory: Directory): Map<string, ZipEntry> {
  const bytes = source.read(directory.offset, directory.size), view = viewOf(bytes);
  const entries = new Map<string, ZipEntry>();
  let at = 0;
  for (let i = 0; i < directory.count; i++) {
    if (at + CENTRAL_SIZE > bytes.length || view.getUint32(at, true) !== CENTRAL) {
      throw new RuntimeError(`${source.name}: entry ${i} of its zip directory is damaged`);
    }
    const nameLength = view.getUint16(at + 28, true), extraLength = view.getUint16(at + 30, true);
    const extraAt = at + CENTRAL_SIZE + nameLength,
      next = extraAt + extraLength + view.getUint16(at + 32, true);
    if (next > bytes.length) {
      throw new RuntimeError(`${source.name}: entry ${i} of its zip directory is cut off`);
    }
    const name = decodeName(bytes.subarray(at + CENTRAL_SIZE, extraAt), `${source.name}: zip entry ${i}`);
    const what = `${source.name}: zip entry '${name}'`;
    const sizes = readSizes(view, at, extraAt, extraAt + extraLength, what);
    const entry: ZipEntry = {
      name,
      method: view.getUint16(at + 10, true),
      crc: view.getUint32(at + 16, true),
      ...sizes,
    };
    checkEntry(entry, view.getUint16(at + 8, true), what);
    if (entries.has(name)) throw new RuntimeError(`${source.name}: two zip entries are called '${name}'`);
    entries.set(name, entry);
    at = next;
  }
  return entries;
}

/** Sizes and offset of an entry; a field of all ones is continued in the ZIP64 extra field (tag 1), in this order. */
function readSizes(
  view: DataView,
  at: number,
  extra: number,
  extraEnd: number,
  what: string,
): Pick<ZipEntry, "packedSize" | "size" | "offset"> {
  let packedSize = view.getUint32(at + 20, true),
    size = view.getUint32(at + 24, true),
    offset = view.getUint32(at + 42, true);
  const wide = [size, packedSize, offset].filter((n) => n === 0xffffffff).length;
  if (wide > 0) {
    let field = extra;
    while (field + 4 <= extraEnd && view.getUint16(field, true) !== 1) {
      field += 4 + view.getUint16(field + 2, true);
    }
    const length = field + 4 <= extraEnd ? view.getUint16(field + 2, true) : 0;
    if (length < 8 * wide || field + 4 + length > extraEnd) {
      throw new RuntimeError(`${what}: its ZIP64 sizes are missing`);
    }
    let p = field + 4;
    const take = (): number => u64(view, (p += 8) - 8, `${what}: a ZIP64 size`);
    if (size === 0xffffffff) size = take();
    if (packedSize === 0xffffffff) packedSize = take();
    if (offset === 0xffffffff) offset = take();
  }
  return { packedSize, size, offset };
}

function checkEntry(entry: ZipEntry, flags: number, what: string): void {
  if (flags & 1) throw new RuntimeError(`${what} is encrypted`);
  if (entry.method === 0) {
    if (entry.packedSize !== entry.size) {
      throw new RuntimeError(
        `${what} is stored, but its two sizes differ (${entry.packedSize} and ${entry.size})`,
      );
    }
  } else if (entry.method !== 8) {
    throw new RuntimeError(
      `${what} is compressed by method ${entry.method}; only stored (0) and deflated (8) can be read`,
    );
  } else if (entry.size > entry.packedSize * MAX_RATIO + 64) {
    throw new RuntimeError(`${what} cannot unpack from ${entry.packedSize} to ${entry.size} bytes`);
  }
}
