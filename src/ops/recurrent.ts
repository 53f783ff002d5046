/**
 * Recurrent networks: cells and whole layers of tanh/relu RNN, LSTM and GRU, over dense or packed sequences.
 *
 * The input product of all time steps is one matrix product; each step adds the recurrent product and the cell's
 * elementwise part, which is one fused node per step with its own backward. A direction of an LSTM layer over dense sequences is one node.
 *
 * @module
 */
import { RuntimeError } from "../base/errors.ts";
import { shapeText } from "../base/size.ts";
import { fn } from "../dispatch/functions.ts";
import { op, type Row, type Table } from "../dispatch/op.ts";
import type { Tensor } from "../tensor.ts";
import { lstmLayer, runsAsLayer } from "./lstm_layer.ts";

type Maybe = Tensor | null;

/** One gate block: x W^T + b. */
const affine = (x: Tensor, w: Tensor, b: Maybe): Tensor => fn.linear!(x, w, b) as Tensor;

/** A cell's step from the input's gates and the state; returns the new state, hidden part first. */
type Step = (gates: Tensor, state: Tensor[], wHidden: Tensor, bHidden: Maybe) => Tensor[];

const lstmStep: Step = (gates, [h, c], w, b) => fn.lstm_gates!(gates.add(affine(h!, w, b)), c!) as Tensor[];

const gruStep: Step = (gates, [h], w, b) => {
  const [ir, iz, inew] = gates.chunk(3, -1) as [Tensor, Tensor, Tensor];
  const [hr, hz, hnew] = affine(h!, w, b).chunk(3, -1) as [Tensor, Tensor, Tensor];
  const r = ir.add(hr).sigmoid(), z = iz.add(hz).sigmoid();
  const candidate = inew.add(r.mul(hnew)).tanh();
  return [h!.sub(candidate).mul(z).add(candidate)];
};

const simpleStep = (activation: "tanh" | "relu"): Step => (gates, [h], w, b) => {
  const sum = gates.add(affine(h!, w, b));
  return [activation === "tanh" ? sum.tanh() : sum.relu()];
};

/** Weights of one layer and direction, in PyTorch's order. */
interface Weights {
  input: Tensor;
  hidden: Tensor;
  inputBias: Maybe;
  hiddenBias: Maybe;
  projection: Maybe;
}

function splitWeights(params: readonly Tensor[], hasBias: boolean, projected: boolean): Weights[] {
  const each = 2 + (hasBias ? 2 : 0) + (projected ? 1 : 0);
  if (params.length % each !== 0) {
    throw new RuntimeError(`rnn: expected a multiple of ${each} weights, but got ${params.length}`);
  }
  const out: Weights[] = [];
  for (let i = 0; i < params.length; i += each) {
    out.push({
      input: params[i]!,
      hidden: params[i + 1]!,
      inputBias: hasBias ? params[i + 2]! : null,
      hiddenBias: hasBias ? params[i + 3]! : null,
      projection: projected ? params[i + each - 1]! : null,
    });
  }
  return out;
}

function project(state: Tensor[], w: Weights): Tensor[] {
  return w.projection === null ? state : [affine(state[0]!, w.projection, null), ...state.slice(1)];
}

/** One direction over (T, B, F): the outputs (T, B, H) and the last state. */
function runDense(x: Tensor, state: Tensor[], w: Weights, step: Step, reverse: boolean): [Tensor, Tensor[]] {
  if (step === lstmStep && w.projection === null && runsAsLayer(x, state, w.hidden)) {
    return runLstm(x, state, w, reverse);
  }
  const gates = affine(x, w.input, w.inputBias).unbind(0);
  const outputs = new Array<Tensor>(gates.length);
  for (let k = 0; k < gates.length; k++) {
    const t = reverse ? gates.length - 1 - k : k;
    state = project(step(gates[t]!, state, w.hidden, w.hiddenBias), w);
    outputs[t] = state[0]!;
  }
  return [fn.stack!(outputs, 0) as Tensor, state];
}

/** The same for an LSTM in one node. */
function runLstm(x: Tensor, [hx, cx]: Tensor[], w: Weights, reverse: boolean): [Tensor, Tensor[]] {
  const bias = w.inputBias === null ? null : w.inputBias.add(w.hiddenBias!);
  const steps = x.sizes[0]!;
  const [h, c] = fn.lstm_layer!(affine(x, w.input, bias), hx, cx, w.hidden, reverse) as [
    Tensor,
    Tensor,
    Tensor,
  ];
  const last = reverse ? 0 : steps;
  // A copy: whoever changes the output in place must not change what the node keeps.
  return [h.narrow(0, reverse ? 0 : 1, steps).clone(), [h.select(0, last), c.select(0, last)]];
}

/** One direction over packed data: sequences sorted by length, `sizes[t]` of them alive at step t. */
function runPacked(
  x: Tensor,
  sizes: readonly number[],
  state: Tensor[],
  w: Weights,
  step: Step,
  reverse: boolean,
): [Tensor, Tensor[]] {
  const gates = affine(x, w.input, w.inputBias).split_with_sizes(sizes.slice(), 0);
  const outputs = new Array<Tensor>(sizes.length);
  const initial = state;
  const first = sizes[0]!;
  if (!reverse) {
    const finished: Tensor[][] = [];
    let alive = first;
    for (let t = 0; t < sizes.length; t++) {
      const n = sizes[t]!;
      if (n < alive) {
        finished.push(state.map((s) => s.narrow(0, n, alive - n)));
        state = state.map((s) => s.narrow(0, 0, n));
        alive = n;
      }
      state = project(step(gates[t]!, state, w.hidden, w.hiddenBias), w);
      outputs[t] = state[0]!;
    }
    finished.push(state);
    finished.reverse();
    return [
      fn.cat!(outputs, 0) as Tensor,
      state.map((_, i) => fn.cat!(finished.map((f) => f[i]!), 0) as Tensor),
    ];
  }
  let alive = sizes[sizes.length - 1]!;
  state = initial.map((s) => s.narrow(0, 0, alive));
  for (let t = sizes.length - 1; t >= 0; t--) {
    const n = sizes[t]!;
    if (n > alive) {
      state = state.map((s, i) => fn.cat!([s, initial[i]!.narrow(0, alive, n - alive)], 0) as Tensor);
      alive = n;
    }
    state = project(step(gates[t]!, state, w.hidden, w.hiddenBias), w);
    outputs[t] = state[0]!;
  }
  return [fn.cat!(outputs, 0) as Tensor, state];
}

interface Settings {
  hasBias: boolean;
  layers: number;
  dropout: number;
  train: boolean;
  bidirectional: boolean;
}

/** All layers and directions; `run` is one direction of one layer. */
function runLayers(
  x: Tensor,
  states: readonly Tensor[],
  weights: readonly Weights[],
  s: Settings,
  run: (x: Tensor, state: Tensor[], w: Weights, reverse: boolean) => [Tensor, Tensor[]],
): [Tensor, Tensor[]] {
  const directions = s.bidirectional ? 2 : 1;
  const finals: Tensor[][] = [];
  for (let layer = 0; layer < s.layers; layer++) {
    const outs: Tensor[] = [];
    for (let d = 0; d < directions; d++) {
      const k = layer * directions + d;
      const [out, last] = run(x, states.map((t) => t.select(0, k)), weights[k]!, d === 1);
      outs.push(out);
      finals.push(last);
    }
    x = outs.length === 1 ? outs[0]! : fn.cat!(outs, -1) as Tensor;
    if (s.train && s.dropout > 0 && layer < s.layers - 1) x = fn.dropout!(x, s.dropout, true) as Tensor;
  }
  return [x, states.map((_, i) => fn.stack!(finals.map((f) => f[i]!), 0) as Tensor)];
}

const ARGS =
  "Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional";

/** The rows of one kind of network: dense input, and packed input with `batch_sizes`. */
function network(name: string, step: Step, states: number): readonly Row[] {
  const state = states === 1 ? "Tensor hx" : "Tensor[] hx";
  const list = (
    hx: Tensor | readonly Tensor[],
  ): Tensor[] => (states === 1 ? [hx as Tensor] : [...(hx as Tensor[])]);
  const projected = (params: readonly Tensor[], hx: readonly Tensor[]): boolean =>
    states === 2 && hx[0]!.sizes[2] !== hx[1]!.sizes[2] && params.length > 0;
  const returns = states === 1 ? "(Tensor, Tensor)" : "(Tensor, Tensor, Tensor)";
  return [
    op({
      schema: `${name}(Tensor input, ${state}, ${ARGS}, bool batch_first) -> ${returns}`,
      composite: (
        input: Tensor,
        hx: Tensor | Tensor[],
        params: Tensor[],
        hasBias: boolean,
        layers: number,
        dropout: number,
        train: boolean,
        bidirectional: boolean,
        batchFirst: boolean,
      ) => {
        const x = batchFirst ? input.transpose(0, 1) : input;
        const h = list(hx);
        const weights = splitWeights(params, hasBias, projected(params, h));
        const [out, last] = runLayers(
          x,
          h,
          weights,
          { hasBias, layers, dropout, train, bidirectional },
          (y, s, w, reverse) => runDense(y, s, w, step, reverse),
        );
        return [batchFirst ? out.transpose(0, 1) : out, ...last];
      },
      only: "function",
      doc: `${name} over dense sequences.`,
    }),
    op({
      schema: `${name}.data(Tensor data, Tensor batch_sizes, ${state}, ${ARGS}) -> ${returns}`,
      composite: (
        data: Tensor,
        batchSizes: Tensor,
        hx: Tensor | Tensor[],
        params: Tensor[],
        hasBias: boolean,
        layers: number,
        dropout: number,
        train: boolean,
        bidirectional: boolean,
      ) => {
        const sizes = (batchSizes.tolist() as number[]).map(Number);
        const h = list(hx);
        const weights = splitWeights(params, hasBias, projected(params, h));
        const [out, last] = runLayers(
          data,
          h,
          weights,
          { hasBias, layers, dropout, train, bidirectional },
          (y, s, w, reverse) => runPacked(y, sizes, s, w, step, reverse),
        );
        return [out, ...last];
      },
      only: "function",
      doc: `${name} over packed sequences.`,
    }),
  ];
}

function checkCell(name: string, input: Tensor, hx: Tensor, wInput: Tensor): void {
  if (input.sizes[input.sizes.length - 1] !== wInput.sizes[1]) {
    throw new RuntimeError(
      `input has inconsistent input_size: got ${input.sizes[input.sizes.length - 1]} expected ${
        wInput.sizes[1]
      }`,
    );
  }
  if (input.sizes[0] !== hx.sizes[0]) {
    throw new RuntimeError(
      `${name}: Input batch size ${input.sizes[0]} doesn't match hidden batch size ${hx.sizes[0]} (input ${
        shapeText(input.sizes)
      })`,
    );
  }
}

function cell(name: string, step: Step, states: number): readonly Row[] {
  return [op({
    schema: `${name}(Tensor input, ${
      states === 1 ? "Tensor hx" : "Tensor[] hx"
    }, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? b_hh=None) -> ${
      states === 1 ? "Tensor" : "(Tensor, Tensor)"
    }`,
    composite: (
      input: Tensor,
      hx: Tensor | Tensor[],
      wInput: Tensor,
      wHidden: Tensor,
      bInput: Maybe,
      bHidden: Maybe,
    ) => {
      const state = states === 1 ? [hx as Tensor] : [...(hx as Tensor[])];
      checkCell(name, input, state[0]!, wInput);
      const next = step(affine(input, wInput, bInput), state, wHidden, bHidden);
      return states === 1 ? next[0]! : next;
    },
    only: "function",
    doc: `One step of ${name.replace(/_cell$/, "")}.`,
  })];
}

/** The four activated gates of an LSTM: input, forget, cell, output. */
function lstmGates(gates: Tensor): [Tensor, Tensor, Tensor, Tensor] {
  const [i, f, g, o] = gates.chunk(4, -1) as [Tensor, Tensor, Tensor, Tensor];
  return [i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()];
}

export const recurrent: Table = {
  lstm_gates: [op({
    schema: "lstm_gates(Tensor gates, Tensor cx) -> (Tensor, Tensor)",
    impl: (gates: Tensor, cx: Tensor) => {
      const [i, f, g, o] = lstmGates(gates);
      const c = f.mul(cx).add_(i.mul(g));
      return [o.mul(c.tanh()), c];
    },
    only: "hidden",
    saves: ["gates", "cx", "result1"],
    derivative: {
      "gates, cx": (c) => {
        const [i, f, g, o] = lstmGates(c.gates);
        const t = c.result1.tanh() as Tensor;
        const dh = c.grads[0]!, dc = c.grads[1]!.add(dh.mul(o).mul(t.mul(t).rsub(1)));
        const d = (s: Tensor): Tensor => s.mul(s.rsub(1));
        const parts = [
          dc.mul(g).mul(d(i)),
          dc.mul(c.cx).mul(d(f)),
          dc.mul(i).mul(g.mul(g).rsub(1)),
          dh.mul(t).mul(d(o)),
        ];
        return [fn.cat!(parts, -1) as Tensor, dc.mul(f)];
      },
    },
    doc: "The elementwise part of an LSTM step.",
  })],
  ...lstmLayer,
  lstm: network("lstm", lstmStep, 2),
  gru: network("gru", gruStep, 1),
  rnn_tanh: network("rnn_tanh", simpleStep("tanh"), 1),
  rnn_relu: network("rnn_relu", simpleStep("relu"), 1),
  lstm_cell: cell("lstm_cell", lstmStep, 2),
  gru_cell: cell("gru_cell", gruStep, 1),
  rnn_tanh_cell: cell("rnn_tanh_cell", simpleStep("tanh"), 1),
  rnn_relu_cell: cell("rnn_relu_cell", simpleStep("relu"), 1),
};
