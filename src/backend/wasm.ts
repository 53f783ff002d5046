/**
 * The CPU backend: the C core as a WebAssembly module and its heap.
 *
 * @module
 */
import { Allocator } from "../base/allocator.ts";
import type { Backend, Kernel } from "../base/backend.ts";
import { CPU } from "../base/device.ts";
import { internalError, RuntimeError } from "../base/errors.ts";
import type { Core } from "../../wasm/core.ts";

/** The heap grows by at least this much, and by at least an eighth. */
const GROWTH = 8 * 1024 * 1024;

class WasmBackend implements Backend {
  readonly device = CPU;
  readonly hasData = true;
  readonly allocator = new Allocator();
  argWords: Int32Array = new Int32Array(0);
  argDoubles: Float64Array = new Float64Array(0);
  core: Core | null = null;
  #argBase = 0;

  /** Takes the heap of a loaded core. */
  install(core: Core): void {
    if (this.core !== null) throw internalError("the wasm core was installed twice");
    this.core = core;
    this.#argBase = core.argBase;
    this.allocator.extend(core.heapBase, core.byteLength - core.heapBase);
    this.#refresh();
  }

  #refresh(): void {
    const core = this.core!;
    const buffer = core.memory.buffer;
    this.argWords = new Int32Array(buffer, core.argBase, core.argBytes / 4);
    this.argDoubles = new Float64Array(buffer, core.argBase, core.argBytes / 8);
  }

  /** The core; nothing can be computed without. */
  get #loaded(): Core {
    if (this.core !== null) return this.core;
    throw new RuntimeError(
      "tstorch has not been started: call init(module) of tstorch/edge before anything else",
    );
  }

  get maxBytes(): number | undefined {
    return this.core === null ? undefined : this.core.maxByteLength - this.core.heapBase;
  }

  grow(bytes: number): boolean {
    const core = this.#loaded;
    const before = core.byteLength;
    const needed = bytes + 65536;
    for (const want of [Math.max(needed, GROWTH, Math.floor(before / 8)), needed]) { // sizes may pass 2^31: no shifts
      if (core.grow(want)) {
        this.allocator.extend(before, core.byteLength - before);
        this.#refresh();
        return true;
      }
    }
    return false;
  }

  read(address: number, bytes: number): Uint8Array<ArrayBuffer> {
    const u8 = this.core!.u8;
    const out = new Uint8Array(bytes);
    if (bytes <= 64) { for (let i = 0; i < bytes; i++) out[i] = u8[address + i]!; }
    else out.set(u8.subarray(address, address + bytes));
    return out;
  }
  write(address: number, bytes: Uint8Array): void {
    this.core!.u8.set(bytes, address);
  }

  call(kernel: Kernel): number {
    const f = kernel.wasm ?? this.#resolve(kernel);
    try {
      return f(this.#argBase);
    } catch (e) {
      this.core!.recover();
      throw e instanceof WebAssembly.RuntimeError ? internalError(`${kernel.name} trapped: ${e.message}`) : e;
    }
  }

  #resolve(kernel: Kernel): (args: number) => number {
    const f = this.#loaded.exports[kernel.name];
    if (f === undefined) throw internalError(`the wasm core has no kernel ${kernel.name}`);
    return kernel.wasm = f as unknown as (args: number) => number;
  }

  scratchBytes(kernel: Kernel): number {
    const f = this.core!.exports[`${kernel.name}_scratch`];
    if (f === undefined) throw internalError(`the wasm core has no ${kernel.name}_scratch`);
    return Number(f(this.#argBase));
  }

  errorInfo(): { info: number[]; text: string } {
    const core = this.core!;
    const at = core.errorInfo >> 3;
    return { info: [0, 1, 2, 3].map((i) => Number(core.i64[at + i])), text: "" };
  }

  expectWork(): void {
    // Every time: workers check in while the program runs, and only a request takes them into use.
    this.core!.threads.request();
  }

  synchronize(): void {}
}

/** The one CPU backend of the process. */
export const cpuBackend: WasmBackend = new WasmBackend();
