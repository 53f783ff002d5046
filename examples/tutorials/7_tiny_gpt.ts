/** Learns a poem letter by letter with a small transformer, then writes from memory. */
import * as torch from "../../src/mod.ts";
import type { Tensor } from "../../src/mod.ts";

const { nn, optim } = torch;
const F = nn.functional;

const TEXT = `Tyger Tyger, burning bright,
In the forests of the night;
What immortal hand or eye,
Could frame thy fearful symmetry?

In what distant deeps or skies,
Burnt the fire of thine eyes?
On what wings dare he aspire?
What the hand, dare seize the fire?
`; // William Blake, 1794
const letters = [...new Set(TEXT)].sort();
const encode = (text: string) => torch.LongTensor([...text].map((c) => letters.indexOf(c)));

const CONTEXT = 32, WIDTH = 64, HEADS = 4;

class Block extends nn.Module {
  norm1 = new nn.LayerNorm(WIDTH);
  attention = new nn.MultiheadAttention(WIDTH, HEADS, { batch_first: true });
  norm2 = new nn.LayerNorm(WIDTH);
  mlp = new nn.Sequential(new nn.Linear(WIDTH, 4 * WIDTH), new nn.GELU(), new nn.Linear(4 * WIDTH, WIDTH));

  override forward(x: Tensor, mask: Tensor): Tensor {
    const y = this.norm1(x);
    x = x.add(this.attention(y, y, y, { attn_mask: mask, need_weights: false })[0]);
    return x.add(this.mlp(this.norm2(x)));
  }
}

class GPT extends nn.Module {
  letters = new nn.Embedding(letters.length, WIDTH);
  positions = new nn.Embedding(CONTEXT, WIDTH);
  blocks = new nn.ModuleList([new Block(), new Block()]);
  norm = new nn.LayerNorm(WIDTH);
  head = new nn.Linear(WIDTH, letters.length);

  /** Logits (N, T, letters) of what comes after each of the letters (N, T). */
  override forward(text: Tensor): Tensor {
    const length = text.size(1), mask = nn.Transformer.generate_square_subsequent_mask(length);
    let x = this.letters(text).add(this.positions(torch.arange(length)));
    for (const block of this.blocks) x = block(x, mask);
    return this.head(this.norm(x));
  }
}

torch.manual_seed(1);
const model = new GPT();
const optimizer = new optim.AdamW(model.parameters(), { lr: 1e-2 });
const schedule = new optim.lr_scheduler.OneCycleLR(optimizer, { max_lr: 1e-2, total_steps: 200 });
const poem = encode(TEXT);
for (let step = 1; step <= 200; step++) {
  const starts = torch.randint(0, TEXT.length - CONTEXT - 1, [16]).tolist() as number[];
  const x = torch.stack(starts.map((s) => poem.narrow(0, s, CONTEXT)));
  const y = torch.stack(starts.map((s) => poem.narrow(0, s + 1, CONTEXT)));
  optimizer.zero_grad();
  const loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten());
  loss.backward();
  nn.utils.clip_grad_norm_(model.parameters(), 1);
  optimizer.step();
  schedule.step();
  if (step % 50 === 0) console.log(`Step ${step}, loss = ${(loss.item() as number).toFixed(4)}`);
}

model.eval();
let written = "Tyger";
torch.no_grad(() => {
  while (written.length < 150) {
    const logits = model(encode(written.slice(-CONTEXT)).unsqueeze(0)).select(1, -1);
    written += letters[torch.multinomial(logits.div(0.3).softmax(-1), 1).item() as number];
  }
});
console.log(written);
