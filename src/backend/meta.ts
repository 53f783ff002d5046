/**
 * The meta backend: shapes and dtypes without bytes. Kernels do nothing.
 *
 * @module
 */
import { Allocator } from "../base/allocator.ts";
import type { Backend } from "../base/backend.ts";
import { META } from "../base/device.ts";
import { NotImplementedError } from "../base/errors.ts";

class MetaAllocator extends Allocator {
  override alloc(): number {
    return 0;
  }
  override free(): void {}
  override address(): number {
    return 64;
  }
}

class MetaBackend implements Backend {
  readonly device = META;
  readonly hasData = false;
  readonly allocator = new MetaAllocator();
  readonly argWords = new Int32Array(16384);
  readonly argDoubles = new Float64Array(this.argWords.buffer);
  grow(): boolean {
    return true;
  }
  read(): Uint8Array<ArrayBuffer> {
    throw new NotImplementedError("Cannot copy out of meta tensor; no data!");
  }
  write(): void {}
  call(): number {
    return 0;
  }
  scratchBytes(): number {
    return 0;
  }
  errorInfo(): { info: number[]; text: string } {
    return { info: [0, 0, 0, 0], text: "" };
  }
  expectWork(): void {}
  synchronize(): void {}
}

export const metaBackend: Backend = new MetaBackend();
