/**
 * Events: marks in the work of a device, to wait for or to measure time between.
 *
 * @module
 */
import { type CudaBackend, translated } from "../backend/cuda.ts";
import { RuntimeError } from "../base/errors.ts";
import { backendFor } from "./devices.ts";

/** Options of an event. */
export interface EventOptions {
  /** Whether time between two events can be measured. */
  enable_timing?: boolean;
}

const registry = new FinalizationRegistry<() => void>((destroy) => destroy());

/**
 * A mark in the work of a device: done when everything started before it is done.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.cuda.Event.html
 */
export class Event {
  readonly #timing: boolean;
  #backend: CudaBackend | null = null;
  #handle = 0;

  constructor(options: EventOptions = {}) {
    this.#timing = options.enable_timing ?? false;
  }

  /** Puts the mark after all that was started on the current device. */
  record(): void {
    const backend = this.#backend ??= backendFor(null);
    const runtime = backend.runtime;
    translated(() => {
      if (this.#handle === 0) {
        const handle = this.#handle = runtime.eventCreate(this.#timing);
        registry.register(this, () => backend.runtime.eventDestroy(handle));
      }
      runtime.eventRecord(this.#handle, 0);
    });
  }

  /** Whether everything before the mark is done. True for an event that was not recorded. */
  query(): boolean {
    const backend = this.#backend;
    return backend === null || translated(() => backend.runtime.eventQuery(this.#handle));
  }

  /** Waits until everything before the mark is done. */
  synchronize(): void {
    const backend = this.#backend;
    if (backend !== null) translated(() => backend.runtime.eventSynchronize(this.#handle));
  }

  /** Milliseconds from this mark to a later one. */
  elapsed_time(end_event: Event): number {
    const backend = this.#backend;
    if (backend === null || end_event.#backend === null) {
      throw new RuntimeError("Both events must be recorded before calculating elapsed time.");
    }
    if (!this.#timing || !end_event.#timing) {
      throw new RuntimeError("Both events must be created with argument 'enable_timing=True'.");
    }
    return translated(() => backend.runtime.eventElapsed(this.#handle, end_event.#handle));
  }
}
