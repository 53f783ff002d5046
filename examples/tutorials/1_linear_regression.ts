/** Finds the slope of a noisy line by gradient descent. */
import * as torch from "../../src/mod.ts";

const { nn, optim } = torch;

torch.manual_seed(42);
const X = torch.linspace(-1, 1, 101);
const Y = X.mul(2).add(torch.randn(X.size()).mul(0.33)); // y = 2 x, and noise

const model = new nn.Sequential({ linear: new nn.Linear(1, 1, { bias: false }) });
const loss = new nn.MSELoss();
const optimizer = new optim.SGD(model.parameters(), { lr: 0.01, momentum: 0.9 });
const batchSize = 10, batches = Math.floor(X.size(0) / batchSize);

for (let epoch = 1; epoch <= 100; epoch++) {
  let cost = 0;
  for (let k = 0; k < batches; k++) {
    const x = X.narrow(0, k * batchSize, batchSize), y = Y.narrow(0, k * batchSize, batchSize);
    optimizer.zero_grad();
    const output = loss(model(x.view(-1, 1)).squeeze(), y);
    output.backward();
    optimizer.step();
    cost += output.item() as number;
  }
  if (epoch % 20 === 0) console.log(`Epoch = ${epoch}, cost = ${(cost / batches).toFixed(4)}`);
}
const [w] = model.parameters();
console.log(`w = ${(w!.item() as number).toFixed(2)}`); // should be about 2
