import { describe, expect, it } from "vitest";
import * as torch from "../../../src/mod.ts";
import type { Tensor } from "../../../src/tensor.ts";

const { DataLoader, Dataset, IterableDataset, TensorDataset, Subset, ConcatDataset, ChainDataset } =
  torch.utils.data;
const data = torch.utils.data;
const ten = Array.from({ length: 10 }, (_, i) => i);
const lists = (loader: Iterable<Tensor>) => Array.from(loader, (b) => b.tolist());
class Squares extends Dataset<number> {
  reads: number[] = [];
  override __getitem__(i: number): number {
    this.reads.push(i);
    return i * i;
  }
  override __len__(): number {
    return 5;
  }
}
class Later extends Dataset<number> {
  loading = 0;
  most = 0;
  override async __getitem__(i: number): Promise<number> {
    this.most = Math.max(this.most, ++this.loading);
    await new Promise((resolve) => setTimeout(resolve, 8 - i));
    this.loading--;
    if (i === 7) throw new Error("sample 7 is broken");
    return i;
  }
  override __len__(): number {
    return 7;
  }
}
async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const x of source) all.push(x);
  return all;
}

// The numbers are PyTorch 1.13's.
describe("draws are PyTorch's", () => {
  it("shuffles from the global generator, which goes on where PyTorch's does", () => {
    torch.manual_seed(3);
    const loader = new DataLoader(ten, { batch_size: 4, shuffle: true });
    expect(lists(loader)).toEqual([[6, 2, 0, 1], [8, 3, 5, 4], [7, 9]]);
    expect(lists(loader)).toEqual([[3, 4, 0, 9], [6, 7, 1, 2], [5, 8]]);
    expect(torch.rand(1).item()).toBe(0.5944212079048157);
  });

  it("shuffles from a generator of its own", () => {
    const generator = new torch.Generator();
    generator.manual_seed(7);
    const loader = new DataLoader(ten, { batch_size: 3, shuffle: true, drop_last: true, generator });
    expect(lists(loader)).toEqual([[1, 3, 5], [7, 9, 4], [6, 2, 8]]);
    expect(loader.length).toBe(3);
  });

  it("shuffles alike with `for await`", async () => {
    torch.manual_seed(3);
    const loader = new DataLoader(ten, { batch_size: 4, shuffle: true });
    expect((await collect(loader)).map((b) => b.tolist())).toEqual([[6, 2, 0, 1], [8, 3, 5, 4], [7, 9]]);
  });

  it("splits and samples", () => {
    torch.manual_seed(3);
    expect(data.random_split(ten, [7, 3]).map((s) => Array.from(s.indices))).toEqual([[6, 0, 3, 7, 8, 5, 1], [
      9,
      2,
      4,
    ]]);
    const one = new torch.Generator();
    one.manual_seed(1);
    expect(data.random_split(ten, [0.5, 0.5], { generator: one }).map((s) => Array.from(s.indices)))
      .toEqual([[5, 6, 1, 2, 0], [8, 9, 3, 7, 4]]);
    torch.manual_seed(3);
    expect([...new data.WeightedRandomSampler([0.1, 0.9, 0.4, 2], 6)]).toEqual([1, 1, 3, 1, 3, 3]);
    expect([...new data.WeightedRandomSampler([0.1, 0.9, 0.4, 2], 3, { replacement: false })]).toEqual([
      1,
      3,
      2,
    ]);
    expect([...new data.SubsetRandomSampler([5, 6, 7, 8])]).toEqual([5, 8, 6, 7]);
    expect([...new data.RandomSampler(ten, { replacement: true, num_samples: 5 })]).toEqual([7, 6, 4, 1, 0]);
  });
});

it("a distributed sampler gives every process its share of the same shuffle", () => {
  const shares = [0, 1, 2].map((rank) => new data.DistributedSampler(ten, 3, rank));
  for (const share of shares) share.set_epoch(2);
  expect(shares.map((s) => [...s])).toEqual([[8, 5, 0, 3], [7, 6, 4, 8], [1, 9, 2, 7]]);
  expect([...new data.DistributedSampler(ten, 3, 2, { shuffle: false, drop_last: true })]).toEqual([2, 5, 8]);
  expect(() => new data.DistributedSampler(ten, 3, 3)).toThrow(
    "Invalid rank 3, rank should be in the interval [0, 2]",
  );
});

describe("batches", () => {
  it("reads each sample once, in order, and lazily", () => {
    const dataset = new Squares();
    const batches = new DataLoader(dataset, { batch_size: 2 })[Symbol.iterator]();
    expect(batches.next().value.tolist()).toEqual([0, 1]);
    expect(dataset.reads).toEqual([0, 1]);
    batches.next();
    expect((batches.next().value as Tensor).tolist()).toEqual([16]);
    expect(batches.next().done).toBe(true);
    expect(dataset.reads).toEqual([0, 1, 2, 3, 4]);
  });

  it("collates numbers, tensors, strings, typed arrays, and what holds them", () => {
    const sample = (i: number) => ({
      whole: i,
      real: i + 0.5,
      marked: torch.pyfloat(i),
      big: BigInt(i),
      flag: i === 1,
      name: `n${i}`,
      row: torch.tensor([i, -i]),
      bytes: Uint8Array.of(i, i),
      pair: [i, [`${i}`]] as [number, string[]],
      map: new Map([["k", i]]),
    });
    const [b] = new DataLoader([sample(1), sample(2)], { batch_size: 2 });
    const { whole, real, marked, big, flag, row, bytes } = b! as unknown as Record<string, Tensor>;
    expect([whole, real, marked, big, flag, row, bytes].map((t) => String(t!.dtype).slice(6))).toEqual(
      ["int64", "float64", "float64", "int64", "bool", "float32", "uint8"],
    );
    expect([
      b!.name,
      b!.pair[0].tolist(),
      b!.pair[1],
      b!.map.get("k")!.tolist(),
      bytes!.tolist(),
      row!.shape[0],
    ])
      .toEqual([["n1", "n2"], [1, 2], [["1", "2"]], [1, 2], [[1, 1], [2, 2]], 2]);
    expect(() => [...new DataLoader([[1, 2], [1]], { batch_size: 2 })])
      .toThrow("each element in list of batch should be of equal size");
    expect(() => [...new DataLoader([null])]).toThrow(
      "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found <class 'NoneType'>",
    );
  });

  it("gives the dataset's own samples with batch_size null, and calls collate_fn", () => {
    expect([...new DataLoader(["a", "b"], { batch_size: null })]).toEqual(["a", "b"]);
    expect([...new DataLoader(["a", "b", "c"], { batch_size: 2, collate_fn: (s: string[]) => s.join("+") })])
      .toEqual(["a+b", "c"]);
  });

  it("selects rows of tensors at once where that is the same as stacking them", () => {
    const x = torch.arange(12).reshape(6, 2), y = torch.arange(6);
    const dataset = new TensorDataset(x, y);
    const one = new Subset(dataset, [5, 0, 3]);
    const fast = [...new DataLoader(one, { batch_size: 2 })];
    const slow = [
      ...new DataLoader(one, { batch_size: 2, collate_fn: (s) => data.default_collate(s) as Tensor[] }),
    ];
    expect(fast.map((b) => b.map((t) => t.tolist()))).toEqual(slow.map((b) => b.map((t) => t.tolist())));
    expect(fast[0]!.map((t) => [...t.shape])).toEqual([[2, 2], [2]]);
  });

  it("joins datasets", () => {
    const both = new ConcatDataset([[1, 2], new Squares()]);
    expect([both.length, both.__getitem__(1), both.__getitem__(4), both.__getitem__(-1)]).toEqual([
      7,
      2,
      4,
      16,
    ]);
    expect(() => both.__getitem__(-8)).toThrow("absolute value of index should not exceed dataset length");
    class Count extends IterableDataset<number> {
      override *[Symbol.iterator](): Iterator<number> {
        yield* [1, 2, 3];
      }
    }
    const chain = new ChainDataset([new Count(), new Count()]);
    expect(lists(new DataLoader(chain, { batch_size: 4 }))).toEqual([[1, 2, 3, 1], [2, 3]]);
    expect(lists(new DataLoader(chain, { batch_size: 4, drop_last: true }))).toEqual([[1, 2, 3, 1]]);
  });
});

describe("for await", () => {
  it("waits for samples that are promises and keeps their order", async () => {
    const dataset = new Later();
    expect((await collect(new DataLoader(dataset))).map((b) => b.item())).toEqual(ten.slice(0, 7));
    expect(dataset.most).toBe(1);
  });

  it("reports a failure when its batch's turn comes", async () => {
    const loader = new DataLoader(new Later(), { sampler: [1, 7, 2] });
    const seen: number[] = [];
    await expect((async () => {
      for await (const b of loader) seen.push(b.item() as number);
    })()).rejects.toThrow("sample 7 is broken");
    expect(seen).toEqual([1]);
  });

  it("says so when a plain loop meets a promise", () => {
    expect(() => [...new DataLoader(new Later())]).toThrow("iterate over the loader with `for await`");
  });

  it("gives up after the timeout", async () => {
    const never = { length: 1, __getitem__: () => new Promise<number>(() => {}) };
    await expect(collect(new DataLoader(never, { timeout: 0.01 }))).rejects.toThrow(
      "DataLoader timed out after 0.01 seconds",
    );
  });

  it("reads asynchronous streams", async () => {
    async function* stream(): AsyncGenerator<number> {
      yield* [1, 2, 3];
    }
    expect((await collect(new DataLoader(stream(), { batch_size: 2 }))).map((b) => b.tolist())).toEqual([[
      1,
      2,
    ], [3]]);
    expect(() => [...new DataLoader(stream())]).toThrow("this dataset is asynchronous");
  });
});

describe("options that do not go together", () => {
  it.each<[string, () => unknown, string]>([
    [
      "sampler and shuffle",
      () => new DataLoader(ten, { sampler: ten, shuffle: true }),
      "sampler option is mutually exclusive with shuffle",
    ],
    [
      "batch_sampler and batch_size",
      () => new DataLoader(ten, { batch_sampler: [[1]], batch_size: 2 }),
      "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last",
    ],
    [
      "drop_last without batches",
      () => new DataLoader(ten, { batch_size: null, drop_last: true }),
      "batch_size=None option disables auto-batching and is mutually exclusive with drop_last",
    ],
    [
      "a bad batch_size",
      () => new DataLoader(ten, { batch_size: 0 }),
      "batch_size should be a positive integer value, but got batch_size=0",
    ],
    [
      "nothing to shuffle",
      () => new DataLoader([], { shuffle: true }),
      "num_samples should be a positive integer value, but got num_samples=0",
    ],
    [
      "lengths that do not sum up",
      () => data.random_split(ten, [3, 3]),
      "Sum of input lengths does not equal the length of the input dataset!",
    ],
    [
      "tensors of different sizes",
      () => new TensorDataset(torch.zeros(2), torch.zeros(3)),
      "Size mismatch between tensors",
    ],
  ])("%s", (_, make, message) => expect(make).toThrow(message));
});
