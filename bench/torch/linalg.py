"""The operations of bench/kernels/linalg.ts in PyTorch: `linalg.py THREADS [OP]`; milliseconds, tab-separated."""
import sys
import time

import torch

L = torch.linalg
torch.set_num_threads(int(sys.argv[1]))
only = sys.argv[2] if len(sys.argv) > 2 else ""
OPERATIONS = {
    "lu_factor": lambda a, spd: L.lu_factor(a), "solve": lambda a, spd: L.solve(a, a), "inv": lambda a, spd: L.inv(a),
    "cholesky": lambda a, spd: L.cholesky(spd), "qr": lambda a, spd: L.qr(a),
    "eigvalsh": lambda a, spd: L.eigvalsh(spd), "eigh": lambda a, spd: L.eigh(spd),
    "svdvals": lambda a, spd: L.svdvals(a), "svd": lambda a, spd: L.svd(a),
    "matrix_exp": lambda a, spd: torch.matrix_exp(a),
}
for dtype in (torch.float32, torch.float64):
    for name, f in OPERATIONS.items():
        if only and only != name:
            continue
        for n in (64, 256, 512):
            torch.manual_seed(n)
            a = torch.randn(n, n, dtype=dtype)
            spd = a @ a.mT + torch.eye(n, dtype=dtype)
            f(a, spd)
            best, count, until = 1e9, 0, time.perf_counter() + 0.4
            while count < 3 or (time.perf_counter() < until and count < 200):
                start = time.perf_counter()
                f(a, spd)
                best = min(best, time.perf_counter() - start)
                count += 1
            print(f"{name} {n} {str(dtype)[6:]}\t{best * 1000:.4f}", flush=True)
