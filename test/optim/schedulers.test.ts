import { describe, expect, it } from "vitest";
import * as torch from "../../src/mod.ts";
import type { Optimizer } from "../../src/optim/mod.ts";

const { nn, optim } = torch;
const { lr_scheduler: L, swa_utils } = optim;
const sgd = (lr = 1): Optimizer => new optim.SGD([new nn.Parameter(torch.zeros(1))], { lr, momentum: 0.9 });
interface Scheduler {
  step(): void;
  state_dict(): unknown;
  load_state_dict(state: never): void;
}
function rates(optimizer: Optimizer, scheduler: Scheduler, n: number): number[] {
  return Array.from({ length: n }, () => {
    const lr = optimizer.param_groups[0]!.lr as number;
    optimizer.step();
    scheduler.step();
    return lr;
  });
}
const near = (got: number[], want: number[]) => got.forEach((v, i) => expect(v).toBeCloseTo(want[i]!, 7));

// Recorded from PyTorch 1.13.
const schedules: [string, (o: Optimizer) => Scheduler, number[]][] = [
  ["StepLR", (o) => new L.StepLR(o, 3, { gamma: 0.5 }), [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25]],
  ["MultiStepLR", (o) => new L.MultiStepLR(o, [2, 5]), [1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01]],
  ["ExponentialLR", (o) => new L.ExponentialLR(o, 0.9), [
    1,
    0.9,
    0.81,
    0.729,
    0.6561,
    0.59049,
    0.531441,
    0.4782969,
  ]],
  ["CosineAnnealingLR", (o) => new L.CosineAnnealingLR(o, 4, { eta_min: 0.1 }), [
    1,
    0.86819805,
    0.55,
    0.23180195,
    0.1,
    0.23180195,
    0.55,
    0.86819805,
  ]],
  ["CosineAnnealingWarmRestarts", (o) => new L.CosineAnnealingWarmRestarts(o, 2, { T_mult: 2 }), [
    1,
    0.5,
    1,
    0.85355339,
    0.5,
    0.14644661,
    1,
    0.96193977,
  ]],
  ["OneCycleLR", (o) => new L.OneCycleLR(o, { max_lr: 2, total_steps: 10 }), [
    0.08,
    1.04,
    2,
    1.90096926,
    1.62349131,
    1.22252404,
    0.77748396,
    0.37651669,
  ]],
  ["CyclicLR", (o) => new L.CyclicLR(o, 0.1, 1, { step_size_up: 3, mode: "triangular2" }), [
    0.1,
    0.4,
    0.7,
    1,
    0.7,
    0.4,
    0.1,
    0.25,
  ]],
  ["LinearLR", (o) => new L.LinearLR(o, { start_factor: 0.5, total_iters: 4 }), [
    0.5,
    0.625,
    0.75,
    0.875,
    1,
    1,
    1,
    1,
  ]],
  ["PolynomialLR", (o) => new L.PolynomialLR(o, { total_iters: 5, power: 2 }), [
    1,
    0.64,
    0.36,
    0.16,
    0.04,
    0,
    0,
    0,
  ]],
  [
    "SequentialLR",
    (o) =>
      new L.SequentialLR(o, [
        new L.ConstantLR(o, { factor: 0.1, total_iters: 2 }),
        new L.ExponentialLR(o, 0.9),
      ], { milestones: [2] }),
    [0.1, 0.1, 1, 0.9, 0.81, 0.729, 0.6561, 0.59049],
  ],
];

describe("learning rates are PyTorch's", () => {
  it.each(schedules)("%s", (_, make, want) => {
    const o = sgd();
    near(rates(o, make(o), want.length), want);
  });

  it.each(schedules)("%s goes on from its state_dict", (_, make, want) => {
    const o = sgd(), s = make(o);
    rates(o, s, 3);
    const o2 = sgd(), s2 = make(o2);
    s2.load_state_dict(s.state_dict() as never);
    o2.load_state_dict(o.state_dict());
    near(rates(o2, s2, 5), want.slice(3));
  });

  it("LambdaLR and MultiplicativeLR call their functions with the epoch", () => {
    const a = sgd(0.5), b = sgd(0.5);
    near(rates(a, new L.LambdaLR(a, (epoch) => 1 / (1 + epoch)), 4), [0.5, 0.25, 0.5 / 3, 0.125]);
    near(rates(b, new L.MultiplicativeLR(b, () => 0.5), 4), [0.5, 0.25, 0.125, 0.0625]);
  });

  it("ReduceLROnPlateau waits, reduces, and cools down", () => {
    const o = sgd();
    const s = new L.ReduceLROnPlateau(o, { factor: 0.1, patience: 1, cooldown: 1 });
    const got = [5, 4, 4, 4, 4, 4, 4, 3].map((loss) => (s.step(loss), o.param_groups[0]!.lr as number));
    near(got, [1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01]);
  });
});

describe("SWA", () => {
  it("averages parameters equally and keeps them out of the model", () => {
    const model = new nn.Linear(1, 1);
    const average = new swa_utils.AveragedModel(model);
    for (const v of [1, 2, 6]) {
      torch.no_grad(() => {
        model.weight.fill_(v);
      });
      average.update_parameters(model);
    }
    expect(average.module.weight.item()).toBe(3);
    expect(average.n_averaged.item()).toBe(3);
    expect(model.weight.item()).toBe(6);
  });

  it("SWALR anneals to its rate and stays", () => {
    const o = sgd();
    near(rates(o, new swa_utils.SWALR(o, { swa_lr: 0.1, anneal_epochs: 2, anneal_strategy: "linear" }), 4), [
      1,
      0.55,
      0.1,
      0.1,
    ]);
  });
});
