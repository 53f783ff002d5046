/** Loads with worker threads and prints what came, one JSON line per case: `workers.ts CASE [sync|async]`. */
import process from "node:process";
import * as torch from "tstorch";
import { Count, hello, Squares, sums, Trouble, unhappy } from "./squares.ts";

const { DataLoader, TensorDataset, Subset } = torch.utils.data;
const [name = "", way = "sync", kind = ""] = process.argv.slice(2);
type Loader = Iterable<unknown> & AsyncIterable<unknown>;

/** Tensors as lists. */
function plain(x: unknown): unknown {
  if (x instanceof torch.Tensor) return x.tolist();
  if (Array.isArray(x)) return x.map(plain);
  if (x instanceof Set) return [...x];
  if (x instanceof Map) return plain([...x]);
  if (typeof x === "object" && x !== null && Object.getPrototypeOf(x) === Object.prototype) {
    return Object.fromEntries(Object.entries(x).map(([k, v]) => [k, plain(v)]));
  }
  return x;
}
async function collect(loader: unknown, most = Infinity): Promise<unknown[]> {
  const got: unknown[] = [];
  if (most === 0) return got;
  if (way === "sync") {
    for (const batch of loader as Loader) {
      got.push(plain(batch));
      if (got.length >= most) break;
    }
  } else {
    for await (const batch of loader as Loader) {
      got.push(plain(batch));
      if (got.length >= most) break;
    }
  }
  return got;
}

const CASES: Record<string, () => unknown> = {
  /** Two epochs, then a worker_init_fn, then workers that stay, then streams; the numbers are PyTorch's. */
  async recorded() {
    torch.manual_seed(3);
    const loader = new DataLoader(new Squares(10, 5), { batch_size: 2, num_workers: 2, shuffle: true });
    const got = [await collect(loader), await collect(loader)];
    got.push(
      await collect(
        new DataLoader(new Squares(4), { batch_size: 2, num_workers: 2, worker_init_fn: hello }),
      ),
    );
    const staying = new DataLoader(new Squares(4), {
      batch_size: 2,
      num_workers: 2,
      persistent_workers: true,
    });
    got.push(await collect(staying), await collect(staying));
    for (
      const options of [{ batch_size: 2, num_workers: 3 }, { batch_size: 2, num_workers: 3, drop_last: true }]
    ) {
      got.push(await collect(new DataLoader(new Count(11), options)));
    }
    got.push(await collect(new DataLoader(new Count(5), { batch_size: null, num_workers: 2 })));
    got.push(torch.randint(0, 1000, [1]).tolist());
    const generator = new torch.Generator();
    generator.manual_seed(9);
    got.push(
      await collect(
        new DataLoader(new Squares(4), { batch_size: 2, num_workers: 1, shuffle: true, generator }),
      ),
    );
    return got;
  },
  /** The same batches with workers as without, from what the library itself has. */
  async library() {
    const { datasets, transforms } = torch.vision;
    const transform = new transforms.Compose([
      new transforms.ToTensor(),
      new transforms.Normalize([0.5], [0.5]),
    ]);
    const slow = new transforms.Compose([new transforms.CenterCrop(20), new transforms.ToTensor()]);
    const x = torch.arange(24).view(8, 3).to(torch.float64), y = torch.arange(8).to(torch.int64);
    const same: boolean[] = [];
    for (
      const dataset of [
        new TensorDataset(x.t().contiguous().t(), y, y.gt(3), x.to(torch.float16)),
        new Subset(new TensorDataset(x, y), [5, 2, 2, 7]),
        new torch.utils.data.ConcatDataset([new TensorDataset(x), new TensorDataset(x.neg())]),
        new datasets.SyntheticDigits({ train: false, count: 12, transform }),
        new datasets.SyntheticDigits({ train: false, count: 12, transform: slow }),
        [{ a: 1, b: "one" }, { a: 2, b: "two" }, { a: 3, b: "three" }],
        [new Map([["k", 1n]]), new Map([["k", 2n]])],
      ]
    ) {
      const [alone, together] = await Promise.all([
        collect(new DataLoader(dataset as never, { batch_size: 3 })),
        collect(new DataLoader(dataset as never, { batch_size: 3, num_workers: 2, pin_memory: true })),
      ]);
      same.push(JSON.stringify(alone) === JSON.stringify(together) && alone!.length > 0);
    }
    const custom = new DataLoader(new Squares(6), { batch_size: 3, num_workers: 2, collate_fn: sums });
    return [same, await collect(custom)];
  },
  /** Batches before, and the error of, a dataset that fails in some way. */
  async trouble() {
    const got: unknown[] = [];
    const timeout = kind === "slow" || kind === "spin" ? 5 : 0;
    const loader = new DataLoader(new Trouble(kind), { batch_size: 2, num_workers: 2, timeout });
    try {
      if (way === "sync") { for (const batch of loader) got.push(plain(batch)); }
      else for await (const batch of loader) got.push(plain(batch));
    } catch (error) {
      return { got, name: (error as Error).name, message: (error as Error).message };
    }
    return { got };
  },
  async init() {
    try {
      return await collect(new DataLoader(new Squares(4), { num_workers: 1, worker_init_fn: unhappy }));
    } catch (error) {
      return [(error as Error).name, (error as Error).message];
    }
  },
  /** Leaving loops in the middle, beginning anew, and ending with an iterator that was never finished. */
  async leave() {
    torch.manual_seed(0);
    const got = [await collect(new DataLoader(new Squares(100), { batch_size: 2, num_workers: 2 }), 1)];
    const staying = new DataLoader(new Count(8), { batch_size: 2, num_workers: 2, persistent_workers: true });
    got.push(await collect(staying, 1), await collect(staying), await collect(staying));
    const open = new DataLoader(new Squares(100), { num_workers: 1 })[Symbol.iterator]();
    open.next();
    return got.map((batches) => (batches as unknown[][]).map((b) => (Array.isArray(b[0]) ? b[0] : b)));
  },
  /** Pipes: each worker has a share of one shuffle. */
  async pipes() {
    torch.manual_seed(2);
    const { IterableWrapper } = torch.utils.data.datapipes.iter;
    const numbers = Array.from({ length: 12 }, (_, i) => i);
    const pipe = (): torch.utils.data.IterDataPipe =>
      new IterableWrapper(numbers).shuffle().sharding_filter();
    const options = { batch_size: 2, num_workers: 2 };
    const got = [
      await collect(new DataLoader(pipe(), options)),
      await collect(new DataLoader(pipe(), options)),
    ];
    const staying = new DataLoader(pipe(), { ...options, persistent_workers: true });
    return [got, [await collect(staying), await collect(staying)]];
  },
  /** What cannot be sent. */
  refusals() {
    class Local extends torch.utils.data.Dataset<number> {}
    const said = (make: () => unknown): string => {
      try {
        for (const _ of make() as Iterable<unknown>);
        return "";
      } catch (error) {
        return (error as Error).message;
      }
    };
    const { Lambda } = torch.vision.transforms, { SyntheticDigits } = torch.vision.datasets;
    const digits = new SyntheticDigits({ count: 2, transform: new Lambda((x) => x) });
    return [
      said(() => new DataLoader(new Local(), { num_workers: 1, sampler: [0] })),
      said(() => new DataLoader(digits, { num_workers: 1 })),
      said(() => new DataLoader([1, 2], { num_workers: 1, collate_fn: (x) => x })),
      said(() => new DataLoader([torch.ones(2, { requires_grad: true }).mul(2)], { num_workers: 1 })),
    ];
  },
  /** Bytes that stay reserved while many large batches pass. */
  async memory() {
    const loader = new DataLoader(new TensorDataset(torch.zeros(64, 250_000)), {
      batch_size: 2,
      num_workers: 1,
      persistent_workers: true,
    });
    const rss: number[] = [];
    for (let i = 0; i < Number(kind || 12); i++) {
      await collectNothing(loader);
      rss.push(process.memoryUsage().rss);
    }
    return rss;
  },
};

async function collectNothing(loader: unknown): Promise<void> {
  if (way === "sync") { for (const _ of loader as Loader); }
  else for await (const _ of loader as Loader);
}

console.log(JSON.stringify(await CASES[name]!()));
