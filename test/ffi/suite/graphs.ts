/** CUDA graphs on the device "cuda". */

import * as torch from "../../../src/mod.ts";
import { assert, assertEquals } from "./harness.ts";
import type { DeviceCheck } from "./device.ts";

const { nn, cuda } = torch;

function thrown(f: () => unknown): string {
  try {
    f();
  } catch (error) {
    return (error as Error).message;
  }
  return "";
}

const replay: DeviceCheck = {
  name: "CUDA graphs: what is recorded is not done, and done by every replay",
  run() {
    const x = torch.ones([1000]).cuda(), total = torch.zeros([1]).cuda(), g = new cuda.CUDAGraph();
    assertEquals(
      thrown(() => g.replay()),
      "Called CUDAGraph::replay without a preceding successful capture.",
      "empty",
    );
    const y = cuda.graph(g, () => {
      assert(cuda.is_current_stream_capturing(), "capturing");
      total.add_(x.sum());
      return x.mul(2).add(1).sqrt();
    });
    assertEquals(total.item(), 0, "only recorded");
    for (let i = 1; i <= 3; i++) {
      x.fill_(i);
      g.replay();
      // Memory that the graph works on is nobody else's.
      const others = Array.from({ length: 20 }, () => torch.full([1000], -1, { device: "cuda" }));
      assert(Math.abs((y.select(0, 7).item() as number) - Math.sqrt(2 * i + 1)) < 1e-6, `replay ${i}`);
      assertEquals(others[3]!.sum().item(), -1000, "other memory");
    }
    assertEquals(total.item(), 6000, "in place");
    assert(thrown(() => g.capture_begin()).includes("already owns a captured graph"), "a second capture");
    g.reset();
  },
};

function steps(graphed: boolean): number[] {
  torch.manual_seed(4);
  const net = new nn.Sequential(new nn.Linear(8, 16), new nn.Tanh(), new nn.Linear(16, 2)).cuda();
  const data = torch.randn([5, 12, 8]).cuda(), wanted = torch.randint(0, 2, [5, 12]).cuda();
  const optimizer = new torch.optim.SGD(net.parameters(), { lr: 0.3, momentum: 0.9 });
  const x = data.select(0, 0).clone(), y = wanted.select(0, 0).clone(), losses: number[] = [];
  const step = (): torch.Tensor => {
    optimizer.zero_grad({ set_to_none: false });
    const loss = nn.functional.cross_entropy(net.call(x), y);
    loss.backward();
    optimizer.step();
    return loss.detach();
  };
  step(); // makes gradients and momentum
  const g = new cuda.CUDAGraph(), recorded = graphed ? cuda.graph(g, step) : null;
  for (let i = 0; i < 10; i++) {
    x.copy_(data.select(0, i % 5));
    y.copy_(wanted.select(0, i % 5));
    if (recorded === null) losses.push(step().item() as number);
    else {
      g.replay();
      losses.push(recorded.item() as number);
    }
  }
  g.reset();
  return losses;
}

const training: DeviceCheck = {
  name: "CUDA graphs: a whole training step",
  run() {
    const eager = steps(false), graphed = steps(true);
    assertEquals(graphed, eager, "the same losses");
    assert(graphed.at(-1)! < graphed[0]!, "they fall");
  },
};

const refusals: DeviceCheck = {
  name: "CUDA graphs: waiting and random numbers are refused, and all goes on",
  run() {
    const x = torch.ones([4]).cuda(), g = new cuda.CUDAGraph();
    const waits = thrown(() => cuda.graph(g, () => x.sum().item()));
    assert(waits.includes("operation not permitted when stream is capturing"), waits);
    const draws = thrown(() => cuda.graph(new cuda.CUDAGraph(), () => nn.functional.dropout(x, 0.5, true)));
    assertEquals(draws, "random numbers are drawn on the host and cannot be part of a CUDA graph", "dropout");
    assert(!cuda.is_current_stream_capturing(), "over");
    assertEquals(x.sum().item(), 4, "usable");
  },
};

export const graphChecks: DeviceCheck[] = [replay, training, refusals];
