/**
 * L-BFGS with an optional strong Wolfe line search.
 *
 * @module
 */
import { float32 } from "../base/dtype.ts";
import { RuntimeError, ValueError } from "../base/errors.ts";
import { escape } from "../base/storage.ts";
import { no_grad } from "../autograd/grad_mode.ts";
import * as aten from "../ops/mod.ts";
import { Tensor } from "../tensor.ts";
import { required, signature } from "../utils/signature.ts";
import { callClosure, type Closure, Optimizer, type Params } from "./optimizer.ts";

/** Options of `optim.LBFGS`. */
export interface LBFGSOptions {
  lr?: number;
  max_iter?: number;
  max_eval?: number | null;
  tolerance_grad?: number;
  tolerance_change?: number;
  history_size?: number;
  line_search_fn?: "strong_wolfe" | null;
}
const LBFGS_ARGS = signature<{ params: Params } & LBFGSOptions>("LBFGS", {
  params: required,
  lr: 1,
  max_iter: 20,
  max_eval: null,
  tolerance_grad: 1e-7,
  tolerance_change: 1e-9,
  history_size: 100,
  line_search_fn: null,
});

const number = (x: unknown): number => x instanceof Tensor ? Number(x.item()) : Number(x);
const dot = (a: Tensor, b: Tensor): number => Number(a.dot(b).item());
/** A number as the parameters' dtype holds it: PyTorch keeps step lengths and curvatures in tensors. */
type Round = (x: number) => number;
const maxAbs = (x: Tensor): number => Number(x.abs().max().item());

/** The function along a direction: value and gradient at x + t d. */
type Evaluate = (t: number) => [loss: number, grad: Tensor];

/** A point of the line search: position, value, gradient, and the gradient's component along the direction. */
interface Point {
  t: number;
  f: number;
  g: Tensor;
  gtd: number;
}

/** The minimum of the cubic through two points and their slopes, kept within bounds. */
function cubicInterpolate(r: Round, a: Point, b: Point, bounds?: [number, number]): number {
  const [low, high] = bounds ?? (a.t <= b.t ? [a.t, b.t] : [b.t, a.t]);
  const d1 = r(r(a.gtd + b.gtd) - r(3 * (a.f - b.f) / (a.t - b.t)));
  const square = r(r(d1 ** 2) - r(a.gtd * b.gtd));
  if (!(square >= 0)) return (low + high) / 2;
  const d2 = r(Math.sqrt(square));
  const step = (p: Point, q: Point): number =>
    r(q.t - r((q.t - p.t) * r(r(r(q.gtd + d2) - d1) / r(r(q.gtd - p.gtd) + r(2 * d2)))));
  const best = a.t <= b.t ? step(a, b) : step(b, a);
  return Math.min(Math.max(best, low), high);
}

/**
 * A step length that satisfies the strong Wolfe conditions (Nocedal and Wright, Numerical Optimization, algorithms 3.5
 * and 3.6), in the form that PyTorch has from Mark Schmidt's minFunc.
 */
function strongWolfe(
  evaluate: Evaluate,
  start: Point,
  first: number,
  d: Tensor,
  tolerance_change: number,
  round: Round,
): [point: Point, evaluations: number] {
  const c1 = 1e-4, c2 = 0.9, limit = 25;
  const { f, gtd } = start;
  let evaluations = 0;
  const at = (t: number): Point => {
    const [loss, g] = evaluate(t);
    evaluations++;
    return { t, f: loss, g, gtd: dot(g, d) };
  };

  // Bracket an interval with a point that satisfies the conditions.
  let previous = start, now = at(first), iteration = 0, done = false;
  let bracket: Point[] | null = null;
  while (iteration < limit) {
    if (now.f > f + c1 * now.t * gtd || (iteration > 1 && now.f >= previous.f)) {
      bracket = [previous, now];
      break;
    }
    if (Math.abs(now.gtd) <= -c2 * gtd) {
      bracket = [now];
      done = true;
      break;
    }
    if (now.gtd >= 0) {
      bracket = [previous, now];
      break;
    }
    const least = now.t + 0.01 * (now.t - previous.t), most = now.t * 10;
    const t = cubicInterpolate(round, previous, now, [least, most]);
    previous = now;
    now = at(t);
    iteration++;
  }
  bracket ??= [start, now];

  // Zoom into it.
  const dNorm = maxAbs(d);
  let stuck = false;
  let [low, high] = bracket[0]!.f <= bracket.at(-1)!.f ? [0, 1] : [1, 0];
  while (!done && iteration < limit) {
    const [a, b] = bracket as [Point, Point];
    if (Math.abs(b.t - a.t) * dNorm < tolerance_change) break;
    let t = cubicInterpolate(round, a, b);
    const most = Math.max(a.t, b.t), least = Math.min(a.t, b.t), eps = 0.1 * (most - least);
    // Too close to an end twice, or outside: take a point a little inside.
    if (Math.min(most - t, t - least) < eps) {
      if (stuck || t >= most || t <= least) {
        t = Math.abs(t - most) < Math.abs(t - least) ? most - eps : least + eps;
        stuck = false;
      } else stuck = true;
    } else stuck = false;
    now = at(t);
    iteration++;
    if (now.f > f + c1 * t * gtd || now.f >= bracket[low]!.f) {
      bracket[high] = now;
      [low, high] = bracket[0]!.f <= bracket[1]!.f ? [0, 1] : [1, 0];
    } else {
      if (Math.abs(now.gtd) <= -c2 * gtd) done = true;
      else if (now.gtd * (bracket[high]!.t - bracket[low]!.t) >= 0) bracket[high] = bracket[low]!;
      bracket[low] = now;
    }
  }
  return [bracket[low]!, evaluations];
}

/**
 * Limited-memory BFGS.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.optim.LBFGS.html
 */
export class LBFGS extends Optimizer {
  constructor(
    params: Params,
    lr?: number | LBFGSOptions,
    max_iter?: number | LBFGSOptions,
    max_eval?: number | null | LBFGSOptions,
    tolerance_grad?: number | LBFGSOptions,
    tolerance_change?: number | LBFGSOptions,
    history_size?: number | LBFGSOptions,
    line_search_fn?: "strong_wolfe" | null,
  );
  constructor(...args: unknown[]) {
    const { params, ...defaults } = LBFGS_ARGS(args);
    super(params, { ...defaults, max_eval: defaults.max_eval ?? Math.floor(defaults.max_iter * 5 / 4) });
    if (this.param_groups.length !== 1) {
      throw new ValueError("LBFGS doesn't support per-parameter options (parameter groups)");
    }
  }

  get #params(): Tensor[] {
    return this.param_groups[0]!.params;
  }

  #flatGrad(): Tensor {
    return aten.cat(this.#params.map((p) => p.grad === null ? p.new_zeros([p.numel()]) : p.grad.reshape(-1)));
  }

  #move(t: number, d: Tensor): void {
    let offset = 0;
    for (const p of this.#params) {
      p.add_(d.narrow(0, offset, p.numel()).view_as(p), { alpha: t });
      offset += p.numel();
    }
  }

  /** One step: up to `max_iter` iterations, each of which may call `closure` several times. */
  override step(): null;
  override step<T>(closure: Closure<T>): T;
  override step<T>(closure?: Closure<T> | null): T | null;
  override step<T>(closure?: Closure<T> | null): T | null {
    if (!closure) throw new TypeError("step() missing 1 required positional argument: 'closure'");
    return no_grad(() => this.#step(closure));
  }

  #step<T>(closure: Closure<T>): T {
    const group = this.param_groups[0]!;
    const { lr, max_iter, max_eval, tolerance_grad, tolerance_change, line_search_fn, history_size } = group;
    const key = this.#params[0]!;
    let state = this.state.get(key);
    if (state === undefined) this.state.set(key, state = { func_evals: 0, n_iter: 0 });

    const original = callClosure(closure);
    let loss = number(original), evaluations = 1;
    state.func_evals++;
    let grad = this.#flatGrad();
    if (maxAbs(grad) <= tolerance_grad) return original;

    let d = state.d as Tensor, t = number(state.t ?? 0), H_diag = number(state.H_diag ?? 1);
    const old_dirs: Tensor[] = state.old_dirs ?? [], old_stps: Tensor[] = state.old_stps ?? [];
    const ro: number[] = (state.ro ?? []).map(number);
    const round: Round = grad.dtype === float32 ? Math.fround : (x) => x;
    let prev_grad = (state.prev_flat_grad ?? null) as Tensor | null, prev_loss = state.prev_loss as number;

    for (let iteration = 1; iteration <= max_iter; iteration++) {
      state.n_iter++;
      // The direction: the gradient times the approximate inverse Hessian (the two-loop recursion).
      if (state.n_iter === 1) d = grad.neg();
      else {
        const y = grad.sub(prev_grad!), s = d.mul(t), ys = dot(y, s);
        if (ys > 1e-10) {
          if (old_dirs.length === history_size) {
            for (const history of [old_dirs, old_stps, ro]) history.shift();
          }
          old_dirs.push(y);
          old_stps.push(s);
          ro.push(round(1 / ys));
          H_diag = round(ys / dot(y, y));
        }
        const q = grad.neg(), al: number[] = [];
        for (let i = old_dirs.length - 1; i >= 0; i--) {
          al[i] = round(dot(old_stps[i]!, q) * ro[i]!);
          q.add_(old_dirs[i]!, { alpha: -al[i]! });
        }
        d = q.mul(H_diag);
        for (let i = 0; i < old_dirs.length; i++) {
          d.add_(old_stps[i]!, { alpha: round(al[i]! - round(dot(old_dirs[i]!, d) * ro[i]!)) });
        }
      }
      prev_grad = grad.clone();
      prev_loss = loss;

      t = state.n_iter === 1 ? round(Math.min(1, round(1 / Number(grad.abs().sum().item()))) * lr) : lr;
      const gtd = dot(grad, d);
      if (gtd > -tolerance_change) break;

      let used = 0, converged = false;
      if (line_search_fn !== null) {
        if (line_search_fn !== "strong_wolfe") throw new RuntimeError("only 'strong_wolfe' is supported");
        const start = this.#params.map((p) => p.clone());
        const [point, calls] = strongWolfe(
          (length) => {
            this.#move(length, d);
            const value = number(callClosure(closure)), g = this.#flatGrad();
            this.#params.forEach((p, i) => p.copy_(start[i]!));
            return [value, g];
          },
          { t: 0, f: loss, g: grad, gtd },
          t,
          d,
          tolerance_change,
          round,
        );
        ({ f: loss, g: grad, t } = point);
        used = calls;
        this.#move(t, d);
        converged = maxAbs(grad) <= tolerance_grad;
      } else {
        this.#move(t, d);
        // The last iteration's value would not be used.
        if (iteration !== max_iter) {
          loss = number(callClosure(closure));
          grad = this.#flatGrad();
          converged = maxAbs(grad) <= tolerance_grad;
          used = 1;
        }
      }
      evaluations += used;
      state.func_evals += used;
      if (iteration === max_iter || evaluations >= max_eval! || converged) break;
      if (maxAbs(d.mul(t)) <= tolerance_change || Math.abs(loss - prev_loss) < tolerance_change) break;
    }
    for (const kept of [d, prev_grad!, ...old_dirs, ...old_stps]) escape(kept.storage);
    Object.assign(state, { d, t, old_dirs, old_stps, ro, H_diag, prev_flat_grad: prev_grad, prev_loss });
    return original;
  }
}
