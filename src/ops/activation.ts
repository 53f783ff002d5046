/**
 * Activation functions, with fused backward formulas that are rows themselves and so differentiable again.
 *
 * @module
 */
import { POINTWISE, type PointwiseName } from "../_gen/kernels.ts";
import { bool, Kind } from "../base/dtype.ts";
import { RuntimeError } from "../base/errors.ts";
import { type Scalar, toNumber } from "../base/scalar.ts";
import { fn } from "../dispatch/functions.ts";
import { type Ctx, op, type Row, type RowSpec, type Table } from "../dispatch/op.ts";
import type { Tensor } from "../tensor.ts";
import { backward2, binaryIn, binaryPromote, withParams } from "./elementwise.ts";

/** An activation of floats with number parameters: `args` is the schema text after `Tensor self`. */
interface Activation {
  name: string;
  kernel?: PointwiseName;
  args?: string;
  params?: (...args: Scalar[]) => number[];
  /** The first-order formula. */
  backward: (c: Ctx) => Tensor;
  saves?: "self" | "result";
  inplace?: boolean;
  only?: RowSpec["only"];
  doc: string;
}

function activation(a: Activation): readonly Row[] {
  const kernel = a.kernel ?? (a.name as PointwiseName);
  return [op({
    schema: `${a.name}(Tensor self${a.args ? `, ${a.args}` : ""}) -> Tensor`,
    impl: (self: Tensor, ...args: Scalar[]) => {
      if (self.dtype.kind < Kind.float && POINTWISE[kernel].types !== "ALL") {
        throw new RuntimeError(`"${a.name}_cpu" not implemented for '${self.dtype.scalarName}'`);
      }
      return withParams(kernel, self, a.params ? a.params(...args) : null);
    },
    plain: true,
    direct: true,
    inplace: a.inplace ?? true,
    saves: [a.saves ?? "self"],
    derivative: { self: a.backward },
    ...(a.only === undefined ? {} : { only: a.only }),
    doc: a.doc,
  })];
}

/**
 * The backward formula of an activation as a row: linear in grad, and `second` gives d result / d self times grad's
 * gradient for the second order.
 */
function backwardRow(
  name: string,
  kernel: PointwiseName,
  args: string,
  params: ((...args: Scalar[]) => number[]) | null,
  second: (c: Ctx) => Tensor,
): readonly Row[] {
  const tail = args ? `, ${args}` : "";
  const names = args ? args.split(",").map((x) => x.trim().split(/\s+/)[1]!.split("=")[0]!) : [];
  return [op({
    schema: `${name}(Tensor grad_output, Tensor self${tail}) -> Tensor`,
    impl: (grad: Tensor, self: Tensor, ...rest: Scalar[]) =>
      params === null
        ? backward2(kernel)(grad, self)
        : binaryIn(kernel, grad, self, self.dtype, params(...rest)),
    plain: true,
    only: "function",
    saves: { grad_output: "self", self: "grad_output, self" },
    derivative: {
      grad_output: (c) => fn[name]!(c.grad, c.self, ...names.map((n) => c[n])),
      self: second,
    },
    doc: `Gradient of ${name.replace(/_backward$/, "")}.`,
  })];
}

const zeros = (c: Ctx): Tensor => c.grad.new_zeros(c.grad.sizes);
const n = toNumber;

/** elu(x) = scale * (max(0, x) + min(0, alpha * (exp(input_scale * x) - 1))) */
const eluParams = (
  alpha: Scalar,
  scale: Scalar,
  inputScale: Scalar,
): number[] => [n(alpha), n(scale), n(inputScale)];

const SELU_ALPHA = 1.6732632423543772848170429916717;
const SELU_SCALE = 1.0507009873554804934193349852946;

/** Normal density and cumulative distribution, for the second derivative of gelu. */
const density = (x: Tensor): Tensor => x.mul(x).mul(-0.5).exp().mul(1 / Math.sqrt(2 * Math.PI));

/** d/dx of the gelu tanh approximation's derivative, in plain operators. */
function geluTanhSecond(x: Tensor): Tensor {
  const k = Math.sqrt(2 / Math.PI), a = 0.044715;
  const u = x.add(x.pow(3).mul(a)).mul(k);
  const t = u.tanh();
  const du = x.mul(x).mul(3 * a).add(1).mul(k);
  const ddu = x.mul(6 * a * k);
  const s = t.mul(t).rsub(1);
  return s.mul(du).add(x.mul(0.5).mul(s.mul(ddu).sub(t.mul(2).mul(s).mul(du).mul(du))));
}

/** The two halves of a dimension. */
function halves(self: Tensor, dim: number): [Tensor, Tensor] {
  if (self.sizes.length === 0) throw new RuntimeError("glu does not support 0-dimensional tensors");
  const size = self.size(dim);
  const d = dim < 0 ? dim + self.sizes.length : dim;
  if (size % 2 !== 0) {
    throw new RuntimeError(`Halving dimension must be even, but dimension ${d} is size ${size}`);
  }
  return [self.narrow(d, 0, size / 2), self.narrow(d, size / 2, size / 2)];
}

export const activations: Table = {
  relu: [op({
    schema: "relu(Tensor self) -> Tensor",
    impl: (self: Tensor) => {
      if (self.dtype === bool) throw new RuntimeError("Boolean inputs not supported for relu");
      return withParams("relu", self, null);
    },
    plain: true,
    direct: true,
    inplace: true,
    saves: ["result"],
    derivative: { self: (c) => fn.threshold_backward!(c.grad, c.result, 0) },
    doc: "max(x, 0).",
  })],
  threshold_backward: backwardRow(
    "threshold_backward",
    "threshold_backward",
    "Scalar threshold",
    (t) => [n(t)],
    zeros,
  ),
  threshold: activation({
    name: "threshold",
    args: "Scalar threshold, Scalar value",
    params: (t, v) => [n(t), n(v)],
    backward: (c) => fn.threshold_backward!(c.grad, c.self, c.threshold),
    doc: "x where it is above `threshold`, else `value`.",
  }),
  leaky_relu: activation({
    name: "leaky_relu",
    args: "Scalar negative_slope=0.01",
    params: (s) => [n(s)],
    backward: (c) => fn.leaky_relu_backward!(c.grad, c.self, c.negative_slope),
    doc: "x where positive, else negative_slope * x.",
  }),
  leaky_relu_backward: backwardRow(
    "leaky_relu_backward",
    "leaky_relu_backward",
    "Scalar negative_slope",
    (s) => [n(s)],
    zeros,
  ),
  elu: activation({
    name: "elu",
    args: "Scalar alpha=1, Scalar scale=1, Scalar input_scale=1",
    params: eluParams,
    backward: (c) => fn.elu_backward!(c.grad, c.self, c.alpha, c.scale, c.input_scale),
    doc: "Exponential linear unit.",
  }),
  elu_backward: backwardRow(
    "elu_backward",
    "elu_backward",
    "Scalar alpha, Scalar scale, Scalar input_scale",
    eluParams,
    (c) => {
      const k = n(c.alpha) * n(c.scale) * n(c.input_scale) ** 2;
      return c.grad.mul(c.grad_output).mul(c.self.mul(c.input_scale).exp().mul(k)).masked_fill(
        c.self.gt(0),
        0,
      );
    },
  ),
  selu: [op({
    schema: "selu(Tensor self) -> Tensor",
    composite: (self: Tensor) => fn.elu!(self, SELU_ALPHA, SELU_SCALE, 1),
    inplace: true,
    only: "function",
    doc: "Scaled exponential linear unit.",
  })],
  celu: [op({
    schema: "celu(Tensor self, Scalar alpha=1.0) -> Tensor",
    impl: (self: Tensor, alpha: Scalar) => {
      if (n(alpha) === 0) throw new RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU");
      return withParams("elu", self, eluParams(alpha, 1, 1 / n(alpha)));
    },
    plain: true,
    direct: true,
    inplace: true,
    only: "function",
    saves: ["self"],
    // The derivative has alpha as a float, for float64 tensors too: derivatives.yaml.
    derivative: { self: (c) => fn.elu_backward!(c.grad, c.self, c.alpha, 1, 1 / Math.fround(n(c.alpha))) },
    doc: "Continuously differentiable exponential linear unit.",
  })],
  gelu: [op({
    schema: "gelu(Tensor self, *, str approximate='none') -> Tensor",
    impl: (self: Tensor, approximate: string) => {
      if (approximate !== "none" && approximate !== "tanh") {
        throw new RuntimeError("approximate argument must be either none or tanh.");
      }
      if (self.dtype.kind < Kind.float) {
        throw new RuntimeError(`"GeluKernelImpl" not implemented for '${self.dtype.scalarName}'`);
      }
      return withParams(approximate === "tanh" ? "gelu_tanh" : "gelu", self, null);
    },
    plain: true,
    only: "function",
    saves: ["self"],
    derivative: { self: (c) => fn.gelu_backward!(c.grad, c.self, c.approximate) },
    doc: "Gaussian error linear unit.",
  })],
  gelu_backward: [op({
    schema: "gelu_backward(Tensor grad_output, Tensor self, str approximate) -> Tensor",
    impl: (grad: Tensor, self: Tensor, approximate: string) =>
      backward2(approximate === "tanh" ? "gelu_tanh_backward" : "gelu_backward")(grad, self),
    plain: true,
    only: "hidden",
    saves: { grad_output: "self", self: "grad_output, self" },
    derivative: {
      grad_output: (c) => fn.gelu_backward!(c.grad, c.self, c.approximate),
      self: (c) => {
        const d = c.approximate === "tanh"
          ? geluTanhSecond(c.self)
          : density(c.self).mul(c.self.mul(c.self).rsub(2));
        return c.grad.mul(c.grad_output).mul(d);
      },
    },
    doc: "Gradient of gelu.",
  })],
  silu: activation({
    name: "silu",
    backward: (c) => fn.silu_backward!(c.grad, c.self),
    only: "function",
    doc: "x * sigmoid(x).",
  }),
  silu_backward: backwardRow("silu_backward", "silu_backward", "", null, (c) => {
    const s = c.self.sigmoid();
    const d = s.mul(s.rsub(1)).mul(c.self.mul(s.mul(2).rsub(1)).add(2));
    return c.grad.mul(c.grad_output).mul(d);
  }),
  mish: activation({
    name: "mish",
    backward: (c) => fn.mish_backward!(c.grad, c.self),
    only: "function",
    doc: "x * tanh(softplus(x)).",
  }),
  mish_backward: backwardRow("mish_backward", "mish_backward", "", null, (c) => {
    const x: Tensor = c.self;
    const t = fn.softplus!(x).tanh() as Tensor, s = x.sigmoid();
    const u = t.mul(t).rsub(1);
    const ds = s.mul(s.rsub(1));
    const d = u.mul(s).mul(2).add(x.mul(u.mul(ds).sub(t.mul(2).mul(u).mul(s).mul(s))));
    return c.grad.mul(c.grad_output).mul(d);
  }),
  softplus: activation({
    name: "softplus",
    args: "Scalar beta=1, Scalar threshold=20",
    params: (b, t) => [n(b), n(t)],
    backward: (c) => fn.softplus_backward!(c.grad, c.self, c.beta, c.threshold),
    inplace: false,
    only: "function",
    doc: "log(1 + exp(beta x)) / beta; x itself above the threshold.",
  }),
  softplus_backward: backwardRow(
    "softplus_backward",
    "softplus_backward",
    "Scalar beta, Scalar threshold",
    (b, t) => [n(b), n(t)],
    (c) => {
      const s = c.self.mul(c.beta).sigmoid();
      const d = s.mul(s.rsub(1)).mul(c.beta).masked_fill(c.self.mul(c.beta).gt(c.threshold), 0);
      return c.grad.mul(c.grad_output).mul(d);
    },
  ),
  log_sigmoid: activation({
    name: "log_sigmoid",
    backward: (c) => fn.log_sigmoid_backward!(c.grad, c.self),
    inplace: false,
    only: "hidden",
    doc: "log(sigmoid(x)).",
  }),
  log_sigmoid_backward: backwardRow("log_sigmoid_backward", "log_sigmoid_backward", "", null, (c) => {
    const s = c.self.sigmoid();
    return c.grad.mul(c.grad_output).mul(s.mul(s.rsub(1))).neg();
  }),
  hardtanh: [op({
    schema: "hardtanh(Tensor self, Scalar min_val=-1, Scalar max_val=1) -> Tensor",
    impl: (self: Tensor, low: Scalar, high: Scalar) => {
      if (self.dtype === bool) throw new RuntimeError("Bool inputs not supported for hardtanh");
      return withParams("hardtanh", self, [n(low), n(high)]);
    },
    plain: true,
    direct: true,
    inplace: true,
    only: "function",
    saves: ["self"],
    derivative: { self: (c) => fn.hardtanh_backward!(c.grad, c.self, c.min_val, c.max_val) },
    doc: "x clamped to [min_val, max_val].",
  })],
  hardtanh_backward: backwardRow(
    "hardtanh_backward",
    "hardtanh_backward",
    "Scalar min_val, Scalar max_val",
    (a, b) => [n(a), n(b)],
    zeros,
  ),
  relu6: [op({
    schema: "relu6(Tensor self) -> Tensor",
    composite: (self: Tensor) => fn.hardtanh!(self, 0, 6),
    inplace: true,
    only: "hidden",
    doc: "min(max(x, 0), 6).",
  })],
  hardsigmoid: activation({
    name: "hardsigmoid",
    backward: (c) => fn.hardsigmoid_backward!(c.grad, c.self),
    only: "hidden",
    doc: "relu6(x + 3) / 6.",
  }),
  hardsigmoid_backward: backwardRow("hardsigmoid_backward", "hardsigmoid_backward", "", null, zeros),
  hardswish: activation({
    name: "hardswish",
    backward: (c) => fn.hardswish_backward!(c.grad, c.self),
    only: "hidden",
    doc: "x * relu6(x + 3) / 6.",
  }),
  hardswish_backward: backwardRow("hardswish_backward", "hardswish_backward", "", null, (c) => {
    const inside = c.self.gt(-3).logical_and(c.self.lt(3));
    return c.grad.mul(c.grad_output).mul(1 / 3).mul(inside);
  }),
  hardshrink: activation({
    name: "hardshrink",
    args: "Scalar lambd=0.5",
    params: (l) => [n(l)],
    backward: (c) => fn.shrink_backward!(c.grad, c.self, c.lambd),
    inplace: false,
    doc: "0 within [-lambd, lambd], else x.",
  }),
  softshrink: [op({
    schema: "softshrink(Tensor self, Scalar lambd=0.5) -> Tensor",
    impl: (self: Tensor, lambd: Scalar) => {
      if (n(lambd) < 0) {
        throw new RuntimeError(`lambda must be greater or equal to 0, but found to be ${n(lambd)}.`);
      }
      return withParams("softshrink", self, [n(lambd)]);
    },
    plain: true,
    only: "hidden",
    saves: ["self"],
    derivative: { self: (c) => fn.shrink_backward!(c.grad, c.self, c.lambd) },
    doc: "x moved towards 0 by lambd.",
  })],
  shrink_backward: backwardRow("shrink_backward", "shrink_backward", "Scalar lambd", (l) => [n(l)], zeros),
  prelu: [op({
    schema: "prelu(Tensor self, Tensor weight) -> Tensor",
    composite: (self: Tensor, weight: Tensor) => {
      if (weight.sizes.length > 1) {
        throw new RuntimeError(
          `prelu: Expected \`weight\` to be a scalar or 1D tensor, but got ndim = ${weight.sizes.length}`,
        );
      }
      const channels = self.sizes.length > 1 ? self.sizes[1]! : 1;
      if (weight.count !== 1) {
        if (self.sizes.length === 0) throw new RuntimeError("Not allow zero-dim input tensor.");
        if (channels !== weight.count) {
          throw new RuntimeError(
            `Mismatch of parameter numbers and input channel size. Found parameter numbers = ${weight.count} and channel size = ${channels}.`,
          );
        }
      }
      const shape = self.sizes.map((_, i) => (i === 1 && weight.count > 1 ? weight.count : 1));
      return fn.prelu_kernel!(
        self,
        self.sizes.length === 0
          ? weight.reshape([])
          : weight.reshape(weight.count === 1 ? self.sizes.map(() => 1) : shape),
      );
    },
    doc: "x where positive, else weight * x.",
  })],
  prelu_kernel: [op({
    schema: "prelu_kernel(Tensor self, Tensor weight) -> Tensor",
    impl: binaryPromote("prelu"),
    plain: true,
    only: "hidden",
    node: "PreluBackward0",
    saves: ["self", "weight"],
    derivative: {
      self: (c) => c.grad.where(c.self.gt(0), c.grad.mul(c.weight)),
      weight: (c) => c.grad.mul(c.self).masked_fill(c.self.gt(0), 0),
    },
    doc: "prelu with a broadcast weight.",
  })],
  glu: [op({
    schema: "glu(Tensor self, int dim=-1) -> Tensor",
    impl: (self: Tensor, dim: number) => {
      const [left, right] = halves(self, dim);
      return left.mul(right.sigmoid());
    },
    saves: ["self"],
    derivative: {
      self: (c) => {
        const [left, right] = halves(c.self, c.dim);
        const s = right.sigmoid();
        return fn.cat!([c.grad.mul(s), c.grad.mul(left).mul(s.mul(s.rsub(1)))], c.dim);
      },
    },
    only: "hidden",
    doc: "First half times sigmoid of the second half.",
  })],
};
