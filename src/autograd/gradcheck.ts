/**
 * Checking derivatives against finite differences.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.autograd.gradcheck.html
 * @module
 */
import { RuntimeError } from "../base/errors.ts";
import { fn } from "../dispatch/functions.ts";
import { Tensor } from "../tensor.ts";
import { grad } from "./engine.ts";
import { enable_grad, no_grad } from "./grad_mode.ts";

/** What may be checked: a function of tensors to one or several tensors. */
export type Differentiable = (...inputs: Tensor[]) => Tensor | readonly Tensor[];

/** Options of {@linkcode gradcheck}. */
export interface GradcheckOptions {
  eps?: number;
  atol?: number;
  rtol?: number;
  raise_exception?: boolean;
}

const listOf = (x: Tensor | readonly Tensor[]): Tensor[] => (x instanceof Tensor ? [x] : [...x]);
const differentiable = (t: unknown): t is Tensor => t instanceof Tensor && t.dtype.isDifferentiable;

/**
 * A tensor as real numbers: of a complex one the parts. A gradient's parts are the derivatives by the parts, so that
 * complex functions are checked as real ones of twice as many numbers.
 */
function parts(t: Tensor): Tensor {
  return t.dtype.is_complex ? fn.view_as_real!(t.resolve_conj().resolve_neg()) : t;
}

const numbers = (t: Tensor): number[] => Array.from(parts(t.detach()).double().to_typed_array(), Number);

/** Values of all outputs as numbers. */
function values(f: Differentiable, inputs: readonly Tensor[]): number[][] {
  return no_grad(() => listOf(f(...inputs)).filter(differentiable).map(numbers));
}

/**
 * Compares the gradients of `f` with finite differences, for every input that requires grad (float64 or complex128). Throws at the
 * first difference, or returns false with `raise_exception: false`.
 */
export function gradcheck(
  f: Differentiable,
  inputs: Tensor | readonly Tensor[],
  options: GradcheckOptions = {},
): boolean {
  const { eps = 1e-6, atol = 1e-5, rtol = 1e-3, raise_exception = true } = options;
  const args = listOf(inputs as Tensor | Tensor[]);
  const wanted = args.filter((t) => t instanceof Tensor && t.requires_grad);
  if (wanted.length === 0) {
    throw new RuntimeError(
      "gradcheck expects at least one input tensor to require gradient, but none of the them have requires_grad=True.",
    );
  }
  const outputs = listOf(f(...args)).filter(differentiable);
  for (const [k, input] of wanted.entries()) {
    const analytic = outputs.map((out) => jacobianRows(out, input));
    for (let j = 0; j < parts(input.data).numel(); j++) {
      const numeric = difference(f, args, input, j, eps);
      for (const [o, rows] of analytic.entries()) {
        for (const [i, row] of rows.entries()) {
          const a = row === null ? 0 : row[j]!, n = numeric[o]![i]!;
          if (Math.abs(a - n) <= atol + rtol * Math.abs(n)) continue;
          if (!raise_exception) return false;
          throw new RuntimeError(
            `Jacobian mismatch for output ${o} with respect to input ${k},\nnumerical: d output[${i}] / d input[${j}] = ${n}\nanalytical: ${a}\n`,
          );
        }
      }
    }
  }
  return true;
}

/** For each output element: the gradient of the input as numbers, null where there is none. */
function jacobianRows(out: Tensor, input: Tensor): (number[] | null)[] {
  const n = parts(out.detach()).numel();
  if (!out.requires_grad) return new Array(n).fill(null);
  return Array.from({ length: n }, (_, i) => {
    const seed = out.detach().new_zeros(out.shape);
    parts(seed).view([n]).select(0, i).fill_(1);
    const [g] = grad(out, input, {
      grad_outputs: seed,
      retain_graph: true,
      allow_unused: true,
    });
    return g ? numbers(g) : null;
  });
}

/** Central differences of all outputs in element `j` of `input`. */
function difference(
  f: Differentiable,
  args: readonly Tensor[],
  input: Tensor,
  j: number,
  eps: number,
): number[][] {
  const element = no_grad(() => {
    const place = place1(input, j);
    return { place, value: Number(place.item()) };
  });
  const at = (x: number): number[][] => {
    no_grad(() => element.place.fill_(x));
    return values(f, args);
  };
  const high = at(element.value + eps), low = at(element.value - eps);
  no_grad(() => element.place.fill_(element.value));
  return high.map((h, o) => h.map((v, i) => (v - low[o]![i]!) / (2 * eps)));
}

/** Element `j` (row-major) of a tensor of any strides, as a 0-dim view. */
function place1(t: Tensor, j: number): Tensor {
  let view: Tensor = parts(t.data); // perturbations must not count as writes
  const index: number[] = [];
  const sizes = view.sizes;
  let rest = j;
  for (let d = sizes.length - 1; d >= 0; d--) {
    index[d] = rest % sizes[d]!;
    rest = Math.floor(rest / sizes[d]!);
  }
  for (const i of index) view = view.select(0, i);
  return view;
}

/** Fixed, irregular numbers in the shape and dtype of `t`. */
function irregular(t: Tensor): Tensor {
  const out = t.new_empty(t.shape), flat = parts(out).view([-1]);
  flat.copy_(
    flat.new_tensor(Array.from({ length: flat.numel() }, (_, i) => Math.sin(12.9898 * (i + 1)) + 0.1)),
  );
  return out;
}

/** {@linkcode gradcheck} of the gradients of `f`: second derivatives. */
export function gradgradcheck(
  f: Differentiable,
  inputs: Tensor | readonly Tensor[],
  grad_outputs: Tensor | readonly Tensor[] | null = null,
  options: GradcheckOptions = {},
): boolean {
  const args = listOf(inputs as Tensor | Tensor[]);
  const probe = listOf(f(...args)).filter(differentiable);
  // Without a given direction any will do.
  const directions = grad_outputs !== null
    ? listOf(grad_outputs as Tensor | Tensor[])
    : probe.map((t) => irregular(t.detach()).requires_grad_(true));
  const n = args.length;
  const first = (...all: Tensor[]): Tensor[] =>
    enable_grad(() => {
      const xs = all.slice(0, n), gs = all.slice(n);
      const outs = listOf(f(...xs)).filter(differentiable);
      const live = outs.map((o, i) => [o, gs[i]!] as const).filter(([o]) => o.requires_grad);
      const wanted = xs.filter((t) => t instanceof Tensor && t.requires_grad);
      const grads = grad(live.map(([o]) => o), wanted, {
        grad_outputs: live.map(([, g]) => g),
        create_graph: true,
        allow_unused: true,
      });
      return grads.filter((g): g is Tensor => g !== null && g.requires_grad);
    });
  return gradcheck(first, [...args, ...directions], options);
}
