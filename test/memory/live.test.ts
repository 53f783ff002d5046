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
