/** A variational autoencoder on digits: learns to draw new ones. See README.md. */
import * as torch from "../../src/mod.ts";
import type { Tensor } from "../../src/mod.ts";
import { ProgressBar } from "../../src/training/mod.ts";
import { readOptions, writeTo } from "../command_line.ts";

const { nn, optim, vision, utils: { data: { DataLoader, TensorDataset } } } = torch;
const F = nn.functional;

const options = readOptions(
  "Trains a variational autoencoder on digits and writes pictures of what it draws.",
  {
    epochs: { kind: "int", value: "N", default: 8, min: 1, help: "passes over the digits" },
    count: { kind: "int", value: "N", default: 12_000, min: 64, help: "digits to learn from" },
    batch: { kind: "int", value: "N", default: 128, min: 1, help: "digits in a step" },
    latent: { kind: "int", value: "N", default: 12, min: 2, help: "numbers that describe a digit" },
    hidden: { kind: "int", value: "N", default: 400, min: 1, help: "units of the hidden layers" },
    lr: { kind: "number", value: "X", default: 1e-3, min: 0, help: "learning rate" },
    seed: { kind: "int", value: "N", default: 1, help: "of the weights, the order and the samples" },
    out: { kind: "text", value: "FOLDER", default: "build/vae_digits", help: "where the pictures go" },
  },
);

class VAE extends nn.Module {
  encoder = new nn.Sequential(
    new nn.Flatten(),
    new nn.Linear(784, options.hidden),
    new nn.ReLU(),
    new nn.Linear(options.hidden, 2 * options.latent),
  );
  decoder = new nn.Sequential(
    new nn.Linear(options.latent, options.hidden),
    new nn.ReLU(),
    new nn.Linear(options.hidden, 784),
    new nn.Unflatten(1, [1, 28, 28]),
  );

  /** Logits of the pixels, mean and log variance of the description. */
  override forward(x: Tensor): [Tensor, Tensor, Tensor] {
    const [mean, logVariance] = (this.encoder(x) as Tensor).chunk(2, 1) as unknown as [Tensor, Tensor];
    const z = mean.add(torch.randn_like(mean).mul(logVariance.mul(0.5).exp()));
    return [this.decoder(z) as Tensor, mean, logVariance];
  }
}

/** Pictures (N, 1, 28, 28) side by side, `columns` to a row, as a PNG. */
function sheet(pictures: Tensor, columns: number): Uint8Array {
  const rows = pictures.size(0) / columns;
  const padded = F.pad(pictures, [1, 1, 1, 1], { value: 0.25 });
  const side = padded.size(-1);
  const whole = padded.view(rows, columns, side, side).permute(0, 2, 1, 3).reshape(
    rows * side,
    columns * side,
  );
  const bytes = whole.clamp(0, 1).mul(255).round().to(torch.uint8).to_typed_array() as Uint8Array;
  return vision.encodePng(new vision.Image(columns * side, rows * side, "L", bytes));
}

torch.manual_seed(options.seed);
const pixels = (train: boolean, count: number): Tensor =>
  new vision.datasets.SyntheticDigits({ train, count }).data.unsqueeze(1).float().div(255);
const loader = new DataLoader(new TensorDataset(pixels(true, options.count)), {
  batch_size: options.batch,
  shuffle: true,
});
const unseen = pixels(false, 64);
const model = new VAE();
const optimizer = new optim.Adam(model.parameters(), { lr: options.lr });

/** What is lost in a picture, and how far descriptions are from a standard normal distribution: nats per digit. */
function lossOf(x: Tensor): Tensor {
  const [logits, mean, logVariance] = model(x);
  const lost = F.binary_cross_entropy_with_logits(logits, x, { reduction: "sum" });
  const far = mean.pow(2).add(logVariance.exp()).sub(1).sub(logVariance).sum().mul(0.5);
  return lost.add(far).div(x.size(0));
}

for (let epoch = 1; epoch <= options.epochs; epoch++) {
  let total = 0, seen = 0;
  using progress = new ProgressBar({
    label: `epoch ${epoch}/${options.epochs}`,
    total: options.count,
    unit: "digits",
  });
  for (const [x] of loader as Iterable<[Tensor]>) {
    optimizer.zero_grad();
    const loss = lossOf(x);
    loss.backward();
    optimizer.step();
    total += (loss.item() as number) * x.size(0);
    seen += x.size(0);
    progress.update(x.size(0), { loss: (total / seen).toFixed(2) });
  }
  const test = torch.no_grad(() => lossOf(unseen)).item() as number;
  progress.finish();
  console.log(
    `epoch ${epoch}: ${(total / seen).toFixed(2)} nats per digit, ${test.toFixed(2)} for unseen ones`,
  );
}

model.eval();
torch.no_grad(() => {
  const z = torch.randn(80, options.latent);
  writeTo(`${options.out}/samples.png`, sheet((model.decoder(z) as Tensor).sigmoid(), 16));
  const some = unseen.narrow(0, 0, 16);
  writeTo(`${options.out}/reconstructions.png`, sheet(torch.cat([some, model(some)[0].sigmoid()]), 16));
  // From one digit to another, through the space of descriptions.
  const ends = (model.encoder(unseen.narrow(0, 0, 10)) as Tensor).narrow(1, 0, options.latent);
  const steps = torch.linspace(0, 1, 16).view(1, -1, 1);
  const path = torch.lerp(ends.narrow(0, 0, 5).unsqueeze(1), ends.narrow(0, 5, 5).unsqueeze(1), steps);
  writeTo(`${options.out}/between.png`, sheet((model.decoder(path.flatten(0, 1)) as Tensor).sigmoid(), 16));
});
