/** What is freed at once, counted to the byte. */
import * as torch from "tstorch";
import { describe, expect, it } from "vitest";

const { nn, optim } = torch;
const live = (): number => torch.memory_stats()["allocated_bytes.all.current"]!;

function steps(optimizerOf: (net: torch.nn.Module) => InstanceType<typeof optim.Optimizer>): number[] {
  const net = new nn.Sequential(
    new nn.Linear(20, 30),
    new nn.Tanh(),
    new nn.Dropout(0.1),
    new nn.Linear(30, 5),
  );
  const optimizer = optimizerOf(net), lossOf = new nn.CrossEntropyLoss();
  const x = torch.randn(8, 20), y = torch.randint(0, 5, [8]);
  return Array.from({ length: 30 }, () => {
    torch.scope(() => {
      optimizer.zero_grad();
      lossOf(net.call(x), y).backward();
      optimizer.step();
    });
    return live();
  });
}

describe("live bytes", () => {
  it.each([
    ["SGD", (net: torch.nn.Module) => new optim.SGD(net.parameters(), { lr: 0.1 })],
    [
      "SGD with momentum",
      (net: torch.nn.Module) => new optim.SGD(net.parameters(), { lr: 0.1, momentum: 0.9 }),
    ],
    ["Adam", (net: torch.nn.Module) => new optim.Adam(net.parameters())],
  ])("are the same after every step with %s inside a scope", (_, optimizerOf) => {
    const after = steps(optimizerOf);
    expect(new Set(after.slice(1))).toEqual(new Set([after[1]]));
  });

  it("grow by the result of an operator and nothing else", () => {
    const x = torch.randn(64, 64), before = live();
    const y = torch.softmax(x, 1); // composite inside
    expect(live() - before).toBeLessThanOrEqual(64 * 64 * 4 + 64);
    expect(y.shape[0]).toBe(64);
  });

  it("fall back when a scope ends, also by an exception", () => {
    const before = live();
    expect(() =>
      torch.scope(() => {
        torch.ones(1000).add(1).mul(2);
        throw new Error("stop");
      })
    ).toThrow("stop");
    expect(live()).toBe(before);
  });

  it("hold no saved tensor after backward", () => {
    const x = torch.randn(100, 100, { requires_grad: true });
    torch.scope(() => x.exp().sin().sum().backward());
    const before = live();
    torch.scope(() => {
      const loss = x.exp().sin().mul(2).sum();
      const built = live();
      loss.backward();
      expect(live()).toBeLessThan(built);
    });
    expect(live()).toBe(before);
  });
});

describe("large results in a loop that never yields", () => {
  const copied = (): number => torch.memory_stats()["evicted_bytes"]!;

  it("are freed without a copy when nobody holds them, and stay when somebody does", () => {
    const SIZE = 1 << 20, ROUNDS = 200, before = copied();
    const held = [torch.full([SIZE], 7)], one = torch.ones(SIZE);
    for (let i = 0; i < ROUNDS; i++) {
      const sum = one.add(i);
      if (i % 50 === 0) held.push(sum.mul(2));
    }
    expect(copied() - before).toBeLessThan(ROUNDS * SIZE * 4 / 10);
    expect(live()).toBeLessThan(400 * 2 ** 20);
    expect(held.map((t) => t.min().item())).toEqual([7, 2, 102, 202, 302]);
    expect(held.map((t) => t.max().item())).toEqual([7, 2, 102, 202, 302]);
  });

  it("are copied when they are held and the limit is passed, and come back", () => {
    const held = Array.from({ length: 60 }, (_, i) => torch.full([1 << 20], i));
    expect(held.map((t) => t.max().item())).toEqual(held.map((_, i) => i));
  });
});
