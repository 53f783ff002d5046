/** What a `using` block or a call undoes at its end. */
export interface Restorable {
  restore(): void;
}

/** Runs `body`, then restores: at once, or when an asynchronous body is done. */
export function runGuarded<T>(guard: Restorable, body: () => T): T {
  let pending = false;
  try {
    const result = body();
    if (result instanceof Promise) {
      pending = true;
      return result.finally(() => guard.restore()) as T;
    }
    return result;
  } finally {
    if (!pending) guard.restore();
  }
}
