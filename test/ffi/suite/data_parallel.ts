/** nn.DataParallel over the two devices of the host build. */

import * as torch from "../../../src/mod.ts";
import { assert, assertEquals } from "./harness.ts";
import type { DeviceCheck } from "./device.ts";

const { nn } = torch;
type Tensor = torch.Tensor;

class Net extends nn.Module {
  conv = new nn.Conv2d(1, 4, 3);
  out = new nn.Linear(4 * 36, 3);
  devices: string[] = [];
  override forward(x: Tensor, options: { scale: number }): { logits: Tensor; hidden: Tensor[] } {
    this.devices.push(String(x.device));
    const h = this.conv.call(x).tanh();
    return { logits: this.out.call(h.flatten(1)).mul(options.scale), hidden: [h] };
  }
}

function train(parallel: boolean): { losses: number[]; devices: string[]; weights: number[] } {
  torch.manual_seed(2);
  const net = new Net().cuda(), x = torch.randn([10, 1, 8, 8]).cuda(), y = torch.randint(0, 3, [10]).cuda();
  const model = parallel ? new nn.DataParallel(net) : net, losses: number[] = [];
  const optimizer = new torch.optim.SGD(net.parameters(), { lr: 0.1, momentum: 0.9 });
  for (let step = 0; step < 6; step++) {
    optimizer.zero_grad();
    const { logits, hidden } = model.call(x, { scale: 0.5 }) as ReturnType<Net["forward"]>;
    assertEquals([String(logits.device), [...logits.shape], [...hidden[0]!.shape]], ["cuda:0", [10, 3], [
      10,
      4,
      6,
      6,
    ]], "gathered");
    const loss = nn.functional.cross_entropy(logits, y);
    loss.backward();
    optimizer.step();
    losses.push(loss.item() as number);
  }
  const weights = [...net.parameters()].flatMap((p) => p.detach().cpu().reshape([-1]).tolist() as number[]);
  return { losses, devices: net.devices, weights };
}

const same: DeviceCheck = {
  name: "DataParallel: two devices train to the numbers of one",
  run() {
    const one = train(false), two = train(true);
    assertEquals([...new Set(two.devices)].sort(), ["cuda:0", "cuda:1"], "both devices work");
    one.losses.forEach((loss, i) =>
      assert(Math.abs(loss - two.losses[i]!) < 1e-5, `step ${i}: ${two.losses[i]}, not ${loss}`)
    );
    one.weights.forEach((w, i) => assert(Math.abs(w - two.weights[i]!) < 1e-5, `weight ${i}`));
    assert(one.losses.at(-1)! < one.losses[0]!, "losses fall");
  },
};

const details: DeviceCheck = {
  name: "DataParallel: buffers, small batches, refusals",
  run() {
    const norm = new nn.BatchNorm1d(2).cuda(), wrapped = new nn.DataParallel(norm);
    wrapped.call(torch.tensor([[1, 2], [3, 4], [50, 60], [70, 80]]).cuda());
    assertEquals(
      norm.running_mean!.tolist().map((v: number) => Math.round(v * 1000)),
      [200, 300],
      "those of the first device",
    );
    assertEquals([...wrapped.state_dict().keys()][0], "module.weight", "names");
    const linear = new nn.Linear(2, 1).cuda(),
      single = new nn.DataParallel(linear).call(torch.ones([1, 2]).cuda()) as Tensor;
    assertEquals([...single.shape], [1, 1], "a batch of one");
    let message = "";
    try {
      new nn.DataParallel(new nn.Linear(2, 1)).call(torch.ones([4, 2]).cuda());
    } catch (error) {
      message = (error as Error).message;
    }
    assertEquals(
      message,
      "module must have its parameters and buffers on device cuda:0 (device_ids[0]) but found one of them on device: cpu",
      "a module that was left behind",
    );
    const back = nn.parallel.data_parallel(linear, torch.ones([4, 2]).cuda(), [0, 1], 1) as Tensor;
    assertEquals(String(back.device), "cuda:1", "output_device");
  },
};

export const dataParallelChecks: DeviceCheck[] = [same, details];
