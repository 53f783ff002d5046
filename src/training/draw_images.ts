/**
 * Pictures in a terminal: two pixels above each other make one character.
 *
 * @module
 */
import type { Image } from "../vision/image/image.ts";

/** A picture with a line of text below it. */
export interface Captioned {
  image: Image;
  caption: string;
}

/** How to draw. */
export interface DrawOptions {
  /** Shades of gray by 24-bit colours; otherwise black and white. */
  color?: boolean;
  /** The terminal's width. */
  columns?: number;
}

const GAP = 2;
const BLOCKS = [" ", "▄", "▀", "█"];

/** The brightness of a pixel, 0 outside of the picture. */
function brightness(image: Image, x: number, y: number): number {
  if (y >= image.height) return 0;
  const [r, g = r, b = r] = image.channels >= 3
    ? image.pixel(x, y) as [number, number, number]
    : [image.pixel(x, y)[0]!];
  return Math.round((r! + g! + b!) / 3);
}

/** The lines of one picture, each `image.width` characters wide. */
export function drawImage(image: Image, { color = false }: DrawOptions = {}): string[] {
  const lines: string[] = [];
  for (let y = 0; y < image.height; y += 2) {
    let line = "", last = "";
    for (let x = 0; x < image.width; x++) {
      const top = brightness(image, x, y), low = brightness(image, x, y + 1);
      if (!color) {
        line += BLOCKS[(top > 127 ? 2 : 0) + (low > 127 ? 1 : 0)];
        continue;
      }
      const style = `\x1b[38;2;${top};${top};${top};48;2;${low};${low};${low}m`;
      line += (style === last ? "" : style) + "▀";
      last = style;
    }
    lines.push(color ? `${line}\x1b[0m` : line);
  }
  return lines;
}

/** Pictures side by side, as many as fit into a line, with their captions below. */
export function drawImages(
  pictures: readonly Captioned[],
  { color = false, columns = 80 }: DrawOptions = {},
): string {
  const out: string[] = [];
  let row: Captioned[] = [], width = 0;
  const flush = (): void => {
    if (row.length === 0) return;
    const blocks = row.map(({ image }) => drawImage(image, { color }));
    for (let i = 0; i < Math.max(...blocks.map((b) => b.length)); i++) {
      out.push(blocks.map((b, k) => b[i] ?? " ".repeat(row[k]!.image.width)).join(" ".repeat(GAP)).trimEnd());
    }
    out.push(
      row.map(({ image, caption }) => caption.slice(0, image.width).padEnd(image.width)).join(" ".repeat(GAP))
        .trimEnd(),
    );
    row = [];
    width = 0;
  };
  for (const picture of pictures) {
    const needed = picture.image.width + (row.length > 0 ? GAP : 0);
    if (row.length > 0 && width + needed > columns) flush();
    width += row.length > 0 ? needed : picture.image.width;
    row.push(picture);
  }
  flush();
  return out.join("\n");
}
