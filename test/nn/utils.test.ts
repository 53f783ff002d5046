import { describe, expect, it } from "vitest";
import * as torch from "../../src/mod.ts";
import type { Tensor } from "../../src/tensor.ts";

const { nn } = torch;
const { utils } = nn;
const { prune, parametrize, parametrizations } = utils;
const close = (t: Tensor, want: number[]) =>
  (t.detach().flatten().tolist() as number[]).forEach((v, i) => expect(v).toBeCloseTo(want[i]!, 5));
const names = (entries: Iterable<[string, unknown]>) => Array.from(entries, ([k]) => k);
function linear(values: number[][]): InstanceType<typeof nn.Linear> {
  const m = new nn.Linear(values[0]!.length, values.length, { bias: false });
  torch.no_grad(() => void m.weight.copy_(torch.tensor(values)));
  return m;
}

describe("gradient clipping", () => {
  const params = () => {
    const p = [
      new nn.Parameter(torch.tensor([3, 4])),
      new nn.Parameter(torch.tensor([1])),
      new nn.Parameter(torch.ones(1)),
    ];
    p[0]!.grad = torch.tensor([3, 4]);
    p[1]!.grad = torch.tensor([12]);
    return p;
  };
  it("by norm", () => {
    const p = params();
    expect(utils.clip_grad_norm_(p, 6.5).item()).toBe(13);
    close(p[0]!.grad!, [1.4999998807907104, 1.9999998807907104]);
    close(p[1]!.grad!, [5.999999523162842]);
    expect(utils.clip_grad_norm_(params(), { max_norm: 100, norm_type: Infinity }).item()).toBe(12);
    expect(utils.clip_grad_norm_([], 1).item()).toBe(0);
    const broken = params();
    broken[1]!.grad!.fill_(NaN);
    expect(() => utils.clip_grad_norm_(broken, 1, { error_if_nonfinite: true })).toThrow(
      "The total norm of order 2.0 for gradients from `parameters` is non-finite, so it cannot be clipped.",
    );
  });
  it("by value", () => {
    const p = params();
    utils.clip_grad_value_(p, 3.5);
    expect(p.map((q) => q.grad?.tolist())).toEqual([[3, 3.5], [3.5], undefined]);
  });
});

it("parameters go to one vector and back", () => {
  const net = new nn.Linear(2, 1);
  const flat = utils.parameters_to_vector(net.parameters());
  expect(flat.shape[0]).toBe(3);
  utils.vector_to_parameters(torch.tensor([1, 2, 3]), net.parameters());
  expect([net.weight.tolist(), net.bias!.tolist()]).toEqual([[[1, 2]], [3]]);
});

describe("reparametrization by hooks", () => {
  it("weight_norm", () => {
    torch.manual_seed(1);
    const plain = new nn.Linear(3, 2), x = torch.ones(3);
    const before = plain(x);
    const m = utils.weight_norm(plain);
    expect(names(m.named_parameters())).toEqual(["bias", "weight_g", "weight_v"]);
    close(m.get_parameter("weight_g"), [0.40738725662231445, 0.6991116404533386]);
    close(m(x), [-0.188044011592865, 0.36742180585861206]);
    m(x).sum().backward();
    expect(m.get_parameter("weight_g").grad!.abs().sum().item()).toBeGreaterThan(0);
    utils.remove_weight_norm(m);
    expect(names(m.named_parameters())).toEqual(["bias", "weight"]);
    close(m(x), before.tolist() as number[]);
    expect(() => utils.remove_weight_norm(m)).toThrow("weight_norm of 'weight' not found in");
  });

  it("spectral_norm", () => {
    torch.manual_seed(1);
    const m = utils.spectral_norm(new nn.Linear(3, 2));
    close(m(torch.ones(3)), [-0.21639682352542877, 0.3975878655910492]);
    close(m.get_buffer("weight_u"), [-0.5420988202095032, -0.8403148055076599]);
    expect([...m.state_dict().keys()]).toEqual(["bias", "weight_orig", "weight_u", "weight_v"]);
    utils.remove_spectral_norm(m);
    expect([...m.state_dict().keys()]).toEqual(["bias", "weight"]);
  });
});

describe("parametrize", () => {
  class Symmetric extends nn.Module {
    override forward(x: Tensor): Tensor {
      return x.triu().add(x.triu(1).t());
    }
    right_inverse(x: Tensor): Tensor {
      return x.triu();
    }
  }
  it("computes a tensor from another, that is trained and saved in its place", () => {
    const m = linear([[1, 2], [3, 4]]);
    parametrize.register_parametrization(m, "weight", new Symmetric());
    expect(m.weight.tolist()).toEqual([[1, 2], [2, 4]]);
    expect(names(m.named_parameters())).toEqual(["parametrizations.weight.original"]);
    m.weight = torch.tensor([[5, 6], [7, 8]]) as never;
    expect(m.weight.tolist()).toEqual([[5, 6], [6, 8]]);
    m(torch.ones(1, 2)).sum().backward();
    expect(m.get_parameter("parametrizations.weight.original").grad!.tolist()).toEqual([[1, 2], [0, 1]]);
    expect([parametrize.is_parametrized(m), String(m)]).toEqual([
      true,
      `ParametrizedLinear(
  in_features=2, out_features=2, bias=False
  (parametrizations): ModuleDict(
    (weight): ParametrizationList(
      (0): Symmetric()
    )
  )
)`,
    ]);
    parametrize.cached(() => expect(m.weight).toBe(m.weight));
    parametrize.remove_parametrizations(m, "weight");
    expect([m.weight.tolist(), String(m)]).toEqual([
      [[5, 6], [6, 8]],
      "Linear(in_features=2, out_features=2, bias=False)",
    ]);
    expect(m).toBeInstanceOf(nn.Linear);
  });

  it("refuses what changes the shape", () => {
    class Flat extends nn.Module {
      override forward(x: Tensor): Tensor {
        return x.flatten();
      }
    }
    expect(() => parametrize.register_parametrization(linear([[1, 2]]), "weight", new Flat())).toThrow(
      "Registering a parametrization may not change the shape of the tensor, unless `unsafe` flag is enabled.",
    );
  });

  it("spectral_norm", () => {
    torch.manual_seed(1);
    const m = parametrizations.spectral_norm(new nn.Linear(3, 2));
    close(m(torch.ones(3)), [-0.2105722278356552, 0.39139074087142944]);
    expect([...m.state_dict().keys()]).toEqual([
      "bias",
      "parametrizations.weight.original",
      "parametrizations.weight.0._u",
      "parametrizations.weight.0._v",
    ]);
  });
});

describe("prune", () => {
  const weights = [[1, -2, 3], [-4, 5, -6]];
  const absent = (m: InstanceType<typeof nn.Linear>) =>
    (m.weight.tolist() as number[][]).map((r) => r.map((v) => v === 0));
  it("masks the smallest, then whole columns, and makes it permanent", () => {
    const m = linear(weights);
    prune.l1_unstructured(m, "weight", 2);
    expect(absent(m)).toEqual([[true, true, false], [false, false, false]]);
    expect([names(m.named_parameters()), names(m.named_buffers())]).toEqual([["weight_orig"], [
      "weight_mask",
    ]]);
    prune.ln_structured(m, "weight", { amount: 1, n: 2, dim: 1 });
    expect(absent(m)).toEqual([[true, true, false], [true, false, false]]);
    expect(prune.is_pruned(m)).toBe(true);
    m(torch.ones(1, 3)).sum().backward();
    expect(m.get_parameter("weight_orig").grad!.tolist()).toEqual([[0, 0, 1], [0, 1, 1]]);
    prune.remove(m, "weight");
    expect([names(m.named_parameters()), prune.is_pruned(m)]).toEqual([["weight"], false]);
    expect(absent(m)).toEqual([[true, true, false], [true, false, false]]);
  });

  it("counts over all tensors together", () => {
    const a = linear([[1, 2]]), b = linear([[3, 0.5]]);
    prune.global_unstructured([[a, "weight"], [b, "weight"]], prune.L1Unstructured, { amount: 0.5 });
    expect([absent(a), absent(b)]).toEqual([[[true, false]], [[false, true]]]);
  });

  it("refuses what cannot be", () => {
    expect(() => prune.random_unstructured(linear(weights), "weight", 7)).toThrow(
      "amount=7 should be smaller than the number of parameters to prune=6",
    );
    expect(() => prune.remove(linear(weights), "weight")).toThrow("Parameter 'weight' of module");
  });
});

describe("sequences of different lengths", () => {
  const sequences = [torch.tensor([1, 2, 3]), torch.tensor([4]), torch.tensor([5, 6])];
  it("are padded", () => {
    expect(utils.rnn.pad_sequence(sequences, { batch_first: true, padding_value: -1 }).tolist())
      .toEqual([[1, 2, 3], [4, -1, -1], [5, 6, -1]]);
    expect([...utils.rnn.pad_sequence(sequences).shape]).toEqual([3, 3]);
  });
  it("are packed step by step and padded again", () => {
    const packed = utils.rnn.pack_sequence(sequences, { enforce_sorted: false });
    expect([packed.data.tolist(), packed.batch_sizes.tolist(), packed.sorted_indices!.tolist()])
      .toEqual([[1, 5, 4, 2, 6, 3], [3, 2, 1], [0, 2, 1]]);
    const [padded, lengths] = utils.rnn.pad_packed_sequence(packed, { batch_first: true });
    expect([padded.tolist(), lengths.tolist()]).toEqual([[[1, 2, 3], [4, 0, 0], [5, 6, 0]], [3, 1, 2]]);
    expect(() => utils.rnn.pack_sequence(sequences)).toThrow(
      "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True",
    );
  });
});
