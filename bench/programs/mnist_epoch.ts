// The MNIST tutorial, timed: bench/torch/mnist_epoch.py line by line. Arguments: DATA_ROOT EPOCHS BATCH [THREADS]
import process from "node:process";
import * as torch from "../../src/mod.ts";

const {
  nn,
  optim,
  utils: { data: { DataLoader } },
  vision: { datasets, transforms },
} = torch;
const F = nn.functional;
type Batches =
  & InstanceType<typeof DataLoader>
  & Iterable<[torch.Tensor, torch.Tensor]>;

const [root = "", epochs = "1", batch = "32", threads] = process.argv.slice(2);
if (threads !== undefined) torch.set_num_threads(Number(threads));
torch.manual_seed(42);
const transform = new transforms.Compose([
  new transforms.ToTensor(),
  new transforms.Normalize([0.5], [0.5]),
]);
const trainSet = new datasets.MNIST(root, { train: true, transform });
const testSet = new datasets.MNIST(root, { train: false, transform });
const trainLoader = new DataLoader(trainSet, {
  batch_size: Number(batch),
  shuffle: true,
}) as Batches;
const testLoader = new DataLoader(testSet, {
  batch_size: Number(batch),
  shuffle: false,
}) as Batches;

class Net extends nn.Module {
  fc1 = new nn.Linear(784, 128);
  fc2 = new nn.Linear(128, 10);

  override forward(x: torch.Tensor): torch.Tensor {
    return this.fc2(F.relu(this.fc1(x.view(-1, 784))));
  }
}

const net = new Net(), criterion = new nn.CrossEntropyLoss();
const optimizer = new optim.SGD(net.parameters(), { lr: 0.01, momentum: 0.9 });
for (let epoch = 0; epoch < Number(epochs); epoch++) {
  const start = performance.now();
  let total = 0;
  for (const [x, y] of trainLoader) {
    optimizer.zero_grad();
    const loss = criterion(net(x), y);
    loss.backward();
    optimizer.step();
    total += loss.item() as number;
  }
  const trained = performance.now();
  let correct = 0;
  torch.no_grad(() => {
    for (const [x, y] of testLoader) {
      correct += net(x).max(1)[1].eq(y).sum().item() as number;
    }
  });
  console.log(JSON.stringify({
    epoch: epoch + 1,
    loss: total / trainLoader.length,
    accuracy: correct / testSet.length,
    train: (trained - start) / 1e3,
    evaluate: (performance.now() - trained) / 1e3,
  }));
}
