/**
 * The dispatcher: runs a row on bound arguments, records it if a gradient may be wanted, and derives the in-place
 * and `out=` forms.
 *
 * @module
 */
import { mode } from "../autograd/grad_mode.ts";
import { needsGrad, Node, SavedTensor, ViewInfo } from "../autograd/graph.ts";
import { beforeInplace, rebase } from "../autograd/inplace.ts";
import type { Backend } from "../base/backend.ts";
import { can_cast, checkCast, DType } from "../base/dtype.ts";
import { differentDevices, NotImplementedError, RuntimeError, warnOnce } from "../base/errors.ts";
import { beginScope, endScope } from "../base/scope.ts";
import { sameSizes, shapeText } from "../base/size.ts";
import { countWrite, detached, isLazy, Tensor } from "../tensor.ts";
import { interpose, PASS } from "./interpose.ts";
import { anyLazy, resolved, resolvedArgs, writeLazy } from "./lazy.ts";
import { namedResults } from "./named.ts";
import type { Ctx, Formula, Row, Save } from "./op.ts";
import { target } from "./target.ts";

/** A node that was recorded from a row. */
export class OpNode extends Node {
  readonly row: Row;
  readonly #name: string;
  /** Arguments in schema order; tensors only as SavedTensor and only where the row saves them. */
  args: unknown[];
  /** For each edge: the sizes, dtype and device its gradient must have. */
  readonly inSizes: (readonly number[])[] = [];
  readonly inDtypes: DType[] = [];
  readonly inBackends: Backend[] = [];
  /** First edge of each argument position, -1 where it has none. */
  readonly edgeOf: number[];
  /** Number of edges of each argument position. */
  readonly edgeCount: number[];
  savedResults: Map<string, SavedTensor | SavedTensor[]> | null = null;
  readonly outSizes: (readonly number[])[] = [];
  readonly outDtypes: DType[] = [];
  #resultCount: number;
  #hasSaved = false;
  #released = false;

  constructor(row: Row, args: readonly unknown[], resultCount: number) {
    super(0);
    this.row = row;
    this.#name = typeof row.nodeName === "string" ? row.nodeName : row.nodeName(args);
    this.#resultCount = resultCount;
    this.args = args.slice();
    this.edgeOf = new Array<number>(args.length).fill(-1);
    this.edgeCount = new Array<number>(args.length).fill(0);
    for (const i of row.tensorArgs) {
      const a = args[i];
      if (a instanceof Tensor) {
        this.edgeOf[i] = this.next.length;
        this.edgeCount[i] = 1;
        this.#edge(a);
        this.args[i] = null;
      } else if (Array.isArray(a)) {
        this.edgeOf[i] = this.next.length;
        this.edgeCount[i] = a.length;
        for (const t of a) this.#edge(t as Tensor | null);
        this.args[i] = null;
      }
    }
  }

  #edge(t: Tensor | null): void {
    const i = this.next.length;
    this.next.push(null);
    this.nextNr.push(0);
    this.inSizes.push(t === null ? [] : t.sizes);
    this.inDtypes.push(t === null ? undefined as unknown as DType : t.dtype);
    this.inBackends.push(t === null ? undefined as unknown as Backend : t.storage.backend);
    if (t !== null && t.dtype.isDifferentiable) this.connect(i, t);
  }

  /** Is the gradient of argument `i` wanted? */
  wants(i: number): boolean {
    const first = this.edgeOf[i]!;
    if (first < 0) return false;
    for (let k = 0; k < this.edgeCount[i]!; k++) if (this.next[first + k] !== null) return true;
    return false;
  }

  #keeps(s: Save): boolean {
    if (s.onlyFor !== null && !s.onlyFor.some((i) => this.wants(i))) return false;
    return this.#hasSaved = true;
  }

  /** Keeps the inputs that the derivative needs; of a tensor about to be overwritten, a copy. */
  saveInputs(args: readonly unknown[], inplaceSelf: Tensor | null): void {
    for (const s of this.row.saveList) {
      if (!(s.from >= 0) || !this.#keeps(s)) continue;
      const a = args[s.from];
      if (a instanceof Tensor) {
        this.args[s.from] = new SavedTensor(a === inplaceSelf ? detachedCopyEdge(a) : a);
      } else if (Array.isArray(a)) {
        this.args[s.from] = a.map((t) => (t === null ? null : new SavedTensor(t as Tensor)));
      }
    }
    for (const name of this.row.keeps?.(args) ?? []) {
      const i = this.row.parsed.params.findIndex((p) => p.name === name);
      const a = args[i];
      if (!(a instanceof Tensor)) continue;
      this.#hasSaved = true;
      this.args[i] = new SavedTensor(a);
    }
  }

  /** Keeps the results that the derivative needs. */
  saveResults(results: readonly Tensor[]): void {
    for (const s of this.row.saveList) {
      if (s.from >= 0 || !this.#keeps(s)) continue;
      this.savedResults ??= new Map();
      if (Number.isNaN(s.from)) this.savedResults.set(s.name, results.map((t) => new SavedTensor(t, this)));
      else {
        const t = results[-1 - s.from]!;
        this.savedResults.set(s.name, new SavedTensor(t, t.dtype.isDifferentiable ? this : null));
      }
    }
  }

  get results(): number {
    return this.#resultCount;
  }
  name(): string {
    return this.#name;
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    if (!this.#hasSaved) return;
    for (const a of this.args) {
      if (a instanceof SavedTensor) a.release();
      else if (Array.isArray(a)) { for (const x of a) if (x instanceof SavedTensor) x.release(); }
    }
    if (this.savedResults !== null) {
      for (const s of this.savedResults.values()) {
        if (Array.isArray(s)) s.forEach((x) => x.release());
        else s.release();
      }
    }
  }

  apply(grads: (Tensor | null)[]): (Tensor | null)[] {
    if (this.#released && this.#hasSaved) {
      throw new RuntimeError(
        "Trying to backward through the graph a second time (or directly access saved tensors after they have already " +
          "been freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). " +
          "Specify retain_graph=True if you need to backward through the graph a second time or if you need to access " +
          "saved tensors after calling backward.",
      );
    }
    const out = new Array<Tensor | null>(this.next.length).fill(null);
    if (grads.every((g) => g === null)) return out;
    // Note [Complex gradients]: the gradient of y = f(x) with a derivative f' is grad * conj(f'). Formulas are written as
    // for real numbers, grad * f'; conjugating what goes in and what comes out makes them right for complex ones, and
    // costs nothing, as conjugation is lazy and cancels out between nodes. A real gradient (of abs, say) belongs to a
    // function without such a derivative: its formula, and those of rows marked `wirtinger`, give the gradient as is.
    const conjugate = !this.row.wirtinger && grads.some((g) => g !== null && g.dtype.is_complex);
    const ctx = this.#context(conjugate ? grads.map((g) => (g?.dtype.is_complex ? g.conj() : g)) : grads);
    for (const f of this.row.formulas) this.#applyFormula(f, ctx, out);
    return conjugate ? out.map((g) => (g?.dtype.is_complex ? g.conj() : g)) : out;
  }

  #context(grads: (Tensor | null)[]): Ctx {
    const given = grads.map((g) => g !== null);
    if (grads.length > 1) grads = this.#completed(grads);
    const params = this.row.parsed.params;
    const c: Record<string, unknown> = {
      node: this,
      get grad() {
        return grads[0];
      },
      grads,
      given,
      needs: (name: string) => this.wants(params.findIndex((p) => p.name === name)),
      sizesOf: (name: string) => this.inSizes[this.edgeOf[params.findIndex((p) => p.name === name)]!]!,
    };
    for (let i = 0; i < params.length; i++) c[params[i]!.name] = this.#unpacked(this.args[i]);
    if (this.savedResults !== null) {
      for (const [name, s] of this.savedResults) {
        c[name] = Array.isArray(s) ? s.map((x) => x.unpack(this)) : s.unpack(this);
      }
    }
    return c as unknown as Ctx;
  }

  /** Formulas of several results may rely on every gradient being there: zeros, made when they are asked for. */
  #completed(grads: readonly (Tensor | null)[]): (Tensor | null)[] {
    const some = grads.find((x) => x !== null)!;
    const out: (Tensor | null)[] = [];
    grads.forEach((g, i) => {
      if (g !== null || !this.outDtypes[i]?.isDifferentiable) {
        out[i] = g;
        return;
      }
      let zeros: Tensor | null = null;
      Object.defineProperty(out, i, {
        enumerable: true,
        get: () => zeros ??= some.new_zeros(this.outSizes[i]!, { dtype: this.outDtypes[i]! }),
      });
    });
    return out;
  }

  #unpacked(a: unknown): unknown {
    if (a instanceof SavedTensor) return a.unpack(this);
    if (Array.isArray(a)) return a.map((x) => (x instanceof SavedTensor ? x.unpack(this) : x));
    return a;
  }

  #applyFormula(f: Formula, ctx: Ctx, out: (Tensor | null)[]): void {
    if (!f.inputs.some((i) => this.wants(i))) return;
    if (f.body === "nonDifferentiable") return;
    if (typeof f.body === "string") {
      const what = f.body.split(": ").slice(1).join(": ") || this.row.name;
      throw new NotImplementedError(`the derivative for '${what}' is not implemented.`);
    }
    const value = f.body(ctx);
    if (!f.joint) {
      const i = f.inputs[0]!;
      this.#place(i, value, out);
      return;
    }
    const values = value as (Tensor | null | (Tensor | null)[])[];
    f.inputs.forEach((i, k) => this.wants(i) && this.#place(i, values[k] ?? null, out));
  }

  #place(i: number, value: Tensor | null | (Tensor | null)[], out: (Tensor | null)[]): void {
    const first = this.edgeOf[i]!;
    const list = Array.isArray(value) ? value : [value];
    list.forEach((g, k) => out[first + k] = this.#fit(first + k, g));
  }

  /** Undoes broadcasting, promotion and moves between devices, once for all formulas. */
  #fit(edge: number, g: Tensor | null): Tensor | null {
    if (g === null || g === undefined || this.next[edge] === null) return null;
    const sizes = this.inSizes[edge]!, dtype = this.inDtypes[edge]!;
    if (!sameSizes(g.sizes, sizes)) g = g.sum_to_size(sizes);
    if (g.dtype !== dtype) {
      if (g.dtype.is_complex && !dtype.is_complex) g = g.real;
      if (g.dtype !== dtype) g = g.to(dtype);
    }
    const backend = this.inBackends[edge]!;
    return g.storage.backend === backend ? g : g.to(backend.device);
  }
}

/** What an in-place row keeps of the tensor it overwrites: a copy that still leads to where it came from. */
function detachedCopyEdge(self: Tensor): Tensor {
  const saved = mode.grad;
  mode.grad = false;
  const copy = self.clone();
  mode.grad = saved;
  copy.node = self.node;
  copy.outputNr = self.outputNr;
  copy.leafGrad = self.leafGrad;
  return copy;
}

/** Does any tensor argument of this row want a gradient? */
function wantsGrad(row: Row, args: readonly unknown[]): boolean {
  for (const i of row.tensorArgs) {
    const a = args[i];
    if (a instanceof Tensor) {
      if ((a.leafGrad || a.node !== null || a.view_ !== null) && needsGrad(a)) return true;
    } else if (Array.isArray(a)) {
      for (const t of a) if (t instanceof Tensor && needsGrad(t)) return true;
    }
  }
  return false;
}

function record(
  row: Row,
  args: readonly unknown[],
  results: readonly Tensor[],
  inplaceSelf: Tensor | null,
): OpNode {
  const node = new OpNode(row, args, results.length);
  node.saveInputs(args, inplaceSelf);
  node.saveResults(results);
  if (results.length > 1) {
    for (const t of results) {
      node.outSizes.push(t.sizes);
      node.outDtypes.push(t.dtype);
    }
  }
  return node;
}

function attach(row: Row, node: OpNode, results: readonly Tensor[]): void {
  for (let i = 0; i < results.length; i++) {
    const t = results[i]!;
    if (!t.dtype.isDifferentiable || row.nonDifferentiableResults?.includes(i)) continue;
    t.node = node;
    t.outputNr = i;
  }
}

/** Runs a row on arguments in schema order. */
export function runRow(row: Row, args: readonly unknown[]): unknown {
  if (interpose.active) {
    const result = interpose.run(row, args, false);
    if (result !== PASS) return result;
  }
  if (row.composite !== undefined) return runComposite(row, args);
  if (row.view !== undefined) return runView(row, args);
  if (row.mutates) return runMutation(row, args);
  const recorded = mode.grad && row.derivative !== undefined && wantsGrad(row, args);
  const result = row.plain && !anyLazy(args) ? row.impl!(...args) : runImpl(row, args);
  if (recorded) recordResult(row, args, result);
  else if (mode.inference) markInference(result);
  return row.named ? namedResults(row, result as Tensor[]) : result;
}

/** Records a plain row's single result: the fast path of arithmetic in `dispatch/entry.ts`. */
export function recordResult(row: Row, args: readonly unknown[], result: unknown): void {
  const results = Array.isArray(result) ? (result as Tensor[]) : [result as Tensor];
  attach(row, record(row, args, results, null), results);
}

export function markInference(result: unknown): void {
  if (result instanceof Tensor) result.inference = true;
  else if (Array.isArray(result)) { for (const t of result) if (t instanceof Tensor) t.inference = true; }
}

function runImpl(row: Row, args: readonly unknown[]): unknown {
  const grad = mode.grad;
  const outer = beginScope();
  const into = target.tensor;
  if (!row.direct) target.tensor = null;
  mode.grad = false;
  let result: unknown;
  try {
    return result = row.impl!(...(anyLazy(args) ? resolvedArgs(args) : args));
  } finally {
    mode.grad = grad;
    target.tensor = into;
    endScope(outer, result);
  }
}

/** Runs a composite's body, which calls other rows. */
export function runComposite(row: Row, args: readonly unknown[]): unknown {
  const outer = beginScope();
  let result: unknown;
  try {
    result = row.composite!(...args);
    return row.named ? namedResults(row, result as Tensor[]) : result;
  } finally {
    endScope(outer, result);
  }
}

function runView(row: Row, args: readonly unknown[]): unknown {
  const base = args[0] as Tensor;
  const result = row.view!(...args) as Tensor | Tensor[];
  if (mode.inference) {
    markInference(result);
    return result;
  }
  if (!base.dtype.isDifferentiable) return result;
  const many = Array.isArray(result);
  const results = many ? result : [result];
  for (const t of results) {
    if (t === base) return result;
    t.inference = base.inference;
    if (t.dtype.isDifferentiable) {
      t.view_ = new ViewInfo(
        base.view_?.base ?? base,
        many ? "multi_output" : mode.grad ? "default" : "no_grad",
      );
    }
  }
  if (mode.grad && row.derivative !== undefined && wantsGrad(row, args)) {
    attach(row, record(row, args, results, null), results);
  }
  for (const t of results) if (t.view_ !== null) t.view_.baseNode = t.view_.base.node;
  return result;
}

/** Runs a row that writes into its first argument, such as `copy_` and `uniform_`. */
function runMutation(row: Row, args: readonly unknown[]): Tensor {
  const self = args[0] as Tensor;
  const recorded = mode.grad && row.derivative !== undefined && wantsGrad(row, args);
  beforeInplace(self, recorded);
  const node = recorded ? record(row, args, [self], self) : null;
  if (isLazy(self)) mutateLazy(row, args, self);
  else runImpl(row, args);
  countWrite(self);
  if (node !== null) rebase(self, node);
  return self;
}

/** Writes into a lazy tensor: into its values, which then go back. */
function mutateLazy(row: Row, args: readonly unknown[], self: Tensor): void {
  const outer = beginScope();
  try {
    const values = resolved(self);
    runImpl(row, [values, ...args.slice(1)]);
    writeLazy(self, values);
  } finally {
    endScope(outer, null);
  }
}

/** Runs the in-place form of a row: the result goes into the first argument, which is returned. */
export function runInplace(row: Row, args: readonly unknown[]): Tensor {
  if (interpose.active) {
    const result = interpose.run(row, args, true);
    if (result !== PASS) return result as Tensor;
  }
  const self = args[0] as Tensor;
  if (row.view !== undefined) return becomeView(row, args, self);
  const differentiable = row.composite !== undefined || row.derivative !== undefined;
  const recorded = mode.grad && differentiable && wantsGrad(row, args);
  beforeInplace(self, recorded);
  if (!row.direct || isLazy(self)) return inplaceByCopy(row, args, self);
  const node = recorded ? new OpNode(row, args, 1) : null;
  node?.saveInputs(args, self);
  const former = target.tensor;
  target.tensor = self;
  try {
    if (row.plain && !anyLazy(args)) row.impl!(...args);
    else runImpl(row, args);
  } finally {
    target.tensor = former;
  }
  countWrite(self);
  if (node !== null) {
    node.saveResults([self]);
    rebase(self, node);
  }
  return self;
}

/** `unsqueeze_` and its like: the tensor itself takes the shape, and the graph place, of the view. */
function becomeView(row: Row, args: readonly unknown[], self: Tensor): Tensor {
  beforeInplace(self, mode.grad && needsGrad(self));
  const result = runView(row, args) as Tensor;
  self.sizes = result.sizes;
  self.strides = result.strides;
  self.offset = result.offset;
  self.packed = result.packed;
  self.conjugated = result.conjugated;
  self.negated = result.negated;
  self.node = result.node;
  self.outputNr = result.outputNr;
  countWrite(self);
  return self;
}

/** For rows whose kernels cannot write over their input: computes, then copies. */
function inplaceByCopy(row: Row, args: readonly unknown[], self: Tensor): Tensor {
  const outer = beginScope();
  try {
    const result = runRow(row, args) as Tensor;
    writeBack(self, result);
  } finally {
    endScope(outer, null);
  }
  return self;
}

function writeBack(self: Tensor, result: Tensor): void {
  checkCast(result.dtype, self.dtype);
  if (!sameSizes(result.sizes, self.sizes)) {
    throw new RuntimeError(
      `output with shape ${shapeText(self.sizes)} doesn't match the broadcast shape ${
        shapeText(result.sizes)
      }`,
    );
  }
  self.copy_(result);
}

/** Puts results into the tensors of `out=`. */
export function writeOut(name: string, result: unknown, out: unknown): unknown {
  const results = Array.isArray(result) ? (result as Tensor[]) : [result as Tensor];
  const outs = Array.isArray(out) ? (out as unknown[]) : [out];
  if (outs.length !== results.length || outs.some((t) => !(t instanceof Tensor))) {
    throw new TypeError(
      `${name}(): argument 'out' must be ${
        results.length === 1 ? "Tensor" : `tuple of ${results.length} Tensors`
      }`,
    );
  }
  results.forEach((r, i) => {
    const t = outs[i] as Tensor;
    if (mode.grad && (needsGrad(t) || needsGrad(r))) {
      throw new RuntimeError(
        `${name}(): functions with out=... arguments don't support automatic differentiation, but one of the arguments requires grad.`,
      );
    }
    if (!can_cast(r.dtype, t.dtype)) checkCast(r.dtype, t.dtype);
    if (r.storage.backend !== t.storage.backend) {
      throw differentDevices(r.device, t.device);
    }
    if (!sameSizes(r.sizes, t.sizes)) {
      if (t.count !== 0) {
        warnOnce(
          "UserWarning",
          `An output with one or more elements was resized since it had shape ${
            shapeText(t.sizes)
          }, which does not match ` +
            `the required output shape ${
              shapeText(r.sizes)
            }. This behavior is deprecated, and in a future PyTorch release ` +
            "outputs will not be resized unless they have zero elements. You can explicitly reuse an out tensor t by " +
            "resizing it, inplace, to zero elements with t.resize_(0).",
        );
      }
      t.resize_(r.sizes);
    }
    t.copy_(detached(r));
  });
  return out;
}
