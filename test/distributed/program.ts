/**
 * What `mpirun` starts: a program for Deno and Node. The first argument says what to do; every process leaves a JSON
 * file in the folder that the second one names. (mpirun mixes what several processes print.)
 */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import * as torch from "../../src/mod.ts";

const { distributed: dist, nn } = torch;
const [task, folder, device = "cpu"] = process.argv.slice(2);

/** Everything the processes can do together, with numbers that tell who sent what. */
function collectives(): unknown {
  const rank = dist.get_rank(), size = dist.get_world_size();
  const mine = (shape: number[], dtype = torch.float32) =>
    torch.arange(1, 1 + shape.reduce((a, b) => a * b, 1)).add(10 * rank).reshape(shape).to(dtype).to(device);
  const found: Record<string, unknown> = {};
  for (const op of ["SUM", "AVG", "PRODUCT", "MIN", "MAX"] as const) {
    const t = mine([2, 2]);
    dist.all_reduce(t, op);
    found[op] = t.tolist();
  }
  for (const dtype of ["float64", "float16", "bfloat16", "int64", "int32", "uint8", "bool"] as const) {
    const t = mine([3], torch[dtype]);
    dist.all_reduce(t);
    found[dtype] = t.double().tolist();
  }
  const sent = mine([3]);
  dist.broadcast(sent, size - 1);
  found["broadcast"] = sent.tolist();
  const reduced = mine([2]);
  dist.reduce(reduced, 1);
  found["reduce"] = reduced.tolist();
  const list = Array.from({ length: size }, () => torch.zeros([2]).to(device));
  dist.all_gather(list, mine([2]));
  found["all_gather"] = list.map((t) => t.tolist());
  const all = torch.zeros([2 * size]).to(device);
  dist.all_gather_into_tensor(all, mine([2]));
  found["all_gather_into_tensor"] = all.tolist();
  const gathered = rank === 0 ? list.map((t) => torch.zeros_like(t)) : null;
  dist.gather(mine([2]), gathered);
  found["gather"] = gathered?.map((t) => t.tolist()) ?? null;
  const part = torch.zeros([2]).to(device);
  dist.scatter(
    part,
    rank === 1 ? list.map((_, i) => torch.full([2], i + 5, { dtype: torch.float32 }).to(device)) : null,
    1,
  );
  found["scatter"] = part.tolist();
  dist.reduce_scatter(part, list.map((_, i) => mine([2]).add(100 * i)));
  found["reduce_scatter"] = part.tolist();
  dist.reduce_scatter_tensor(part, mine([2 * size]));
  found["reduce_scatter_tensor"] = part.tolist();
  dist.all_to_all(list, list.map((_, i) => mine([2]).add(100 * i)));
  found["all_to_all"] = list.map((t) => t.tolist());
  if (rank === 0) dist.send(mine([2]), 1);
  else {
    dist.recv(part, 0);
    found["recv"] = part.tolist();
  }
  const later = mine([100]), work = dist.all_reduce(later, "SUM", { async_op: true })!;
  work.wait();
  found["async"] = [work.is_completed(), later.sum().item()];
  const alone = dist.new_group([1]);
  found["group"] = alone === null ? null : [alone.rank(), alone.size()];
  dist.barrier();
  try {
    dist.all_reduce(torch.zeros([2, 2]).t().to(device));
  } catch (error) {
    found["error"] = (error as Error).message;
  }
  return found;
}

class Net extends nn.Module {
  a = new nn.Linear(6, 12);
  b = new nn.Linear(12, 3);
  /** Not used by every process. */
  spare = new nn.Linear(12, 3);
  useSpare = false;
  override forward(x: torch.Tensor): torch.Tensor {
    const h = this.a.call(x).relu();
    return this.useSpare ? this.b.call(h).add(this.spare.call(h)) : this.b.call(h);
  }
}

/** Trains on this process's share of every batch; alone, on the whole batch. */
function training(unused: boolean): unknown {
  const distributed = dist.is_initialized(), size = distributed ? dist.get_world_size() : 1;
  const rank = distributed ? dist.get_rank() : 0;
  torch.manual_seed(5);
  const x = torch.randn([24, 6]), y = torch.randint(0, 3, [24]);
  torch.manual_seed(100 + rank); // so that the weights differ until they are spread
  if (rank === 0) torch.manual_seed(7);
  const net = new Net().to(device);
  net.useSpare = unused && rank === size - 1 && distributed;
  if (!unused) net.spare.requires_grad_(false);
  const wrapped = distributed
    ? new nn.parallel.DistributedDataParallel(net, { bucket_cap_mb: 1e-4, find_unused_parameters: unused })
    : net;
  const optimizer = new torch.optim.SGD([...net.parameters()].filter((p) => p.requires_grad), {
    lr: 0.3,
    momentum: 0.9,
  });
  const losses: number[] = [];
  for (let step = 0; step < 6; step++) {
    const from = step % 2 * 12, share = 12 / size;
    const batch = x.narrow(0, from + rank * share, share).to(device),
      wanted = y.narrow(0, from + rank * share, share).to(device);
    optimizer.zero_grad();
    const loss = nn.functional.cross_entropy(wrapped.call(batch) as torch.Tensor, wanted);
    loss.backward();
    optimizer.step();
    losses.push(loss.item() as number);
  }
  return {
    losses,
    weights: [...net.parameters()].map((p) => p.detach().reshape([-1]).cpu().tolist()).flat(),
  };
}

function run(): unknown {
  if (task === "alone") return training(false);
  dist.init_process_group("mpi");
  switch (task) {
    case "collectives":
      return collectives();
    case "training":
      return training(false);
    case "unused":
      return training(true);
    case "sampler": {
      const sampler = new torch.utils.data.DistributedSampler(Array.from({ length: 10 }, (_, i) => i), {
        shuffle: false,
      });
      return [...sampler];
    }
    case "die":
      if (dist.get_rank() === 1) process.kill(process.pid, "SIGKILL");
      return dist.barrier();
    case "fail":
      if (dist.get_rank() === 1) throw new Error("rank 1 gives up");
      return dist.barrier();
    default:
      throw new Error(`what is ${task}?`);
  }
}

writeFileSync(join(folder!, `${process.pid}.json`), JSON.stringify(run()));
