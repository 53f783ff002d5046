/**
 * Trains a network to read handwritten digits: `deno run -A train_mnist.ts --help`.
 *
 * The defaults are PyTorch's MNIST tutorial, and give its losses: the same seed draws the same weights and the same shuffles.
 */
import * as torch from "./src/mod.ts";
import { commandLine, isMain, onInterrupt, setExitCode, stderr, stdout } from "./src/base/env.ts";
import { writeFileAtomic } from "./src/base/fs.ts";
import { chartPng, chartSvg, ConfusionMatrix, drawImages, ProgressBar } from "./src/training/mod.ts";
import { type Digits, findDigits } from "./src/training/mnist_data.ts";
import {
  describeOptions,
  type OptionTable,
  type OptionValues,
  parseOptions,
  UsageError,
} from "./src/training/options.ts";

const { nn, optim, vision: { transforms } } = torch;
const { DataLoader } = torch.utils.data;
const F = nn.functional;
type Tensor = torch.Tensor;

const OPTIONS = {
  epochs: { kind: "int", value: "N", default: 2, min: 1, help: "passes over the training data" },
  "batch-size": { kind: "int", value: "N", default: 32, min: 1, help: "samples per step" },
  model: { kind: "choice", choices: ["mlp", "cnn"], default: "mlp", help: "784-128-10, or two convolutions" },
  optimizer: { kind: "choice", choices: ["sgd", "adam", "adamw"], default: "sgd", help: "how to step" },
  lr: {
    kind: "number",
    value: "X",
    default: null,
    min: 0,
    help: "learning rate (default: 0.01 for sgd, else 0.001)",
  },
  momentum: { kind: "number", value: "X", default: null, min: 0, help: "of sgd (default: 0.9)" },
  seed: { kind: "int", value: "N", default: 42, min: 0, help: "of weights, shuffles and drawn digits" },
  device: { kind: "choice", choices: ["auto", "cpu", "cuda"], default: "auto", help: "where to compute" },
  threads: { kind: "int", value: "N", default: null, min: 1, help: "of the CPU (default: all)" },
  data: {
    kind: "text",
    value: "DIR",
    default: null,
    help: "folder with MNIST/raw (default: $TSTORCH_DATA, ./data, ../shared/data)",
  },
  download: { kind: "flag", help: "download MNIST if it is missing" },
  synthetic: { kind: "flag", help: "draw digits instead" },
  limit: { kind: "int", value: "N", default: null, min: 1, help: "use only the first N pictures" },
  save: { kind: "text", value: "FILE", default: "mnist.pth", help: "checkpoint, written after every epoch" },
  resume: { kind: "text", value: "FILE", default: null, help: "go on with a checkpoint" },
  plot: {
    kind: "text",
    value: "FILE",
    default: "mnist_loss.svg",
    help: "picture of the losses, .svg or .png",
  },
  help: { kind: "flag", help: "show this" },
} as const satisfies OptionTable;
type Options = OptionValues<typeof OPTIONS>;

/** The tutorial's network. */
class MLP extends nn.Module {
  fc1 = new nn.Linear(28 * 28, 128);
  fc2 = new nn.Linear(128, 10);

  override forward(x: Tensor): Tensor {
    return this.fc2(F.relu(this.fc1(x.view(-1, 28 * 28))));
  }
}

class CNN extends nn.Module {
  conv1 = new nn.Conv2d(1, 16, 3, { padding: 1 });
  conv2 = new nn.Conv2d(16, 32, 3, { padding: 1 });
  dropout = new nn.Dropout(0.25);
  fc1 = new nn.Linear(32 * 7 * 7, 128);
  fc2 = new nn.Linear(128, 10);

  override forward(x: Tensor): Tensor {
    x = F.max_pool2d(F.relu(this.conv1(x)), 2); // (N, 16, 14, 14)
    x = F.max_pool2d(F.relu(this.conv2(x)), 2); // (N, 32, 7, 7)
    return this.fc2(this.dropout(F.relu(this.fc1(x.flatten(1)))));
  }
}

/** Everything that a run's future depends on; saved and restored as a whole, so that a resumed run has the same numbers. */
interface Checkpoint {
  /** Options that may not change on the way. */
  setup: Setup;
  /** Finished epochs, and finished steps of the one after them. */
  epoch: number;
  step: number;
  model_state_dict: Map<string, Tensor>;
  optimizer_state_dict: unknown;
  /** The random generator when the epoch began (it drew the shuffle), and now. */
  rng_epoch: Tensor;
  rng: Tensor;
  losses: Tensor;
  accuracies: number[];
}
const SETUP = ["model", "optimizer", "lr", "momentum", "batch-size", "seed", "limit"] as const;
type Setup = Pick<Options, typeof SETUP[number]> & { data: Digits["kind"] };

/** A training run: its data, its network, and how far it is. */
class Run {
  readonly options: Options;
  readonly digits: Digits;
  readonly device: string;
  readonly net: MLP | CNN;
  readonly optimizer: InstanceType<typeof optim.Optimizer>;
  epoch = 0;
  step = 0;
  losses: number[] = [];
  accuracies: number[] = [];
  #rngEpoch: Tensor = torch.get_rng_state();
  /** Set by Ctrl-C: stop after this step. */
  interrupted = false;

  constructor(options: Options, digits: Digits, device: string) {
    this.options = options;
    this.digits = digits;
    this.device = device;
    torch.manual_seed(options.seed);
    this.net = (options.model === "mlp" ? new MLP() : new CNN()).to(device);
    const { lr, momentum } = options, parameters = this.net.parameters();
    if (options.optimizer === "sgd") {
      this.optimizer = new optim.SGD(parameters, { lr: lr!, momentum: momentum! });
    } else {this.optimizer = new optim[options.optimizer === "adam" ? "Adam" : "AdamW"](parameters, {
        lr: lr!,
      });}
  }

  /** What must be the same when a run goes on. */
  get setup(): Setup {
    return { ...pick(this.options, SETUP), data: this.digits.kind };
  }

  save(path: string): void {
    const checkpoint: Checkpoint = {
      setup: this.setup,
      epoch: this.epoch,
      step: this.step,
      model_state_dict: this.net.state_dict(),
      optimizer_state_dict: this.optimizer.state_dict(),
      rng_epoch: this.#rngEpoch,
      rng: torch.get_rng_state(),
      losses: torch.tensor(this.losses, { dtype: torch.float64 }),
      accuracies: this.accuracies,
    };
    torch.save(checkpoint, path);
  }

  /** Takes over where a checkpoint stands. */
  restore(checkpoint: Checkpoint): void {
    this.net.load_state_dict(checkpoint.model_state_dict);
    this.optimizer.load_state_dict(
      checkpoint.optimizer_state_dict as Parameters<typeof this.optimizer.load_state_dict>[0],
    );
    this.epoch = checkpoint.epoch;
    this.step = checkpoint.step;
    this.losses = checkpoint.losses.tolist() as number[];
    this.accuracies = checkpoint.accuracies;
    this.#rngEpoch = checkpoint.rng_epoch;
    torch.set_rng_state(checkpoint.rng);
  }

  /** Goes on with the current epoch to its end; false if Ctrl-C came before. */
  async trainEpoch(): Promise<boolean> {
    const { net, optimizer, device, options } = this, batch = options["batch-size"];
    const loader = new DataLoader(this.digits.train, { batch_size: batch, shuffle: true }) as AsyncIterable<
      [Tensor, Tensor]
    >;
    // A resumed epoch draws its shuffle as it did the first time, then leaves out the steps that are done.
    const resumed = this.step > 0 ? torch.get_rng_state() : null;
    if (resumed !== null) torch.set_rng_state(this.#rngEpoch);
    else this.#rngEpoch = torch.get_rng_state();

    const label = `epoch ${this.epoch + 1}/${options.epochs}`, total = this.digits.train.length;
    using progress = new ProgressBar({ label, total, unit: "samples" });
    let skip = this.step, mean = NaN;
    if (skip > 0) progress.update(skip * batch);
    for await (const [x, y] of loader) { // asynchronous, so that Ctrl-C is noticed
      if (skip > 0) {
        skip--;
        if (skip === 0) torch.set_rng_state(resumed!);
        continue;
      }
      if (this.interrupted) return false;
      optimizer.zero_grad();
      const loss = F.cross_entropy(net(x.to(device)), y.to(device));
      loss.backward();
      optimizer.step();
      const value = loss.item() as number;
      this.step++;
      if (!Number.isFinite(value)) throw new Diverged(this.epoch + 1, this.step, value, options.lr!);
      this.losses.push(value);
      mean = Number.isNaN(mean) ? value : 0.98 * mean + 0.02 * value;
      progress.update(y.shape[0]!, { loss: mean.toFixed(4) });
    }
    const { seconds } = progress,
      steps = this.losses.slice(-this.step),
      average = steps.reduce((a, b) => a + b, 0) / steps.length;
    const { accuracy } = this.evaluate();
    this.accuracies.push(accuracy);
    this.epoch++;
    this.step = 0;
    progress.finish();
    stdout.write(
      `${label}  loss ${average.toFixed(4)}  test accuracy ${(100 * accuracy).toFixed(2)} %  ${
        seconds.toFixed(1)
      } s\n`,
    );
    return true;
  }

  /** Share of right answers on the test pictures, and which digits were taken for which. */
  evaluate(): { accuracy: number; matrix: ConfusionMatrix; predictions: number[] } {
    const { net, device } = this, matrix = new ConfusionMatrix(10), predictions: number[] = [];
    net.eval();
    torch.no_grad(() => {
      for (
        const [x, y] of new DataLoader(this.digits.test, { batch_size: 1000 }) as Iterable<[Tensor, Tensor]>
      ) {
        const predicted = net(x.to(device)).argmax(1).tolist() as number[];
        matrix.update(y.tolist() as number[], predicted);
        predictions.push(...predicted);
      }
    });
    net.train();
    return { accuracy: matrix.accuracy, matrix, predictions };
  }

  /** Shows what the network has learned. */
  report(): void {
    const { matrix, predictions } = this.evaluate(), { test } = this.digits;
    stdout.write(`\n${matrix}\n\n`);
    const truth = test.targets.tolist() as number[], first = [0, 1, 2, 3, 4].slice(0, truth.length);
    const wrong = truth.map((_, i) => i).filter((i) => predictions[i] !== truth[i] && !first.includes(i))
      .slice(0, 5);
    const shown = [...first, ...wrong].map((i) => ({
      image: test.image(i),
      caption: predictions[i] === truth[i] ? `${truth[i]}: right` : `${truth[i]} taken for ${predictions[i]}`,
    }));
    stdout.write(`${drawImages(shown, { color: stdout.hasColor, columns: stdout.columns })}\n\n`);
  }

  plot(path: string): void {
    const smooth: number[] = [];
    for (const loss of this.losses) {
      smooth.push(smooth.length === 0 ? loss : 0.98 * smooth.at(-1)! + 0.02 * loss);
    }
    const series = [{ name: "loss of a batch", y: this.losses, color: "#9ecae1" }, {
      name: "smoothed",
      y: smooth,
    }];
    const look = {
      title: `${this.options.model}, ${this.options.optimizer}`,
      xLabel: "step",
      yLabel: "loss",
    };
    const bytes = path.endsWith(".png")
      ? chartPng(series, look)
      : new TextEncoder().encode(chartSvg(series, look));
    writeFileAtomic(path, (write) => write(bytes));
  }
}

/** The loss is no number any more. */
class Diverged extends Error {
  constructor(epoch: number, step: number, loss: number, lr: number) {
    super(`the loss became ${loss} in epoch ${epoch}, step ${step}: try a smaller --lr (it is ${lr})`);
  }
}

function pick<T, K extends keyof T>(from: T, keys: readonly K[]): Pick<T, K> {
  return Object.fromEntries(keys.map((key) => [key, from[key]])) as Pick<T, K>;
}

/** Reads the command line; the options that a checkpoint fixes come from there. Throws a UsageError for what cannot be. */
function readOptions(args: readonly string[]): { options: Options; checkpoint: Checkpoint | null } {
  const { values: options, given } = parseOptions(OPTIONS, args);
  if (options.help) return { options, checkpoint: null };
  if (options.synthetic && (options.data !== null || options.download)) {
    throw new UsageError("--synthetic goes with neither --data nor --download");
  }
  if (!/\.(svg|png)$/.test(options.plot)) {
    throw new UsageError(`--plot: expected a name that ends with .svg or .png, but got '${options.plot}'`);
  }
  let checkpoint: Checkpoint | null = null;
  if (options.resume !== null) {
    try {
      checkpoint = torch.load<Checkpoint>(options.resume, { map_location: "cpu" });
    } catch (error) {
      throw new UsageError(`--resume: ${error instanceof Error ? error.message : error}`);
    }
    const { setup } = checkpoint;
    if (setup === undefined || checkpoint.rng === undefined) {
      throw new UsageError(`--resume: ${options.resume} is no checkpoint of this program`);
    }
    for (const key of SETUP) {
      if (given.has(key) && options[key] !== setup[key]) {
        throw new UsageError(
          `--${key} ${options[key]} does not go with ${options.resume}, which was made with ${setup[key]}`,
        );
      }
    }
    if (options.synthetic && setup.data !== "synthetic") {
      throw new UsageError(`--synthetic does not go with ${options.resume}, which was made with MNIST`);
    }
    Object.assign(options, pick(setup, SETUP), { synthetic: setup.data === "synthetic" });
    if (!given.has("save")) options.save = options.resume;
    if (checkpoint.epoch >= options.epochs) {
      throw new UsageError(
        `--epochs ${options.epochs}: ${options.resume} has been trained for ${checkpoint.epoch} already`,
      );
    }
  }
  if (options.optimizer !== "sgd" && options.momentum !== null) {
    throw new UsageError(`--momentum goes with --optimizer sgd, not ${options.optimizer}`);
  }
  options.lr ??= options.optimizer === "sgd" ? 0.01 : 0.001;
  if (options.optimizer === "sgd") options.momentum ??= 0.9;
  return { options, checkpoint };
}

function chooseDevice(wanted: Options["device"]): string {
  const available = torch.cuda.is_available();
  if (wanted === "cuda" && !available) {
    throw new UsageError("--device cuda: there is no CUDA device that can be used");
  }
  return wanted !== "cpu" && available ? "cuda" : "cpu";
}

async function train(options: Options, checkpoint: Checkpoint | null): Promise<number> {
  const say = (line: string): void => stderr.write(`${line}\n`), device = chooseDevice(options.device);
  if (options.threads !== null) torch.set_num_threads(options.threads);
  const transform = new transforms.Compose([
    new transforms.ToTensor(),
    new transforms.Normalize([0.5], [0.5]),
  ]);
  const digits = findDigits({
    ...pick(options, ["data", "synthetic", "download", "seed", "limit"]),
    transform,
    log: say,
  });
  if (checkpoint !== null && checkpoint.setup.data !== digits.kind) {
    throw new UsageError(
      `${options.resume} was made with ${checkpoint.setup.data} digits, which are not here`,
    );
  }
  const run = new Run(options, digits, device);
  if (checkpoint !== null) run.restore(checkpoint);
  const stopListening = onInterrupt(() => {
    run.interrupted = true;
    stopListening(); // a second Ctrl-C ends the program at once
  });
  say(`${digits.train.length} pictures to train with, ${digits.test.length} to test with, on ${device}`);
  say(String(run.net));
  try {
    while (run.epoch < options.epochs) {
      if (!await run.trainEpoch()) {
        run.save(options.save);
        say(
          `\nInterrupted in epoch ${
            run.epoch + 1
          } after step ${run.step}. Go on with --resume ${options.save}`,
        );
        return 130;
      }
      run.save(options.save);
    }
  } finally {
    stopListening();
  }
  run.report();
  run.plot(options.plot);
  stdout.write(`Saved ${options.save} and ${options.plot}\n`);
  return 0;
}

/** Runs the program and returns its exit status: 0, 1 after a failure, 2 for a wrong command line, 130 after Ctrl-C. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const { options, checkpoint } = readOptions(args);
    if (options.help) {
      stdout.write(
        `Trains a network to read handwritten digits.\n\nUsage: deno run -A train_mnist.ts [options]\n\n${
          describeOptions(OPTIONS)
        }\n`,
      );
      return 0;
    }
    return await train(options, checkpoint);
  } catch (error) {
    const usage = error instanceof UsageError;
    stderr.write(
      `train_mnist: ${error instanceof Error ? error.message : error}\n${usage ? "See --help.\n" : ""}`,
    );
    return usage ? 2 : 1;
  }
}

if (isMain(import.meta)) setExitCode(await main(commandLine()));
