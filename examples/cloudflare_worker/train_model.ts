// Trains the network of this example, 784-32-10, and writes model.pth: MNIST's digits and drawn ones together.
//
//   npx deno run -A examples/cloudflare_worker/train_model.ts [folder with MNIST/raw]

import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import * as torch from "tstorch";

const { nn, optim, utils: { data: { DataLoader, TensorDataset } }, vision: { datasets } } = torch;
const out = join(dirname(fileURLToPath(import.meta.url)), "model.pth");
const root = process.argv[2] ?? "../shared/data";

class Net extends nn.Module {
  fc1 = new nn.Linear(784, 32);
  fc2 = new nn.Linear(32, 10);

  override forward(x: torch.Tensor): torch.Tensor {
    return this.fc2(this.fc1(x).relu());
  }
}

type Digits = { data: torch.Tensor; targets: torch.Tensor };
const prepare = ({ data }: Digits): torch.Tensor =>
  data.view(-1, 784).to(torch.float32).div(255).sub(0.5).div(0.5);
function percent(net: Net, digits: Digits): string {
  return torch.no_grad(() => {
    const right = net(prepare(digits)).argmax(1).eq(digits.targets).to(torch.float32).mean().item() as number;
    return `${(100 * right).toFixed(2)} %`;
  });
}

torch.manual_seed(42);
const mnist = (train: boolean): Digits => new datasets.MNIST(root, { train });
const drawn = (train: boolean): Digits => new datasets.SyntheticDigits({ train });
const sets = [mnist(true), drawn(true)];
const digits = new TensorDataset(torch.cat(sets.map(prepare)), torch.cat(sets.map(({ targets }) => targets)));

const net = new Net(), lossOf = new nn.CrossEntropyLoss(), epochs = 12;
const optimizer = new optim.Adam(net.parameters(), { lr: 2e-3 });
for (let epoch = 1; epoch <= epochs; epoch++) {
  optimizer.param_groups[0]!.lr = 2e-3 * (1 - (epoch - 1) / epochs);
  for (
    const [x, y] of new DataLoader(digits, { batch_size: 64, shuffle: true }) as Iterable<
      [torch.Tensor, torch.Tensor]
    >
  ) {
    optimizer.zero_grad();
    lossOf(net(x), y).backward();
    optimizer.step();
  }
  console.log(`epoch ${epoch}: MNIST ${percent(net, mnist(false))}, drawn ${percent(net, drawn(false))}`);
}
torch.save(net.state_dict(), out);
