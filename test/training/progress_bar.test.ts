import { describe, expect, it } from "vitest";
import type { Output } from "../../src/base/env.ts";
import { consoleOutput } from "../../src/base/env.ts";
import {
  bar,
  formatRate,
  formatSeconds,
  ProgressBar,
  renderProgress,
} from "../../src/training/progress_bar.ts";

function output(isTerminal: boolean, columns = 80): Output & { text: string } {
  return {
    isTerminal,
    columns,
    hasColor: false,
    text: "",
    write(text) {
      this.text += text;
    },
  };
}

describe("formatting", () => {
  it("writes durations", () => {
    expect([0, 7.4, 59.6, 61, 3599, 7267, NaN, Infinity].map(formatSeconds)).toEqual([
      "0s",
      "7s",
      "1:00",
      "1:01",
      "59:59",
      "2:01:07",
      "?",
      "?",
    ]);
  });
  it("writes rates with three digits", () => {
    expect([0.1234, 950, 999.6, 1234, 45_600_000, 2e9].map(formatRate)).toEqual([
      "0.123",
      "950",
      "1k",
      "1.23k",
      "45.6M",
      "2G",
    ]);
  });
  it("fills bars by eighths", () => {
    expect(bar(0, 4)).toBe("    ");
    expect(bar(1, 4)).toBe("████");
    expect(bar(0.5, 4)).toBe("██  ");
    expect(bar(0.28125, 4)).toBe("█▏  ");
    expect(bar(7, 2)).toBe("██");
    expect(bar(-1, 2)).toBe("  ");
  });
});

describe("renderProgress", () => {
  const state = {
    label: "epoch 1/2",
    done: 32000,
    total: 60000,
    seconds: 2,
    unit: "samples",
    fields: { loss: "0.2314" },
  };
  it("shows share, fields, rate and the time left", () => {
    expect(renderProgress(state, 200)).toBe(
      "epoch 1/2  53% |████████████████              | 32000/60000  loss 0.2314  16k samples/s  ETA 2s",
    );
  });
  it("never exceeds the width", () => {
    for (let columns = 0; columns < 120; columns++) {
      expect(renderProgress(state, columns).length).toBeLessThanOrEqual(columns);
    }
    expect(renderProgress(state, 80)).toContain("loss 0.2314");
  });
  it("does without a total", () => {
    expect(renderProgress({ ...state, total: undefined }, 100)).toBe(
      "epoch 1/2  32000 samples  loss 0.2314  16k samples/s  2s",
    );
  });
  it("has no rate at the start", () => {
    expect(renderProgress({ ...state, done: 0, seconds: 0, fields: {} }, 60)).toMatch(
      /^epoch 1\/2 {3}0% \| +\| 0\/60000 {2}0s$/,
    );
  });
});

describe("ProgressBar", () => {
  it("redraws its line at most ten times a second", () => {
    let now = 0;
    const out = output(true),
      progress = new ProgressBar({ label: "x", total: 1000, output: out, clock: () => now });
    for (let i = 0; i < 1000; i++) {
      now += 1;
      progress.update(1, { loss: String(i) });
    }
    expect(out.text.split("\r").length - 1).toBe(10);
    expect(progress.seconds).toBe(1);
    progress.finish("done");
    expect(out.text.endsWith("\r\x1b[Kdone\n")).toBe(true);
  });
  it("is silent where nobody looks, but for its last line", () => {
    const out = output(false), progress = new ProgressBar({ total: 10, output: out });
    for (let i = 0; i < 10; i++) progress.update();
    expect(out.text).toBe("");
    progress.finish("epoch 1: loss 0.2");
    progress.finish("again");
    progress.update();
    expect(out.text).toBe("epoch 1: loss 0.2\n");
  });
  it("is taken away when its block ends", () => {
    const out = output(true);
    {
      using progress = new ProgressBar({ total: 10, output: out });
      progress.update();
    }
    expect(out.text.endsWith("\r\x1b[K")).toBe(true);
  });
});

describe("consoleOutput", () => {
  it("prints whole lines", () => {
    const lines: string[] = [], out = consoleOutput((line) => void lines.push(line));
    out.write("a");
    out.write("b\nc\nd");
    expect(lines).toEqual(["ab", "c"]);
  });
});
