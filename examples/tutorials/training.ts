/** What the tutorials on digits share: one step, and epochs over batches of 100. */
import * as torch from "../../src/mod.ts";
import type { Tensor } from "../../src/mod.ts";
import { loadDigits } from "./digits.ts";

const { nn } = torch;
type Module = InstanceType<typeof nn.Module>;
type Optimizer = InstanceType<typeof torch.optim.Optimizer>;

/** One step on one batch; returns the loss. */
function step(model: Module, loss: Module, optimizer: Optimizer, x: Tensor, y: Tensor): number {
  model.train();
  optimizer.zero_grad(); // Reset the gradients
  const output = loss(model(x), y); // Forward
  output.backward(); // Backward
  optimizer.step(); // Update the parameters
  return output.item();
}

function predict(model: Module, x: Tensor): Tensor {
  model.eval();
  return torch.no_grad(() => model(x).argmax(1));
}

/** Trains `model` on digits, each of the given shape, and prints cost and accuracy after every epoch. */
export function fit(
  model: Module,
  optimizer: Optimizer,
  epochs: number,
  shape: readonly number[] = [784],
): void {
  const digits = loadDigits(), { trainY, testY } = digits;
  const trainX = digits.trainX.view(-1, ...shape), testX = digits.testX.view(-1, ...shape);
  const loss = new nn.CrossEntropyLoss();
  const batchSize = 100, batches = Math.floor(trainX.size(0) / batchSize);
  for (let epoch = 1; epoch <= epochs; epoch++) {
    let cost = 0;
    for (let k = 0; k < batches; k++) {
      const at = k * batchSize;
      cost += step(model, loss, optimizer, trainX.narrow(0, at, batchSize), trainY.narrow(0, at, batchSize));
    }
    const accuracy = predict(model, testX).eq(testY).float().mean().item() as number;
    console.log(
      `Epoch ${epoch}, cost = ${(cost / batches).toFixed(4)}, acc = ${(100 * accuracy).toFixed(2)}%`,
    );
  }
}
