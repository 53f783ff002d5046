/** torch.func: gradients, products, Jacobians and vmap together, against autograd and against loops. */
import { describe, expect, test } from "vitest";
import * as torch from "../../src/mod.ts";
import type { Tensor } from "../../src/tensor.ts";

const { func, nn } = torch;
const F = nn.functional;

function same(a: Tensor, b: Tensor, tolerance = 1e-5): void {
  expect(String(a.shape)).toBe(String(b.shape));
  expect(torch.allclose(a, b, { rtol: tolerance, atol: tolerance }), `${a}\n${b}`).toBe(true);
}
const rows = (t: Tensor): Tensor[] => t.unbind(0) as unknown as Tensor[];

describe("grad", () => {
  const x = torch.linspace(-1, 1, 5);
  test("is the derivative, once, twice and three times", () => {
    const f = (t: Tensor): Tensor => t.sin().sum();
    same(func.grad(f)(x), x.cos());
    const first = (t: Tensor): Tensor => func.grad(f)(t).sum();
    same(func.grad(first)(x), x.sin().neg());
    same(func.grad((t: Tensor) => func.grad(first)(t).sum())(x), x.cos().neg());
  });
  test("leaves no graph, unless somebody outside wants one", () => {
    expect(func.grad((t: Tensor) => t.pow(2).sum())(x).requires_grad).toBe(false);
    const w = torch.ones(5, { requires_grad: true });
    const g = func.grad((t: Tensor) => t.pow(2).mul(w).sum())(x) as Tensor;
    expect(g.requires_grad).toBe(true);
    g.sum().backward();
    same(w.grad!, x.mul(2));
    expect(torch.no_grad(() => func.grad((t: Tensor) => t.mul(w).sum())(x)).requires_grad).toBe(false);
  });
  test("takes argnums, nested arguments and aux", () => {
    const f = (p: { a: Tensor; b: Tensor[] }, y: Tensor): Tensor => p.a.mul(p.b[0]!).mul(y).sum();
    const g = func.grad(f, [0, 1])({ a: x, b: [x.mul(2)] }, x.add(1)) as [{ a: Tensor; b: Tensor[] }, Tensor];
    same(g[0].a, x.mul(2).mul(x.add(1)));
    same(g[0].b[0]!, x.mul(x.add(1)));
    same(g[1], x.mul(x).mul(2));
    const [h, aux] = func.grad((t: Tensor) => [t.sum(), t.mul(3)], { has_aux: true })(x);
    same(h, torch.ones(5));
    same(aux, x.mul(3));
    const [dv, v] = func.grad_and_value((t: Tensor) => t.pow(2).sum())(x);
    same(dv, x.mul(2));
    same(v, x.pow(2).sum());
  });
  test("refuses what is no scalar", () => {
    expect(() => func.grad((t: Tensor) => t)(x)).toThrow(
      "Expected f(*args) to return a scalar tensor, got tensor with 1 dims. Maybe you wanted to use the vjp or jacrev APIs instead?",
    );
    expect(() => func.grad(() => 3)(x)).toThrow("Expected f(*args) to return a tensor, got <class 'int'>");
    expect(() => func.grad((t: Tensor) => t, 1)(x)).toThrow("Got argnum=1, but only 1 positional inputs");
  });
});

describe("products and Jacobians", () => {
  const x = torch.tensor([0.5, -1.5, 2]), v = torch.tensor([1, -2, 0.5]);
  const f = (t: Tensor): Tensor => torch.stack([t.prod(), t.sin().sum()]);
  const J = torch.stack([x.prod().div(x), x.cos()]);
  test("vjp", () => {
    const [y, pull] = func.vjp(f, x);
    same(y, f(x));
    const u = torch.tensor([2, -1]);
    same(pull(u)[0], u.matmul(J));
    expect(() => pull([u])).toThrow("Expected pytree structure of cotangents to be the same");
  });
  test("jvp and linearize", () => {
    const [y, push] = func.jvp(f, [x], [v]);
    same(y, f(x));
    same(push, J.matmul(v));
    const [z, product] = func.linearize(f, x);
    same(z, f(x));
    same(product(v), J.matmul(v));
    same(product(v.mul(2)), J.matmul(v).mul(2));
    expect(() => product(torch.ones(2))).toThrow("Expected tangent with shape torch.Size([3])");
    expect(() => func.jvp(f, [x], [v, v])).toThrow(
      "Expected primals and tangents to have the same python structure",
    );
  });
  test("jacrev, jacfwd, in chunks", () => {
    same(func.jacrev(f)(x), J);
    same(func.jacfwd(f)(x), J);
    same(func.jacrev(f, { chunk_size: 1 })(x), J);
    const [a, b] = func.jacrev((s: Tensor, t: Tensor) => s.outer(t), [0, 1])(x, v) as Tensor[];
    expect([...a!.shape]).toEqual([3, 3, 3]);
    same(a!.select(2, 1), torch.zeros(3, 3).index_put([torch.tensor([1n])], v));
    same(b!, func.jacfwd((t: Tensor) => x.outer(t))(v));
  });
  test("hessian", () => {
    const A = torch.randn(3, 3);
    const q = (t: Tensor): Tensor => t.matmul(A).dot(t).add(t.pow(4).sum());
    const want = A.add(A.t()).add(x.pow(2).mul(12).diag());
    same(func.hessian(q)(x), want);
    same(func.jacfwd(func.jacrev(q))(x), want);
    same(func.jacrev(func.jacfwd(q))(x), want);
    same(func.jacfwd(func.jacfwd(q))(x), want);
    same(torch.autograd.functional.hessian(q, x) as Tensor, want);
  });
});

describe("vmap", () => {
  const x = torch.randn(4, 3);
  test("with grad: per-sample gradients", () => {
    torch.manual_seed(1);
    const net = new nn.Sequential(
      new nn.Conv2d(1, 4, 3),
      new nn.GroupNorm(2, 4),
      new nn.ReLU(),
      new nn.MaxPool2d(2),
      new nn.Flatten(),
      new nn.Linear(36, 5),
    );
    const images = torch.randn(6, 1, 8, 8), labels = torch.randint(5, [6]);
    const params = new Map([...net.named_parameters()].map(([n, p]) => [n, p.detach()]));
    const loss = (p: typeof params, image: Tensor, label: Tensor): Tensor =>
      F.cross_entropy(func.functional_call(net, p, image.unsqueeze(0)) as Tensor, label.unsqueeze(0));
    const each = torch.vmap(func.grad(loss), [null, 0, 0])(params, images, labels) as Map<string, Tensor>;
    for (let i = 0; i < 6; i++) {
      const gs = torch.autograd.grad(
        F.cross_entropy(net(images.narrow(0, i, 1)), labels.narrow(0, i, 1)),
        [...net.parameters()],
      );
      [...each.values()].forEach((g, k) => same(g.select(0, i), gs[k]!, 1e-4));
    }
  });
  test("nested, with other dimensions in and out", () => {
    const y = torch.randn(5, 3);
    same(torch.vmap((a: Tensor) => torch.vmap((b: Tensor) => a.dot(b))(y))(x), x.matmul(y.t()));
    same(torch.vmap((a: Tensor, b: Tensor) => a.mul(b), [1, null], 1)(x, torch.ones(4).mul(2)), x.mul(2));
    same(torch.vmap((a: Tensor) => a, { in_dims: -1, out_dims: 1 })(x), x);
    const [s, t] = torch.vmap((a: Tensor) => [a.sum(), a], { out_dims: [0, 1] })(x) as Tensor[];
    same(s!, x.sum(1));
    same(t!, x.t());
  });
  test("of a Jacobian, and a gradient of vmap", () => {
    same(
      torch.vmap(func.jacrev((t: Tensor) => t.pow(2)))(x),
      torch.stack(rows(x).map((r) => r.mul(2).diag())),
    );
    same(
      torch.vmap(func.jacfwd((t: Tensor) => t.pow(2)))(x),
      torch.stack(rows(x).map((r) => r.mul(2).diag())),
    );
    same(func.grad((t: Tensor) => torch.vmap((r: Tensor) => r.pow(2).sum())(t).sum())(x), x.mul(2));
    same(
      torch.vmap(func.hessian((t: Tensor) => t.pow(3).sum()))(x),
      torch.stack(rows(x).map((r) => r.mul(6).diag())),
    );
  });
  test("in chunks", () => {
    const f = (r: Tensor): Tensor => r.softmax(0);
    for (const chunk_size of [1, 3, 10]) same(torch.vmap(f, { chunk_size })(x), x.softmax(1));
  });
  test("writes in place", () => {
    const y = x.clone();
    torch.vmap((r: Tensor) => r.mul_(2).add_(1))(y);
    same(y, x.mul(2).add(1));
    const filled = torch.vmap((r: Tensor) => {
      const z = r.new_zeros([2]);
      z.index_put_([0], r.sum());
      return z;
    })(x);
    same(filled, torch.stack([x.sum(1), torch.zeros(4)], 1));
    expect(() => torch.vmap((r: Tensor) => torch.zeros(3).add_(r))(x)).toThrow(
      "is not possible because there exists a Tensor `other` in extra_args that has more elements than `self`",
    );
  });
  test("randomness", () => {
    const draw = (r: Tensor): Tensor => r.add(torch.rand(3));
    expect(() => torch.vmap(draw)(x)).toThrow("vmap: called random operation while in randomness error mode");
    const zero = torch.zeros(4, 3);
    const alike = torch.vmap(draw, { randomness: "same" })(zero);
    same(alike, alike.select(0, 0).expand([4, 3]));
    const different = torch.vmap(draw, { randomness: "different" })(zero);
    expect(torch.allclose(different.select(0, 0), different.select(0, 1))).toBe(false);
    const dropped = torch.vmap((r: Tensor) => F.dropout(r, 0.5), { randomness: "same" })(torch.ones(4, 64));
    same(dropped, dropped.select(0, 0).expand([4, 64]));
    const apart = torch.vmap((r: Tensor) => F.dropout(r, 0.5), { randomness: "different" })(
      torch.ones(4, 64),
    );
    expect(torch.allclose(apart.select(0, 0), apart.select(0, 1))).toBe(false);
  });
  test("an ensemble of models", () => {
    const models = [1, 2, 3].map((s) => {
      torch.manual_seed(s);
      return new nn.Sequential(new nn.Linear(3, 8), new nn.LayerNorm(8), new nn.Tanh(), new nn.Linear(8, 2));
    });
    const [params, buffers] = func.stack_module_state(models);
    const call = (p: unknown, b: unknown, input: Tensor): Tensor =>
      func.functional_call(models[0]!, [p, b] as never, input) as Tensor;
    same(torch.vmap(call, [0, 0, null])(params, buffers, x), torch.stack(models.map((m) => m(x))));
    expect(() => func.stack_module_state([])).toThrow("Expected at least one model, got 0.");
  });
  test("functional_call: strict, tied, doubled", () => {
    const net = new nn.Linear(2, 2, { bias: false });
    const w = torch.ones(2, 2);
    same(func.functional_call(net, { weight: w }, w) as Tensor, w.mul(2));
    expect(() => func.functional_call(net, [{ weight: w }, { weight: w }], w)).toThrow(
      "['weight'] appeared in multiple dictionaries; behavior of functional call is ambiguous",
    );
    expect(() => func.functional_call(net, {}, w, null, { strict: true })).toThrow(
      "Missing key(s): 'weight'.",
    );
  });
  test("says what is wrong in functorch's words", () => {
    const f = (a: Tensor): Tensor => a;
    expect(() => torch.vmap(f, "x" as never)(x)).toThrow(
      "expected `in_dims` to be int or a (potentially nested) tuple",
    );
    expect(() => (torch.vmap(f) as () => Tensor)()).toThrow("got no inputs. Maybe you forgot to add inputs");
    expect(() => torch.vmap(f, 2)(x)).toThrow(
      "Got in_dim=2 for some input, but that input is a Tensor of dimensionality 2 so expected in_dim to satisfy -2 <= in_dim < 2.",
    );
    expect(() => torch.vmap((a: Tensor, b: Tensor) => a.add(b))(x, x.t())).toThrow(
      "vmap: Expected all tensors to have the same size in the mapped dimension, got sizes [4, 3] for the mapped dimension",
    );
    expect(() => torch.vmap(f, [null])(x)).toThrow("Expected at least one Tensor to vmap over");
    expect(() => torch.vmap((a: Tensor) => a.sum().item())(x)).toThrow("calling .item() on a Tensor");
    expect(() => torch.vmap((a: Tensor) => a.nonzero())(x)).toThrow(
      "operators that can output dynamic shape",
    );
    expect(() => torch.vmap((_: Tensor) => 3)(x)).toThrow("must only return Tensors, got type <class 'int'>");
    expect(() => torch.vmap(f, 0, null)(x)).toThrow("can not return a BatchedTensor when out_dim is None");
    expect(() => torch.vmap(f, { randomness: "other" as never })(x)).toThrow(
      "Only allowed values for randomness",
    );
  });
});
