import { describe, expect, it } from "vitest";
import * as torch from "../../src/mod.ts";
import type { Tensor } from "../../src/tensor.ts";

const { nn } = torch;
const make = () => new nn.Sequential(new nn.Linear(2, 3), new nn.BatchNorm1d(3));

describe("state_dict", () => {
  it("has parameters and buffers in PyTorch's order, sharing memory, without graph", () => {
    const net = make(), dict = net.state_dict();
    expect([...dict.keys()]).toEqual([
      "0.weight",
      "0.bias",
      "1.weight",
      "1.bias",
      "1.running_mean",
      "1.running_var",
      "1.num_batches_tracked",
    ]);
    dict.get("0.bias").fill_(7);
    expect((net.at(0) as InstanceType<typeof nn.Linear>).bias!.tolist()).toEqual([7, 7, 7]);
    expect(dict.get("0.bias").requires_grad).toBe(false);
    expect(net.state_dict({ keep_vars: true }).get("0.bias").requires_grad).toBe(true);
    expect([...net.state_dict({ prefix: "net." }).keys()][0]).toBe("net.0.weight");
    expect(dict._metadata.get("1")).toEqual({ version: 2 });
  });

  it("leaves out buffers that are not persistent, and takes extra state", () => {
    class Counter extends nn.Module {
      count = 1;
      constructor() {
        super();
        this.register_buffer("cache", torch.ones(2), { persistent: false });
      }
      override get_extra_state(): unknown {
        return { count: this.count };
      }
      override set_extra_state(state: { count: number }): void {
        this.count = state.count;
      }
    }
    const a = new Counter(), b = new Counter();
    a.count = 5;
    expect([...a.state_dict().keys()]).toEqual(["_extra_state"]);
    b.load_state_dict(a.state_dict());
    expect(b.count).toBe(5);
  });
});

describe("load_state_dict", () => {
  it("copies values into the parameters that are there", () => {
    const from = make(), to = make(), weight = to.get_parameter("0.weight");
    expect(String(to.load_state_dict(from.state_dict()))).toBe("<All keys matched successfully>");
    expect(to.get_parameter("0.weight")).toBe(weight);
    expect(weight.tolist()).toEqual(from.get_parameter("0.weight").tolist());
    to.load_state_dict(Object.fromEntries(make().state_dict()));
    expect(weight.tolist()).not.toEqual(from.get_parameter("0.weight").tolist());
  });

  it("lists what is missing, unexpected and of another size", () => {
    const net = make(), dict = net.state_dict();
    dict.delete("0.bias");
    dict.set("2.weight", torch.ones(1));
    dict.set("0.weight", torch.ones(3, 4));
    expect(() => net.load_state_dict(dict)).toThrow(
      "Error(s) in loading state_dict for Sequential:\n" +
        '\tMissing key(s) in state_dict: "0.bias". \n' +
        '\tUnexpected key(s) in state_dict: "2.weight". \n' +
        "\tsize mismatch for 0.weight: copying a param with shape torch.Size([3, 4]) from checkpoint, " +
        "the shape in current model is torch.Size([3, 2]).",
    );
    dict.delete("0.weight");
    const keys = net.load_state_dict(dict, { strict: false });
    expect([keys.missing_keys, keys.unexpected_keys]).toEqual([["0.weight", "0.bias"], ["2.weight"]]);
    expect(String(keys)).toBe(
      "_IncompatibleKeys(missing_keys=['0.weight', '0.bias'], unexpected_keys=['2.weight'])",
    );
  });

  it("reads batch norms from before num_batches_tracked, and scalars from before scalars", () => {
    const dict = new Map<string, Tensor>(new nn.BatchNorm1d(1).state_dict());
    dict.delete("num_batches_tracked");
    const norm = new nn.BatchNorm1d(1);
    expect(norm.load_state_dict(dict).missing_keys).toEqual([]);
    expect(norm.num_batches_tracked!.item()).toBe(0);
    const scalar = new nn.Module();
    scalar.register_buffer("x", torch.tensor(1));
    scalar.load_state_dict({ x: torch.tensor([5]) });
    expect(scalar.get_buffer("x").item()).toBe(5);
  });

  it("runs hooks before and after", () => {
    const net = make();
    net._register_load_state_dict_pre_hook((dict, prefix) => {
      for (const [k, v] of [...dict]) {
        if (k.startsWith(`${prefix}module.`)) {
          dict.delete(k);
          dict.set(prefix + k.slice(prefix.length + 7), v);
        }
      }
    });
    net.register_load_state_dict_post_hook((_m, keys) => void keys.missing_keys.splice(0));
    const dict = new Map([...make().state_dict()].map(([k, v]) => [`module.${k}`, v]));
    dict.delete("module.0.bias");
    expect(net.load_state_dict(dict).missing_keys).toEqual([]);
  });
});
