import { describe, expect, it, vi } from "vitest";
import { createHash } from "node:crypto";
import * as torch from "../../src/mod.ts";
import { Generator } from "../../src/base/generator.ts";
import type { Tensor } from "../../src/tensor.ts";
import { thrown, values } from "./recorded.ts";

const { nn, float64, int32, int64, int8, float32 } = torch;
const F = nn.functional;
const f64 = (...data: number[]): Tensor => torch.tensor(data, { dtype: float64 });
const zeros = (sizes: number[], dtype = float32): Tensor => torch.zeros(sizes, { dtype });
const gaps = (): Tensor => zeros([4, 6]).index(":, ::2").t();

/**
 * One stream through everything that draws, recorded with PyTorch 1.13 from torch.manual_seed(42): a draw too many or
 * too few anywhere changes all that follows.
 */
const STREAM: [string, () => Tensor, number[]][] = [
  [
    "uniform_ of a transposed tensor",
    () => zeros([3, 2]).t().uniform_(),
    [
      0.8822692632675171,
      0.38286375999450684,
      0.3904482126235962,
      0.9150039553642273,
      0.9593056440353394,
      0.600895345211029,
    ],
  ],
  [
    "normal_ of 20",
    () => zeros([20]).normal_(1, 2).index([0, 7, 8, 15, 16, 19]),
    [
      0.9138650298118591,
      1.1830912828445435,
      -3.633845329284668,
      0.8738512396812439,
      -0.6571085453033447,
      2.991272211074829,
    ],
  ],
  ["normal_ of 3", () => zeros([3], float64).normal_(), [
    -0.3514404298617753,
    -0.7906430712073464,
    -0.09150922438411453,
  ]],
  ["exponential_", () => zeros([3], float64).exponential_(2), [
    0.020601902273108052,
    1.3434535734589508,
    0.08251151779718785,
  ]],
  ["geometric_", () => zeros([4], int32).geometric_(0.3), [4, 6, 4, 5]],
  ["cauchy_", () => zeros([2], float64).cauchy_(), [-1.1659077492495327, -0.6453900690285973]],
  ["log_normal_", () => zeros([2], float64).log_normal_(), [4.350800827978775, 0.3565254939923564]],
  ["random_(from, to)", () => zeros([3], int64).random_(-5, 2 ** 40), [
    34402760061,
    224321787466,
    357460084445,
  ]],
  ["random_()", () => zeros([4], int8).random_(), [110, 59, 70, 43]],
  ["randint", () => torch.randint(3, 9, [5]), [5, 6, 7, 5, 4]],
  ["randperm", () => torch.randperm(7), [5, 6, 0, 1, 3, 4, 2]],
  ["bernoulli", () => torch.bernoulli(torch.full([6], 0.5)), [0, 1, 1, 0, 1, 1]],
  ["poisson", () => torch.poisson(torch.tensor([0, 2, 30, 5])), [0, 0, 26, 7]],
  ["binomial", () => torch.binomial(torch.tensor([10, 100, 5]), torch.tensor([0.3, 0.5, 0])), [3, 54, 0]],
  ["multinomial", () => torch.multinomial(torch.tensor([1, 5, 2, 0]), 3), [0, 1, 2]],
  ["multinomial with replacement", () => torch.multinomial(torch.tensor([1, 5, 2, 0]), 5, true), [
    2,
    1,
    2,
    1,
    0,
  ]],
  ["normal of tensors", () => torch.normal(f64(0, 10), f64(1, 0.1)), [
    -0.8887485142182113,
    10.093838151186173,
  ]],
  ["dropout", () => F.dropout(torch.ones([2, 4]).t(), 0.25).int(), [0, 0, 1, 1, 1, 0, 0, 0]],
  ["dropout2d", () => F.dropout2d(torch.ones([2, 2, 1, 2]), 0.5), [0, 0, 2, 2, 2, 2, 2, 2]],
  ["rrelu", () => F.rrelu(f64(-1, 2, -3), { training: true }), [
    -0.24489620931794676,
    2,
    -0.4387830976477866,
  ]],
  [
    "uniform_ of a tensor with gaps",
    () => gaps().uniform_(),
    [
      ...[
        0.41213929653167725,
        0.4116729497909546,
        0.9296997785568237,
        0.5072961449623108,
        0.36759936809539795,
      ],
      ...[
        0.35099947452545166,
        0.45050132274627686,
        0.4701458811759949,
        0.5534904599189758,
        0.819603443145752,
      ],
      ...[0.3880515694618225, 0.6202056407928467],
    ],
  ],
  [
    "bernoulli_ of a tensor with gaps",
    () => gaps().bernoulli_(torch.linspace(0, 1, 12).view(3, 4)),
    [0, 0, 0, 0, 1, 0, 1, 0, 1, 1, 1, 1],
  ],
  ["random_() of int64", () => zeros([], int64).random_(), [1926160643515144940]],
  [
    "rand of complex numbers",
    () => torch.tensor(torch.rand([2], { dtype: torch.complex64 }).to_typed_array()),
    [0.1993187665939331, 0.4210916757583618, 0.9836747646331787, 0.5723287463188171],
  ],
  ["rand", () => torch.rand([1], { dtype: float64 }), [0.9641170868777812]],
];
const FINAL_STATE = "7c590cba1006a219d0c2c7ad848ed2a204ae182ff1bb60c1e05f0cfdda83f5a4";

describe("the default generator", () => {
  it("gives PyTorch's stream, and stands where PyTorch's stands afterwards", () => {
    torch.manual_seed(42);
    for (const [name, draw, want] of STREAM) {
      const got = values(draw());
      expect(got.length, name).toBe(want.length);
      got.forEach((x, i) =>
        expect(Math.abs(x - want[i]!), `${name}[${i}]: ${x}`).toBeLessThanOrEqual(1e-7 * Math.abs(want[i]!))
      );
    }
    const state = torch.get_rng_state();
    expect([...state.shape]).toEqual([5056]);
    const bytes = state.to_typed_array() as Uint8Array;
    expect(createHash("sha256").update(bytes).digest("hex")).toBe(FINAL_STATE);
  });
  it("draws nothing where nothing is random", () => {
    torch.manual_seed(1);
    const before = values(torch.get_rng_state());
    const x = torch.ones([20]);
    expect(F.dropout(x, 0.5, false)).toBe(x);
    expect(F.dropout(x, 0)).toBe(x);
    expect(values(F.dropout(x, 1))).toEqual(new Array(20).fill(0));
    torch.rand([0]);
    torch.rand([3], { device: "meta" });
    torch.randperm(1);
    expect(values(torch.get_rng_state())).toEqual(before);
  });
  it("starts unpredictably", () => {
    expect(torch.seed()).not.toBe(torch.seed());
    expect(torch.initial_seed()).not.toBe(0);
  });
});

describe("Generator", () => {
  it("starts with PyTorch's default seed and keeps 64 bits of any other", () => {
    expect(new Generator().initial_seed()).toBe(67280421310721);
    expect(new Generator().manual_seed(-1).initial_seed()).toBe(2n ** 64n - 1n);
    expect(values(torch.rand([2], { generator: new Generator().manual_seed(3) }))).toEqual(
      values(torch.rand([2], { generator: new Generator().manual_seed(2n ** 40n + 3n) })),
    );
  });
  it("several take turns without disturbing each other", () => {
    const alone = (seed: number): number[] =>
      values(torch.randn([40], { generator: new Generator().manual_seed(seed) }));
    const want = [1, 2, 3].map(alone);
    const generators = [1, 2, 3].map((s) => new Generator().manual_seed(s));
    // 40 = 20 + 20 in the block path would differ: draw uniforms, which come one by one.
    const uniform = (seed: number): number[] =>
      values(torch.rand([40], { generator: new Generator().manual_seed(seed) }));
    const drawn = [1, 2, 3].map((): number[] => []);
    for (let i = 0; i < 20; i++) {
      generators.forEach((generator, k) => drawn[k]!.push(...values(torch.rand([2], { generator }))));
      torch.rand([1]);
    }
    expect(drawn).toEqual([1, 2, 3].map(uniform));
    expect([1, 2, 3].map(alone)).toEqual(want);
  });
  it("keeps the second half of a normal pair, also through a state", () => {
    const a = new Generator().manual_seed(5);
    torch.randn([1], { generator: a });
    const b = new Generator().set_state(a.get_state());
    expect(values(torch.randn([3], { generator: b }))).toEqual(values(torch.randn([3], { generator: a })));
    expect(b.initial_seed()).toBe(5);
  });
  it("refuses states that are none", () => {
    const g = new Generator();
    const bytes = (n: number): Tensor => torch.zeros([n], { dtype: torch.uint8 });
    expect(thrown(() => g.set_state(bytes(10)))![1]).toBe(
      "Expected either a CPUGeneratorImplStateLegacy of size 5048 or a CPUGeneratorImplState of size 5056 but found the input RNG state size to be 10",
    );
    expect(thrown(() => g.set_state(bytes(5056)))).toEqual(["RuntimeError", "Invalid mt19937 state"]);
    expect(thrown(() => g.set_state(torch.zeros([5056])))).toEqual([
      "TypeError",
      "RNG state must be a torch.ByteTensor",
    ]);
    expect(thrown(() => g.manual_seed(1.5))).toEqual([
      "RuntimeError",
      "manual_seed expected a long, but got float",
    ]);
    expect(thrown(() => g.manual_seed(2n ** 64n))).toEqual(["RuntimeError", "Overflow when unpacking long"]);
    expect(thrown(() => new Generator("meta"))).toEqual([
      "RuntimeError",
      "Device type META is not supported for torch.Generator() api.",
    ]);
  });
  it("belongs to a device", () => {
    const g = new Generator("cuda");
    expect(thrown(() => torch.rand([1], { generator: g }))![1]).toBe(
      "Expected a 'cpu' device type for generator but found 'cuda'",
    );
  });
});

describe("fork_rng", () => {
  const draw = (): number => torch.rand([]).item();
  it("puts the state back", () => {
    torch.manual_seed(9);
    const a = torch.random.fork_rng(draw);
    expect(draw()).toBe(a);
    {
      using _ = torch.random.fork_rng();
      draw();
    }
    const b = draw();
    torch.manual_seed(9);
    draw();
    expect(draw()).toBe(b);
  });
  it("also after an error and after an async body, and not when disabled", async () => {
    torch.manual_seed(9);
    const a = draw();
    torch.manual_seed(9);
    expect(() =>
      torch.random.fork_rng(() => {
        draw();
        throw new Error("no");
      })
    ).toThrow("no");
    await torch.random.fork_rng(async () => {
      draw();
      await Promise.resolve();
      draw();
    });
    expect(draw()).toBe(a);
    torch.manual_seed(9);
    torch.random.fork_rng(draw, { enabled: false });
    expect(draw()).not.toBe(a);
  });
});

describe("layouts and dtypes", () => {
  it("rand_like keeps the layout of a transposed tensor", () => {
    torch.manual_seed(2);
    const t = torch.rand_like(torch.zeros([3, 2]).t());
    expect(t.stride()).toEqual([1, 2]);
    torch.manual_seed(2);
    expect(values(t.t())).toEqual(values(torch.rand([3, 2])));
  });
  it("new tensors close gaps and keep the memory order", () => {
    const strides = (t: Tensor): string[] =>
      [torch.empty_like(t), t.clone(), t.add(1)].map((x) => x.stride().join());
    expect(strides(gaps())).toEqual(["1,3", "1,3", "1,3"]);
    expect(strides(torch.zeros([2, 1]).expand([2, 3]))).toEqual(["3,1", "3,1", "3,1"]);
    expect(strides(torch.zeros([3, 2]).t().unsqueeze(1).expand([2, 4, 3]))).toEqual([
      "1,2,8",
      "1,2,8",
      "1,2,8",
    ]);
    torch.manual_seed(0);
    const flat = torch.rand([12]);
    torch.manual_seed(0);
    expect(values(torch.rand_like(gaps()).t())).toEqual(values(flat));
  });
  it("fills are part of the graph, with a zero gradient", () => {
    const x = torch.ones([3], { requires_grad: true });
    const y = x.mul(2);
    y.index("1:").uniform_();
    y.sum().backward();
    expect(values(x.grad!)).toEqual([2, 0, 0]);
  });
  it("warns where a float cannot hold all integers of a range", () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    torch.zeros([3]).random_(0, 2 ** 26);
    expect(warn.mock.calls[0]![0]).toContain(
      "to - 1 is out of bounds [-(2^24), 2^24]. Due to precision limitations float",
    );
    vi.restoreAllMocks();
  });
  it("dropout's gradient has its mask, twice too", () => {
    const x = torch.ones([100], { dtype: float64, requires_grad: true });
    const y = F.dropout(x, 0.5);
    const [g] = torch.autograd.grad(y.mul(y).sum(), [x], { create_graph: true });
    expect(values(g!)).toEqual(values(y).map((v) => v * 4));
    const [h] = torch.autograd.grad(g!.sum(), [x]);
    expect(values(h!)).toEqual(values(y).map((v) => (v === 0 ? 0 : 8)));
  });
});
