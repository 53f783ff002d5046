/**
 * Charts as pixels.
 *
 * @module
 */
import { Image } from "../vision/image/image.ts";
import { encodePng } from "../vision/image/png.ts";
import { type ChartOptions, layoutChart, type Series } from "./chart.ts";
import { ADVANCE, LETTER_HEIGHT, textPixels } from "./font.ts";

type Rgb = readonly [number, number, number];
const rgb = (color: string): Rgb =>
  [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16)) as unknown as Rgb;

/** Mixes a colour into a pixel. */
function blend(image: Image, x: number, y: number, color: Rgb, share: number): void {
  if (x < 0 || y < 0 || x >= image.width || y >= image.height) return;
  const at = (y * image.width + x) * 3;
  for (let c = 0; c < 3; c++) {
    image.data[at + c] = Math.round(image.data[at + c]! * (1 - share) + color[c]! * share);
  }
}

/** Draws polylines into `coverage` (0 to 1 per pixel), so that overlapping pieces of one line do not darken each other. */
function strokeCoverage(
  points: readonly (readonly [number, number])[],
  width: number,
  size: readonly [number, number],
): Map<number, number> {
  const covered = new Map<number, number>(), reach = width / 2 + 0.5;
  for (let i = 0; i + 1 < points.length; i++) {
    const [ax, ay] = points[i]!,
      [bx, by] = points[i + 1]!,
      dx = bx - ax,
      dy = by - ay,
      length2 = dx * dx + dy * dy;
    // Pixel centres are at whole numbers plus one half.
    const x1 = Math.min(size[0] - 1, Math.floor(Math.max(ax, bx) + reach)),
      y1 = Math.min(size[1] - 1, Math.floor(Math.max(ay, by) + reach));
    for (let y = Math.max(0, Math.floor(Math.min(ay, by) - reach)); y <= y1; y++) {
      for (let x = Math.max(0, Math.floor(Math.min(ax, bx) - reach)); x <= x1; x++) {
        const vx = x + 0.5 - ax, vy = y + 0.5 - ay;
        const u = length2 > 0 ? Math.min(1, Math.max(0, (vx * dx + vy * dy) / length2)) : 0;
        const share = Math.min(1, reach - Math.hypot(vx - u * dx, vy - u * dy)), at = y * size[0] + x;
        if (share > (covered.get(at) ?? 0)) covered.set(at, share);
      }
    }
  }
  return covered;
}

/** A picture of a chart of the given lines. */
export function chartImage(series: readonly Series[], options: ChartOptions = {}): Image {
  const { width, height, shapes } = layoutChart(series, options), image = new Image(width, height, "RGB");
  image.data.fill(255);
  for (const shape of shapes) {
    const color = rgb(shape.color);
    if (shape.kind === "line") {
      for (const [at, share] of strokeCoverage(shape.points, shape.width, [width, height])) {
        blend(image, at % width, Math.floor(at / width), color, share);
      }
    } else {
      const length = shape.text.length * ADVANCE - 1;
      const left = Math.round(
        shape.x - (shape.anchor === "end" ? length : shape.anchor === "middle" ? length / 2 : 0),
      );
      const top = Math.round(shape.y) - LETTER_HEIGHT;
      for (const [x, y] of textPixels(shape.text)) blend(image, left + x, top + y, color, 1);
    }
  }
  return image;
}

/** The bytes of a PNG file with a chart of the given lines. */
export function chartPng(series: readonly Series[], options: ChartOptions = {}): Uint8Array {
  return encodePng(chartImage(series, options));
}
