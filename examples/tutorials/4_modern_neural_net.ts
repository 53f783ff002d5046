/** Reads digits with rectified units, dropout and Adam. */
import * as torch from "../../src/mod.ts";
import { fit } from "./training.ts";

const { nn, optim } = torch;

torch.manual_seed(42);
const model = new nn.Sequential(
  new nn.Linear(784, 512),
  new nn.ReLU(),
  new nn.Dropout(0.2),
  new nn.Linear(512, 512),
  new nn.ReLU(),
  new nn.Dropout(0.2),
  new nn.Linear(512, 10),
);
fit(model, new optim.Adam(model.parameters()), 3);
