// Times on a CUDA device, for scripts/check_cuda_gpu.sh; bench/cuda_check.py does the same in PyTorch.
//
//   cuda_check.ts [--quick]                       prints {name: milliseconds}
//   cuda_check.ts --table OURS [THEIRS]           a table of such files

import { readFileSync } from "node:fs";
import process from "node:process";
import * as torch from "../src/mod.ts";

const { nn, cuda } = torch;
type Tensor = torch.Tensor;
const F = nn.functional;

/** The median of several batches of calls, each timed from an idle device to an idle device. */
function time(f: () => void, calls: number): number {
  const times: number[] = [];
  for (let batch = 0; batch < 7; batch++) {
    cuda.synchronize();
    const start = performance.now();
    for (let i = 0; i < calls; i++) f();
    cuda.synchronize();
    times.push((performance.now() - start) / calls);
  }
  return times.sort((a, b) => a - b)[3]!;
}

class LeNet extends nn.Module {
  c1 = new nn.Conv2d(1, 6, 5, { padding: 2 });
  c2 = new nn.Conv2d(6, 16, 5);
  f1 = new nn.Linear(400, 120);
  f2 = new nn.Linear(120, 84);
  f3 = new nn.Linear(84, 10);
  override forward(x: Tensor): Tensor {
    x = F.max_pool2d(this.c1.call(x).relu(), 2);
    x = F.max_pool2d(this.c2.call(x).relu(), 2).flatten(1);
    return this.f3.call(this.f2.call(this.f1.call(x).relu()).relu());
  }
}
const mlp = () =>
  new nn.Sequential(new nn.Flatten(), new nn.Linear(784, 128), new nn.ReLU(), new nn.Linear(128, 10));

function training(net: torch.nn.Module, shape: number[]): () => void {
  net.cuda();
  const x = torch.randn(shape).cuda(), y = torch.randint(0, 10, [shape[0]!]).cuda();
  const optimizer = new torch.optim.SGD(net.parameters(), { lr: 0.01, momentum: 0.9 });
  return () => {
    optimizer.zero_grad();
    F.cross_entropy(net.call(x) as Tensor, y).backward();
    optimizer.step();
  };
}

function measure(quick: boolean): Record<string, number> {
  const found: Record<string, number> = {}, big = quick ? 32 : 4096, calls = quick ? 1 : 20;
  const rand = (...shape: number[]) => torch.rand(shape).cuda();
  for (const dtype of ["float32", "bfloat16"] as const) {
    const a = rand(big, big).to(torch[dtype]), b = rand(big, big).to(torch[dtype]);
    found[`matmul ${big} ${dtype}`] = time(() => void a.matmul(b), calls);
  }
  const v = rand(quick ? 2 ** 12 : 2 ** 26), w = rand(v.numel());
  found["copy 2^26"] = time(() => void v.clone(), calls);
  found["add 2^26"] = time(() => void v.add(w), calls);
  found["gelu 2^26"] = time(() => void F.gelu(v), calls);
  found["sum 2^26"] = time(() => void v.sum(), calls);
  found["softmax 8192 x 1024"] = time(() => void F.softmax(rand(quick ? 4 : 8192, 1024), 1), calls);
  found["sort 2^20"] = time(() => void v.narrow(0, 0, Math.min(v.numel(), 2 ** 20)).sort(), calls);
  const channels = quick ? 4 : 64,
    image = rand(quick ? 1 : 32, channels, 56, 56),
    filter = rand(channels, channels, 3, 3);
  found["conv 64 x 56 x 56, 3 x 3"] = time(() => void F.conv2d(image, filter, null, 1, 1), calls);
  found["launch of a small add"] = time(() => void filter.add(filter), quick ? 1 : 1000);
  found["training step: MLP, batch 64"] = time(training(mlp(), [quick ? 2 : 64, 1, 28, 28]), quick ? 1 : 200);
  found["training step: LeNet, batch 64"] = time(
    training(new LeNet(), [quick ? 2 : 64, 1, 28, 28]),
    quick ? 2 : 100,
  );
  return found;
}

function table([ours, theirs]: string[]): void {
  const read = (path: string): Record<string, number> => JSON.parse(readFileSync(path, "utf8"));
  const mine = read(ours!), other = theirs === undefined ? {} : read(theirs);
  console.log("| what | tstorch (ms) | PyTorch (ms) | ratio |\n| --- | --- | --- | --- |");
  for (const [name, ms] of Object.entries(mine)) {
    const reference = other[name];
    const rest = reference === undefined
      ? "- | -"
      : `${reference.toFixed(3)} | ${(reference / ms).toFixed(2)}`;
    console.log(`| ${name} | ${ms.toFixed(3)} | ${rest} |`);
  }
}

const args = process.argv.slice(2);
if (args[0] === "--table") table(args.slice(1));
else console.log(JSON.stringify(measure(args.includes("--quick"))));
