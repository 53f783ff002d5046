/**
 * Settings that PyTorch programs make and that change nothing here: every kernel is deterministic, and float32 is
 * always computed as float32. They are kept, so that what was set is what is read.
 *
 * @module
 */
import { RuntimeError } from "./base/errors.ts";

let deterministic = false, warnOnly = false, warnAlways = false;
let precision: MatmulPrecision = "highest";

/** @see https://pytorch.org/docs/stable/generated/torch.use_deterministic_algorithms.html */
export function use_deterministic_algorithms(mode: boolean, options: { warn_only?: boolean } = {}): void {
  deterministic = mode;
  warnOnly = options.warn_only ?? false;
}
export function are_deterministic_algorithms_enabled(): boolean {
  return deterministic;
}
export function is_deterministic_algorithms_warn_only_enabled(): boolean {
  return warnOnly;
}

const MODES = ["default", "warn", "error"];
/** @see https://pytorch.org/docs/stable/generated/torch.set_deterministic_debug_mode.html */
export function set_deterministic_debug_mode(debug_mode: number | "default" | "warn" | "error"): void {
  const mode = typeof debug_mode === "number" ? debug_mode : MODES.indexOf(debug_mode);
  if (!(mode in MODES)) {
    throw new RuntimeError(
      typeof debug_mode === "number"
        ? `invalid value of debug_mode, expected 0, 1, or 2, but got ${debug_mode}`
        : `invalid value of debug_mode, expected one of \`default\`, \`warn\`, \`error\`, but got ${debug_mode}`,
    );
  }
  use_deterministic_algorithms(mode > 0, { warn_only: mode === 1 });
}
export function get_deterministic_debug_mode(): number {
  return !deterministic ? 0 : warnOnly ? 1 : 2;
}

type MatmulPrecision = "highest" | "high" | "medium";
/** @see https://pytorch.org/docs/stable/generated/torch.set_float32_matmul_precision.html */
export function set_float32_matmul_precision(value: MatmulPrecision): void {
  precision = value;
}
export function get_float32_matmul_precision(): MatmulPrecision {
  return precision;
}

/** Subnormal numbers are always computed: false, as from a processor that cannot flush them. */
export function set_flush_denormal(_mode: boolean): boolean {
  return false;
}

export function set_warn_always(value: boolean): void {
  warnAlways = value;
}
export function is_warn_always_enabled(): boolean {
  return warnAlways;
}

/**
 * Returns the model as it is: the core is compiled already. Without a model: a function that does so, for
 * `torch.compile({ mode: "reduce-overhead" })(model)`.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.compile.html
 */
export function compile<T extends object>(model: T, options?: Record<string, unknown>): T;
export function compile(options?: Record<string, unknown>): <T>(model: T) => T;
export function compile(model?: unknown): unknown {
  const settings = model === undefined || model === null ||
    Object.getPrototypeOf(model) === Object.prototype;
  return settings ? <T>(x: T): T => x : model;
}
