/**
 * Fourier transforms through torch.fft, for comparison with PyTorch (bench/torch/fft.py prints the same lines).
 *
 *   TSTORCH_NUM_THREADS=1 deno run -A bench/kernels/fft.ts
 */
import process from "node:process";
import * as torch from "../../src/mod.ts";

torch.set_num_threads(Number(process.env["TSTORCH_NUM_THREADS"] ?? 1));

/** Milliseconds of one call: the best of several stretches. */
function time(f: () => unknown): number {
  const run = (): void => void torch.scope(f);
  const warm = performance.now();
  for (let i = 0; i < 3 || performance.now() - warm < 100; i++) run();
  let best = Infinity;
  for (let s = 0; s < 7; s++) {
    const start = performance.now();
    let calls = 0;
    while (performance.now() - start < 25) {
      run();
      calls++;
    }
    best = Math.min(best, (performance.now() - start) / calls);
  }
  return best;
}

const report = (name: string, f: () => unknown): void =>
  console.log(`${name.padEnd(34)} ${time(f).toFixed(4).padStart(9)} ms`);

for (
  const [batch, n] of [
    [1, 256],
    [1, 4096],
    [1, 65536],
    [1, 1048576],
    [1, 10007],
    [64, 256],
    [64, 1000],
    [64, 1024],
    [64, 1009],
    [1024, 64],
  ]
) {
  const z = torch.randn([batch!, n!], { dtype: torch.complex64 }), x = z.real.clone();
  report(`fft complex64 ${batch} x ${n}`, () => torch.fft.fft(z));
  report(`rfft float32 ${batch} x ${n}`, () => torch.fft.rfft(x));
}
const image = torch.randn([512, 512]), wide = torch.randn([64, 1024], { dtype: torch.complex128 });
report("rfft2 float32 512 x 512", () => torch.fft.rfft2(image));
report("fft2 complex64 512 x 512", () => torch.fft.fft2(image.to(torch.complex64)));
report("fft complex128 64 x 1024", () => torch.fft.fft(wide));
