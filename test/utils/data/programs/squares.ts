/** Datasets for worker threads. */
import * as torch from "tstorch";

const { Dataset, IterableDataset, get_worker_info, importable } = torch.utils.data;

/** `offset + i * i`, and what the worker's generator drew. */
export class Squares extends Dataset<[torch.Tensor, number, number]> {
  readonly n: number;
  readonly offset: torch.Tensor;
  constructor(n: number, offset = 0) {
    super();
    this.n = n;
    this.offset = torch.tensor(offset);
  }
  override __getitem__(index: number): [torch.Tensor, number, number] {
    return [this.offset.add(index * index), get_worker_info()?.id ?? -1, torch.randint(0, 1000, [1]).item()];
  }
  override __len__(): number {
    return this.n;
  }
}

/** Every worker's share of 0 .. n - 1. */
export class Count extends IterableDataset<number> {
  readonly n: number;
  constructor(n: number) {
    super();
    this.n = n;
  }
  override *[Symbol.iterator](): globalThis.Generator<number> {
    const info = get_worker_info();
    for (let i = info?.id ?? 0; i < this.n; i += info?.num_workers ?? 1) yield i;
  }
}

/** What goes wrong, and how, depends on the index. */
export class Trouble extends Dataset<number> {
  readonly kind: string;
  constructor(kind: string) {
    super();
    this.kind = kind;
  }
  override __getitem__(index: number): number | Promise<number> {
    if (index < 4) return index;
    switch (this.kind) {
      case "ValueError":
        throw new torch.ValueError(`sample ${index} is bad`);
      case "own":
        throw Object.assign(new Error("mine"), { name: "MyError" });
      case "exit":
        if ("Deno" in globalThis) {
          (globalThis as unknown as { Deno: { exit(code: number): never } }).Deno.exit(3);
        }
        return process.exit(3);
      case "late":
        setTimeout(() => {
          throw new Error("nobody catches this");
        }, 1);
        return new Promise(() => {});
      case "slow":
        return new Promise(() => {});
      case "spin":
        for (;;);
      case "close":
        (globalThis as unknown as { close(): void }).close();
        return new Promise(() => {});
      default:
        throw new Error("unknown kind");
    }
  }
  override __len__(): number {
    return 8;
  }
}

export function hello(id: number): void {
  torch.manual_seed(1000 + id);
}
export function unhappy(id: number): void {
  throw new torch.RuntimeError(`worker ${id} cannot start`);
}
export function sums(batch: [torch.Tensor, number, number][]): { sum: torch.Tensor; workers: Set<number> } {
  return { sum: torch.stack(batch.map(([x]) => x)).sum(), workers: new Set(batch.map(([, id]) => id)) };
}

importable(import.meta.url, { Squares, Count, Trouble, hello, unhappy, sums });
