/**
 * Line charts, laid out once and drawn as SVG (`chart_svg.ts`) or as pixels (`chart_png.ts`).
 *
 * @module
 */

/** One line of a chart. */
export interface Series {
  name: string;
  /** Values; those that are not finite leave a gap. */
  y: readonly number[];
  /** Positions; 0, 1, 2, ... if not given. */
  x?: readonly number[];
  /** `#rrggbb`; chosen from a palette if not given. */
  color?: string;
}

/** What a chart looks like. */
export interface ChartOptions {
  title?: string;
  xLabel?: string;
  yLabel?: string;
  width?: number;
  height?: number;
}

/** Something drawn, in pixels from the top left corner. */
export type Shape =
  | { kind: "line"; points: readonly (readonly [number, number])[]; color: string; width: number }
  | { kind: "text"; x: number; y: number; text: string; anchor: "start" | "middle" | "end"; color: string };

/** A chart ready to be drawn. */
export interface Drawing {
  width: number;
  height: number;
  shapes: Shape[];
}

/** Colours that also colour-blind readers tell apart (Okabe and Ito, 2008). */
const PALETTE = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
const INK = "#333333", GRID = "#dddddd";
const MARGIN = { left: 58, right: 16, top: 30, bottom: 42 };

/** Round numbers that cover `low .. high` in about `count` steps of 1, 2 or 5 times a power of ten. */
export function ticks(low: number, high: number, count = 6): number[] {
  const span = high > low ? high - low : Math.abs(low) || 1,
    raw = span / count,
    power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5, 10].find((m) => m * power >= raw * 0.999) ?? 10);
  const first = Math.ceil(low / step - 1e-9), last = Math.floor((low + span) / step + 1e-9);
  return Array.from(
    { length: Math.max(0, last - first + 1) },
    (_, i) => Number(((first + i) * step).toPrecision(12)),
  );
}

function tickText(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e6 || (size > 0 && size < 1e-3)) return value.toExponential().replace("e+", "e");
  return String(Number(value.toPrecision(6)));
}

/** Runs of finite points, thinned to the lowest and highest of each pixel column where there are many. */
function runs(series: Series, toX: (x: number) => number, toY: (y: number) => number): [number, number][][] {
  const out: [number, number][][] = [];
  let run: [number, number][] = [];
  series.y.forEach((value, i) => {
    if (Number.isFinite(value)) run.push([toX(series.x?.[i] ?? i), toY(value)]);
    else if (run.length > 0) {
      out.push(run);
      run = [];
    }
  });
  if (run.length > 0) out.push(run);
  return out.map(thin);
}

function thin(points: [number, number][]): [number, number][] {
  const out: [number, number][] = [];
  for (let i = 0; i < points.length;) {
    const column = Math.floor(points[i]![0]);
    let low = i, high = i, end = i;
    for (; end < points.length && Math.floor(points[end]![0]) === column; end++) {
      if (points[end]![1] < points[low]![1]) low = end;
      if (points[end]![1] > points[high]![1]) high = end;
    }
    const kept = new Set([i, low, high, end - 1].sort((a, b) => a - b)); // the column's first and last keep the line whole
    for (const k of kept) out.push(points[k]!);
    i = end;
  }
  return out;
}

/** Lays out a chart of the given lines. */
export function layoutChart(series: readonly Series[], options: ChartOptions = {}): Drawing {
  const { width = 640, height = 400, title, xLabel, yLabel } = options;
  const left = MARGIN.left, right = width - MARGIN.right, top = MARGIN.top, bottom = height - MARGIN.bottom;
  const xs = series.flatMap((s) => s.y.map((_, i) => s.x?.[i] ?? i)),
    ys = series.flatMap((s) => s.y).filter(Number.isFinite);
  const [x0, x1] = extent(xs),
    [yLow, yHigh] = extent(ys),
    room = (yHigh - yLow || Math.abs(yHigh) || 1) * 0.05;
  const y0 = yLow >= 0 && yLow <= room ? 0 : yLow - room, y1 = yHigh + room;
  const toX = (x: number): number => left + (x - x0) / (x1 - x0 || 1) * (right - left);
  const toY = (y: number): number => bottom - (y - y0) / (y1 - y0) * (bottom - top);

  const shapes: Shape[] = [];
  const line = (points: [number, number][], color: string, thickness: number): void => {
    shapes.push({ kind: "line", points, color, width: thickness });
  };
  const text = (x: number, y: number, t: string, anchor: "start" | "middle" | "end", color = INK): void => {
    shapes.push({ kind: "text", x, y, text: t, anchor, color });
  };
  for (const y of ticks(y0, y1)) {
    line([[left, toY(y)], [right, toY(y)]], GRID, 1);
    text(left - 6, toY(y) + 4, tickText(y), "end");
  }
  for (const x of ticks(x0, x1, 8)) {
    line([[toX(x), bottom], [toX(x), bottom + 4]], INK, 1);
    text(toX(x), bottom + 17, tickText(x), "middle");
  }
  line([[left, top], [left, bottom], [right, bottom]], INK, 1);
  series.forEach((s, i) => {
    for (const run of runs(s, toX, toY)) line(run, s.color ?? PALETTE[i % PALETTE.length]!, 1.5);
  });
  if (title !== undefined) text((left + right) / 2, 18, title, "middle");
  if (xLabel !== undefined) text((left + right) / 2, height - 8, xLabel, "middle");
  if (yLabel !== undefined) text(8, 18, yLabel, "start");
  if (series.length > 1) {
    series.forEach((s, i) => {
      const color = s.color ?? PALETTE[i % PALETTE.length]!, y = top + 14 + 16 * i;
      line([[right - 26, y - 4], [right - 8, y - 4]], color, 2);
      text(right - 32, y, s.name, "end");
    });
  }
  return { width, height, shapes };
}

function extent(values: readonly number[]): [number, number] {
  let low = Infinity, high = -Infinity;
  for (const v of values) {
    if (v < low) low = v;
    if (v > high) high = v;
  }
  return low <= high ? [low, high] : [0, 1];
}
