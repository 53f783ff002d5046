/**
 * Views: other shapes over the same bytes.
 *
 * @module
 */
import { type DType, float32, float64, Kind, toComplex, toReal } from "../base/dtype.ts";
import { IndexError, RuntimeError } from "../base/errors.ts";
import { contiguousStrides, numelOf, sameSizes, shapeText } from "../base/size.ts";
import { fn } from "../dispatch/functions.ts";
import { op, type Table } from "../dispatch/op.ts";
import { wrapDim } from "../dispatch/reduction.ts";
import { alias, type Tensor } from "../tensor.ts";

type Sizes = readonly number[];

/** `[2, -1]` with the -1 worked out; PyTorch's error if it does not fit. */
export function inferSize(shape: Sizes, numel: number): number[] {
  let unknown = -1, product = 1;
  shape.forEach((s, i) => {
    if (s === -1) {
      if (unknown >= 0) throw new RuntimeError("only one dimension can be inferred");
      unknown = i;
    } else if (s >= 0) product *= s;
    else throw new RuntimeError(`invalid shape dimension ${s}`);
  });
  const fits = unknown < 0 ? product === numel : product > 0 && numel % product === 0;
  if (fits) {
    const out = shape.slice();
    if (unknown >= 0) out[unknown] = numel / product;
    return out;
  }
  if (unknown >= 0 && product === 0 && numel === 0) {
    throw new RuntimeError(
      `cannot reshape tensor of 0 elements into shape ${
        shapeText(shape)
      } because the unspecified dimension size -1 can be any value and is ambiguous`,
    );
  }
  throw new RuntimeError(`shape '${shapeText(shape)}' is invalid for input of size ${numel}`);
}

/** Strides that show `t` in `shape` without copying, or null if there are none. (ATen/TensorUtils.cpp computeStride) */
export function viewStrides(t: Tensor, shape: Sizes): number[] | null {
  if (t.packed) return contiguousStrides(shape);
  if (t.count === 0) return sameSizes(t.sizes, shape) ? t.strides.slice() : contiguousStrides(shape);
  const strides = new Array<number>(shape.length).fill(0);
  let viewDim = shape.length - 1;
  let chunkBase = t.strides[t.strides.length - 1] ?? 1;
  let tensorNumel = 1, viewNumel = 1;
  for (let d = t.sizes.length - 1; d >= 0; d--) {
    tensorNumel *= t.sizes[d]!;
    if (d === 0 || (t.sizes[d - 1] !== 1 && t.strides[d - 1] !== tensorNumel * chunkBase)) {
      while (viewDim >= 0 && (viewNumel < tensorNumel || shape[viewDim] === 1)) {
        strides[viewDim] = viewNumel * chunkBase;
        viewNumel *= shape[viewDim]!;
        viewDim--;
      }
      if (viewNumel !== tensorNumel) return null;
      if (d > 0) {
        chunkBase = t.strides[d - 1]!;
        tensorNumel = 1;
        viewNumel = 1;
      }
    }
  }
  return viewDim === -1 ? strides : null;
}

function viewAs(self: Tensor, size: Sizes): Tensor {
  const shape = inferSize(size, self.count);
  const strides = viewStrides(self, shape);
  if (strides === null) {
    throw new RuntimeError(
      "view size is not compatible with input tensor's size and stride (at least one dimension spans across two contiguous subspaces). Use .reshape(...) instead.",
    );
  }
  return alias(self, shape, strides, self.offset);
}

/** The same bytes as another dtype; the last dimension grows or shrinks with the item size. */
function viewDtype(self: Tensor, dtype: DType): Tensor {
  const from = self.dtype.itemsize, to = dtype.itemsize;
  if (from === to) return alias(self, self.sizes, self.strides, self.offset, dtype);
  const rank = self.sizes.length;
  if (rank === 0) {
    throw new RuntimeError(
      `self.dim() cannot be 0 to view ${self.dtype.scalarName} as ${dtype.scalarName} (different element sizes)`,
    );
  }
  const sizes = self.sizes.slice(), strides = self.strides.slice();
  if (from > to) {
    const ratio = from / to;
    if (strides[rank - 1] !== 1) {
      throw new RuntimeError(
        `self.stride(-1) must be 1 to view ${self.dtype.scalarName} as ${dtype.scalarName} (different element sizes), but got ${
          strides[rank - 1]
        }`,
      );
    }
    sizes[rank - 1]! *= ratio;
    return alias(
      self,
      sizes,
      strides.map((s, i) => (i === rank - 1 ? 1 : s * ratio)),
      self.offset * ratio,
      dtype,
    );
  }
  const ratio = to / from;
  if (sizes[rank - 1]! % ratio !== 0) {
    throw new RuntimeError(
      `self.size(-1) must be divisible by ${ratio} to view ${self.dtype.scalarName} as ${dtype.scalarName} (different element sizes), but got ${
        sizes[rank - 1]
      }`,
    );
  }
  if (self.offset % ratio !== 0) {
    throw new RuntimeError(
      `self.storage_offset() must be divisible by ${ratio} to view ${self.dtype.scalarName} as ${dtype.scalarName} (different element sizes), but got ${self.offset}`,
    );
  }
  for (let i = 0; i < rank - 1; i++) {
    if (strides[i]! % ratio !== 0) {
      throw new RuntimeError(
        `self.stride(${i}) must be divisible by ${ratio} to view ${self.dtype.scalarName} as ${dtype.scalarName} (different element sizes), but got ${
          strides[i]
        }`,
      );
    }
  }
  sizes[rank - 1]! /= ratio;
  return alias(
    self,
    sizes,
    strides.map((s, i) => (i === rank - 1 ? 1 : s / ratio)),
    self.offset / ratio,
    dtype,
  );
}

function permuted(self: Tensor, order: Sizes): Tensor {
  return alias(self, order.map((d) => self.sizes[d]!), order.map((d) => self.strides[d]!), self.offset);
}

function permute(self: Tensor, dims: Sizes): Tensor {
  const rank = self.sizes.length;
  if (dims.length !== rank) {
    throw new RuntimeError(
      `permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired ordering of dimensions i.e. input.dim() = ${rank} is not equal to len(dims) = ${dims.length}`,
    );
  }
  const order = dims.map((d) => wrapDim(d, rank));
  if (new Set(order).size !== rank) throw new RuntimeError("permute(): duplicate dims are not allowed.");
  return permuted(self, order);
}

function transpose(self: Tensor, a: number, b: number): Tensor {
  const rank = self.sizes.length;
  const i = wrapDim(a, rank), j = wrapDim(b, rank);
  if (rank === 0) return alias(self, [], [], self.offset);
  const order = self.sizes.map((_, k) => (k === i ? j : k === j ? i : k));
  return permuted(self, order);
}

function expand(self: Tensor, size: Sizes): Tensor {
  const rank = self.sizes.length, extra = size.length - rank;
  if (extra < 0) {
    throw new RuntimeError(
      `expand(${
        self.dtype.scalarName === "Float" ? "torch.FloatTensor" : `torch.${self.dtype.scalarName}Tensor`
      }{${shapeText(self.sizes)}}, size=${
        shapeText(size)
      }): the number of sizes provided (${size.length}) must be greater or equal to the number of dimensions in the tensor (${rank})`,
    );
  }
  const sizes: number[] = [], strides: number[] = [];
  for (let i = 0; i < size.length; i++) {
    const have = i < extra ? 1 : self.sizes[i - extra]!;
    let want = size[i]!;
    if (want === -1) {
      if (i < extra) {
        throw new RuntimeError(
          `The expanded size of the tensor (${want}) isn't allowed in a leading, non-existing dimension ${i}`,
        );
      }
      want = have;
    }
    if (have !== want && have !== 1) {
      throw new RuntimeError(
        `The expanded size of the tensor (${want}) must match the existing size (${have}) at non-singleton dimension ${i}.  Target sizes: ${
          shapeText(size)
        }.  Tensor sizes: ${shapeText(self.sizes)}`,
      );
    }
    sizes.push(want);
    strides.push(i < extra || (have === 1 && want !== 1) ? 0 : self.strides[i - extra]!);
  }
  return alias(self, sizes, strides, self.offset);
}

function squeezed(self: Tensor, drop: (i: number) => boolean): Tensor {
  const keep = self.sizes.map((_, i) => i).filter((i) => !(self.sizes[i] === 1 && drop(i)));
  return permuted(self, keep);
}

function unsqueeze(self: Tensor, dim: number): Tensor {
  const rank = self.sizes.length;
  const at = wrapDim(dim, rank + 1);
  const sizes = self.sizes.slice(), strides = self.strides.slice();
  strides.splice(at, 0, at < rank ? self.sizes[at]! * self.strides[at]! : 1);
  sizes.splice(at, 0, 1);
  return alias(self, sizes, strides, self.offset);
}

function select(self: Tensor, dim: number, index: number): Tensor {
  const rank = self.sizes.length;
  if (rank === 0) throw new IndexError("select() cannot be applied to a 0-dim tensor.");
  const d = wrapDim(dim, rank), size = self.sizes[d]!;
  if (index < -size || index >= size) {
    throw new IndexError(
      `select(): index ${index} out of range for tensor of size ${shapeText(self.sizes)} at dimension ${d}`,
    );
  }
  const i = index < 0 ? index + size : index;
  const sizes = self.sizes.slice(), strides = self.strides.slice();
  sizes.splice(d, 1);
  strides.splice(d, 1);
  return alias(self, sizes, strides, self.offset + i * self.strides[d]!);
}

/** start, end and step as Python's slices clip them. */
export function slice(
  self: Tensor,
  dim: number,
  start: number | null,
  end: number | null,
  step: number,
): Tensor {
  const rank = self.sizes.length;
  if (rank === 0) throw new RuntimeError("slice() cannot be applied to a 0-dim tensor.");
  const d = wrapDim(dim, rank), size = self.sizes[d]!;
  if (step <= 0) throw new RuntimeError("slice step must be positive");
  const clip = (v: number): number => Math.min(Math.max(v < 0 ? v + size : v, 0), size);
  const from = clip(start ?? 0);
  const to = Math.max(from, clip(end ?? size));
  const sizes = self.sizes.slice(), strides = self.strides.slice();
  sizes[d] = Math.floor((to - from + step - 1) / step);
  const offset = self.offset + from * strides[d]!;
  strides[d]! *= step;
  return alias(self, sizes, strides, offset);
}

function narrow(self: Tensor, dim: number, start: number, length: number): Tensor {
  const rank = self.sizes.length;
  if (rank === 0) throw new RuntimeError("narrow() cannot be applied to a 0-dim tensor.");
  if (length < 0) throw new RuntimeError("narrow(): length must be non-negative.");
  const d = wrapDim(dim, rank), size = self.sizes[d]!;
  if (start < -size || start > size) {
    throw new IndexError(
      `start out of range (expected to be in range of [-${size}, ${size}], but got ${start})`,
    );
  }
  const from = start < 0 ? start + size : start;
  if (from > size - length) {
    throw new RuntimeError(`start (${from}) + length (${length}) exceeds dimension size (${size}).`);
  }
  return slice(self, d, from, from + length, 1);
}

function splitSizes(self: Tensor, sizes: Sizes, dim: number): Tensor[] {
  const d = wrapDim(dim, self.sizes.length);
  if (self.sizes.length === 0) throw new RuntimeError("split expects at least a 1-dimensional tensor");
  for (const s of sizes) {
    if (s < 0) {
      throw new RuntimeError(
        `split_with_sizes expects split_sizes have only non-negative entries, but got split_sizes=${
          shapeText(sizes)
        }`,
      );
    }
  }
  const total = sizes.reduce((a, b) => a + b, 0);
  if (total !== self.sizes[d]) {
    throw new RuntimeError(
      `split_with_sizes expects split_sizes to sum exactly to ${
        self.sizes[d]
      } (input tensor's size at dimension ${d}), but got split_sizes=${shapeText(sizes)}`,
    );
  }
  let at = 0;
  return sizes.map((s) => {
    const part = slice(self, d, at, at + s, 1);
    at += s;
    return part;
  });
}

function split(self: Tensor, size: number, dim: number): Tensor[] {
  const d = wrapDim(dim, self.sizes.length);
  if (self.sizes.length === 0) throw new RuntimeError("split expects at least a 1-dimensional tensor");
  if (size < 0) {
    throw new RuntimeError(`split expects split_size be non-negative, but got split_size=${size}`);
  }
  const n = self.sizes[d]!;
  if (size === 0) {
    if (n !== 0) {
      throw new RuntimeError(
        `split_size can only be 0 if dimension size is 0, but got dimension size of ${n}`,
      );
    }
    return [slice(self, d, 0, 0, 1)];
  }
  const parts: Tensor[] = [];
  for (let at = 0; at < n || at === 0; at += size) parts.push(slice(self, d, at, Math.min(n, at + size), 1));
  return parts;
}

function chunkSizes(self: Tensor, chunks: number, dim: number): number[] | number {
  if (self.sizes.length === 0) throw new RuntimeError("chunk expects at least a 1-dimensional tensor");
  if (chunks <= 0) throw new RuntimeError(`chunk expects \`chunks\` to be greater than 0, got: ${chunks}`);
  const n = self.sizes[wrapDim(dim, self.sizes.length)]!;
  const size = Math.floor((n + chunks - 1) / chunks);
  return size === 0 && n === 0 ? new Array<number>(chunks).fill(0) : size;
}

function tensorSplitSizes(n: number, sections: number | Sizes): number[] {
  if (typeof sections === "number") {
    if (sections <= 0) throw new RuntimeError(`number of sections must be larger than 0, got ${sections}`);
    const small = Math.floor(n / sections), rest = n % sections;
    return Array.from({ length: sections }, (_, i) => small + (i < rest ? 1 : 0));
  }
  const clip = (v: number): number => Math.min(Math.max(v < 0 ? v + n : v, 0), n);
  const bounds = [0, ...sections.map(clip), n];
  return bounds.slice(1).map((b, i) => Math.max(0, b - bounds[i]!));
}

function unfoldView(self: Tensor, dimension: number, size: number, step: number): Tensor {
  const rank = self.sizes.length;
  const d = wrapDim(dimension, rank);
  const n = rank === 0 ? 1 : self.sizes[d]!;
  if (size > n) {
    throw new RuntimeError(`maximum size for tensor at dimension ${d} is ${n} but size is ${size}`);
  }
  if (step <= 0) throw new RuntimeError(`step is ${step} but must be > 0`);
  const stride = rank === 0 ? 1 : self.strides[d]!;
  const sizes = [...self.sizes, size], strides = [...self.strides, stride];
  if (rank > 0) {
    sizes[d] = Math.floor((n - size) / step) + 1;
    strides[d] = step * stride;
  }
  return alias(self, sizes, strides, self.offset);
}

function diagonal(self: Tensor, offset: number, dim1: number, dim2: number): Tensor {
  const rank = self.sizes.length;
  const a = wrapDim(dim1, rank), b = wrapDim(dim2, rank);
  if (a === b) throw new RuntimeError(`diagonal dimensions cannot be identical ${dim1}, ${dim2}`);
  const size = offset >= 0
    ? Math.max(Math.min(self.sizes[a]!, self.sizes[b]! - offset), 0)
    : Math.max(Math.min(self.sizes[a]! + offset, self.sizes[b]!), 0);
  let at = self.offset;
  if (size > 0) at += offset >= 0 ? offset * self.strides[b]! : -offset * self.strides[a]!;
  const sizes = self.sizes.filter((_, i) => i !== a && i !== b),
    strides = self.strides.filter((_, i) => i !== a && i !== b);
  return alias(self, [...sizes, size], [...strides, self.strides[a]! + self.strides[b]!], at);
}

/** movedim as an order of dimensions. */
function movedOrder(self: Tensor, source: Sizes, destination: Sizes): number[] {
  const rank = self.sizes.length;
  if (source.length !== destination.length) {
    throw new RuntimeError(
      `movedim: Invalid source or destination dims: source (${
        shapeText(source)
      } dims) should contain the same number of dims as destination (${shapeText(destination)} dims)`,
    );
  }
  const from = source.map((d) => wrapDim(d, rank)), to = destination.map((d) => wrapDim(d, rank));
  if (new Set(from).size !== from.length) {
    throw new RuntimeError(`movedim: repeated dim in \`source\` (${shapeText(source)})`);
  }
  if (new Set(to).size !== to.length) {
    throw new RuntimeError(`movedim: repeated dim in \`destination\` (${shapeText(destination)})`);
  }
  const order = new Array<number>(rank).fill(-1);
  to.forEach((d, i) => order[d] = from[i]!);
  const rest = self.sizes.map((_, i) => i).filter((i) => !from.includes(i));
  for (let i = 0; i < rank; i++) if (order[i] === -1) order[i] = rest.shift()!;
  return order;
}

function inverse(order: Sizes): number[] {
  const inv = new Array<number>(order.length);
  order.forEach((d, i) => inv[d] = i);
  return inv;
}

/** as_strided's backward for every layout: adds the gradient up at the storage places of the input. */
function asStridedBackward(
  grad: Tensor,
  sizes: Sizes,
  inStrides: Sizes,
  inOffset: number,
  size: Sizes,
  stride: Sizes,
  offset: number,
): Tensor {
  const reach = (s: Sizes, st: Sizes): number =>
    s.some((x) => x === 0) ? 0 : 1 + s.reduce((a, n, i) => a + (n - 1) * st[i]!, 0);
  const base = Math.min(inOffset, offset);
  const length = Math.max(reach(sizes, inStrides) + inOffset, reach(size, stride) + offset) - base;
  const flat = grad.new_zeros([length]);
  const places = fn.arange!(length, { device: grad.device }).as_strided(size, stride, offset - base).reshape([
    -1,
  ]);
  const summed = flat.index_add(0, places, grad.reshape([-1]));
  // Input elements that share a place each get their share.
  const mine = fn.arange!(length, { device: grad.device }).as_strided(sizes, inStrides, inOffset - base);
  const one = grad.new_ones([1], { dtype: toReal(grad.dtype) });
  const used = one.new_zeros([length]).index_add(0, mine.reshape([-1]), one.expand([numelOf(sizes)]));
  const shared = summed.div(used.clamp_min(1));
  return shared.as_strided(sizes, inStrides, inOffset - base).clone();
}

export const views: Table = {
  view: [
    op({
      schema: "view(Tensor self, int[] size) -> Tensor",
      view: viewAs,
      varargs: "size",
      only: "method",
      derivative: { self: (c) => c.grad.reshape(c.sizesOf("self")) },
      doc: "The same elements in another shape; never copies.",
    }),
    op({
      schema: "view.dtype(Tensor self, ScalarType dtype) -> Tensor",
      view: viewDtype,
      only: "method",
      derivative: { self: "nonDifferentiable" },
      doc: "The same bytes as another dtype.",
    }),
  ],
  view_as: [op({
    schema: "view_as(Tensor self, Tensor other) -> Tensor",
    composite: (self: Tensor, other: Tensor) => self.view(other.sizes),
    only: "method",
    doc: "Views in the shape of `other`.",
  })],
  reshape: [op({
    schema: "reshape(Tensor self, int[] shape) -> Tensor",
    composite: (self: Tensor, shape: Sizes) => {
      const size = inferSize(shape, self.count);
      return viewStrides(self, size) !== null
        ? self.reshape_alias(size)
        : self.contiguous_copy().unsafe_view(size);
    },
    varargs: "shape",
    doc: "The same elements in another shape; a view where possible.",
  })],
  reshape_alias: [op({
    schema: "reshape_alias(Tensor self, int[] size) -> Tensor",
    view: viewAs,
    only: "method",
    derivative: { self: (c) => c.grad.reshape(c.sizesOf("self")) },
    doc: "The view that reshape gives where it needs no copy.",
  })],
  unsafe_view: [op({
    schema: "unsafe_view(Tensor self, int[] size) -> Tensor",
    view: viewAs,
    only: "method",
    node: "UnsafeViewBackward0",
    derivative: { self: (c) => c.grad.reshape(c.sizesOf("self")) },
    doc: "The view of a fresh copy that reshape gives.",
  })],
  reshape_as: [op({
    schema: "reshape_as(Tensor self, Tensor other) -> Tensor",
    composite: (self: Tensor, other: Tensor) => self.reshape(other.sizes),
    only: "method",
    doc: "Reshapes to the shape of `other`.",
  })],
  permute: [op({
    schema: "permute(Tensor self, int[] dims) -> Tensor",
    view: permute,
    varargs: "dims",
    derivative: {
      self: (c) => c.grad.permute(inverse(c.dims.map((d: number) => wrapDim(d, c.dims.length)))),
    },
    doc: "Reorders the dimensions.",
  })],
  transpose: [op({
    schema: "transpose(Tensor self, int dim0, int dim1) -> Tensor",
    view: transpose,
    inplace: true,
    aliases: ["swapaxes", "swapdims"],
    derivative: { self: (c) => c.grad.transpose(c.dim0, c.dim1) },
    doc: "Swaps two dimensions.",
  })],
  t: [op({
    schema: "t(Tensor self) -> Tensor",
    inplace: true,
    view: (self: Tensor) => {
      if (self.sizes.length > 2) {
        throw new RuntimeError(
          `t() expects a tensor with <= 2 dimensions, but self is ${self.sizes.length}D`,
        );
      }
      return self.sizes.length < 2
        ? alias(self, self.sizes, self.strides, self.offset)
        : permuted(self, [1, 0]);
    },
    derivative: { self: (c) => c.grad.t() },
    node: "TBackward0",
    doc: "Transposes a matrix.",
  })],
  expand: [op({
    schema: "expand(Tensor self, int[] size, *, bool implicit=False) -> Tensor",
    view: expand,
    varargs: "size",
    only: "method",
    derivative: { self: (c) => c.grad.sum_to_size(c.sizesOf("self")) },
    doc: "Repeats dimensions of size 1 without copying.",
  })],
  expand_as: [op({
    schema: "expand_as(Tensor self, Tensor other) -> Tensor",
    composite: (self: Tensor, other: Tensor) => self.expand(other.sizes),
    only: "method",
    doc: "Expands to the size of `other`.",
  })],
  broadcast_to: [op({
    schema: "broadcast_to(Tensor self, int[] size) -> Tensor",
    composite: (self: Tensor, size: Sizes) => self.expand(size),
    doc: "Broadcasts to a shape.",
  })],
  squeeze: [
    op({
      schema: "squeeze(Tensor self) -> Tensor",
      view: (self: Tensor) => squeezed(self, () => true),
      inplace: true,
      derivative: { self: (c) => c.grad.reshape(c.sizesOf("self")) },
      doc: "Drops the dimensions of size 1.",
    }),
    op({
      schema: "squeeze.dim(Tensor self, int dim) -> Tensor",
      inplace: true,
      view: (self: Tensor, dim: number) => {
        const d = wrapDim(dim, self.sizes.length);
        return squeezed(self, (i) => i === d);
      },
      node: "SqueezeBackward1",
      derivative: { self: (c) => c.grad.reshape(c.sizesOf("self")) },
      doc: "Drops a dimension if it has size 1.",
    }),
    op({
      schema: "squeeze.dims(Tensor self, int[] dim) -> Tensor",
      view: (self: Tensor, dims: Sizes) => {
        const set = dims.map((d) => wrapDim(d, self.sizes.length));
        return squeezed(self, (i) => set.includes(i));
      },
      node: "SqueezeBackward2",
      derivative: { self: (c) => c.grad.reshape(c.sizesOf("self")) },
      doc: "Drops those of the dimensions that have size 1.",
    }),
  ],
  unsqueeze: [op({
    schema: "unsqueeze(Tensor self, int dim) -> Tensor",
    view: unsqueeze,
    inplace: true,
    derivative: { self: (c) => c.grad.reshape(c.sizesOf("self")) },
    doc: "Inserts a dimension of size 1.",
  })],
  flatten: [op({
    schema: "flatten(Tensor self, int start_dim=0, int end_dim=-1) -> Tensor",
    composite: (self: Tensor, start: number, end: number) => {
      const rank = self.sizes.length;
      const a = wrapDim(start, rank), b = wrapDim(end, rank);
      if (a > b) throw new RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim");
      if (rank === 0) return self.reshape([1]);
      if (a === b) return self;
      return self.reshape([
        ...self.sizes.slice(0, a),
        numelOf(self.sizes.slice(a, b + 1)),
        ...self.sizes.slice(b + 1),
      ]);
    },
    doc: "Merges dimensions start_dim to end_dim into one.",
  })],
  unflatten: [op({
    schema: "unflatten(Tensor self, int dim, int[] sizes) -> Tensor",
    composite: (self: Tensor, dim: number, sizes: Sizes) => {
      const d = wrapDim(dim, self.sizes.length);
      if (sizes.length === 0) throw new RuntimeError("unflatten: sizes must be non-empty");
      const unknown = sizes.indexOf(-1);
      const product = numelOf(sizes.filter((s) => s !== -1));
      const n = self.sizes[d] ?? 1;
      if (unknown < 0 ? product !== n : product === 0 || n % product !== 0) {
        throw new RuntimeError(
          `unflatten: Provided sizes ${
            shapeText(sizes)
          } don't multiply up to the size of dim ${d} (${n}) in the input tensor`,
        );
      }
      return self.view([
        ...self.sizes.slice(0, d),
        ...sizes.map((s) => (s === -1 ? n / product : s)),
        ...self.sizes.slice(d + 1),
      ]);
    },
    doc: "Splits a dimension into several.",
  })],
  ravel: [op({
    schema: "ravel(Tensor self) -> Tensor",
    composite: (self: Tensor) => self.reshape([-1]),
    doc: "All elements in one dimension.",
  })],
  select: [op({
    schema: "select(Tensor self, int dim, int index) -> Tensor",
    view: select,
    derivative: {
      self: (c) => c.grad.select_backward(c.sizesOf("self"), c.dim, c.index),
    },
    doc: "The slice at `index` along a dimension.",
  })],
  select_backward: [op({
    schema: "select_backward(Tensor self, int[] sizes, int dim, int index) -> Tensor",
    impl: (grad: Tensor, sizes: Sizes, dim: number, index: number) => {
      const out = grad.new_zeros(sizes);
      out.select(dim, index).copy_(grad);
      return out;
    },
    only: "method",
    derivative: { self: (c) => c.grad.select(c.dim, c.index) },
    doc: "Gradient of select.",
  })],
  slice: [op({
    schema: "slice(Tensor self, int dim=0, int? start=None, int? end=None, int step=1) -> Tensor",
    view: slice,
    derivative: { self: (c) => c.grad.slice_backward(c.sizesOf("self"), c.dim, c.start, c.end, c.step) },
    doc: "Elements start, start + step, ... below end along a dimension.",
  })],
  slice_backward: [op({
    schema: "slice_backward(Tensor self, int[] sizes, int dim, int? start, int? end, int step) -> Tensor",
    impl: (
      grad: Tensor,
      sizes: Sizes,
      dim: number,
      start: number | null,
      end: number | null,
      step: number,
    ) => {
      const out = grad.new_zeros(sizes);
      slice(out, dim, start, end, step).copy_(grad);
      return out;
    },
    only: "method",
    derivative: { self: (c) => c.grad.slice(c.dim, c.start, c.end, c.step) },
    doc: "Gradient of slice.",
  })],
  narrow: [op({
    schema: "narrow(Tensor self, int dim, int start, int length) -> Tensor",
    composite: (self: Tensor, dim: number, start: number, length: number) => {
      narrow(self, dim, start, length);
      const d = wrapDim(dim, self.sizes.length);
      const from = start < 0 ? start + self.sizes[d]! : start;
      return self.slice(d, from, from + length, 1);
    },
    doc: "`length` elements from `start` along a dimension.",
  })],
  narrow_copy: [op({
    schema: "narrow_copy(Tensor self, int dim, int start, int length) -> Tensor",
    composite: (self: Tensor, dim: number, start: number, length: number) =>
      self.narrow(dim, start, length).clone(),
    doc: "A copy of `narrow`.",
  })],
  split: [
    op({
      schema: "split(Tensor self, int split_size, int dim=0) -> Tensor[]",
      view: split,
      derivative: { self: (c) => fn.cat!(c.grads, c.dim) },
      doc: "Parts of `split_size` along a dimension.",
    }),
    op({
      schema: "split.sizes(Tensor self, int[] split_size, int dim=0) -> Tensor[]",
      composite: (self: Tensor, sizes: Sizes, dim: number) => self.split_with_sizes(sizes, dim),
      doc: "Parts of the given sizes along a dimension.",
    }),
  ],
  split_with_sizes: [op({
    schema: "split_with_sizes(Tensor self, int[] split_sizes, int dim=0) -> Tensor[]",
    view: splitSizes,
    derivative: { self: (c) => fn.cat!(c.grads, c.dim) },
    doc: "Parts of the given sizes along a dimension.",
  })],
  chunk: [op({
    schema: "chunk(Tensor self, int chunks, int dim=0) -> Tensor[]",
    composite: (self: Tensor, chunks: number, dim: number) => {
      const s = chunkSizes(self, chunks, dim);
      return typeof s === "number" ? self.split(s, dim) : self.split_with_sizes(s, dim);
    },
    doc: "At most `chunks` equal parts along a dimension.",
  })],
  tensor_split: [
    op({
      schema: "tensor_split(Tensor self, int sections, int dim=0) -> Tensor[]",
      composite: (self: Tensor, sections: number, dim: number) => tensorSplit(self, sections, dim),
      doc: "Nearly equal parts along a dimension.",
    }),
    op({
      schema: "tensor_split.indices(Tensor self, int[] indices, int dim=0) -> Tensor[]",
      composite: (self: Tensor, indices: Sizes, dim: number) => tensorSplit(self, indices, dim),
      doc: "Parts between the given indices.",
    }),
    op({
      schema: "tensor_split.tensor(Tensor self, Tensor tensor_indices_or_sections, int dim=0) -> Tensor[]",
      composite: (self: Tensor, at: Tensor, dim: number) =>
        tensorSplit(
          self,
          at.sizes.length === 0 ? Number(at.item()) : (at.tolist() as number[]).map(Number),
          dim,
        ),
      doc: "Parts between the given indices.",
    }),
  ],
  hsplit: splitAlong("hsplit", (rank) => (rank === 1 ? 0 : 1), 1),
  vsplit: splitAlong("vsplit", () => 0, 2),
  dsplit: splitAlong("dsplit", () => 2, 3),
  unbind: [op({
    schema: "unbind(Tensor self, int dim=0) -> Tensor[]",
    view: (self: Tensor, dim: number) => {
      const d = wrapDim(dim, self.sizes.length);
      if (self.sizes.length === 0) {
        throw new RuntimeError("Dimension specified as 0 but tensor has no dimensions");
      }
      return Array.from({ length: self.sizes[d]! }, (_, i) => select(self, d, i));
    },
    derivative: { self: (c) => fn.stack!(c.grads, c.dim) },
    doc: "All slices along a dimension.",
  })],
  movedim: [
    op({
      schema: "movedim(Tensor self, int[1] source, int[1] destination) -> Tensor",
      composite: (self: Tensor, source: Sizes, destination: Sizes) =>
        self.permute(movedOrder(self, source, destination)),
      aliases: ["moveaxis"],
      doc: "Moves dimensions to other places.",
    }),
  ],
  diagonal: [op({
    schema: "diagonal(Tensor self, int offset=0, int dim1=0, int dim2=1) -> Tensor",
    view: diagonal,
    derivative: { self: (c) => c.grad.diagonal_backward(c.sizesOf("self"), c.offset, c.dim1, c.dim2) },
    doc: "The diagonal of two dimensions, as the last dimension.",
  })],
  diagonal_backward: [op({
    schema: "diagonal_backward(Tensor self, int[] sizes, int offset, int dim1, int dim2) -> Tensor",
    impl: (grad: Tensor, sizes: Sizes, offset: number, dim1: number, dim2: number) => {
      const out = grad.new_zeros(sizes);
      diagonal(out, offset, dim1, dim2).copy_(grad);
      return out;
    },
    only: "method",
    derivative: { self: (c) => c.grad.diagonal(c.offset, c.dim1, c.dim2) },
    doc: "Gradient of diagonal.",
  })],
  as_strided: [op({
    schema: "as_strided(Tensor self, int[] size, int[] stride, int? storage_offset=None) -> Tensor",
    view: (self: Tensor, size: Sizes, stride: Sizes, storage_offset: number | null) => {
      if (size.length !== stride.length) {
        throw new RuntimeError("mismatch in length of strides and shape");
      }
      if (stride.some((s) => s < 0)) {
        throw new RuntimeError(
          `as_strided: Negative strides are not supported at the moment, got strides: ${shapeText(stride)}`,
        );
      }
      const offset = storage_offset ?? self.offset;
      if (offset < 0) throw new RuntimeError(`Tensor: invalid storage offset ${offset}`);
      const reach = size.some((s) => s === 0)
        ? 0
        : offset + 1 + size.reduce((a, n, i) => a + (n - 1) * stride[i]!, 0);
      const have = self.storage.nbytes / self.dtype.itemsize;
      if (reach > have) {
        throw new RuntimeError(
          `setStorage: sizes ${shapeText(size)}, strides ${
            shapeText(stride)
          }, storage offset ${offset}, and itemsize ${self.dtype.itemsize} requiring a storage size of ${
            reach * self.dtype.itemsize
          } are out of bounds for storage of size ${self.storage.nbytes}`,
        );
      }
      return alias(self, size, stride, offset);
    },
    saves: ["self"],
    derivative: {
      self: (c) =>
        asStridedBackward(
          c.grad,
          c.self.sizes,
          c.self.strides,
          c.self.offset,
          c.size,
          c.stride,
          c.storage_offset ?? c.self.offset,
        ),
    },
    doc: "A view with any sizes, strides and offset.",
  })],
  unfold: [op({
    schema: "unfold(Tensor self, int dimension, int size, int step) -> Tensor",
    view: unfoldView,
    only: "method",
    derivative: { self: (c) => c.grad.unfold_backward(c.sizesOf("self"), c.dimension, c.size, c.step) },
    doc: "Windows of `size` along a dimension, as a new last dimension.",
  })],
  unfold_backward: [op({
    schema: "unfold_backward(Tensor self, int[] input_sizes, int dim, int size, int step) -> Tensor",
    impl: (grad: Tensor, sizes: Sizes, dim: number, size: number, step: number) => {
      const out = grad.new_zeros(sizes);
      if (sizes.length === 0) return out.add_(grad.reshape([]));
      const d = wrapDim(dim, sizes.length);
      const last = grad.sizes.length - 1;
      // Windows overlap: position k of every window is a plain strided slice.
      for (let k = 0; k < size; k++) {
        const windows = grad.sizes[d]!;
        if (windows === 0) continue;
        slice(out, d, k, k + (windows - 1) * step + 1, step).add_(select(grad, last, k));
      }
      return out;
    },
    only: "method",
    derivative: { self: (c) => c.grad.unfold(c.dim, c.size, c.step) },
    doc: "Gradient of unfold.",
  })],
  view_as_real: [op({
    schema: "view_as_real(Tensor self) -> Tensor",
    view: (self: Tensor) => {
      if (self.dtype.kind !== Kind.complex) {
        throw new RuntimeError("view_as_real is only supported for complex tensors");
      }
      if (self.conjugated) {
        throw new RuntimeError(
          "view_as_real doesn't work on unresolved conjugated tensors.  To resolve the conjugate tensor so you can view it as real, use self.resolve_conj(); however, be warned that the resulting tensor will NOT alias the original.",
        );
      }
      const sizes = [...self.sizes, 2], strides = [...self.strides.map((s) => 2 * s), 1];
      return alias(self, sizes, strides, 2 * self.offset, toReal(self.dtype));
    },
    only: "function",
    derivative: { self: (c) => fn.view_as_complex!(c.grad.contiguous()) },
    doc: "The real and imaginary parts as a last dimension of size 2.",
  })],
  view_as_complex: [op({
    schema: "view_as_complex(Tensor self) -> Tensor",
    view: (self: Tensor) => {
      if (self.dtype !== float32 && self.dtype !== float64) {
        throw new RuntimeError(
          `view_as_complex is only supported for half, float and double tensors, but got a tensor of scalar type: ${self.dtype.scalarName}`,
        );
      }
      const rank = self.sizes.length;
      if (rank === 0) throw new RuntimeError("Input tensor must have one or more dimensions");
      if (self.sizes[rank - 1] !== 2) throw new RuntimeError("Tensor must have a last dimension of size 2");
      if (self.strides[rank - 1] !== 1) {
        throw new RuntimeError("Tensor must have a last dimension with stride 1");
      }
      const halves = self.strides.slice(0, -1).map((s) => s / 2);
      if (halves.some((s) => !Number.isInteger(s)) || self.offset % 2 !== 0) {
        throw new RuntimeError("Tensor must have a stride divisible by 2 for all but last dimension");
      }
      return alias(self, self.sizes.slice(0, -1), halves, self.offset / 2, toComplex(self.dtype));
    },
    only: "function",
    wirtinger: true,
    derivative: { self: (c) => fn.view_as_real!(c.grad.resolve_conj()) },
    doc: "A last dimension of size 2 as real and imaginary part.",
  })],
  detach: [op({
    schema: "detach(Tensor self) -> Tensor",
    view: (self: Tensor) => alias(self, self.sizes, self.strides, self.offset),
    doc: "The same values without their graph.",
  })],
  alias: [op({
    schema: "alias(Tensor self) -> Tensor",
    view: (self: Tensor) => alias(self, self.sizes, self.strides, self.offset),
    derivative: { self: (c) => c.grad },
    doc: "Another tensor over the same bytes, in the graph.",
  })],
  adjoint: [op({
    schema: "adjoint(Tensor self) -> Tensor",
    composite: (self: Tensor) => self.transpose(-2, -1).conj(),
    doc: "The conjugate transpose of the last two dimensions.",
  })],
};

function tensorSplit(self: Tensor, sections: number | Sizes, dim: number): Tensor[] {
  if (self.sizes.length === 0) {
    throw new RuntimeError(
      "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims",
    );
  }
  const n = self.sizes[wrapDim(dim, self.sizes.length)]!;
  const sizes = tensorSplitSizes(n, sections);
  // Parts of indices may overlap or run backwards: each is a slice of its own.
  let at = 0;
  if (typeof sections === "number") {
    return sizes.map((s) => {
      const part = self.slice(dim, at, at + s);
      at += s;
      return part;
    });
  }
  const clip = (v: number): number => Math.min(Math.max(v < 0 ? v + n : v, 0), n);
  const bounds = [0, ...sections.map(clip), n];
  return sizes.map((s, i) => self.slice(dim, bounds[i]!, bounds[i]! + s));
}

function splitAlong(name: string, dimOf: (rank: number) => number, atLeast: number) {
  const body = (self: Tensor, sections: number | Sizes): Tensor[] => {
    const rank = self.sizes.length;
    if (rank < atLeast) {
      throw new RuntimeError(
        `torch.${name} requires a tensor with at least ${atLeast} dimension${
          atLeast > 1 ? "s" : ""
        }, but got a tensor with ${rank} dimensions!`,
      );
    }
    const dim = dimOf(rank);
    if (typeof sections === "number" && (sections === 0 || self.sizes[dim]! % sections !== 0)) {
      throw new RuntimeError(
        `torch.${name} attempted to split along dimension ${dim}, but the size of the dimension ${
          self.sizes[dim]
        } is not divisible by the split_size ${sections}!`,
      );
    }
    return tensorSplit(self, sections, dim);
  };
  return [
    op({
      schema: `${name}(Tensor self, int sections) -> Tensor[]`,
      composite: body,
      doc: "Equal parts along a dimension.",
    }),
    op({
      schema: `${name}.array(Tensor self, int[] indices) -> Tensor[]`,
      composite: body,
      doc: "Parts between indices.",
    }),
  ];
}
