/**
 * `torch.utils.data.DistributedSampler`.
 *
 * @module
 */
import { ValueError } from "../../base/errors.ts";
import { Generator } from "../../base/generator.ts";
import { get_rank, get_world_size } from "../../distributed/group.ts";
import { required, signature } from "../signature.ts";
import { lengthOf, permutation } from "./dataset.ts";
import { Sampler } from "./sampler.ts";

/** Options of `DistributedSampler`. */
export interface DistributedOptions {
  /** How many processes share the dataset. */
  num_replicas?: number | null;
  /** Which of them this is. */
  rank?: number | null;
  shuffle?: boolean;
  seed?: number;
  drop_last?: boolean;
}
const DISTRIBUTED = signature<{ dataset: unknown } & DistributedOptions>("DistributedSampler", {
  dataset: required as never,
  num_replicas: null,
  rank: null,
  shuffle: true,
  seed: 0,
  drop_last: false,
});

/**
 * The part of a dataset that is one process's share; all shares are of one size. `num_replicas`
 * and `rank` are those of the process group if they are not given.
 *
 * @see https://pytorch.org/docs/stable/data.html#torch.utils.data.distributed.DistributedSampler
 */
export class DistributedSampler extends Sampler {
  dataset: unknown;
  num_replicas: number;
  rank: number;
  epoch = 0;
  drop_last: boolean;
  num_samples: number;
  total_size: number;
  shuffle: boolean;
  seed: number;

  constructor(
    dataset: unknown,
    num_replicas?: number | null | DistributedOptions,
    rank?: number | null | DistributedOptions,
    shuffle?: boolean | DistributedOptions,
    seed?: number | DistributedOptions,
    drop_last?: boolean | DistributedOptions,
  );
  constructor(dataset: unknown, ...args: unknown[]) {
    super();
    const given = DISTRIBUTED([[dataset], ...args]), { shuffle, seed, drop_last } = given;
    const num_replicas = given.num_replicas ?? get_world_size(), rank = given.rank ?? get_rank();
    if (rank >= num_replicas || rank < 0) {
      throw new ValueError(`Invalid rank ${rank}, rank should be in the interval [0, ${num_replicas - 1}]`);
    }
    const length = lengthOf(dataset);
    this.dataset = dataset;
    this.num_replicas = num_replicas;
    this.rank = rank;
    this.drop_last = drop_last;
    this.num_samples = drop_last && length % num_replicas !== 0
      ? Math.ceil((length - num_replicas) / num_replicas)
      : Math.ceil(length / num_replicas);
    this.total_size = this.num_samples * num_replicas;
    this.shuffle = shuffle;
    this.seed = seed;
  }

  override *[Symbol.iterator](): globalThis.Generator<number> {
    const length = lengthOf(this.dataset);
    const order = this.shuffle
      ? permutation(length, new Generator().manual_seed(this.seed + this.epoch))
      : null;
    // Past the end it begins anew, so that all shares are of one size.
    for (let i = this.rank; i < this.total_size; i += this.num_replicas) {
      yield order === null ? i % length : order[i % length]!;
    }
  }

  override get length(): number {
    return this.num_samples;
  }

  /** Sets the epoch, so that it gets a shuffle of its own. */
  set_epoch(epoch: number): void {
    this.epoch = epoch;
  }
}
