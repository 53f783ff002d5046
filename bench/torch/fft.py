"""PyTorch's side of bench/kernels/fft.ts: python3 bench/torch/fft.py [threads]"""
import sys
import time

import torch

torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 1)


def measure(f):
    start = time.perf_counter()
    i = 0
    while i < 3 or time.perf_counter() - start < 0.1:
        f()
        i += 1
    best = float("inf")
    for _ in range(7):
        start = time.perf_counter()
        calls = 0
        while time.perf_counter() - start < 0.025:
            f()
            calls += 1
        best = min(best, (time.perf_counter() - start) / calls)
    return best * 1000


def report(name, f):
    print(f"{name:34} {measure(f):9.4f} ms")


for batch, n in [(1, 256), (1, 4096), (1, 65536), (1, 1048576), (1, 10007), (64, 256), (64, 1000), (64, 1024), (64, 1009),
                 (1024, 64)]:
    z = torch.randn(batch, n, dtype=torch.complex64)
    x = z.real.clone()
    report(f"fft complex64 {batch} x {n}", lambda: torch.fft.fft(z))
    report(f"rfft float32 {batch} x {n}", lambda: torch.fft.rfft(x))
image, wide = torch.randn(512, 512), torch.randn(64, 1024, dtype=torch.complex128)
report("rfft2 float32 512 x 512", lambda: torch.fft.rfft2(image))
report("fft2 complex64 512 x 512", lambda: torch.fft.fft2(image.to(torch.complex64)))
report("fft complex128 64 x 1024", lambda: torch.fft.fft(wide))
