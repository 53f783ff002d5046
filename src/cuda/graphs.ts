/**
 * CUDA graphs: a sequence of kernels is recorded once and then launched as one.
 *
 * @see https://pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
 * @module
 */
import { type CudaBackend, translated } from "../backend/cuda.ts";
import type { Hold } from "../base/allocator.ts";
import { RuntimeError } from "../base/errors.ts";
import { backendFor, type CudaDevice } from "./devices.ts";

/**
 * A recorded sequence of kernels. `replay()` runs it on the memory that it was recorded on: fill the inputs in place
 * before, read the results in place after.
 *
 * Numbers that the host computes are part of the record: learning rates, Adam's step number, random numbers (which are
 * refused, as they would be the same ones each time). Nothing in the recorded part may wait for the device, so no
 * `item()`, no printing.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.cuda.CUDAGraph.html
 */
export class CUDAGraph {
  #backend: CudaBackend | null = null;
  #graph = 0;
  #hold: Hold | null = null;

  /** Begins to record what goes to the device. */
  capture_begin(device?: CudaDevice): void {
    if (this.#graph !== 0 || this.#hold !== null) {
      throw new RuntimeError(
        "This CUDAGraph instance already owns a captured graph. To capture a new graph, create a new instance.",
      );
    }
    const backend = this.#backend = backendFor(device);
    if (backend.allocator.holding !== null) {
      throw new RuntimeError("another graph is being captured on this device");
    }
    backend.synchronize();
    translated(() => backend.runtime.graphBegin());
    this.#hold = backend.allocator.hold();
  }

  /** Ends the recording. */
  capture_end(): void {
    const backend = this.#backend;
    if (backend === null || this.#hold === null || backend.allocator.holding !== this.#hold) {
      throw new RuntimeError("capture_end() without capture_begin()");
    }
    backend.allocator.holding = null;
    try {
      this.#graph = translated(() => backend.runtime.graphEnd());
    } catch (error) {
      this.reset();
      throw error;
    }
  }

  /** Runs what was recorded. */
  replay(): void {
    const backend = this.#backend, graph = this.#graph;
    if (backend === null || graph === 0) {
      throw new RuntimeError("Called CUDAGraph::replay without a preceding successful capture.");
    }
    translated(() => backend.runtime.graphLaunch(graph));
  }

  /** Forgets the record and gives its memory back. */
  reset(): void {
    const backend = this.#backend;
    if (backend === null) return;
    if (this.#graph !== 0) translated(() => backend.runtime.graphDestroy(this.#graph));
    if (this.#hold !== null) backend.allocator.letGo(this.#hold);
    this.#graph = 0;
    this.#hold = null;
  }
  [Symbol.dispose](): void {
    this.reset();
  }
}

/**
 * Records what `body` does on the device, which is not done yet: call `replay()`.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.cuda.graph.html
 */
export function graph<T>(cuda_graph: CUDAGraph, body: () => T): T {
  cuda_graph.capture_begin();
  let result: T;
  try {
    result = body();
  } catch (error) {
    try {
      cuda_graph.capture_end();
    } catch { /* the record was spoilt by what `error` says */ }
    throw error;
  }
  cuda_graph.capture_end();
  return result;
}

/** Is a graph being recorded on the current device? */
export function is_current_stream_capturing(): boolean {
  return backendFor(null).allocator.holding !== null;
}
