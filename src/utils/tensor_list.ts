/**
 * Kernels that take a whole list of tensors in one call: core/include/tc_optim.h.
 *
 * @module
 */
import type { Backend } from "../base/backend.ts";
import { float32, float64 } from "../base/dtype.ts";
import { internal } from "../base/scope.ts";
import { allocate, clock, type Storage } from "../base/storage.ts";
import { addressOf, begin, kernel } from "../dispatch/launch.ts";
import type { Tensor } from "../tensor.ts";
import { MULTI_OP, SLOT, STRUCTS } from "../_gen/kernels.ts";

const HIGH = 4294967296;

/** Rows of 8-byte words that say where the tensors of a list are. */
export class Table {
  readonly #slots: number;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;

  constructor(rows: number, slots: number) {
    clock.tick++; // from here on nothing that an address is taken of may be evicted
    this.#slots = slots;
    this.#bytes = new Uint8Array(rows * slots * 8);
    this.#words = new Int32Array(this.#bytes.buffer);
    this.#doubles = new Float64Array(this.#bytes.buffer);
  }

  integer(row: number, slot: number, value: number): void {
    const at = (row * this.#slots + slot) * 2;
    this.#words[at] = value;
    this.#words[at + 1] = Math.floor(value / HIGH);
  }
  real(row: number, slot: number, value: number): void {
    this.#doubles[row * this.#slots + slot] = value;
  }
  /** Where the tensor's first element is; 0 without a tensor. */
  address(row: number, slot: number, t: Tensor | null | undefined): void {
    this.integer(row, slot, t ? addressOf(t) : 0);
  }

  /** A copy on the backend. */
  upload(backend: Backend): Storage {
    const storage = allocate(backend, this.#bytes.length);
    backend.write(storage.resident(), this.#bytes);
    return storage;
  }
}

const MULTI = kernel("tc_multi");
const AT = SLOT.tc_multi_tensor;
const SLOTS = STRUCTS.tc_multi_tensor.slots;

/** Can `multi` work on these tensors: contiguous ones in one place, all float32 or all float64? */
export function isUniform(tensors: readonly Tensor[]): boolean {
  const first = tensors[0];
  return first !== undefined && (first.dtype === float32 || first.dtype === float64) &&
    first.storage.backend.hasData &&
    tensors.every((t) => t.packed && t.dtype === first.dtype && t.storage.backend === first.storage.backend);
}

/** Multiplies every tensor by `value`. */
export function scaleAll(tensors: readonly Tensor[], value: number): void {
  change(MULTI_OP.SCALE, tensors, value);
}

/** Clamps every tensor to [-bound, bound]. */
export function clampAll(tensors: readonly Tensor[], bound: number): void {
  change(MULTI_OP.CLAMP, tensors, bound);
}

/** Of every tensor the sum of absolute values, the sum of squares, or the largest absolute value. */
export function measureAll(what: "SUMABS" | "SUMSQ" | "MAXABS", tensors: readonly Tensor[]): Float64Array {
  return internal(() => {
    const backend = tensors[0]!.storage.backend;
    const out = allocate(backend, tensors.length * 8);
    launch(backend, MULTI_OP[what], tensors, 0, out);
    return new Float64Array(backend.read(out.resident(), tensors.length * 8).buffer);
  });
}

/** Multiplies every tensor by `value`; whether any element was inf or nan. Contiguous tensors of one floating dtype. */
export function unscaleAll(tensors: readonly Tensor[], value: number): boolean {
  const found = internal(() => {
    const backend = tensors[0]!.storage.backend, out = allocate(backend, 8);
    launch(backend, MULTI_OP.UNSCALE, tensors, value, out);
    return new Float64Array(backend.read(out.resident(), 8).buffer)[0]! !== 0;
  });
  for (const t of tensors) t.storage.version++;
  return found;
}

function change(op: number, tensors: readonly Tensor[], value: number): void {
  internal(() => launch(tensors[0]!.storage.backend, op, tensors, value, null));
  for (const t of tensors) t.storage.version++;
}

function launch(
  backend: Backend,
  op: number,
  tensors: readonly Tensor[],
  value: number,
  out: Storage | null,
): void {
  const table = new Table(tensors.length, SLOTS);
  tensors.forEach((t, i) => {
    table.address(i, AT.x, t);
    table.integer(i, AT.n, t.count);
    table.integer(i, AT.dtype, t.dtype.code);
  });
  const rows = table.upload(backend);
  const args = begin(MULTI, backend), at = SLOT.tc_multi_args;
  // The workspace is allocated after this: what the call reads must count as in use now.
  for (const t of tensors) t.storage.resident();
  args.at(at.op).i(op).i(tensors.length).i(rows.resident()).d(value).i(out === null ? 0 : out.resident());
  args.runWithScratch();
}
