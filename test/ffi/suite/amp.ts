/** Mixed precision on the device "cuda". */

import * as torch from "../../../src/mod.ts";
import { assert, assertEquals } from "./harness.ts";
import type { DeviceCheck } from "./device.ts";

const { nn, cuda } = torch;

const lists: DeviceCheck = {
  name: "autocast: the lists of CUDA",
  run() {
    const F = nn.functional, x = torch.rand([4, 4]).cuda(), h = x.half(), v = x.select(0, 0);
    const wanted: [string, () => torch.Tensor, string][] = [
      ["mm", () => x.mm(x), "float16"],
      ["linear", () => F.linear(x, h), "float16"],
      ["conv2d", () => F.conv2d(x.reshape([1, 1, 4, 4]), x.reshape([1, 1, 4, 4])), "float16"],
      ["float64 is left alone", () => x.double().mm(x.double()), "float64"],
      ["exp", () => h.exp(), "float32"],
      ["layer_norm", () => F.layer_norm(h, [4]), "float32"],
      ["mse_loss", () => F.mse_loss(h, h), "float32"],
      ["cross_entropy", () => F.cross_entropy(h, torch.zeros([4]).long().cuda()), "float32"],
      ["sum", () => h.sum(), "float32"],
      ["softmax", () => F.softmax(h, 1), "float32"],
      ["softmax with a dtype", () => F.softmax(h, 1, { dtype: torch.float64 }), "float64"],
      ["dot of two dtypes", () => v.half().dot(v), "float32"],
      ["cat of two dtypes", () => torch.cat([h, x]), "float32"],
      ["add promotes by itself", () => h.add(x), "float32"],
      ["relu keeps", () => h.relu(), "float16"],
      ["in place is left alone", () => x.clone().addmm_(x, x), "float32"],
    ];
    torch.autocast("cuda", () => {
      for (const [name, f, dtype] of wanted) assertEquals(String(f().dtype), `torch.${dtype}`, name);
      assertEquals(String(torch.rand([2, 2]).mm(torch.rand([2, 2])).dtype), "torch.float32", "the CPU");
      let message = "";
      try {
        F.binary_cross_entropy(v, v);
      } catch (error) {
        message = (error as Error).message;
      }
      assert(message.includes("are unsafe to autocast."), message);
    });
    cuda.amp.autocast(() => assertEquals(String(x.mm(x).dtype), "torch.float16", "torch.cuda.amp.autocast"));
    torch.autocast("cuda", { dtype: torch.bfloat16 }, () => {
      assertEquals(String(x.mm(x).dtype), "torch.bfloat16", "bfloat16");
      assertEquals(String(h.mm(h).dtype), "torch.bfloat16", "float16 becomes bfloat16");
    });
  },
};

const scaling: DeviceCheck = {
  name: "GradScaler: trains, skips steps that overflow, grows",
  run() {
    torch.manual_seed(1);
    const net = new nn.Sequential(new nn.Linear(6, 16), new nn.ReLU(), new nn.Linear(16, 3)).cuda();
    const x = torch.randn([32, 6]).cuda(), y = x.narrow(1, 0, 3).argmax(1), losses: number[] = [];
    const optimizer = new torch.optim.Adam(net.parameters(), { lr: 0.03 });
    const scaler = new cuda.amp.GradScaler({ init_scale: 2 ** 24, growth_interval: 20 });
    let skipped = 0;
    for (let step = 0; step < 60; step++) {
      optimizer.zero_grad();
      const loss = torch.autocast("cuda", () => nn.functional.cross_entropy(net.call(x), y));
      const before = scaler.get_scale(), weight = net.get_parameter("0.weight").detach().clone();
      scaler.scale(loss).backward();
      scaler.unscale_(optimizer);
      nn.utils.clip_grad_norm_(net.parameters(), 1e4);
      scaler.step(optimizer);
      scaler.update();
      if (scaler.get_scale() < before) {
        skipped++;
        assert(torch.equal(net.get_parameter("0.weight"), weight), "a step that overflows changes nothing");
      }
      losses.push(loss.item() as number);
    }
    assert(skipped > 0 && skipped < 20, `${skipped} steps were skipped`);
    assert(losses.at(-1)! < 0.3 * losses[0]!, `losses fall: ${losses}`);
    const state = scaler.state_dict(), other = new cuda.amp.GradScaler();
    other.load_state_dict(state);
    assertEquals(other.get_scale(), scaler.get_scale(), "the scale of a checkpoint");
    const eager = new cuda.amp.GradScaler({ init_scale: 1024, growth_interval: 1 });
    const p = torch.ones([2]).cuda().requires_grad_(), sgd = new torch.optim.SGD([p], { lr: 1 });
    eager.scale(p.sum()).backward();
    eager.step(sgd);
    eager.update();
    assertEquals([eager.get_scale(), p.tolist()], [2048, [0, 0]], "grown, and unscaled exactly");
    eager.scale(p.sum()).backward();
    eager.step(sgd);
    let message = "";
    try {
      eager.step(sgd);
    } catch (error) {
      message = (error as Error).message;
    }
    assertEquals(message, "step() has already been called since the last update().", "twice");
  },
};

export const ampChecks: DeviceCheck[] = [lists, scaling];
