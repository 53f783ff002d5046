/**
 * The C core as an instance of its WebAssembly module. This file compiles nothing and reads no bytes, so it also
 * works where a runtime forbids both (Cloudflare Workers): give {@linkcode instantiateCore} a module imported from
 * `wasm/built/tstorch-relaxed.wasm`.
 */

import { isDeno } from "./env.ts";
import type { Variant } from "./probe.ts";
import { stackBytes, ThreadPool, threadSlots } from "./threads.ts";

const PAGE = 65536;

/**
 * The most pages asked for. One less than 4 GiB: an end address then fits 32 bits, and a Uint8Array over the whole
 * memory stays within the engine's length limit (2^32 - 1 in V8).
 */
const MAX_PAGES = 65535;

/** Sizes to fall back to where an engine or the system refuses to reserve that much address space. */
const MAX_PAGES_FALLBACKS = [MAX_PAGES, 32768, 16384, 8192, 4096];

const INITIAL_BYTES = 16 << 20;

/** As in core/rt.h. */
const CHECKED_MEMORY_OPTION = 0;

/** Builds by the number that tc_build() returns: bit 0 relaxed SIMD, bit 1 threads. */
const VARIANTS: readonly Variant[] = ["simd", "relaxed", "simd-mt", "relaxed-mt"];

/** A kernel takes the address of its argument struct; see core/include. An `int64_t` result is a bigint. */
export type CoreFunction = (...args: number[]) => number & bigint;

export interface CoreOptions {
  /** Most bytes the heap may grow to; default just under 4 GiB, or what the engine allows. */
  maxMemory?: number;
  /** Bytes for the program's own data and a first few tensors; default 16 MiB. */
  initialMemory?: number;
  /** Most threads to use; default: the environment's TSTORCH_NUM_THREADS, else the number of processor cores. */
  maxThreads?: number;
}

/** An instance of the core with its memory, its kernels and its threads. */
export class Core {
  readonly module: WebAssembly.Module;
  readonly variant: Variant;
  readonly memory: WebAssembly.Memory;
  /** Exported functions by name: `core.exports.tc_matmul(address)` returns a status. */
  readonly exports: Readonly<Record<string, CoreFunction>>;
  /** Where free memory starts; from here to `byteLength` is the caller's. A multiple of 64. */
  readonly heapBase: number;
  /** A 64-aligned area of `argBytes` for argument structs. */
  readonly argBase: number;
  readonly argBytes = 65536;
  /** Address of `int64_t tc_error_info[4]`. */
  readonly errorInfo: number;
  /** Most bytes the memory can grow to. */
  readonly maxByteLength: number;
  readonly threads: ThreadPool;

  /** Size of the memory. */
  byteLength = 0;
  /** Views of the whole memory. `grow` replaces them: do not keep one across a `grow`. */
  u8!: Uint8Array;
  i32!: Int32Array;
  u32!: Uint32Array;
  f32!: Float32Array;
  f64!: Float64Array;
  i64!: BigInt64Array;

  readonly #globals: Readonly<Record<string, WebAssembly.Global>>;
  readonly #stackTop: number;

  constructor(module: WebAssembly.Module, options: CoreOptions = {}) {
    this.module = module;
    const threaded = WebAssembly.Module.exports(module).some(({ name }) => name === "tc_pool_worker");
    const slots = threaded ? threadSlots(options.maxThreads) : 1;
    const [memory, maxPages] = createMemory(threaded, stackBytes(slots), options);
    this.memory = memory;
    this.maxByteLength = maxPages * PAGE;
    const tc_pool_throw = () => this.threads.throwFailure();
    const instance = new WebAssembly.Instance(module, { env: { memory, tc_pool_throw } });
    const functions: Record<string, CoreFunction> = {};
    const globals: Record<string, WebAssembly.Global> = {};
    for (const [name, value] of Object.entries(instance.exports)) {
      if (typeof value === "function") functions[name] = value as CoreFunction;
      else globals[name] = value as WebAssembly.Global;
    }
    this.exports = functions;
    this.#globals = globals;
    this.#stackTop = this.addressOf("__stack_pointer");
    this.argBase = this.addressOf("tc_arg_area");
    this.errorInfo = this.addressOf("tc_error_info");
    this.variant = VARIANTS[functions["tc_build"]?.() ?? 0] as Variant;
    functions["tc_set_option"]?.(CHECKED_MEMORY_OPTION, isDeno ? 1 : 0);
    const stacks = Math.ceil(this.addressOf("__heap_base") / 64) * 64;
    this.heapBase = stacks + stackBytes(slots);
    this.threads = new ThreadPool(
      this,
      slots,
      stacks,
      threaded ? null : "this build of the core has no threads",
    );
    this.refreshViews();
  }

  /** The address of a data symbol that the module exports. */
  addressOf(name: string): number {
    const global = this.#globals[name];
    if (global === undefined) throw new Error(`the core does not export ${name}`);
    return Number(global.value) >>> 0;
  }

  /**
   * Makes the memory at least `bytes` larger and replaces the views. False, with nothing changed, if the limit or
   * the system does not allow it.
   */
  grow(bytes: number): boolean {
    try {
      this.memory.grow(Math.ceil(bytes / PAGE));
    } catch {
      return false;
    }
    this.refreshViews();
    return true;
  }

  /**
   * Must be called when a kernel call threw (a trap, an error of a worker): a WebAssembly exception leaves the
   * module's stack pointer where it was, and workers may still be busy with the launch.
   */
  recover(): void {
    const stackPointer = this.#globals["__stack_pointer"];
    if (stackPointer !== undefined) stackPointer.value = this.#stackTop;
    this.exports["tc_pool_recover"]?.();
  }

  private refreshViews(): void {
    const buffer = this.memory.buffer;
    this.byteLength = buffer.byteLength;
    this.u8 = new Uint8Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.f32 = new Float32Array(buffer);
    this.f64 = new Float64Array(buffer);
    this.i64 = new BigInt64Array(buffer);
  }
}

function createMemory(
  shared: boolean,
  stacks: number,
  { maxMemory, initialMemory = INITIAL_BYTES }: CoreOptions,
): [WebAssembly.Memory, number] {
  const wanted = Math.min(MAX_PAGES, Math.floor((maxMemory ?? MAX_PAGES * PAGE) / PAGE));
  const initial = Math.ceil((initialMemory + stacks) / PAGE);
  if (wanted < initial) {
    throw new RangeError(`loadCore(): maxMemory must be at least ${initial * PAGE}, but got ${maxMemory}`);
  }
  let failure: unknown;
  for (
    const maximum of [
      wanted,
      ...MAX_PAGES_FALLBACKS.filter((pages) => pages < wanted && pages >= initial),
    ]
  ) {
    try {
      return [new WebAssembly.Memory({ initial, maximum, shared }), maximum];
    } catch (error) {
      failure = error; // no address space for that many
    }
  }
  throw new Error(
    "tstorch cannot reserve address space for its memory (on Linux, ulimit -v may be too low: Node takes 10 GiB)",
    { cause: failure },
  );
}

/** Instantiates a compiled core. Synchronous. */
export function instantiateCore(module: WebAssembly.Module, options: CoreOptions = {}): Core {
  return new Core(module, options);
}
