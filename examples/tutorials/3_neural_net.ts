/** Reads digits with one hidden layer. */
import * as torch from "../../src/mod.ts";
import { fit } from "./training.ts";

const { nn, optim } = torch;

torch.manual_seed(42);
const model = new nn.Sequential({
  linear_1: new nn.Linear(784, 512, { bias: false }),
  sigmoid_1: new nn.Sigmoid(),
  linear_2: new nn.Linear(512, 10, { bias: false }),
});
fit(model, new optim.SGD(model.parameters(), { lr: 0.05, momentum: 0.9 }), 5);
