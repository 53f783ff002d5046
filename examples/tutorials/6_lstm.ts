/** Reads digits row by row with a recurrent network. */
import * as torch from "../../src/mod.ts";
import type { Tensor } from "../../src/mod.ts";
import { fit } from "./training.ts";

const { nn, optim } = torch;

class LSTMNet extends nn.Module {
  lstm: InstanceType<typeof nn.LSTM>;
  linear: InstanceType<typeof nn.Linear>;

  constructor(inputs: number, hidden: number, outputs: number) {
    super();
    this.lstm = new nn.LSTM(inputs, hidden, { batch_first: true });
    this.linear = new nn.Linear(hidden, outputs, { bias: false });
  }

  override forward(x: Tensor): Tensor {
    const [states] = this.lstm(x); // (N, 28, hidden)
    return this.linear(states.select(1, -1)); // of the last row
  }
}

torch.manual_seed(42);
const model = new LSTMNet(28, 128, 10);
fit(model, new optim.Adam(model.parameters(), { lr: 0.01 }), 3, [28, 28]);
