/**
 * A direction of an LSTM layer as one node: each step is a matrix product, which adds the input's part of the gates as
 * its bias, and a kernel for the elementwise part; the weight's gradient is one product over all steps.
 *
 * @module
 */
import { grad as gradients } from "../autograd/engine.ts";
import { mode } from "../autograd/grad_mode.ts";
import { cpuBackend } from "../backend/wasm.ts";
import { float32, float64 } from "../base/dtype.ts";
import { fn } from "../dispatch/functions.ts";
import { interpose } from "../dispatch/interpose.ts";
import { emptyTensor, packed } from "../dispatch/iterator.ts";
import { begin, kernel } from "../dispatch/launch.ts";
import { type Ctx, op, type Table } from "../dispatch/op.ts";
import { alias, type Tensor } from "../tensor.ts";
import { copyInto } from "./copy.ts";
import { product } from "./matmul.ts";

const CELL = kernel("tc_lstm_cell");
const CELL_BACKWARD = kernel("tc_lstm_cell_backward");

/** Whether `lstm_layer` can run on these: kernels for the CPU's float32 and float64, and no projection of the state. */
export function runsAsLayer(gates: Tensor, state: readonly Tensor[], weight: Tensor): boolean {
  const { dtype } = gates;
  return !interpose.active && gates.storage.backend === cpuBackend &&
    (dtype === float32 || dtype === float64) &&
    weight.dtype === dtype && state.every((s) => s.dtype === dtype && s.storage.backend === cpuBackend) &&
    gates.count > 0;
}

/** Matrix `t` of (T, rows, cols). */
function at(all: Tensor, t: number): Tensor {
  const [, rows, cols] = all.sizes as [number, number, number];
  return alias(all, [rows, cols], [cols, 1], all.offset + t * rows * cols);
}

/** Slot of the state before and after step `t`: with `reverse` the steps run from the last to the first. */
const before = (t: number, reverse: boolean): number => (reverse ? t + 1 : t);
const after = (t: number, reverse: boolean): number => (reverse ? t : t + 1);

function forward(x: Tensor, hx: Tensor, cx: Tensor, weight: Tensor, reverse: boolean): Tensor[] {
  const [steps, rows, width] = x.sizes as [number, number, number];
  const hidden = width / 4, backend = x.storage.backend;
  const sums = packed(x), w = packed(weight);
  const h = emptyTensor([steps + 1, rows, hidden], x.dtype, backend);
  const c = emptyTensor([steps + 1, rows, hidden], x.dtype, backend);
  const gates = emptyTensor(x.sizes, x.dtype, backend);
  const first = before(reverse ? steps - 1 : 0, reverse);
  copyInto(at(h, first), hx);
  copyInto(at(c, first), cx);
  for (let k = 0; k < steps; k++) {
    const t = reverse ? steps - 1 - k : k, from = before(t, reverse), to = after(t, reverse);
    const g = at(gates, t);
    product(at(h, from), [hidden, 1], w, [1, hidden], g, at(sums, t));
    begin(CELL, backend).i(x.dtype.code).i(rows).i(hidden).p(g).p(at(c, from)).p(at(c, to)).p(at(h, to)).i(0)
      .i(0)
      .i(0).i(0).run();
  }
  return [h, c, gates];
}

function backward(ctx: Ctx): (Tensor | null)[] {
  if (mode.grad) return differentiableBackward(ctx);
  const h = ctx.result0 as Tensor, c = ctx.result1 as Tensor, gates = ctx.result2 as Tensor;
  const { reverse } = ctx as unknown as { reverse: boolean };
  const [steps, rows, width] = gates.sizes as [number, number, number];
  const hidden = width / 4, { dtype } = gates, { backend } = gates.storage;
  const w = packed(ctx.weight as Tensor);
  const dh = packed(ctx.grads[0]!), dcAll = packed(ctx.grads[1]!);
  const dgates = emptyTensor(gates.sizes, dtype, backend);
  const dc = ctx.cx.new_zeros([rows, hidden]) as Tensor;
  let dhHere = at(dh, after(reverse ? 0 : steps - 1, reverse));
  for (let k = 0; k < steps; k++) {
    const t = reverse ? k : steps - 1 - k, from = before(t, reverse), to = after(t, reverse);
    const g = at(dgates, t);
    begin(CELL_BACKWARD, backend).i(dtype.code).i(rows).i(hidden).p(at(gates, t)).p(at(c, from)).p(at(c, to))
      .i(0)
      .p(dhHere).p(dc).p(at(dcAll, to)).p(g).run();
    const next = emptyTensor([rows, hidden], dtype, backend);
    product(g, [width, 1], w, [hidden, 1], next, at(dh, from));
    dhHere = next;
  }
  const flat = (t: Tensor, skip: number, cols: number): Tensor =>
    alias(t, [steps * rows, cols], [cols, 1], t.offset + skip * rows * cols);
  const dw = ctx.needs("weight")
    ? fn.mm!(flat(dgates, 0, width).t(), flat(h, reverse ? 1 : 0, hidden)) as Tensor
    : null;
  return [dgates, dhHere, dc.add(at(dcAll, before(reverse ? steps - 1 : 0, reverse))), dw];
}

/** For second derivatives: the layer again, step by step from recorded operators. */
function differentiableBackward(ctx: Ctx): (Tensor | null)[] {
  const names = ["gates", "hx", "cx", "weight"];
  const inputs = names.map((name) => ctx[name] as Tensor),
    { reverse } = ctx as unknown as { reverse: boolean };
  const [x, hx, cx, weight] = inputs as [Tensor, Tensor, Tensor, Tensor];
  let state = [hx, cx];
  const steps = x.sizes[0]!, h: Tensor[] = [], c: Tensor[] = [];
  const keep = (slot: number): void => void (h[slot] = state[0]!, c[slot] = state[1]!);
  keep(before(reverse ? steps - 1 : 0, reverse));
  for (let k = 0; k < steps; k++) {
    const t = reverse ? steps - 1 - k : k;
    const sums = x.select(0, t).add(fn.linear!(state[0], weight) as Tensor);
    state = fn.lstm_gates!(sums, state[1]) as Tensor[];
    keep(after(t, reverse));
  }
  const wanted = names.map((name) => ctx.needs(name));
  const results = [fn.stack!(h, 0) as Tensor, fn.stack!(c, 0) as Tensor];
  const found = gradients(results, inputs.filter((_, i) => wanted[i]), {
    grad_outputs: [ctx.grads[0]!, ctx.grads[1]!],
    create_graph: true,
    allow_unused: true,
  });
  return wanted.map((yes) => (yes ? found.shift() ?? null : null));
}

export const lstmLayer: Table = {
  lstm_layer: [op({
    schema:
      "lstm_layer(Tensor gates, Tensor hx, Tensor cx, Tensor weight, bool reverse) -> (Tensor, Tensor, Tensor)",
    impl: forward,
    only: "hidden",
    saves: ["gates", "hx", "cx", "weight", "result0", "result1", "result2"],
    nonDifferentiableResults: [2],
    derivative: { "gates, hx, cx, weight": backward },
    doc:
      "A direction of an LSTM layer: the input's part of the gates (T, B, 4H), states (B, H) and hidden weight (4H, H) " +
      "to hidden and cell states (T + 1, B, H), the first state among them, and the activated gates.",
  })],
};
