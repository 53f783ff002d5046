/**
 * Batch normalization, and what instance normalization shares with it.
 *
 * @module
 */
import { int64 } from "../../base/dtype.ts";
import type { DType } from "../../base/dtype.ts";
import { ValueError } from "../../base/errors.ts";
import { no_grad } from "../../autograd/grad_mode.ts";
import * as aten from "../../ops/mod.ts";
import type { Tensor } from "../../tensor.ts";
import { pyrepr } from "../../utils/pyrepr.ts";
import { type Bound, required, signature } from "../../utils/signature.ts";
import { batch_norm } from "../functional/normalization.ts";
import * as init from "../init.ts";
import { Parameter } from "../parameter.ts";
import { type DeviceLike, type FactoryOptions, Module } from "./module.ts";
import type { LocalMetadata } from "./state_dict.ts";

/** Arguments of batch and instance normalization. */
export interface NormOptions extends FactoryOptions {
  num_features: number;
  eps?: number;
  /** null: the plain average over all batches. */
  momentum?: number | null;
  affine?: boolean;
  track_running_stats?: boolean;
}
const BATCH_NORM = signature<NormOptions>("BatchNorm", {
  num_features: required,
  eps: 1e-5,
  momentum: 0.1,
  affine: true,
  track_running_stats: true,
  device: null,
  dtype: null,
});

/** Weight, bias and running statistics per channel. */
export abstract class NormBase extends Module {
  num_features: number;
  eps: number;
  momentum: number | null;
  affine: boolean;
  track_running_stats: boolean;
  weight!: Parameter | null;
  bias!: Parameter | null;
  running_mean!: Tensor | null;
  running_var!: Tensor | null;
  num_batches_tracked!: Tensor | null;

  constructor(a: Bound<NormOptions>) {
    super();
    this.num_features = a.num_features;
    this.eps = a.eps;
    this.momentum = a.momentum;
    this.affine = a.affine;
    this.track_running_stats = a.track_running_stats;
    const size = [a.num_features], factory = { device: a.device, dtype: a.dtype };
    this.register_parameter("weight", a.affine ? new Parameter(aten.empty(size, factory)) : null);
    this.register_parameter("bias", a.affine ? new Parameter(aten.empty(size, factory)) : null);
    const track = a.track_running_stats;
    this.register_buffer("running_mean", track ? aten.zeros(size, factory) : null);
    this.register_buffer("running_var", track ? aten.ones(size, factory) : null);
    this.register_buffer(
      "num_batches_tracked",
      track ? aten.zeros([], { device: a.device, dtype: int64 }) : null,
    );
    this.reset_parameters();
  }

  // 2: num_batches_tracked is saved
  override get _version(): number {
    return 2;
  }

  /** Running mean 0, variance 1, no batches. */
  reset_running_stats(): void {
    no_grad(() => {
      this.running_mean?.zero_();
      this.running_var?.fill_(1);
      this.num_batches_tracked?.zero_();
    });
  }

  /** Weight 1, bias 0, fresh statistics. */
  reset_parameters(): void {
    this.reset_running_stats();
    if (this.weight !== null) init.ones_(this.weight);
    if (this.bias !== null) init.zeros_(this.bias);
  }

  override extra_repr(): string {
    return `${this.num_features}, eps=${pyrepr(this.eps)}, momentum=${pyrepr(this.momentum)}, ` +
      `affine=${pyrepr(this.affine)}, track_running_stats=${pyrepr(this.track_running_stats)}`;
  }

  override _load_from_state_dict(
    state_dict: Map<string, unknown>,
    prefix: string,
    metadata: LocalMetadata,
    strict: boolean,
    missing: string[],
    unexpected: string[],
    errors: string[],
  ): void {
    const key = `${prefix}num_batches_tracked`;
    if ((metadata.version ?? 1) < 2 && this.track_running_stats && !state_dict.has(key)) {
      state_dict.set(key, aten.zeros([], { dtype: int64 }));
    }
    super._load_from_state_dict(state_dict, prefix, metadata, strict, missing, unexpected, errors);
  }
}

/** Throws PyTorch's error if an input's rank is none of `ranks`. */
export function checkRank(input: Tensor, ...ranks: number[]): void {
  const n = input.dim();
  if (ranks.includes(n)) return;
  throw new ValueError(`expected ${ranks.map((r) => `${r}D`).join(" or ")} input (got ${n}D input)`);
}

/** What the batch normalizations share. */
export abstract class BatchNorm extends NormBase {
  constructor(options: NormOptions);
  constructor(
    num_features: number,
    eps?: number | Partial<NormOptions>,
    momentum?: number | null | Partial<NormOptions>,
    affine?: boolean | Partial<NormOptions>,
    track_running_stats?: boolean | Partial<NormOptions>,
    device?: DeviceLike | null | Partial<NormOptions>,
    dtype?: DType | null,
  );
  constructor(...args: unknown[]) {
    super(BATCH_NORM(args));
  }

  /** Throws if the input has the wrong rank. */
  abstract _check_input_dim(input: Tensor): void;

  override forward(input: Tensor): Tensor {
    this._check_input_dim(input);
    const { training, track_running_stats } = this;
    let factor = this.momentum ?? 0;
    if (training && track_running_stats && this.num_batches_tracked !== null) {
      this.num_batches_tracked.add_(1);
      if (this.momentum === null) factor = 1 / Number(this.num_batches_tracked.item());
    }
    // The running statistics are passed where they are used (evaluation) or updated (training with tracking).
    const running = !training || track_running_stats;
    return batch_norm(
      input,
      running ? this.running_mean : null,
      running ? this.running_var : null,
      this.weight,
      this.bias,
      training || (this.running_mean === null && this.running_var === null),
      factor,
      this.eps,
    );
  }
}

/**
 * Batch normalization of (N, C) or (N, C, L).
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.BatchNorm1d.html
 */
export class BatchNorm1d extends BatchNorm {
  override _check_input_dim(input: Tensor): void {
    checkRank(input, 2, 3);
  }
}
/**
 * Batch normalization of (N, C, H, W).
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.BatchNorm2d.html
 */
export class BatchNorm2d extends BatchNorm {
  override _check_input_dim(input: Tensor): void {
    checkRank(input, 4);
  }
}
/**
 * Batch normalization of (N, C, D, H, W).
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.BatchNorm3d.html
 */
export class BatchNorm3d extends BatchNorm {
  override _check_input_dim(input: Tensor): void {
    checkRank(input, 5);
  }
}

/**
 * Batch normalization of (N, C, ...) over the processes of a group. There is one process here, so it is batch
 * normalization for any number of dimensions; models and checkpoints that use it work.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.SyncBatchNorm.html
 */
export class SyncBatchNorm extends BatchNorm {
  override _check_input_dim(input: Tensor): void {
    if (input.dim() < 2) throw new ValueError(`expected at least 2D input (got ${input.dim()}D input)`);
  }

  /** Replaces every batch normalization inside `module` (or itself) by a SyncBatchNorm with its parameters. */
  static convert_sync_batchnorm(module: Module, _process_group: unknown = null): Module {
    let converted = module;
    if (module instanceof BatchNorm && !(module instanceof SyncBatchNorm)) {
      const { num_features, eps, momentum, affine, track_running_stats } = module;
      const sync = new SyncBatchNorm({ num_features, eps, momentum, affine, track_running_stats });
      if (affine) {
        sync.weight = module.weight;
        sync.bias = module.bias;
      }
      sync.running_mean = module.running_mean;
      sync.running_var = module.running_var;
      sync.num_batches_tracked = module.num_batches_tracked;
      sync.training = module.training;
      converted = sync;
    }
    for (const [name, child] of module.named_children()) {
      converted.add_module(name, SyncBatchNorm.convert_sync_batchnorm(child));
    }
    return converted;
  }
}
