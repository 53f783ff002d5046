/**
 * Filling tensors with random numbers in place: `uniform_`, `normal_`, ...
 *
 * @module
 */
import { RANDOM_OP } from "../_gen/kernels.ts";
import { cpuBackend } from "../backend/wasm.ts";
import { type DType, float32, float64, Kind } from "../base/dtype.ts";
import { RuntimeError } from "../base/errors.ts";
import type { Generator } from "../base/generator.ts";
import { sameSizes } from "../base/size.ts";
import { begin, kernel } from "../dispatch/launch.ts";
import { type Ctx, op, type Row, type RowSpec, type Table } from "../dispatch/op.ts";
import type { Tensor } from "../tensor.ts";
import { largestFinite } from "./arithmetic.ts";
import { bounds, type Integer } from "./random_bounds.ts";
import {
  cxxName,
  fillInPlace,
  fillRandom,
  inMemoryOrderOf,
  onCpu,
  stateOf,
  streamed,
} from "./random_fill.ts";
import { refuse } from "./refuse.ts";

const BERNOULLI_EACH = kernel("tc_bernoulli_each");

type Gen = Generator | null;

export function needFloat(dtype: DType, kernelName: string): void {
  if (dtype.kind < Kind.float) {
    throw new RuntimeError(`"${kernelName}" not implemented for '${dtype.scalarName}'`);
  }
}

export function refuseComplex(dtype: DType, kernelName: string): void {
  if (dtype.kind === Kind.complex) refuse(kernelName, dtype);
}

/** A value that the kernel refused, in PyTorch's words. */
export function refused(run: () => void, text: (which: number) => string): void {
  try {
    run();
  } catch (e) {
    const info = (e as { info?: number[] }).info;
    if (e instanceof RuntimeError && info !== undefined) throw new RuntimeError(text(info[0]!));
    throw e;
  }
}

export function uniform_(self: Tensor, from: number, to: number, generator: Gen): void {
  const { dtype } = self;
  needFloat(dtype, "check_uniform_bounds");
  if (dtype.kind === Kind.float) {
    const largest = largestFinite(dtype);
    for (const [x, name] of [[from, "from"], [to, "to"]] as const) {
      if (!(x >= -largest && x <= largest)) {
        throw new RuntimeError(`${name} is out of bounds for ${cxxName(dtype)}`);
      }
    }
    if (from > to) {
      throw new RuntimeError(
        `uniform_ expects to return a [from, to) range, but found from=${streamed(from)} > to=${
          streamed(to)
        }`,
      );
    }
    if (to - from > largest) {
      throw new RuntimeError(
        `uniform_ expects to-from <= std::numeric_limits<${dtype.scalarName}>::max(), but found to=${
          streamed(to)
        } and from=${streamed(from)} which result in to-from to exceed the limit`,
      );
    }
  }
  fillRandom(self, generator, { op: RANDOM_OP.UNIFORM, a: from, b: to });
}

export function normal_(self: Tensor, mean: number, std: number, generator: Gen): void {
  if (!(std >= 0)) throw new RuntimeError(`normal expects std >= 0.0, but found std ${streamed(std)}`);
  needFloat(self.dtype, "normal_kernel_cpu");
  // The variance of a complex number is shared by its two parts.
  const b = self.dtype.kind === Kind.complex ? std * Math.SQRT1_2 : std;
  fillRandom(self, generator, { op: RANDOM_OP.NORMAL, a: mean, b });
}

export function bernoulliNumber(self: Tensor, p: number, generator: Gen): void {
  if (!(p >= 0 && p <= 1)) {
    throw new RuntimeError(`bernoulli_ expects p to be in [0, 1], but got p=${streamed(p)}`);
  }
  refuseComplex(self.dtype, "bernoulli_scalar_cpu_");
  fillRandom(self, generator, { op: RANDOM_OP.BERNOULLI, a: p });
}

/** Draws 0 or 1 into `self` by the probabilities in `p`, broadcast to its shape. */
export function bernoulliEach(self: Tensor, p: Tensor, generator: Gen): void {
  refuseComplex(self.dtype, "bernoulli_tensor_cpu_self_");
  needFloat(p.dtype, "bernoulli_tensor_cpu_p_");
  refuseComplex(p.dtype, "bernoulli_tensor_cpu_p_");
  if (!self.storage.backend.hasData) return;
  const wide = sameSizes(self.sizes, p.sizes) ? p : p.detach().expand(self.sizes);
  let ordered = onCpu(inMemoryOrderOf(self, wide));
  // float16 and bfloat16 draw as float32 does.
  if (ordered.dtype !== float64 && ordered.dtype !== float32) ordered = ordered.to(float32);
  refused(
    () =>
      fillInPlace(self, (flat) => {
        const state = stateOf(generator, self);
        begin(BERNOULLI_EACH, cpuBackend).i(state).i(flat.dtype.code).i(ordered.dtype.code).p(flat).p(ordered)
          .i(0)
          .i(flat.count).run();
      }),
    () =>
      "Expected p_in >= 0 && p_in <= 1 to be true, but got false.  (Could this error message be improved?  If so, please report an enhancement request to PyTorch.)",
  );
}

export function random_(self: Tensor, from: Integer, to: Integer | null, generator: Gen): void {
  refuseComplex(self.dtype, "random_kernel_cpu");
  fillRandom(self, generator, { op: RANDOM_OP.RANDINT, ...bounds(self.dtype, from, to) });
}

/** A fill with one parameter check; `name` is PyTorch's for the kernel. */
const fill = (
  schema: string,
  name: string,
  draw: (a: number, b: number) => { op: number; a: number; b?: number },
  check: (a: number, b: number) => string | null,
  doc: string,
  allowed: (d: DType) => boolean = (d) => d.kind === Kind.float,
): Row =>
  op(inPlace({
    schema,
    impl: (self: Tensor, a: number, ...rest: unknown[]) => {
      const b = rest.length > 1 ? rest[0] as number : 0;
      const wrong = check(a, b);
      if (wrong !== null) throw new RuntimeError(wrong);
      if (!allowed(self.dtype)) refuse(name, self.dtype);
      fillRandom(self, rest.at(-1) as Gen, draw(a, b));
    },
    doc,
  }));

/** The gradient of what has no influence. */
export const zeros = (c: Ctx): Tensor => c.grad.new_zeros(c.grad.sizes);

/** A row that overwrites `self`: the old value has no influence, its gradient is zero. */
function inPlace(spec: RowSpec): RowSpec {
  return { mutates: true, only: "method", derivative: { self: zeros }, ...spec };
}

export const fills: Table = {
  uniform_: [op(inPlace({
    schema: "uniform_(Tensor self, float from=0, float to=1, *, Generator? generator=None) -> Tensor",
    impl: uniform_,
    doc: "Fills with numbers from the uniform distribution on [from, to).",
  }))],
  normal_: [op(inPlace({
    schema: "normal_(Tensor self, float mean=0, float std=1, *, Generator? generator=None) -> Tensor",
    impl: normal_,
    doc: "Fills with numbers from a normal distribution.",
  }))],
  log_normal_: [fill(
    "log_normal_(Tensor self, float mean=1, float std=2, *, Generator? generator=None) -> Tensor",
    "log_normal_cpu",
    (a, b) => ({ op: RANDOM_OP.LOG_NORMAL, a, b }),
    (_, std) => std > 0 ? null : `log_normal_ expects std > 0.0, but found std=${streamed(std)}`,
    "Fills with numbers whose logarithm is normally distributed.",
  )],
  exponential_: [fill(
    "exponential_(Tensor self, float lambd=1, *, Generator? generator=None) -> Tensor",
    "exponential_cpu",
    (a) => ({ op: RANDOM_OP.EXPONENTIAL, a }),
    (lambd) => lambd >= 0 ? null : `exponential_ expects lambda >= 0.0, but found lambda=${streamed(lambd)}`,
    "Fills with numbers from an exponential distribution.",
  )],
  geometric_: [fill(
    "geometric_(Tensor self, float p, *, Generator? generator=None) -> Tensor",
    "geometric_cpu",
    (a) => ({ op: RANDOM_OP.GEOMETRIC, a }),
    (p) => p > 0 && p < 1 ? null : `geometric_ expects p to be in (0, 1), but got p=${streamed(p)}`,
    "Fills with numbers from a geometric distribution.",
    (d) => d.kind !== Kind.complex && d.kind !== Kind.bool,
  )],
  cauchy_: [fill(
    "cauchy_(Tensor self, float median=0, float sigma=1, *, Generator? generator=None) -> Tensor",
    "cauchy_cpu",
    (a, b) => ({ op: RANDOM_OP.CAUCHY, a, b }),
    () => null,
    "Fills with numbers from a Cauchy distribution.",
  )],
  bernoulli_: [
    op(inPlace({
      schema: "bernoulli_.Tensor(Tensor self, Tensor p, *, Generator? generator=None) -> Tensor",
      impl: bernoulliEach,
      node: "BernoulliBackward1",
      derivative: { self: zeros, p: (c) => c.grad.new_zeros(c.sizesOf("p")) },
      doc: "Fills with 1 at the probabilities in `p`, else 0.",
    })),
    op(inPlace({
      schema: "bernoulli_(Tensor self, float p=0.5, *, Generator? generator=None) -> Tensor",
      impl: bernoulliNumber,
      node: "BernoulliBackward2",
      doc: "Fills with 1 at probability `p`, else 0.",
    })),
  ],
  random_: [
    op(inPlace({
      schema: "random_.from(Tensor self, int from, int? to, *, Generator? generator=None) -> Tensor",
      impl: random_,
      doc: "Fills with integers from `from` up to, not including, `to`.",
    })),
    op(inPlace({
      schema: "random_.to(Tensor self, int to, *, Generator? generator=None) -> Tensor",
      impl: (self: Tensor, to: Integer, generator: Gen) => random_(self, 0, to, generator),
      node: "RandomBackward1",
      doc: "Fills with integers from 0 up to, not including, `to`.",
    })),
    op(inPlace({
      schema: "random_(Tensor self, *, Generator? generator=None) -> Tensor",
      impl: (self: Tensor, generator: Gen) => {
        refuseComplex(self.dtype, "random_kernel_cpu");
        fillRandom(self, generator, { op: RANDOM_OP.RANDOM });
      },
      node: "RandomBackward2",
      doc: "Fills with integers from the whole range of the dtype.",
    })),
  ],
};
