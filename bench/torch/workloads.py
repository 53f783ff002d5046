"""The standard workloads in PyTorch: bench/programs/workloads.ts has the same under the same names.

OPENBLAS_NUM_THREADS=n OMP_NUM_THREADS=n python3 bench/torch/workloads.py [filter]
prints JSON lines {"name", "ms"}: the best of five rounds.
"""
import json
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

FILTER = sys.argv[1] if len(sys.argv) > 1 else ""
KERNEL, STEP = 0.15, 0.4  # seconds that one round of timing lasts
randn = torch.randn
torch.manual_seed(0)


def bench(name, call, target=KERNEL):
    if FILTER not in name:
        return
    for _ in range(3):
        call()
    start = time.perf_counter()
    call()
    once = max(time.perf_counter() - start, 1e-7)
    n = min(max(1, int(target / once)), 20000)
    best = 1e9
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(n):
            call()
        best = min(best, (time.perf_counter() - start) / n)
    print(json.dumps({"name": name, "ms": round(best * 1e3, 5)}), flush=True)


def step(name, net, x, y, optimizer):
    loss_of = nn.CrossEntropyLoss()

    def call():
        optimizer.zero_grad()
        loss = loss_of(net(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    bench(name, call, STEP)


def labels(count, classes):
    return torch.randint(0, classes, (count,))


for n in (64, 128, 256, 512, 1024):
    a, b = randn(n, n), randn(n, n)
    bench(f"matmul_{n}", lambda: a @ b)
a, b = randn(32, 784), randn(784, 128)
bench("matmul_32x784x128", lambda: a @ b)
at, bt = randn(784, 32), randn(128, 784)
bench("matmul_tt_32x784x128", lambda: at.t() @ bt.t())

x, y, row = randn(1 << 20), randn(1 << 20), randn(1024)
bench("add_1M", lambda: x.add(y))
bench("mul_1M", lambda: x.mul(y))
for op in ("exp", "tanh", "sigmoid", "relu", "sqrt", "erf", "sin"):
    bench(f"{op}_1M", lambda f=getattr(torch, op), root=op == "sqrt": f(x.abs() if root else x))
bench("gelu_1M", lambda: F.gelu(x))
bench("sum_1M", lambda: x.sum())
bench("sum_dim0_1024x1024", lambda: x.view(1024, 1024).sum(0))
bench("max_dim1_1024x1024", lambda: x.view(1024, 1024).max(1))
bench("add_bcast_1024x1024", lambda: x.view(1024, 1024).add(row))
bench("transpose_copy_1024", lambda: x.view(1024, 1024).t().contiguous())
bench("softmax_1024x1024", lambda: torch.softmax(x.view(1024, 1024), -1))
bench("layer_norm_1024x1024", lambda: F.layer_norm(x.view(1024, 1024), (1024,)))
a4, b4, g4 = randn(4), randn(4), randn(4, requires_grad=True)
bench("add_4", lambda: a4.add(b4))
bench("add_4_grad", lambda: g4.add(b4))
bench("sort_1M", lambda: torch.sort(x))
index, embedding = torch.randint(0, 50000, (64, 128)), nn.Embedding(50000, 128)
with torch.no_grad():
    bench("embedding_64x128x128", lambda: embedding(index))
image, weight = randn(1, 64, 56, 56), randn(64, 64, 3, 3)
bench("conv2d_1x64x56x56_3x3", lambda: F.conv2d(image, weight, padding=1))
images, filters = randn(100, 3, 32, 32), randn(6, 3, 5, 5)
bench("conv2d_100x3x32x32_5x5", lambda: F.conv2d(images, filters))

net = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
step(
    "train_mlp_784_128_10_b32_sgdm",
    net,
    randn(32, 784),
    labels(32, 10),
    torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9),
)
net = nn.Sequential(
    nn.Linear(784, 512),
    nn.ReLU(),
    nn.Dropout(0.2),
    nn.Linear(512, 512),
    nn.ReLU(),
    nn.Dropout(0.2),
    nn.Linear(512, 10),
)
step(
    "train_mlp_784_512_512_10_b100_adam",
    net,
    randn(100, 784),
    labels(100, 10),
    torch.optim.Adam(net.parameters()),
)
net = nn.Sequential(
    nn.Conv2d(3, 6, 5),
    nn.ReLU(),
    nn.MaxPool2d(2, 2),
    nn.Conv2d(6, 16, 5),
    nn.ReLU(),
    nn.MaxPool2d(2, 2),
    nn.Flatten(),
    nn.Linear(400, 120),
    nn.ReLU(),
    nn.Linear(120, 84),
    nn.ReLU(),
    nn.Linear(84, 10),
)
step(
    "train_lenet_cifar_b100_sgdm",
    net,
    randn(100, 3, 32, 32),
    labels(100, 10),
    torch.optim.SGD(net.parameters(), lr=0.001, momentum=0.9),
)
net = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 2))
step("train_tiny_mlp_b1_sgd", net, randn(1, 4), labels(1, 2), torch.optim.SGD(net.parameters(), lr=0.01))


class LastOfLSTM(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(64, 128, batch_first=True)
        self.out = nn.Linear(128, 10)

    def forward(self, x):
        return self.out(self.lstm(x)[0][:, -1])


net = LastOfLSTM()
step(
    "train_lstm_b32_t32_64_128",
    net,
    randn(32, 32, 64),
    labels(32, 10),
    torch.optim.Adam(net.parameters()),
)

encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(128, 4, 256, 0.0, batch_first=True), 2)
tokens, adam = randn(8, 64, 128), torch.optim.Adam(encoder.parameters())


def transformer_step():
    adam.zero_grad()
    loss = encoder(tokens).pow(2).mean()
    loss.backward()
    adam.step()
    return loss.item()


bench("train_transformer_2x128_b8_t64", transformer_step, STEP)

net = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10)).eval()
one = randn(1, 784)
with torch.no_grad():
    bench("infer_mlp_b1", lambda: net(one))
