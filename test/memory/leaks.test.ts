/** The detector of what is kept, and what the library itself keeps: nothing. */
import * as torch from "tstorch";
import { describe, expect, it } from "vitest";

const { nn, optim, utils: { find_leaks } } = torch;

describe("find_leaks", () => {
  it("names the place where what is kept was made", () => {
    const kept: torch.Tensor[] = [];
    function forgetful(): void {
      torch.ones(10).mul(3);
      kept.push(torch.zeros(100));
      kept.push(torch.ones(5).requires_grad_().exp().sum()); // a graph with it
    }
    const leaks = find_leaks(forgetful, { rounds: 4 });
    const zeros = leaks.find(({ bytes }) => bytes === 1600)!;
    expect([zeros.count, zeros.stack.includes("forgetful")]).toEqual([4, true]);
    expect(leaks.length).toBeGreaterThan(1);
  });

  it("finds nothing where only the first rounds keep something", () => {
    let cache: torch.Tensor | undefined;
    expect(find_leaks(() => void (cache ??= torch.ones(10)).add(1))).toEqual([]);
    expect(() => find_leaks(() => {}, { rounds: 0 })).toThrow("expected rounds to be positive");
  });

  it.each<[string, (net: torch.nn.Module) => InstanceType<typeof optim.Optimizer>]>([
    ["SGD", (net) => new optim.SGD(net.parameters(), { lr: 0.1, momentum: 0.9 })],
    ["Adam", (net) => new optim.Adam(net.parameters())],
    ["RMSprop", (net) => new optim.RMSprop(net.parameters())],
  ])("finds nothing in a training step with %s", (_, optimizerOf) => {
    const net = new nn.Sequential(
      new nn.Conv2d(1, 4, 3),
      new nn.BatchNorm2d(4),
      new nn.ReLU(),
      new nn.MaxPool2d(2),
      new nn.Flatten(),
      new nn.Dropout(0.2),
      new nn.Linear(36, 5),
    );
    const optimizer = optimizerOf(net), lossOf = new nn.CrossEntropyLoss();
    const x = torch.randn(3, 1, 8, 8), y = torch.randint(0, 5, [3]);
    expect(find_leaks(() => {
      optimizer.zero_grad();
      lossOf(net.call(x), y).backward();
      optimizer.step();
    })).toEqual([]);
  });
});

it("memory_summary tells which tensors there are", () => {
  const held = Array.from({ length: 3 }, () => torch.ones(1 << 18));
  const text = torch.memory_summary();
  expect(text).toMatch(/allocated_bytes\.all\.current +\d+\.\d\d MiB\n/);
  expect(text).toMatch(/\d x 1\.00 MiB +\d\.\d\d MiB/);
  expect(held.length).toBe(3);
});
