/** Nets, checkpoints and moves on the device "cuda", against the CPU. */

import * as torch from "../../../src/mod.ts";
import { assert, assertEquals } from "./harness.ts";
import type { DeviceCheck } from "./device.ts";

const { nn } = torch;
type Tensor = torch.Tensor;

/** The largest difference, relative to the largest element. */
function apart(a: Tensor, b: Tensor): number {
  const x = a.detach().cpu().double(), y = b.detach().cpu().double();
  assertEquals([...x.shape], [...y.shape], "shapes");
  return (x.sub(y).abs().max().item() as number) / (1e-12 + (y.abs().max().item() as number));
}

/** Each trains for a few steps on what it is given; inputs are drawn on the CPU. */
const NETS: Record<
  string,
  { net: () => torch.nn.Module; input: () => Tensor; output?: (y: unknown) => Tensor }
> = {
  "a convolutional net": {
    net: () =>
      new nn.Sequential(
        new nn.Conv2d(3, 8, 3, { padding: 1 }),
        new nn.BatchNorm2d(8),
        new nn.ReLU(),
        new nn.MaxPool2d(2),
        new nn.Conv2d(8, 8, 3, { stride: 2, groups: 2, bias: false }),
        new nn.GroupNorm(2, 8),
        new nn.GELU(),
        new nn.ConvTranspose2d(8, 4, 2, { stride: 2 }),
        new nn.AdaptiveAvgPool2d(2),
        new nn.Flatten(),
        new nn.Dropout(0.2),
        new nn.Linear(16, 5),
      ),
    input: () => torch.randn([6, 3, 12, 12]),
  },
  "a 1-d and 3-d convolution": {
    net: () =>
      new nn.Sequential(
        new nn.Conv3d(2, 4, 2),
        new nn.InstanceNorm3d(4, { affine: true }),
        new nn.Flatten(2),
        new nn.Conv1d(4, 3, 3, { dilation: 2 }),
        new nn.AvgPool1d(2),
        new nn.Flatten(),
        new nn.LazyLinear(5),
      ),
    input: () => torch.randn([3, 2, 3, 4, 5]),
  },
  "an LSTM": {
    net: () => new nn.LSTM(6, 5, { num_layers: 2, bidirectional: true, batch_first: true }),
    input: () => torch.randn([4, 7, 6]),
    output: (y) => (y as Tensor[])[0]!,
  },
  "a GRU": {
    net: () => new nn.GRU(6, 5),
    input: () => torch.randn([7, 4, 6]),
    output: (y) => (y as Tensor[])[0]!,
  },
  "a transformer layer": {
    net: () => new nn.TransformerEncoderLayer(8, 2, 16, { batch_first: true }),
    input: () => torch.randn([2, 5, 8]),
  },
  "upsampling": {
    net: () =>
      new nn.Sequential(
        new nn.Conv2d(2, 3, 1),
        new nn.Upsample({ scale_factor: 2, mode: "bilinear" }),
        new nn.PixelUnshuffle(2),
      ),
    input: () => torch.randn([2, 2, 4, 6]),
  },
};

function train(name: string, device: string): { losses: number[]; state: Map<string, Tensor> } {
  const { net: make, input, output } = NETS[name]!;
  torch.manual_seed(3);
  const net = make(), x = input();
  net.call(x); // lazy layers take their shape on the CPU
  net.to(device);
  const optimizer = new torch.optim.SGD(net.parameters(), { lr: 0.05, momentum: 0.9 }), losses: number[] = [];
  const there = x.to(device);
  for (let step = 0; step < 4; step++) {
    optimizer.zero_grad();
    const y = net.call(there), out = output ? output(y) : y as Tensor;
    const loss = out.mul(out).mean().add(out.abs().mean());
    loss.backward();
    optimizer.step();
    losses.push(loss.item() as number);
  }
  return { losses, state: net.state_dict() as Map<string, Tensor> };
}

const training: DeviceCheck[] = Object.keys(NETS).map((name) => ({
  name: `${name} trains as on the CPU`,
  run() {
    const here = train(name, "cpu"), there = train(name, "cuda");
    there.losses.forEach((loss, i) => {
      const wanted = here.losses[i]!;
      assert(Math.abs(loss - wanted) <= 1e-4 * Math.abs(wanted), `step ${i}: ${loss}, the CPU has ${wanted}`);
    });
    for (const [key, value] of there.state) {
      assertEquals(value.device.type, "cuda", key);
      if (value.is_floating_point()) {
        const off = apart(value, here.state.get(key)!);
        assert(off < 2e-3, `${key} is ${off} apart`);
      } else assertEquals(value.item(), here.state.get(key)!.item(), key);
    }
  },
}));

const checkpoints: DeviceCheck = {
  name: "checkpoints: map_location",
  run() {
    const net = new nn.Linear(3, 2).cuda(), saved = torch.save_to_bytes(net.state_dict());
    const plain = torch.load(saved) as Map<string, Tensor>;
    assertEquals(String(plain.get("weight")!.device), "cuda:0", "where it was saved from");
    for (const where of ["cpu", "cuda:1"]) {
      const moved = torch.load(saved, where) as Map<string, Tensor>;
      assertEquals(String(moved.get("weight")!.device), where, "map_location");
      assertEquals(apart(moved.get("weight")!, net.weight), 0, "the same numbers");
    }
    const other = new nn.Linear(3, 2);
    other.load_state_dict(plain);
    assertEquals(other.weight.device.type, "cpu", "load_state_dict copies to where the module is");
    assertEquals(apart(other.weight, net.weight), 0, "the same numbers");
  },
};

const moves: DeviceCheck = {
  name: "cuda(), cpu(), to(), non_blocking, pinned memory",
  run() {
    const x = torch.randn([5]), there = x.cuda({ non_blocking: true });
    assertEquals([there.is_cuda, x.is_cuda, there.get_device()], [true, false, 0], "cuda()");
    assert(there.cuda() === there && x.cpu() === x, "already there");
    assertEquals(String(there.to("cuda:1", { non_blocking: true }).device), "cuda:1", "to another device");
    assertEquals(apart(there.to("cpu", torch.float64), x), 0, "to a device and a dtype");
    assertEquals(String(x.to(there).device), "cuda:0", "to where another tensor is");
    assertEquals(apart(x.pin_memory().cuda(), x), 0, "from pinned memory");
    const model = new nn.Sequential(new nn.Linear(2, 2), new nn.BatchNorm1d(2)).cuda(1);
    for (const [name, t] of model.state_dict() as Map<string, Tensor>) {
      assertEquals(String(t.device), "cuda:1", name);
    }
    model.cpu();
    for (const p of model.parameters()) assertEquals(p.device.type, "cpu", "cpu()");
  },
};

export const netChecks: DeviceCheck[] = [...training, checkpoints, moves];
