/**
 * Writes zip archives byte for byte as PyTorch's own writer does (caffe2/serialize/inline_container.cc over miniz): entries
 * stored, the data of each at a multiple of 64 bytes so that it can be mapped into memory, checksums and sizes in a data
 * descriptor behind it, ZIP64 records at the end.
 */
import { crc32 } from "../base/crc32.ts";

/** Where bytes go. */
export type Write = (bytes: Uint8Array) => void;

const ALIGNMENT = 64;
/** Bit 3: sizes and checksum follow the data (miniz leaves that out for empty entries). Bit 11: the name is UTF-8. */
const flagsOf = (size: number): number => size > 0 ? 0x0808 : 0x0800;
const MAX_32 = 0xffffffff;

interface Written {
  name: Uint8Array;
  crc: number;
  size: number;
  offset: number;
}

/** Little-endian fields in the order in which they are given: [bytes per field, value]. */
function record(fields: readonly (readonly [2 | 4 | 8, number])[]): Uint8Array {
  const out = new Uint8Array(fields.reduce((n, [width]) => n + width, 0)), view = new DataView(out.buffer);
  let at = 0;
  for (const [width, value] of fields) {
    if (width === 2) view.setUint16(at, value, true);
    else if (width === 4) view.setUint32(at, value, true);
    else view.setBigUint64(at, BigInt(value), true);
    at += width;
  }
  return out;
}

/** A zip archive in the making. */
export class ZipWriter {
  readonly #write: Write;
  /** From this size or offset on ZIP64 fields are used (lower in tests). */
  readonly #wideFrom: number;
  readonly #entries: Written[] = [];
  #position = 0;

  constructor(write: Write, { wideFrom = MAX_32 }: { wideFrom?: number } = {}) {
    this.#write = write;
    this.#wideFrom = wideFrom;
  }

  #put(bytes: Uint8Array): void {
    this.#write(bytes);
    this.#position += bytes.length;
  }

  /** Adds an entry. */
  add(name: string, data: Uint8Array): void {
    const entry: Written = {
      name: new TextEncoder().encode(name),
      crc: crc32(data),
      size: data.length,
      offset: this.#position,
    };
    const wide = entry.size >= this.#wideFrom, extra = this.#wideExtra(entry, wide);
    const unpadded = this.#position + 30 + entry.name.length + extra.length + 4;
    const padding = (ALIGNMENT - unpadded % ALIGNMENT) % ALIGNMENT;
    const sizeField = wide ? MAX_32 : 0; // 0: see the data descriptor
    this.#put(record([
      [4, 0x04034b50],
      [2, 0],
      [2, flagsOf(entry.size)],
      [2, 0],
      [2, 0],
      [2, 0],
      [4, 0],
      [4, sizeField],
      [4, sizeField],
      [2, entry.name.length],
      [2, extra.length + 4 + padding],
    ]));
    this.#put(entry.name);
    this.#put(extra);
    const filler = new Uint8Array(4 + padding).fill(0x5a); // an extra field called "FB", filled with Z
    filler.set([0x46, 0x42, padding, 0]);
    this.#put(filler);
    this.#put(data);
    const width = wide ? 8 : 4;
    if (entry.size > 0) {
      this.#put(record([[4, 0x08074b50], [4, entry.crc], [width, entry.size], [width, entry.size]]));
    }
    this.#entries.push(entry);
  }

  /** The ZIP64 extra field of an entry, empty if its numbers fit into 32 bits. */
  #wideExtra(entry: Written, wide: boolean): Uint8Array {
    const far = entry.offset >= this.#wideFrom, length = (wide ? 16 : 0) + (far ? 8 : 0);
    if (length === 0) return new Uint8Array(0);
    const sizes = wide ? [[8, entry.size], [8, entry.size]] as const : [];
    return record([[2, 1], [2, length], ...sizes, ...(far ? [[8, entry.offset]] as const : [])]);
  }

  /** Writes the directory. */
  finish(): void {
    const start = this.#position, count = this.#entries.length;
    for (const entry of this.#entries) {
      const wide = entry.size >= this.#wideFrom,
        far = entry.offset >= this.#wideFrom,
        extra = this.#wideExtra(entry, wide);
      const size = wide ? MAX_32 : entry.size;
      this.#put(record([
        [4, 0x02014b50],
        [2, 0],
        [2, 0],
        [2, flagsOf(entry.size)],
        [2, 0],
        [2, 0],
        [2, 0],
        [4, entry.crc],
        [4, size],
        [4, size],
        [2, entry.name.length],
        [2, extra.length],
        [2, 0],
        [2, 0],
        [2, 0],
        [4, 0],
        [4, far ? MAX_32 : entry.offset],
      ]));
      this.#put(entry.name);
      this.#put(extra);
    }
    const end = this.#position, size = end - start;
    this.#put(record([
      [4, 0x06064b50],
      [8, 44],
      [2, 0x031e],
      [2, 45],
      [4, 0],
      [4, 0],
      [8, count],
      [8, count],
      [8, size],
      [8, start],
    ]));
    this.#put(record([[4, 0x07064b50], [4, 0], [8, end], [4, 1]]));
    const few = Math.min(count, 0xffff);
    this.#put(record([
      [4, 0x06054b50],
      [2, 0],
      [2, 0],
      [2, few],
      [2, few],
      [4, size >= this.#wideFrom ? MAX_32 : size],
      [4, start >= this.#wideFrom ? MAX_32 : start],
      [2, 0],
    ]));
  }
}
