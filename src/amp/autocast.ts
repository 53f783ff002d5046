/**
 * `torch.autocast`: regions in which operators choose their precision.
 *
 * @see https://pytorch.org/docs/stable/amp.html
 * @module
 */
import { whyUnavailable } from "../backend/cuda.ts";
import { bfloat16, type DType, float16 } from "../base/dtype.ts";
import { RuntimeError, warnOnce } from "../base/errors.ts";
import { runGuarded } from "../base/guard.ts";
import { autocastChanged, autocastState, clearAutocastCache } from "../dispatch/autocast.ts";

/** Options of {@linkcode autocast}. */
export interface AutocastOptions {
  /** The lower precision: float16 (CUDA) or bfloat16 (both, and the CPU's only one). */
  dtype?: DType | null;
  enabled?: boolean;
  /** Whether parameters are converted once per region only. */
  cache_enabled?: boolean | null;
}

/** An autocast region that ends with the `using` block, or with `restore()`. */
export class AutocastGuard {
  readonly #type: "cpu" | "cuda";
  readonly #before: { enabled: boolean; dtype: DType; cache: boolean };
  #open = true;

  constructor(device_type: string, options: AutocastOptions) {
    if (device_type !== "cuda" && device_type !== "cpu") {
      throw new RuntimeError("User specified autocast device_type must be 'cuda' or 'cpu'");
    }
    const region = autocastState[this.#type = device_type];
    this.#before = { enabled: region.enabled, dtype: region.dtype, cache: autocastState.cacheEnabled };
    const dtype = options.dtype ?? region.dtype;
    let enabled = options.enabled ?? true;
    if (enabled && device_type === "cuda" && whyUnavailable() !== null) {
      warnOnce(
        "UserWarning",
        "User provided device_type of 'cuda', but CUDA is not available. Disabling",
      );
      enabled = false;
    }
    if (device_type === "cpu" && dtype !== bfloat16) {
      warnOnce(
        "UserWarning",
        "In CPU autocast, but the target dtype is not supported. Disabling autocast.\n" +
          "CPU Autocast only supports dtype of torch.bfloat16 currently.",
      );
      enabled = false;
    }
    region.enabled = enabled;
    region.dtype = dtype;
    autocastState.cacheEnabled = options.cache_enabled ?? autocastState.cacheEnabled;
    autocastState.nesting++;
    autocastChanged();
  }

  restore(): void {
    if (!this.#open) return;
    this.#open = false;
    if (--autocastState.nesting === 0) clearAutocastCache();
    const region = autocastState[this.#type];
    region.enabled = this.#before.enabled;
    region.dtype = this.#before.dtype;
    autocastState.cacheEnabled = this.#before.cache;
    autocastChanged();
  }
  [Symbol.dispose](): void {
    this.restore();
  }
}

function region<T>(type: string, options: AutocastOptions, body: (() => T) | undefined): T | AutocastGuard {
  const guard = new AutocastGuard(type, options);
  return body === undefined ? guard : runGuarded(guard, body);
}

/**
 * Runs `body` with autocast for a kind of device; without a body, a guard for `using _ = autocast("cuda")`. Operators on
 * PyTorch's lists get their arguments in the lower precision, in float32, or in the widest dtype among them.
 *
 * @see https://pytorch.org/docs/stable/amp.html#torch.autocast
 */
export function autocast(device_type: string, options?: AutocastOptions): AutocastGuard;
export function autocast<T>(device_type: string, body: () => T): T;
export function autocast<T>(device_type: string, options: AutocastOptions, body: () => T): T;
export function autocast<T>(
  device_type: string,
  options: AutocastOptions | (() => T) = {},
  body?: () => T,
): T | AutocastGuard {
  return typeof options === "function"
    ? region(device_type, {}, options)
    : region(device_type, options, body);
}

type Autocast = {
  (enabled?: boolean, options?: Omit<AutocastOptions, "enabled">): AutocastGuard;
  <T>(body: () => T): T;
  <T>(enabled: boolean, body: () => T): T;
};

function forDevice(type: string, dtype: DType): Autocast {
  return <T>(
    first: boolean | (() => T) = true,
    second: (() => T) | Omit<AutocastOptions, "enabled"> = {},
  ): T | AutocastGuard => {
    const body = typeof first === "function" ? first : typeof second === "function" ? second : undefined;
    const options = typeof second === "function" ? {} : second;
    return region(type, { dtype, ...options, enabled: typeof first === "boolean" ? first : true }, body);
  };
}

/** `torch.cuda.amp.autocast`. */
export const cudaAutocast: Autocast = forDevice("cuda", float16) as Autocast;
/** `torch.cpu.amp.autocast`. */
export const cpuAutocast: Autocast = forDevice("cpu", bfloat16) as Autocast;

/** Is autocast on for CUDA? */
export function is_autocast_enabled(): boolean {
  return autocastState.cuda.enabled;
}
/** Is autocast on for the CPU? */
export function is_autocast_cpu_enabled(): boolean {
  return autocastState.cpu.enabled;
}
/** The lower precision on CUDA. */
export function get_autocast_gpu_dtype(): DType {
  return autocastState.cuda.dtype;
}
/** The lower precision on the CPU. */
export function get_autocast_cpu_dtype(): DType {
  return autocastState.cpu.dtype;
}
/** Switches autocast for CUDA. */
export function set_autocast_enabled(enabled: boolean): void {
  autocastState.cuda.enabled = enabled;
  autocastChanged();
}
/** Switches autocast for the CPU. */
export function set_autocast_cpu_enabled(enabled: boolean): void {
  autocastState.cpu.enabled = enabled;
  autocastChanged();
}
/** Sets the lower precision on CUDA. */
export function set_autocast_gpu_dtype(dtype: DType): void {
  autocastState.cuda.dtype = dtype;
}
/** Sets the lower precision on the CPU. */
export function set_autocast_cpu_dtype(dtype: DType): void {
  autocastState.cpu.dtype = dtype;
}
/** Are parameters converted only once per region? */
export function is_autocast_cache_enabled(): boolean {
  return autocastState.cacheEnabled;
}
/** Switches the keeping of converted parameters. */
export function set_autocast_cache_enabled(enabled: boolean): void {
  autocastState.cacheEnabled = enabled;
}
/** Forgets converted parameters. */
export function clear_autocast_cache(): void {
  clearAutocastCache();
}
