import { deflateRawSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { crc32, crc32Portable } from "../../src/base/crc32.ts";
import { memorySource } from "../../src/base/fs.ts";
import { ZipReader } from "../../src/serialization/zip_reader.ts";
import { ZipWriter } from "../../src/serialization/zip_writer.ts";
import { bytesOf, good } from "./fixtures.ts";

function join(parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
function write(entries: [string, Uint8Array][], options?: { wideFrom?: number }): Uint8Array {
  const parts: Uint8Array[] = [], zip = new ZipWriter((bytes) => void parts.push(bytes.slice()), options);
  for (const [name, data] of entries) zip.add(name, data);
  zip.finish();
  return join(parts);
}
const open = (bytes: Uint8Array): ZipReader => new ZipReader(memorySource(bytes, "a.zip"));
const content = (zip: ZipReader, name: string): Uint8Array => zip.read(zip.entries.get(name)!);
const text = (s: string): Uint8Array => new TextEncoder().encode(s);
const random = (n: number): Uint8Array => Uint8Array.from({ length: n }, (_, i) => (i * 2654435761) >>> 13);

/** One little-endian zip: local header, data, directory, end record; every field can be changed. */
function handmade(data: Uint8Array, over: {
  method?: number;
  size?: number;
  packed?: number;
  crc?: number;
  flags?: number;
  localName?: string;
  offset?: number;
  count?: number;
  entries?: number;
  directoryOffset?: number;
} = {}): Uint8Array {
  const name = text("a/b"), local = new DataView(new ArrayBuffer(30)), size = over.size ?? data.length;
  local.setUint32(0, 0x04034b50, true);
  local.setUint16(26, 3, true);
  const directory: Uint8Array[] = [];
  for (let i = 0; i < (over.entries ?? 1); i++) {
    const central = new DataView(new ArrayBuffer(46));
    central.setUint32(0, 0x02014b50, true);
    central.setUint16(8, over.flags ?? 0, true);
    central.setUint16(10, over.method ?? 0, true);
    central.setUint32(16, over.crc ?? crc32(data), true);
    central.setUint32(20, over.packed ?? data.length, true);
    central.setUint32(24, size, true);
    central.setUint16(28, 3, true);
    central.setUint32(42, over.offset ?? 0, true);
    directory.push(new Uint8Array(central.buffer), name);
  }
  const end = new DataView(new ArrayBuffer(22)), start = 30 + 3 + data.length;
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(10, over.count ?? over.entries ?? 1, true);
  end.setUint32(12, directory.length / 2 * 49, true);
  end.setUint32(16, over.directoryOffset ?? start, true);
  return join([
    new Uint8Array(local.buffer),
    text(over.localName ?? "a/b"),
    data,
    ...directory,
    new Uint8Array(end.buffer),
  ]);
}

describe("crc32", () => {
  it("is the checksum of zip and PNG", () => {
    expect(crc32Portable(text("123456789"))).toBe(0xcbf43926);
    expect(crc32Portable(new Uint8Array(0))).toBe(0);
  });
  it("agrees with the platform's, for every length around the step of 8, and goes on where it stopped", () => {
    for (let n = 0; n < 40; n++) expect(crc32Portable(random(n))).toBe(crc32(random(n)));
    const all = random(1000);
    expect(crc32Portable(all.subarray(13), crc32Portable(all.subarray(0, 13)))).toBe(crc32(all));
  });
});

describe("ZipWriter", () => {
  const entries: [string, Uint8Array][] = [["x/data.pkl", text("hello")], ["x/data/0", random(1000)], [
    "x/empty",
    random(0),
  ], ["x/é", random(63)]];

  it("is read back", () => {
    const zip = open(write(entries));
    expect([...zip.entries.keys()]).toEqual(entries.map(([name]) => name));
    for (const [name, data] of entries) expect(content(zip, name)).toEqual(data);
  });
  it("puts the data of every entry at a multiple of 64", () => {
    const bytes = write(entries), zip = open(bytes), view = new DataView(bytes.buffer);
    for (const { offset } of zip.entries.values()) {
      expect((offset + 30 + view.getUint16(offset + 26, true) + view.getUint16(offset + 28, true)) % 64).toBe(
        0,
      );
    }
  });
  it("uses ZIP64 fields for what is too large for 32 bits", () => {
    for (const wideFrom of [1, 100, 700, 1001]) {
      const zip = open(write(entries, { wideFrom }));
      for (const [name, data] of entries) expect(content(zip, name)).toEqual(data);
    }
  });
});

describe("ZipReader", () => {
  const data = random(2000);

  it("unpacks deflated entries", () => {
    const squeezable = new Uint8Array(5000).fill(7), packed = new Uint8Array(deflateRawSync(squeezable));
    const zip = open(handmade(packed, { method: 8, size: 5000, crc: crc32(squeezable) }));
    expect(content(zip, "a/b")).toEqual(squeezable);
  });
  it("takes a checksum of 0 as none", () => {
    expect(content(open(handmade(data, { crc: 0 })), "a/b")).toEqual(data);
  });
  it("finds the end record before a comment or other trailing bytes", () => {
    expect(content(open(join([handmade(data), text("trailing")])), "a/b")).toEqual(data);
  });

  const packed = new Uint8Array(deflateRawSync(data));
  const refused: [string, Uint8Array, RegExp][] = [
    ["a wrong checksum", handmade(data, { crc: 1 }), /'a\/b' is damaged: its checksum is/],
    ["an offset beyond the file", handmade(data, { offset: 1e6 }), /starts beyond the data/],
    ["an offset that is no header", handmade(data, { offset: 1 }), /has no local header at 1/],
    [
      "an entry that is longer than the file",
      handmade(data, { size: 1e9, packed: 1e9 }),
      /needs bytes 33 to 1000000033, but the data ends at 2033/,
    ],
    [
      "an entry that runs into the directory",
      handmade(data, { size: 2001, packed: 2001 }),
      /but the data ends at 2033/,
    ],
    [
      "two sizes for a stored entry",
      handmade(data, { size: 5 }),
      /stored, but its two sizes differ \(2000 and 5\)/,
    ],
    [
      "an impossible compression",
      handmade(packed, { method: 8, size: 2 ** 31 }),
      /cannot unpack from \d+ to 2147483648 bytes/,
    ],
    [
      "more unpacked bytes than declared",
      handmade(packed, { method: 8, size: 1999 }),
      /its compressed data is damaged/,
    ],
    [
      "fewer unpacked bytes than declared",
      handmade(packed, { method: 8, size: 2001 }),
      /unpacks to 2000 bytes, but 2001 were declared/,
    ],
    ["damaged compressed data", handmade(data, { method: 8 }), /its compressed data is damaged/],
    ["another compression method", handmade(data, { method: 12 }), /compressed by method 12/],
    ["encryption", handmade(data, { flags: 1 }), /is encrypted/],
    [
      "a different name in the local header",
      handmade(data, { localName: "a/c" }),
      /is called 'a\/c' in its own header/,
    ],
    [
      "a name that is not UTF-8",
      handmade(data, { localName: "a/b" }).map((b, i) => i === 31 ? 0xff : b),
      /not UTF-8/,
    ],
    ["two entries of one name", handmade(data, { entries: 2 }), /two zip entries are called 'a\/b'/],
    [
      "more entries than the directory has room for",
      handmade(data, { count: 60000 }),
      /its zip directory \(60000 entries, 49 bytes/,
    ],
    ["a directory beyond the file", handmade(data, { directoryOffset: 1e8 }), /does not fit/],
    [
      "a directory somewhere else",
      handmade(data, { directoryOffset: 3 }),
      /entry 0 of its zip directory is damaged/,
    ],
    ["missing ZIP64 records", handmade(data, { count: 0xffff }), /the ZIP64 end record is missing/],
    [
      "missing ZIP64 sizes",
      handmade(data, { size: 0xffffffff, packed: 0xffffffff }),
      /its ZIP64 sizes are missing/,
    ],
    ["no end record", handmade(data).subarray(0, 2000), /has no end record: the file is cut off/],
    ["nothing at all", new Uint8Array(0), /has no end record/],
  ];
  it.each(refused)("refuses %s", (_, bytes, message) => {
    expect(() => content(open(bytes), "a/b")).toThrow(message);
  });

  it("reads every archive that PyTorch wrote", () => {
    for (const { file } of good.filter((f) => f.format === "zip")) {
      const zip = open(bytesOf(file));
      expect(zip.entries.size).toBeGreaterThan(1);
      for (const entry of zip.entries.values()) expect(zip.read(entry).length).toBe(entry.size);
    }
  });
});
