import { describe, expect, it } from "vitest";
import * as torch from "../../src/mod.ts";
import type { Tensor } from "../../src/tensor.ts";

const { nn } = torch;
type Layer = InstanceType<typeof nn.Module>;

/** Sums of the output, of its absolute value, and of those of the gradients of sum(y^3) by input and parameters. */
function sums(make: () => Layer, shapes: number[][]): number[] {
  torch.manual_seed(0);
  const layer = make(), inputs = shapes.map((s) => torch.randn(s).requires_grad_(true));
  const result = layer(...inputs) as Tensor | Tensor[];
  const y = Array.isArray(result) ? result[0]! : result;
  y.pow(3).sum().backward();
  const size = (t: Tensor | null) => t === null ? 0 : t.abs().sum().item() as number;
  return [
    y.sum().item() as number,
    size(y),
    size(inputs[0]!.grad),
    [...layer.parameters()].reduce((sum, p) => sum + size(p.grad), 0),
  ];
}

// Recorded from PyTorch 1.13, which draws parameters and inputs from the same seed.
describe("layers compute and train as PyTorch's", () => {
  it.each<[string, () => Layer, number[][], number[]]>([
    ["Conv2d, strided, padded, grouped", () => new nn.Conv2d(4, 6, 3, { stride: 2, padding: 1, groups: 2 }), [
      [2, 4, 7, 6],
    ], [9.22713, 54.50484, 111.54488, 696.03837]],
    [
      "ConvTranspose1d",
      () => new nn.ConvTranspose1d(3, 4, 4, { stride: 3, output_padding: 1 }),
      [[2, 3, 5]],
      [8.52391, 30.10971, 5.91557, 93.70226],
    ],
    ["BatchNorm2d", () => new nn.BatchNorm2d(3), [[4, 3, 2, 2]], [0.0, 39.21099, 151.56937, 196.92881]],
    ["GroupNorm", () => new nn.GroupNorm(2, 4), [[2, 4, 3]], [0.0, 20.02948, 64.98055, 115.81614]],
    ["LayerNorm", () => new nn.LayerNorm([3, 4]), [[2, 3, 4]], [0.0, 18.54403, 73.56392, 181.89197]],
    ["InstanceNorm1d", () => new nn.InstanceNorm1d(3, { affine: true }), [[2, 3, 5]], [
      0.0,
      24.79174,
      104.09052,
      145.45781,
    ]],
    [
      "LSTM, two layers, both directions, projected",
      () => new nn.LSTM(3, 4, 2, { bidirectional: true, proj_size: 2 }),
      [[5, 2, 3]],
      [3.60982, 3.60982, 0.02392, 3.18882],
    ],
    ["GRU, batch first", () => new nn.GRU(3, 4, { batch_first: true }), [[2, 5, 3]], [
      -1.6027,
      12.36366,
      5.87697,
      35.90638,
    ]],
    ["RNN without batch", () => new nn.RNN(3, 4, { nonlinearity: "relu" }), [[5, 3]], [
      0.8035,
      0.8035,
      0.36266,
      2.70342,
    ]],
    ["LSTMCell", () => new nn.LSTMCell(3, 4), [[2, 3]], [0.32161, 0.54391, 0.01316, 0.17205]],
    [
      "MultiheadAttention, keys and values of other sizes",
      () => new nn.MultiheadAttention(6, 2, { kdim: 4, vdim: 5, add_bias_kv: true }),
      [[3, 2, 6], [4, 2, 4], [4, 2, 5]],
      [0.49798, 3.92941, 0.4076, 11.67517],
    ],
    [
      "TransformerEncoderLayer, norm first",
      () => new nn.TransformerEncoderLayer(8, 2, 16, { dropout: 0, norm_first: true, activation: "gelu" }),
      [[3, 2, 8]],
      [-6.24665, 37.70513, 207.71719, 2788.81393],
    ],
    ["Transformer", () => new nn.Transformer(8, 2, 1, 1, 16, { dropout: 0 }), [[3, 2, 8], [4, 2, 8]], [
      -0.0,
      52.6161,
      53.63513,
      3915.85549,
    ]],
    ["Bilinear", () => new nn.Bilinear(3, 4, 2), [[5, 3], [5, 4]], [-1.5373, 4.91478, 15.82111, 104.41844]],
    ["PReLU", () => new nn.PReLU(3), [[2, 3, 4]], [7.28282, 11.97112, 34.3143, 4.80881]],
    ["Upsample", () => new nn.Upsample({ scale_factor: 2, mode: "bilinear", align_corners: true }), [[
      1,
      2,
      3,
      3,
    ]], [25.71783, 49.85222, 139.90353, 0]],
    ["Fold", () => new nn.Fold([4, 5], [2, 2]), [[1, 12, 12]], [4.13443, 68.56703, 1156.27808, 0]],
    ["LPPool2d", () => new nn.LPPool2d(2, 2), [[1, 2, 4, 4]], [15.64468, 15.64468, 169.81653, 0]],
    ["AdaptiveMaxPool2d", () => new nn.AdaptiveMaxPool2d([2, 3]), [[1, 2, 5, 5]], [
      20.03491,
      20.03491,
      128.05522,
      0,
    ]],
  ])("%s", (_, make, shapes, want) => {
    sums(make, shapes).forEach((v, i) => {
      expect(Math.abs(v - want[i]!)).toBeLessThan(2e-5 * Math.max(1, Math.abs(want[i]!)) + 1e-5);
    });
  });
});

describe("recurrent networks", () => {
  it("give the same for packed sequences as for each sequence by itself", () => {
    torch.manual_seed(0);
    const lstm = new nn.LSTM(2, 3, { bidirectional: true });
    const sequences = [torch.randn(2, 2), torch.randn(4, 2), torch.randn(1, 2)];
    const packed = nn.utils.rnn.pack_sequence(sequences, { enforce_sorted: false });
    const [out, [h]] = lstm(packed);
    const [padded, lengths] = nn.utils.rnn.pad_packed_sequence(out);
    expect(lengths.tolist()).toEqual([2, 4, 1]);
    sequences.forEach((s, i) => {
      const [alone, [last]] = lstm(s);
      const difference = padded.select(1, i).narrow(0, 0, s.size(0)).sub(alone).abs().max().item();
      expect(difference).toBeLessThan(1e-6);
      expect(h.select(1, i).sub(last).abs().max().item()).toBeLessThan(1e-6);
    });
  });

  it("refuse input of another size", () => {
    const gru = new nn.GRU(2, 3);
    expect(() => gru(torch.zeros(4, 1, 3))).toThrow(
      "input.size(-1) must be equal to input_size. Expected 2, got 3",
    );
    expect(() => gru(torch.zeros(4, 1, 2), torch.zeros(2, 1, 3))).toThrow(
      "Expected hidden size (1, 1, 3), got [2, 1, 3]",
    );
  });
});

describe("attention", () => {
  it("ignores padding and the future, and gives weights per head or averaged", () => {
    torch.manual_seed(0);
    const attention = new nn.MultiheadAttention(4, 2, { batch_first: true }), x = torch.randn(1, 3, 4);
    const [, averaged] = attention(x, x, x, { key_padding_mask: torch.tensor([[false, false, true]]) });
    (averaged!.select(2, 2).flatten().tolist() as number[]).forEach((w) => expect(w).toBe(0));
    const future = nn.Transformer.generate_square_subsequent_mask(3);
    const [, each] = attention(x, x, x, { attn_mask: future, average_attn_weights: false });
    expect([...each!.shape]).toEqual([1, 2, 3, 3]);
    expect(each!.triu(1).abs().sum().item()).toBe(0);
  });

  it("an encoder that evaluates leaves out padding at the ends, as PyTorch's nested tensors", () => {
    torch.manual_seed(0);
    const layer = new nn.TransformerEncoderLayer(8, 2, 16, { batch_first: true });
    const encoder = new nn.TransformerEncoder(layer, 2).eval(), x = torch.randn(2, 3, 8);
    const padding = (rows: boolean[][]) => torch.tensor(rows);
    const last = (mask: Tensor) =>
      torch.no_grad(() => encoder(x, { src_key_padding_mask: mask })).select(0, 0).select(0, 2);
    expect(last(padding([[false, false, true], [false, false, false]])).abs().sum().item()).toBe(0);
    expect(last(padding([[true, false, false], [false, false, false]])).abs().sum().item()).toBeGreaterThan(
      1,
    );
    encoder.train();
    expect(last(padding([[false, false, true], [false, false, false]])).abs().sum().item()).toBeGreaterThan(
      1,
    );
  });
});

describe("modules that learn their input size", () => {
  it("become ordinary ones at the first call", () => {
    torch.manual_seed(0);
    const net = new nn.Sequential(
      new nn.LazyConv2d(3, 2),
      new nn.LazyBatchNorm2d(),
      new nn.Flatten(),
      new nn.LazyLinear(2),
    );
    expect(String(net.at(0))).toBe("LazyConv2d(0, 3, kernel_size=(2, 2), stride=(1, 1))");
    expect(() => net.at(3).get_parameter("weight").shape).toThrow();
    expect([...net(torch.randn(2, 1, 3, 3)).shape]).toEqual([2, 2]);
    expect([...net].map(String)).toEqual([
      "Conv2d(1, 3, kernel_size=(2, 2), stride=(1, 1))",
      "BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)",
      "Flatten(start_dim=1, end_dim=-1)",
      "Linear(in_features=12, out_features=2, bias=True)",
    ]);
    expect(net.at(3)).not.toBeInstanceOf(nn.LazyLinear);
  });

  it("take their shapes from a state_dict", () => {
    const lazy = new nn.LazyLinear(2), linear = new nn.Linear(3, 2);
    lazy.load_state_dict(linear.state_dict());
    expect(lazy(torch.ones(3)).tolist()).toEqual(linear(torch.ones(3)).tolist());
  });
});
