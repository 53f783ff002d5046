/**
 * Instance normalization.
 *
 * @module
 */
import type { DType } from "../../base/dtype.ts";
import type { Tensor } from "../../tensor.ts";
import { required, signature } from "../../utils/signature.ts";
import { instance_norm } from "../functional/normalization.ts";
import { checkRank, NormBase, type NormOptions } from "./batchnorm.ts";
import type { DeviceLike } from "./module.ts";
import type { LocalMetadata } from "./state_dict.ts";

const INSTANCE_NORM = signature<NormOptions>("InstanceNorm", {
  num_features: required,
  eps: 1e-5,
  momentum: 0.1,
  affine: false,
  track_running_stats: false,
  device: null,
  dtype: null,
});

abstract class InstanceNorm extends NormBase {
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
    super(INSTANCE_NORM(args));
  }

  /** The rank of an input without a batch dimension. */
  abstract _get_no_batch_dim(): number;

  override forward(input: Tensor): Tensor {
    const unbatched = this._get_no_batch_dim();
    checkRank(input, unbatched, unbatched + 1);
    if (input.dim() === unbatched) return this._normalize(input.unsqueeze(0)).squeeze(0);
    return this._normalize(input);
  }

  /** Normalizes an input with a batch dimension. */
  _normalize(input: Tensor): Tensor {
    const { running_mean, running_var, weight, bias, training, track_running_stats, momentum, eps } = this;
    const own = training || !track_running_stats;
    return instance_norm(input, running_mean, running_var, weight, bias, own, momentum ?? 0, eps);
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
    if (metadata.version === undefined && !this.track_running_stats) {
      const stale = ["running_mean", "running_var"].map((n) => prefix + n).filter((k) => state_dict.has(k));
      if (stale.length > 0) {
        const name = this._get_name();
        errors.push(
          `Unexpected running stats buffer(s) ${stale.map((k) => `"${k}"`).join(" and ")} for ${name} with ` +
            "track_running_stats=False. If state_dict is a checkpoint saved before 0.4.0, this may be expected because " +
            `${name} does not track running stats by default since 0.4.0. Please remove these keys from state_dict. If ` +
            `the running stats are actually needed, instead set track_running_stats=True in ${name} to enable them. ` +
            `See the documentation of ${name} for details.`,
        );
        for (const k of stale) state_dict.delete(k);
      }
    }
    super._load_from_state_dict(state_dict, prefix, metadata, strict, missing, unexpected, errors);
  }
}

/**
 * Instance normalization of (N, C, L) or (C, L).
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.InstanceNorm1d.html
 */
export class InstanceNorm1d extends InstanceNorm {
  override _get_no_batch_dim(): number {
    return 2;
  }
}
/**
 * Instance normalization of (N, C, H, W) or (C, H, W).
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.InstanceNorm2d.html
 */
export class InstanceNorm2d extends InstanceNorm {
  override _get_no_batch_dim(): number {
    return 3;
  }
}
/**
 * Instance normalization of (N, C, D, H, W) or (C, D, H, W).
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.InstanceNorm3d.html
 */
export class InstanceNorm3d extends InstanceNorm {
  override _get_no_batch_dim(): number {
    return 4;
  }
}
