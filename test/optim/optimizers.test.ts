import { describe, expect, it } from "vitest";
import * as torch from "../../src/mod.ts";
import type { Tensor } from "../../src/tensor.ts";
import type { Optimizer } from "../../src/optim/mod.ts";

const { nn, optim } = torch;
type Construct = new (params: Iterable<Tensor>, options?: Record<string, unknown>) => Optimizer;
const named = optim as unknown as Record<string, Construct>;

const x = torch.tensor([[1, 2], [-0.5, 0.75], [0.25, -1.25]]);
const start = () => [
  torch.tensor([[0.5, -1.5], [2, 0.25]], { requires_grad: true }),
  torch.tensor([1, -0.75], { requires_grad: true }),
];
function train(optimizer: Optimizer, [w, b]: Tensor[], steps = 5): number[] {
  for (let i = 0; i < steps; i++) {
    optimizer.zero_grad();
    x.matmul(w!.t()).add(b!).square().mean().backward();
    optimizer.step();
  }
  return [...w!.detach().flatten().tolist() as number[], ...b!.tolist() as number[]];
}
function near(got: number[], want: number[], digits = 6): void {
  got.forEach((v, i) => expect(v).toBeCloseTo(want[i]!, digits));
  expect(got.length).toBe(want.length);
}

describe("five steps end where PyTorch 1.13 ends", () => {
  it.each<[string, Record<string, unknown>, number[]]>([
    ["SGD", { lr: 0.1 }, [0.5162586, -0.7034146, 1.664132, -0.0684351, 0.7580645, -0.6466035]],
    ["SGD", { lr: 0.1, momentum: 0.9, weight_decay: 0.01, nesterov: true }, [
      0.3704655,
      0.2482025,
      1.0096076,
      -0.3589331,
      0.101518,
      -0.3163604,
    ]],
    ["SGD", { lr: 0.1, momentum: 0.9, dampening: 0.5, maximize: true }, [
      0.2005333,
      -4.1445098,
      2.7871072,
      1.4354182,
      1.2014729,
      -0.7765915,
    ]],
    ["Adam", { lr: 0.05 }, [0.7402417, -1.2511858, 1.7510837, 0.0038592, 0.7509053, -0.5039507]],
    ["Adam", { lr: 0.05, weight_decay: 0.1, amsgrad: true, betas: [0.8, 0.9] }, [
      0.7171085,
      -1.2512633,
      1.7510771,
      0.0043596,
      0.7511385,
      -0.5035113,
    ]],
    ["AdamW", { lr: 0.05, weight_decay: 0.1 }, [
      0.7249414,
      -1.2167137,
      1.7042316,
      0.0004264,
      0.7287973,
      -0.4881437,
    ]],
    ["Adamax", { lr: 0.05 }, [0.7072441, -1.2607149, 1.7599757, 0.025384, 0.7589763, -0.5251653]],
    ["NAdam", { lr: 0.05 }, [0.6752846, -1.3038646, 1.8034931, 0.0623734, 0.803093, -0.5621182]],
    ["RAdam", { lr: 0.05 }, [0.5337722, -0.9750642, 1.8107275, 0.0279701, 0.8956395, -0.7113597]],
    ["RAdam", { lr: 0.05, betas: [0.5, 0.5] }, [
      0.5293003,
      -0.9963207,
      1.8142334,
      0.0385843,
      0.8922702,
      -0.7089224,
    ]],
    ["RMSprop", { lr: 0.05, centered: true, momentum: 0.5 }, [
      -0.0958318,
      0.1471015,
      0.1913995,
      0.0530458,
      -0.0566148,
      -0.0093122,
    ]],
    ["Adagrad", { lr: 0.1, lr_decay: 0.1, initial_accumulator_value: 0.1 }, [
      0.6370204,
      -1.2304306,
      1.7422808,
      0.0108253,
      0.7681423,
      -0.5900039,
    ]],
    ["Adadelta", { lr: 1 }, [0.5162148, -1.4836211, 1.9836175, 0.2336934, 0.9836107, -0.7337008]],
    ["Rprop", { lr: 0.1 }, [0.792, -0.7558399, 1.2558398, -0.2868, 0.2558399, -0.2132]],
    ["ASGD", { lr: 0.1, t0: 2 }, [0.516233, -0.7033818, 1.6640501, -0.0684308, 0.758028, -0.6465718]],
  ])("%s %j", (name, options, want) => {
    const params = start();
    near(train(new named[name]!(params, options), params), want, 5);
  });

  it("LBFGS with a strong Wolfe search, on Rosenbrock's function", () => {
    const p = torch.tensor([-1.2, 1], { dtype: torch.float64, requires_grad: true });
    const optimizer = new optim.LBFGS([p], { max_iter: 60, line_search_fn: "strong_wolfe" });
    optimizer.step(() => {
      optimizer.zero_grad();
      const a = p.select(0, 0), b = p.select(0, 1);
      const loss = b.sub(a.square()).square().mul(100).add(a.neg().add(1).square());
      loss.backward();
      return loss;
    });
    near(p.tolist() as number[], [0.9999814210791363, 0.9999619651810985], 12);
    expect(Number(optimizer.state.get(p)!.func_evals)).toBe(43);
  });
});

describe("the fused update", () => {
  it("is the same for one group and for one optimizer per parameter", () => {
    const together = start(), apart = start();
    const all = train(new optim.Adam(together, { lr: 0.05 }), together);
    const optimizers = apart.map((p) => new optim.Adam([p], { lr: 0.05 }));
    for (let i = 0; i < 5; i++) {
      for (const o of optimizers) o.zero_grad();
      x.matmul(apart[0]!.t()).add(apart[1]!).square().mean().backward();
      for (const o of optimizers) o.step();
    }
    expect([...apart[0]!.detach().flatten().tolist() as number[], ...apart[1]!.tolist() as number[]]).toEqual(
      all,
    );
  });

  it.each(["SGD", "Adam", "RMSprop", "Adadelta"])("%s updates a transposed parameter in place", (name) => {
    const straight = start(), turned = start();
    const storage = torch.tensor([[0.5, 2], [-1.5, 0.25]]);
    turned[0] = storage.t().requires_grad_(true);
    const lr = { lr: 0.05 };
    const want = train(new named[name]!(straight, lr), straight);
    near(train(new named[name]!(turned, lr), turned), want);
    expect(turned[0].stride()).toEqual([1, 2]);
    near(storage.t().flatten().tolist() as number[], want.slice(0, 4));
  });

  it("leaves parameters without a gradient alone, and counts steps per parameter", () => {
    const [w, b] = start() as [Tensor, Tensor];
    const optimizer = new optim.Adam([w, b], { lr: 0.1 });
    for (let i = 0; i < 2; i++) {
      optimizer.zero_grad({ set_to_none: true });
      (i === 0 ? w.sum() : w.sum().add(b.sum())).backward();
      optimizer.step();
    }
    expect(Number(optimizer.state.get(w)!.step)).toBe(2);
    expect(Number(optimizer.state.get(b)!.step)).toBe(1);
    near(b.tolist() as number[], [0.9, -0.85]);
  });

  it("computes half precision parameters in half precision", () => {
    const p = torch.tensor([1, 2], { dtype: torch.float16, requires_grad: true });
    const optimizer = new optim.SGD([p], { lr: 0.1 });
    p.grad = torch.tensor([1, -1], { dtype: torch.float16 });
    optimizer.step();
    expect(p.dtype).toBe(torch.float16);
    expect(p.tolist()).toEqual([0.89990234375, 2.099609375]);
  });
});

describe("groups and state", () => {
  it("gives every group its own options, the defaults otherwise", () => {
    const [w, b] = start() as [Tensor, Tensor];
    const optimizer = new optim.SGD([{ params: [w], lr: 0.5 }], { lr: 0.1, momentum: 0.9 });
    optimizer.add_param_group({ params: b });
    expect(optimizer.param_groups.map((g) => [g.lr, g.momentum])).toEqual([[0.5, 0.9], [0.1, 0.9]]);
    expect(String(optimizer)).toBe(
      "SGD (\nParameter Group 0\n    dampening: 0\n    differentiable: False\n    foreach: None\n    lr: 0.5\n" +
        "    maximize: False\n    momentum: 0.9\n    nesterov: False\n    weight_decay: 0\n\nParameter Group 1\n" +
        "    dampening: 0\n    differentiable: False\n    foreach: None\n    lr: 0.1\n    maximize: False\n" +
        "    momentum: 0.9\n    nesterov: False\n    weight_decay: 0\n)",
    );
    expect(() => optimizer.add_param_group({ params: [w] })).toThrow(
      "some parameters appear in more than one parameter group",
    );
  });

  it.each(["SGD", "Adam", "NAdam", "RMSprop", "Rprop", "ASGD"])(
    "%s goes on from a state_dict as if it had not stopped",
    (name) => {
      const options = name === "SGD" ? { lr: 0.1, momentum: 0.9 } : { lr: 0.1 };
      const whole = start(), first = start();
      const want = train(new named[name]!(whole, options), whole, 6);
      const before = new named[name]!(first, options);
      train(before, first, 3);
      const second = first.map((p) => p.detach().clone().requires_grad_(true));
      const after = new named[name]!(second, options);
      after.load_state_dict(before.state_dict());
      near(train(after, second, 3), want);
    },
  );

  it("refuses a state_dict of other groups", () => {
    const [w, b] = start() as [Tensor, Tensor];
    const one = new optim.SGD([w, b], { lr: 0.1 }),
      two = new optim.SGD([{ params: [w] }, { params: [b] }], { lr: 0.1 });
    expect(() => one.load_state_dict(two.state_dict())).toThrow(
      "loaded state dict has a different number of parameter groups",
    );
  });

  it.each<[string, () => unknown, string]>([
    ["no parameters", () => new optim.SGD([], { lr: 0.1 }), "optimizer got an empty parameter list"],
    [
      "a tensor",
      () => new optim.SGD(start()[0] as never, { lr: 0.1 }),
      "params argument given to the optimizer should be an iterable of Tensors or dicts, but got torch.FloatTensor",
    ],
    [
      "no lr",
      () => new optim.SGD(start()),
      "parameter group didn't specify a value of required optimization parameter lr",
    ],
    ["a bad lr", () => new optim.Adam(start(), { lr: -1 }), "Invalid learning rate: -1"],
    [
      "a bad beta",
      () => new optim.Adam(start(), { betas: [1, 0.9] }),
      "Invalid beta parameter at index 0: 1",
    ],
    ["a non-leaf", () => new optim.Adam([start()[0]!.mul(2)]), "can't optimize a non-leaf Tensor"],
  ])("refuses %s", (_, make, message) => expect(make).toThrow(message));

  it("keeps its state beyond the scope of a step", () => {
    const whole = start(), scoped = start();
    const make = (params: Tensor[]) => new optim.LBFGS(params, { lr: 0.5, max_iter: 3 });
    const step = (optimizer: Optimizer, [w, b]: Tensor[]) =>
      void optimizer.step(() => {
        optimizer.zero_grad();
        const loss = x.matmul(w!.t()).add(b!).square().mean();
        loss.backward();
        return loss;
      });
    const plain = make(whole), inside = make(scoped);
    for (let i = 0; i < 3; i++) {
      step(plain, whole);
      torch.scope(() => step(inside, scoped));
    }
    expect(scoped.map((p) => p.tolist())).toEqual(whole.map((p) => p.tolist()));
  });

  it("returns what the closure gives", () => {
    const p = new nn.Parameter(torch.tensor([2]));
    const optimizer = new optim.SGD([p], { lr: 0.25 });
    const loss = optimizer.step(() => {
      optimizer.zero_grad();
      const l = p.square().sum();
      l.backward();
      return l;
    });
    expect([loss!.item(), p.item()]).toEqual([4, 1]);
  });
});
