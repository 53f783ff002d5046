import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { rotate } from "../../src/vision/image/affine.ts";
import { convert } from "../../src/vision/image/colour.ts";
import { crop, flipHorizontal, flipVertical, pad, turn } from "../../src/vision/image/geometry.ts";
import { Image, type ImageMode } from "../../src/vision/image/image.ts";
import { resize } from "../../src/vision/image/resize.ts";

interface Recorded {
  sources: Record<string, { size: [number, number]; mode: ImageMode; data: string }>;
  cases: { op: keyof typeof operations; source: string; args: never[]; data: string }[];
}
const operations = { resize, rotate, pad, crop, flipHorizontal, flipVertical, convert };
const recorded: Recorded = JSON.parse(
  readFileSync(new URL("../fixtures/pillow.json", import.meta.url), "utf8"),
);
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "base64"));

describe("image operations give Pillow's bytes", () => {
  for (const op of Object.keys(operations) as (keyof typeof operations)[]) {
    it(op, () => {
      const cases = recorded.cases.filter((c) => c.op === op);
      expect(cases.length).toBeGreaterThan(0);
      for (const { source, args, data } of cases) {
        const { size, mode, data: pixels } = recorded.sources[source]!;
        const image = new Image(size[0], size[1], mode, bytes(pixels));
        const got = (operations[op] as (image: Image, ...args: unknown[]) => Image)(image, ...args);
        expect([...got.data], `${op}(${source}, ${JSON.stringify(args)})`).toEqual([...bytes(data)]);
      }
    });
  }
});

describe("Image", () => {
  it("checks its size and bytes", () => {
    expect(() => new Image(2, 2, "RGB", new Uint8Array(11))).toThrow(
      "Image(): expected 12 bytes for 2 x 2 pixels of mode RGB, but got 11",
    );
    expect(() => new Image(-1, 2)).toThrow("impossible size -1 x 2");
  });
  it("knows its pixels", () => {
    const image = new Image(2, 1, "RGB", Uint8Array.of(1, 2, 3, 4, 5, 6));
    expect(image.pixel(1, 0)).toEqual([4, 5, 6]);
    expect(image.size).toEqual([2, 1]);
    expect(image.channels).toBe(3);
  });
  it("turned four times is itself", () => {
    const image = new Image(3, 2, "LA", Uint8Array.from({ length: 12 }, (_, i) => i));
    expect(turn(image, 4).data).toEqual(image.data);
    expect(turn(turn(turn(turn(image, 1), 1), 1), 1).data).toEqual(image.data);
    expect(turn(image, -1).data).toEqual(turn(image, 3).data);
  });
});
