/**
 * `torch.random`: seeds and states of the default generator.
 *
 * @see https://pytorch.org/docs/stable/random.html
 * @module
 */
import { cpuBackend } from "./backend/wasm.ts";
import { uint8 } from "./base/dtype.ts";
import { default_generator, Generator, hostGenerators, installStateTensors } from "./base/generator.ts";
import { runGuarded } from "./base/guard.ts";
import { allocate } from "./base/storage.ts";
import { pythonType } from "./dispatch/schema.ts";
import { Tensor, wrapStorage } from "./tensor.ts";

export { default_generator, Generator };

hostGenerators(cpuBackend);
installStateTensors(
  (bytes) => {
    const storage = allocate(cpuBackend, bytes.length);
    cpuBackend.write(storage.resident(), bytes);
    return wrapStorage(storage, uint8, [bytes.length], bytes.length);
  },
  (state) => {
    if (!(state instanceof Tensor)) {
      throw new TypeError(`expected a torch.ByteTensor, but got ${pythonType(state)}`);
    }
    if (state.dtype !== uint8 || state.device.type !== "cpu" || !state.packed) {
      throw new TypeError("RNG state must be a torch.ByteTensor");
    }
    return cpuBackend.read(state.storage.resident() + state.offset, state.count);
  },
);

/**
 * Seeds the default generator and returns it.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.manual_seed.html
 */
export function manual_seed(seed: number | bigint): Generator {
  return default_generator.manual_seed(typeof seed === "bigint" ? seed : Math.trunc(Number(seed)));
}

/** Seeds the default generator with a number from the system and returns that number. */
export function seed(): number | bigint {
  return default_generator.seed();
}

/** The seed that the default generator was last given. */
export function initial_seed(): number | bigint {
  return default_generator.initial_seed();
}

/** The state of the default generator: a uint8 tensor with PyTorch's bytes. */
export function get_rng_state(): Tensor {
  return default_generator.get_state();
}

/** Sets the state of the default generator. */
export function set_rng_state(new_state: Tensor): void {
  default_generator.set_state(new_state);
}

/** Puts the default generator back to where it was: what `fork_rng` without a body gives to `using`. */
export class ForkedRng {
  readonly #state: Uint8Array | null;
  constructor(enabled: boolean) {
    this.#state = enabled ? default_generator.stateBytes() : null;
  }
  restore(): void {
    if (this.#state !== null) default_generator.setStateBytes(this.#state);
  }
  [Symbol.dispose](): void {
    this.restore();
  }
}

/** Options of {@linkcode fork_rng}. */
export interface ForkRngOptions {
  /** Without effect: all devices draw from the CPU's generator. */
  devices?: readonly unknown[] | null;
  enabled?: boolean;
}

/**
 * Runs `body`, then puts the random state back to where it was: `fork_rng(() => {...})`, or
 * `using _ = fork_rng()`.
 */
export function fork_rng(options?: ForkRngOptions): ForkedRng;
export function fork_rng<T>(body: () => T, options?: ForkRngOptions): T;
export function fork_rng<T>(a?: (() => T) | ForkRngOptions, b?: ForkRngOptions): T | ForkedRng {
  const body = typeof a === "function" ? a : null;
  const guard = new ForkedRng((body === null ? (a as ForkRngOptions | undefined) : b)?.enabled ?? true);
  return body === null ? guard : runGuarded(guard, body);
}
