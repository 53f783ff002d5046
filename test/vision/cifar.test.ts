import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import "../../src/mod.ts";
import { md5 } from "../../src/vision/datasets/md5.ts";
import { CIFAR10, CIFAR100 } from "../../src/vision/datasets/mod.ts";
import { unpickleDict } from "../../src/vision/datasets/numpy_pickle.ts";
import type { Image } from "../../src/vision/image/image.ts";
import * as T from "../../src/vision/transforms/mod.ts";

const root = mkdtempSync(join(tmpdir(), "cifar-"));
afterAll(() => rmSync(root, { recursive: true }));

const join8 = (...parts: (string | Uint8Array | number[])[]): Uint8Array =>
  new Uint8Array(
    Buffer.concat(parts.map((p) => typeof p === "string" ? Buffer.from(p, "latin1") : Buffer.from(p))),
  );
const u32 = (n: number): number[] => [n & 255, (n >> 8) & 255, (n >> 16) & 255, n >>> 24];
const text = (s: string): Uint8Array => join8("U", [s.length], s); // SHORT_BINSTRING, Python 2's str

/** A NumPy array as Python 2 pickled it (with BINSTRING), or as Python 3 does (text and _codecs.encode). */
function array(rows: number, data: Uint8Array, python: 2 | 3, type = "u1"): Uint8Array {
  const raw = python === 2 ? join8("T", u32(data.length), data) : join8(
    "c_codecs\nencode\n",
    "X",
    u32(Buffer.from(data).toString("latin1").length + data.filter((b) => b > 127).length),
    Buffer.from(Buffer.from(data).toString("latin1"), "utf8"),
    "X",
    u32(6),
    "latin1",
    "\x86R",
  );
  return join8(
    "cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85",
    text("b"),
    "\x87R",
    "(K\x01K",
    [rows],
    "M",
    [data.length / rows & 255, data.length / rows >> 8],
    "\x86",
    "cnumpy\ndtype\n",
    text(type),
    "\x89\x88\x87R(K\x03",
    text("|"),
    "NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb",
    "\x89",
    raw,
    "tb",
  );
}
function dict(entries: [string, Uint8Array][]): Uint8Array {
  return join8("\x80\x02}(", ...entries.flatMap(([key, value]) => [text(key), value]), "u.");
}
const list = (items: Uint8Array[]): Uint8Array => join8("](", ...items, "e");

const pixels = (seed: number): Uint8Array => Uint8Array.from({ length: 2 * 3072 }, (_, i) => i * 7 + seed);
class Small extends CIFAR10 {}
const put = (name: string, bytes: Uint8Array): readonly [string, string] => {
  mkdirSync(join(root, "small"), { recursive: true });
  writeFileSync(join(root, "small", name), bytes);
  return [name, md5(bytes)];
};
const batch = (seed: number, python: 2 | 3, labels: number[]) =>
  dict([["data", array(2, pixels(seed), python)], ["labels", list(labels.map((n) => join8("K", [n])))]]);
Small.files = {
  ...CIFAR10.files,
  folder: "small",
  train: [put("data_batch_1", batch(1, 2, [3, 9])), put("data_batch_2", batch(2, 3, [0, 7]))],
  test: [put("test_batch", batch(3, 2, [5, 5]))],
  meta: put("batches.meta", dict([["label_names", list(["plane", "car"].map(text))]])),
};

describe("CIFAR10", () => {
  it("reads what Python 2 and Python 3 pickled", () => {
    const train = new Small(root), test = new Small(root, { train: false });
    expect([train.length, test.length]).toEqual([4, 2]);
    expect(train.targets.tolist()).toEqual([3, 9, 0, 7]);
    expect(train.classes).toEqual(["plane", "car"]);
    expect([...train.data.shape]).toEqual([4, 32, 32, 3]);
    for (const [i, seed, row] of [[1, 1, 1], [2, 2, 0]] as const) {
      const image = train.__getitem__(i)[0] as Image, at = row * 3072 + 33;
      expect(image.pixel(1, 1)).toEqual([at, at + 1024, at + 2048].map((k) => pixels(seed)[k]));
    }
    expect(String(test)).toBe(
      `Dataset Small\n    Number of datapoints: 2\n    Root location: ${root}\n    Split: Test`,
    );
  });
  it("makes batches", () => {
    const [x, y] = new Small(root, { transform: new T.ToTensor() }).__getitems__([3, 0])!;
    expect([[...x.shape], y.tolist()]).toEqual([[2, 3, 32, 32], [7, 3]]);
  });
  it("refuses files that are missing or changed", () => {
    expect(() => new CIFAR100(root)).toThrow(
      "Dataset not found or corrupted. You can use download=True to download it (there is no",
    );
    class Changed extends Small {}
    Changed.files = { ...Small.files, test: [["test_batch", "0".repeat(32)]] };
    expect(() => new Changed(root, { train: false })).toThrow(
      /test_batch has md5 [0-9a-f]{32}, but 0{32} is right/,
    );
  });
  it("does not download what is there, and leaves nothing behind where it cannot", () => {
    new Small(root, { download: true });
    const before = readdirSync(root);
    expect(() => CIFAR100.download(root, { urls: ["http://127.0.0.1:9/x"], attempts: 1, log: () => {} }))
      .toThrow("Error downloading cifar-100-python.tar.gz");
    expect(readdirSync(root)).toEqual(before);
  });
});

describe("unpickleDict", () => {
  const data = pixels(0);
  it.each<[string, Uint8Array, RegExp]>([
    ["other classes", join8("\x80\x02cos\nsystem\n."), /Unsupported class os\.system/],
    [
      "arrays of other types",
      dict([["data", array(2, data, 2, "f4")]]),
      /arrays of dtype str 'f4' are not expected here/,
    ],
    [
      "arrays of the wrong size",
      dict([[
        "data",
        array(3, data.subarray(0, 3000), 2).map((b, i, all) => i === all.indexOf(3, 60) ? 9 : b),
      ]]),
      /NumPy array/,
    ],
    ["what is no dict", join8("\x80\x02]."), /expected a dict, but got list/],
    ["a cut file", dict([["data", array(2, data, 2)]]).subarray(0, 5000), /the pickle ends after/],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => unpickleDict(bytes, "f")).toThrow(message);
  });
});
