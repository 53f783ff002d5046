import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { stderr, stdout } from "../src/base/env.ts";
import * as torch from "../src/mod.ts";
import { main } from "../train_mnist.ts";

const folder = mkdtempSync(join(tmpdir(), "train-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Whether `run` presses Ctrl-C once training has begun: the signal arrives when the loop first lets events in. */
let interrupt = false;

/** Runs the program and returns its exit status and what it printed. */
async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = "", err = "";
  const spies = [
    vi.spyOn(stdout, "write").mockImplementation((text) => void (out += text)),
    vi.spyOn(stderr, "write").mockImplementation((text) => {
      err += text;
      if (interrupt && text.includes("pictures to train with")) {
        setTimeout(() => void process.emit("SIGINT"), 0);
      }
    }),
  ];
  try {
    return { code: await main(args), out, err };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}
/** Files of one run, in a folder of its own: the name of a checkpoint is part of its bytes. */
function files(name: string): { save: string; args: string[] } {
  mkdirSync(join(folder, name), { recursive: true });
  const save = join(folder, name, "m.pth");
  return { save, args: ["--save", save, "--plot", join(folder, name, "loss.png")] };
}
const small = ["--synthetic", "--limit", "1500", "--batch-size", "50"];

describe("train_mnist", { timeout: 120_000 }, () => {
  it("explains itself", async () => {
    const { code, out } = await run("--help");
    expect(code).toBe(0);
    expect(out).toContain("--epochs N");
    expect(out).toContain("--model mlp|cnn");
  });
  it.each([
    [["--epoch", "3"], "unknown option --epoch; did you mean --epochs?"],
    [["--epochs", "0"], "--epochs: expected at least 1, but got 0"],
    [["--optimizer", "lion"], "--optimizer: expected sgd, adam or adamw, but got 'lion'"],
    [["--optimizer", "adam", "--momentum", "0.5"], "--momentum goes with --optimizer sgd, not adam"],
    [["--synthetic", "--data", "x"], "--synthetic goes with neither --data nor --download"],
    [["--plot", "loss.gif"], "--plot: expected a name that ends with .svg or .png, but got 'loss.gif'"],
    [["--resume", join(folder, "absent.pth")], "absent.pth"],
  ])("refuses %j with status 2", async (args, message) => {
    const { code, err } = await run(...args);
    expect([code, err]).toEqual([2, expect.stringContaining(message)]);
  });

  it("learns, and leaves a checkpoint that PyTorch's names fit, a picture and a report", async () => {
    const { save, args } = files("learns"),
      { code, out, err } = await run(...small, "--epochs", "3", ...args);
    expect(code).toBe(0);
    expect(err).toContain(
      "1500 pictures to train with, 1500 to test with, on cpu\nMLP(\n  (fc1): Linear(in_features=784",
    );
    const accuracies = [...out.matchAll(/^epoch \d\/3 {2}loss [\d.]+ {2}test accuracy ([\d.]+) %/gm)].map((
      m,
    ) => Number(m[1]));
    expect(accuracies.length).toBe(3);
    expect(accuracies[2]).toBeGreaterThan(60);
    expect(accuracies[2]).toBeGreaterThan(accuracies[0]!);
    expect(out).toContain("true\\pred");
    expect(out).toMatch(/\d: right/);
    expect(out).toMatch(/\d taken for \d/);
    const saved = torch.load<
      { model_state_dict: Map<string, torch.Tensor>; epoch: number; losses: torch.Tensor }
    >(save);
    expect([...saved.model_state_dict.keys()]).toEqual(["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]);
    expect([saved.epoch, saved.losses.shape[0]]).toEqual([3, 90]);
    expect([...readFileSync(join(folder, "learns", "loss.png")).subarray(1, 4)]).toEqual([0x50, 0x4e, 0x47]);
  });

  it.each([["mlp", "sgd"], ["mlp", "adam"], ["cnn", "adamw"]])(
    "goes on after Ctrl-C with the same numbers (%s, %s)",
    async (model, optimizer) => {
      const setup = [
        "--synthetic",
        "--limit",
        model === "cnn" ? "400" : "6000",
        "--batch-size",
        "20",
        "--model",
        model,
        "--optimizer",
        optimizer,
      ];
      const whole = files(`whole-${model}-${optimizer}`), parts = files(`parts-${model}-${optimizer}`);
      expect((await run(...setup, ...whole.args)).code).toBe(0);

      interrupt = true;
      const first = await run(...setup, ...parts.args);
      interrupt = false;
      expect([first.code, first.err]).toEqual([
        130,
        expect.stringMatching(/Interrupted in epoch \d after step \d+\. Go on with --resume/),
      ]);
      const stopped = torch.load<{ epoch: number; step: number }>(parts.save);
      expect(stopped.epoch * 1e6 + stopped.step).toBeGreaterThan(0);

      const second = await run("--resume", parts.save, ...parts.args);
      expect(second.code).toBe(0);
      expect(readFileSync(parts.save).equals(readFileSync(whole.save))).toBe(true);
    },
  );
  it("takes no options that contradict the checkpoint", async () => {
    const { save } = files("learns");
    for (
      const [args, message] of [
        [["--lr", "0.5"], `--lr 0.5 does not go with ${save}, which was made with 0.01`],
        [["--model", "cnn"], "--model cnn does not go with"],
        [["--epochs", "3"], "has been trained for 3 already"],
      ] as [string[], string][]
    ) {
      const { code, err } = await run("--resume", save, ...args);
      expect([code, err]).toEqual([2, expect.stringContaining(message)]);
    }
    const other = join(folder, "other.pth");
    torch.save({ a: 1 }, other);
    expect(await run("--resume", other)).toMatchObject({
      code: 2,
      err: expect.stringContaining("is no checkpoint of this program"),
    });
  });
  it("stops when the loss is no number any more", async () => {
    const { save, args } = files("diverges"), { code, err } = await run(...small, "--lr", "1e30", ...args);
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(
        /train_mnist: the loss became (NaN|Infinity) in epoch 1, step \d+: try a smaller --lr \(it is 1e\+30\)/,
      ),
    ]);
    expect(existsSync(save)).toBe(false);
  });
  it("names files that are broken, and folders without any", async () => {
    const raw = join(folder, "broken", "MNIST", "raw");
    mkdirSync(raw, { recursive: true });
    for (
      const name of [
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
      ]
    ) writeFileSync(join(raw, name), "rubbish");
    const broken = await run("--data", join(folder, "broken"));
    expect([broken.code, broken.err]).toEqual([
      1,
      expect.stringContaining("train-images-idx3-ubyte: expected an IDX file"),
    ]);
  });
});
