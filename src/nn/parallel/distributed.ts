/**
 * `torch.nn.parallel.DistributedDataParallel`.
 *
 * @module
 */
import type { Pending } from "../../../ffi/mpi.ts";
import { queueCallback } from "../../autograd/engine.ts";
import { mode, no_grad } from "../../autograd/grad_mode.ts";
import { accumulatorOf, currentNode, type Node } from "../../autograd/graph.ts";
import { float32, int32, int64 } from "../../base/dtype.ts";
import { RuntimeError } from "../../base/errors.ts";
import { external, internal } from "../../base/scope.ts";
import { all_gather, all_reduce, broadcast, bytesOf, setBytes } from "../../distributed/collectives.ts";
import { groupOf, type ProcessGroup } from "../../distributed/group.ts";
import { cat, tensor, zeros_like } from "../../ops/mod.ts";
import { Tensor } from "../../tensor.ts";
import { Module } from "../modules/module.ts";

/** Options of {@linkcode DistributedDataParallel}. */
export interface DistributedDataParallelOptions {
  /** The one device of this process, or null; where the module is counts. */
  device_ids?: readonly unknown[] | null;
  output_device?: unknown;
  dim?: number;
  /** Whether every forward pass begins with the buffers of the first process. */
  broadcast_buffers?: boolean;
  process_group?: ProcessGroup | null;
  bucket_cap_mb?: number;
  /** For modules that do not use every parameter in every pass. */
  find_unused_parameters?: boolean;
  gradient_as_bucket_view?: boolean;
  static_graph?: boolean;
}

/** Parameters whose gradients travel together. */
interface Bucket {
  readonly params: Tensor[];
  waiting: number;
  bytes: Uint8Array | null;
  pending: Pending | null;
}

/** PyTorch's: a small first bucket starts the traffic early. */
const FIRST_BUCKET = 1024 * 1024;

/**
 * Trains copies of a module in several processes: parameters start as the first process's, and during the backward pass
 * the gradients are averaged over the processes, bucket by bucket, while the pass goes on.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.parallel.DistributedDataParallel.html
 */
export class DistributedDataParallel<M extends Module = Module> extends Module {
  module: M;
  #state: Reducer;

  constructor(module: M, options: DistributedDataParallelOptions = {}) {
    super();
    this.module = module;
    this.#state = new Reducer(module, options);
  }

  override forward(...input: Parameters<M["forward"]>): ReturnType<M["forward"]> {
    if (mode.grad) this.#state.begin(this.training);
    const output = this.module.call(...input) as ReturnType<M["forward"]>;
    if (mode.grad) this.#state.prepare(output);
    return output;
  }

  /** Gradients of backward passes in `body` stay this process's own, and go with those of the next pass outside. */
  no_sync<T>(body: () => T): T {
    const before = this.#state.sync;
    this.#state.sync = false;
    try {
      return body();
    } finally {
      this.#state.sync = before;
    }
  }
}

class Reducer {
  sync = true;
  readonly #group: ProcessGroup;
  readonly #buckets: Bucket[] = [];
  readonly #bucketOf = new Map<Tensor, Bucket>();
  readonly #buffers: Tensor[];
  readonly #findUnused: boolean;
  readonly #broadcastBuffers: boolean;
  /** Buckets go in this order in every process. */
  #next = 0;
  #expecting = false;
  #used = new Set<Tensor>();
  #queued = false;

  constructor(module: Module, options: DistributedDataParallelOptions) {
    this.#group = groupOf(options.process_group);
    this.#findUnused = options.find_unused_parameters ?? false;
    this.#broadcastBuffers = options.broadcast_buffers ?? true;
    const all = [...module.parameters()], params = all.filter((p) => p.requires_grad);
    if (params.length === 0) {
      throw new RuntimeError(
        "DistributedDataParallel is not needed when a module doesn't have any parameters that require a gradient.",
      );
    }
    this.#buffers = [...module.buffers()];
    this.#check(params);
    no_grad(() => {
      for (const t of [...all, ...this.#buffers]) this.#spread(t);
    });
    const most = (options.bucket_cap_mb ?? 25) * 1024 * 1024;
    let bytes = 0;
    for (const p of [...params].reverse()) {
      let bucket = this.#buckets.at(-1);
      const limit = this.#buckets.length === 1 ? Math.min(FIRST_BUCKET, most) : most,
        like = bucket?.params[0];
      if (
        bucket === undefined || bytes >= limit || like!.dtype !== p.dtype ||
        String(like!.device) !== String(p.device)
      ) {
        this.#buckets.push(bucket = { params: [], waiting: 0, bytes: null, pending: null });
        bytes = 0;
      }
      bucket.params.push(p);
      this.#bucketOf.set(p, bucket);
      bytes += p.count * p.dtype.itemsize;
      const accumulator = accumulatorOf(p);
      (accumulator.afterHooks ??= new Map()).set(
        accumulator.afterHooks.size,
        (leaf: Tensor) => this.#ready(leaf),
      );
    }
  }

  /** The first process's numbers, into every process's tensor. */
  #spread(t: Tensor): void {
    const root = this.#group.ranks[0]!;
    if (t.packed) broadcast(t, root, { group: this.#group });
    else {
      const copy = t.contiguous();
      broadcast(copy, root, { group: this.#group });
      t.copy_(copy);
    }
  }

  #check(params: readonly Tensor[]): void {
    const shapes = [params.length, ...params.flatMap((p) => [p.sizes.length, ...p.sizes])];
    const digest = shapes.reduce((h, n) => (h * 31 + n + 7) % 2147483647, 17);
    const mine = tensor([params.length, digest], { dtype: int64 });
    const everyone = this.#group.ranks.map(() => zeros_like(mine));
    all_gather(everyone, mine, { group: this.#group });
    const [first] = everyone.map((t) => t.tolist() as number[]);
    everyone.forEach((t, rank) => {
      const [count, found] = t.tolist() as number[];
      if (count !== first![0]) {
        throw new RuntimeError(
          `DDP expects same model across all ranks, but Rank ${rank} has ${count} params, while rank 0 has inconsistent ${
            first![0]
          } params.`,
        );
      }
      if (found !== first![1]) {
        throw new RuntimeError(
          `DDP expects same model across all ranks, but the shapes of Rank ${rank} are not those of rank 0.`,
        );
      }
    });
  }

  /** Before a forward pass. */
  begin(training: boolean): void {
    if (
      this.#expecting &&
      this.#buckets.some((b) => b.pending === null && b.waiting > 0 && b.waiting < b.params.length)
    ) {
      throw new RuntimeError(
        "Expected to have finished reduction in the prior iteration before starting a new one. This error indicates that " +
          "your module has parameters that were not used in producing loss. You can enable unused parameter detection by " +
          "passing the keyword argument `find_unused_parameters=True` to `torch.nn.parallel.DistributedDataParallel`, and by\n" +
          "making sure all `forward` function outputs participate in calculating loss.",
      );
    }
    if (!this.sync) return;
    if (training && this.#broadcastBuffers) no_grad(() => this.#buffers.forEach((t) => this.#spread(t)));
  }

  /** After it: the coming backward pass is to fill the buckets. */
  prepare(output: unknown): void {
    this.#expecting = this.sync;
    if (!this.sync) return;
    this.#next = 0;
    this.#queued = false;
    this.#used = new Set();
    for (const bucket of this.#buckets) {
      bucket.waiting = bucket.params.length;
      bucket.bytes = bucket.pending = null;
    }
    if (!this.#findUnused) return;
    const reached = reachedLeaves(output);
    for (const [p, bucket] of this.#bucketOf) if (!reached.has(p)) bucket.waiting--;
  }

  #ready(p: Tensor): void {
    if (!this.#expecting) return;
    if (!this.#queued) {
      this.#queued = true;
      queueCallback(() => this.#finish());
    }
    this.#used.add(p);
    this.#bucketOf.get(p)!.waiting--;
    this.#launch();
  }

  #launch(): void {
    for (; this.#next < this.#buckets.length && this.#buckets[this.#next]!.waiting <= 0; this.#next++) {
      const bucket = this.#buckets[this.#next]!, size = this.#group.size();
      bucket.bytes = no_grad(() =>
        internal(() => {
          const flat = bucket.params.map((p) => (p.grad ?? zeros_like(p)).reshape([-1]));
          const all = cat(flat);
          return bytesOf((all.dtype.itemsize === 2 ? all.float() : all).div_(size));
        })
      );
      const kind = bucket.params[0]!.dtype.itemsize === 8 ? "float64" : "float32";
      bucket.pending = this.#group.mpi.startAllReduce(bucket.bytes, kind, "sum", this.#group.communicator);
    }
  }

  /** At the end of the backward pass: the averages become the gradients. */
  #finish(): void {
    this.#expecting = false;
    if (this.#next < this.#buckets.length) {
      this.#expecting = true; // the next forward pass says what is wrong
      return;
    }
    const used = this.#findUnused ? this.#usedAnywhere() : null;
    no_grad(() =>
      internal(() => {
        for (const bucket of this.#buckets) {
          bucket.pending!.wait();
          const first = bucket.params[0]!, count = bucket.params.reduce((sum, p) => sum + p.count, 0);
          const flat = first.new_empty([count], {
            dtype: first.dtype.itemsize === 2 ? float32 : first.dtype,
          });
          setBytes(flat, bucket.bytes!);
          let at = 0;
          for (const p of bucket.params) {
            const average = flat.narrow(0, at, p.count).reshape(p.sizes);
            at += p.count;
            if (p.grad !== null) p.grad.copy_(average);
            else if (used === null || used.has(p)) p.grad = external(() => average.to(p.dtype).clone());
          }
          bucket.bytes = bucket.pending = null;
        }
      })
    );
  }

  /** Parameters that some process used; the others keep what they have. */
  #usedAnywhere(): Set<Tensor> {
    const params = [...this.#bucketOf.keys()];
    const marks = tensor(params.map((p) => this.#used.has(p) ? 1 : 0), { dtype: int32 });
    all_reduce(marks, "MAX", { group: this.#group });
    const found = marks.tolist() as number[];
    return new Set(params.filter((_, i) => found[i] !== 0));
  }
}

/** The leaves that the graph behind an output leads to. */
function reachedLeaves(output: unknown): Set<Tensor> {
  const leaves = new Set<Tensor>(), seen = new Set<Node>(), waiting: Node[] = [];
  const look = (value: unknown): void => {
    if (value instanceof Tensor) {
      const node = currentNode(value);
      if (node !== null) waiting.push(node);
      else if (value.requires_grad) leaves.add(value);
    } else if (Array.isArray(value)) value.forEach(look);
    else if (value instanceof Map) { for (const v of value.values()) look(v); }
    else if (typeof value === "object" && value !== null) Object.values(value).forEach(look);
  };
  look(output);
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    if ("variable" in node) leaves.add(node.variable as Tensor);
    for (const next of node.next) if (next !== null && next !== undefined) waiting.push(next);
  }
  return leaves;
}
