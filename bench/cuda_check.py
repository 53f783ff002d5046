"""The times of bench/cuda_check.ts in PyTorch, on the same card: prints {name: milliseconds}."""
import json
import statistics
import time

import torch
import torch.nn as nn
import torch.nn.functional as F


def timed(f, calls):
    times = []
    for _ in range(7):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(calls):
            f()
        torch.cuda.synchronize()
        times.append((time.perf_counter() - start) / calls * 1e3)
    return statistics.median(times)


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1, self.c2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
        self.f1, self.f2, self.f3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(self.c1(x).relu(), 2)
        x = F.max_pool2d(self.c2(x).relu(), 2).flatten(1)
        return self.f3(self.f2(self.f1(x).relu()).relu())


def training(net, shape):
    net.cuda()
    x, y = torch.randn(shape).cuda(), torch.randint(0, 10, (shape[0],)).cuda()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)

    def step():
        optimizer.zero_grad()
        F.cross_entropy(net(x), y).backward()
        optimizer.step()

    return step


torch.backends.cuda.matmul.allow_tf32 = False
rand = lambda *shape: torch.rand(*shape, device="cuda")
found = {}
for name in ["float32", "bfloat16"]:
    a, b = (rand(4096, 4096).to(getattr(torch, name)) for _ in range(2))
    found[f"matmul 4096 {name}"] = timed(lambda: a @ b, 20)
v, w = rand(2**26), rand(2**26)
found["copy 2^26"] = timed(v.clone, 20)
found["add 2^26"] = timed(lambda: v + w, 20)
found["gelu 2^26"] = timed(lambda: F.gelu(v), 20)
found["sum 2^26"] = timed(v.sum, 20)
found["softmax 8192 x 1024"] = timed(lambda: F.softmax(rand(8192, 1024), 1), 20)
found["sort 2^20"] = timed(lambda: v[: 2**20].sort(), 20)
image, weight = rand(32, 64, 56, 56), rand(64, 64, 3, 3)
found["conv 64 x 56 x 56, 3 x 3"] = timed(lambda: F.conv2d(image, weight, None, 1, 1), 20)
found["launch of a small add"] = timed(lambda: weight + weight, 1000)
mlp = nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
found["training step: MLP, batch 64"] = timed(training(mlp, (64, 1, 28, 28)), 200)
found["training step: LeNet, batch 64"] = timed(training(LeNet(), (64, 1, 28, 28)), 100)
print(json.dumps(found))
