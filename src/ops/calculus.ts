/**
 * Numerical differentiation and integration of sampled functions.
 *
 * @module
 */
import { RuntimeError } from "../base/errors.ts";
import { type Scalar, toNumber } from "../base/scalar.ts";
import { fn } from "../dispatch/functions.ts";
import { op, type Table } from "../dispatch/op.ts";
import { wrapDim } from "../dispatch/reduction.ts";
import { Tensor } from "../tensor.ts";

/** A vector that broadcasts along dimension `d` of tensors of the rank. */
const along = (v: Tensor, d: number, rank: number): Tensor =>
  v.reshape(Array.from({ length: rank }, (_, i) => (i === d ? -1 : 1)));

function trapezoid(y: Tensor, x: Tensor | null, dx: Scalar, dim: number): Tensor {
  const d = wrapDim(dim, y.sizes.length), n = y.sizes[d]!;
  if (n === 0) return y.sum(d).mul(0);
  if (x === null) return y.sum(d).sub(y.select(d, 0).add(y.select(d, -1)).mul(0.5)).mul(dx);
  return areas(y, x, dx, d, dim).sum(d).div(2);
}

/** Twice the areas between neighbours. */
function areas(y: Tensor, x: Tensor | null, dx: Scalar, d: number, dim: number): Tensor {
  const n = y.sizes[d]!;
  const sums = y.narrow(d, 1, n - 1).add(y.narrow(d, 0, n - 1));
  if (x === null) return sums.mul(dx);
  return sums.mul(x.sizes.length === 1 ? along(x.diff(), d, y.sizes.length) : x.diff(1, dim));
}

function cumulativeTrapezoid(y: Tensor, x: Tensor | null, dx: Scalar, dim: number): Tensor {
  const d = wrapDim(dim, y.sizes.length);
  return areas(y, x, dx, d, dim).cumsum(d).div(2);
}

/** The rule as two overloads: with the places of the samples, or with their distance. */
function rule(
  name: string,
  f: (y: Tensor, x: Tensor | null, dx: Scalar, dim: number) => Tensor,
  doc: string,
  aliases: string[] = [],
) {
  return [
    op({
      schema: `${name}.x(Tensor y, Tensor x, *, int dim=-1) -> Tensor`,
      composite: (y: Tensor, x: Tensor, dim: number) => f(y, x, 1, dim),
      only: "function",
      aliases,
      doc,
    }),
    op({
      schema: `${name}.dx(Tensor y, *, Scalar dx=1, int dim=-1) -> Tensor`,
      composite: (y: Tensor, dx: Scalar, dim: number) => f(y, null, dx, dim),
      only: "function",
      doc,
    }),
  ];
}

/** Slopes along one dimension, for samples at the distance `h` or at the coordinates `h`. */
function slopes(x: Tensor, d: number, h: number | Tensor, order: number): Tensor {
  const n = x.sizes[d]!, rank = x.sizes.length;
  const at = (start: number, length: number): Tensor => x.narrow(d, start, length);
  const parts: Tensor[] = [];
  /** a x[i] + b x[i + 1] + c x[i + 2] from `i` on, `length` times. */
  const three = (i: number, length: number, a: Weight, b: Weight, c: Weight): Tensor =>
    at(i, length).mul(a).add(at(i + 1, length).mul(b)).add(at(i + 2, length).mul(c));
  if (typeof h === "number") {
    const edge = (i: number) => at(i + 1, 1).sub(at(i, 1)).div(h);
    parts.push(order === 1 ? edge(0) : three(0, 1, -1.5 / h, 2 / h, -0.5 / h));
    parts.push(at(2, n - 2).sub(at(0, n - 2)).div(2 * h));
    parts.push(order === 1 ? edge(n - 2) : three(n - 3, 1, 0.5 / h, -2 / h, 1.5 / h));
    return joined(parts, d);
  }
  const steps = h.diff();
  const step = (i: number, length: number): Tensor => along(steps.narrow(0, i, length), d, rank);
  const edge = (i: number): Tensor => at(i + 1, 1).sub(at(i, 1)).div(step(i, 1));
  const ends = (i: number, first: boolean): Tensor => {
    const p = step(i, 1), q = step(i + 1, 1), sum = p.add(q);
    return first
      ? three(i, 1, p.mul(2).add(q).div(p.mul(sum)).neg(), sum.div(p.mul(q)), p.div(q.mul(sum)).neg())
      : three(i, 1, q.div(p.mul(sum)), sum.div(p.mul(q)).neg(), q.mul(2).add(p).div(q.mul(sum)));
  };
  parts.push(order === 1 ? edge(0) : ends(0, true));
  const p = step(0, n - 2), q = step(1, n - 2), sum = p.add(q);
  parts.push(three(0, n - 2, q.div(p.mul(sum)).neg(), q.sub(p).div(p.mul(q)), p.div(q.mul(sum))));
  parts.push(order === 1 ? edge(n - 2) : ends(n - 3, false));
  return joined(parts, d);
}
type Weight = number | Tensor;
const joined = (parts: Tensor[], d: number): Tensor => fn.cat!(parts, d) as Tensor;

type Spacing = Scalar | readonly (Scalar | Tensor)[];

function gradient(self: Tensor, spacing: Spacing, dim: readonly number[] | null, order: number): Tensor[] {
  const rank = self.sizes.length;
  if (order !== 1 && order !== 2) {
    throw new RuntimeError("torch.gradient only supports edge_order=1 and edge_order=2.");
  }
  const dims = dim === null ? self.sizes.map((_, d) => d) : dim.map((d) => wrapDim(d, rank));
  if (new Set(dims).size !== dims.length) {
    const twice = dims.find((d, i) => dims.indexOf(d) !== i)!;
    throw new RuntimeError(`dim ${twice} appears multiple times in the list of dims`);
  }
  const list = Array.isArray(spacing) ? spacing as readonly (Scalar | Tensor)[] : null;
  if (list !== null && list.length !== dims.length) {
    throw new RuntimeError(
      `torch.gradient expected spacing to be unspecified, a scalar, or a list of length equal to 'self.dim() = ${rank}' ` +
        `or 'dim.size() = ${dims.length}', but got a list of length ${list.length}`,
    );
  }
  return dims.map((d, i) => {
    if (self.sizes[d]! < order + 1) {
      throw new RuntimeError("torch.gradient expected each dimension size to be at least edge_order+1");
    }
    const h = list === null ? spacing as Scalar : list[i]!;
    return slopes(self, d, h instanceof Tensor ? h : toNumber(h), order);
  });
}

export const calculus: Table = {
  trapezoid: rule("trapezoid", trapezoid, "Integral by the trapezoidal rule.", ["trapz"]),
  cumulative_trapezoid: rule(
    "cumulative_trapezoid",
    cumulativeTrapezoid,
    "Integrals up to each sample by the trapezoidal rule.",
  ),
  gradient: [op({
    schema: "gradient(Tensor self, *, Any spacing=1, int[1]? dim=None, int edge_order=1) -> Tensor[]",
    composite: gradient,
    only: "function",
    doc:
      "Slopes of a sampled function along dimensions, by central differences; at the ends by one-sided ones.",
  })],
};
