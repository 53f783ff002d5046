import { describe, expect, it } from "vitest";
import * as torch from "../../src/mod.ts";
import type { Tensor } from "../../src/tensor.ts";

const { init } = torch.nn;
type Fill = (t: Tensor, ...args: unknown[]) => Tensor;

describe("values drawn from seed 0 are PyTorch's", () => {
  // First, last and sum, recorded from PyTorch 1.13.
  it.each<[string, unknown[], number[], number[]]>([
    ["uniform_", [-1, 2], [3, 4, 2], [0.48877, 1.622468, 10.392604]],
    ["normal_", [1, 2], [3, 4, 2], [-1.25168, -3.632084, 24.500757]],
    ["trunc_normal_", [0, 1, -0.5, 0.5], [3, 4, 2], [-0.003593, 0.367223, -0.52776]],
    ["xavier_uniform_", [{ gain: 2 }], [3, 4, 2], [-0.009803, 0.97977, -1.403051]],
    ["xavier_normal_", [], [3, 4, 2], [-0.425527, -0.875382, 0.094634]],
    ["kaiming_uniform_", [{ a: 0.2, mode: "fan_out", nonlinearity: "leaky_relu" }], [3, 4, 2], [
      -0.007341,
      0.73378,
      -1.050788,
    ]],
    ["kaiming_normal_", [{ nonlinearity: "relu" }], [3, 4, 2], [-0.56292, -1.158021, 0.125189]],
    ["sparse_", [0.5], [4, 3], [0, 0.00182, 0.006759]],
    ["eye_", [], [3, 4], [1, 0, 3]],
    ["dirac_", [2], [4, 2, 3], [0, 0, 4]],
    ["orthogonal_", [], [3, 4], [0.561532, -0.279834, -2.21498]],
  ])("%s %j of %j", (name, args, shape, [first, last, sum]) => {
    torch.manual_seed(0);
    const t = torch.empty(shape);
    expect((init as unknown as Record<string, Fill>)[name]!(t, ...args)).toBe(t);
    const flat = t.flatten().tolist() as number[];
    expect(flat[0]).toBeCloseTo(first!, 5);
    expect(flat.at(-1)).toBeCloseTo(last!, 5);
    expect(flat.reduce((a, b) => a + b, 0)).toBeCloseTo(sum!, 4);
  });

  it("leave no trace in autograd", () => {
    const w = new torch.nn.Parameter(torch.empty(2, 2));
    init.constant_(w, 3);
    expect([w.requires_grad, w.is_leaf, w.tolist()]).toEqual([true, true, [[3, 3], [3, 3]]]);
  });
});

describe("arguments", () => {
  it("gains", () => {
    expect([
      init.calculate_gain("linear"),
      init.calculate_gain("tanh"),
      init.calculate_gain("leaky_relu", 0.5),
    ])
      .toEqual([1, 5 / 3, Math.sqrt(2 / 1.25)]);
    expect(() => init.calculate_gain("step" as never)).toThrow("Unsupported nonlinearity step");
  });

  it.each<[string, () => unknown, string]>([
    [
      "fans of vectors",
      () => init.xavier_uniform_(torch.empty(3)),
      "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions",
    ],
    [
      "modes",
      () => init.kaiming_uniform_(torch.empty(3, 3), { mode: "in" as never }),
      "Mode in not supported, please use one of ['fan_in', 'fan_out']",
    ],
    ["eyes", () => init.eye_(torch.empty(3)), "Only tensors with 2 dimensions are supported"],
  ])("refuses %s", (_, make, message) => expect(make).toThrow(message));
});
