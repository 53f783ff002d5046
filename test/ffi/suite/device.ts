/** Tensors, autograd and training on the device "cuda", against the CPU. */

import * as torch from "../../../src/mod.ts";
import { cudaBackend } from "../../../src/backend/cuda.ts";
import { Kernel } from "../../../src/base/backend.ts";
import { ampChecks } from "./amp.ts";
import { assert, assertEquals } from "./harness.ts";
import { dataParallelChecks } from "./data_parallel.ts";
import { graphChecks } from "./graphs.ts";
import { netChecks } from "./nets.ts";

type Tensor = torch.Tensor;
const { nn, cuda } = torch;

/** A named test that needs no library of its own. */
export interface DeviceCheck {
  readonly name: string;
  run(): void;
}

/** The error that `f` throws. */
function thrown(f: () => unknown): Error {
  try {
    f();
  } catch (error) {
    if (error instanceof Error) return error;
    throw error;
  }
  throw new Error("expected an error, but nothing was thrown");
}

function assertClose(got: Tensor, wanted: Tensor, what: string, rtol = 1e-5, atol = 1e-6): void {
  assertEquals([...got.shape], [...wanted.shape], `${what}: shape`);
  assertEquals(String(got.dtype), String(wanted.dtype), `${what}: dtype`);
  const close = torch.allclose(got.cpu().to(torch.float64), wanted.cpu().to(torch.float64), rtol, atol, true);
  assert(close, `${what}: got ${got}, wanted ${wanted}`);
}

const devices: DeviceCheck = {
  name: "devices",
  run() {
    assert(cuda.is_available() && cuda.is_initialized(), "available");
    assertEquals(cuda.why_unavailable(), null, "nothing is missing");
    assertEquals(cuda.device_count(), 2, "devices");
    assertEquals(cuda.get_device_name(1), "tstorch host device", "name");
    assertEquals(cuda.get_device_name("cuda:0"), "tstorch host device", "name");
    assert(cuda.get_device_properties(0).total_memory > 0, "memory");
    assertEquals(cuda.current_device(), 0, "first device");
    assertEquals(
      torch.zeros([2], { device: "cuda" }).device.toString(),
      "cuda:0",
      "cuda is the current device",
    );
    cuda.device(1, () => {
      assertEquals(torch.zeros([2], { device: "cuda" }).device.toString(), "cuda:1", "inside the block");
    });
    assertEquals(cuda.current_device(), 0, "after the block");
    cuda.set_device(1);
    assertEquals(torch.ones([2]).cuda().get_device(), 1, "set_device");
    cuda.set_device(0);
    assertEquals(
      thrown(() => torch.zeros([1], { device: "cuda:2" })).message,
      "CUDA error: invalid device ordinal",
      "no third",
    );
    assertEquals(
      thrown(() => cuda.get_device_name("cpu")).message,
      "Expected a cuda device, but got: cpu",
      "not cuda",
    );
  },
};

const moves: DeviceCheck = {
  name: "moving tensors between devices",
  run() {
    for (const dtype of [torch.float32, torch.float64, torch.int64, torch.int32, torch.uint8, torch.bool]) {
      const x = torch.arange(24).reshape(2, 3, 4).to(dtype);
      const there = x.to("cuda");
      assert(there.is_cuda && there.device.index === 0, "on the first device");
      assertClose(there, x, `${dtype} there and back`, 0, 0);
      assertClose(there.to("cuda:1"), x, "from device to device", 0, 0);
      const view = x.transpose(0, 2);
      assertClose(view.to("cuda"), view, "a transposed view", 0, 0);
      assertClose(there.transpose(0, 2).cpu(), view, "a transposed view back", 0, 0);
      assertClose(there.select(1, 2).contiguous(), x.select(1, 2), "a slice", 0, 0);
    }
    const y = torch.zeros([3, 2], { device: "cuda" });
    y.copy_(torch.tensor([1, 2]));
    assertClose(y, torch.tensor([[1, 2], [1, 2], [1, 2]]), "copy_ from the CPU, broadcast", 0, 0);
    assertEquals(String(torch.tensor([1, 2]).cuda()), "tensor([1., 2.], device='cuda:0')", "printed");
    assertEquals(torch.tensor([[1.5, 2]]).cuda().tolist(), [[1.5, 2]], "tolist");
    const half = torch.tensor([0.1, 70000, -2]).cuda().to(torch.float16);
    assertClose(half.to(torch.float32), torch.tensor([0.0999755859375, Infinity, -2]), "float16", 0, 0);
  },
};

const operators: DeviceCheck = {
  name: "operators agree with the CPU",
  run() {
    torch.manual_seed(3);
    const a = torch.randn([5, 7]),
      b = torch.randn([7, 4]),
      row = torch.randn([7]),
      labels = torch.tensor([0, 3, 6, 2, 1]).long();
    const same = (what: string, f: (a: Tensor, b: Tensor, row: Tensor, labels: Tensor) => Tensor) =>
      assertClose(f(a.cuda(), b.cuda(), row.cuda(), labels.cuda()), f(a, b, row, labels), what);
    same("add", (a, _, row) => a.add(row));
    same("broadcast division", (a, _, row) => a.div(row.unsqueeze(0).exp()));
    same("a chain", (a) => a.mul(2).sub(1).tanh().sigmoid().pow(2));
    same("comparison", (a, _, row) => a.gt(row));
    same("where", (a, _, row) => torch.where(a.gt(0), a, row));
    same("integers", (_a, _b, _r, labels) => labels.mul(3).remainder(4));
    same("sum", (a) => a.sum());
    same("mean of a dimension", (a) => a.mean(0));
    same("variance", (a) => a.var(1));
    same("maximum and its place", (a) => a.max(1)[1]);
    same("argmax", (a) => a.argmax(0));
    same("norm", (a) => a.norm());
    same("cumsum", (a) => a.cumsum(1));
    same("logsumexp", (a) => a.logsumexp(1));
    same("any", (a) => a.gt(2).any());
    same("matmul", (a, b) => a.matmul(b));
    same("transposed matmul", (a, b) => b.t().matmul(a.t()));
    same("batched", (a, b) => torch.bmm(a.expand(3, 5, 7), b.expand(3, 7, 4)));
    same("softmax", (a) => a.softmax(1));
    same("log_softmax of columns", (a) => a.log_softmax(0));
    same("nll_loss", (a, _b, _r, labels) => nn.functional.nll_loss(a.log_softmax(1), labels));
    same(
      "cross_entropy",
      (a, _b, _r, labels) => nn.functional.cross_entropy(a, labels, { label_smoothing: 0.1 }),
    );
    same("gather", (a, _b, _r, labels) => a.gather(1, labels.unsqueeze(1)));
    same("index_select", (a, _b, _r, labels) => a.index_select(1, labels));
    same("cat", (a) => torch.cat([a, a.mul(2)], 0));
    same("embedding", (_a, b, _r, labels) => nn.functional.embedding(labels, b));
    same("one_hot", (_a, _b, _r, labels) => nn.functional.one_hot(labels, 8));
    same("tril", (a) => a.tril());
    same("masked_select", (a) => a.masked_select(a.gt(0)));
    same("nonzero", (a) => a.gt(0.5).nonzero());
  },
};

const gradients: DeviceCheck = {
  name: "gradients agree with the CPU",
  run() {
    torch.manual_seed(4);
    const x = torch.randn([6, 5]), w = torch.randn([5, 3]), labels = torch.tensor([0, 1, 2, 2, 1, 0]).long();
    const run = (device: string): [Tensor, Tensor] => {
      const a = x.to(device).detach().requires_grad_(), b = w.to(device).detach().requires_grad_();
      const h = nn.functional.gelu(a.matmul(b)).add(a.select(1, 0).unsqueeze(1)).sub(a.mean(1, true));
      nn.functional.cross_entropy(h, labels.to(device)).backward();
      return [a.grad!, b.grad!];
    };
    const [ga, gb] = run("cuda"), [ca, cb] = run("cpu");
    assert(ga.is_cuda && gb.is_cuda, "gradients are where their tensors are");
    assertClose(ga, ca, "input");
    assertClose(gb, cb, "weight");
    const index = torch.tensor([1, 3, 1]).long();
    const embed = (device: string): Tensor => {
      const table = w.to(device).detach().requires_grad_();
      nn.functional.embedding(index.to(device), table).pow(2).sum().backward();
      return table.grad!;
    };
    assertClose(embed("cuda"), embed("cpu"), "embedding");
    const here = torch.tensor([1, 2]).requires_grad_(), factor = torch.tensor(3).requires_grad_();
    here.cuda().mul(factor).mul(torch.tensor([10, 20]).cuda()).to("cuda:1").sum().backward();
    assertClose(here.grad!, torch.tensor([30, 60]), "through moves to devices, back to the CPU", 0, 0);
    assertClose(factor.grad!, torch.tensor(50), "of a number on the CPU", 0, 0);
    assertEquals([here.grad!.is_cuda, factor.grad!.is_cuda], [false, false], "where their tensors are");
  },
};

/** Trains a small classifier on data with a rule behind it; returns every loss and the share of right answers. */
function train(
  device: string,
  make: (net: torch.nn.Module) => torch.optim.Optimizer,
): { losses: number[]; accuracy: number } {
  torch.manual_seed(0);
  const net = new nn.Sequential(
    new nn.Linear(12, 32),
    new nn.ReLU(),
    new nn.Dropout(0.1),
    new nn.Linear(32, 4),
  );
  const x = torch.randn([256, 12]), rule = torch.randn([12, 4]);
  const y = x.matmul(rule).argmax(1);
  net.to(device);
  const optimizer = make(net), xs = x.to(device), ys = y.to(device), losses: number[] = [];
  for (let step = 0; step < 120; step++) {
    const from = step % 4 * 64, batch = xs.narrow(0, from, 64), wanted = ys.narrow(0, from, 64);
    optimizer.zero_grad();
    const loss = nn.functional.nll_loss(net.call(batch).log_softmax(1), wanted);
    loss.backward();
    optimizer.step();
    losses.push(loss.item() as number);
  }
  net.eval();
  const right = torch.no_grad(() => net.call(xs).argmax(1).eq(ys).sum().item()) as number;
  return { losses, accuracy: right / 256 };
}

const OPTIMIZERS: Record<string, (net: torch.nn.Module) => torch.optim.Optimizer> = {
  "SGD": (net) => new torch.optim.SGD(net.parameters(), { lr: 0.2 }),
  "SGD with momentum and weight decay": (net) =>
    new torch.optim.SGD(net.parameters(), { lr: 0.1, momentum: 0.9, weight_decay: 1e-3, nesterov: true }),
  "Adam": (net) => new torch.optim.Adam(net.parameters(), { lr: 0.02 }),
  "AdamW": (net) => new torch.optim.AdamW(net.parameters(), { lr: 0.02, amsgrad: true }),
};

const training: DeviceCheck[] = Object.entries(OPTIMIZERS).map(([name, make]) => ({
  name: `a small net trains with ${name}: the losses are the CPU's`,
  run() {
    const there = train("cuda", make), here = train("cpu", make);
    assert(there.losses[0]! > 1.2 && there.losses.at(-1)! < 0.5, `losses fall: ${there.losses}`);
    assert(there.accuracy > 0.85, `accuracy ${there.accuracy}`);
    there.losses.forEach((loss, i) => {
      const apart = Math.abs(loss - here.losses[i]!) / here.losses[i]!;
      assert(apart < 2e-3 && (i > 40 || apart < 1e-4), `step ${i}: ${loss}, the CPU has ${here.losses[i]}`);
    });
  },
}));

const twoDevices: DeviceCheck = {
  name: "two devices train independently",
  run() {
    const first = train("cuda:0", OPTIMIZERS["SGD"]!), second = train("cuda:1", OPTIMIZERS["SGD"]!);
    assertEquals(first.losses, second.losses, "the same numbers on both");
  },
};

const mistakes: DeviceCheck = {
  name: "mistakes are PyTorch's errors",
  run() {
    const x = torch.ones([3], { device: "cuda" });
    assertEquals(
      thrown(() => x.add(torch.ones([3]))).message,
      "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!",
      "mixed devices",
    );
    assertClose(x.add(torch.tensor(2)), torch.tensor([3, 3, 3]), "a number from the CPU is welcome");
    for (const mixed of [() => x.sort().values.add(torch.ones([3])), () => torch.cat([x, torch.ones([3])])]) {
      assert(
        thrown(mixed).message.startsWith("Expected all tensors to be on the same device"),
        "mixed devices",
      );
    }
    assertEquals(
      thrown(() => nn.functional.conv1d(x.reshape([1, 1, 3]), torch.ones([1, 1, 2]))).message,
      "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!",
      "a weight that was left behind",
    );
    const late = thrown(() => {
      x.index_select(0, torch.tensor([1, 5]).long().cuda());
      cuda.synchronize();
    });
    assertEquals([late.name, late.message], [
      "IndexError",
      "index 5 is out of bounds for dimension 0 with size 3 (found on the device by index_select)",
    ], "a bad index");
    const label = thrown(() =>
      nn.functional.nll_loss(torch.ones([2, 3]).cuda(), torch.tensor([1, 3]).long().cuda()).item()
    );
    assertEquals([label.name, label.message], [
      "IndexError",
      "Target 3 is out of bounds. (found on the device by nll)",
    ], "a bad label");
    const divided = thrown(() =>
      torch.tensor([1, 2]).long().cuda().fmod(torch.tensor([1, 0]).long().cuda()).cpu()
    );
    assertEquals(
      divided.message,
      "CUDA error: a value is out of range at position 1 (found on the device by pointwise)",
      "divided by zero",
    );
    assertClose(x.mul(2), torch.tensor([2, 2, 2]), "and on it goes");
    // Random numbers are drawn on the host, so the library has no kernel of this name.
    const missing = thrown(() => cudaBackend(null).call(new Kernel("tc_rrelu")));
    assertEquals([missing.name, missing.message], [
      "NotImplementedError",
      "rrelu is not implemented on CUDA yet: move its tensors to the CPU with .cpu()",
    ], "a kernel that the library does not have");
  },
};

const memory: DeviceCheck = {
  name: "memory: steady in a loop, an error when there is none left, given back when asked",
  run() {
    cuda.empty_cache();
    const [free] = cuda.mem_get_info();
    let x = torch.ones([64, 64], { device: "cuda" });
    const work = () => {
      for (let i = 0; i < 100; i++) x = x.matmul(x).mul(1e-3).tanh();
    };
    work();
    const { "reserved_bytes.all.current": reserved } = cuda.memory_stats();
    work();
    work();
    assertEquals(cuda.memory_reserved(), reserved, "nothing more was taken from the driver");
    assert(cuda.memory_allocated() > 0 && cuda.max_memory_allocated() >= cuda.memory_allocated(), "counted");
    const full = thrown(() => torch.ones([2 ** 30], { device: "cuda" }));
    assertEquals(full.name, "OutOfMemoryError", full.message);
    assert(full.message.includes("Tried to allocate 4.00 GiB"), full.message);
    assertClose(torch.ones([2], { device: "cuda" }), torch.ones([2]), "usable after that");
    const big = torch.empty([2 ** 24], { device: "cuda" });
    big.select(0, 5).fill_(3);
    assert(cuda.mem_get_info()[0] <= free - 2 ** 26, "64 MiB are in use");
    assertEquals(big.select(0, 5).item(), 3, "a big tensor");
  },
};

const events: DeviceCheck = {
  name: "events",
  run() {
    const start = new cuda.Event({ enable_timing: true }), end = new cuda.Event({ enable_timing: true });
    assert(start.query(), "an event that was not recorded is done");
    start.record();
    torch.ones([100, 100], { device: "cuda" }).matmul(torch.ones([100, 100], { device: "cuda" }));
    end.record();
    end.synchronize();
    assert(end.query() && start.elapsed_time(end) > 0, "time passes");
    assertEquals(
      thrown(() => start.elapsed_time(new cuda.Event({ enable_timing: true }))).message,
      "Both events must be recorded before calculating elapsed time.",
      "not recorded",
    );
  },
};

export const deviceChecks: DeviceCheck[] = [
  devices,
  moves,
  operators,
  gradients,
  ...training,
  twoDevices,
  mistakes,
  memory,
  events,
  ...netChecks,
  ...ampChecks,
  ...dataParallelChecks,
  ...graphChecks,
];
