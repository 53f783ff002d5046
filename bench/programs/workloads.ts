/**
 * The standard workloads: kernels and training steps of everyday sizes. bench/torch/workloads.py has the same in
 * PyTorch, under the same names.
 */
import * as torch from "../../src/mod.ts";

const { nn, optim } = torch, F = nn.functional;
type Tensor = torch.Tensor;

/** Seconds that one round of timing lasts. */
const KERNEL = 0.15, STEP = 0.4;

export interface Workload {
  readonly name: string;
  readonly seconds: number;
  /** Makes the data; the function that it returns is timed. */
  prepare(): () => unknown;
}

const workloads: Workload[] = [];
const kernel = (name: string, prepare: () => () => unknown): void => {
  workloads.push({ name, seconds: KERNEL, prepare });
};
const randn = (...size: number[]): Tensor => torch.randn(size);
const labels = (count: number, classes: number): Tensor => torch.randint(0, classes, [count]);

for (const n of [64, 128, 256, 512, 1024]) {
  kernel(`matmul_${n}`, () => {
    const a = randn(n, n), b = randn(n, n);
    return () => a.matmul(b);
  });
}
kernel("matmul_32x784x128", () => {
  const a = randn(32, 784), b = randn(784, 128);
  return () => a.matmul(b);
});
kernel("matmul_tt_32x784x128", () => {
  const a = randn(784, 32), b = randn(128, 784);
  return () => a.t().matmul(b.t());
});

const MILLION = 1 << 20;
kernel("add_1M", () => {
  const x = randn(MILLION), y = randn(MILLION);
  return () => x.add(y);
});
kernel("mul_1M", () => {
  const x = randn(MILLION), y = randn(MILLION);
  return () => x.mul(y);
});
for (
  const op of ["exp", "tanh", "sigmoid", "relu", "sqrt", "erf", "sin"] as const
) {
  kernel(`${op}_1M`, () => {
    const x = randn(MILLION);
    return op === "sqrt" ? () => torch.sqrt(x.abs()) : () => torch[op](x);
  });
}
kernel("gelu_1M", () => {
  const x = randn(MILLION);
  return () => F.gelu(x);
});
kernel("sum_1M", () => {
  const x = randn(MILLION);
  return () => x.sum();
});
kernel("sum_dim0_1024x1024", () => {
  const x = randn(MILLION);
  return () => x.view(1024, 1024).sum(0);
});
kernel("max_dim1_1024x1024", () => {
  const x = randn(MILLION);
  return () => x.view(1024, 1024).max(1);
});
kernel("add_bcast_1024x1024", () => {
  const x = randn(MILLION), row = randn(1024);
  return () => x.view(1024, 1024).add(row);
});
kernel("transpose_copy_1024", () => {
  const x = randn(MILLION);
  return () => x.view(1024, 1024).t().contiguous();
});
kernel("softmax_1024x1024", () => {
  const x = randn(MILLION);
  return () => torch.softmax(x.view(1024, 1024), -1);
});
kernel("layer_norm_1024x1024", () => {
  const x = randn(MILLION);
  return () => F.layer_norm(x.view(1024, 1024), [1024]);
});
kernel("add_4", () => {
  const a = randn(4), b = randn(4);
  return () => a.add(b);
});
kernel("add_4_grad", () => {
  const a = randn(4).requires_grad_(), b = randn(4);
  return () => a.add(b);
});
kernel("sort_1M", () => {
  const x = randn(MILLION);
  return () => torch.sort(x);
});
kernel("embedding_64x128x128", () => {
  const index = torch.randint(0, 50_000, [64, 128]),
    embedding = new nn.Embedding(50_000, 128);
  return () => torch.no_grad(() => embedding(index));
});
kernel("conv2d_1x64x56x56_3x3", () => {
  const x = randn(1, 64, 56, 56), weight = randn(64, 64, 3, 3);
  return () => F.conv2d(x, weight, { padding: 1 });
});
kernel("conv2d_100x3x32x32_5x5", () => {
  const x = randn(100, 3, 32, 32), weight = randn(6, 3, 5, 5);
  return () => F.conv2d(x, weight);
});

type Net = (x: Tensor) => Tensor;
type Optimizer = InstanceType<typeof optim.Optimizer>;
function step(
  name: string,
  prepare: () => { net: Net; x: Tensor; y: Tensor; optimizer: Optimizer },
): void {
  workloads.push({
    name,
    seconds: STEP,
    prepare() {
      const { net, x, y, optimizer } = prepare(),
        lossOf = new nn.CrossEntropyLoss();
      return () => {
        optimizer.zero_grad();
        const loss = lossOf(net(x), y);
        loss.backward();
        optimizer.step();
        return loss.item();
      };
    },
  });
}
step("train_mlp_784_128_10_b32_sgdm", () => {
  const net = new nn.Sequential(
    new nn.Linear(784, 128),
    new nn.ReLU(),
    new nn.Linear(128, 10),
  );
  const optimizer = new optim.SGD(net.parameters(), {
    lr: 0.01,
    momentum: 0.9,
  });
  return { net, x: randn(32, 784), y: labels(32, 10), optimizer };
});
step("train_mlp_784_512_512_10_b100_adam", () => {
  const net = new nn.Sequential(
    new nn.Linear(784, 512),
    new nn.ReLU(),
    new nn.Dropout(0.2),
    new nn.Linear(512, 512),
    new nn.ReLU(),
    new nn.Dropout(0.2),
    new nn.Linear(512, 10),
  );
  return {
    net,
    x: randn(100, 784),
    y: labels(100, 10),
    optimizer: new optim.Adam(net.parameters()),
  };
});
step("train_lenet_cifar_b100_sgdm", () => {
  const net = new nn.Sequential(
    new nn.Conv2d(3, 6, 5),
    new nn.ReLU(),
    new nn.MaxPool2d(2, 2),
    new nn.Conv2d(6, 16, 5),
    new nn.ReLU(),
    new nn.MaxPool2d(2, 2),
    new nn.Flatten(),
    new nn.Linear(400, 120),
    new nn.ReLU(),
    new nn.Linear(120, 84),
    new nn.ReLU(),
    new nn.Linear(84, 10),
  );
  const optimizer = new optim.SGD(net.parameters(), {
    lr: 0.001,
    momentum: 0.9,
  });
  return { net, x: randn(100, 3, 32, 32), y: labels(100, 10), optimizer };
});
step("train_tiny_mlp_b1_sgd", () => {
  const net = new nn.Sequential(
    new nn.Linear(4, 32),
    new nn.Tanh(),
    new nn.Linear(32, 2),
  );
  return {
    net,
    x: randn(1, 4),
    y: labels(1, 2),
    optimizer: new optim.SGD(net.parameters(), { lr: 0.01 }),
  };
});

class LastOfLSTM extends nn.Module {
  lstm = new nn.LSTM(64, 128, { batch_first: true });
  out = new nn.Linear(128, 10);

  override forward(x: Tensor): Tensor {
    return this.out(this.lstm(x)[0].select(1, -1));
  }
}
step("train_lstm_b32_t32_64_128", () => {
  const net = new LastOfLSTM();
  return {
    net,
    x: randn(32, 32, 64),
    y: labels(32, 10),
    optimizer: new optim.Adam(net.parameters()),
  };
});
workloads.push({
  name: "train_transformer_2x128_b8_t64",
  seconds: STEP,
  prepare() {
    const layer = new nn.TransformerEncoderLayer(128, 4, 256, 0, {
      batch_first: true,
    });
    const net = new nn.TransformerEncoder(layer, 2), x = randn(8, 64, 128);
    const optimizer = new optim.Adam(net.parameters());
    return () => {
      optimizer.zero_grad();
      const loss = net(x).pow(2).mean();
      loss.backward();
      optimizer.step();
      return loss.item();
    };
  },
});
kernel("infer_mlp_b1", () => {
  const net = new nn.Sequential(
    new nn.Linear(784, 128),
    new nn.ReLU(),
    new nn.Linear(128, 10),
  ).eval();
  const x = randn(1, 784);
  return () => torch.no_grad(() => net(x));
});

export default workloads as readonly Workload[];
