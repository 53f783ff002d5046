/**
 * Launching random kernels: which generator, in which order a tensor's elements are drawn, and what PyTorch says about
 * impossible parameters.
 *
 * @module
 */
import { cpuBackend } from "../backend/wasm.ts";
import {
  bfloat16,
  bool,
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
import { RuntimeError } from "../base/errors.ts";
import { default_generator, type Generator } from "../base/generator.ts";
import { isNonOverlappingAndDense, memoryOrder } from "../base/size.ts";
import { checkInternalOverlap, emptyTensor, runCopy } from "../dispatch/iterator.ts";
import { begin, kernel } from "../dispatch/launch.ts";
import { alias, type Tensor } from "../tensor.ts";
import { copyInto } from "./copy.ts";
import { realParts } from "./updating.ts";

const RANDOM = kernel("tc_random");

/** The C++ names by which PyTorch's messages call dtypes. */
const CXX_NAMES: ReadonlyMap<DType, string> = new Map([
  [bool, "bool"],
  [uint8, "unsigned char"],
  [int8, "signed char"],
  [int16, "short"],
  [int32, "int"],
  [int64, "long"],
  [float16, "c10::Half"],
  [bfloat16, "c10::BFloat16"],
  [float32, "float"],
  [float64, "double"],
]);

/** PyTorch's C++ name of a dtype. */
export function cxxName(dtype: DType): string {
  return CXX_NAMES.get(dtype) ?? dtype.name;
}

/** A number as a C++ stream writes it: 6 significant digits. */
export function streamed(x: number): string {
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x > 0 ? "inf" : "-inf";
  const [mantissa, power] = x.toExponential(5).split("e") as [string, string];
  const e = Number(power);
  const strip = (s: string): string => s.includes(".") ? s.replace(/\.?0+$/, "") : s;
  if (e >= -4 && e < 6) return strip(x.toFixed(5 - e));
  return `${strip(mantissa)}e${e < 0 ? "-" : "+"}${String(Math.abs(e)).padStart(2, "0")}`;
}

/** The address of the state that a kernel filling tensors of `like`'s device draws from. */
export function stateOf(generator: Generator | null, like: Tensor): number {
  if (generator === null) return default_generator.resident();
  if (generator.device.type !== like.device.type) {
    throw new RuntimeError(
      `Expected a '${like.device.type}' device type for generator but found '${generator.device.type}'`,
    );
  }
  return generator.resident();
}

/**
 * `x` with its dimensions in the order in which those of `t` (of the same shape) lie in memory, outermost first: the
 * order in which in-place fills draw. (PyTorch has it from TensorIterator's reorder_dimensions.)
 */
export function inMemoryOrderOf(t: Tensor, x: Tensor): Tensor {
  if (t.packed) return x;
  const order = memoryOrder(t.sizes, t.strides).reverse();
  return alias(x, order.map((i) => x.sizes[i]!), order.map((i) => x.strides[i]!), x.offset);
}

/**
 * Fills `t` with draws made on the CPU. `draw` writes a flat CPU tensor, given in memory order; `contiguous` tells it
 * whether the whole tensor is in logical order.
 */
export function fillInPlace(t: Tensor, draw: (flat: Tensor, contiguous: boolean) => void): void {
  if (!t.packed) checkInternalOverlap(t);
  const backend = t.storage.backend;
  if (t.count === 0 || !backend.hasData) return;
  if (t.dtype.kind === Kind.complex) {
    fillInPlace(realParts(t), draw);
    return;
  }
  const flatten = (x: Tensor): Tensor => alias(x, [x.count], [1], x.offset);
  if (backend === cpuBackend && isNonOverlappingAndDense(t.sizes, t.strides)) {
    draw(flatten(t), t.packed);
    return;
  }
  refuseRecording(t);
  const ordered = inMemoryOrderOf(t, t);
  const drawn = emptyTensor(ordered.sizes, t.dtype, cpuBackend);
  draw(flatten(drawn), t.packed);
  if (backend === cpuBackend) runCopy(ordered, drawn);
  else copyInto(ordered, drawn);
}

/** What a fill draws: `tc_random_args`. */
export interface Draw {
  op: number;
  a?: number;
  b?: number;
  lo?: bigint;
  range?: bigint;
}

/** Fills `t` from one distribution. */
export function fillRandom(t: Tensor, generator: Generator | null, d: Draw): void {
  fillInPlace(t, (flat, contiguous) => {
    const state = stateOf(generator, t);
    const k = begin(RANDOM, cpuBackend).i(d.op).i(state).i(flat.dtype.code).p(flat).i(flat.count);
    k.d(d.a ?? 0).d(d.b ?? 0).big(d.lo ?? 0).big(d.range ?? 0).b(contiguous).run();
  });
}

/** A contiguous tensor on the CPU with the values of `t` in logical order: what element-by-element kernels read. */
export function onCpu(t: Tensor): Tensor {
  if (t.storage.backend === cpuBackend && t.packed) return t;
  const out = emptyTensor(t.sizes, t.dtype, cpuBackend);
  copyInto(out, t);
  return out;
}

/** A graph would hold the numbers of its recording for ever. */
function refuseRecording(t: Tensor): void {
  if (t.storage.backend.allocator.holding !== null) {
    throw new RuntimeError("random numbers are drawn on the host and cannot be part of a CUDA graph");
  }
}

/** The result `drawn` on the device of `like`. */
export function onDeviceOf(like: Tensor, drawn: Tensor): Tensor {
  if (like.storage.backend === cpuBackend) return drawn;
  refuseRecording(like);
  const out = emptyTensor(drawn.sizes, drawn.dtype, like.storage.backend);
  copyInto(out, drawn);
  return out;
}
