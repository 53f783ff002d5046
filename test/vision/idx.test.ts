import { gzipSync } from "node:zlib";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { parseIdx, readIdxFile, readImages, readLabels } from "../../src/vision/datasets/idx.ts";

function idx(type: number, shape: number[], data: number[]): Uint8Array {
  const head = new DataView(new ArrayBuffer(4 + 4 * shape.length));
  head.setUint32(0, (type << 8) | shape.length);
  shape.forEach((n, i) => head.setUint32(4 + 4 * i, n));
  return Uint8Array.from([...new Uint8Array(head.buffer), ...data]);
}
const folder = mkdtempSync(join(tmpdir(), "idx-"));
afterAll(() => rmSync(folder, { recursive: true }));
function file(name: string, bytes: Uint8Array): string {
  writeFileSync(join(folder, name), bytes);
  return join(folder, name.replace(/\.gz$/, ""));
}

describe("parseIdx", () => {
  it("gives shape and elements", () => {
    expect(parseIdx(idx(8, [2, 3], [1, 2, 3, 4, 5, 6]), "f")).toEqual({
      type: "uint8",
      shape: [2, 3],
      data: Uint8Array.of(1, 2, 3, 4, 5, 6),
    });
    expect(parseIdx(idx(8, [0, 28, 28], []), "f").shape).toEqual([0, 28, 28]);
  });
  it.each<[string, Uint8Array, string]>([
    ["nothing", new Uint8Array(0), "f: expected an IDX file, but got 0 bytes"],
    [
      "a wrong magic number",
      Uint8Array.of(0x1f, 0x8b, 8, 3, 0, 0),
      "f: expected an IDX file, but its magic number is 0x1f8b0803",
    ],
    ["an unknown type", idx(10, [1], [1]), "f: expected an IDX file, but its magic number is 0x00000a01"],
    [
      "no dimensions",
      idx(8, [], [1]),
      "f: expected 1 to 8 dimensions, but its magic number 0x00000800 says 0",
    ],
    ["a cut header", idx(8, [2, 3], []).subarray(0, 9), "f: expected a header of 12 bytes, but got 9 bytes"],
    [
      "too few elements",
      idx(8, [2, 3], [1, 2, 3, 4, 5]),
      "f: expected 18 bytes for shape [2, 3] of uint8, but got 17: it is cut off",
    ],
    [
      "too many elements",
      idx(8, [2], [1, 2, 3]),
      "f: expected 10 bytes for shape [2] of uint8, but got 11: there is something behind its end",
    ],
    ["a shape beyond any memory", idx(8, [0xffffffff, 0xffffffff], [1]), "it is cut off"],
    [
      "wide elements counted in bytes",
      idx(13, [2], [1, 2, 3, 4]),
      "f: expected 16 bytes for shape [2] of float32, but got 12: it is cut off",
    ],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => parseIdx(bytes, "f")).toThrow(message);
  });
});

describe("readIdxFile", () => {
  const bytes = idx(8, [4], [9, 8, 7, 6]), packed = new Uint8Array(gzipSync(bytes));
  it("takes the unpacked file, or the gzip file", () => {
    expect(readIdxFile(file("plain", bytes))?.data).toEqual(Uint8Array.of(9, 8, 7, 6));
    expect(readIdxFile(file("packed.gz", packed))?.data).toEqual(Uint8Array.of(9, 8, 7, 6));
    expect(readIdxFile(join(folder, "absent"))).toBeUndefined();
  });
  it.each<[string, Uint8Array]>([
    ["cut", packed.subarray(0, packed.length - 3)],
    ["changed", packed.map((b, i) => i === packed.length - 10 ? b ^ 1 : b)],
    ["with a wrong checksum", packed.map((b, i) => i === packed.length - 6 ? b ^ 1 : b)],
    ["no gzip at all", bytes],
  ])("refuses a gzip file that is %s, by name", (_, broken) => {
    const path = file("broken.gz", broken);
    expect(() => readIdxFile(path)).toThrow(`${path}.gz: not a whole gzip file (`);
  });
  it("wants images to have three dimensions and labels one", () => {
    expect(() => readImages(file("labels", bytes))).toThrow("x should have 3 dimension instead of 1");
    expect(() => readLabels(file("images", idx(8, [1, 1, 1], [5])))).toThrow(
      "x should have 1 dimension instead of 3",
    );
    expect(() => readLabels(file("words", idx(9, [1], [5])))).toThrow(
      "x should be of dtype torch.uint8 instead of torch.int8",
    );
  });
});
