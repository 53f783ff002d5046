/** LSTM layers, which run as one node, against the same layers written with cells. */
import * as torch from "tstorch";
import { describe, expect, it } from "vitest";

const { nn } = torch;
type Tensor = torch.Tensor;
const float64 = torch.float64;

/** The layers of `lstm` step by step; x (T, B, F). */
function withCells(lstm: torch.nn.LSTM, x: Tensor, h0: Tensor, c0: Tensor): [Tensor, Tensor, Tensor] {
  const params = new Map([...lstm.named_parameters()]);
  const h: Tensor[] = [], c: Tensor[] = [];
  const directions = lstm.bidirectional ? 2 : 1;
  for (let layer = 0; layer < lstm.num_layers; layer++) {
    const outs: Tensor[] = [];
    for (let d = 0; d < directions; d++) {
      const end = `_l${layer}${d === 1 ? "_reverse" : ""}`, k = layer * directions + d;
      const [wi, wh, bi, bh] = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"].map((n) =>
        params.get(n + end)!
      );
      let state = [h0.select(0, k), c0.select(0, k)];
      const steps = new Array<Tensor>(x.shape[0]!);
      for (let i = 0; i < steps.length; i++) {
        const t = d === 1 ? steps.length - 1 - i : i;
        state = [...torch.lstm_cell(x.select(0, t), state, wi!, wh!, bi, bh)];
        steps[t] = state[0]!;
      }
      outs.push(torch.stack(steps, 0));
      h.push(state[0]!);
      c.push(state[1]!);
    }
    x = torch.cat(outs, -1);
  }
  return [x, torch.stack(h, 0), torch.stack(c, 0)];
}

const cases = [
  { T: 5, B: 3, F: 4, H: 6, num_layers: 1, bidirectional: false, bias: true },
  { T: 1, B: 1, F: 3, H: 1, num_layers: 1, bidirectional: false, bias: true },
  { T: 4, B: 2, F: 3, H: 5, num_layers: 2, bidirectional: true, bias: true },
  { T: 7, B: 2, F: 3, H: 3, num_layers: 1, bidirectional: true, bias: false },
];

function prepare({ T, B, F, H, ...options }: typeof cases[number]) {
  torch.manual_seed(3);
  const lstm = new nn.LSTM(F, H, { ...options, dtype: float64 });
  const layers = options.num_layers * (options.bidirectional ? 2 : 1);
  const inputs = [[T, B, F], [layers, B, H], [layers, B, H]].map((size) =>
    torch.randn(size, { dtype: float64, requires_grad: true })
  ) as [Tensor, Tensor, Tensor];
  return { lstm, inputs };
}

describe("LSTM", () => {
  it.each(cases)("equals its cells, forward and backward: %o", (options) => {
    const { lstm, inputs } = prepare(options), [x, h0, c0] = inputs;
    const [out, [h, c]] = lstm.call(x, [h0, c0]) as unknown as [Tensor, [Tensor, Tensor]];
    const expected = withCells(lstm, x, h0, c0);
    const leaves = [...inputs, ...lstm.parameters()];
    const gradients = (results: readonly Tensor[]) => {
      const loss = results.map((r, i) => r.mul(r.detach().cos().add(i)).sum()).reduce((a, b) => a.add(b));
      return torch.autograd.grad(loss, leaves);
    };
    [out, h, c].forEach((r, i) => expect(torch.allclose(r, expected[i]!, 1e-12, 1e-13)).toBe(true));
    const ours = gradients([out, h, c]), theirs = gradients(expected);
    ours.forEach((g, i) => expect(torch.allclose(g!, theirs[i]!, 1e-10, 1e-12), `gradient ${i}`).toBe(true));
  });

  it("has second derivatives", () => {
    const { lstm, inputs } = prepare({ ...cases[0]!, T: 3, B: 2, F: 2, H: 2, bidirectional: true });
    const run = (...args: Tensor[]) => (lstm.call(args[0]!, [args[1]!, args[2]!]) as unknown as [Tensor])[0];
    const small = inputs.slice(0, 1).concat(
      [0, 1].map(() => torch.randn([2, 2, 2], { dtype: float64, requires_grad: true })),
    );
    expect(torch.autograd.gradcheck(run, small)).toBe(true);
    expect(torch.autograd.gradgradcheck(run, small)).toBe(true);
  });

  it("lets its output be changed in place", () => {
    const { lstm, inputs: [x, h0, c0] } = prepare(cases[0]!);
    const [out] = lstm.call(x, [h0, c0]) as unknown as [Tensor];
    out.mul_(2).sum().backward();
    const doubled = x.grad!.clone();
    x.grad = null;
    (lstm.call(x, [h0, c0]) as unknown as [Tensor])[0].sum().backward();
    expect(torch.allclose(doubled, x.grad!.mul(2))).toBe(true);
  });
});
