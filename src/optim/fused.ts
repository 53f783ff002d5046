/**
 * One kernel call that steps a whole list of parameters: core/include/tc_optim.h.
 *
 * @module
 */
import type { Backend } from "../base/backend.ts";
import { float32, float64 } from "../base/dtype.ts";
import { internal } from "../base/scope.ts";
import { begin, kernel } from "../dispatch/launch.ts";
import * as aten from "../ops/mod.ts";
import type { Tensor } from "../tensor.ts";
import { Table } from "../utils/tensor_list.ts";
import { SLOT, STRUCTS } from "../_gen/kernels.ts";

const OPTIM_STEP = kernel("tc_optim_step");

/** The algorithms, by their numbers in the kernel. */
export const Algorithm = {
  sgd: 0,
  adam: 1,
  adamw: 2,
  rmsprop: 3,
  adagrad: 4,
  adadelta: 5,
  adamax: 6,
  nadam: 7,
  radam: 8,
  asgd: 9,
  rprop: 10,
} as const;
export type Algorithm = (typeof Algorithm)[keyof typeof Algorithm];

/** Options of an algorithm: the fields of `tc_optim_args`. */
export type Hyperparameters = Partial<
  Record<Exclude<keyof typeof SLOT.tc_optim_args, "op" | "count" | "tensors">, number | boolean>
>;

/** One parameter's row: see `tc_optim_tensor`. */
export interface Row {
  param: Tensor;
  grad: Tensor;
  s1?: Tensor | null;
  s2?: Tensor | null;
  s3?: Tensor | null;
  /** SGD: the momentum buffer is written, not read. */
  first?: boolean;
  /** This step's number, from 1. */
  step?: number;
  c1?: number;
  c2?: number;
  c3?: number;
}

/** Steps the parameters of `rows`. */
export function fusedStep(algorithm: Algorithm, hyper: Hyperparameters, rows: readonly Row[]): void {
  if (rows.length === 0) return;
  internal(() => {
    const restore: [Tensor, Tensor][] = [];
    const byBackend = new Map<Backend, Row[]>();
    for (const row of rows) {
      const ready = prepare(row, restore);
      const backend = ready.param.storage.backend;
      if (!backend.hasData || ready.param.count === 0) continue;
      const list = byBackend.get(backend);
      if (list === undefined) byBackend.set(backend, [ready]);
      else list.push(ready);
    }
    for (const [backend, list] of byBackend) launch(backend, algorithm, hyper, list);
    for (const [target, values] of restore) target.copy_(values);
    for (const row of rows) row.param.storage.version++;
  });
}

/** A row that the kernel can take: contiguous, float32 or float64. What was converted goes to `restore`. */
function prepare(row: Row, restore: [Tensor, Tensor][]): Row {
  const { param, grad } = row;
  const plain = param.dtype === float32 || param.dtype === float64;
  if (plain && param.packed && grad.packed) return row;
  const read = (t: Tensor): Tensor => {
    if (t.dtype.is_complex) return aten.view_as_real(t.contiguous());
    return (plain ? t : t.to(float32)).contiguous();
  };
  const write = (t: Tensor | null | undefined): Tensor | null => {
    if (t === null || t === undefined) return null;
    const made = read(t);
    // A complex tensor's parts are written where they are; only copies go back.
    if (made.storage !== t.storage) restore.push([t.dtype.is_complex ? aten.view_as_real(t) : t, made]);
    return made;
  };
  return {
    ...row,
    param: write(param)!,
    grad: read(grad),
    s1: write(row.s1),
    s2: write(row.s2),
    s3: write(row.s3),
  };
}

const AT = SLOT.tc_optim_tensor;

function launch(backend: Backend, algorithm: Algorithm, hyper: Hyperparameters, rows: readonly Row[]): void {
  const table = new Table(rows.length, STRUCTS.tc_optim_tensor.slots);
  rows.forEach((row, i) => {
    table.address(i, AT.param, row.param);
    table.address(i, AT.grad, row.grad);
    table.address(i, AT.s1, row.s1);
    table.address(i, AT.s2, row.s2);
    table.address(i, AT.s3, row.s3);
    table.integer(i, AT.n, row.param.count);
    table.integer(i, AT.dtype, row.param.dtype.code);
    table.integer(i, AT.first, row.first ? 1 : 0);
    table.real(i, AT.step, row.step ?? 0);
    table.real(i, AT.c1, row.c1 ?? 0);
    table.real(i, AT.c2, row.c2 ?? 0);
    table.real(i, AT.c3, row.c3 ?? 0);
  });
  const uploaded = table.upload(backend);
  const args = begin(OPTIM_STEP, backend);
  const at = SLOT.tc_optim_args;
  const flag = (x: number | boolean | undefined): number => x ? 1 : 0;
  const real = (x: number | boolean | undefined): number => Number(x ?? 0);
  args.at(at.op).i(algorithm).i(rows.length).i(uploaded.resident());
  args.at(at.maximize).i(flag(hyper.maximize));
  args.at(at.lr).d(real(hyper.lr)).d(real(hyper.weight_decay)).d(real(hyper.momentum)).d(
    real(hyper.dampening),
  );
  args.at(at.nesterov).i(flag(hyper.nesterov)).d(real(hyper.beta1)).d(real(hyper.beta2)).d(real(hyper.eps));
  args.at(at.amsgrad).i(flag(hyper.amsgrad)).d(real(hyper.alpha));
  args.at(at.centered).i(flag(hyper.centered)).d(real(hyper.rho)).d(real(hyper.lr_decay)).d(
    real(hyper.lambd),
  );
  args.at(at.eta_minus).d(real(hyper.eta_minus)).d(real(hyper.eta_plus)).d(real(hyper.step_min)).d(
    real(hyper.step_max),
  );
  args.run();
}
