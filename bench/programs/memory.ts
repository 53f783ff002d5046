// Computes without dispose or scope and prints how much memory the process has: JSON lines {"step", "rss", "heap", "live",
// "loss"}, bytes. Arguments: KIND STEPS EVERY. Kinds: train (a synchronous loop), infer (the same under no_grad), loader
// (`for await` over a DataLoader), losses (a synchronous loop whose losses are all kept).
import process from "node:process";
import * as torch from "../../src/mod.ts";

const { nn, optim } = torch, F = nn.functional;
const [kind, steps = "2000", every = "100"] = process.argv.slice(2);

class Net extends nn.Module {
  fc1 = new nn.Linear(784, 128);
  fc2 = new nn.Linear(128, 10);

  override forward(x: torch.Tensor): torch.Tensor {
    return this.fc2(F.relu(this.fc1(x.view(-1, 784))));
  }
}

torch.manual_seed(0);
const net = new Net(),
  x = torch.randn(32, 1, 28, 28),
  y = torch.randint(0, 10, [32]);
let last = NaN;

function report(step: number): void {
  const { rss, heapUsed } = process.memoryUsage(), stats = torch.memory_stats();
  console.log(JSON.stringify({
    step,
    rss,
    heap: heapUsed,
    reserved: stats["reserved_bytes.all.current"],
    live: stats["allocated_bytes.all.current"],
    loss: last,
  }));
}

const optimizer = new optim.SGD(net.parameters(), { lr: 0.01, momentum: 0.9 });

function trainOn(x: torch.Tensor, y: torch.Tensor): torch.Tensor {
  optimizer.zero_grad();
  const loss = F.cross_entropy(net(x), y);
  loss.backward();
  optimizer.step();
  return loss;
}

function train(): void {
  for (let step = 1; step <= Number(steps); step++) {
    last = trainOn(x.add(0.01), y).item() as number;
    if (step % Number(every) === 0) report(step);
  }
}

function losses(): void {
  const all: torch.Tensor[] = [];
  for (let step = 1; step <= Number(steps); step++) {
    all.push(trainOn(x.add(0.01), y));
    if (step % Number(every) !== 0) continue;
    last = all[step >> 1]!.item() as number; // also those that were put aside
    report(step);
  }
}

async function loader(): Promise<void> {
  const { DataLoader, TensorDataset } = torch.utils.data;
  const data = new TensorDataset(torch.randn(3200, 1, 28, 28), torch.randint(0, 10, [3200]));
  const batches = new DataLoader(data, { batch_size: 32, shuffle: true });
  for (let step = 0; step < Number(steps);) {
    for await (const [x, y] of batches as AsyncIterable<[torch.Tensor, torch.Tensor]>) {
      last = trainOn(x, y).item() as number;
      if (++step % Number(every) === 0) report(step);
      if (step === Number(steps)) break;
    }
  }
}

function infer(): void {
  const one = x.narrow(0, 0, 1);
  torch.no_grad(() => {
    for (let step = 1; step <= Number(steps); step++) {
      last = net(one).softmax(1).max().item() as number;
      if (step % Number(every) === 0) report(step);
    }
  });
}

const kinds: Record<string, () => void | Promise<void>> = { train, infer, loader, losses };
if (kind === undefined || !Object.hasOwn(kinds, kind)) {
  throw new Error(`expected ${Object.keys(kinds).join(", ")}, but got ${kind}`);
}
await kinds[kind]!();
