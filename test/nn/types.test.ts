/** What the type checker must accept and refuse; `deno check` reads this file, the tests run it. */
import { expect, it } from "vitest";
import * as torch from "../../src/mod.ts";
import type { Tensor } from "../../src/tensor.ts";

const { nn, optim } = torch;

class Net extends nn.Module {
  fc1 = new nn.Linear(4, 3);
  fc2 = new nn.Linear({ in_features: 3, out_features: 2, bias: false });
  layers = new nn.ModuleList([new nn.Linear(2, 2)]);
  conv = new nn.Conv2d(3, 6, 5, 1, { padding: 2 });
  override forward(x: Tensor, scale = 1): Tensor {
    x = this.fc2(this.fc1(x));
    for (const layer of this.layers) x = layer(x);
    return x.mul(scale);
  }
}

it("a module takes and gives what its forward does", () => {
  const net = new Net(), x = torch.ones(2, 4);
  const y: Tensor = net(x), z: Tensor = net(x, 2);
  expect(z.tolist()).toEqual(y.mul(2).tolist());
  // @ts-expect-error a string is no tensor
  expect(() => net("a")).toThrow();
  // @ts-expect-error the result is a tensor
  const wrong: string = net(x);
  expect(typeof wrong).toBe("object");
  net.register_forward_hook((m) => {
    const same: Net = m;
    expect(same).toBe(net);
  });
  net(x);
});

it("options go last, by position or by name", () => {
  const net = new Net();
  const groups = new optim.Adam(
    [{ params: net.fc1.parameters(), lr: 0.1 }, { params: net.fc2.parameters() }],
    1e-3,
  );
  const schedule = new optim.lr_scheduler.StepLR(groups, 5, { gamma: 0.5 });
  expect(schedule.get_last_lr()).toEqual([0.1, 1e-3]);
  expect([net.conv.padding, new nn.Linear(1, 1, false).bias]).toEqual([[2, 2], null]);
  // @ts-expect-error no such option
  expect(() => new nn.Linear(1, 1, { biass: false })).toThrow(
    "Linear() got an unexpected keyword argument 'biass'",
  );
});

it("batches have the types of what samples are collated to", () => {
  const { DataLoader, TensorDataset } = torch.utils.data;
  for (const [a, b] of new DataLoader(new TensorDataset(torch.zeros(3), torch.ones(3)), { batch_size: 3 })) {
    const x: Tensor = a, y: Tensor = b;
    expect([x.tolist(), y.tolist()]).toEqual([[0, 0, 0], [1, 1, 1]]);
  }
  for (const batch of new DataLoader([{ x: torch.ones(1), n: 3, s: "a" }])) {
    const x: Tensor = batch.x, n: Tensor = batch.n, s: string[] = batch.s;
    expect([x.tolist(), n.tolist(), s]).toEqual([[[1]], [3], ["a"]]);
  }
});
