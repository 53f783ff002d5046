/**
 * Recurrent networks.
 *
 * @module
 */
import { RuntimeError, ValueError, warnOnce } from "../../base/errors.ts";
import * as aten from "../../ops/mod.ts";
import type { Tensor } from "../../tensor.ts";
import { listRepr, pyrepr, tupleRepr } from "../../utils/pyrepr.ts";
import { type Bound, required, signature } from "../../utils/signature.ts";
import * as init from "../init.ts";
import { Parameter } from "../parameter.ts";
import { PackedSequence } from "../utils/rnn.ts";
import { type FactoryOptions, Module } from "./module.ts";

/** Arguments of `nn.GRU`. */
export interface GRUOptions extends FactoryOptions {
  input_size: number;
  hidden_size: number;
  num_layers?: number;
  bias?: boolean;
  batch_first?: boolean;
  dropout?: number;
  bidirectional?: boolean;
}
/** Arguments of `nn.LSTM`. */
export interface LSTMOptions extends GRUOptions {
  proj_size?: number;
}
/** Arguments of `nn.RNN`. */
export interface RNNOptions extends GRUOptions {
  nonlinearity?: "tanh" | "relu";
}
const shared = {
  input_size: required,
  hidden_size: required,
  num_layers: 1,
  bias: true,
  batch_first: false,
  dropout: 0,
  bidirectional: false,
  proj_size: 0,
} as const;
const factory = { device: null, dtype: null } as const;
const LSTM_ARGS = signature<LSTMOptions>("LSTM", { ...shared, ...factory });
const GRU_ARGS = signature<LSTMOptions>("GRU", { ...shared, ...factory });
const RNN_ARGS = signature<RNNOptions & LSTMOptions>("RNN", { ...shared, ...factory, nonlinearity: "tanh" });

type Mode = "LSTM" | "GRU" | "RNN_TANH" | "RNN_RELU";
const GATES: Readonly<Record<Mode, number>> = { LSTM: 4, GRU: 3, RNN_TANH: 1, RNN_RELU: 1 };

/** An input in the form that the operators take, and how to give back the output. */
interface Prepared {
  input: Tensor;
  batch_sizes: Tensor | null;
  batched: boolean;
  batch: number;
  sorted: Tensor | null;
  unsorted: Tensor | null;
}

const permuted = (t: Tensor, order: Tensor | null): Tensor => order === null ? t : t.index_select(1, order);

/**
 * What all recurrent networks share.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.RNNBase.html
 */
export abstract class RNNBase extends Module {
  mode: Mode;
  input_size: number;
  hidden_size: number;
  num_layers: number;
  bias: boolean;
  batch_first: boolean;
  dropout: number;
  bidirectional: boolean;
  proj_size: number;
  /** The names of the parameters, in the order in which the operators take them. */
  _flat_weights_names: string[] = [];
  [weight: `weight_${string}_l${string}`]: Parameter;
  [bias: `bias_${string}_l${string}`]: Parameter;

  constructor(mode: Mode, a: Bound<LSTMOptions>) {
    super();
    const { hidden_size, num_layers, dropout, proj_size } = a;
    this.mode = mode;
    this.input_size = a.input_size;
    this.hidden_size = hidden_size;
    this.num_layers = num_layers;
    this.bias = a.bias;
    this.batch_first = a.batch_first;
    this.dropout = dropout;
    this.bidirectional = a.bidirectional;
    this.proj_size = proj_size;
    if (typeof dropout !== "number" || !(dropout >= 0 && dropout <= 1)) {
      throw new ValueError(
        "dropout should be a number in range [0, 1] representing the probability of an element being zeroed",
      );
    }
    if (dropout > 0 && num_layers === 1) {
      warnOnce(
        "UserWarning",
        "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers greater " +
          `than 1, but got dropout=${pyrepr(dropout)} and num_layers=${num_layers}`,
      );
    }
    if (proj_size < 0) {
      throw new ValueError("proj_size should be a positive integer or zero to disable projections");
    }
    if (proj_size >= hidden_size) throw new ValueError("proj_size has to be smaller than hidden_size");
    this._makeWeights(a);
    this.reset_parameters();
  }

  _makeWeights(a: Bound<LSTMOptions>): void {
    const { hidden_size, proj_size } = a;
    const options = { device: a.device, dtype: a.dtype };
    const rows = GATES[this.mode] * hidden_size;
    const directions = a.bidirectional ? ["", "_reverse"] : [""];
    const outputs = proj_size > 0 ? proj_size : hidden_size;
    const add = (name: string, ...sizes: number[]): void => {
      this.register_parameter(name, new Parameter(aten.empty(sizes, options)));
      this._flat_weights_names.push(name);
    };
    for (let layer = 0; layer < a.num_layers; layer++) {
      for (const suffix of directions) {
        add(`weight_ih_l${layer}${suffix}`, rows, layer === 0 ? a.input_size : outputs * directions.length);
        add(`weight_hh_l${layer}${suffix}`, rows, outputs);
        if (a.bias) {
          add(`bias_ih_l${layer}${suffix}`, rows);
          add(`bias_hh_l${layer}${suffix}`, rows);
        }
        if (proj_size > 0) add(`weight_hr_l${layer}${suffix}`, proj_size, hidden_size);
      }
    }
  }

  /** The parameters as the operators take them. */
  get _flat_weights(): Tensor[] {
    return this._flat_weights_names.map((n) => (this as unknown as Record<string, Tensor>)[n]!);
  }

  /** The parameters by layer and direction. */
  get all_weights(): Tensor[][] {
    const flat = this._flat_weights, n = flat.length / (this.num_layers * (this.bidirectional ? 2 : 1));
    return Array.from({ length: flat.length / n }, (_, i) => flat.slice(i * n, (i + 1) * n));
  }

  /** PyTorch lays the weights out for cuDNN; nothing to do here. */
  flatten_parameters(): void {}

  /** Draws new initial values. */
  reset_parameters(): void {
    const bound = this.hidden_size > 0 ? 1 / Math.sqrt(this.hidden_size) : 0;
    for (const w of this.parameters()) init.uniform_(w, -bound, bound);
  }

  /** Layers times directions. */
  get _states(): number {
    return this.num_layers * (this.bidirectional ? 2 : 1);
  }

  _prepare(input: Tensor | PackedSequence): Prepared {
    if (input instanceof PackedSequence) {
      const { data, batch_sizes, sorted_indices, unsorted_indices } = input;
      const batch = Number(batch_sizes.select(0, 0).item());
      return {
        input: data,
        batch_sizes,
        batched: true,
        batch,
        sorted: sorted_indices,
        unsorted: unsorted_indices,
      };
    }
    const batched = input.dim() === 3;
    const x = batched ? input : input.unsqueeze(this.batch_first ? 0 : 1);
    const batch = x.size(this.batch_first ? 0 : 1);
    return { input: x, batch_sizes: null, batched, batch, sorted: null, unsorted: null };
  }

  /** A given state with a batch dimension and in sorted order; zeros if none is given. */
  _state(hx: Tensor | null, size: number, p: Prepared, text: string): Tensor {
    const { input, batched, batch } = p;
    const expected = [this._states, batch, size];
    if (hx === null) return input.new_zeros(expected);
    const state = permuted(batched ? hx : hx.unsqueeze(1), p.sorted);
    if (state.shape.length !== 3 || state.shape.some((s, i) => s !== expected[i])) {
      throw new RuntimeError(`Expected ${text} ${tupleRepr(expected)}, got ${listRepr(state.shape)}`);
    }
    return state;
  }

  _checkInput({ input, batch_sizes }: Prepared): void {
    const rank = batch_sizes !== null ? 2 : 3;
    if (input.dim() !== rank) {
      throw new RuntimeError(`input must have ${rank} dimensions, got ${input.dim()}`);
    }
    if (this.input_size !== input.size(-1)) {
      throw new RuntimeError(
        `input.size(-1) must be equal to input_size. Expected ${this.input_size}, got ${input.size(-1)}`,
      );
    }
  }

  /** The output as the input was: packed, or without a batch dimension. */
  _finish(output: Tensor, p: Prepared): Tensor | PackedSequence {
    if (p.batch_sizes !== null) return new PackedSequence(output, p.batch_sizes, p.sorted, p.unsorted);
    return p.batched ? output : output.squeeze(this.batch_first ? 0 : 1);
  }

  /** A final state as the given one would be. */
  _finishState(state: Tensor, p: Prepared): Tensor {
    return permuted(p.batched ? state : state.squeeze(1), p.unsorted);
  }

  override extra_repr(): string {
    let s = `${this.input_size}, ${this.hidden_size}`;
    if (this.proj_size !== 0) s += `, proj_size=${this.proj_size}`;
    if (this.num_layers !== 1) s += `, num_layers=${this.num_layers}`;
    if (!this.bias) s += `, bias=${pyrepr(this.bias)}`;
    if (this.batch_first) s += ", batch_first=True";
    if (this.dropout !== 0) s += `, dropout=${pyrepr(this.dropout)}`;
    if (this.bidirectional) s += ", bidirectional=True";
    return s;
  }
}

type G = Partial<GRUOptions>;
/** An initial state, positional or by keyword. */
export type HX<T> = T | null | { hx?: T | null };

/** Packed sequences in, packed sequences out; tensors are `Module`'s part. */
interface OneState {
  (input: PackedSequence, hx?: HX<Tensor>): [PackedSequence, Tensor];
}
/** A recurrent network with one state. */
abstract class OneState extends RNNBase {
  constructor(mode: Mode, a: Bound<LSTMOptions>) {
    if (a.proj_size !== 0) {
      throw new ValueError("proj_size argument is only supported for LSTM, not RNN or GRU");
    }
    super(mode, a);
  }

  override forward(input: PackedSequence, hx?: HX<Tensor>): [PackedSequence, Tensor];
  override forward(input: Tensor, hx?: HX<Tensor>): [Tensor, Tensor];
  override forward(...args: unknown[]): [Tensor | PackedSequence, Tensor] {
    const { input, hx } = ONE_STATE(args);
    const p = this._prepare(input);
    if (hx !== null && p.batch_sizes === null && hx.dim() !== (p.batched ? 3 : 2)) {
      throw new RuntimeError(
        p.batched
          ? `For batched 3-D input, hx should also be 3-D but got ${hx.dim()}-D tensor`
          : `For unbatched 2-D input, hx should also be 2-D but got ${hx.dim()}-D tensor`,
      );
    }
    this._checkInput(p);
    const state = this._state(hx, this.hidden_size, p, "hidden size");
    const op = this.mode === "GRU" ? aten.gru : this.mode === "RNN_TANH" ? aten.rnn_tanh : aten.rnn_relu;
    const { bias, num_layers, dropout, training, bidirectional, batch_first, _flat_weights } = this;
    const [output, hidden] = p.batch_sizes === null
      ? op(p.input, state, _flat_weights, bias, num_layers, dropout, training, bidirectional, batch_first)
      : op(p.input, p.batch_sizes, state, _flat_weights, bias, num_layers, dropout, training, bidirectional);
    return [this._finish(output, p), this._finishState(hidden, p)];
  }
}
const ONE_STATE = signature<{ input: Tensor | PackedSequence; hx?: Tensor | null }>("forward", {
  input: required,
  hx: null,
});

/**
 * Elman network: h' = tanh(W x + b + U h + c), or with relu.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.RNN.html
 */
export class RNN extends OneState {
  nonlinearity: "tanh" | "relu";
  constructor(options: RNNOptions);
  constructor(
    input_size: number,
    hidden_size: number,
    num_layers?: number | Partial<RNNOptions>,
    bias?: boolean | Partial<RNNOptions>,
    batch_first?: boolean | Partial<RNNOptions>,
    dropout?: number | Partial<RNNOptions>,
    bidirectional?: boolean | Partial<RNNOptions>,
  );
  constructor(...args: unknown[]) {
    const a = RNN_ARGS(args);
    if (a.nonlinearity !== "tanh" && a.nonlinearity !== "relu") {
      throw new ValueError(`Unknown nonlinearity '${a.nonlinearity}'`);
    }
    super(a.nonlinearity === "tanh" ? "RNN_TANH" : "RNN_RELU", a);
    this.nonlinearity = a.nonlinearity;
  }
}

/**
 * Gated recurrent units.
 *
 * @see https://arxiv.org/abs/1406.1078
 * @see https://pytorch.org/docs/stable/generated/torch.nn.GRU.html
 */
export class GRU extends OneState {
  constructor(options: GRUOptions);
  constructor(
    input_size: number,
    hidden_size: number,
    num_layers?: number | G,
    bias?: boolean | G,
    batch_first?: boolean | G,
    dropout?: number | G,
    bidirectional?: boolean | G,
  );
  constructor(...args: unknown[]) {
    super("GRU", GRU_ARGS(args));
  }
}

/** The state of an LSTM: hidden state and cell state. */
export type LSTMState = readonly [Tensor, Tensor];
const TWO_STATES = signature<{ input: Tensor | PackedSequence; hx?: LSTMState | null }>("forward", {
  input: required,
  hx: null,
});

/** Packed sequences in, packed sequences out; tensors are `Module`'s part. */
export interface LSTM {
  (input: PackedSequence, hx?: HX<LSTMState>): [PackedSequence, [Tensor, Tensor]];
}
/**
 * Long short-term memory.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.LSTM.html
 */
export class LSTM extends RNNBase {
  constructor(options: LSTMOptions);
  constructor(
    input_size: number,
    hidden_size: number,
    num_layers?: number | Partial<LSTMOptions>,
    bias?: boolean | Partial<LSTMOptions>,
    batch_first?: boolean | Partial<LSTMOptions>,
    dropout?: number | Partial<LSTMOptions>,
    bidirectional?: boolean | Partial<LSTMOptions>,
    proj_size?: number | Partial<LSTMOptions>,
  );
  constructor(...args: unknown[]) {
    super("LSTM", LSTM_ARGS(args));
  }

  override forward(input: PackedSequence, hx?: HX<LSTMState>): [PackedSequence, [Tensor, Tensor]];
  override forward(input: Tensor, hx?: HX<LSTMState>): [Tensor, [Tensor, Tensor]];
  override forward(...args: unknown[]): [Tensor | PackedSequence, [Tensor, Tensor]] {
    const { input, hx } = TWO_STATES(args);
    const p = this._prepare(input);
    if (hx !== null && p.batch_sizes === null) {
      const rank = p.batched ? 3 : 2, [h, c] = [hx[0].dim(), hx[1].dim()];
      if (h !== rank || c !== rank) {
        throw new RuntimeError(
          `For ${
            p.batched ? "batched 3-D" : "unbatched 2-D"
          } input, hx and cx should also be ${rank}-D but got ` +
            `(${h}-D, ${c}-D) tensors`,
        );
      }
    }
    this._checkInput(p);
    const h0 = this._state(hx?.[0] ?? null, this.proj_size || this.hidden_size, p, "hidden[0] size");
    const c0 = this._state(hx?.[1] ?? null, this.hidden_size, p, "hidden[1] size");
    const { bias, num_layers, dropout, training, bidirectional, batch_first, _flat_weights } = this;
    const [output, h, c] = p.batch_sizes === null
      ? aten.lstm(
        p.input,
        [h0, c0],
        _flat_weights,
        bias,
        num_layers,
        dropout,
        training,
        bidirectional,
        batch_first,
      )
      : aten.lstm(
        p.input,
        p.batch_sizes,
        [h0, c0],
        _flat_weights,
        bias,
        num_layers,
        dropout,
        training,
        bidirectional,
      );
    return [this._finish(output, p), [this._finishState(h, p), this._finishState(c, p)]];
  }
}
