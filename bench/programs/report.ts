/** The results of bench/run.ts as a page and as charts: plain text in, text out. */

export interface Spread {
  median: number;
  low: number;
  high: number;
}
export interface Result {
  name: string;
  threads: number;
  /** Milliseconds by contender. */
  ms: Record<string, Spread>;
  /** How many times as fast as the fastest PyTorch, by engine. */
  ratio: Record<string, number>;
}
export interface Report {
  machine: { processor: string; cores: number };
  date: string;
  versions: Record<string, string>;
  rounds: number;
  engines: string[];
  results: Result[];
}

const COLOURS = ["#2a6fdb", "#2e9e5b", "#c0612b", "#7a4fbf"];
const LEFT = 270, RIGHT = 60, WIDTH = 860, BAR = 8, TOP = 50;

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** Where a ratio stands on the logarithmic axis. */
function place(ratio: number, low: number, high: number): number {
  const share = Math.log(ratio / low) / Math.log(high / low);
  return LEFT + (WIDTH - LEFT - RIGHT) * Math.min(1, Math.max(0, share));
}

/** Bars of the ratios for one number of threads, as SVG; the line at 1 is PyTorch. */
export function chart(report: Report, threads: number): string {
  const rows = report.results.filter((r) => r.threads === threads && Object.keys(r.ratio).length > 0);
  const all = rows.flatMap((r) => Object.values(r.ratio));
  const low = Math.min(0.5, ...all) / 1.1, high = Math.max(2, ...all) * 1.1;
  const each = BAR * report.engines.length + 8, height = TOP + each * rows.length + 20;
  const at = (ratio: number): number => Math.round(10 * place(ratio, low, high)) / 10;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${height}" fill="white"/>`,
    `<text x="10" y="18" font-size="14">Times as fast as PyTorch, ${threads} thread${
      threads === 1 ? "" : "s"
    }</text>`,
  ];
  report.engines.forEach((engine, i) => {
    const x = LEFT + 130 * i;
    parts.push(`<rect x="${x}" y="28" width="10" height="10" fill="${COLOURS[i % COLOURS.length]}"/>`);
    parts.push(`<text x="${x + 15}" y="37">${escaped(engine)}</text>`);
  });
  for (const tick of [0.1, 0.2, 0.5, 1, 2, 5, 10, 20].filter((t) => t >= low && t <= high)) {
    const colour = tick === 1 ? "#333" : "#ddd";
    parts.push(
      `<line x1="${at(tick)}" x2="${at(tick)}" y1="${TOP}" y2="${height - 18}" stroke="${colour}"/>`,
    );
    parts.push(`<text x="${at(tick)}" y="${height - 5}" text-anchor="middle" fill="#666">${tick}</text>`);
  }
  rows.forEach((row, r) => {
    const y = TOP + each * r + 4;
    parts.push(`<text x="${LEFT - 8}" y="${y + each / 2}" text-anchor="end">${escaped(row.name)}</text>`);
    report.engines.forEach((engine, i) => {
      const ratio = row.ratio[engine];
      if (ratio === undefined) return;
      const from = Math.min(at(1), at(ratio)), width = Math.max(1, Math.abs(at(ratio) - at(1)));
      const top = y + BAR * i, end = ratio >= 1 ? at(ratio) + 4 : at(ratio) - 4;
      parts.push(
        `<rect x="${from}" y="${top}" width="${width}" height="${BAR - 1}" fill="${COLOURS[i % 4]}"/>`,
      );
      parts.push(
        `<text x="${end}" y="${top + BAR - 1}" font-size="9" text-anchor="${ratio >= 1 ? "start" : "end"}">${
          ratio.toFixed(2)
        }</text>`,
      );
    });
  });
  return `${parts.join("\n")}\n</svg>\n`;
}

function table(report: Report, threads: number): string {
  const names = Object.keys(report.versions);
  const head = ["workload", ...names.map((n) => `${n}, ms`), ...report.engines.map((e) => `${e}: ratio`)];
  const rows = report.results.filter((r) => r.threads === threads).map(({ name, ms, ratio }) => {
    const times = names.map((n) => {
      const t = ms[n];
      return t === undefined
        ? ""
        : `<b>${t.median.toFixed(4)}</b> (${t.low.toFixed(4)} to ${t.high.toFixed(4)})`;
    });
    return [escaped(name), ...times, ...report.engines.map((e) => ratio[e]?.toFixed(2) ?? "")];
  });
  const line = (cells: string[], tag: string): string =>
    `<tr>${cells.map((c) => `<${tag}>${c}</${tag}>`).join("")}</tr>`;
  return `<table>${line(head.map(escaped), "th")}\n${rows.map((r) => line(r, "td")).join("\n")}\n</table>`;
}

/** The whole report as one HTML file. */
export function page(report: Report): string {
  const { machine, versions, rounds, date } = report;
  const threads = [...new Set(report.results.map((r) => r.threads))];
  const sections = threads.map((n) =>
    `<h2>${n} thread${n === 1 ? "" : "s"}</h2>\n${chart(report, n)}\n${table(report, n)}`
  );
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>tstorch: benchmark</title>
<style>body{font:14px sans-serif;margin:2em;max-width:70em}table{border-collapse:collapse}
td,th{padding:2px 10px;border-bottom:1px solid #ddd;text-align:right}td:first-child{text-align:left}</style>
<h1>tstorch and PyTorch</h1>
<p>${escaped(machine.processor)}, ${machine.cores} cores; ${
    escaped(Object.values(versions).join("; "))
  }; ${date}.
Medians of ${rounds} round${
    rounds === 1 ? "" : "s"
  } (lowest to highest), all contenders in turn. Ratios are to the
faster PyTorch; above 1 is faster than it.</p>
${sections.join("\n")}
</html>
`;
}
