/**
 * Random number generators: PyTorch's MT19937 and what it keeps with it, stream for stream.
 *
 * A state has two homes. Kernels draw from the one on the CPU heap (`tc_generator` in core/include/tc_random.h), which
 * holds the state of the generator that drew last; every other generator keeps its bytes in JavaScript. So no
 * generator owns memory that somebody would have to free, and one that is used all the time is never copied.
 *
 * @module
 */
import { SLOT, STRUCTS } from "../_gen/kernels.ts";
import type { Tensor } from "../tensor.ts";
import { type Backend, Kernel } from "./backend.ts";
import { CPU, Device } from "./device.ts";
import { internalError, RuntimeError } from "./errors.ts";

const SEED = new Kernel("tc_generator_seed");
const DRAW = new Kernel("tc_generator_u64");

const AT = SLOT.tc_generator;
const ARGS = SLOT.tc_generator_args;
const STATE_BYTES = STRUCTS.tc_generator.slots * 8;
const WORDS = STATE_BYTES / 4 - AT.state * 2;

/**
 * The layout of `get_state()` (ATen/CPUGeneratorImpl.cpp). Its last 8 bytes are a float32 normal that the CPU does not
 * use; states of old versions are without them.
 */
const LEGACY = {
  bytes: 5056,
  old: 5048,
  left: 8,
  seeded: 12,
  next: 16,
  state: 24,
  normalY: 5024,
  hasNormal: 5040,
} as const;

/** What a new `torch.Generator()` is seeded with (c10::detail default_rng_seed_val). */
const DEFAULT_SEED = 67280421310721n;
const U64 = 1n << 64n;

// The heap's slot: which backend, where, and whose state is in it now.
let host: Backend | null = null;
let address = 0;
let owner: Generator | null = null;

/** Tells on which heap kernels that draw run: the CPU's. */
export function hostGenerators(backend: Backend): void {
  host = backend;
}

function slotAddress(): number {
  if (host === null) throw internalError("no backend for random numbers");
  if (address === 0) {
    // 8 bytes more: where one draw is written to.
    let block = host.allocator.alloc(STATE_BYTES + 8);
    if (block < 0 && host.grow(STATE_BYTES + 8)) block = host.allocator.alloc(STATE_BYTES + 8);
    if (block < 0) throw internalError("no memory for a random number generator");
    address = host.allocator.address(block);
  }
  return address;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A seed as 64 unsigned bits: negative ones wrap, as in PyTorch. */
function seedBits(seed: number | bigint): bigint {
  if (typeof seed !== "bigint" && !Number.isInteger(seed)) {
    throw new RuntimeError(
      `manual_seed expected a long, but got ${typeof seed === "number" ? "float" : typeof seed}`,
    );
  }
  const wide = BigInt(seed);
  if (wide < -(1n << 63n) || wide >= U64) throw new RuntimeError("Overflow when unpacking long");
  return BigInt.asUintN(64, wide);
}

const asSeed = (bits: bigint): number | bigint =>
  bits <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(bits) : bits;

/** 53 bits that nobody can foresee (c10::detail::getNonDeterministicRandom). */
function unpredictableSeed(): bigint {
  const words = crypto.getRandomValues(new BigUint64Array(1));
  return words[0]! & ((1n << 53n) - 1n);
}

/**
 * A source of random numbers with a state of its own.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.Generator.html
 */
export class Generator {
  readonly device: Device;
  /** The state while it is not on the heap; null before the first use. */
  #bytes: Uint8Array | null = null;
  /** Seeds the state at its first use, so that importing the library draws nothing from the system. */
  #firstSeed: () => bigint = () => DEFAULT_SEED;

  /** A generator whose first seed comes from the system. */
  static unpredictable(): Generator {
    const g = new Generator();
    g.#firstSeed = unpredictableSeed;
    return g;
  }

  constructor(device: Device | string | { device: Device | string } = CPU) {
    const given = typeof device === "object" && "device" in device ? device.device : device;
    this.device = given instanceof Device ? given : new Device(given);
    if (this.device.type === "meta") {
      throw new RuntimeError("Device type META is not supported for torch.Generator() api.");
    }
  }

  /** The address of its state on the heap, where kernels draw from it. */
  resident(): number {
    const at = slotAddress();
    if (owner === this) return at;
    const bytes = this.#bytes;
    this.#moveIn();
    if (bytes === null) this.#seedWith(this.#firstSeed());
    else host!.write(at, bytes);
    return at;
  }

  /** Makes this the owner of the heap's slot; what the slot then holds is the caller's business. */
  #moveIn(): void {
    const at = slotAddress();
    if (owner !== null && owner !== this) owner.#bytes = host!.read(at, STATE_BYTES);
    owner = this;
    this.#bytes = null;
  }

  #read(): DataView {
    return view(host!.read(this.resident(), STATE_BYTES));
  }

  #seedWith(bits: bigint): void {
    const w = host!.argWords;
    w[ARGS.generator * 2] = address;
    w[ARGS.generator * 2 + 1] = 0;
    w[ARGS.seed * 2] = Number(bits & 0xffffffffn);
    w[ARGS.seed * 2 + 1] = Number(bits >> 32n);
    if (host!.call(SEED) !== 0) throw internalError("seeding failed");
  }

  /** Sets the seed and with it the whole state; returns the generator. */
  manual_seed(seed: number | bigint): this {
    const bits = seedBits(seed);
    this.#moveIn();
    this.#seedWith(bits);
    return this;
  }

  /** Seeds with a number from the system's source of randomness and returns it. */
  seed(): number | bigint {
    const bits = unpredictableSeed();
    this.manual_seed(bits);
    return asSeed(bits);
  }

  /** The seed that was set last. */
  initial_seed(): number | bigint {
    return asSeed(this.#read().getBigUint64(AT.seed * 8, true));
  }

  /** 64 random bits: what samplers and data loaders seed others with. */
  random64(): bigint {
    const at = this.resident();
    const w = host!.argWords;
    w[ARGS.generator * 2] = at;
    w[ARGS.generator * 2 + 1] = 0;
    w[ARGS.out * 2] = at + STATE_BYTES;
    w[ARGS.out * 2 + 1] = 0;
    if (host!.call(DRAW) !== 0) throw internalError("drawing failed");
    return view(host!.read(at + STATE_BYTES, 8)).getBigUint64(0, true);
  }

  /** The state in PyTorch's layout. */
  stateBytes(): Uint8Array<ArrayBuffer> {
    const from = this.#read();
    const bytes = new Uint8Array(LEGACY.bytes);
    const to = view(bytes);
    to.setBigUint64(0, from.getBigUint64(AT.seed * 8, true), true);
    to.setInt32(LEGACY.left, Number(from.getBigInt64(AT.left * 8, true)), true);
    to.setInt32(LEGACY.seeded, 1, true);
    to.setBigUint64(LEGACY.next, from.getBigUint64(AT.next * 8, true), true);
    for (let i = 0; i < WORDS; i++) {
      to.setBigUint64(LEGACY.state + i * 8, BigInt(from.getUint32(AT.state * 8 + i * 4, true)), true);
    }
    const cached = from.getBigInt64(AT.has_normal * 8, true) !== 0n;
    to.setFloat64(LEGACY.normalY, cached ? from.getFloat64(AT.normal * 8, true) : 0, true);
    to.setInt32(LEGACY.hasNormal, cached ? 1 : 0, true);
    return bytes;
  }

  /** Takes over a state in PyTorch's layout. */
  setStateBytes(bytes: Uint8Array): void {
    if (bytes.byteLength !== LEGACY.bytes && bytes.byteLength !== LEGACY.old) {
      throw new RuntimeError(
        `Expected either a CPUGeneratorImplStateLegacy of size ${LEGACY.old} or a CPUGeneratorImplState of size ${LEGACY.bytes} but found the input RNG state size to be ${bytes.byteLength}`,
      );
    }
    const from = view(bytes);
    const left = from.getInt32(LEGACY.left, true), next = Number(from.getBigUint64(LEGACY.next, true));
    // The engine stands either at a word of its block or right after seeding.
    const valid = from.getInt32(LEGACY.seeded, true) === 1 && left > 0 && left <= WORDS && next <= WORDS &&
      (left + next === WORDS + 1 || (left === 1 && next === 0));
    if (!valid) throw new RuntimeError("Invalid mt19937 state");
    const state = new Uint8Array(STATE_BYTES);
    const to = view(state);
    to.setBigUint64(AT.seed * 8, from.getBigUint64(0, true), true);
    to.setBigInt64(AT.left * 8, BigInt(left), true);
    to.setBigInt64(AT.next * 8, BigInt(next), true);
    for (let i = 0; i < WORDS; i++) {
      to.setUint32(
        AT.state * 8 + i * 4,
        Number(from.getBigUint64(LEGACY.state + i * 8, true) & 0xffffffffn),
        true,
      );
    }
    const cached = from.getInt32(LEGACY.hasNormal, true) !== 0;
    to.setBigInt64(AT.has_normal * 8, cached ? 1n : 0n, true);
    to.setFloat64(AT.normal * 8, cached ? from.getFloat64(LEGACY.normalY, true) : 0, true);
    if (owner === this) host!.write(address, state);
    else this.#bytes = state;
  }

  /** The state as a uint8 tensor, as PyTorch writes it. */
  get_state(): Tensor {
    return toTensor(this.stateBytes());
  }

  /** Takes over what `get_state()` gave, here or in PyTorch; returns the generator. */
  set_state(state: Tensor): this {
    this.setStateBytes(toBytes(state));
    return this;
  }

  toString(): string {
    return `<torch.Generator device='${this.device}'>`;
  }
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }
}

// Tensors stand above this file: src/random.ts says how bytes become one.
let toTensor: (bytes: Uint8Array<ArrayBuffer>) => Tensor;
let toBytes: (state: Tensor) => Uint8Array;

/** Lets the tensor layer provide `get_state` and `set_state`. */
export function installStateTensors(make: typeof toTensor, read: typeof toBytes): void {
  toTensor = make;
  toBytes = read;
}

/** The generator of everybody who names none. */
export const default_generator: Generator = Generator.unpredictable();
