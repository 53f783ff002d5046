import { describe, expect, it } from "vitest";
import type { DType } from "../../src/base/dtype.ts";
import { float32, int16 } from "../../src/base/dtype.ts";
import { memorySource } from "../../src/base/fs.ts";
import { pickle } from "../../src/serialization/pickler.ts";
import { reduceTensor } from "../../src/serialization/reduce_tensor.ts";
import { readCheckpoint } from "../../src/serialization/read.ts";
import { swapBytes } from "../../src/serialization/persistent_id.ts";
import { ZipReader } from "../../src/serialization/zip_reader.ts";
import { ZipWriter } from "../../src/serialization/zip_writer.ts";
import { bad, bytesOf, FakeTensor, good, loadFake } from "./fixtures.ts";

/** The file that torch.save would write for a value of FakeTensors. */
function saveFake(value: unknown, name: string): Uint8Array {
  const parts: Uint8Array[] = [], zip = new ZipWriter((bytes) => void parts.push(bytes.slice()));
  const storages = new Map<string, { key: string; bytes: Uint8Array }>();
  const data = pickle(value, (object) => {
    if (!(object instanceof FakeTensor)) return undefined;
    const { storage, dtype, offset, size, stride, requiresGrad, isParameter } = object.saved;
    let entry = storages.get(storage.key);
    if (!entry) storages.set(storage.key, entry = { key: String(storages.size), bytes: object.bytes });
    const storageNumel = storage.nbytes / dtype.itemsize;
    return reduceTensor({
      dtype,
      key: entry.key,
      location: storage.location,
      storageNumel,
      offset,
      size,
      stride,
      requiresGrad,
      isParameter,
    });
  });
  zip.add(`${name}/data.pkl`, data);
  for (const { key, bytes } of [...storages.values()].sort((a, b) => a.key < b.key ? -1 : 1)) {
    zip.add(`${name}/data/${key}`, bytes);
  }
  zip.add(`${name}/version`, new TextEncoder().encode("3\n"));
  zip.finish();
  return new Uint8Array(Buffer.concat(parts));
}

/** The elements of a FakeTensor in row-major order, as bytes. */
function elements({ saved, bytes }: FakeTensor): Uint8Array {
  const { size, stride, offset, dtype: { itemsize } } = saved, out: Uint8Array[] = [];
  const walk = (dim: number, at: number): void => {
    if (dim === size.length) out.push(bytes.subarray(at * itemsize, (at + 1) * itemsize));
    else for (let i = 0; i < size[dim]!; i++) walk(dim + 1, at + i * stride[dim]!);
  };
  walk(0, offset);
  return new Uint8Array(Buffer.concat(out));
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Compares a loaded value with index.json's description of it. */
function check(got: unknown, want: Json, where: string): void {
  if (want === null || typeof want !== "object") return expect(got, where).toBe(want);
  if (Array.isArray(want)) return checkList(got, want, where);
  const only = Object.keys(want)[0]!, inner = want[only]!;
  if (only === "tensor" || only === "parameter") {
    return checkTensor(got, inner as never, only === "parameter", where);
  }
  if (only === "tuple" || only === "size") return checkList(got, inner as Json[], where);
  if (only === "float") {
    return expect(got, where).toBe(
      inner === "nan" ? NaN : Number((inner as string).replace("inf", "Infinity")),
    );
  }
  if (only === "int") return expect(got, where).toBe(BigInt(inner as string));
  if (only === "dtype" && typeof inner === "string") return expect(String(got), where).toBe(`torch.${inner}`);
  const pairs = only === "dict" && Array.isArray(inner)
    ? inner as [Json, Json][]
    : Object.entries(want) as [Json, Json][];
  const entries = got instanceof Map ? [...got] : Object.entries(got as object);
  if ("ordered" in want) expect(got, where).toBeInstanceOf(Map);
  expect(entries.length, where).toBe(pairs.length);
  pairs.forEach(([key, value], i) => {
    check(entries[i]![0], key, `${where} key ${i}`);
    check(entries[i]![1], value, `${where}.${String(key)}`);
  });
}
function checkList(got: unknown, want: Json[], where: string): void {
  expect(Array.isArray(got), where).toBe(true);
  expect((got as unknown[]).length, where).toBe(want.length);
  want.forEach((item, i) => check((got as unknown[])[i], item, `${where}[${i}]`));
}
const seen = new Map<number, Uint8Array>();
function checkTensor(
  got: unknown,
  want: {
    dtype: string;
    shape: number[];
    data: string;
    storage: number;
    stride?: number[];
    storage_offset?: number;
    requires_grad?: boolean;
  },
  parameter: boolean,
  where: string,
): void {
  expect(got, where).toBeInstanceOf(FakeTensor);
  const { saved, bytes } = got as FakeTensor;
  expect(saved.dtype.name, where).toBe(want.dtype);
  expect(saved.size, where).toEqual(want.shape);
  expect(saved.isParameter, where).toBe(parameter);
  expect(saved.requiresGrad, where).toBe(want.requires_grad ?? false);
  if (want.stride) expect([saved.stride, saved.offset], where).toEqual([want.stride, want.storage_offset]);
  expect(Buffer.from(elements(got as FakeTensor)).toString("base64"), where).toBe(want.data);
  const known = seen.get(want.storage);
  if (known) expect(bytes.byteOffset, where).toBe(known.byteOffset);
  else seen.set(want.storage, bytes);
}

describe("readCheckpoint", () => {
  it.each(good.map((f) => [f.file, f] as const))("loads %s", (file, fixture) => {
    seen.clear();
    check(loadFake(bytesOf(file)), fixture.value as Json, "value");
  });
  it.each(bad.map((f) => [f.why!, f.file] as const))("refuses %s", (_, file) => {
    expect(() => loadFake(bytesOf(file), file)).toThrow(file);
  });

  const whole = bytesOf("views.pt"), legacy = bytesOf("views_legacy.pt");
  it("refuses a zip file cut anywhere", () => {
    for (let n = 0; n < whole.length; n++) expect(() => loadFake(whole.subarray(0, n))).toThrow();
  });
  it("refuses a legacy file cut anywhere", () => {
    for (let n = 0; n < legacy.length; n++) expect(() => loadFake(legacy.subarray(0, n))).toThrow();
  });

  it("saves every zip fixture byte for byte as PyTorch did", () => {
    const same = good.filter((f) => f.format === "zip" && f.file !== "protocol4.pt"); // written with another pickle protocol
    expect(same.length).toBeGreaterThan(15);
    for (const { file } of same) {
      const saved = saveFake(loadFake(bytesOf(file)), file.slice(0, -3));
      expect(Buffer.from(saved).equals(bytesOf(file)), file).toBe(true);
    }
  });
  it("says what a file is that is no checkpoint", () => {
    const read = (bytes: Uint8Array) => () => readCheckpoint(memorySource(bytes, "x.pth"));
    expect(read(new Uint8Array(0))).toThrow("x.pth is empty (0 bytes)");
    expect(read(new TextEncoder().encode("<!DOCTYPE html>"))).toThrow(
      "x.pth is no PyTorch file: it is neither a zip archive, nor a pickle, nor a tar archive (it begins with 3c 21 44 4f",
    );
  });
});

describe("big-endian files", () => {
  it.each<[DType, number[], number[]]>([[int16, [1, 2, 3, 4], [2, 1, 4, 3]], [float32, [
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
  ], [4, 3, 2, 1, 8, 7, 6, 5]]])("turns %s round", (dtype, bytes, want) => {
    const before = Uint8Array.from(bytes);
    expect([...swapBytes(before, dtype)]).toEqual(want);
    expect([...before]).toEqual(bytes);
  });
  it("are recognised by their byteorder entry", () => {
    const parts: Uint8Array[] = [], zip = new ZipWriter((bytes) => void parts.push(bytes.slice()));
    const little = new ZipReader(memorySource(bytesOf("whole_tensor.pt"), "w"));
    for (const entry of little.entries.values()) {
      const data = little.read(entry);
      zip.add(entry.name, entry.name.includes("/data/") ? swapBytes(data, float32) : data);
    }
    zip.add("whole_tensor/byteorder", new TextEncoder().encode("big"));
    zip.finish();
    const got = loadFake(new Uint8Array(Buffer.concat(parts))) as FakeTensor,
      want = loadFake(bytesOf("whole_tensor.pt")) as FakeTensor;
    expect([...elements(got)]).toEqual([...elements(want)]);
  });
});

describe("tar files", () => {
  const block = (n: number): number => Math.ceil(n / 512) * 512;
  function tar(files: Record<string, Uint8Array>): Uint8Array {
    const parts: Uint8Array[] = [];
    for (const [name, data] of Object.entries(files)) {
      const header = new Uint8Array(512);
      const put = (at: number, s: string) => header.set(new TextEncoder().encode(s), at);
      put(0, name);
      put(124, data.length.toString(8).padStart(11, "0"));
      put(148, "        ");
      put(156, "0");
      put(148, `${header.reduce((a, b) => a + b, 0).toString(8).padStart(6, "0")}\0 `);
      const padded = new Uint8Array(block(data.length));
      padded.set(data);
      parts.push(header, padded);
    }
    return new Uint8Array(Buffer.concat([...parts, new Uint8Array(1024)]));
  }
  const raw = (...pieces: (string | Uint8Array | number[])[]): Uint8Array =>
    new Uint8Array(
      Buffer.concat(pieces.map((p) => typeof p === "string" ? Buffer.from(p, "latin1") : Buffer.from(p))),
    );
  const i64 = (...numbers: number[]): Uint8Array =>
    new Uint8Array(BigInt64Array.from(numbers, BigInt).buffer);

  const storages = raw(
    "\x80\x02K\x01.",
    "\x80\x02(K\x05U\x03cpuctorch\nFloatStorage\nt.",
    i64(4),
    new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer),
    "\x80\x02].",
  );
  const tensors = raw(
    "\x80\x02K\x01.",
    "\x80\x02(K\x09K\x05ctorch\nFloatTensor\nt.",
    [2, 0, 0, 0, 0, 0, 0, 0],
    i64(2, 2),
    i64(2, 1),
    i64(0),
  );
  const pickled = raw("\x80\x02}U\x01wU\x019Qs.");

  it("are loaded", () => {
    const got = loadFake(tar({ storages, tensors, pickle: pickled })) as { w: FakeTensor };
    expect(got.w.saved.size).toEqual([2, 2]);
    expect([...new Float32Array(elements(got.w).buffer)]).toEqual([1, 2, 3, 4]);
  });
  it.each<[string, Record<string, Uint8Array>, RegExp]>([
    ["without a pickle", { storages, tensors }, /it has no 'pickle'/],
    [
      "with cut storages",
      { storages: storages.subarray(0, 50), tensors, pickle: pickled },
      /the data of storage '5' .* is cut off/,
    ],
    [
      "with cut tensors",
      { storages, tensors: tensors.subarray(0, tensors.length - 8), pickle: pickled },
      /a tensor of 2 dimensions does not fit/,
    ],
    [
      "with a tensor that is not there",
      { storages, tensors, pickle: raw("\x80\x02U\x018Q.") },
      /tensor '8' is not in the archive/,
    ],
    ["with a tensor beyond its storage", {
      storages,
      tensors: raw(tensors.subarray(0, tensors.length - 8), i64(1)),
      pickle: pickled,
    }, /reaches beyond its storage/],
    ["with a negative size", {
      storages,
      tensors: raw(tensors.subarray(0, tensors.length - 40), i64(-2, 2, 2, 1, 0)),
      pickle: pickled,
    }, /size -2 is negative/],
  ])("are refused %s", (_, files, message) => {
    expect(() => loadFake(tar(files))).toThrow(message);
  });
  it("are refused when cut", () => {
    const bytes = tar({ storages, tensors, pickle: pickled });
    for (let n = 0; n < bytes.length - 1024 - 512; n += 7) {
      expect(() => loadFake(bytes.subarray(0, n))).toThrow();
    }
  });
});
