/** torch.autocast and GradScaler: PyTorch's answers on the CPU, and what is on no list. */

import { readFileSync } from "node:fs";
import { describe, expect, it, vi } from "vitest";
import * as torch from "../../src/mod.ts";

const { nn } = torch;
// deno-lint-ignore no-explicit-any -- looked up by recorded names
const api = torch as any;

interface Recorded {
  dtypes: Record<string, { args: (number[] | number)[]; result: string }>;
  losses: number[];
}
const recorded: Recorded = JSON.parse(
  readFileSync(new URL("../fixtures/autocast.json", import.meta.url), "utf8"),
);

describe("autocast on the CPU", () => {
  it.each(Object.entries(recorded.dtypes))("%s has PyTorch's dtype", (key, { args, result }) => {
    const [name, dtype] = key.split(" ") as [string, string];
    const f = name.split(".").reduce((o, part) => o[part], api);
    const inputs = args.map((a) => Array.isArray(a) ? torch.rand(a).to(api[dtype]) : a);
    expect(String(torch.autocast("cpu", () => f(...inputs)).dtype)).toBe(`torch.${result}`);
  });

  it("trains as PyTorch does", () => {
    torch.manual_seed(0);
    const net = new nn.Sequential(new nn.Linear(6, 16), new nn.ReLU(), new nn.Linear(16, 4));
    const x = torch.randn([8, 6]), y = torch.randint(0, 4, [8]);
    const optimizer = new torch.optim.SGD(net.parameters(), { lr: 0.2, momentum: 0.9 });
    for (const wanted of recorded.losses) {
      optimizer.zero_grad();
      const loss = torch.autocast("cpu", () => nn.functional.cross_entropy(net.call(x), y));
      loss.backward();
      optimizer.step();
      // Sums of bfloat16 products may be rounded in another order.
      expect(Math.abs((loss.item() as number) - wanted)).toBeLessThan(8e-3 * wanted);
      expect(net.get_parameter("0.weight").grad!.dtype).toBe(torch.float32);
    }
  });

  it("is a switch that ends with its block, also after errors and in nested blocks", async () => {
    const x = torch.rand([2, 2]);
    {
      using _on = torch.autocast("cpu");
      expect(x.mm(x).dtype).toBe(torch.bfloat16);
      {
        using _off = torch.autocast("cpu", { enabled: false });
        expect(x.mm(x).dtype).toBe(torch.float32);
      }
      expect(torch.is_autocast_cpu_enabled()).toBe(true);
    }
    expect(() =>
      torch.autocast("cpu", () => {
        throw new Error("oh");
      })
    ).toThrow("oh");
    expect(torch.is_autocast_cpu_enabled()).toBe(false);
    const later = await torch.cpu.amp.autocast(async () => {
      await Promise.resolve();
      return x.mm(x);
    });
    expect([later.dtype, x.mm(x).dtype]).toEqual([torch.bfloat16, torch.float32]);
  });

  it("converts a parameter once in a region", () => {
    const w = torch.rand([2, 2]).requires_grad_(), x = torch.rand([2, 2]);
    torch.autocast("cpu", () => x.mm(w).add(x.mm(w)).sum()).backward();
    expect(w.grad!.dtype).toBe(torch.float32);
    const doubled = x.sum(0).reshape([2, 1]).expand([2, 2]).mul(2);
    expect(torch.allclose(w.grad!, doubled, 2e-2, 2e-2)).toBe(true);
  });

  it("refuses what PyTorch refuses", () => {
    expect(() => torch.autocast("meta")).toThrow(
      "User specified autocast device_type must be 'cuda' or 'cpu'",
    );
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    torch.autocast(
      "cpu",
      { dtype: torch.float16 },
      () => expect(torch.is_autocast_cpu_enabled()).toBe(false),
    );
    expect(warn.mock.calls.join()).toContain("CPU Autocast only supports dtype of torch.bfloat16 currently.");
    warn.mockRestore();
  });
});

describe("GradScaler", () => {
  it("lets everything through when it is disabled", () => {
    const p = torch.ones([2]).requires_grad_(), optimizer = new torch.optim.SGD([p], { lr: 1 });
    const scaler = new torch.cuda.amp.GradScaler({ enabled: false }), loss = p.sum();
    expect(scaler.scale(loss)).toBe(loss);
    loss.backward();
    scaler.step(optimizer);
    scaler.update();
    expect([p.tolist(), scaler.get_scale(), scaler.state_dict()]).toEqual([[0, 0], 1, {}]);
  });
});
