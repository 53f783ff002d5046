/**
 * Copies: clone, contiguous, to, copy_, joining and repeating tensors, moving elements.
 *
 * @module
 */
import { backendOf } from "../backend/registry.ts";
import type { Device } from "../base/device.ts";
import {
  bfloat16,
  bool,
  complex128,
  complex64,
  type DType,
  float16,
  float32,
  float64,
  int16,
  int32,
  int64,
  int8,
  Kind,
  uint8,
} from "../base/dtype.ts";
import { differentDevices, RuntimeError, warnOnce } from "../base/errors.ts";
import { external } from "../base/scope.ts";
import { numelOf, sameSizes, shapeText } from "../base/size.ts";
import { fn } from "../dispatch/functions.ts";
import { addressOf } from "../dispatch/launch.ts";
import { checkInternalOverlap, emptyLike, emptyTensor, packed, runCopy } from "../dispatch/iterator.ts";
import { op, type Table } from "../dispatch/op.ts";
import { broadcast2, broadcastAll, resultType } from "../dispatch/promotion.ts";
import { wrapDim } from "../dispatch/reduction.ts";
import { alias, type Tensor } from "../tensor.ts";

type Sizes = readonly number[];

/** A copy on the same device in the same memory order (PyTorch's preserve_format). */
export function cloneTensor(self: Tensor): Tensor {
  const out = emptyLike(self, self.dtype, self.storage.backend);
  runCopy(out, self);
  return out;
}

function contiguousCopy(self: Tensor): Tensor {
  const out = emptyTensor(self.sizes, self.dtype, self.storage.backend);
  runCopy(out, self);
  return out;
}

/** Copies `from` into `out` (same shape after broadcasting), across devices if need be. */
export function copyInto(out: Tensor, from: Tensor): void {
  if (out === from) return;
  const a = out.storage.backend, b = from.storage.backend;
  if (a === b) {
    runCopy(out, from);
    return;
  }
  if (!b.hasData) throw new RuntimeError("Cannot copy out of meta tensor; no data!");
  if (!a.hasData || out.count === 0) return;
  // Convert where the data is, move the bytes, then spread them.
  let source = from;
  if (from.dtype !== out.dtype || !from.packed) {
    source = emptyTensor(from.sizes, out.dtype, b);
    runCopy(source, from);
  }
  const bytes = b.read(addressOf(source), source.nbytes);
  if (out.packed && sameSizes(out.sizes, from.sizes)) {
    a.write(addressOf(out), bytes);
    return;
  }
  const staged = emptyTensor(from.sizes, out.dtype, a);
  a.write(staged.storage.resident(), bytes);
  runCopy(out, staged);
}

function warnDiscards(from: DType, to: DType): void {
  if (from.kind !== Kind.complex || to.kind === Kind.complex || to === bool) return;
  warnOnce("UserWarning", "Casting complex values to real discards the imaginary part");
}

function moved(self: Tensor, dtype: DType, device: Device | null, copy: boolean): Tensor {
  const backend = device === null ? self.storage.backend : backendOf(device);
  if (!copy && dtype === self.dtype && backend === self.storage.backend) return self;
  warnDiscards(self.dtype, dtype);
  const out = emptyLike(self, dtype, backend);
  // Between devices bytes move fastest in the order of memory.
  const whole = backend !== self.storage.backend && !self.packed && sameSizes(out.strides, self.strides);
  if (whole) copyInto(alias(out, [out.count], [1], 0), alias(self, [self.count], [1], self.offset));
  else copyInto(out, self);
  return out;
}

function to(self: Tensor, dtype: DType | null, device: Device | null, copy: boolean): Tensor {
  const d = dtype ?? self.dtype;
  const same = d === self.dtype && (device === null || backendOf(device) === self.storage.backend);
  return same && !copy ? self : self.to_copy(d, device);
}

const conversion = (name: string, dtype: DType) => [
  op({
    schema: `${name}(Tensor self) -> Tensor`,
    composite: (self: Tensor) => self.to(dtype),
    only: "method",
    doc: `Converts to ${dtype}.`,
  }),
];

function catSizes(tensors: readonly Tensor[], dim: number): number[] {
  const first = tensors.find((t) => !isLegacyEmpty(t)) ?? tensors[0]!;
  const out = first.sizes.slice();
  let total = 0;
  tensors.forEach((t, k) => {
    if (isLegacyEmpty(t) && first !== t) return;
    if (t.sizes.length !== first.sizes.length) {
      throw new RuntimeError(
        `Tensors must have same number of dimensions: got ${first.sizes.length} and ${t.sizes.length}`,
      );
    }
    for (let i = 0; i < out.length; i++) {
      if (i !== dim && t.sizes[i] !== out[i]) {
        throw new RuntimeError(
          `Sizes of tensors must match except in dimension ${dim}. Expected size ${out[i]} but got size ${
            t.sizes[i]
          } for tensor number ${k} in the list.`,
        );
      }
    }
    total += t.sizes[dim]!;
  });
  out[dim] = total;
  return out;
}

// PyTorch skips 1-D tensors without elements, whatever the others' shapes.
function isLegacyEmpty(t: Tensor): boolean {
  return t.sizes.length === 1 && t.sizes[0] === 0;
}

function cat(tensors: readonly Tensor[], dim: number): Tensor {
  if (tensors.length === 0) throw new RuntimeError("torch.cat(): expected a non-empty list of Tensors");
  tensors.forEach((t, i) => {
    if (t.sizes.length === 0) {
      throw new RuntimeError(`zero-dimensional tensor (at position ${i}) cannot be concatenated`);
    }
  });
  const first = tensors.find((t) => !isLegacyEmpty(t)) ?? tensors[0]!;
  const d = wrapDim(dim, first.sizes.length);
  const sizes = catSizes(tensors, d);
  const dtype = resultType(tensors);
  const backend = first.storage.backend;
  for (const t of tensors) {
    if (t.storage.backend !== backend) {
      throw differentDevices(first.device, t.device);
    }
  }
  const out = emptyTensor(sizes, dtype, backend);
  let at = 0;
  for (const t of tensors) {
    if (isLegacyEmpty(t) && first !== t) continue;
    const part = alias(out, t.sizes, out.strides, out.offset + at * out.strides[d]!);
    runCopy(part, t);
    at += t.sizes[d]!;
  }
  return out;
}

function catBackward(grad: Tensor, tensors: readonly (readonly number[])[], dim: number): (Tensor | null)[] {
  const rank = grad.sizes.length;
  const d = wrapDim(dim, rank);
  let at = 0;
  return tensors.map((sizes) => {
    if (sizes.length === 1 && sizes[0] === 0 && rank !== 1) return grad.new_zeros([0]);
    const g = grad.narrow(d, at, sizes[d]!);
    at += sizes[d]!;
    return g;
  });
}

function stack(tensors: readonly Tensor[], dim: number): Tensor {
  if (tensors.length === 0) throw new RuntimeError("stack expects a non-empty TensorList");
  const first = tensors[0]!;
  const d = wrapDim(dim, first.sizes.length + 1);
  tensors.forEach((t, i) => {
    if (!sameSizes(t.sizes, first.sizes)) {
      throw new RuntimeError(
        `stack expects each tensor to be equal size, but got ${shapeText(first.sizes)} at entry 0 and ${
          shapeText(t.sizes)
        } at entry ${i}`,
      );
    }
  });
  const out = emptyTensor(
    [...first.sizes.slice(0, d), tensors.length, ...first.sizes.slice(d)],
    resultType(tensors),
    first.storage.backend,
  );
  const strides = out.strides.slice();
  const step = strides.splice(d, 1)[0]!;
  tensors.forEach((t, i) => {
    if (t.storage.backend !== first.storage.backend) {
      throw differentDevices(first.device, t.device);
    }
    runCopy(alias(out, t.sizes, strides, i * step), t);
  });
  return out;
}

const atLeast = (name: string, rank: number, shape: (t: Tensor) => Tensor) => [
  op({
    schema: `${name}(Tensor self) -> Tensor`,
    composite: (t: Tensor) => (t.sizes.length >= rank ? t : shape(t)),
    only: "function",
    doc: `At least ${rank} dimensions.`,
  }),
  op({
    schema: `${name}.Sequence(Tensor[] tensors) -> Tensor[]`,
    composite: (list: Tensor[]) => list.map((t) => (t.sizes.length >= rank ? t : shape(t))),
    only: "function",
    doc: `At least ${rank} dimensions each.`,
  }),
];

const to1d = (t: Tensor): Tensor => t.reshape([1]);
const to2d = (t: Tensor): Tensor => t.sizes.length === 0 ? t.reshape([1, 1]) : t.unsqueeze(0);
const to3d = (t: Tensor): Tensor =>
  t.sizes.length === 0
    ? t.reshape([1, 1, 1])
    : t.sizes.length === 1
    ? t.unsqueeze(0).unsqueeze(2)
    : t.unsqueeze(2);

const joinAlong = (
  name: string,
  prepare: (t: Tensor) => Tensor,
  dimOf: (t: Tensor) => number,
  aliases: string[] = [],
) => [
  op({
    schema: `${name}(Tensor[] tensors) -> Tensor`,
    composite: (list: Tensor[]) => {
      if (list.length === 0) throw new RuntimeError(`${name} expects a non-empty TensorList`);
      const parts = list.map(prepare);
      return fn.cat!(parts, dimOf(parts[0]!));
    },
    only: "function",
    aliases,
    doc: "Joins tensors.",
  }),
];

function repeat(self: Tensor, repeats: Sizes): Tensor {
  if (repeats.length < self.sizes.length) {
    throw new RuntimeError(
      "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor",
    );
  }
  const extra = repeats.length - self.sizes.length;
  const sizes = [...new Array<number>(extra).fill(1), ...self.sizes];
  const wide = sizes.flatMap((s, i) => [repeats[i]!, s]);
  return self.reshape(sizes.flatMap((s) => [1, s])).expand(wide).clone().reshape(
    sizes.map((s, i) => s * repeats[i]!),
  );
}

/** flip: a copy through negative strides. */
function flip(self: Tensor, dims: Sizes): Tensor {
  const rank = self.sizes.length;
  const set = new Set(dims.map((d) => wrapDim(d, rank)));
  if (set.size !== dims.length) {
    const twice = dims.map((d) => wrapDim(d, rank)).find((d, i, all) => all.indexOf(d) !== i);
    throw new RuntimeError(`dim ${twice} appears multiple times in the list of dims`);
  }
  let offset = self.offset;
  const strides = self.strides.map((s, i) => {
    if (!set.has(i) || self.sizes[i]! <= 1) return s;
    offset += s * (self.sizes[i]! - 1);
    return -s;
  });
  const out = emptyTensor(self.sizes, self.dtype, self.storage.backend);
  runCopy(out, alias(self, self.sizes, strides, self.count === 0 ? self.offset : offset));
  return out;
}

function roll(self: Tensor, shifts: Sizes, dims: Sizes): Tensor {
  if (shifts.length === 0) throw new RuntimeError("`shifts` required");
  if (dims.length === 0 && shifts.length === 1) {
    return self.reshape([-1]).roll(shifts, [0]).view(self.sizes);
  }
  if (shifts.length !== dims.length) {
    throw new RuntimeError(`shifts and dimensions must align. shifts: ${shifts.length}, dims:${dims.length}`);
  }
  let out = self;
  shifts.forEach((shift, k) => {
    if (out.count === 0) return;
    const d = wrapDim(dims[k]!, out.sizes.length), n = out.sizes[d]!;
    const s = ((shift % n) + n) % n;
    out = s === 0 ? out.clone() : fn.cat!([out.narrow(d, n - s, s), out.narrow(d, 0, n - s)], d);
  });
  return out === self ? self.clone() : out;
}

export const copies: Table = {
  clone: [op({
    schema: "clone(Tensor self, *, Any memory_format=None) -> Tensor",
    impl: (self: Tensor) => cloneTensor(self),
    plain: true,
    derivative: { self: (c) => c.grad },
    doc: "A copy.",
  })],
  contiguous: [op({
    schema: "contiguous(Tensor self, *, Any memory_format=None) -> Tensor",
    composite: (self: Tensor) => (self.packed ? self : self.contiguous_copy()),
    only: "method",
    doc: "The tensor itself if its elements are in row-major order, else a copy that is.",
  })],
  contiguous_copy: [op({
    schema: "contiguous_copy(Tensor self) -> Tensor",
    impl: contiguousCopy,
    plain: true,
    only: "method",
    node: "CloneBackward0",
    derivative: { self: (c) => c.grad },
    doc: "A row-major copy.",
  })],
  copy_: [op({
    schema: "copy_(Tensor self, Tensor src, bool non_blocking=False) -> Tensor",
    impl: (self: Tensor, src: Tensor) => {
      if (!sameSizes(broadcast2(self.sizes, src.sizes), self.sizes)) {
        throw new RuntimeError(
          `output with shape ${shapeText(self.sizes)} doesn't match the broadcast shape ${
            shapeText(broadcast2(self.sizes, src.sizes))
          }`,
        );
      }
      if (!self.packed) checkInternalOverlap(self);
      warnDiscards(src.dtype, self.dtype);
      copyInto(self, src);
    },
    mutates: true,
    node: "CopyBackwards",
    derivative: { self: (c) => c.grad.new_zeros(c.grad.sizes), src: (c) => c.grad },
    doc: "Copies the elements of `src` into `self`.",
  })],
  to_copy: [op({
    schema: "to_copy(Tensor self, ScalarType dtype, Device? device=None) -> Tensor",
    impl: (self: Tensor, dtype: DType, device: Device | null) => moved(self, dtype, device, true),
    only: "method",
    node: "ToCopyBackward0",
    derivative: { self: (c) => c.grad.to(c.grad.dtype) },
    doc: "A converted copy.",
  })],
  to: [
    op({
      schema: "to(Tensor self, ScalarType dtype, bool non_blocking=False, bool copy=False) -> Tensor",
      composite: (self: Tensor, dtype: DType, _n: boolean, copy: boolean) => to(self, dtype, null, copy),
      only: "method",
      doc: "Converts dtype or device.",
    }),
    op({
      schema:
        "to.device(Tensor self, Device? device=None, ScalarType? dtype=None, bool non_blocking=False, bool copy=False) -> Tensor",
      composite: (self: Tensor, device: Device | null, dtype: DType | null, _n: boolean, copy: boolean) =>
        to(self, dtype, device, copy),
      only: "method",
      doc: "Converts dtype or device.",
    }),
    op({
      schema: "to.other(Tensor self, Tensor other, bool non_blocking=False, bool copy=False) -> Tensor",
      composite: (self: Tensor, other: Tensor, _n: boolean, copy: boolean) =>
        to(self, other.dtype, other.device, copy),
      only: "method",
      doc: "Converts dtype and device to those of `other`.",
    }),
  ],
  type_as: [op({
    schema: "type_as(Tensor self, Tensor other) -> Tensor",
    composite: (self: Tensor, other: Tensor) => self.to(other.dtype),
    only: "method",
    doc: "Converts to the dtype of `other`.",
  })],
  float: conversion("float", float32),
  double: conversion("double", float64),
  half: conversion("half", float16),
  bfloat16: conversion("bfloat16", bfloat16),
  long: conversion("long", int64),
  int: conversion("int", int32),
  short: conversion("short", int16),
  char: conversion("char", int8),
  byte: conversion("byte", uint8),
  bool: conversion("bool", bool),
  cfloat: conversion("cfloat", complex64),
  cdouble: conversion("cdouble", complex128),
  cpu: [op({
    schema: "cpu(Tensor self) -> Tensor",
    composite: (self: Tensor) => self.to("cpu"),
    only: "method",
    doc: "The tensor in CPU memory.",
  })],
  cuda: [op({
    schema: "cuda(Tensor self, Device? device=None, bool non_blocking=False) -> Tensor",
    composite: (self: Tensor, device: Device | null) => self.to(device ?? "cuda"),
    only: "method",
    doc: "The tensor in CUDA memory.",
  })],
  cat: [op({
    schema: "cat(Tensor[] tensors, int dim=0) -> Tensor",
    impl: cat,
    only: "function",
    aliases: ["concat", "concatenate"],
    derivative: {
      tensors: (c) => {
        const node = c.node;
        return catBackward(c.grad, node.inSizes, c.dim);
      },
    },
    doc: "Joins tensors along a dimension.",
  })],
  stack: [op({
    schema: "stack(Tensor[] tensors, int dim=0) -> Tensor",
    impl: stack,
    only: "function",
    derivative: { tensors: (c) => c.grad.unbind(c.dim) },
    doc: "Joins tensors along a new dimension.",
  })],
  hstack: joinAlong(
    "hstack",
    (t) => (t.sizes.length === 0 ? to1d(t) : t),
    (t) => (t.sizes.length === 1 ? 0 : 1),
  ),
  vstack: joinAlong("vstack", (t) => (t.sizes.length >= 2 ? t : to2d(t)), () => 0, ["row_stack"]),
  dstack: joinAlong("dstack", (t) => (t.sizes.length >= 3 ? t : to3d(t)), () => 2),
  column_stack: joinAlong(
    "column_stack",
    (t) => (t.sizes.length <= 1 ? t.reshape([t.count, 1]) : t),
    () => 1,
  ),
  atleast_1d: atLeast("atleast_1d", 1, to1d),
  atleast_2d: atLeast("atleast_2d", 2, to2d),
  atleast_3d: atLeast("atleast_3d", 3, to3d),
  repeat: [op({
    schema: "repeat(Tensor self, int[] repeats) -> Tensor",
    impl: repeat,
    derivative: {
      self: (c) => {
        const sizes = c.sizesOf("self"), extra = c.repeats.length - sizes.length;
        const own = c.repeats.map((_: number, i: number) => (i < extra ? 1 : sizes[i - extra]!));
        const split = c.grad.reshape(own.flatMap((s: number, i: number) => [c.repeats[i], s]));
        return split.sum(own.map((_: number, i: number) => 2 * i)).reshape(sizes);
      },
    },
    varargs: "repeats",
    only: "method",
    doc: "Repeats the tensor along each dimension.",
  })],
  tile: [op({
    schema: "tile(Tensor self, int[] dims) -> Tensor",
    composite: (self: Tensor, dims: Sizes) => {
      const missing = self.sizes.length - dims.length;
      return self.repeat(missing > 0 ? [...new Array<number>(missing).fill(1), ...dims] : dims);
    },
    varargs: "dims",
    doc: "Repeats the tensor along each dimension.",
  })],
  flip: [op({
    schema: "flip(Tensor self, int[] dims) -> Tensor",
    impl: flip,
    plain: true,
    varargs: "dims",
    derivative: { self: (c) => c.grad.flip(c.dims) },
    doc: "Reverses dimensions.",
  })],
  fliplr: [op({
    schema: "fliplr(Tensor self) -> Tensor",
    composite: (self: Tensor) => {
      if (self.sizes.length < 2) throw new RuntimeError("Input must be >= 2-d.");
      return self.flip([1]);
    },
    doc: "Reverses dimension 1.",
  })],
  flipud: [op({
    schema: "flipud(Tensor self) -> Tensor",
    composite: (self: Tensor) => {
      if (self.sizes.length < 1) throw new RuntimeError("Input must be >= 1-d.");
      return self.flip([0]);
    },
    doc: "Reverses dimension 0.",
  })],
  roll: [op({
    schema: "roll(Tensor self, int[1] shifts, int[1] dims=[]) -> Tensor",
    impl: roll,
    derivative: {
      self: (c) => c.grad.roll(c.shifts.map((s: number) => -s), c.dims),
    },
    doc: "Rolls elements along dimensions.",
  })],
  rot90: [op({
    schema: "rot90(Tensor self, int k=1, int[] dims=[0,1]) -> Tensor",
    composite: (self: Tensor, k: number, dims: Sizes) => {
      const rank = self.sizes.length;
      if (dims.length !== 2) {
        throw new RuntimeError(`expected total rotation dims == 2, but got dims = ${dims.length}`);
      }
      if (rank < 2) throw new RuntimeError(`expected total dims >= 2, but got total dims = ${rank}`);
      if (dims[0] === dims[1] || Math.abs(dims[0]! - dims[1]!) === rank) {
        throw new RuntimeError(
          `expected rotation dims to be different, but got dim0 = ${dims[0]} and dim1 = ${dims[1]}`,
        );
      }
      for (const d of dims) {
        if (d >= rank || d < -rank) {
          throw new RuntimeError(`Rotation dim${dims.indexOf(d)} out of range, dim${dims.indexOf(d)} = ${d}`);
        }
      }
      const turns = ((k % 4) + 4) % 4;
      if (turns === 1) return self.flip([dims[1]!]).transpose(dims[0]!, dims[1]!);
      if (turns === 2) return self.flip(dims);
      if (turns === 3) return self.flip([dims[0]!]).transpose(dims[0]!, dims[1]!);
      return self.clone();
    },
    doc: "Rotates by 90 degrees in the plane of two dimensions.",
  })],
  broadcast_tensors: [op({
    schema: "broadcast_tensors(Tensor[] tensors) -> Tensor[]",
    composite: (tensors: Tensor[]) => {
      const size = broadcastAll(tensors.map((t) => t.sizes));
      return tensors.map((t) => (sameSizes(t.sizes, size) ? t : t.expand(size)));
    },
    varargs: "tensors",
    only: "function",
    doc: "Broadcasts tensors to a common shape.",
  })],
  resize_: [op({
    schema: "resize_(Tensor self, int[] size, *, Any memory_format=None) -> Tensor",
    impl: (self: Tensor, size: Sizes) => {
      if (self.requires_grad) throw new RuntimeError("cannot resize variables that require grad");
      const count = numelOf(size);
      if ((count + self.offset) * self.dtype.itemsize > self.storage.nbytes) {
        // It becomes self's storage, so it must outlive the scope of this call.
        const bigger = external(() => emptyTensor(size, self.dtype, self.storage.backend));
        if (self.count > 0) runCopy(alias(bigger, [self.count], [1], 0), packed(self).reshape([-1]));
        self.storage = bigger.storage;
        self.anchor = bigger.anchor;
        self.offset = 0;
      }
      const shape = alias(self, size, [], 0);
      self.sizes = shape.sizes;
      const strides = new Array<number>(size.length);
      let s = 1;
      for (let i = size.length - 1; i >= 0; i--) {
        strides[i] = s;
        s *= Math.max(size[i]!, 1);
      }
      self.strides = strides;
      self.count = count;
      self.packed = true;
    },
    mutates: true,
    varargs: "size",
    only: "method",
    doc: "Changes the shape in place; new elements are uninitialised.",
  })],
};
