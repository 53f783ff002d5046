/**
 * Matrix products. The kernel takes any strides, so transposed operands are multiplied where they lie.
 *
 * @module
 */
import { ACTIVATION, POINTWISE } from "../_gen/kernels.ts";
import { bool, type DType, Kind, toReal } from "../base/dtype.ts";
import { RuntimeError } from "../base/errors.ts";
import { Complex, isZero, type Scalar, toNumber } from "../base/scalar.ts";
import { numelOf, shapeText } from "../base/size.ts";
import { release } from "../base/storage.ts";
import { fn } from "../dispatch/functions.ts";
import { commonBackend, emptyTensor, packed, runCopy, runPointwise } from "../dispatch/iterator.ts";
import { begin, kernel } from "../dispatch/launch.ts";
import { op, type Table } from "../dispatch/op.ts";
import { broadcastAll } from "../dispatch/promotion.ts";
import { wrapDim } from "../dispatch/reduction.ts";
import { alias, type Tensor } from "../tensor.ts";
import { fillTensor } from "./creation.ts";

const MATMUL = kernel("tc_matmul");
const EXPAND = kernel("tc_complex_expand");
const MAX_BATCH = 8;

/** Work from which threads are worth having. */
const PARALLEL_FLOPS = 1 << 17;

function checkDtypes(name: string, a: Tensor, b: Tensor): void {
  if (a.dtype !== b.dtype) {
    throw new RuntimeError(
      name === "addmm"
        ? "mat1 and mat2 must have the same dtype"
        : `expected scalar type ${a.dtype.scalarName} but found ${b.dtype.scalarName}`,
    );
  }
  if (a.dtype === bool) throw new RuntimeError(`"${name}" not implemented for 'Bool'`);
}

/** The C++ type names of PyTorch's messages. */
export function cppName(d: DType): string {
  const names: Record<string, string> = {
    float32: "float",
    float64: "double",
    int64: "long long",
    int32: "int",
    int16: "short",
    int8: "signed char",
    uint8: "unsigned char",
    float16: "c10::Half",
    bfloat16: "c10::BFloat16",
    bool: "bool",
    complex64: "c10::complex<float>",
    complex128: "c10::complex<double>",
  };
  return names[d.name] ?? d.name;
}

interface Product {
  m: number;
  n: number;
  k: number;
  /** Strides of the batch dimensions of a, b, c; outermost first. */
  batch?: readonly number[];
  batchA?: readonly number[];
  batchB?: readonly number[];
  batchC?: readonly number[];
  alpha?: number | Complex;
  beta?: number;
  bias?: Tensor | null;
  biasStrides?: readonly [row: number, col: number];
  activation?: number;
}

/** Rows and columns of a matrix operand. */
type Strides2 = readonly [row: number, col: number];

function launch(a: Tensor, sa: Strides2, b: Tensor, sb: Strides2, c: Tensor, sc: Strides2, p: Product): void {
  const backend = c.storage.backend;
  if (c.count === 0 || !backend.hasData) return;
  if (c.dtype.kind === Kind.complex) {
    launchComplex(a, sa, b, sb, c, sc, p);
    return;
  }
  const batch = p.batch ?? [];
  if (p.m * p.n * p.k * numelOf(batch) >= PARALLEL_FLOPS) backend.expectWork();
  const k = begin(MATMUL, backend);
  k.i(0).i(c.dtype.code).i(p.m).i(p.n).i(p.k).p(a).p(b).p(c);
  k.i(sa[0]).i(sa[1]).i(sb[0]).i(sb[1]).i(sc[0]).i(sc[1]).d(toNumber(p.alpha ?? 1)).d(p.beta ?? 0);
  k.p(p.bias ?? null).i(p.biasStrides?.[0] ?? 0).i(p.biasStrides?.[1] ?? 0);
  k.i(p.activation ?? ACTIVATION.NONE).i(batch.length);
  k.array(batch, MAX_BATCH).array(p.batchA ?? [], MAX_BATCH).array(p.batchB ?? [], MAX_BATCH).array(
    p.batchC ?? [],
    MAX_BATCH,
  );
  k.runWithScratch();
}

/** The same memory as real numbers: offsets and strides of rows count twice, columns are pairs. */
function asReal(t: Tensor, sizes: readonly number[]): Tensor {
  return alias(t, sizes, sizes.map(() => 0), 2 * t.offset, toReal(t.dtype));
}

/**
 * A complex product as a real one of twice the width and depth: a row-major (m, k) operand is a real (m, 2k) one as it
 * lies in memory, and so is the result; the right operand is written out as the 2 x 2 matrices that its numbers are.
 * The arithmetic is that of four real products, all of it in the one fast kernel.
 */
function launchComplex(
  a: Tensor,
  sa: Strides2,
  b: Tensor,
  sb: Strides2,
  c: Tensor,
  sc: Strides2,
  p: Product,
): void {
  const backend = c.storage.backend, { m, n, k } = p;
  const batch = p.batch ?? [];
  const none = batch.map(() => 0);
  let left = a, leftStrides = sa, batchA = p.batchA ?? none;
  if (k > 1 && sa[1] !== 1) {
    left = packed(alias(a, [...batch, m, k], [...batchA, ...sa], a.offset));
    leftStrides = [k, 1];
    batchA = rowMajor(batch, m * k);
  }
  // The right operand once for each of its own matrices.
  let right = b, rightStrides = sb, step = 0;
  const own = batch.map((s, i) => (p.batchB?.[i] ? s : 1));
  const matrices = numelOf(own);
  if (own.filter((s) => s !== 1).length > 1) {
    right = packed(alias(b, [...own, k, n], [...p.batchB!, ...sb], b.offset));
    rightStrides = [n, 1];
    step = k * n;
  } else if (matrices > 1) step = p.batchB![own.findIndex((s) => s !== 1)]!;
  const wide = emptyTensor([matrices, 2 * k, 2 * n], toReal(c.dtype), backend);
  const alpha = p.alpha ?? 1;
  begin(EXPAND, backend).i(c.dtype.code).i(matrices).i(k).i(n).p(right).p(wide).i(step).i(rightStrides[0])
    .i(rightStrides[1]).d(toNumber(alpha)).d(alpha instanceof Complex ? alpha.im : 0).run();
  let bias = p.bias ?? null, biasStrides = p.biasStrides ?? [0, 0];
  if (bias !== null && biasStrides[1] !== 1) {
    const rows = biasStrides[0] === 0 ? 1 : m;
    bias = packed(alias(bias, [rows, n], biasStrides, bias.offset));
    biasStrides = [rows === 1 ? 0 : n, 1];
  }
  const double = (s: readonly number[]): number[] => s.map((x) => 2 * x);
  const real: Product = {
    m,
    n: 2 * n,
    k: 2 * k,
    batch,
    batchA: double(batchA),
    batchB: rowMajor(own, 4 * k * n).map((s, i) => (own[i] === 1 ? 0 : s)),
    batchC: double(p.batchC ?? none),
    beta: p.beta ?? 0,
    bias: bias === null ? null : asReal(bias, [2 * n]),
    biasStrides: [2 * biasStrides[0], 1],
  };
  launch(
    asReal(left, [m, 2 * k]),
    [2 * leftStrides[0], 1],
    wide,
    [2 * n, 1],
    asReal(c, [m, 2 * n]),
    [2 * sc[0], 1],
    real,
  );
  release(wide.storage);
}

/** Row-major strides of batch dimensions over matrices of `count` elements. */
function rowMajor(batch: readonly number[], count: number): number[] {
  const strides: number[] = [];
  for (let i = batch.length - 1, s = count; i >= 0; i--) {
    strides[i] = s;
    s *= batch[i]!;
  }
  return strides;
}

/** c = a b + bias, all matrices of one dtype; `bias` and `c` are contiguous. For kernels; never recorded. */
export function product(a: Tensor, sa: Strides2, b: Tensor, sb: Strides2, c: Tensor, bias: Tensor): void {
  const [m, n] = c.sizes as [number, number];
  launch(a, sa, b, sb, c, [n, 1], { m, n, k: a.sizes[1]!, bias, biasStrides: [n, 1] });
}

const strides2 = (
  t: Tensor,
): Strides2 => [t.strides[t.strides.length - 2]!, t.strides[t.strides.length - 1]!];

function mm(self: Tensor, mat2: Tensor): Tensor {
  if (self.sizes.length !== 2) throw new RuntimeError("self must be a matrix");
  if (mat2.sizes.length !== 2) throw new RuntimeError("mat2 must be a matrix");
  checkProduct(self, mat2);
  checkDtypes("addmm_impl_cpu_", self, mat2);
  const out = emptyTensor([self.sizes[0]!, mat2.sizes[1]!], self.dtype, commonBackend([self, mat2]));
  launch(self, strides2(self), mat2, strides2(mat2), out, [out.sizes[1]!, 1], {
    m: out.sizes[0]!,
    n: out.sizes[1]!,
    k: self.sizes[1]!,
  });
  return out;
}

function checkProduct(a: Tensor, b: Tensor): void {
  if (a.sizes[1] !== b.sizes[0]) {
    throw new RuntimeError(
      `mat1 and mat2 shapes cannot be multiplied (${a.sizes[0]}x${a.sizes[1]} and ${b.sizes[0]}x${
        b.sizes[1]
      })`,
    );
  }
}

/** A factor as the kernel takes it: integers cut a float's fraction off, as PyTorch does. */
function factorOf(self: Tensor, x: Scalar): number | Complex {
  if (x instanceof Complex) {
    if (self.dtype.kind !== Kind.complex) {
      throw new RuntimeError("value cannot be converted to type float without overflow");
    }
    return x;
  }
  return self.dtype.kind < Kind.float ? Math.trunc(toNumber(x)) : toNumber(x);
}

/**
 * Fills `out` with `input` broadcast to it, and returns the factor by which the kernel is to scale it. What is complex
 * is scaled here: the kernel's numbers are real.
 */
function seed(out: Tensor, input: Tensor, beta: number | Complex): number {
  if (isZero(beta)) return 0;
  try {
    broadcastAll([input.sizes, out.sizes]);
  } catch {
    throw expandError(input, out.sizes);
  }
  if (out.dtype.kind === Kind.complex) {
    runPointwise(POINTWISE.mul.op, out.dtype.compute, out, [input, beta]);
    return 1;
  }
  runCopy(out, input);
  return toNumber(beta);
}

function expandError(input: Tensor, sizes: readonly number[]): RuntimeError {
  const extra = sizes.length - input.sizes.length;
  for (let i = sizes.length - 1; i >= 0; i--) {
    const have = i < extra ? 1 : input.sizes[i - extra]!;
    if (have !== 1 && have !== sizes[i]) {
      return new RuntimeError(
        `The expanded size of the tensor (${
          sizes[i]
        }) must match the existing size (${have}) at non-singleton dimension ${i}.  Target sizes: ${
          shapeText(sizes)
        }.  Tensor sizes: ${shapeText(input.sizes)}`,
      );
    }
  }
  return new RuntimeError(
    `expand: the number of sizes provided (${sizes.length}) must be greater or equal to the number of dimensions in the tensor (${input.sizes.length})`,
  );
}

function addmm(self: Tensor, mat1: Tensor, mat2: Tensor, beta: Scalar, alpha: Scalar): Tensor {
  if (mat1.sizes.length !== 2) {
    throw new RuntimeError(`mat1 must be a matrix, got ${mat1.sizes.length}-D tensor`);
  }
  if (mat2.sizes.length !== 2) {
    throw new RuntimeError(`mat2 must be a matrix, got ${mat2.sizes.length}-D tensor`);
  }
  checkProduct(mat1, mat2);
  checkDtypes("addmm", mat1, mat2);
  if (self.dtype !== mat1.dtype) throw new RuntimeError("self and mat2 must have the same dtype");
  const m = mat1.sizes[0]!, n = mat2.sizes[1]!;
  const b = factorOf(self, beta), a = factorOf(self, alpha);
  const out = emptyTensor([m, n], mat1.dtype, commonBackend([self, mat1, mat2]));
  const shape = { m, n, k: mat1.sizes[1]!, alpha: a };
  // A row or a matrix that is added whole goes into the kernel's epilogue.
  const rank = self.sizes.length;
  const fits = rank <= 2 && (rank < 1 || self.sizes[rank - 1] === n || self.sizes[rank - 1] === 1) &&
    (rank < 2 || self.sizes[0] === m || self.sizes[0] === 1);
  if (b === 1 && fits) {
    const col = rank >= 1 && self.sizes[rank - 1] !== 1 ? self.strides[rank - 1]! : 0;
    const row = rank === 2 && self.sizes[0] !== 1 ? self.strides[0]! : 0;
    launch(mat1, strides2(mat1), mat2, strides2(mat2), out, [n, 1], {
      ...shape,
      bias: self,
      biasStrides: [row, col],
    });
    return out;
  }
  const scale = seed(out, self, b);
  launch(mat1, strides2(mat1), mat2, strides2(mat2), out, [n, 1], { ...shape, beta: scale });
  return out;
}

function mv(self: Tensor, vec: Tensor): Tensor {
  if (self.sizes.length !== 2 || vec.sizes.length !== 1) {
    throw new RuntimeError(
      `vector + matrix @ vector expected, got 1, ${self.sizes.length}, ${vec.sizes.length}`,
    );
  }
  const [m, k] = self.sizes as [number, number];
  if (k !== vec.sizes[0]) throw new RuntimeError(`size mismatch, got ${m}, ${m}x${k},${vec.sizes[0]}`);
  checkDtypes("addmv_impl_cpu", self, vec);
  const out = emptyTensor([m], self.dtype, commonBackend([self, vec]));
  launch(self, strides2(self), vec, [vec.strides[0]!, 0], out, [1, 1], { m, n: 1, k });
  return out;
}

function dot(self: Tensor, tensor: Tensor): Tensor {
  if (self.sizes.length !== 1 || tensor.sizes.length !== 1) {
    throw new RuntimeError(
      `1D tensors expected, but got ${self.sizes.length}D and ${tensor.sizes.length}D tensors`,
    );
  }
  if (self.dtype !== tensor.dtype) {
    throw new RuntimeError(
      `dot : expected both vectors to have same dtype, but found ${self.dtype.scalarName} and ${tensor.dtype.scalarName}`,
    );
  }
  if (self.sizes[0] !== tensor.sizes[0]) {
    throw new RuntimeError(
      `inconsistent tensor size, expected tensor ${shapeText(self.sizes)} and src ${
        shapeText(tensor.sizes)
      } to have the same number of elements, but got ${self.count} and ${tensor.count} elements respectively`,
    );
  }
  checkDtypes("dot", self, tensor);
  const out = emptyTensor([], self.dtype, commonBackend([self, tensor]));
  const k = self.sizes[0]!;
  if (k === 0) return fillTensor(out, 0);
  launch(self, [0, self.strides[0]!], tensor, [tensor.strides[0]!, 0], out, [1, 1], { m: 1, n: 1, k });
  return out;
}

function bmmInto(out: Tensor, a: Tensor, b: Tensor, alpha: number | Complex, beta: number): void {
  const [batch, m, n] = out.sizes as [number, number, number];
  launch(a, strides2(a), b, strides2(b), out, [n, 1], {
    m,
    n,
    k: a.sizes[2]!,
    alpha,
    beta,
    batch: [batch],
    batchA: [a.strides[0]!],
    batchB: [b.strides[0]!],
    batchC: [m * n],
  });
}

function checkBmm(a: Tensor, b: Tensor, names: [string, string]): void {
  if (a.sizes.length !== 3) throw new RuntimeError(`${names[0]} must be a 3D tensor`);
  if (b.sizes.length !== 3) throw new RuntimeError(`${names[1]} must be a 3D tensor`);
  if (a.sizes[0] !== b.sizes[0] || a.sizes[2] !== b.sizes[1]) {
    throw new RuntimeError(
      `Expected size for first two dimensions of batch2 tensor to be: [${a.sizes[0]}, ${
        a.sizes[2]
      }] but got: [${b.sizes[0]}, ${b.sizes[1]}].`,
    );
  }
  if (a.dtype !== b.dtype) {
    throw new RuntimeError(`expected scalar type ${a.dtype.scalarName} but found ${b.dtype.scalarName}`);
  }
}

function bmm(self: Tensor, mat2: Tensor): Tensor {
  checkBmm(self, mat2, ["batch1", "batch2"]);
  const out = emptyTensor(
    [self.sizes[0]!, self.sizes[1]!, mat2.sizes[2]!],
    self.dtype,
    commonBackend([self, mat2]),
  );
  bmmInto(out, self, mat2, 1, 0);
  return out;
}

function baddbmm(self: Tensor, batch1: Tensor, batch2: Tensor, beta: Scalar, alpha: Scalar): Tensor {
  checkBmm(batch1, batch2, ["batch1", "batch2"]);
  if (self.dtype !== batch1.dtype) {
    throw new RuntimeError(
      `Input dtypes must be the same, got: input ${cppName(self.dtype)}, batch1: ${
        cppName(batch1.dtype)
      }, batch2: ${cppName(batch2.dtype)}`,
    );
  }
  const b = factorOf(self, beta);
  const out = emptyTensor(
    [batch1.sizes[0]!, batch1.sizes[1]!, batch2.sizes[2]!],
    batch1.dtype,
    commonBackend([self, batch1]),
  );
  const scale = seed(out, self, b);
  bmmInto(out, batch1, batch2, factorOf(self, alpha), scale);
  return out;
}

/** matmul of operands with batch dimensions: broadcast by strides, without copies. */
function batchedMatmul(a: Tensor, b: Tensor): Tensor {
  const batch = broadcastAll([a.sizes.slice(0, -2), b.sizes.slice(0, -2)]);
  const [m, k] = a.sizes.slice(-2) as [number, number];
  const [k2, n] = b.sizes.slice(-2) as [number, number];
  if (k !== k2) {
    throw new RuntimeError(
      `Expected size for first two dimensions of batch2 tensor to be: [${numelOf(batch)}, ${k}] but got: [${
        numelOf(batch)
      }, ${k2}].`,
    );
  }
  checkDtypes("bmm", a, b);
  const out = emptyTensor([...batch, m, n], a.dtype, commonBackend([a, b]));
  const shape: number[] = [], sa: number[] = [], sb: number[] = [], sc: number[] = [];
  for (let i = 0; i < batch.length; i++) {
    if (batch[i] === 1) continue;
    const at = (t: Tensor): number => {
      const j = i - (batch.length - (t.sizes.length - 2));
      return j < 0 || t.sizes[j] === 1 ? 0 : t.strides[j]!;
    };
    const [x, y, z] = [at(a), at(b), out.strides[i]!];
    const last = shape.length - 1;
    if (last >= 0 && sa[last] === x * batch[i]! && sb[last] === y * batch[i]! && sc[last] === z * batch[i]!) {
      shape[last]! *= batch[i]!;
      sa[last] = x;
      sb[last] = y;
      sc[last] = z;
    } else {
      shape.push(batch[i]!);
      sa.push(x);
      sb.push(y);
      sc.push(z);
    }
  }
  if (shape.length > MAX_BATCH) {
    const wide = (t: Tensor): Tensor =>
      packed(alias(t, [...batch, ...t.sizes.slice(-2)], expandedStrides(t, batch), t.offset));
    return batchedMatmul(wide(a), wide(b));
  }
  launch(a, strides2(a), b, strides2(b), out, [n, 1], {
    m,
    n,
    k,
    batch: shape,
    batchA: sa,
    batchB: sb,
    batchC: sc,
  });
  return out;
}

function expandedStrides(t: Tensor, batch: readonly number[]): number[] {
  const own = t.sizes.length - 2;
  return [
    ...batch.map((_, i) => {
      const j = i - (batch.length - own);
      return j < 0 || t.sizes[j] === 1 ? 0 : t.strides[j]!;
    }),
    ...t.strides.slice(-2),
  ];
}

function matmul(self: Tensor, other: Tensor): Tensor {
  const a = self.sizes.length, b = other.sizes.length;
  if (a === 0 || b === 0) {
    throw new RuntimeError(
      `both arguments to matmul need to be at least 1D, but they are ${a}D and ${b}D`,
    );
  }
  if (a === 1 && b === 1) return self.dot(other);
  if (a === 2 && b === 1) return self.mv(other);
  if (a === 1 && b === 2) return self.unsqueeze(0).mm(other).squeeze(0);
  if (a === 2 && b === 2) return self.mm(other);
  if (a >= 3 && b <= 2) {
    // One large product instead of many: fold the batch into the rows.
    const right = b === 1 ? other.unsqueeze(1) : other;
    if (self.is_contiguous() || !other.requires_grad) {
      const folded = self.reshape([-1, self.sizes[a - 1]!]);
      const product = folded.mm(right);
      const sizes = [...self.sizes.slice(0, -1), ...(b === 1 ? [] : [right.sizes[1]!])];
      return product.view(sizes);
    }
    const full = self.matmul_batched(right);
    return b === 1 ? full.squeeze(-1) : full;
  }
  if (a === 1) return self.unsqueeze(0).matmul_batched(other).squeeze(-2);
  if (b === 1) return self.matmul_batched(other.unsqueeze(1)).squeeze(-1);
  return self.matmul_batched(other);
}

/** y = x W^T + b over the last dimension, in one kernel. */
/** How many rows a tensor has when all but its last dimension are one. */
function rowsOf(x: Tensor): number {
  return x.sizes.slice(0, -1).reduce((n, s) => n * s, 1);
}

function linear(input: Tensor, weight: Tensor, bias: Tensor | null): Tensor {
  const rank = input.sizes.length;
  const m = rank === 1 ? 1 : numelOf(input.sizes.slice(0, -1));
  const k = input.sizes[rank - 1] ?? 1, n = weight.sizes.length === 2 ? weight.sizes[0]! : 1;
  const x = input.packed || rank === 2 ? input : packed(input);
  const rows: Strides2 = rank === 2 ? strides2(x) : [k, 1];
  const out = emptyTensor(
    weight.sizes.length === 2 ? [...input.sizes.slice(0, -1), n] : input.sizes.slice(0, -1),
    input.dtype,
    commonBackend([input, weight, bias]),
  );
  const w: Strides2 = weight.sizes.length === 2
    ? [weight.strides[1]!, weight.strides[0]!]
    : [weight.strides[0]!, 0];
  launch(x, rows, weight, w, out, [n, 1], {
    m,
    n,
    k,
    bias,
    biasStrides: [0, bias === null || bias.sizes.length === 0 ? 0 : bias.strides[0]!],
  });
  return out;
}

function checkLinear(input: Tensor, weight: Tensor, bias: Tensor | null): void {
  if (input.sizes.length === 0) {
    throw new RuntimeError("both arguments to matmul need to be at least 1D, but they are 0D and 2D");
  }
  const k = input.sizes[input.sizes.length - 1]!;
  const [n, kw] = weight.sizes.length === 2 ? weight.sizes as [number, number] : [1, weight.sizes[0] ?? 1];
  if (k !== kw) {
    const m = numelOf(input.sizes.slice(0, -1));
    if (input.sizes.length === 1) throw new RuntimeError(`size mismatch, got ${n}, ${n}x${kw},${k}`);
    throw new RuntimeError(`mat1 and mat2 shapes cannot be multiplied (${m}x${k} and ${kw}x${n})`);
  }
  checkDtypes("addmm", input, weight);
  if (bias !== null) {
    if (bias.dtype !== input.dtype) throw new RuntimeError("self and mat2 must have the same dtype");
    if (bias.sizes.length > 1 || (bias.sizes.length === 1 && bias.sizes[0] !== n && bias.sizes[0] !== 1)) {
      throw expandError(bias, [numelOf(input.sizes.slice(0, -1)), n]);
    }
  }
}

export const matmuls: Table = {
  mm: [op({
    schema: "mm(Tensor self, Tensor mat2) -> Tensor",
    impl: mm,
    saves: { self: "mat2", mat2: "self" },
    derivative: { self: (c) => c.grad.mm(c.mat2.t()), mat2: (c) => c.self.t().mm(c.grad) },
    doc: "Matrix product.",
  })],
  addmm: [op({
    schema: "addmm(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
    impl: addmm,
    inplace: true,
    saves: { mat1: "mat2", mat2: "mat1" },
    derivative: {
      self: (c) => c.beta === 1 ? c.grad : c.grad.mul(c.beta),
      mat1: (c) => scaled(c.grad.mm(c.mat2.t()), c.alpha),
      mat2: (c) => scaled(c.mat1.t().mm(c.grad), c.alpha),
    },
    doc: "`beta * self + alpha * (mat1 @ mat2)`.",
  })],
  linear: [op({
    schema: "linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor",
    impl: (input: Tensor, weight: Tensor, bias: Tensor | null) => {
      checkLinear(input, weight, bias);
      return linear(input, weight, bias);
    },
    only: "hidden",
    node: ([input, , bias]) => {
      const matrix = (input as Tensor).sizes.length === 2;
      return bias === null
        ? (matrix ? "MmBackward0" : "UnsafeViewBackward0")
        : matrix
        ? "AddmmBackward0"
        : "ViewBackward0";
    },
    saves: { input: "weight", weight: "input" },
    derivative: {
      input: (c) =>
        c.weight.sizes.length === 2 ? c.grad.matmul(c.weight) : c.grad.unsqueeze(-1).mul(c.weight),
      weight: (c) => {
        // The rows are counted, not left to -1: either side may have no features at all.
        const k = c.input.sizes[c.input.sizes.length - 1]!, rows = rowsOf(c.input);
        const x = c.input.reshape([rows, k]);
        if (c.sizesOf("weight").length === 1) return c.grad.reshape([1, rows]).mm(x).reshape([k]);
        return c.grad.reshape([rows, c.sizesOf("weight")[0]!]).t().mm(x);
      },
      bias: (c) => {
        const sizes = c.sizesOf("bias");
        return sizes.length === 1 && c.grad.sizes.length > 0 &&
            sizes[0] === c.grad.sizes[c.grad.sizes.length - 1]
          ? c.grad.reshape([rowsOf(c.grad), sizes[0]!]).sum(0)
          : c.grad.sum_to_size(sizes);
      },
    },
    doc: "x W^T + b.",
  })],
  mv: [op({
    schema: "mv(Tensor self, Tensor vec) -> Tensor",
    impl: mv,
    saves: { self: "vec", vec: "self" },
    derivative: {
      self: (c) => c.grad.unsqueeze(1).mul(c.vec),
      vec: (c) => c.self.t().mv(c.grad),
    },
    doc: "Matrix times vector.",
  })],
  addmv: [op({
    schema: "addmv(Tensor self, Tensor mat, Tensor vec, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
    composite: (self: Tensor, mat: Tensor, vec: Tensor, beta: Scalar, alpha: Scalar) => {
      if (mat.sizes.length !== 2 || vec.sizes.length !== 1 || self.sizes.length > 1) {
        throw new RuntimeError(
          `vector + matrix @ vector expected, got ${self.sizes.length}, ${mat.sizes.length}, ${vec.sizes.length}`,
        );
      }
      if (mat.sizes[1] !== vec.sizes[0] || (self.count !== mat.sizes[0] && self.count !== 1)) {
        throw new RuntimeError(
          `size mismatch, got input (${self.sizes[0]}), mat (${mat.sizes[0]}x${mat.sizes[1]}), vec (${
            vec.sizes[0]
          })`,
        );
      }
      return combine(self, beta, mat.mv(vec), alpha);
    },
    inplace: true,
    doc: "`beta * self + alpha * (mat @ vec)`.",
  })],
  addr: [op({
    schema: "addr(Tensor self, Tensor vec1, Tensor vec2, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
    composite: (self: Tensor, a: Tensor, b: Tensor, beta: Scalar, alpha: Scalar) => {
      if (a.sizes.length !== 1) {
        throw new RuntimeError(`addr: Expected 1-D argument vec1, but got ${a.sizes.length}-D`);
      }
      if (b.sizes.length !== 1) {
        throw new RuntimeError(`addr: Expected 1-D argument vec2, but got ${b.sizes.length}-D`);
      }
      return combine(self, beta, a.outer(b), alpha);
    },
    inplace: true,
    doc: "`beta * self + alpha * outer(vec1, vec2)`.",
  })],
  dot: [op({
    schema: "dot(Tensor self, Tensor tensor) -> Tensor",
    impl: dot,
    saves: { self: "tensor", tensor: "self" },
    derivative: { self: (c) => c.grad.mul(c.tensor), tensor: (c) => c.grad.mul(c.self) },
    doc: "Dot product of two vectors.",
  })],
  vdot: [op({
    schema: "vdot(Tensor self, Tensor other) -> Tensor",
    composite: (self: Tensor, other: Tensor) => self.conj().dot(other),
    doc: "Dot product, conjugating the first.",
  })],
  inner: [op({
    schema: "inner(Tensor self, Tensor other) -> Tensor",
    composite: (self: Tensor, other: Tensor) => {
      if (self.sizes.length === 0 || other.sizes.length === 0) return self.mul(other);
      const k = self.sizes[self.sizes.length - 1];
      if (k !== other.sizes[other.sizes.length - 1]) {
        throw new RuntimeError(
          `inner() the last dimension must match on both input tensors but got shapes ${
            shapeText(self.sizes)
          } and ${shapeText(other.sizes)}`,
        );
      }
      return fn.tensordot!(self, other, [[-1], [-1]]);
    },
    doc: "Product sum over the last dimensions.",
  })],
  outer: [op({
    schema: "outer(Tensor self, Tensor vec2) -> Tensor",
    composite: (self: Tensor, vec2: Tensor) => {
      if (self.sizes.length !== 1) {
        throw new RuntimeError(`outer: Expected 1-D argument self, but got ${self.sizes.length}-D`);
      }
      if (vec2.sizes.length !== 1) {
        throw new RuntimeError(`outer: Expected 1-D argument vec2, but got ${vec2.sizes.length}-D`);
      }
      return self.unsqueeze(1).mul(vec2);
    },
    aliases: ["ger"],
    doc: "Outer product of two vectors.",
  })],
  bmm: [op({
    schema: "bmm(Tensor self, Tensor mat2) -> Tensor",
    impl: bmm,
    saves: { self: "mat2", mat2: "self" },
    derivative: {
      self: (c) => c.grad.bmm(c.mat2.transpose(1, 2)),
      mat2: (c) => c.self.transpose(1, 2).bmm(c.grad),
    },
    doc: "Matrix products of a batch.",
  })],
  baddbmm: [op({
    schema: "baddbmm(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
    impl: baddbmm,
    inplace: true,
    saves: { batch1: "batch2", batch2: "batch1" },
    derivative: {
      self: (c) => c.beta === 1 ? c.grad : c.grad.mul(c.beta),
      batch1: (c) => scaled(c.grad.bmm(c.batch2.transpose(1, 2)), c.alpha),
      batch2: (c) => scaled(c.batch1.transpose(1, 2).bmm(c.grad), c.alpha),
    },
    doc: "`beta * self + alpha * (batch1 @ batch2)`.",
  })],
  addbmm: [op({
    schema: "addbmm(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
    composite: (self: Tensor, batch1: Tensor, batch2: Tensor, beta: Scalar, alpha: Scalar) =>
      combine(self, beta, batch1.bmm(batch2).sum(0, { dtype: batch1.dtype }), alpha),
    inplace: true,
    doc: "`beta * self + alpha * sum(batch1 @ batch2)`.",
  })],
  matmul_batched: [op({
    schema: "matmul_batched(Tensor self, Tensor other) -> Tensor",
    impl: batchedMatmul,
    only: "method",
    node: "UnsafeViewBackward0",
    saves: { self: "other", other: "self" },
    derivative: {
      self: (c) => c.grad.matmul_batched(c.other.transpose(-2, -1)),
      other: (c) => c.self.transpose(-2, -1).matmul_batched(c.grad),
    },
    doc: "Matrix products with broadcast batch dimensions.",
  })],
  matmul: [op({
    schema: "matmul(Tensor self, Tensor other) -> Tensor",
    composite: matmul,
    aliases: ["linalg_matmul"],
    doc: "Python's `@`: dot, matrix-vector, matrix or batched product by the operands' dimensions.",
  })],
  tensordot: [op({
    schema: "tensordot(Tensor self, Tensor other, Any dims=2) -> Tensor",
    composite: (self: Tensor, other: Tensor, dims: number | readonly (readonly number[])[] | Tensor) => {
      const a = self.sizes.length, b = other.sizes.length;
      let left: number[], right: number[];
      if (typeof dims === "number") {
        if (dims < 0) throw new RuntimeError(`tensordot expects dims >= 0, but got dims=${dims}`);
        if (dims > Math.min(a, b)) {
          throw new RuntimeError(`tensordot expects dims < ndim_a or ndim_b, but got dims=${dims}`);
        }
        left = Array.from({ length: dims }, (_, i) => a - dims + i);
        right = Array.from({ length: dims }, (_, i) => i);
      } else {
        const pair = (Array.isArray(dims) ? dims : (dims as Tensor).tolist()) as number[][];
        [left, right] = pair.map((p, k) => [p].flat().map((d) => wrapDim(d, k === 0 ? a : b))) as [
          number[],
          number[],
        ];
      }
      left.forEach((d, i) => {
        if (self.sizes[d] !== other.sizes[right[i]!]) {
          throw new RuntimeError(
            `contracted dimensions need to match, but first has size ${
              self.sizes[d]
            } in dim ${d} and second has size ${other.sizes[right[i]!]} in dim ${right[i]}`,
          );
        }
      });
      const keepA = self.sizes.map((_, i) => i).filter((i) => !left.includes(i));
      const keepB = other.sizes.map((_, i) => i).filter((i) => !right.includes(i));
      const k = numelOf(left.map((d) => self.sizes[d]!));
      const x = self.permute([...keepA, ...left]).reshape([numelOf(keepA.map((d) => self.sizes[d]!)), k]);
      const y = other.permute([...right, ...keepB]).reshape([k, numelOf(keepB.map((d) => other.sizes[d]!))]);
      return x.mm(y).reshape([...keepA.map((d) => self.sizes[d]!), ...keepB.map((d) => other.sizes[d]!)]);
    },
    only: "function",
    doc: "Contraction over several dimensions.",
  })],
};

function scaled(t: Tensor, alpha: Scalar): Tensor {
  return alpha === 1 ? t : t.mul(alpha);
}

function combine(self: Tensor, beta: Scalar, product: Tensor, alpha: Scalar): Tensor {
  // Scalars do not promote here: the result has the product's dtype.
  const d = product.dtype === self.dtype ? self.dtype : product.dtype;
  const factor = (x: Scalar): Scalar => d.kind < Kind.float ? Math.trunc(toNumber(x)) : x;
  const p = scaled(product.to(d), factor(alpha));
  return isZero(beta) ? p : scaled(self, factor(beta)).add(p);
}
