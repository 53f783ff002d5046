/**
 * Operators that are short compositions of others: diagonals, products of several tensors, distances, statistics.
 *
 * @module
 */
import { type DType, int64, Kind } from "../base/dtype.ts";
import { RuntimeError } from "../base/errors.ts";
import { type Scalar, toNumber } from "../base/scalar.ts";
import { numelOf, shapeText } from "../base/size.ts";
import { fn } from "../dispatch/functions.ts";
import { op, type Table } from "../dispatch/op.ts";
import { broadcastAll } from "../dispatch/promotion.ts";
import { wrapDim } from "../dispatch/reduction.ts";
import type { Tensor } from "../tensor.ts";

type Ints = readonly number[];

function diagEmbed(self: Tensor, offset: number, dim1: number, dim2: number): Tensor {
  const rank = self.sizes.length + 1;
  const a = wrapDim(dim1, rank), b = wrapDim(dim2, rank);
  if (a === b) throw new RuntimeError(`diagonal dimensions cannot be identical ${dim1}, ${dim2}`);
  const n = self.sizes[self.sizes.length - 1]! + Math.abs(offset);
  const sizes = self.sizes.slice(0, -1);
  const [low, high] = a < b ? [a, b] : [b, a];
  sizes.splice(low, 0, n);
  sizes.splice(high, 0, n);
  return self.diagonal_backward(sizes, offset, dim1, dim2);
}

/** One operand of einsum: its labels with "..." expanded to numbered ones. */
function labelsOf(part: string, t: Tensor, k: number): string[] {
  const text = part.replace(/\s/g, "");
  const letters = text.replace("...", "");
  if (/[^a-zA-Z]/.test(letters)) {
    throw new RuntimeError(
      `einsum(): invalid subscript given at index ${
        text.search(/[^a-zA-Z.]/)
      } in the equation string, subscripts must be in [a-zA-Z]`,
    );
  }
  const has = text.includes("...");
  const missing = t.sizes.length - letters.length;
  if (has ? missing < 0 : missing !== 0) {
    throw new RuntimeError(
      `einsum(): the number of subscripts in the equation (${letters.length}) ${
        has ? "is more than the number of dimensions" : "does not match the number of dimensions"
      } (${t.sizes.length}) for operand ${k}${has ? "" : " and no ellipsis was given"}`,
    );
  }
  if (!has) return [...letters];
  const [before, after] = text.split("...") as [string, string];
  return [...before, ...Array.from({ length: missing }, (_, i) => `.${missing - i}`), ...after];
}

function einsum(equation: string, operands: readonly Tensor[]): Tensor {
  if (operands.length === 0) throw new RuntimeError("einsum(): must provide at least one operand");
  const [inputs, output] = equation.split("->") as [string, string | undefined];
  const parts = inputs.split(",");
  if (parts.length !== operands.length) {
    throw new RuntimeError(
      parts.length > operands.length
        ? "einsum(): more operands were provided than specified in the equation".replace("more", "fewer")
        : "einsum(): more operands were provided than specified in the equation",
    );
  }
  const labels = parts.map((p, k) => labelsOf(p, operands[k]!, k));
  const sizeOf = new Map<string, number>();
  labels.forEach((list, k) =>
    list.forEach((l, i) => {
      const n = operands[k]!.sizes[i]!, old = sizeOf.get(l);
      if (old === undefined || old === 1) sizeOf.set(l, n);
      else if (n !== old && n !== 1) {
        throw new RuntimeError(
          `einsum(): subscript ${
            l.startsWith(".") ? "..." : l
          } has size ${n} for operand ${k} which does not broadcast with previously seen size ${old}`,
        );
      }
    })
  );
  const dots = [...sizeOf.keys()].filter((l) => l.startsWith(".")).sort((a, b) =>
    Number(b.slice(1)) - Number(a.slice(1))
  );
  const all = labels.flat();
  const out = output === undefined
    ? [
      ...dots,
      ...[...new Set(all)].filter((l) => !l.startsWith(".") && all.filter((x) => x === l).length === 1)
        .sort(),
    ]
    : outputLabels(output.replace(/\s/g, ""), dots, sizeOf);
  // Diagonals of repeated labels, then products two at a time.
  const terms = operands.map((t, k) => diagonals(t, labels[k]!));
  let result = terms[0]!, summed = false;
  for (let k = 1; k < terms.length; k++) {
    const later = new Set([...out, ...terms.slice(k + 1).flatMap((t) => t.labels)]);
    const before = [...result.labels, ...terms[k]!.labels];
    result = contract(result, terms[k]!, later);
    summed = before.some((l) => !result.labels.includes(l));
  }
  const drop = result.labels.map((l, i) => (out.includes(l) ? -1 : i)).filter((i) => i >= 0);
  if (drop.length > 0) {
    result = { t: result.t.sum(drop), labels: result.labels.filter((l) => out.includes(l)) };
    summed = false;
  }
  const ordered = result.t.permute(out.map((l) => result.labels.indexOf(l)));
  // PyTorch drops the summed dimensions at last, with a view.
  return summed ? ordered.view(ordered.sizes) : ordered;
}

function outputLabels(text: string, dots: string[], known: Map<string, number>): string[] {
  const out: string[] = [];
  const [before, after] = text.includes("...") ? text.split("...") as [string, string] : [text, ""];
  for (const l of [...before, ...(text.includes("...") ? dots : []), ...after]) {
    if (out.includes(l)) {
      throw new RuntimeError(`einsum(): output subscript ${l} appears more than once in the output`);
    }
    if (!known.has(l)) {
      throw new RuntimeError(
        `einsum(): output subscript ${l} does not appear in the equation for any input operand`,
      );
    }
    out.push(l);
  }
  return out;
}

interface Term {
  t: Tensor;
  labels: string[];
}

function diagonals(t: Tensor, labels: string[]): Term {
  const mine = labels.slice();
  for (let i = 0; i < mine.length; i++) {
    for (let j = mine.length - 1; j > i; j--) {
      if (mine[i] !== mine[j]) continue;
      if (t.sizes[i] !== t.sizes[j]) {
        throw new RuntimeError(
          `einsum(): subscript ${mine[i]} is repeated for operand 0 but the sizes don't match, ${
            t.sizes[j]
          } != ${t.sizes[i]}`,
        );
      }
      t = t.diagonal(0, i, j).movedim(-1, i);
      mine.splice(j, 1);
    }
  }
  return { t, labels: mine };
}

/** The product of two terms, summed over the labels that nobody needs later: one batched matrix product. */
function contract(a: Term, b: Term, later: ReadonlySet<string>): Term {
  const size = (term: Term, l: string): number =>
    term.labels.includes(l) ? term.t.sizes[term.labels.indexOf(l)]! : 1;
  const shared = a.labels.filter((l) => b.labels.includes(l));
  const summed = shared.filter((l) => !later.has(l));
  const batch = shared.filter((l) => later.has(l));
  // A label of one operand alone that is not needed later is summed before the product.
  const lone = (x: Term, y: Term): Term => {
    const drop = x.labels.filter((l) => !later.has(l) && !y.labels.includes(l));
    if (drop.length === 0) return x;
    return {
      t: x.t.sum(drop.map((l) => x.labels.indexOf(l))),
      labels: x.labels.filter((l) => !drop.includes(l)),
    };
  };
  const x = lone(a, b), y = lone(b, a);
  const left = x.labels.filter((l) => !shared.includes(l)),
    right = y.labels.filter((l) => !shared.includes(l));
  const sizes = (term: Term, list: string[]): number[] => list.map((l) => size(term, l));
  const wide = (list: string[]): number[] => list.map((l) => Math.max(size(x, l), size(y, l)));
  const arrange = (term: Term, own: string[], ownFirst: boolean): Tensor => {
    const order = ownFirst ? [...batch, ...own, ...summed] : [...batch, ...summed, ...own];
    const p = term.t.permute(order.map((l) => term.labels.indexOf(l)));
    const full = p.expand([
      ...wide(batch),
      ...(ownFirst ? [...sizes(term, own), ...wide(summed)] : [...wide(summed), ...sizes(term, own)]),
    ]);
    const n = numelOf(wide(batch)), s = numelOf(wide(summed)), o = numelOf(sizes(term, own));
    return full.reshape(ownFirst ? [n, o, s] : [n, s, o]);
  };
  const product = arrange(x, left, true).bmm(arrange(y, right, false));
  return {
    t: product.view([...wide(batch), ...sizes(x, left), ...sizes(y, right)]),
    labels: [...batch, ...left, ...right],
  };
}

function cdist(a: Tensor, b: Tensor, p: number): Tensor {
  for (const [i, t] of [a, b].entries()) {
    if (t.dtype.kind === Kind.float) continue;
    throw new RuntimeError(`cdist only supports floating-point dtypes, X${i + 1} got: ${t.dtype.scalarName}`);
  }
  if (a.sizes.length < 2 || b.sizes.length < 2) {
    throw new RuntimeError(
      `cdist only supports at least 2D tensors, X${a.sizes.length < 2 ? 1 : 2} got: ${
        Math.min(a.sizes.length, b.sizes.length)
      }D`,
    );
  }
  if (a.sizes.at(-1) !== b.sizes.at(-1)) {
    throw new RuntimeError(
      `X1 and X2 must have the same number of columns. X1: ${a.sizes.at(-1)} X2: ${b.sizes.at(-1)}`,
    );
  }
  if (p < 0) throw new RuntimeError("cdist only supports non-negative p values");
  return fn.linalg_vector_norm!(a.unsqueeze(-2).sub(b.unsqueeze(-3)), p, [-1]);
}

function checkWeights(name: string, w: Tensor | null, self: Tensor, kind: string): void {
  if (w === null) return;
  if (w.sizes.length > 1) {
    throw new RuntimeError(
      `cov(): expected ${name} to have one or fewer dimensions but got ${name} with ${w.sizes.length} dimensions`,
    );
  }
  if ((w.dtype.kind >= Kind.float) !== (kind === "floating point")) {
    throw new RuntimeError(
      `cov(): expected ${name} to have ${kind} dtype but got ${name} with ${w.dtype.scalarName} dtype`,
    );
  }
  const n = self.sizes.length < 2 ? self.count : self.sizes[1]!;
  if (w.count !== n) {
    throw new RuntimeError(
      `cov(): expected ${name} to have the same numel as there are observations in the input but got ${w.count} != ${n}`,
    );
  }
  if (w.count > 0 && w.lt(0).any().item()) throw new RuntimeError(`cov(): ${name} cannot be negative`);
}

function cov(self: Tensor, correction: number, fweights: Tensor | null, aweights: Tensor | null): Tensor {
  checkWeights("fweights", fweights, self, "integral");
  checkWeights("aweights", aweights, self, "floating point");
  if (self.sizes.length > 2) {
    throw new RuntimeError(
      `cov(): expected input to have two or fewer dimensions but got an input with ${self.sizes.length} dimensions`,
    );
  }
  const x = (self.sizes.length < 2 ? self.reshape([1, -1]) : self).to(
    self.dtype.kind < Kind.float ? fn.result_type!(self, 1.5) as never as DType : self.dtype,
  );
  let w: Tensor | null = fweights;
  if (aweights !== null) w = w === null ? aweights : w.mul(aweights);
  const n = x.sizes[1]!;
  const total = w === null ? null : w.sum().to(x.dtype);
  const mean = w === null ? x.mean(1, true) : x.mul(w).sum(1, true).div(total!);
  const centered = x.sub(mean);
  const norm = w === null
    ? n - correction
    : aweights === null
    ? total!.sub(correction)
    : total!.sub(w.mul(aweights).sum().div(total!).mul(correction));
  const right = w === null ? centered : centered.mul(w);
  const c = centered.matmul(right.t());
  const out = typeof norm === "number" ? c.div(Math.max(norm, 0)) : c.div(norm.clamp_min(0));
  return out.squeeze();
}

export const composites: Table = {
  diag_embed: [op({
    schema: "diag_embed(Tensor self, int offset=0, int dim1=-2, int dim2=-1) -> Tensor",
    composite: diagEmbed,
    doc: "Matrices with the last dimension on a diagonal.",
  })],
  diag: [op({
    schema: "diag(Tensor self, int diagonal=0) -> Tensor",
    composite: (self: Tensor, diagonal: number) => {
      if (self.sizes.length === 1) return diagEmbed(self, diagonal, 0, 1);
      if (self.sizes.length !== 2) throw new RuntimeError("matrix or a vector expected");
      return self.diagonal(diagonal).clone();
    },
    doc: "A matrix's diagonal, or the matrix with a given one.",
  })],
  diagflat: [op({
    schema: "diagflat(Tensor self, int offset=0) -> Tensor",
    composite: (self: Tensor, offset: number) => diagEmbed(self.reshape([-1]), offset, 0, 1),
    doc: "The matrix with the flattened input on its diagonal.",
  })],
  trace: [op({
    schema: "trace(Tensor self) -> Tensor",
    impl: (self: Tensor) => {
      if (self.sizes.length !== 2) throw new RuntimeError("trace: expected a matrix");
      return self.diagonal().sum();
    },
    derivative: {
      self: (c) => {
        // Every (m + 1)-th element in row-major order, as PyTorch: a tall matrix's diagonal starts again below.
        const [n, m] = c.sizesOf("self") as [number, number];
        const count = Math.floor((n * m + m) / (m + 1));
        const places = fn.arange!(count, { device: c.grad.device }).mul(m + 1) as Tensor;
        return c.grad.new_zeros([n * m]).index_put([places], c.grad).view([n, m]);
      },
    },
    doc: "The sum of a matrix's diagonal.",
  })],
  block_diag: [op({
    schema: "block_diag(Tensor[] tensors) -> Tensor",
    composite: (tensors: Tensor[]) => {
      const blocks = tensors.map((t, i) => {
        if (t.sizes.length > 2) {
          throw new RuntimeError(
            `torch.block_diag: Input tensors must have 2 or fewer dimensions. Input ${i} has ${t.sizes.length} dimensions`,
          );
        }
        return t.sizes.length === 2 ? t : t.reshape(t.sizes.length === 0 ? [1, 1] : [1, -1]);
      });
      if (blocks.length === 0) return fn.empty!([1, 0]);
      const width = blocks.reduce((a, b) => a + b.sizes[1]!, 0);
      let at = 0;
      const rows = blocks.map((b) => {
        const row = fn.constant_pad_nd!(b, [at, width - at - b.sizes[1]!], 0) as Tensor;
        at += b.sizes[1]!;
        return row;
      });
      return fn.cat!(rows, 0);
    },
    varargs: "tensors",
    only: "function",
    doc: "A block-diagonal matrix.",
  })],
  cartesian_prod: [op({
    schema: "cartesian_prod(Tensor[] tensors) -> Tensor",
    composite: (tensors: Tensor[]) => {
      for (const t of tensors) {
        if (t.sizes.length !== 1) {
          throw new RuntimeError(`Expect a 1D vector, but got shape ${shapeText(t.sizes)}`);
        }
      }
      if (tensors.length === 1) return tensors[0];
      const grids = (fn.meshgrid!(tensors, { indexing: "ij" }) as unknown as Tensor[]).map((g) =>
        g.reshape([-1])
      );
      return fn.stack!(grids, 1);
    },
    varargs: "tensors",
    only: "function",
    doc: "All combinations of one element of each vector.",
  })],
  combinations: [op({
    schema: "combinations(Tensor self, int r=2, bool with_replacement=False) -> Tensor",
    composite: (self: Tensor, r: number, replacement: boolean) => {
      if (self.sizes.length !== 1) {
        throw new RuntimeError(`Expect a 1D vector, but got shape ${shapeText(self.sizes)}`);
      }
      if (r < 0) throw new RuntimeError(`Expect a non-negative number, but got ${r}`);
      if (r === 0) return self.new_empty([0]);
      const n = self.sizes[0]!;
      const rows: bigint[][] = [];
      const pick = (from: number, chosen: bigint[]): void => {
        if (chosen.length === r) {
          rows.push(chosen);
          return;
        }
        for (let i = from; i < n; i++) pick(replacement ? i : i + 1, [...chosen, BigInt(i)]);
      };
      pick(0, []);
      if (rows.length === 0) return self.new_empty([0, r]);
      const index = self.new_tensor(rows.flat(), { dtype: int64 });
      return self.index_select(0, index).view([rows.length, r]);
    },
    doc: "All combinations of r elements.",
  })],
  kron: [op({
    schema: "kron(Tensor self, Tensor other) -> Tensor",
    composite: (self: Tensor, other: Tensor) => {
      const rank = Math.max(self.sizes.length, other.sizes.length);
      const padded = (
        t: Tensor,
      ): number[] => [...new Array<number>(rank - t.sizes.length).fill(1), ...t.sizes];
      const a = padded(self), b = padded(other);
      const x = self.reshape(a.flatMap((s) => [s, 1])), y = other.reshape(b.flatMap((s) => [1, s]));
      return x.mul(y).reshape(a.map((s, i) => s * b[i]!));
    },
    doc: "Kronecker product.",
  })],
  einsum: [op({
    schema: "einsum(str equation, Tensor[] operands) -> Tensor",
    composite: einsum,
    varargs: "operands",
    only: "function",
    doc: "Sums of products in Einstein's notation.",
  })],
  cdist: [op({
    schema: "cdist(Tensor x1, Tensor x2, float p=2, str? compute_mode=None) -> Tensor",
    composite: cdist,
    only: "function",
    doc: "Distances between all pairs of rows.",
  })],
  cross: [op({
    schema: "cross(Tensor self, Tensor other, int? dim=None) -> Tensor",
    composite: (self: Tensor, other: Tensor, dim: number | null) => {
      checkSameRank(self, other);
      const size = broadcastAll([self.sizes, other.sizes]);
      const d = dim === null ? size.indexOf(3) : wrapDim(dim, size.length);
      if (d < 0) throw new RuntimeError("no dimension of size 3 in input");
      return crossAlong(self, other, d, size);
    },
    doc: "Cross product of 3-vectors.",
  })],
  linalg_cross: [op({
    schema: "linalg_cross(Tensor self, Tensor other, *, int dim=-1) -> Tensor",
    composite: (self: Tensor, other: Tensor, dim: number) => {
      checkSameRank(self, other);
      const size = broadcastAll([self.sizes, other.sizes]);
      const d = wrapDim(dim, size.length);
      return crossAlong(self, other, d, size, dim);
    },
    only: "function",
    doc: "Cross product of 3-vectors along a dimension.",
  })],
  linalg_vecdot: [op({
    schema: "linalg_vecdot(Tensor x, Tensor y, *, int dim=-1) -> Tensor",
    composite: (self: Tensor, other: Tensor, dim: number) => {
      if (self.dtype.kind < Kind.float) {
        throw new RuntimeError(
          `linalg.vecdot: Expected a floating point or complex tensor as input. Got ${self.dtype.scalarName}`,
        );
      }
      if (self.dtype !== other.dtype) {
        throw new RuntimeError(
          `linalg.vecdot: Expected x and y to have the same dtype, but found x of type ${self.dtype.scalarName} and y of type ${other.dtype.scalarName} instead`,
        );
      }
      return self.conj().mul(other).sum(dim);
    },
    only: "function",
    doc: "Dot products of vectors along a dimension.",
  })],
  cov: [op({
    schema: "cov(Tensor self, *, int correction=1, Tensor? fweights=None, Tensor? aweights=None) -> Tensor",
    composite: cov,
    doc: "Covariance matrix of variables in rows.",
  })],
  corrcoef: [op({
    schema: "corrcoef(Tensor self) -> Tensor",
    composite: (self: Tensor) => {
      const c = cov(self, 1, null, null);
      if (c.sizes.length === 0) return c.div(c);
      const sd = c.diagonal().sqrt();
      return c.div(sd.reshape([-1, 1])).div(sd).clamp(-1, 1);
    },
    doc: "Correlation coefficients of variables in rows.",
  })],
  renorm: [op({
    schema: "renorm(Tensor self, Scalar p, int dim, Scalar maxnorm) -> Tensor",
    composite: (self: Tensor, p: Scalar, dim: number, maxnorm: Scalar) => {
      if (self.sizes.length < 2) {
        throw new RuntimeError(
          `renorm: input needs at least 2 dimensions, got ${self.sizes.length} dimensions`,
        );
      }
      if (toNumber(p) <= 0) throw new RuntimeError("renorm: non-positive-norm not supported");
      if (toNumber(maxnorm) < 0) {
        throw new RuntimeError(`renorm: expected maxnorm to be >= 0 but got ${toNumber(maxnorm)}`);
      }
      const d = wrapDim(dim, self.sizes.length);
      const others = self.sizes.map((_, i) => i).filter((i) => i !== d);
      const norms = fn.linalg_vector_norm!(self, toNumber(p), others, true) as Tensor;
      const factor = norms.add(1e-7).reciprocal().mul(maxnorm);
      return self.mul(factor.where(norms.gt(maxnorm), norms.new_ones([])));
    },
    inplace: true,
    doc: "Scales down slices whose p-norm is above maxnorm.",
  })],
  vander: [op({
    schema: "vander(Tensor x, int? N=None, bool increasing=False) -> Tensor",
    composite: (x: Tensor, n: number | null, increasing: boolean) => {
      const powers = fn.arange!(n ?? x.sizes[0]!, { device: x.device }) as Tensor;
      const v = x.unsqueeze(-1).pow(powers);
      return increasing ? v : v.flip([1]);
    },
    only: "function",
    doc: "Vandermonde matrix.",
  })],
  frexp: [op({
    schema: "frexp(Tensor self) -> (Tensor mantissa, Tensor exponent)",
    composite: (self: Tensor) => {
      if (self.dtype.kind < Kind.float) {
        throw new RuntimeError("torch.frexp() only supports floating-point dtypes");
      }
      const x = self.detach(), size = x.abs();
      // exponent e with 0.5 <= |x| 2^-e < 1; log2 may be off by one next to a power of two.
      let e = size.log2().floor().add(1);
      const special = x.eq(0).logical_or(x.isfinite().logical_not());
      e = e.masked_fill(special, 0);
      const scaled = size.mul(e.neg().exp2());
      const regular = special.logical_not();
      const up = scaled.ge(1).logical_and(regular), down = scaled.lt(0.5).logical_and(regular);
      e = e.add(up.to(e.dtype)).sub(down.to(e.dtype));
      const half = e.div(2, { rounding_mode: "trunc" });
      const mantissa = self.mul(half.neg().exp2()).mul(e.sub(half).neg().exp2());
      return [self.where(special, mantissa), e.int()];
    },
    doc: "Mantissa in [0.5, 1) and exponent.",
  })],
  fractional_max_pool2d: [op({
    schema:
      "fractional_max_pool2d(Tensor self, int[2] kernel_size, int[2] output_size, Tensor random_samples) -> (Tensor, Tensor)",
    composite: (self: Tensor, k: Ints, size: Ints, samples: Tensor) => fractionalPool(self, k, size, samples),
    only: "hidden",
    doc: "Max pooling over windows of random size.",
  })],
  fractional_max_pool3d: [op({
    schema:
      "fractional_max_pool3d(Tensor self, int[3] kernel_size, int[3] output_size, Tensor random_samples) -> (Tensor, Tensor)",
    composite: (self: Tensor, k: Ints, size: Ints, samples: Tensor) => fractionalPool(self, k, size, samples),
    only: "hidden",
    doc: "Max pooling over windows of random size.",
  })],
};

function checkSameRank(self: Tensor, other: Tensor): void {
  if (self.sizes.length !== other.sizes.length) {
    throw new RuntimeError("linalg.cross: inputs must have the same number of dimensions.");
  }
}

function crossAlong(self: Tensor, other: Tensor, d: number, size: Ints, shown = d): Tensor {
  const lengthOf = (t: Tensor): number | undefined => t.sizes[d - (size.length - t.sizes.length)];
  if (lengthOf(self) !== 3 || lengthOf(other) !== 3) {
    throw new RuntimeError(
      `linalg.cross: inputs dimension ${shown} must have length 3. Got ${self.sizes[d]} and ${
        other.sizes[d]
      }`,
    );
  }
  const a = self.expand(size), b = other.expand(size);
  const turned = (t: Tensor, by: number): Tensor => t.roll([-by], [d]);
  return turned(a, 1).mul(turned(b, 2)).sub(turned(a, 2).mul(turned(b, 1)));
}

/** Window starts of one dimension (ATen FractionalMaxPool: generate_intervals). */
function intervals(sample: number, input: number, output: number, kernel: number): number[] {
  const starts = new Array<number>(output);
  if (output > 1) {
    const alpha = Math.fround((input - kernel) / (output - 1));
    for (let i = 0; i < output - 1; i++) {
      starts[i] = Math.trunc(Math.fround((i + sample) * alpha)) - Math.trunc(Math.fround(sample * alpha));
    }
  }
  if (output > 0) starts[output - 1] = input - kernel;
  return starts;
}

function fractionalPool(self: Tensor, kernel: Ints, size: Ints, samples: Tensor): [Tensor, Tensor] {
  const rank = kernel.length;
  const batched = self.sizes.length === rank + 2;
  const x = batched ? self : self.unsqueeze(0);
  const [n, c] = x.sizes as [number, number];
  const spatial = x.sizes.slice(2);
  size.forEach((o, i) => {
    if (o + kernel[i]! - 1 > spatial[i]!) {
      throw new RuntimeError(
        `fractional_max_pool${rank}d(): pool ${["depth", "height", "width"].slice(3 - rank)[i]} ${
          kernel[i]
        } too large relative to input ${["depth", "height", "width"].slice(3 - rank)[i]} ${spatial[i]}`,
      );
    }
  });
  const values = samples.reshape([n * c, rank]).tolist() as number[][];
  const outCount = numelOf(size), window = numelOf(kernel);
  const places = new BigInt64Array(n * c * outCount * window);
  let at = 0;
  for (let plane = 0; plane < n * c; plane++) {
    // The samples are in the order width, height (, depth).
    const starts = spatial.map((s, i) => intervals(values[plane]![rank - 1 - i]!, s, size[i]!, kernel[i]!));
    const visit = (d: number, base: number, out: number[]): void => {
      if (d === rank) {
        inner(0, 0, out);
        return;
      }
      for (let o = 0; o < size[d]!; o++) visit(d + 1, base, [...out, starts[d]![o]!]);
    };
    const inner = (d: number, base: number, out: number[]): void => {
      if (d === rank) {
        places[at++] = BigInt(base);
        return;
      }
      for (let k = 0; k < kernel[d]!; k++) inner(d + 1, base * spatial[d]! + out[d]! + k, out);
    };
    visit(0, 0, []);
  }
  const index = self.new_tensor(places, { dtype: int64 }).view([n, c, outCount * window]);
  const picked = x.reshape([n, c, numelOf(spatial)]).gather(2, index).view([n, c, outCount, window]);
  const [best, which] = picked.max(-1);
  const flat = index.view([n, c, outCount, window]).gather(3, which.unsqueeze(-1)).squeeze(-1);
  const shape = [...(batched ? [n, c] : [c]), ...size];
  return [best.view(shape), flat.view(shape)];
}
