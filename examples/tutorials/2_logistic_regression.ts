/** Reads digits with one linear layer. */
import * as torch from "../../src/mod.ts";
import { fit } from "./training.ts";

const { nn, optim } = torch;

torch.manual_seed(42);
const model = new nn.Sequential({ linear: new nn.Linear(784, 10, { bias: false }) });
fit(model, new optim.SGD(model.parameters(), { lr: 0.01, momentum: 0.9 }), 5);
