import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import * as torch from "../../src/mod.ts";
import type { Tensor } from "../../src/tensor.ts";

const { nn } = torch;

class Net extends nn.Module {
  first = new nn.Linear(2, 3);
  act = new nn.ReLU();
  second: InstanceType<typeof nn.Linear>;
  scale = new nn.Parameter(torch.ones(1));
  declare mean: Tensor;
  constructor() {
    super();
    this.second = new nn.Linear(3, 1, { bias: false });
    this.register_buffer("mean", torch.zeros(2));
  }
  override forward(x: Tensor, factor = 1): Tensor {
    return this.second(this.act(this.first(x.sub(this.mean)))).mul(this.scale).mul(factor);
  }
}
const names = (entries: Iterable<[string, unknown]>) => Array.from(entries, ([k]) => k);

describe("a module is a function", () => {
  it("that calls forward with all arguments", () => {
    const net = new Net(), x = torch.randn(4, 2);
    expect(net(x, 2).tolist()).toEqual(net.forward(x).mul(2).tolist());
    expect(net.call(x).tolist()).toEqual(net(x).tolist());
    expect([net instanceof Net, net instanceof nn.Module, typeof net]).toEqual([true, true, "function"]);
  });

  it("whose fields may be named as those of functions are", () => {
    class Odd extends nn.Module {
      override name = "odd";
      override length = 3;
      override forward(): number {
        return this.length;
      }
    }
    const odd = new Odd();
    expect([odd.name, odd(), String(odd)]).toEqual(["odd", 3, "Odd()"]);
  });

  it("that says so when forward is missing", () => {
    class Empty extends nn.Module {}
    expect(() => new Empty()(1)).toThrow('Module [Empty] is missing the required "forward" function');
  });
});

describe("members", () => {
  it("come from class fields, assignments and registrations, in that order", () => {
    const net = new Net();
    expect(names(net.named_parameters())).toEqual(["scale", "first.weight", "first.bias", "second.weight"]);
    expect(names(net.named_children())).toEqual(["first", "act", "second"]);
    expect(names(net.named_modules())).toEqual(["", "first", "act", "second"]);
    expect(names(net.named_buffers())).toEqual(["mean"]);
    expect(names(net.named_parameters({ prefix: "net", recurse: false }))).toEqual(["net.scale"]);
  });

  it("leave when they are deleted and change when they are assigned", () => {
    const net = new Net() as Net & { first?: unknown };
    delete (net as { first?: unknown }).first;
    net.second = new nn.Linear(3, 2);
    expect(names(net.named_parameters())).toEqual(["scale", "second.weight", "second.bias"]);
    net.scale = torch.ones(1) as never; // a plain tensor is no parameter
    expect(names(net.named_parameters())).toEqual(["second.weight", "second.bias"]);
  });

  it("that are shared count once", () => {
    const shared = new nn.Linear(2, 2);
    const net = new nn.Sequential(shared, new nn.Tanh(), shared);
    expect([...net.parameters()].length).toBe(2);
    expect([...net.modules()].length).toBe(3);
    expect(names(net.named_parameters({ remove_duplicate: false })).length).toBe(4);
    expect(net.state_dict().size).toBe(4);
  });

  it("keep their order where names look like numbers", () => {
    const m = new nn.Module();
    for (const k of ["b", "10", "2", "a"]) m.add_module(k, new nn.Identity());
    expect(names(m.named_children())).toEqual(["b", "10", "2", "a"]);
    m.add_module("10", new nn.Tanh());
    expect(names(m.named_children())).toEqual(["b", "10", "2", "a"]);
  });

  it("are found by path", () => {
    const net = new nn.Sequential({ block: new nn.Sequential(new nn.Linear(1, 1), new nn.BatchNorm1d(1)) });
    expect(net.get_submodule("block.0")).toBeInstanceOf(nn.Linear);
    expect(net.get_parameter("block.0.bias").shape[0]).toBe(1);
    expect(net.get_buffer("block.1.running_mean").item()).toBe(0);
    expect(() => net.get_submodule("block.3")).toThrow("Sequential has no attribute `3`");
    expect(() => net.get_parameter("block.1.running_mean")).toThrow("`running_mean` is not an nn.Parameter");
    expect(() => net.get_buffer("block.0.weight")).toThrow("`weight` is not a buffer");
  });

  it.each<[string, (m: InstanceType<typeof nn.Module>) => void, string]>([
    ["dots", (m) => m.register_parameter("a.b", null), 'parameter name can\'t contain "."'],
    ["empty names", (m) => m.register_buffer("", null), 'buffer name can\'t be empty string ""'],
    ["names in use", (m) => m.register_buffer("training", null), "attribute 'training' already exists"],
    [
      "tensors as parameters",
      (m) => m.register_parameter("w", torch.ones(1) as never),
      "cannot assign 'torch.FloatTensor' object to parameter 'w' (torch.nn.Parameter or None required)",
    ],
    ["others as modules", (m) => m.add_module("m", 3 as never), "is not a Module subclass"],
  ])("refuse %s", (_, change, message) => expect(() => change(new nn.Module())).toThrow(message));
});

describe("changing", () => {
  it("train, eval and apply reach everything", () => {
    const net = new Net();
    expect(net.eval()).toBe(net);
    expect([...net.modules()].map((m) => m.training)).toEqual([false, false, false, false]);
    const seen: string[] = [];
    net.train().apply((m) => seen.push(m._get_name()));
    expect(seen).toEqual(["Linear", "ReLU", "Linear", "Net"]);
  });

  it("to() converts floating point members in place; parameters stay the same objects", () => {
    const net = new nn.BatchNorm1d(2), weight = net.weight;
    net.double();
    expect([net.weight === weight, weight!.dtype, net.running_mean!.dtype, net.num_batches_tracked!.dtype])
      .toEqual([true, torch.float64, torch.float64, torch.int64]);
    expect(() => net.to(torch.int32)).toThrow(
      "nn.Module.to only accepts floating point or complex dtypes, but got desired dtype=torch.int32",
    );
  });

  it("zero_grad zeroes or drops, requires_grad_ freezes", () => {
    const net = new nn.Linear(2, 1);
    net(torch.ones(1, 2)).sum().backward();
    net.zero_grad();
    expect(net.weight.grad!.tolist()).toEqual([[0, 0]]);
    net.zero_grad({ set_to_none: true });
    expect(net.weight.grad).toBeNull();
    net.requires_grad_(false);
    expect(net(torch.ones(1, 2)).requires_grad).toBe(false);
  });

  it("deepcopy gives a network of its own that works alike", () => {
    const net = new Net(), x = torch.randn(3, 2);
    net.register_forward_hook((_m, _x, y: Tensor) => y.add(1));
    const copy = torch.deepcopy(net);
    expect(copy(x).tolist()).toEqual(net(x).tolist());
    torch.no_grad(() => {
      copy.first.weight.zero_();
    });
    expect(net.first.weight.abs().sum().item()).toBeGreaterThan(0);
    expect([copy instanceof Net, String(copy)]).toEqual([true, String(net)]);
  });
});

it("a module outlives the scope that it is made, converted or copied in", () => {
  let net = new nn.Sequential(new nn.LazyLinear(2), new nn.BatchNorm1d(2)), copy = net;
  torch.scope(() => {
    net = new nn.Sequential(new nn.LazyLinear(2), new nn.BatchNorm1d(2));
    net(torch.ones(3, 4));
    net.double();
    copy = torch.deepcopy(net);
  });
  expect(copy.eval()(torch.ones(1, 4).double()).tolist()).toEqual(
    net.eval()(torch.ones(1, 4).double()).tolist(),
  );
});

describe("hooks", () => {
  it("see and replace input and output, in order, until removed", () => {
    const net = new nn.Linear(1, 1, { bias: false }), log: string[] = [];
    torch.no_grad(() => {
      net.weight.fill_(3);
    });
    const before = net.register_forward_pre_hook((m, [x]: Tensor[]) => {
      log.push(`pre ${m === net}`);
      return x!.add(1);
    });
    const after = net.register_forward_hook((_m, [x]: Tensor[], y: Tensor) => {
      log.push(`post ${x!.item()} ${y.item()}`);
      return y.neg();
    });
    expect(net(torch.ones(1)).item()).toBe(-6);
    expect(net.forward(torch.ones(1)).item()).toBe(3);
    before.remove();
    after.remove();
    expect(net(torch.ones(1)).item()).toBe(3);
    expect(log).toEqual(["pre true", "post 2 6"]);
  });

  it("see and replace gradients", () => {
    const net = new nn.Linear(1, 1, { bias: false }), seen: number[][] = [];
    torch.no_grad(() => {
      net.weight.fill_(3);
    });
    net.register_full_backward_hook((_m, gradInput, gradOutput) => {
      seen.push([gradInput[0]!.item() as number, gradOutput[0]!.item() as number]);
      return [gradInput[0]!.mul(10)];
    });
    const x = torch.ones(1, { requires_grad: true });
    net(x).mul(2).backward();
    expect([seen, x.grad!.item(), net.weight.grad!.item()]).toEqual([[[6, 2]], 60, 2]);
  });

  it("for all modules run before a module's own", () => {
    const log: string[] = [], net = new nn.Identity();
    const handle = nn.modules.register_module_forward_hook(() => void log.push("all"));
    net.register_forward_hook(() => void log.push("own"));
    net(torch.ones(1));
    handle.remove();
    net(torch.ones(1));
    expect(log).toEqual(["all", "own", "own"]);
  });
});

describe("printing", () => {
  const text = `Net(
  (first): Linear(in_features=2, out_features=3, bias=True)
  (act): ReLU()
  (second): Linear(in_features=3, out_features=1, bias=False)
)`;
  it("is PyTorch's, in String() and in console.log", () => {
    const net = new Net();
    expect(String(net)).toBe(text);
    expect(inspect(net)).toBe(text);
    if ("Deno" in globalThis) {
      expect((globalThis as unknown as { Deno: { inspect(x: unknown): string } }).Deno.inspect(net)).toBe(
        text,
      );
    }
  });

  it("indents what is nested and merges nothing", () => {
    const net = new nn.Sequential(
      new nn.Sequential(new nn.Conv2d(1, 2, 3, { padding: "same" })),
      new nn.Dropout(0.2),
    );
    expect(String(net)).toBe(`Sequential(
  (0): Sequential(
    (0): Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1), padding=same)
  )
  (1): Dropout(p=0.2, inplace=False)
)`);
  });
});
