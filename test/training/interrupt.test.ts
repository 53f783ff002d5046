/** Ctrl-C on train_mnist.ts, as a program of its own: it saves, leaves, and goes on with the same numbers. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import * as torch from "tstorch";
import { afterAll, describe, expect, it } from "vitest";
import { commandOf, root } from "../../bench/programs/start.ts";

const folder = mkdtempSync(join(tmpdir(), "tstorch-interrupt-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs to the end, or sends SIGINT when training has begun. */
async function train(
  command: string[],
  args: string[],
  interrupt: boolean,
): Promise<[number | null, string]> {
  const child = spawn(command[0]!, [...command.slice(1), ...args], {
    cwd: root,
    env: { ...process.env, NO_COLOR: "1", TSTORCH_NUM_THREADS: "1" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "", sent = !interrupt;
  child.stderr.on("data", (data) => {
    said += String(data);
    if (sent || !said.includes("pictures to train with")) return;
    sent = true;
    // Not child.kill: Deno then reports the signal in place of the exit status.
    setTimeout(() => process.kill(child.pid!, "SIGINT"), 100);
  });
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  return [status, said];
}

interface Saved {
  epoch: number;
  step: number;
  losses: torch.Tensor;
  model_state_dict: Map<string, torch.Tensor>;
}

describe.each(["node", "deno"] as const)("Ctrl-C in %s", (engine) => {
  it("saves, ends with 130, and --resume gives the numbers of an uninterrupted run", async () => {
    const command = await commandOf(engine, "train_mnist.ts");
    // node_modules/.bin/deno is a script that waits for the program itself, and the signal would end it first.
    if (engine === "deno") command[0] = join(root, "node_modules", "deno", "deno");
    const file = (name: string): string => join(folder, `${engine}.${name}`);
    const options = ["--synthetic", "--limit", "8000", "--epochs", "6", "--plot", file("loss.svg")];
    const [status, said] = await train(command, [...options, "--save", file("stopped.pth")], true);
    expect(said).toContain("Interrupted in epoch");
    expect(status).toBe(130);
    const stopped = torch.load<Saved>(file("stopped.pth"));
    expect(stopped.losses.numel()).toBeLessThan(1500); // of 6 epochs of 250 steps
    const [resumed] = await train(command, [
      ...["--resume", file("stopped.pth"), "--epochs", "6"],
      ...["--save", file("resumed.pth"), "--plot", file("loss.svg")],
    ], false);
    const [whole] = await train(command, [...options, "--save", file("whole.pth")], false);
    expect([resumed, whole]).toEqual([0, 0]);
    const [a, b] = ["resumed", "whole"].map((name) => torch.load<Saved>(file(`${name}.pth`))) as [
      Saved,
      Saved,
    ];
    expect(a.losses.numel()).toBe(1500);
    expect(a.losses.tolist()).toEqual(b.losses.tolist());
    for (const [name, weight] of b.model_state_dict) {
      expect(torch.equal(a.model_state_dict.get(name)!, weight)).toBe(true);
    }
  }, 180_000);
});
