/**
 * A line that shows how far a loop is, rewritten in place on a terminal and silent elsewhere.
 *
 * @module
 */
import { type Output, stderr } from "../base/env.ts";

/** What a progress bar shows. */
export interface ProgressState {
  /** In front of the bar: `epoch 1/5`. */
  label: string;
  /** Done and all; `total` may be unknown. */
  done: number;
  total: number | undefined;
  /** Since the start, in seconds. */
  seconds: number;
  /** What is counted: `samples`. */
  unit: string;
  /** Behind the bar: `{ loss: "0.2314" }`. */
  fields: Readonly<Record<string, string>>;
}

const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** A duration as `7s`, `1:07` or `2:01:07`. */
export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return "?";
  const s = Math.max(0, Math.round(seconds)), two = (n: number): string => String(n).padStart(2, "0");
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}:${two(s % 60)}`;
  return `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
}

/** A rate with three digits: `950`, `1.23k`, `45.6M`. */
export function formatRate(rate: number): string {
  for (const [size, letter] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]] as const) {
    if (rate >= size * 0.9995) return `${Number((rate / size).toPrecision(3))}${letter}`;
  }
  return String(Number(rate.toPrecision(3)));
}

/** A bar of `width` characters, filled to `share`. */
export function bar(share: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * width * 8), full = Math.floor(eighths / 8);
  return ("█".repeat(full) + EIGHTHS[eighths % 8]).padEnd(width, " ");
}

/** The line for a state, at most `columns` characters long: first the bar shrinks, then the end is cut. */
export function renderProgress(state: ProgressState, columns: number): string {
  const { label, done, total, seconds, unit, fields } = state;
  const rate = seconds > 0 ? done / seconds : 0, parts: string[] = [];
  if (total !== undefined) parts.push(`${done}/${total}`);
  else parts.push(`${done} ${unit}`);
  for (const [name, value] of Object.entries(fields)) parts.push(`${name} ${value}`);
  if (rate > 0) parts.push(`${formatRate(rate)} ${unit}/s`);
  if (total !== undefined && done < total && rate > 0) {
    parts.push(`ETA ${formatSeconds((total - done) / rate)}`);
  } else parts.push(formatSeconds(seconds));
  const text = parts.join("  ");
  if (total === undefined || total === 0) return `${label}  ${text}`.slice(0, columns);
  const share = done / total, percent = `${Math.floor(share * 100)}%`.padStart(4);
  const room = Math.min(30, columns - label.length - text.length - 10);
  return `${label} ${percent} ${room >= 5 ? `|${bar(share, room)}| ` : " "}${text}`.slice(0, columns);
}

/** Options of a progress bar. */
export interface ProgressOptions {
  label?: string;
  total?: number;
  unit?: string;
  /** Where it is drawn; standard error by default, so that results can be piped. */
  output?: Output;
  /** Now, in milliseconds; for tests. */
  clock?: () => number;
}

/** Redrawing more often than this costs time and shows nothing. */
const INTERVAL_MS = 100;

/**
 * Shows how far a loop is.
 *
 * ```ts
 * const progress = new ProgressBar({ label: "epoch 1/2", total: loader.length * 32, unit: "samples" });
 * for (const [x, y] of loader) {
 *   progress.update(x.shape[0], { loss: loss.item().toFixed(4) });
 * }
 * progress.finish();
 * ```
 */
export class ProgressBar {
  readonly #output: Output;
  readonly #clock: () => number;
  readonly #state: ProgressState;
  readonly #start: number;
  #drawnAt = -Infinity;
  #open = true;

  constructor(
    { label = "", total, unit = "it", output = stderr, clock = () => performance.now() }: ProgressOptions =
      {},
  ) {
    this.#output = output;
    this.#clock = clock;
    this.#start = clock();
    this.#state = { label, done: 0, total, seconds: 0, unit, fields: {} };
  }

  /** Seconds since the start. */
  get seconds(): number {
    return (this.#clock() - this.#start) / 1000;
  }

  /** Counts `n` more and shows `fields` behind the bar. */
  update(n = 1, fields?: Readonly<Record<string, string>>): void {
    this.#state.done += n;
    if (fields !== undefined) this.#state.fields = fields;
    if (!this.#output.isTerminal || !this.#open) return;
    const now = this.#clock();
    if (now - this.#drawnAt < INTERVAL_MS) return;
    this.#drawnAt = now;
    this.#draw();
  }

  #draw(): void {
    this.#state.seconds = this.seconds;
    // Back to the margin, then erase what is left of a longer line.
    this.#output.write(`\r${renderProgress(this.#state, this.#output.columns - 1)}\x1b[K`);
  }

  /** Takes the bar away, or leaves `line` in its place (also where there is no terminal). */
  finish(line?: string): void {
    if (!this.#open) return;
    this.#open = false;
    if (this.#output.isTerminal) this.#output.write("\r\x1b[K");
    if (line !== undefined) this.#output.write(`${line}\n`);
  }

  [Symbol.dispose](): void {
    this.finish();
  }
}
