/**
 * Charts as SVG.
 *
 * @module
 */
import { type ChartOptions, layoutChart, type Series } from "./chart.ts";

const escape = (text: string): string => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
const number = (n: number): string => String(Math.round(n * 10) / 10);

/** The text of an SVG file with a chart of the given lines. */
export function chartSvg(series: readonly Series[], options: ChartOptions = {}): string {
  const { width, height, shapes } = layoutChart(series, options);
  const body = shapes.map((shape) => {
    if (shape.kind === "text") {
      const { x, y, anchor, color, text } = shape;
      return `<text x="${number(x)}" y="${number(y)}" text-anchor="${anchor}" fill="${color}">${
        escape(text)
      }</text>`;
    }
    const points = shape.points.map(([x, y]) => `${number(x)},${number(y)}`).join(" ");
    return `<polyline points="${points}" stroke="${shape.color}" stroke-width="${shape.width}"/>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ` +
    `font-family="sans-serif" font-size="12" fill="none" stroke-linejoin="round">`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    ...body,
    "</svg>\n",
  ].join("\n");
}
