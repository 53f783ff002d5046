/**
 * Checking derivatives against finite differences.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.autograd.gradcheck.html
 * @module
 */
import { RuntimeError } from "../base/errors.ts";
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

/** Values of all outputs as numbers. */
function values(fn: Differentiable, inputs: readonly Tensor[]): number[][] {
  return no_grad(() =>
    listOf(fn(...inputs)).filter(differentiable).map((t) => Array.from(t.double().to_typed_array(), Number))
  );
}

/**
 * Compares the gradients of `fn` with finite differences, for every input that requires grad (float64). Throws at the
 * first difference, or returns false with `raise_exception: false`.
 */
export function gradcheck(
  fn: Differentiable,
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
  const outputs = listOf(fn(...args)).filter(differentiable);
  for (const [k, input] of wanted.entries()) {
    const analytic = outputs.map((out) => jacobianRows(out, input));
    for (let j = 0; j < input.numel(); j++) {
      const numeric = difference(fn, args, input, j, eps);
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
  const n = out.numel();
  if (!out.requires_grad) return new Array(n).fill(null);
  return Array.from({ length: n }, (_, i) => {
    const seed = out.detach().new_zeros([n]);
    seed.select(0, i).fill_(1);
    const [g] = grad(out, input, {
      grad_outputs: seed.view(out.shape),
      retain_graph: true,
      allow_unused: true,
    });
    return g ? Array.from(g.double().to_typed_array(), Number) : null;
  });
}

/** Central differences of all outputs in element `j` of `input`. */
function difference(
  fn: Differentiable,
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
    return values(fn, args);
  };
  const high = at(element.value + eps), low = at(element.value - eps);
  no_grad(() => element.place.fill_(element.value));
  return high.map((h, o) => h.map((v, i) => (v - low[o]![i]!) / (2 * eps)));
}

/** Element `j` (row-major) of a tensor of any strides, as a 0-dim view. */
function place1(t: Tensor, j: number): Tensor {
  let view: Tensor = t.data; // perturbations must not count as writes
  const index: number[] = [];
  let rest = j;
  for (let d = t.sizes.length - 1; d >= 0; d--) {
    index[d] = rest % t.sizes[d]!;
    rest = Math.floor(rest / t.sizes[d]!);
  }
  for (const i of index) view = view.select(0, i);
  return view;
}

/** {@linkcode gradcheck} of the gradients of `fn`: second derivatives. */
export function gradgradcheck(
  fn: Differentiable,
  inputs: Tensor | readonly Tensor[],
  grad_outputs: Tensor | readonly Tensor[] | null = null,
  options: GradcheckOptions = {},
): boolean {
  const args = listOf(inputs as Tensor | Tensor[]);
  const probe = listOf(fn(...args)).filter(differentiable);
  // Without a given direction: fixed, irregular numbers.
  const directions = grad_outputs !== null
    ? listOf(grad_outputs as Tensor | Tensor[])
    : probe.map((t) =>
      t.detach().new_tensor(Array.from({ length: t.numel() }, (_, i) => Math.sin(12.9898 * (i + 1)) + 0.1))
        .view(t.shape).requires_grad_(true)
    );
  const n = args.length;
  const first = (...all: Tensor[]): Tensor[] =>
    enable_grad(() => {
      const xs = all.slice(0, n), gs = all.slice(n);
      const outs = listOf(fn(...xs)).filter(differentiable);
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
