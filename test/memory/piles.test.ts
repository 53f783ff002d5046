/** Loops in which nobody holds anything, in a process whose limit nothing has raised. */
import * as torch from "tstorch";
import { describe, expect, it } from "vitest";

const { nn } = torch;
const live = (): number => torch.memory_stats()["allocated_bytes.all.current"]!;

describe("in a loop of nothing but one thing", () => {
  const a = torch.randn(512, 512),
    tall = torch.randn(512, 16),
    wide = torch.randn(16, 512),
    ones = torch.ones(1, 1, 3, 3),
    data = new Float32Array(1 << 18);
  it.each<[string, () => unknown]>([
    ["torch.tensor", () => torch.tensor(data)],
    ["torch.empty", () => torch.empty(512, 512)],
    ["an elementwise operator", () => a.add(1)],
    ["matmul", () => tall.matmul(wide)],
    ["softmax", () => a.softmax(1)],
    ["conv2d", () => nn.functional.conv2d(a.view(1, 1, 512, 512), ones)],
    ["cat", () => torch.cat([a, a])],
    ["rand", () => torch.rand(512, 512)],
  ])("%s, tensors that nobody holds do not pile up", (_, make) => {
    for (let i = 0; i < 500; i++) make(); // 500 MB or more
    expect(live()).toBeLessThan(320e6);
    expect(torch.memory_stats()["soft_limit_bytes"]).toBeLessThan(2 ** 29); // nothing was needed again
  });
});
