// Computes in one synchronous loop, without dispose, scope or await, and prints how much memory the process has:
// JSON lines {"step", "rss", "heap", "live", "loss"}, bytes. Arguments: train|infer STEPS EVERY
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

function train(): void {
  const optimizer = new optim.SGD(net.parameters(), {
    lr: 0.01,
    momentum: 0.9,
  });
  for (let step = 1; step <= Number(steps); step++) {
    optimizer.zero_grad();
    const loss = F.cross_entropy(net(x.add(0.01)), y);
    loss.backward();
    optimizer.step();
    last = loss.item() as number;
    if (step % Number(every) === 0) report(step);
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

if (kind === "train") train();
else if (kind === "infer") infer();
else throw new Error(`expected train or infer, but got ${kind}`);
