/**
 * Single steps of recurrent networks.
 *
 * @module
 */
import type { DType } from "../../base/dtype.ts";
import { AssertionError, RuntimeError } from "../../base/errors.ts";
import * as aten from "../../ops/mod.ts";
import type { Tensor } from "../../tensor.ts";
import { type Bound, required, signature } from "../../utils/signature.ts";
import * as init from "../init.ts";
import { Parameter } from "../parameter.ts";
import { type DeviceLike, type FactoryOptions, Module } from "./module.ts";
import type { HX, LSTMState } from "./rnn.ts";

const factory = { device: null, dtype: null } as const;

interface CellOptions extends FactoryOptions {
  input_size: number;
  hidden_size: number;
  bias?: boolean;
}
/** Arguments of `nn.RNNCell`. */
export interface RNNCellOptions extends CellOptions {
  nonlinearity?: "tanh" | "relu";
}
const CELL = signature<CellOptions>("__init__", {
  input_size: required,
  hidden_size: required,
  bias: true,
  ...factory,
});
const RNN_CELL = signature<RNNCellOptions>("RNNCell", {
  input_size: required,
  hidden_size: required,
  bias: true,
  nonlinearity: "tanh",
  ...factory,
});
type C = Partial<CellOptions>;

/**
 * What single steps of recurrent networks share.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.RNNCellBase.html
 */
export abstract class RNNCellBase extends Module {
  input_size: number;
  hidden_size: number;
  bias: boolean;
  weight_ih: Parameter;
  weight_hh: Parameter;
  bias_ih!: Parameter | null;
  bias_hh!: Parameter | null;

  constructor(gates: number, a: Bound<CellOptions>) {
    super();
    const { input_size, hidden_size, bias } = a, options = { device: a.device, dtype: a.dtype };
    const rows = gates * hidden_size;
    this.input_size = input_size;
    this.hidden_size = hidden_size;
    this.bias = bias;
    this.weight_ih = new Parameter(aten.empty([rows, input_size], options));
    this.weight_hh = new Parameter(aten.empty([rows, hidden_size], options));
    this.register_parameter("bias_ih", bias ? new Parameter(aten.empty([rows], options)) : null);
    this.register_parameter("bias_hh", bias ? new Parameter(aten.empty([rows], options)) : null);
    this.reset_parameters();
  }

  /** Draws new initial values. */
  reset_parameters(): void {
    const bound = this.hidden_size > 0 ? 1 / Math.sqrt(this.hidden_size) : 0;
    for (const w of this.parameters()) init.uniform_(w, -bound, bound);
  }

  /** Is there a batch dimension? Throws if the rank is neither 1 nor 2. */
  _isBatched(input: Tensor): boolean {
    const n = input.dim();
    if (n !== 1 && n !== 2) {
      throw new AssertionError(
        `${this._get_name()}: Expected input to be 1-D or 2-D but received ${n}-D tensor`,
      );
    }
    return n === 2;
  }

  override extra_repr(): string {
    return `${this.input_size}, ${this.hidden_size}${this.bias ? "" : ", bias=False"}`;
  }
}

const CELL_FORWARD = signature<{ input: Tensor; hx?: Tensor | null }>("forward", {
  input: required,
  hx: null,
});
abstract class OneStateCell extends RNNCellBase {
  /** The operator's step. */
  abstract _step(input: Tensor, hx: Tensor): Tensor;

  override forward(input: Tensor, hx?: HX<Tensor>): Tensor;
  override forward(...args: unknown[]): Tensor {
    const { input, hx } = CELL_FORWARD(args);
    const batched = this._isBatched(input);
    const x = batched ? input : input.unsqueeze(0);
    const h = hx === null ? x.new_zeros([x.size(0), this.hidden_size]) : batched ? hx : hx.unsqueeze(0);
    const next = this._step(x, h);
    return batched ? next : next.squeeze(0);
  }
}

/**
 * One step of an Elman network.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.RNNCell.html
 */
export class RNNCell extends OneStateCell {
  nonlinearity: "tanh" | "relu";
  constructor(options: RNNCellOptions);
  constructor(
    input_size: number,
    hidden_size: number,
    bias?: boolean | Partial<RNNCellOptions>,
    nonlinearity?: "tanh" | "relu" | Partial<RNNCellOptions>,
    device?: DeviceLike | null,
    dtype?: DType | null,
  );
  constructor(...args: unknown[]) {
    const a = RNN_CELL(args);
    super(1, a);
    this.nonlinearity = a.nonlinearity;
  }
  override _step(input: Tensor, hx: Tensor): Tensor {
    const { weight_ih, weight_hh, bias_ih, bias_hh, nonlinearity } = this;
    if (nonlinearity !== "tanh" && nonlinearity !== "relu") {
      throw new RuntimeError(`Unknown nonlinearity: ${nonlinearity}`);
    }
    const op = nonlinearity === "tanh" ? aten.rnn_tanh_cell : aten.rnn_relu_cell;
    return op(input, hx, weight_ih, weight_hh, bias_ih, bias_hh);
  }
  override extra_repr(): string {
    const s = super.extra_repr();
    return this.nonlinearity === "tanh" ? s : `${s}, nonlinearity=${this.nonlinearity}`;
  }
}

/**
 * One step of gated recurrent units.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.GRUCell.html
 */
export class GRUCell extends OneStateCell {
  constructor(options: CellOptions);
  constructor(
    input_size: number,
    hidden_size: number,
    bias?: boolean | C,
    device?: DeviceLike | null | C,
    dtype?: DType | null,
  );
  constructor(...args: unknown[]) {
    super(3, CELL(args));
  }
  override _step(input: Tensor, hx: Tensor): Tensor {
    return aten.gru_cell(input, hx, this.weight_ih, this.weight_hh, this.bias_ih, this.bias_hh);
  }
}

const LSTM_CELL_FORWARD = signature<{ input: Tensor; hx?: LSTMState | null }>("forward", {
  input: required,
  hx: null,
});
/**
 * One step of long short-term memory.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.LSTMCell.html
 */
export class LSTMCell extends RNNCellBase {
  constructor(options: CellOptions);
  constructor(
    input_size: number,
    hidden_size: number,
    bias?: boolean | C,
    device?: DeviceLike | null | C,
    dtype?: DType | null,
  );
  constructor(...args: unknown[]) {
    super(4, CELL(args));
  }
  override forward(input: Tensor, hx?: HX<LSTMState>): [Tensor, Tensor];
  override forward(...args: unknown[]): [Tensor, Tensor] {
    const { input, hx } = LSTM_CELL_FORWARD(args);
    const batched = this._isBatched(input);
    const x = batched ? input : input.unsqueeze(0);
    const zeros = hx === null ? x.new_zeros([x.size(0), this.hidden_size]) : null;
    const [h, c] = hx === null ? [zeros!, zeros!] : batched ? hx : [hx[0].unsqueeze(0), hx[1].unsqueeze(0)];
    const [h1, c1] = aten.lstm_cell(x, [h, c], this.weight_ih, this.weight_hh, this.bias_ih, this.bias_hh);
    return batched ? [h1, c1] : [h1.squeeze(0), c1.squeeze(0)];
  }
}
