import { describe, expect, it } from "vitest";
import * as torch from "../../src/mod.ts";

const { nn } = torch;

describe("Sequential", () => {
  it("takes modules, objects and maps, and is indexed, sliced and appended to", () => {
    const net = new nn.Sequential(new nn.Linear(1, 2), new nn.Tanh(), new nn.Linear(2, 1));
    expect([net.length, net.at(-1)!.get_parameter("weight").shape[1], [...net].length]).toEqual([3, 2, 3]);
    expect(String(net.slice(0, 2))).toBe(
      "Sequential(\n  (0): Linear(in_features=1, out_features=2, bias=True)\n  (1): Tanh()\n)",
    );
    expect(net(torch.zeros(5, 1)).shape[0]).toBe(5);
    net.append(new nn.Sigmoid());
    net.insert(0, new nn.Identity());
    expect([...net.named_children()].map(([k, m]) => `${k} ${m._get_name()}`)).toEqual([
      "0 Identity",
      "1 Linear",
      "2 Tanh",
      "3 Linear",
      "4 Sigmoid",
    ]);
    net.pop(0);
    expect(net.at(0)).toBeInstanceOf(nn.Linear);
    const layers = { conv: new nn.Conv1d(1, 1, 1), act: new nn.ReLU() };
    expect([...new nn.Sequential(new Map(Object.entries(layers))).named_children()].map(([k]) => k)).toEqual([
      "conv",
      "act",
    ]);
    expect(new nn.Sequential(layers).get_submodule("act")).toBe(layers.act);
    expect(() => net.at(9)).toThrow("index 9 is out of range");
  });
});

describe("ModuleList and ModuleDict", () => {
  it("hold modules whose parameters count", () => {
    const list = new nn.ModuleList([new nn.Linear(1, 1)]);
    list.append(new nn.Linear(1, 1)).extend([new nn.ReLU()]);
    list.set(0, new nn.Tanh());
    expect([list.length, [...list.parameters()].length, list.pop(-1)._get_name(), list.length]).toEqual([
      3,
      2,
      "ReLU",
      2,
    ]);
    const dict = new nn.ModuleDict({ a: new nn.ReLU(), b: new nn.Linear(1, 1) });
    dict.update({ c: new nn.Tanh() });
    expect([
      [...dict.keys()],
      dict.has("b"),
      dict.get("c")!._get_name(),
      dict.pop("a")!._get_name(),
      dict.length,
    ]).toEqual([
      ["a", "b", "c"],
      true,
      "Tanh",
      "ReLU",
      2,
    ]);
    expect(() => list(torch.ones(1))).toThrow(
      'Module [ModuleList] is missing the required "forward" function',
    );
  });
});

describe("ParameterList and ParameterDict", () => {
  it("make parameters of tensors", () => {
    const list = new nn.ParameterList([torch.zeros(2), torch.ones(3)]);
    expect([...list.parameters()].map((p) => p.requires_grad)).toEqual([true, true]);
    expect(String(list)).toBe(
      "ParameterList(\n    (0): Parameter containing: [torch.float32 of size 2]\n" +
        "    (1): Parameter containing: [torch.float32 of size 3]\n)",
    );
    const dict = new nn.ParameterDict({ w: torch.zeros(2), v: torch.ones(1) });
    expect([[...dict.state_dict().keys()], dict.get("none")]).toEqual([["v", "w"], null]);
    const copy = torch.deepcopy(dict);
    expect([copy.get("w") === dict.get("w"), copy.get("w")!.tolist(), [...copy.parameters()].length]).toEqual(
      [false, [0, 0], 2],
    );
  });
});
