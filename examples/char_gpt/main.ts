/** Trains a small GPT letter by letter on made-up tales, from scratch, and lets it tell one. See README.md. */
import { readFileSync } from "node:fs";
import * as torch from "../../src/mod.ts";
import type { Tensor } from "../../src/mod.ts";
import { ProgressBar } from "../../src/training/mod.ts";
import { readOptions, writeTo } from "../command_line.ts";
import { tales } from "./tales.ts";

const { nn, optim } = torch;
const F = nn.functional;

const options = readOptions("Trains a character-level GPT and writes what it says.", {
  steps: { kind: "int", value: "N", default: 600, min: 1, help: "training steps" },
  batch: { kind: "int", value: "N", default: 16, min: 1, help: "sequences in a step" },
  context: { kind: "int", value: "N", default: 64, min: 4, help: "letters that the model looks back" },
  width: { kind: "int", value: "N", default: 64, min: 4, help: "numbers for each letter" },
  heads: { kind: "int", value: "N", default: 4, min: 1, help: "attention heads" },
  layers: { kind: "int", value: "N", default: 2, min: 1, help: "transformer blocks" },
  lr: { kind: "number", value: "X", default: 1e-2, min: 0, help: "largest learning rate" },
  seed: { kind: "int", value: "N", default: 1, help: "of the weights, the batches and the tale" },
  text: { kind: "text", value: "FILE", default: null, help: "a text to learn instead of the tales" },
  letters: { kind: "int", value: "N", default: 600, min: 1, help: "letters to write at the end" },
  temperature: { kind: "number", value: "X", default: 0.5, min: 0.01, help: "how freely it writes" },
  out: { kind: "text", value: "FILE", default: null, help: "where to write what it says" },
});

const text = options.text === null ? tales(200_000, 7) : readFileSync(options.text, "utf8");
const letters = [...new Set(text)].sort();
const encode = (s: string): Tensor => torch.LongTensor([...s].map((c) => letters.indexOf(c)));
const held = Math.floor(text.length * 0.9); // the last tenth is only to test with
const train = encode(text.slice(0, held)), test = encode(text.slice(held));

class Attention extends nn.Module {
  qkv = new nn.Linear(options.width, 3 * options.width);
  out = new nn.Linear(options.width, options.width);

  override forward(x: Tensor): Tensor {
    const [n, t, width] = x.shape as unknown as [number, number, number], heads = options.heads;
    const [q, k, v] = this.qkv(x).view(n, t, 3, heads, width / heads).permute(2, 0, 3, 1, 4).unbind(0);
    const y = F.scaled_dot_product_attention(q!, k!, v!, { is_causal: true }); // (n, heads, t, width / heads)
    return this.out(y.transpose(1, 2).reshape(n, t, width));
  }
}

class Block extends nn.Module {
  norm1 = new nn.LayerNorm(options.width);
  attention = new Attention();
  norm2 = new nn.LayerNorm(options.width);
  mlp = new nn.Sequential(
    new nn.Linear(options.width, 4 * options.width),
    new nn.GELU(),
    new nn.Linear(4 * options.width, options.width),
  );

  override forward(x: Tensor): Tensor {
    x = x.add(this.attention(this.norm1(x)));
    return x.add(this.mlp(this.norm2(x)));
  }
}

class GPT extends nn.Module {
  letters = new nn.Embedding(letters.length, options.width);
  positions = new nn.Embedding(options.context, options.width);
  blocks = new nn.Sequential(...Array.from({ length: options.layers }, () => new Block()));
  norm = new nn.LayerNorm(options.width);
  head = new nn.Linear(options.width, letters.length);

  /** (N, T) letters to (N, T, letters) logits of what comes next. */
  override forward(x: Tensor): Tensor {
    const y = this.letters(x).add(this.positions(torch.arange(x.size(1))));
    return this.head(this.norm(this.blocks(y) as Tensor));
  }
}

/** Sequences from random places, and the same one letter later. */
function batch(from: Tensor): [Tensor, Tensor] {
  const starts = torch.randint(0, from.size(0) - options.context - 1, [options.batch]);
  const at = starts.unsqueeze(1).add(torch.arange(options.context));
  return [from.index(at), from.index(at.add(1))];
}
const lossOf = ([x, y]: [Tensor, Tensor]): Tensor => F.cross_entropy(model(x).flatten(0, 1), y.flatten());

torch.manual_seed(options.seed);
const model = new GPT();
const parameters = [...model.parameters()].reduce((n, p) => n + p.numel(), 0);
console.log(`${letters.length} letters, ${parameters} parameters, a text of ${text.length} letters`);
const optimizer = new optim.AdamW(model.parameters(), { lr: options.lr });
const schedule = new optim.lr_scheduler.OneCycleLR(optimizer, {
  max_lr: options.lr,
  total_steps: options.steps,
});

const every = Math.max(1, Math.floor(options.steps / 8));
{
  using progress = new ProgressBar({ label: "training", total: options.steps, unit: "steps" });
  for (let step = 1; step <= options.steps; step++) {
    optimizer.zero_grad();
    const loss = lossOf(batch(train));
    loss.backward();
    nn.utils.clip_grad_norm_(model.parameters(), 1);
    optimizer.step();
    schedule.step();
    progress.update(1, { loss: (loss.item() as number).toFixed(3) });
    if (step % every === 0 || step === options.steps) {
      const unseen = torch.no_grad(() => lossOf(batch(test))).item() as number;
      console.log(
        `step ${step}: loss ${(loss.item() as number).toFixed(4)}, on unseen text ${unseen.toFixed(4)}`,
      );
    }
  }
}

model.eval();
let written = "\n";
torch.no_grad(() => {
  while (written.length <= options.letters) {
    const logits = model(encode(written.slice(-options.context)).unsqueeze(0)).select(1, -1);
    written += letters[torch.multinomial(logits.div(options.temperature).softmax(-1), 1).item() as number];
  }
});
written = written.trimStart();
console.log(`\n${written}`);
if (options.out !== null) writeTo(options.out, `${written}\n`);
