import { inflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { crc32 } from "../../src/base/crc32.ts";
import { layoutChart, ticks } from "../../src/training/chart.ts";
import { chartImage, chartPng } from "../../src/training/chart_png.ts";
import { chartSvg } from "../../src/training/chart_svg.ts";
import { Image, type ImageMode } from "../../src/vision/image/image.ts";
import { encodePng, zlibStored } from "../../src/vision/image/png.ts";

describe("ticks", () => {
  it("are round and inside", () => {
    expect(ticks(0, 1)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
    expect(ticks(0.13, 2.4)).toEqual([0.5, 1, 1.5, 2]);
    expect(ticks(-30, 30)).toEqual([-30, -20, -10, 0, 10, 20, 30]);
    expect(ticks(0, 3750, 8)).toEqual([0, 500, 1000, 1500, 2000, 2500, 3000, 3500]);
    expect(ticks(1e-7, 3e-7)).toEqual([1e-7, 1.5e-7, 2e-7, 2.5e-7, 3e-7]);
  });
  it("exist even where there is no span", () => {
    expect(ticks(5, 5).length).toBeGreaterThan(0);
    expect(ticks(0, 0)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
  });
});

const lines = (svg: string): string[][] =>
  [...svg.matchAll(/<polyline points="([^"]*)" stroke="#0072b2"/g)].map((m) => m[1]!.split(" "));

describe("chartSvg", () => {
  it("draws each run of finite values", () => {
    const drawn = lines(chartSvg([{ name: "loss", y: [3, 2, NaN, 1, 1, 1] }]));
    expect(drawn.map((points) => points.length)).toEqual([2, 3]);
    expect(drawn[0]![0]).toMatch(/^58,/); // at the left axis
    expect(drawn[1]!.at(-1)).toMatch(/^624,/); // at the right margin
  });
  it("keeps the extremes of many points and drops the rest", () => {
    const y = Array.from({ length: 100_000 }, (_, i) => i === 77_777 ? 50 : Math.sin(i));
    const [points] = lines(chartSvg([{ name: "loss", y }]));
    expect(points!.length).toBeLessThan(2500);
    const top = Math.min(...points!.map((p) => Number(p.split(",")[1])));
    expect(points!.filter((p) => Number(p.split(",")[1]) === top).length).toBe(1);
  });
  it("escapes texts and names several lines", () => {
    const svg = chartSvg([{ name: "a<b", y: [1, 2] }, { name: "c", y: [2, 1], color: "#123456" }], {
      title: `"x" & y`,
      xLabel: "step",
      yLabel: "loss",
    });
    expect(svg).toContain(">a&#60;b</text>");
    expect(svg).toContain(">&#34;x&#34; &#38; y</text>");
    expect(svg).toContain('stroke="#123456"');
    expect(svg).not.toContain("NaN");
  });
  it("draws an empty chart", () => {
    for (const series of [[], [{ name: "x", y: [] }], [{ name: "x", y: [NaN] }], [{ name: "x", y: [5] }]]) {
      expect(chartSvg(series)).not.toMatch(/NaN|Infinity/);
    }
  });
  it("begins the y axis at 0 where the values come near it", () => {
    const texts = (y: number[]) =>
      layoutChart([{ name: "x", y }]).shapes.flatMap((s) =>
        s.kind === "text" && s.anchor === "end" ? [s.text] : []
      );
    expect(texts([0.01, 2])[0]).toBe("0");
    expect(texts([10, 11])[0]).toBe("10");
  });
});

/** The pixels of a PNG without filters. */
function decode(png: Uint8Array): { width: number; height: number; type: number; pixels: Uint8Array } {
  const view = new DataView(png.buffer, png.byteOffset);
  expect([...png.subarray(0, 8)]).toEqual([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const chunks = new Map<string, Uint8Array>();
  for (let at = 8; at < png.length;) {
    const length = view.getUint32(at), name = new TextDecoder().decode(png.subarray(at + 4, at + 8));
    expect(view.getUint32(at + 8 + length)).toBe(crc32(png.subarray(at + 4, at + 8 + length)));
    chunks.set(name, png.subarray(at + 8, at + 8 + length));
    at += 12 + length;
  }
  expect([...chunks.keys()]).toEqual(["IHDR", "IDAT", "IEND"]);
  const head = chunks.get("IHDR")!,
    headView = new DataView(head.buffer, head.byteOffset),
    width = headView.getUint32(0),
    height = headView.getUint32(4);
  const raw = new Uint8Array(inflateSync(chunks.get("IDAT")!)), row = raw.length / height;
  const pixels = new Uint8Array(raw.length - height);
  for (let y = 0; y < height; y++) {
    expect(raw[y * row]).toBe(0);
    pixels.set(raw.subarray(y * row + 1, (y + 1) * row), y * (row - 1));
  }
  return { width, height, type: head[9]!, pixels };
}

describe("encodePng", () => {
  it.each<[ImageMode, number]>([["L", 0], ["LA", 4], ["RGB", 2], ["RGBA", 6]])(
    "keeps every pixel of mode %s",
    (mode, type) => {
      const image = new Image(7, 5, mode);
      for (let i = 0; i < image.data.length; i++) image.data[i] = i * 31;
      expect(decode(encodePng(image))).toEqual({ width: 7, height: 5, type, pixels: image.data });
    },
  );
  it("has stored blocks where there is no zlib", () => {
    for (const n of [0, 1, 65535, 65536, 200_000]) {
      const bytes = Uint8Array.from({ length: n }, (_, i) => i * 7);
      expect(inflateSync(zlibStored(bytes)).equals(bytes)).toBe(true);
    }
  });
});

describe("chartPng", () => {
  it("draws the line where it belongs", () => {
    const image = chartImage([{ name: "x", y: [0, 1], color: "#ff0000" }], { width: 200, height: 150 });
    const red: [number, number][] = [];
    for (let y = 0; y < 150; y++) {
      for (let x = 0; x < 200; x++) {
        if (image.pixel(x, y)[0] === 255 && image.pixel(x, y)[1]! < 100) red.push([x, y]);
      }
    }
    expect(red.length).toBeGreaterThan(100);
    for (const [x, y] of red) { // from (58, 108) to (184, about 34), the middle in between
      const along = (x - 58) / (184 - 58);
      expect(Math.abs(y - (108 - along * (108 - 33.7)))).toBeLessThan(2.5);
    }
    expect(decode(chartPng([{ name: "x", y: [0, 1] }])).width).toBe(640);
  });
  it("writes its texts", () => {
    const dark = (title: string): number =>
      chartImage([], { title, width: 200, height: 100 }).data.filter((v) => v < 100).length;
    expect(dark("loss")).toBeGreaterThan(dark(""));
    expect(dark("\u2603")).toBeGreaterThan(dark("")); // a box for a letter that is not there
  });
});
