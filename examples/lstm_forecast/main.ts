/** An LSTM learns how a signal goes on, then goes on by itself. See README.md. */
import * as torch from "../../src/mod.ts";
import type { Tensor } from "../../src/mod.ts";
import { chartPng, ProgressBar } from "../../src/training/mod.ts";
import { readOptions, writeTo } from "../command_line.ts";

const { nn, optim } = torch;
const F = nn.functional;

const options = readOptions("Trains an LSTM on signals made of two waves and draws its forecast.", {
  steps: { kind: "int", value: "N", default: 400, min: 1, help: "training steps" },
  batch: { kind: "int", value: "N", default: 32, min: 1, help: "signals in a step" },
  length: { kind: "int", value: "N", default: 100, min: 10, help: "points of a signal" },
  ahead: { kind: "int", value: "N", default: 30, min: 2, help: "points to go on by itself while it learns" },
  hidden: { kind: "int", value: "N", default: 48, min: 1, help: "units of each layer" },
  lr: { kind: "number", value: "X", default: 5e-3, min: 0, help: "learning rate" },
  seed: { kind: "int", value: "N", default: 1, help: "of the weights and the signals" },
  out: { kind: "text", value: "FOLDER", default: "build/lstm_forecast", help: "where the picture goes" },
});

class Forecaster extends nn.Module {
  lstm = new nn.LSTM(1, options.hidden, { num_layers: 2, batch_first: true });
  head = new nn.Linear(options.hidden, 1);

  /** (N, T, 1) points to (N, T, 1) next points, and the state to go on from. */
  override forward(x: Tensor, state: [Tensor, Tensor] | null = null): [Tensor, [Tensor, Tensor]] {
    const [y, next] = this.lstm(x, state);
    // The change from one point to the next is easier to learn than the point.
    return [x.add(this.head(y)), next as [Tensor, Tensor]];
  }
}

/** Signals of two waves with periods, phases and heights of their own: (n, length, 1). */
function signals(n: number, length: number): Tensor {
  const t = torch.arange(length).float().view(1, -1);
  const wave = (shortest: number, longest: number): Tensor => {
    const period = torch.empty(n, 1).uniform_(shortest, longest), phase = torch.rand(n, 1).mul(2 * Math.PI);
    return t.mul(2 * Math.PI).div(period).add(phase).sin().mul(torch.empty(n, 1).uniform_(0.3, 0.7));
  };
  return wave(15, 25).add(wave(40, 60)).unsqueeze(-1);
}

/** The next points of a signal (N, T, 1), and `n` more (N, 1, 1), each from the one before. */
function goOn(given: Tensor, n: number): [Tensor, Tensor[]] {
  const [known, start] = model(given);
  const own: Tensor[] = [];
  let last = known.narrow(1, known.size(1) - 1, 1), state = start;
  for (let i = 0; i < n; i++) {
    [last, state] = model(last, state);
    own.push(last);
  }
  return [known, own];
}

torch.manual_seed(options.seed);
const model = new Forecaster();
const optimizer = new optim.Adam(model.parameters(), { lr: options.lr });
const schedule = new optim.lr_scheduler.CosineAnnealingLR(optimizer, { T_max: options.steps });
const every = Math.max(1, Math.floor(options.steps / 8));
{
  using progress = new ProgressBar({ label: "training", total: options.steps, unit: "steps" });
  for (let step = 1; step <= options.steps; step++) {
    const x = signals(options.batch, options.length + options.ahead);
    optimizer.zero_grad();
    // The next points of the given ones, then points that the network reaches by itself.
    const [known, own] = goOn(x.narrow(1, 0, options.length), options.ahead - 1);
    const loss = F.mse_loss(
      torch.cat([known, ...own], 1),
      x.narrow(1, 1, options.length + options.ahead - 1),
    );
    loss.backward();
    nn.utils.clip_grad_norm_(model.parameters(), 1);
    optimizer.step();
    schedule.step();
    progress.update(1, { loss: (loss.item() as number).toExponential(2) });
    if (step % every === 0 || step === options.steps) {
      console.log(`step ${step}: mean squared error ${(loss.item() as number).toExponential(3)}`);
    }
  }
}

model.eval();
const ahead = 60, signal = signals(1, options.length + ahead);
const [known, own] = torch.no_grad(() => goOn(signal.narrow(1, 0, options.length), ahead - 1));
const points = [known.narrow(1, options.length - 1, 1), ...own].map((p) => p.item() as number);
const truth = signal.flatten().tolist() as number[];
const error = Math.sqrt(points.reduce((s, p, i) => s + (p - truth[options.length + i]!) ** 2, 0) / ahead);
console.log(`forecast of ${ahead} points: root mean square error ${error.toFixed(4)}`);
writeTo(
  `${options.out}/forecast.png`,
  chartPng([
    { name: "signal", y: truth },
    { name: "forecast", y: points, x: points.map((_, i) => options.length + i) },
  ], { title: "what an LSTM makes of two waves", xLabel: "time", yLabel: "value" }),
);
