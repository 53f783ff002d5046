/** What PyTorch has besides the recorded modules: hooks with options, later additions, one-process forms. */
import { describe, expect, test } from "vitest";
import * as torch from "../../src/mod.ts";
import type { Tensor } from "../../src/tensor.ts";

const { nn, optim } = torch;
const F = nn.functional;

function same(a: Tensor, b: Tensor, tolerance = 1e-5): void {
  expect(String(a.shape)).toBe(String(b.shape));
  expect(torch.allclose(a, b, { rtol: tolerance, atol: tolerance }), `${a}\n${b}`).toBe(true);
}

describe("layers", () => {
  test("RMSNorm", () => {
    const x = torch.randn(3, 2, 8), norm = new nn.RMSNorm(8, { eps: 1e-6 });
    same(norm(x), x.div(x.pow(2).mean(-1, true).add(1e-6).sqrt()));
    expect(String(norm)).toBe("RMSNorm((8,), eps=1e-06, elementwise_affine=True)");
    expect(() => F.rms_norm(x, [7])).toThrow("Given normalized_shape=[7], expected input with shape [*, 7]");
  });
  test("CircularPad", () => {
    const x = torch.arange(6, { dtype: torch.float32 }).view(1, 2, 3);
    expect(new nn.CircularPad1d([1, 2])(x).tolist()).toEqual([[[2, 0, 1, 2, 0, 1], [5, 3, 4, 5, 3, 4]]]);
  });
  test("weight_norm as a parametrization", () => {
    const layer = new nn.Linear(3, 2), w = layer.weight.detach().clone(), x = torch.randn(4, 3);
    const before = layer(x);
    nn.utils.parametrizations.weight_norm(layer);
    expect([...layer.state_dict().keys()]).toEqual([
      "bias",
      "parametrizations.weight.original0",
      "parametrizations.weight.original1",
    ]);
    same(layer(x), before);
    same(layer.weight, w);
  });
  test("SyncBatchNorm is BatchNorm in one process", () => {
    const net = new nn.Sequential(new nn.Conv2d(1, 2, 3), new nn.BatchNorm2d(2));
    const keys = [...net.state_dict().keys()], x = torch.randn(4, 1, 6, 6), y = net(x);
    const converted = nn.SyncBatchNorm.convert_sync_batchnorm(net);
    expect([...converted.state_dict().keys()]).toEqual(keys);
    expect(String(converted)).toContain("(1): SyncBatchNorm(2, eps=1e-05");
    same(converted.call(x), y);
  });
  test("an encoder in evaluation cuts its output to the longest sequence", () => {
    const layer = new nn.TransformerEncoderLayer(4, 2, { batch_first: true, dropout: 0 });
    const encoder = new nn.TransformerEncoder(layer, 2);
    const x = torch.randn(2, 5, 4);
    const mask = torch.tensor([[false, false, true, true, true], [false, false, false, true, true]]);
    const full = torch.no_grad(() => encoder.train()(x, { src_key_padding_mask: mask }));
    const cut = torch.no_grad(() => encoder.eval()(x, { src_key_padding_mask: mask }));
    expect([...cut.shape]).toEqual([2, 3, 4]);
    same(cut.select(0, 1), full.select(0, 1).narrow(0, 0, 3));
    same(cut.select(0, 0).narrow(0, 2, 1), torch.zeros(1, 4));
  });
});

describe("hooks", () => {
  test("prepend, with_kwargs, always_call", () => {
    class Scale extends nn.Module {
      override forward(x: Tensor, options: { by?: number; fail?: boolean } = {}): Tensor {
        if (options.fail) throw new Error("failed");
        return x.mul(options.by ?? 1);
      }
    }
    const m = new Scale(), seen: unknown[] = [];
    m.register_forward_hook(() => void seen.push("second"));
    m.register_forward_hook(() => void seen.push("first"), { prepend: true });
    m.register_forward_pre_hook(
      ((
        _m: unknown,
        args: unknown[],
        kwargs: Record<string, unknown>,
      ) => [args, { ...kwargs, by: 3 }]) as never,
      { with_kwargs: true },
    );
    expect(m(torch.ones(1), { by: 2 }).item()).toBe(3);
    expect(seen).toEqual(["first", "second"]);
    m.register_forward_hook(() => void seen.push("always"), { always_call: true });
    expect(() => m(torch.ones(1), { fail: true })).toThrow("failed");
    expect(seen).toEqual(["first", "second", "always"]);
  });
  test("around state dicts of modules and optimizers", () => {
    const net = new nn.Linear(2, 1), log: string[] = [];
    net.register_state_dict_pre_hook((_m, prefix) => void log.push(`pre ${prefix}`));
    net.register_state_dict_post_hook((_m, dict) => void dict.delete("bias"));
    net.register_load_state_dict_pre_hook((m, dict) => void dict.set("bias", m.bias!.detach()));
    const dict = net.state_dict();
    expect([...dict.keys()]).toEqual(["weight"]);
    net.load_state_dict(dict);
    expect(log).toEqual(["pre "]);
    const sgd = new optim.SGD(net.parameters(), { lr: 0.1 });
    sgd.register_state_dict_post_hook((_o, d) => ({
      ...d,
      param_groups: d.param_groups.map((g) => ({ ...g, lr: 7 })),
    }));
    sgd.register_load_state_dict_post_hook(() => void log.push("loaded"));
    sgd.load_state_dict(sgd.state_dict());
    expect(sgd.param_groups[0]!.lr).toBe(7);
    expect(log.at(-1)).toBe("loaded");
  });
  test("global backward pre-hooks", () => {
    const handle = nn.register_module_full_backward_pre_hook((_m, grads) => [grads[0]!.mul(2)]);
    const net = new nn.Linear(1, 1), x = torch.ones(1, 1, { requires_grad: true });
    net(x).sum().backward();
    handle.remove();
    same(x.grad!, net.weight.detach().mul(2));
  });
});

describe("autograd", () => {
  test("forward_ad: tangents of results", () => {
    const { dual_level, make_dual, unpack_dual } = torch.autograd.forward_ad;
    const x = torch.tensor([1, 2]), v = torch.tensor([1, 0.5]);
    dual_level(() => {
      const y = make_dual(x, v).sin().mul(x);
      same(unpack_dual(y).tangent!, x.cos().mul(v).mul(x));
      same(unpack_dual(y).primal, x.sin().mul(x));
      expect(unpack_dual(x.add(1)).tangent).toBe(null);
    });
    expect(() => make_dual(x, v)).toThrow("make sure to enter_dual_level() first");
  });
  test("checkpoint without reentry: inputs that need no gradient, grad(), dropout", () => {
    const w = torch.randn(3, 3, { requires_grad: true }), x = torch.randn(2, 3);
    const f = (t: Tensor): Tensor => F.dropout(t.matmul(w).tanh(), 0.5).pow(2);
    torch.manual_seed(3);
    const [want] = torch.autograd.grad(f(x).sum(), w);
    torch.manual_seed(3);
    const y = torch.utils.checkpoint.checkpoint(f, x, { use_reentrant: false }) as Tensor;
    torch.rand(5);
    same(torch.autograd.grad(y.sum(), w)[0]!, want!);
  });
  test("register_multi_grad_hook and disabled saved tensor hooks", () => {
    const a = torch.ones(1, { requires_grad: true }), b = torch.ones(1, { requires_grad: true });
    const seen: number[] = [];
    torch.autograd.graph.register_multi_grad_hook([a, b], (gs: (Tensor | null)[]) => {
      seen.push(...gs.map((g) => g!.item() as number));
    });
    a.mul(2).add(b.mul(3)).backward();
    expect(seen).toEqual([2, 3]);
    expect(() =>
      torch.autograd.graph.disable_saved_tensors_hooks(
        "not here",
        () => torch.autograd.graph.saved_tensors_hooks((t: Tensor) => t, (t: Tensor) => t, () => 1),
      )
    ).toThrow("not here");
  });
});

describe("optimizers", () => {
  test("SparseAdam changes the rows that were used, like Adam", () => {
    const make = (): InstanceType<typeof nn.Embedding> => {
      torch.manual_seed(5);
      return new nn.Embedding(4, 3);
    };
    const [a, b] = [make(), make()], start = a.weight.detach().clone(), used = torch.tensor([1n, 3n]);
    const sparse = new optim.SparseAdam(a.parameters(), { lr: 0.1 }),
      adam = new optim.Adam(b.parameters(), { lr: 0.1 });
    for (let i = 0; i < 3; i++) {
      for (const [e, o] of [[a, sparse], [b, adam]] as const) {
        o.zero_grad();
        e(used).pow(2).sum().backward();
        o.step();
      }
    }
    same(a.weight.index_select(0, used), b.weight.index_select(0, used), 1e-4);
    same(a.weight.select(0, 0), start.select(0, 0), 0);
  });
  test("NAdam with decoupled weight decay", () => {
    const p = torch.ones(2, { requires_grad: true });
    const o = new optim.NAdam([p], { lr: 0.1, weight_decay: 0.5, decoupled_weight_decay: true });
    p.grad = torch.zeros(2);
    o.step();
    same(p.detach(), torch.full([2], 0.95));
  });
  test("averages of whole models", () => {
    const net = new nn.Linear(1, 1, { bias: false });
    const ema = new optim.swa_utils.AveragedModel(net, {
      multi_avg_fn: optim.swa_utils.get_ema_multi_avg_fn(0.75),
    });
    const at = (v: number): void => torch.no_grad(() => void net.weight.fill_(v));
    at(1);
    ema.update_parameters(net);
    at(5);
    ema.update_parameters(net);
    expect(ema.module.weight.item()).toBeCloseTo(2, 6);
    expect(() => optim.swa_utils.get_ema_avg_fn(2)).toThrow("Invalid decay value 2 provided.");
  });
  test("clip_grads_with_norm_", () => {
    const p = torch.zeros(2, { requires_grad: true });
    p.grad = torch.tensor([3, 4]);
    const norm = nn.utils.get_total_norm([p.grad]);
    expect(norm.item()).toBe(5);
    nn.utils.clip_grads_with_norm_([p], 1, norm);
    same(p.grad, torch.tensor([0.6, 0.8]));
  });
});
