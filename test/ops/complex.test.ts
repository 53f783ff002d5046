/**
 * Complex tensors and Fourier transforms against PyTorch: test/fixtures/complex.json, which record_complex.py recorded.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import * as torch from "../../src/mod.ts";
import { judge, judgeError, type OpFile } from "./judge.ts";

const files: OpFile[] = JSON.parse(
  readFileSync(new URL("../fixtures/complex.json", import.meta.url), "utf8"),
);

describe("recorded complex operators", () => {
  for (const file of files) {
    test(`${file.op} gives PyTorch's answers`, () => {
      const wrong: string[] = [];
      const attempt = (id: string, judged: () => string | null): void => {
        let why: string | null;
        try {
          why = judged();
        } catch (e) {
          why = `threw ${(e as Error).message}`;
        }
        if (why !== null) wrong.push(`${id}: ${why}`);
      };
      for (const c of file.cases) attempt(c.id, () => judge(file, c));
      (file.errors ?? []).forEach((e, i) => attempt(`error ${i}`, () => judgeError(file, e)));
      expect(wrong).toEqual([]);
    });
  }
});

const z = (...shape: number[]): torch.Tensor =>
  torch.randn(shape, { dtype: torch.complex128, generator: new torch.Generator().manual_seed(3) });
const x = (...shape: number[]): torch.Tensor => z(...shape).real.clone();

describe("gradients against finite differences", () => {
  const functions: Record<string, [(...t: torch.Tensor[]) => torch.Tensor, ...torch.Tensor[]]> = {
    "abs(z) of a product": [(a, b) => a.mul(b).abs(), z(3), z(3)],
    "a real and a complex factor": [(a, b) => a.mul(b.exp()), x(3), z(3)],
    "angle": [(a) => a.angle(), z(3)],
    "sgn": [(a) => a.sgn(), z(3)],
    "conj of a sum": [(a, b) => a.conj().mul(a).add(b.conj()), z(3), z(3)],
    "matmul of a conjugate": [(a, b) => a.mH.matmul(b), z(3, 2), z(3, 2)],
    "powers": [(a, b) => a.pow(b), z(3), z(3)],
    "division": [(a, b) => a.div(b), z(3), z(3)],
    "tanh of sinh": [(a) => a.sinh().tanh(), z(3)],
    "acosh and asin": [(a) => a.acosh().add(a.asin()), z(3)],
    "polar": [(a, b) => torch.polar(a, b), x(3).abs(), x(3)],
    "complex": [(a, b) => torch.complex(a, b).pow(2), x(3), x(3)],
    "var and norm": [(a) => a.var().add(a.norm()), z(4)],
    "cumprod": [(a) => a.cumprod(0), z(4)],
    "fft": [(a) => torch.fft.fft(a, 5), z(2, 4)],
    "ifftn": [(a) => torch.fft.ifftn(a, { norm: "ortho" }), z(2, 3)],
    "rfft, even": [(a) => torch.fft.rfft(a), x(2, 6)],
    "rfft, odd": [(a) => torch.fft.rfft(a), x(2, 5)],
    "rfft2": [(a) => torch.fft.rfft2(a), x(3, 4)],
    "irfft2, odd": [(a) => torch.fft.irfft2(a, [3, 5]), z(3, 3)],
    "hfft": [(a) => torch.fft.hfft(a), z(2, 4)],
    "ihfftn": [(a) => torch.fft.ihfftn(a), x(3, 4)],
    "fft of real numbers": [(a) => torch.fft.fft(a), x(2, 5)],
    "stft": [(a) => torch.stft(a, 4, { return_complex: true }), x(12)],
  };
  for (const [name, [f, ...inputs]] of Object.entries(functions)) {
    test(name, () => {
      const leaves = inputs.map((t) => t.detach().clone().requires_grad_(true));
      expect(torch.autograd.gradcheck(f, leaves)).toBe(true);
      expect(torch.autograd.gradgradcheck(f, leaves)).toBe(true);
    });
  }

  test("a wrong derivative is found", () => {
    class Wrong extends torch.autograd.Function {
      static override forward(_ctx: unknown, t: torch.Tensor): torch.Tensor {
        return t.mul(t);
      }
      static override backward(_ctx: unknown, g: torch.Tensor): torch.Tensor {
        return g;
      }
    }
    const leaf = z(2).requires_grad_(true);
    const apply = (t: torch.Tensor) => Wrong.apply(t) as torch.Tensor;
    expect(torch.autograd.gradcheck(apply, leaf, { raise_exception: false })).toBe(false);
  });
});

describe("lazy conjugates", () => {
  const a = () => torch.tensor([new torch.Complex(1, 2), new torch.Complex(0.5, -1)]);

  test("share memory, keep their mark through views, and lose it in copies", () => {
    const t = a(), c = t.conj();
    expect([c.is_conj(), c.index(0).is_conj(), c.view([2, 1]).is_conj()]).toEqual([true, true, true]);
    expect([c.clone().is_conj(), c.conj().is_conj(), c.add(1).is_conj()]).toEqual([false, false, false]);
    expect([c.imag.is_neg(), c.real.is_neg()]).toEqual([true, false]);
    t.fill_(new torch.Complex(0, 1));
    expect(c.tolist()).toEqual([new torch.Complex(0, -1), new torch.Complex(0, -1)]);
    expect(c.imag.tolist()).toEqual([-1, -1]);
  });

  test("may be written", () => {
    const t = a();
    t.conj().mul_(new torch.Complex(0, 1));
    expect(t.tolist()).toEqual([new torch.Complex(2, -1), new torch.Complex(-1, -0.5)]);
    t.conj().imag.fill_(3);
    expect(t.imag.tolist()).toEqual([-3, -3]);
    t.conj().index_put_([torch.tensor([0n])], torch.tensor([new torch.Complex(5, 6)]));
    expect(t.tolist()[0]).toEqual(new torch.Complex(5, -6));
  });

  test("are written through real views with gradients", () => {
    const leaf = a().requires_grad_(true), t = leaf.mul(1);
    t.imag.mul_(3);
    torch.view_as_real(t).mul(torch.tensor([[1, 10], [100, 1000]])).sum().backward();
    expect(leaf.grad!.tolist()).toEqual([new torch.Complex(1, 30), new torch.Complex(100, 3000)]);
  });
});

test("long, prime and many transforms come back", () => {
  for (const shape of [[65536], [2, 30030], [100003], [40, 1000], [3, 131]]) {
    const t = torch.randn(shape, { dtype: torch.complex64 });
    expect(torch.fft.ifft(torch.fft.fft(t)).sub(t).abs().max().item()).toBeLessThan(5e-6);
    const r = t.real, n = shape[shape.length - 1]!;
    expect(torch.fft.irfft(torch.fft.rfft(r), n).sub(r).abs().max().item()).toBeLessThan(5e-6);
    // Real numbers are complex ones without an imaginary part.
    const error = torch.fft.fft(r).sub(torch.fft.fft(r.to(torch.complex64))).abs().max().item();
    expect(error).toBeLessThan(3e-6 * Math.sqrt(n));
  }
});
