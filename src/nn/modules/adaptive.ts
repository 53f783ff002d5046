/**
 * Adaptive softmax.
 *
 * @module
 */
import type { DType } from "../../base/dtype.ts";
import { RuntimeError, ValueError } from "../../base/errors.ts";
import * as aten from "../../ops/mod.ts";
import type { Tensor } from "../../tensor.ts";
import { required, signature } from "../../utils/signature.ts";
import { ModuleList, Sequential } from "./container.ts";
import { Linear } from "./linear.ts";
import { type DeviceLike, type FactoryOptions, Module } from "./module.ts";

/** Arguments of `nn.AdaptiveLogSoftmaxWithLoss`. */
export interface AdaptiveLogSoftmaxOptions extends FactoryOptions {
  in_features: number;
  n_classes: number;
  cutoffs: readonly number[];
  div_value?: number;
  head_bias?: boolean;
}
const ADAPTIVE = signature<AdaptiveLogSoftmaxOptions>("AdaptiveLogSoftmaxWithLoss", {
  in_features: required,
  n_classes: required,
  cutoffs: required,
  div_value: 4,
  head_bias: false,
  device: null,
  dtype: null,
});
type O = Partial<AdaptiveLogSoftmaxOptions>;

/** Log-probabilities of the targets, and the loss. */
export type ASMoutput = [output: Tensor, loss: Tensor] & { readonly output: Tensor; readonly loss: Tensor };

/**
 * Softmax over many classes: frequent ones directly, rare ones by clusters with smaller projections.
 *
 * @see https://arxiv.org/abs/1609.04309
 * @see https://pytorch.org/docs/stable/generated/torch.nn.AdaptiveLogSoftmaxWithLoss.html
 */
export class AdaptiveLogSoftmaxWithLoss extends Module {
  in_features: number;
  n_classes: number;
  cutoffs: number[];
  div_value: number;
  head_bias: boolean;
  shortlist_size: number;
  n_clusters: number;
  head_size: number;
  head: Linear;
  tail: ModuleList;

  constructor(options: AdaptiveLogSoftmaxOptions);
  constructor(
    in_features: number,
    n_classes: number,
    cutoffs: readonly number[] | O,
    div_value?: number | O,
    head_bias?: boolean | O,
    device?: DeviceLike | null | O,
    dtype?: DType | null,
  );
  constructor(...args: unknown[]) {
    super();
    const { in_features, n_classes, cutoffs, div_value, head_bias, device, dtype } = ADAPTIVE(args);
    const sorted = cutoffs.every((c, i) => Number.isInteger(c) && (i === 0 ? c > 0 : c > cutoffs[i - 1]!));
    if (!sorted || cutoffs.length === 0 || cutoffs.at(-1)! > n_classes - 1) {
      throw new ValueError(
        "cutoffs should be a sequence of unique, positive integers sorted in an increasing order, where each value is " +
          "between 1 and n_classes-1",
      );
    }
    this.in_features = in_features;
    this.n_classes = n_classes;
    this.cutoffs = [...cutoffs, n_classes];
    this.div_value = div_value;
    this.head_bias = head_bias;
    this.shortlist_size = this.cutoffs[0]!;
    this.n_clusters = this.cutoffs.length - 1;
    this.head_size = this.shortlist_size + this.n_clusters;
    this.head = new Linear(in_features, this.head_size, { bias: head_bias, device, dtype });
    this.tail = new ModuleList();
    for (let i = 0; i < this.n_clusters; i++) {
      const hidden = Math.floor(in_features / div_value ** (i + 1));
      const classes = this.cutoffs[i + 1]! - this.cutoffs[i]!;
      this.tail.append(
        new Sequential(
          new Linear(in_features, hidden, { bias: false, device, dtype }),
          new Linear(hidden, classes, { bias: false, device, dtype }),
        ),
      );
    }
  }

  /** Draws new initial values. */
  reset_parameters(): void {
    for (const m of this.modules()) if (m instanceof Linear) m.reset_parameters();
  }

  override forward(input_: Tensor, target_: Tensor): ASMoutput {
    const rank = target_.dim();
    if (rank > 1) throw new RuntimeError("0D or 1D target tensor expected, multi-target not supported");
    if (rank === 1 && input_.size(0) !== target_.size(0)) {
      throw new RuntimeError("Input and target should have the same size in the batch dimension.");
    }
    if (input_.dim() !== rank + 1) {
      throw new RuntimeError(
        `${rank}D target tensor expects ${
          rank + 1
        }D input tensors, but found inputs with size ${input_.shape}`,
      );
    }
    const batched = rank === 1;
    const input = batched ? input_ : input_.unsqueeze(0), target = batched ? target_ : target_.unsqueeze(0);
    const rows = target.size(0);
    let output = input.new_zeros([rows]);
    let columns = target.clone(); // where each target stands in the head's output
    let used = 0;
    [0, ...this.cutoffs].forEach((low, i, all) => {
      const high = all[i + 1];
      if (high === undefined) return;
      const members = target.ge(low).logical_and(target.lt(high)).nonzero().squeeze(1);
      used += members.numel();
      if (i === 0 || members.numel() === 0) return;
      const cluster = this.tail.at(i - 1).call(input.index_select(0, members)) as Tensor;
      const within = target.index_select(0, members).sub(low).unsqueeze(1);
      const logprob = cluster.log_softmax(1).gather(1, within).squeeze(1);
      columns = columns.index_fill(0, members, this.shortlist_size + i - 1);
      output = output.index_copy(0, members, logprob);
    });
    if (used !== rows) {
      throw new RuntimeError(
        `Target values should be in [0, ${
          this.n_classes - 1
        }], but values in range [${target.min().item()}, ` +
          `${target.max().item()}] were found. `,
      );
    }
    const head = this.head.call(input).log_softmax(1);
    output = output.add(head.gather(1, columns.unsqueeze(1)).squeeze(1));
    const loss = output.neg().mean();
    const result = [batched ? output : output.squeeze(0), loss];
    return Object.assign(result, { output: result[0]!, loss }) as unknown as ASMoutput;
  }

  /** Log-probabilities of all classes, from the head's output. */
  _get_full_log_prob(input: Tensor, head_output: Tensor): Tensor {
    const head = head_output.log_softmax(1);
    const clusters = [...this.tail].map((m, i) =>
      (m.call(input) as Tensor).log_softmax(1).add(head.select(1, this.shortlist_size + i).unsqueeze(1))
    );
    return aten.cat([head.narrow(1, 0, this.shortlist_size), ...clusters], 1);
  }

  /** Log-probabilities of all classes. */
  log_prob(input: Tensor): Tensor {
    return this._get_full_log_prob(input, this.head.call(input));
  }

  /** The most likely class of every row. */
  predict(input: Tensor): Tensor {
    const head = this.head.call(input), best = head.argmax(1);
    // Only rows that the head sends to a cluster need the clusters.
    const rows = best.ge(this.shortlist_size).nonzero().squeeze(1);
    if (rows.numel() === 0) return best;
    const full = this._get_full_log_prob(input.index_select(0, rows), head.index_select(0, rows));
    return best.index_copy(0, rows, full.argmax(1));
  }
}
