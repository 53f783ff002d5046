// Trains the network of this example and writes model.pth: a small CNN, on MNIST's digits and drawn ones together.
//
//   npx deno run -A examples/cloudflare_worker/train_model.ts [folder with MNIST/raw]

import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import * as torch from "tstorch";
import { CNN, prepare } from "./app.ts";

const { nn, optim, utils: { data: { DataLoader, TensorDataset } }, vision: { datasets } } = torch;
const out = join(dirname(fileURLToPath(import.meta.url)), "model.pth");
const root = process.argv[2] ?? "../shared/data";

type Digits = { data: torch.Tensor; targets: torch.Tensor };
function percent(net: CNN, digits: Digits): string {
  return torch.no_grad(() => {
    const right = net(prepare(digits.data)).argmax(1).eq(digits.targets).to(torch.float32).mean()
      .item() as number;
    return `${(100 * right).toFixed(2)} %`;
  });
}

torch.manual_seed(42);
const mnist = (train: boolean): Digits => new datasets.MNIST(root, { train });
const drawn = (train: boolean): Digits =>
  new datasets.SyntheticDigits({ train, count: train ? 30_000 : 5_000 });
const sets = [mnist(true), drawn(true)];
const digits = new TensorDataset(
  torch.cat(sets.map(({ data }) => prepare(data))),
  torch.cat(sets.map(({ targets }) => targets)),
);

const testSets = [mnist(false), drawn(false)];
const net = new CNN(6, 12, 32), lossOf = new nn.CrossEntropyLoss(), epochs = 5;
const optimizer = new optim.Adam(net.parameters(), { lr: 3e-3 });
for (let epoch = 1; epoch <= epochs; epoch++) {
  optimizer.param_groups[0]!.lr = 3e-3 * (1 - (epoch - 1) / epochs);
  for (
    const [x, y] of new DataLoader(digits, { batch_size: 64, shuffle: true }) as Iterable<
      [torch.Tensor, torch.Tensor]
    >
  ) {
    optimizer.zero_grad();
    lossOf(net(x), y).backward();
    optimizer.step();
  }
  console.log(`epoch ${epoch}: MNIST ${percent(net, testSets[0]!)}, drawn ${percent(net, testSets[1]!)}`);
}
torch.save(net.state_dict(), out);
