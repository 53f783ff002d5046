/**
 * `torch.cuda.amp.GradScaler`: keeps small gradients of float16 from vanishing.
 *
 * @see https://pytorch.org/docs/stable/amp.html#gradient-scaling
 * @module
 */
import { no_grad } from "../autograd/grad_mode.ts";
import { whyUnavailable } from "../backend/cuda.ts";
import { float16, float32 } from "../base/dtype.ts";
import { AssertionError, RuntimeError, ValueError, warnOnce } from "../base/errors.ts";
import { full } from "../_gen/functions.ts";
import type { Tensor } from "../tensor.ts";
import { unscaleAll } from "../utils/tensor_list.ts";

/** What the scaler needs to know of an optimizer. */
export interface ScaledOptimizer {
  readonly param_groups: readonly { readonly params: readonly Tensor[] }[];
  // deno-lint-ignore no-explicit-any -- optimizers differ in what their step takes
  step(...args: any[]): unknown;
}

/** Options of {@linkcode GradScaler}. */
export interface GradScalerOptions {
  init_scale?: number;
  growth_factor?: number;
  backoff_factor?: number;
  growth_interval?: number;
  enabled?: boolean;
}

interface OptimizerState {
  stage: "ready" | "unscaled" | "stepped";
  /** Whether any gradient was inf or nan, once that is known. */
  found: boolean | null;
}

type Outputs = Tensor | readonly Outputs[];

function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/**
 * Multiplies losses by a scale, divides gradients by it, leaves out steps whose gradients are not finite, and adapts the
 * scale: halved after such a step, doubled after `growth_interval` good ones.
 *
 * @see https://pytorch.org/docs/stable/amp.html#torch.cuda.amp.GradScaler
 */
export class GradScaler {
  readonly #enabled: boolean;
  #scale: Tensor | null = null;
  #initScale: number;
  #growthTracker: number;
  #growthFactor: number;
  #backoffFactor: number;
  #growthInterval: number;
  #states = new Map<ScaledOptimizer, OptimizerState>();

  constructor(options: GradScalerOptions = {}) {
    const {
      init_scale = 65536,
      growth_factor = 2,
      backoff_factor = 0.5,
      growth_interval = 2000,
      enabled = true,
    } = options;
    this.#enabled = enabled && whyUnavailable() === null;
    if (enabled && !this.#enabled) {
      warnOnce("UserWarning", "torch.cuda.amp.GradScaler is enabled, but CUDA is not available.  Disabling.");
    }
    if (this.#enabled) {
      assert(growth_factor > 1, "The growth factor must be > 1.0.");
      assert(backoff_factor < 1, "The backoff factor must be < 1.0.");
    }
    this.#initScale = init_scale;
    this.#growthTracker = 0;
    this.#growthFactor = growth_factor;
    this.#backoffFactor = backoff_factor;
    this.#growthInterval = growth_interval;
  }

  /** `outputs` times the scale. */
  scale<T extends Outputs>(outputs: T): T {
    if (!this.#enabled) return outputs;
    if (Array.isArray(outputs)) return outputs.map((x) => this.scale(x as Outputs)) as unknown as T;
    const t = outputs as Tensor;
    assert(t.is_cuda, "");
    this.#scale ??= full([1], this.#initScale, { dtype: float32, device: t.device });
    return t.mul(this.#scale.to(t.device)) as T;
  }

  #checked(name: string): Tensor {
    assert(
      this.#scale !== null,
      `Attempted ${name} but _scale is None.  ` +
        "This may indicate your script did not use scaler.scale(loss or outputs) earlier in the iteration.",
    );
    return this.#scale;
  }

  #stateOf(optimizer: ScaledOptimizer): OptimizerState {
    let state = this.#states.get(optimizer);
    if (state === undefined) this.#states.set(optimizer, state = { stage: "ready", found: null });
    return state;
  }

  /** Divides the gradients of an optimizer's parameters by the scale. */
  unscale_(optimizer: ScaledOptimizer): void {
    if (!this.#enabled) return;
    const scale = this.#checked("unscale_"), state = this.#stateOf(optimizer);
    if (state.stage === "unscaled") {
      throw new RuntimeError("unscale_() has already been called on this optimizer since the last update().");
    }
    if (state.stage === "stepped") throw new RuntimeError("unscale_() is being called after step().");
    const inverse = Math.fround(1 / (scale.item() as number));
    no_grad(() => {
      const lists = new Map<string, Tensor[]>();
      for (const group of optimizer.param_groups) {
        for (const { grad } of group.params) {
          if (grad === null) continue;
          if (grad.dtype === float16) throw new ValueError("Attempting to unscale FP16 gradients.");
          const key = `${grad.device} ${grad.dtype}`, list = lists.get(key);
          if (list === undefined) lists.set(key, [grad]);
          else list.push(grad);
        }
      }
      for (const grads of lists.values()) state.found = unscaleAll(grads, inverse) || state.found === true;
    });
    state.stage = "unscaled";
  }

  /** `optimizer.step(...args)`, after `unscale_`, unless a gradient is inf or nan. */
  step(optimizer: ScaledOptimizer, ...args: unknown[]): unknown {
    if (!this.#enabled) return optimizer.step(...args);
    if (args.some((a) => typeof a === "function")) {
      throw new RuntimeError("Closure use is not currently supported if GradScaler is enabled.");
    }
    this.#checked("step");
    const state = this.#stateOf(optimizer);
    if (state.stage === "stepped") {
      throw new RuntimeError("step() has already been called since the last update().");
    }
    if (state.stage === "ready") this.unscale_(optimizer);
    assert(state.found !== null, "No inf checks were recorded for this optimizer.");
    const result = state.found ? null : optimizer.step(...args);
    state.stage = "stepped";
    return result;
  }

  /** Adapts the scale, or sets it. */
  update(new_scale?: number | Tensor | null): void {
    if (!this.#enabled) return;
    const scale = this.#checked("update");
    if (typeof new_scale === "number") scale.fill_(new_scale);
    else if (new_scale !== null && new_scale !== undefined) {
      const reason =
        "new_scale should be a float or a 1-element torch.cuda.FloatTensor with requires_grad=False.";
      assert(new_scale.is_cuda && new_scale.dtype === float32, reason);
      assert(new_scale.numel() === 1 && !new_scale.requires_grad, reason);
      scale.copy_(new_scale);
    } else {
      const found = [...this.#states.values()].map((s) => s.found).filter((f) => f !== null);
      assert(found.length > 0, "No inf checks were recorded prior to update.");
      if (found.includes(true)) {
        scale.mul_(this.#backoffFactor);
        this.#growthTracker = 0;
      } else if (++this.#growthTracker === this.#growthInterval) {
        const grown = Math.fround((scale.item() as number) * this.#growthFactor);
        if (Number.isFinite(grown)) scale.fill_(grown);
        this.#growthTracker = 0;
      }
    }
    this.#states = new Map();
  }

  get_scale(): number {
    if (!this.#enabled) return 1;
    return this.#scale === null ? this.#initScale : this.#scale.item() as number;
  }
  get_growth_factor(): number {
    return this.#growthFactor;
  }
  set_growth_factor(new_factor: number): void {
    this.#growthFactor = new_factor;
  }
  get_backoff_factor(): number {
    return this.#backoffFactor;
  }
  set_backoff_factor(new_factor: number): void {
    this.#backoffFactor = new_factor;
  }
  get_growth_interval(): number {
    return this.#growthInterval;
  }
  set_growth_interval(new_interval: number): void {
    this.#growthInterval = new_interval;
  }
  is_enabled(): boolean {
    return this.#enabled;
  }

  /** What a checkpoint needs; empty if the scaler is disabled. */
  state_dict(): Record<string, number> {
    if (!this.#enabled) return {};
    return {
      scale: this.get_scale(),
      growth_factor: this.#growthFactor,
      backoff_factor: this.#backoffFactor,
      growth_interval: this.#growthInterval,
      _growth_tracker: this.#growthTracker,
    };
  }
  load_state_dict(state_dict: Record<string, number> | Map<string, number>): void {
    if (!this.#enabled) return;
    const state = state_dict instanceof Map ? Object.fromEntries(state_dict) : state_dict;
    if (Object.keys(state).length === 0) {
      throw new RuntimeError(
        "The source state dict is empty, possibly because it was saved from a disabled instance of GradScaler.",
      );
    }
    this.#initScale = state["scale"]!;
    this.#scale?.fill_(this.#initScale);
    this.#growthFactor = state["growth_factor"]!;
    this.#backoffFactor = state["backoff_factor"]!;
    this.#growthInterval = state["growth_interval"]!;
    this.#growthTracker = state["_growth_tracker"]!;
  }
}
