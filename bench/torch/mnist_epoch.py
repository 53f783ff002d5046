"""The MNIST tutorial in PyTorch and torchvision, timed: bench/programs/mnist_epoch.ts is the same here.

python3 bench/torch/mnist_epoch.py DATA_ROOT EPOCHS BATCH
prints a JSON line per epoch. DATA_ROOT holds MNIST/raw with the unpacked files.
"""
import json
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
import torchvision
import torchvision.transforms as transforms
from torch.utils.data import DataLoader

root, epochs, batch = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.manual_seed(42)
transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
train_set = torchvision.datasets.MNIST(root=root, train=True, transform=transform)
test_set = torchvision.datasets.MNIST(root=root, train=False, transform=transform)
train_loader = DataLoader(train_set, batch_size=batch, shuffle=True)
test_loader = DataLoader(test_set, batch_size=batch, shuffle=False)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(x.view(-1, 784))))


net = Net()
criterion = nn.CrossEntropyLoss()
optimizer = optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
for epoch in range(epochs):
    start, total = time.time(), 0.0
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = criterion(net(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item()
    trained, correct = time.time(), 0
    with torch.no_grad():
        for x, y in test_loader:
            correct += (net(x).max(1)[1] == y).sum().item()
    print(
        json.dumps(
            {
                "epoch": epoch + 1,
                "loss": total / len(train_loader),
                "accuracy": correct / len(test_set),
                "train": trained - start,
                "evaluate": time.time() - trained,
            }
        ),
        flush=True,
    )
