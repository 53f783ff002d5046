/**
 * Handles of registered hooks: `torch.utils.hooks`.
 *
 * @module
 */

/** What registering a hook returns; `remove()` unregisters it, and so does the end of a `using` block. */
export class RemovableHandle {
  static #next = 0;
  readonly id: number;
  readonly #hooks: WeakRef<Map<number, unknown>>;

  constructor(hooks: Map<number, unknown>) {
    this.id = RemovableHandle.#next++;
    this.#hooks = new WeakRef(hooks);
  }

  /** Adds `hook` to `hooks` and returns its handle. */
  static add<H>(hooks: Map<number, H>, hook: H): RemovableHandle {
    const handle = new RemovableHandle(hooks);
    hooks.set(handle.id, hook);
    return handle;
  }

  remove(): void {
    this.#hooks.deref()?.delete(this.id);
  }

  [Symbol.dispose](): void {
    this.remove();
  }
}
