/** Reads digits with convolutions. */
import * as torch from "../../src/mod.ts";
import type { Tensor } from "../../src/mod.ts";
import { fit } from "./training.ts";

const { nn, optim } = torch;

class ConvNet extends nn.Module {
  conv = new nn.Sequential(
    new nn.Conv2d(1, 10, 5), // (N, 10, 24, 24)
    new nn.MaxPool2d(2), // (N, 10, 12, 12)
    new nn.ReLU(),
    new nn.Conv2d(10, 20, 5), // (N, 20, 8, 8)
    new nn.Dropout(),
    new nn.MaxPool2d(2), // (N, 20, 4, 4)
    new nn.ReLU(),
  );
  fc = new nn.Sequential(
    new nn.Linear(320, 50),
    new nn.ReLU(),
    new nn.Dropout(),
    new nn.Linear(50, 10),
  );

  override forward(x: Tensor): Tensor {
    return this.fc(this.conv(x).flatten(1));
  }
}

torch.manual_seed(42);
const model = new ConvNet();
fit(model, new optim.SGD(model.parameters(), { lr: 0.05, momentum: 0.9 }), 3, [1, 28, 28]);
