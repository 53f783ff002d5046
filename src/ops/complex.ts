/**
 * Complex numbers: making them of parts, their parts, conjugates and angles.
 *
 * @module
 */
import { installComplexViews } from "../autograd/inplace.ts";
import { bool, type DType, float16, float32, float64, Kind, toComplex, toReal } from "../base/dtype.ts";
import { RuntimeError } from "../base/errors.ts";
import { Complex } from "../base/scalar.ts";
import { fn } from "../dispatch/functions.ts";
import { commonBackend, emptyTensor, resultFor, runCopy, runPointwise } from "../dispatch/iterator.ts";
import { op, type Table } from "../dispatch/op.ts";
import { broadcast2, toFloating } from "../dispatch/promotion.ts";
import { alias, marked, type Tensor } from "../tensor.ts";
import { formula } from "./elementwise.ts";

/** A part of a complex tensor, over the same bytes: 0 the real, 1 the imaginary one. */
function partOf(self: Tensor, part: 0 | 1): Tensor {
  const strides = self.strides.map((s) => 2 * s);
  return alias(self, self.sizes, strides, 2 * self.offset + part, toReal(self.dtype));
}

/** The imaginary part of a conjugate is the negative of the bytes' imaginary part. */
function realView(self: Tensor): Tensor {
  return self.dtype.kind === Kind.complex ? marked(partOf(self, 0), false, self.negated) : self;
}
function imagView(self: Tensor): Tensor {
  if (self.dtype.kind !== Kind.complex) {
    throw new RuntimeError("imag is not implemented for tensors with non-complex dtypes.");
  }
  return marked(partOf(self, 1), false, self.negated !== self.conjugated);
}

const REAL_DTYPES: readonly DType[] = [float16, float32, float64];

function checkParts(a: Tensor, b: Tensor): void {
  if (!REAL_DTYPES.includes(a.dtype) || !REAL_DTYPES.includes(b.dtype)) {
    throw new RuntimeError(
      `Expected both inputs to be Half, Float or Double tensors but got ${a.dtype.scalarName} and ${b.dtype.scalarName}`,
    );
  }
  if (a.dtype !== b.dtype) {
    throw new RuntimeError(
      `Expected object of scalar type ${a.dtype.scalarName} but got scalar type ${b.dtype.scalarName} for second argument`,
    );
  }
}

function complexOf(real: Tensor, imag: Tensor): Tensor {
  checkParts(real, imag);
  const out = emptyTensor(
    broadcast2(real.sizes, imag.sizes),
    toComplex(real.dtype),
    commonBackend([real, imag]),
  );
  runCopy(partOf(out, 0), real);
  runCopy(partOf(out, 1), imag);
  return out;
}

function polar(size: Tensor, angle: Tensor): Tensor {
  checkParts(size, angle);
  return complexOf(size.mul(angle.cos()), size.mul(angle.sin()));
}

/** Both parts of a gradient as real tensors. */
const parts = (g: Tensor): [Tensor, Tensor] => [fn.real!(g), fn.imag!(g)];

/** z / |z| as PyTorch differentiates it: (g / |z| - Re(g conj(sgn)) / |z| sgn), 0 at 0. */
function sgnBackward(self: Tensor, grad: Tensor, sgn: Tensor): Tensor {
  const size = self.abs();
  const along = fn.real!(grad.div(sgn)).mul(sgn);
  return grad.sub(along).div(size).masked_fill(size.eq(0), 0);
}

/** d angle: the direction at right angles to z, divided by |z|; 0 at 0. */
function angleBackward(self: Tensor, grad: Tensor): Tensor {
  if (self.dtype.kind !== Kind.complex) return grad.new_zeros(grad.sizes);
  const [x, y] = parts(self);
  const r = grad.div(x.mul(x).add(y.mul(y)));
  return fn.complex!(r.mul(y).neg(), r.mul(x)).masked_fill(self.eq(0), 0);
}

/** A row that gives a tensor with other marks. */
const marks = (self: Tensor, conjugate: boolean, negate: boolean): Tensor =>
  marked(self, self.conjugated !== conjugate, self.negated !== negate);

export const complexNumbers: Table = {
  complex: [op({
    schema: "complex(Tensor real, Tensor imag) -> Tensor",
    impl: complexOf,
    only: "function",
    wirtinger: true,
    derivative: { real: (c) => fn.real!(c.grad), imag: (c) => fn.imag!(c.grad) },
    doc: "The complex tensor of a real and an imaginary part, float32 or float64.",
  })],
  polar: [op({
    schema: "polar(Tensor abs, Tensor angle) -> Tensor",
    impl: polar,
    only: "function",
    wirtinger: true,
    saves: ["abs", "angle"],
    derivative: {
      "abs, angle": (c) => {
        const [x, y] = parts(c.grad), cos = c.angle.cos(), sin = c.angle.sin();
        return [x.mul(cos).add(y.mul(sin)), y.mul(cos).sub(x.mul(sin)).mul(c.abs)];
      },
    },
    doc: "The complex tensor of absolute values and angles: abs * (cos(angle) + i sin(angle)).",
  })],
  real: [op({
    schema: "real(Tensor self) -> Tensor",
    view: realView,
    only: "function",
    node: "RealBackward0",
    derivative: { self: (c) => c.grad },
    doc: "The real part, a view; a real tensor itself.",
  })],
  imag: [op({
    schema: "imag(Tensor self) -> Tensor",
    view: imagView,
    only: "function",
    node: "ImagBackward0",
    derivative: { self: (c) => c.grad.mul(new Complex(0, 1)) },
    doc: "The imaginary part, a view.",
  })],
  conj: [op({
    schema: "conj(Tensor self) -> Tensor",
    view: (self: Tensor) => self.dtype.kind === Kind.complex ? marks(self, true, false) : self,
    wirtinger: true,
    derivative: { self: (c) => c.grad.conj() },
    doc: "The conjugate: a view that is computed when somebody reads it; a real tensor itself.",
  })],
  _conj: [op({
    schema: "_conj(Tensor self) -> Tensor",
    composite: (self: Tensor) => self.conj(),
    doc: "The same as `conj`.",
  })],
  _neg_view: [op({
    schema: "_neg_view(Tensor self) -> Tensor",
    view: (self: Tensor) => marks(self, false, true),
    derivative: { self: (c) => c.grad.neg() },
    doc: "The negative: a view that is computed when somebody reads it.",
  })],
  conj_physical: [op({
    schema: "conj_physical(Tensor self) -> Tensor",
    impl: (self: Tensor) => {
      if (self.dtype.kind !== Kind.complex) return self;
      const out = resultFor(self.sizes, self.dtype, self.storage.backend, self);
      runPointwise(formula("conj"), self.dtype.compute, out, [self]);
      return out;
    },
    inplace: true,
    wirtinger: true,
    derivative: { self: (c) => c.grad.conj() },
    doc: "The conjugate, computed at once; a real tensor itself.",
  })],
  resolve_conj: [op({
    schema: "resolve_conj(Tensor self) -> Tensor",
    composite: (self: Tensor) => (self.conjugated ? self.clone() : self),
    doc: "The tensor itself, or a copy if it is a lazy conjugate.",
  })],
  resolve_neg: [op({
    schema: "resolve_neg(Tensor self) -> Tensor",
    composite: (self: Tensor) => (self.negated ? self.clone() : self),
    doc: "The tensor itself, or a copy if it is a lazy negative.",
  })],
  angle: [op({
    schema: "angle(Tensor self) -> Tensor",
    impl: (self: Tensor) => {
      const d = toFloating(self.dtype);
      const out = resultFor(self.sizes, toReal(d), self.storage.backend, self);
      runPointwise(formula("angle"), d.compute, out, [self]);
      return out;
    },
    plain: true,
    saves: ["self"],
    derivative: { self: (c) => angleBackward(c.self, c.grad) },
    doc: "The angle of each number in the complex plane, in radians.",
  })],
  sgn: [op({
    schema: "sgn(Tensor self) -> Tensor",
    impl: (self: Tensor) => {
      const out = resultFor(self.sizes, self.dtype, self.storage.backend, self);
      runPointwise(formula("sign"), self.dtype.compute, out, [self]);
      return out;
    },
    plain: true,
    direct: true,
    inplace: true,
    wirtinger: true,
    saves: ["self", "result"],
    derivative: {
      self: (c) =>
        c.self.dtype.kind === Kind.complex
          ? sgnBackward(c.self, c.grad, c.result)
          : c.grad.new_zeros(c.grad.sizes),
    },
    doc: "The sign of each element; of a complex number z, z / |z|.",
  })],
  isreal: [op({
    schema: "isreal(Tensor self) -> Tensor",
    composite: (self: Tensor) =>
      self.dtype.kind === Kind.complex ? fn.imag!(self.detach()).eq(0) : fn.ones_like!(self, { dtype: bool }),
    doc: "Is the imaginary part of each element 0?",
  })],
};

installComplexViews((t) => fn.view_as_real!(t), (t) => fn.view_as_complex!(t));
