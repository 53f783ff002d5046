/**
 * What the processes of a group do together. Tensors may be on any device: their bytes pass through the host.
 *
 * @module
 */
import type { MpiOperation, MpiType, Pending } from "../../ffi/mpi.ts";
import { no_grad } from "../autograd/grad_mode.ts";
import { bool, type DType, float32 } from "../base/dtype.ts";
import { RuntimeError, ValueError } from "../base/errors.ts";
import { Tensor } from "../tensor.ts";
import { groupOf, type ProcessGroup } from "./group.ts";

/** How elements are combined. */
export type ReduceOp = "SUM" | "AVG" | "PRODUCT" | "MIN" | "MAX" | "BAND" | "BOR" | "BXOR";
/** `torch.distributed.ReduceOp`. */
export const ReduceOp: { readonly [K in ReduceOp]: K } = {
  SUM: "SUM",
  AVG: "AVG",
  PRODUCT: "PRODUCT",
  MIN: "MIN",
  MAX: "MAX",
  BAND: "BAND",
  BOR: "BOR",
  BXOR: "BXOR",
};
const OPERATION: Readonly<Record<ReduceOp, MpiOperation>> = {
  SUM: "sum",
  AVG: "sum",
  PRODUCT: "product",
  MIN: "min",
  MAX: "max",
  BAND: "band",
  BOR: "bor",
  BXOR: "bxor",
};

/** Options that most of these take. */
export interface CollectiveOptions {
  group?: ProcessGroup | null;
  /** Returns a {@linkcode Work} instead of waiting. */
  async_op?: boolean;
}

/** Something that is under way. */
export class Work {
  #finish: (() => void) | null;
  constructor(finish: () => void) {
    this.#finish = finish;
  }
  is_completed(): boolean {
    return this.#finish === null;
  }
  /** Waits for the others; the result is there afterwards. */
  wait(): boolean {
    const finish = this.#finish;
    this.#finish = null;
    finish?.();
    return true;
  }
}

function checked(name: string, t: unknown): Tensor {
  if (!(t instanceof Tensor)) {
    throw new RuntimeError(
      "Invalid function argument. Expected parameter `tensor` to be of type torch.Tensor.",
    );
  }
  if (!t.packed) throw new RuntimeError(`${name}: Tensors must be contiguous`);
  return t;
}

function addressOf(t: Tensor): number {
  return t.storage.resident() + t.offset * t.dtype.itemsize;
}
/** A copy of a tensor's bytes. */
export function bytesOf(t: Tensor): Uint8Array<ArrayBuffer> {
  return t.storage.backend.read(addressOf(t), t.count * t.dtype.itemsize);
}
/** Writes a tensor's bytes. */
export function setBytes(t: Tensor, bytes: Uint8Array): void {
  if (bytes.length > 0) t.storage.backend.write(addressOf(t), bytes);
  t.storage.version++;
}

/** MPI has no 16-bit floats: they are combined in float32. Bools are bytes. */
function wire(t: Tensor): Tensor {
  return t.dtype.is_floating_point && t.dtype.itemsize === 2 ? no_grad(() => t.to(float32)) : t;
}
function typeOf(dtype: DType): MpiType {
  return (dtype === bool ? "uint8" : String(dtype).slice("torch.".length)) as MpiType;
}
function operationOf(op: ReduceOp, dtype: DType): MpiOperation {
  if (dtype === bool && (op === "SUM" || op === "PRODUCT")) return op === "SUM" ? "max" : "min";
  if (dtype.is_floating_point && op.startsWith("B")) {
    throw new RuntimeError(`Cannot use ReduceOp.${op} with floating point tensors`);
  }
  return OPERATION[op];
}

/** Puts combined bytes into a tensor. */
function finish(t: Tensor, like: Tensor, bytes: Uint8Array, op: ReduceOp, size: number): void {
  no_grad(() => {
    if (like === t) setBytes(t, bytes);
    else {
      setBytes(like, bytes);
      t.copy_(like);
    }
    if (op === "AVG") t.div_(size, t.dtype.is_floating_point ? {} : { rounding_mode: "trunc" });
  });
}

function outcome(pending: Pending, done: () => void, options: CollectiveOptions): Work | null {
  const work = new Work(() => {
    pending.wait();
    done();
  });
  if (options.async_op) return work;
  work.wait();
  return null;
}

/**
 * Combines a tensor over all processes; everyone gets the result, in place.
 *
 * @see https://pytorch.org/docs/stable/distributed.html#torch.distributed.all_reduce
 */
export function all_reduce(
  tensor: Tensor,
  op: ReduceOp = "SUM",
  options: CollectiveOptions = {},
): Work | null {
  const t = checked("all_reduce", tensor),
    group = groupOf(options.group),
    like = wire(t),
    bytes = bytesOf(like);
  const pending = group.mpi.startAllReduce(
    bytes,
    typeOf(like.dtype),
    operationOf(op, like.dtype),
    group.communicator,
  );
  return outcome(pending, () => finish(t, like, bytes, op, group.size()), options);
}

const NOW: Pending = { wait() {} };

/** Everyone gets the tensor of process `src`, in place. */
export function broadcast(tensor: Tensor, src: number, options: CollectiveOptions = {}): Work | null {
  const t = checked("broadcast", tensor), group = groupOf(options.group), bytes = bytesOf(t);
  group.mpi.broadcast(bytes, group.local(src), group.communicator);
  return outcome(NOW, () => setBytes(t, bytes), options);
}

/** As `all_reduce`, but only process `dst` gets the result. */
export function reduce(
  tensor: Tensor,
  dst: number,
  op: ReduceOp = "SUM",
  options: CollectiveOptions = {},
): Work | null {
  const t = checked("reduce", tensor), group = groupOf(options.group), like = wire(t), bytes = bytesOf(like);
  group.mpi.allReduce(bytes, typeOf(like.dtype), operationOf(op, like.dtype), group.communicator);
  const mine = group.local(dst) === group.rank();
  return outcome(NOW, () => mine && finish(t, like, bytes, op, group.size()), options);
}

function parts(all: Uint8Array, n: number): Uint8Array[] {
  const each = all.length / n;
  return Array.from({ length: n }, (_, i) => all.slice(i * each, (i + 1) * each));
}

function gathered(t: Tensor, group: ProcessGroup): Uint8Array {
  const bytes = bytesOf(t), out = new Uint8Array(bytes.length * group.size());
  group.mpi.allGather(bytes, out, group.communicator);
  return out;
}

function checkList(name: string, list: readonly Tensor[], like: Tensor, group: ProcessGroup): void {
  if (list.length !== group.size()) {
    throw new ValueError(
      `${name}: expected a list of ${group.size()} tensors, one per process, but got ${list.length}`,
    );
  }
  for (const t of list) {
    checked(name, t);
    if (t.count !== like.count || t.dtype !== like.dtype) {
      throw new RuntimeError(
        `${name}: Tensor list operands to scatter/gather must have the same size and dtype`,
      );
    }
  }
}

/** Everyone gets the tensors of all processes, in the order of their ranks. */
export function all_gather(
  tensor_list: readonly Tensor[],
  tensor: Tensor,
  options: CollectiveOptions = {},
): Work | null {
  const t = checked("all_gather", tensor), group = groupOf(options.group);
  checkList("all_gather", tensor_list, t, group);
  const all = parts(gathered(t, group), group.size());
  return outcome(NOW, () => tensor_list.forEach((x, i) => setBytes(x, all[i]!)), options);
}

/** As `all_gather`, into one tensor. */
export function all_gather_into_tensor(
  output: Tensor,
  input: Tensor,
  options: CollectiveOptions = {},
): Work | null {
  const out = checked("all_gather_into_tensor", output), t = checked("all_gather_into_tensor", input);
  const group = groupOf(options.group);
  if (out.count !== t.count * group.size()) {
    throw new ValueError("output tensor size must be equal to world_size times input tensor size");
  }
  const all = gathered(t, group);
  return outcome(NOW, () => setBytes(out, all), options);
}

/** Process `dst` gets the tensors of all processes. */
export function gather(
  tensor: Tensor,
  gather_list: readonly Tensor[] | null = null,
  dst = 0,
  options: CollectiveOptions = {},
): Work | null {
  const t = checked("gather", tensor),
    group = groupOf(options.group),
    mine = group.local(dst) === group.rank();
  if (mine) checkList("gather", gather_list ?? [], t, group);
  const all = parts(gathered(t, group), group.size());
  return outcome(NOW, () => mine && gather_list!.forEach((x, i) => setBytes(x, all[i]!)), options);
}

/** Each process gets its tensor of the list of process `src`. */
export function scatter(
  tensor: Tensor,
  scatter_list: readonly Tensor[] | null = null,
  src = 0,
  options: CollectiveOptions = {},
): Work | null {
  const t = checked("scatter", tensor), group = groupOf(options.group), each = t.count * t.dtype.itemsize;
  const all = new Uint8Array(each * group.size());
  if (group.local(src) === group.rank()) {
    checkList("scatter", scatter_list ?? [], t, group);
    scatter_list!.forEach((x, i) => all.set(bytesOf(x), i * each));
  }
  group.mpi.broadcast(all, group.local(src), group.communicator);
  return outcome(NOW, () => setBytes(t, parts(all, group.size())[group.rank()]!), options);
}

function scattered(
  out: Tensor,
  all: Tensor,
  op: ReduceOp,
  group: ProcessGroup,
  options: CollectiveOptions,
): Work | null {
  const like = wire(out), bytes = bytesOf(like);
  const type = typeOf(like.dtype), operation = operationOf(op, like.dtype);
  group.mpi.reduceScatter(bytesOf(wire(all)), bytes, type, operation, group.communicator);
  return outcome(NOW, () => finish(out, like, bytes, op, group.size()), options);
}

/** Combines lists of tensors over all processes; process i gets the i-th result. */
export function reduce_scatter(
  output: Tensor,
  input_list: readonly Tensor[],
  op: ReduceOp = "SUM",
  options: CollectiveOptions = {},
): Work | null {
  const out = checked("reduce_scatter", output), group = groupOf(options.group);
  checkList("reduce_scatter", input_list, out, group);
  const all = no_grad(() => out.new_empty([input_list.length, out.count]));
  const each = out.count * out.dtype.itemsize, bytes = new Uint8Array(each * input_list.length);
  input_list.forEach((x, i) => bytes.set(bytesOf(x), i * each));
  setBytes(all, bytes);
  return scattered(out, all, op, group, options);
}

/** As `reduce_scatter`, from one tensor. */
export function reduce_scatter_tensor(
  output: Tensor,
  input: Tensor,
  op: ReduceOp = "SUM",
  options: CollectiveOptions = {},
): Work | null {
  const out = checked("reduce_scatter_tensor", output), all = checked("reduce_scatter_tensor", input);
  const group = groupOf(options.group);
  if (all.count !== out.count * group.size()) {
    throw new ValueError("input tensor must be the same size as output size times world size");
  }
  return scattered(out, all, op, group, options);
}

/** Process i gets everyone's i-th tensor. */
export function all_to_all(
  output_tensor_list: readonly Tensor[],
  input_tensor_list: readonly Tensor[],
  options: CollectiveOptions = {},
): Work | null {
  const group = groupOf(options.group), first = checked("all_to_all", input_tensor_list[0]);
  checkList("all_to_all", input_tensor_list, first, group);
  checkList("all_to_all", output_tensor_list, first, group);
  const each = first.count * first.dtype.itemsize,
    all = new Uint8Array(each * group.size()),
    out = new Uint8Array(all.length);
  input_tensor_list.forEach((x, i) => all.set(bytesOf(x), i * each));
  group.mpi.allToAll(all, out, each, group.communicator);
  return outcome(
    NOW,
    () => output_tensor_list.forEach((x, i) => setBytes(x, parts(out, group.size())[i]!)),
    options,
  );
}

/** Sends a tensor to process `dst`, which must receive it. */
export function send(tensor: Tensor, dst: number, group?: ProcessGroup | null, tag = 0): void {
  const g = groupOf(group);
  g.mpi.send(bytesOf(checked("send", tensor)), g.local(dst), tag, g.communicator);
}
/** Receives a tensor of process `src`, in place; returns `src`. */
export function recv(tensor: Tensor, src: number, group?: ProcessGroup | null, tag = 0): number {
  const g = groupOf(group), t = checked("recv", tensor), bytes = new Uint8Array(t.count * t.dtype.itemsize);
  g.mpi.receive(bytes, g.local(src), tag, g.communicator);
  setBytes(t, bytes);
  return src;
}

/** Waits until all processes are here. */
export function barrier(options: CollectiveOptions = {}): Work | null {
  const group = groupOf(options.group);
  group.mpi.barrier(group.communicator);
  return outcome(NOW, () => {}, options);
}
