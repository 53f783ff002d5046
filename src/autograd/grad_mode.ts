/**
 * Grad mode: whether operations are recorded.
 *
 * @module
 */
import { runGuarded } from "../base/guard.ts";

/** The current modes; read on every operation, hence a plain object. */
export const mode = { grad: true, inference: false };

/** A mode switch that is undone at the end of a `using` block or by `restore()`. */
export class ModeGuard {
  readonly #grad: boolean;
  readonly #inference: boolean;
  constructor(grad: boolean, inference: boolean) {
    this.#grad = mode.grad;
    this.#inference = mode.inference;
    mode.grad = grad;
    mode.inference = inference;
  }
  restore(): void {
    mode.grad = this.#grad;
    mode.inference = this.#inference;
  }
  [Symbol.dispose](): void {
    this.restore();
  }
}

// The mode holds until an async body is done; it is one switch for the whole program, as a thread's is in Python.
const runIn = <T>(grad: boolean, inference: boolean, body: () => T): T =>
  runGuarded(new ModeGuard(grad, inference), body);

/**
 * Runs `body` without recording operations; without an argument, a guard for `using _ = no_grad()`.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.no_grad.html
 */
export function no_grad(): ModeGuard;
export function no_grad<T>(body: () => T): T;
export function no_grad<T>(body?: () => T): T | ModeGuard {
  return body === undefined ? new ModeGuard(false, mode.inference) : runIn(false, mode.inference, body);
}

/** Runs `body` with recording switched on again inside `no_grad`. */
export function enable_grad(): ModeGuard;
export function enable_grad<T>(body: () => T): T;
export function enable_grad<T>(body?: () => T): T | ModeGuard {
  return body === undefined ? new ModeGuard(true, mode.inference) : runIn(true, mode.inference, body);
}

/** Runs `body` without recording, and its results can never be part of a graph. */
export function inference_mode(enabled?: boolean): ModeGuard;
export function inference_mode<T>(body: () => T): T;
export function inference_mode<T>(body?: boolean | (() => T)): T | ModeGuard {
  if (typeof body === "function") return runIn(false, true, body);
  const on = body ?? true;
  return new ModeGuard(!on && mode.grad, on);
}

/** Switches recording on or off; returns a guard that restores the former mode. */
export function set_grad_enabled(enabled: boolean): ModeGuard;
export function set_grad_enabled<T>(enabled: boolean, body: () => T): T;
export function set_grad_enabled<T>(enabled: boolean, body?: () => T): T | ModeGuard {
  return body === undefined ? new ModeGuard(enabled, mode.inference) : runIn(enabled, mode.inference, body);
}

/** Are operations recorded now? */
export function is_grad_enabled(): boolean {
  return mode.grad;
}

/** Is inference mode on? */
export function is_inference_mode_enabled(): boolean {
  return mode.inference;
}
