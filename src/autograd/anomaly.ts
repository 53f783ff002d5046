/**
 * Anomaly detection: records forward calls and checks gradients for NaN.
 *
 * @see https://pytorch.org/docs/stable/autograd.html#anomaly-detection
 * @module
 */

/** The mode, read by the graph and the engine. */
export const anomaly = { enabled: false, checkNan: true };

/** Restores the former mode. */
export class AnomalyGuard {
  readonly #enabled = anomaly.enabled;
  readonly #checkNan = anomaly.checkNan;
  restore(): void {
    anomaly.enabled = this.#enabled;
    anomaly.checkNan = this.#checkNan;
  }
  [Symbol.dispose](): void {
    this.restore();
  }
}

/** Switches anomaly detection; returns a guard for `using`, or runs `body` with it. */
export function set_detect_anomaly(enabled: boolean, check_nan = true): AnomalyGuard {
  const guard = new AnomalyGuard();
  anomaly.enabled = enabled;
  anomaly.checkNan = check_nan;
  return guard;
}

/** Runs `body` with anomaly detection on. */
export function detect_anomaly<T>(body: () => T): T;
export function detect_anomaly(check_nan?: boolean): AnomalyGuard;
export function detect_anomaly<T>(x?: boolean | (() => T)): T | AnomalyGuard {
  if (typeof x !== "function") return set_detect_anomaly(true, x ?? true);
  const guard = set_detect_anomaly(true);
  try {
    return x();
  } finally {
    guard.restore();
  }
}
