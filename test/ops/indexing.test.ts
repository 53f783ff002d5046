import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import * as torch from "../../src/mod.ts";
import type { Index } from "../../src/ops/index_args.ts";
import type { Tensor } from "../../src/tensor.ts";
import { call, decode, expectResult, expectTensor, fixture, type Json, thrown, values } from "./recorded.ts";

interface Bracket {
  sizes: number[];
  order: number[];
  index: Json[];
  get: { shape: number[]; data: number[]; grad: number[]; view?: boolean; error?: [string, string] };
  value: number[] | null;
  set: { data: number[]; error?: [string, string] };
}
interface Expression {
  expression: string;
  call: string;
  args: Json[];
  kwargs: Record<string, Json>;
  result?: Json;
  shape?: number[];
  grad_fn?: string | null;
  error?: [string, string];
}
interface Derivative {
  call: string;
  args: Json[];
  kwargs: Record<string, Json>;
  result: Json;
  cotangents: Json[];
  grads: (Json | null)[];
  weights?: (Json | null)[];
  second?: (Json | null)[];
}
const recorded = fixture<{ brackets: Bracket[]; expressions: Expression[]; derivatives: Derivative[] }>(
  "indexing.json",
);

const f64 = { dtype: torch.float64 };
const range = (sizes: readonly number[], from = 0): Tensor => {
  const n = sizes.reduce((a, b) => a * b, 1);
  return torch.arange(from, from + n, f64).reshape(sizes);
};

beforeEach(() => void vi.spyOn(console, "warn").mockImplementation(() => {}));
afterEach(() => void vi.restoreAllMocks());

describe("x.index(...) and x.index_put_([...], v) against Python's brackets", () => {
  it.each(recorded.brackets.map((c, i) => [i, c] as const))("case %i", (_, c) => {
    const items = (): Index[] => c.index.map(decode) as Index[];
    const leaf = range(c.sizes).requires_grad_(true);
    const x = leaf.permute(c.order);
    if (c.get.error) expect(thrown(() => x.index(...items()))).toEqual(c.get.error);
    else {
      const y = x.index(...items());
      expect([...y.shape]).toEqual(c.get.shape);
      expect(values(y)).toEqual(c.get.data);
      if (c.get.view !== undefined) expect(y._base !== null).toBe(c.get.view);
      y.backward(range(c.get.shape, 1));
      expect(values(leaf.grad!)).toEqual(c.get.grad);
    }
    const z = range(c.sizes).permute(c.order);
    const v = c.value === null ? 2.5 : range(c.value, 100);
    if (c.set.error) expect(thrown(() => z.index_put_(items(), v))).toEqual(c.set.error);
    else expect(values(z.index_put_(items(), v))).toEqual(c.set.data);
  });
});

describe("values, errors and node names of single calls", () => {
  it.each(recorded.expressions.map((c) => [c.expression, c] as const))("%s", (_, c) => {
    const run = (): unknown => {
      const args = c.args.map(decode);
      torch.manual_seed(7);
      return call(c.call, args, c.kwargs);
    };
    if (c.error) {
      const [name, text] = thrown(run) ?? ["nothing", ""];
      expect(`${name}: ${text}`).toBe(c.error.join(": "));
    } else if (c.grad_fn !== undefined) {
      expect((run() as Tensor).grad_fn?.name() ?? null).toBe(c.grad_fn);
    } else if (c.shape !== undefined) expect([...(run() as Tensor).shape]).toEqual(c.shape);
    else expectResult(run(), c.result);
  });
});

describe("derivatives of first and second order", () => {
  it.each(recorded.derivatives.map((c, i) => [`${c.call} ${i}`, c] as const))("%s", (_, c) => {
    const args = c.args.map(decode);
    const kwargs = Object.fromEntries(Object.entries(c.kwargs).map(([k, v]) => [k, decode(v)]));
    const inputs = [...args, ...Object.values(kwargs)].filter((a): a is Tensor =>
      a instanceof torch.Tensor && a.dtype.is_floating_point
    );
    for (const t of inputs) t.requires_grad_(true);
    const out = call(c.call, Object.keys(kwargs).length > 0 ? [...args, kwargs] : args, {});
    expectResult(out, c.result);
    const outs = (Array.isArray(out) ? out as Tensor[] : [out as Tensor]).filter((t) => t.requires_grad);
    const sum = (list: readonly (Tensor | null)[], weights: readonly (Json | null)[]): Tensor =>
      list.map((t, i) => weights[i] === null ? null : t!.mul(decode(weights[i]) as Tensor).sum())
        .filter((t) => t !== null).reduce((a, b) => a.add(b));
    const twice = c.second !== undefined;
    const grads = torch.autograd.grad(sum(outs, c.cotangents), inputs, {
      create_graph: twice,
      allow_unused: true,
    });
    c.grads.forEach((g, i) =>
      g === null ? expect(grads[i]).toBeNull() : expectTensor(grads[i]!.detach(), g, 1e-9)
    );
    if (!twice) return;
    const second = torch.autograd.grad(sum(grads, c.weights!), inputs, { allow_unused: true });
    c.second!.forEach((g, i) => {
      // What PyTorch leaves out may be zero here.
      if (g !== null) expectTensor(second[i] ?? torch.zeros(inputs[i]!.sizes, f64), g, 1e-8);
      else if (second[i]) expect(second[i]!.abs().max().item()).toBe(0);
    });
  });
});

describe("what only JavaScript has", () => {
  const x = (): Tensor => range([4, 5]);
  it("takes slices as text, one or several", () => {
    expect(values(x().index("1:3", "::2"))).toEqual(
      values(x().index(torch.Slice(1, 3), torch.Slice(null, null, 2))),
    );
    expect(values(x().index("1:3, ::2"))).toEqual(values(x().index("1:3", "::2")));
    expect([...x().index("..., None, -1").shape]).toEqual([4, 1]);
    expect(x().index("-1, -1").item()).toBe(19);
    expect(() => x().index("1;3")).toThrow("index(): '1;3' is neither a slice such as '1:3' nor '...'");
  });
  it("takes bigints, typed arrays and bounds that are tensors", () => {
    expect(values(x().index(2n))).toEqual([10, 11, 12, 13, 14]);
    expect(values(x().index(Int32Array.of(3, 0), 1))).toEqual([16, 1]);
    expect(values(x().index(torch.Slice(torch.tensor(1n), torch.tensor(2n))))).toEqual([5, 6, 7, 8, 9]);
    expect(() => x().index(1n << 70n)).toThrow("Overflow when unpacking long");
  });
  it("accumulates", () => {
    expect(values(torch.zeros([3], f64).index_put_([[0, 0, 2]], 1, true))).toEqual([2, 0, 1]);
    expect(values(torch.ones([3], f64).index_put_(["1:"], torch.tensor([5, 6], f64), true))).toEqual([
      1,
      6,
      7,
    ]);
  });
  it("index_put leaves its input alone", () => {
    const a = torch.zeros([3], f64);
    expect(values(a.index_put([1], 7))).toEqual([0, 7, 0]);
    expect(values(torch.index_put(a, [torch.tensor([0n])], 3))).toEqual([3, 0, 0]);
    expect(values(a)).toEqual([0, 0, 0]);
  });
});

describe("in place", () => {
  const leaf = (): Tensor => range([2, 3]).requires_grad_(true);
  // Each takes x and returns what is squared, summed and differentiated; recorded with PyTorch 1.13.
  const cases: [string, (x: Tensor) => Tensor, number[], string][] = [
    [
      "scatter_",
      (x) => x.mul(2).scatter_(1, torch.tensor([[0n], [2n]]), x.narrow(1, 0, 1)),
      [0, 8, 16, 30, 32, 0],
      "ScatterBackward0",
    ],
    [
      "index_add_",
      (x) => x.mul(2).index_add_(0, torch.tensor([0n]), x.narrow(0, 1, 1)),
      [12, 24, 36, 30, 44, 58],
      "IndexAddBackward0",
    ],
    ["cumsum_", (x) => x.mul(2).cumsum_(1), [32, 32, 24, 176, 152, 96], "CumsumBackward0"],
    ["tril_", (x) => x.mul(2).tril_(), [0, 0, 0, 24, 32, 0], "TrilBackward0"],
    [
      "scatter_reduce_",
      (x) => x.mul(2).scatter_reduce_(0, torch.tensor([[1n, 0n, 0n]]), x.narrow(0, 1, 1), "prod"),
      [0, 128, 400, 432, 64, 200],
      "ScatterReduceBackward0",
    ],
    ["uniform_", (x) => x.mul(2).uniform_(), [0, 0, 0, 0, 0, 0], "UniformBackward0"],
    [
      "index_put_ through a view",
      (x) => {
        const y = x.mul(2);
        y.select(1, 0).index_put_([torch.tensor([1n])], x.select(0, 0).sum());
        return y;
      },
      [6, 14, 22, 0, 32, 40],
      "CopySlices",
    ],
  ];
  it.each(cases)("%s", (_, f, want, node) => {
    const x = leaf();
    const y = f(x);
    expect(y.grad_fn!.name()).toBe(node);
    y.mul(y).sum().backward();
    expect(values(x.grad!)).toEqual(want);
  });
  it("cumprod_ keeps what it overwrites", () => {
    const x = leaf();
    x.mul(2).cumprod_(1).sum().backward();
    expect(values(x.grad!)).toEqual([22, 0, 0, 178, 132, 96]);
  });
  it("refuses leaves and views of leaves", () => {
    expect(() => leaf().index_put_([torch.tensor([0n])], 1)).toThrow(
      "a leaf Variable that requires grad is being used",
    );
    expect(() => leaf().index_put_([0], 1)).toThrow(
      "a view of a leaf Variable that requires grad is being used",
    );
  });
});
