/**
 * `torch.nn.Module`. A module is a function: `net(x)` runs the hooks and `forward`.
 *
 * Parameters, buffers and children are ordinary properties. What a property holds decides what it is: a `Parameter`
 * is a parameter, a `Module` a child; buffers are the names that `register_buffer` was told. So class fields,
 * assignments in the constructor and `delete net.fc` all work, and nothing is intercepted.
 *
 * @module
 */
import { NotImplementedError, RuntimeError, ValueError, warnOnce } from "../../base/errors.ts";
import type { Device } from "../../base/device.ts";
import type { DType } from "../../base/dtype.ts";
import { escape } from "../../base/storage.ts";
import { no_grad } from "../../autograd/grad_mode.ts";
import { Tensor } from "../../tensor.ts";
import { isKeywords, signature } from "../../utils/signature.ts";
import { RemovableHandle } from "../../utils/hooks.ts";
import { deepcopy, type Memo } from "../../utils/copy.ts";
import { Registry } from "./registry.ts";
import { BackwardHooks } from "./backward_hook.ts";
import {
  addForwardHook,
  type BackwardHook,
  type BackwardPreHook,
  type ForwardHook,
  type ForwardHookOptions,
  type ForwardPreHook,
  globalHooks,
  hookOptions,
  type LoadStateDictPostHook,
  type LoadStateDictPreHook,
  ModuleHooks,
  type StateDictHook,
  type StateDictPreHook,
} from "./hooks.ts";
import {
  type IncompatibleKeys,
  loadOwnEntries,
  loadStateDict,
  type LocalMetadata,
  StateDict,
  type StateDictLike,
} from "./state_dict.ts";

/** Where a module's tensors shall live and of what dtype: the factory arguments of most modules. */
export interface FactoryOptions {
  device?: Device | string | null;
  dtype?: DType | null;
}

/** Anything that names a device. */
export type DeviceLike = Device | string;

interface StateDictOptions {
  destination?: Map<string, unknown> | null;
  prefix?: string;
  keep_vars?: boolean;
}
interface ToOptions extends FactoryOptions {
  non_blocking?: boolean;
  copy?: boolean;
}

const STATE_DICT = signature<StateDictOptions>("state_dict", {
  destination: null,
  prefix: "",
  keep_vars: false,
});
const ZERO_GRAD = signature<{ set_to_none?: boolean }>("zero_grad", { set_to_none: false });
const LOAD = signature<{ strict?: boolean }>("load_state_dict", { strict: true });

/** A module takes and gives what its `forward` does. */
export interface Module {
  (...input: Parameters<this["forward"]>): ReturnType<this["forward"]>;
}

/**
 * Base class of all neural network modules.
 *
 * ```ts
 * class Net extends nn.Module {
 *   fc1 = new nn.Linear(784, 128);
 *   fc2 = new nn.Linear(128, 10);
 *   forward(x: Tensor): Tensor {
 *     return this.fc2(F.relu(this.fc1(x)));
 *   }
 * }
 * const net = new Net();
 * const y = net(x);
 * ```
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Module.html
 */
export class Module extends Registry {
  /** Is the module in training mode? Set by `train()` and `eval()`. */
  training = true;

  #hooks: ModuleHooks | null = null;

  /** The format version of this module's state_dict. */
  get _version(): number {
    return 1;
  }

  // ---------------------------------------------------------------------------------------------------- calling

  /** Defines the computation; every subclass has its own. Call the module itself, so that hooks run. */
  // deno-lint-ignore no-explicit-any
  forward(..._input: any[]): any {
    throw new NotImplementedError(`Module [${this._get_name()}] is missing the required "forward" function`);
  }

  /** `net.call(x)` is `net(x)`: runs the hooks and `forward`. */
  call(...input: Parameters<this["forward"]>): ReturnType<this["forward"]> {
    if (this.#hooks === null && globalHooks.isEmpty) return this.forward(...input);
    return this.#callWithHooks(input) as ReturnType<this["forward"]>;
  }

  #callWithHooks(given: unknown[]): unknown {
    const own = this.#hooks;
    let input = given;
    for (const hook of [...globalHooks.forwardPre.values(), ...(own?.forwardPre.values() ?? [])]) {
      if (hookOptions(hook).with_kwargs) {
        const [args, kwargs] = splitKeywords(input);
        const replaced = (hook as unknown as KeywordHook)(this, args, kwargs);
        if (replaced === undefined || replaced === null) continue;
        if (!Array.isArray(replaced) || replaced.length !== 2) {
          throw new RuntimeError(
            `forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got ${
              String(replaced)
            }.`,
          );
        }
        const [newArgs, newKwargs] = replaced as [unknown[], Record<string, unknown>];
        input = Object.keys(newKwargs).length > 0 ? [...newArgs, newKwargs] : newArgs;
        continue;
      }
      const replaced = hook(this, input);
      if (replaced !== undefined && replaced !== null) {
        input = Array.isArray(replaced) ? replaced : [replaced];
      }
    }
    const backward = [...globalHooks.backward.values(), ...(own?.backward.values() ?? [])];
    const backwardPre = [...globalHooks.backwardPre.values(), ...(own?.backwardPre.values() ?? [])];
    const capture = backward.length + backwardPre.length > 0
      ? new BackwardHooks(this, backward, backwardPre)
      : null;
    if (capture) input = capture.wrapInput(input);
    const hooks = [...globalHooks.forward.values(), ...(own?.forward.values() ?? [])];
    const run = (hook: ForwardHook, output: unknown): unknown =>
      hookOptions(hook).with_kwargs
        ? (hook as unknown as KeywordHook)(this, ...splitKeywords(input), output)
        : hook(this, input, output);
    let result: unknown;
    const done = new Set<ForwardHook>();
    try {
      result = this.forward(...input);
      for (const hook of hooks) {
        done.add(hook);
        const replaced = run(hook, result);
        if (replaced !== undefined && replaced !== null) result = replaced;
      }
    } catch (e) {
      // Hooks that always run do so before the error goes on; what they return or throw does not matter then.
      for (const hook of hooks) {
        if (!hookOptions(hook).always_call || done.has(hook)) continue;
        try {
          run(hook, result);
        } catch (second) {
          warnOnce(
            "UserWarning",
            "module forward hook with ``always_call=True`` raised an exception that was silenced as another error was " +
              `raised in forward: ${String(second)}`,
          );
        }
      }
      throw e;
    }
    return capture ? capture.wrapOutput(result) : result;
  }

  #hooked(): ModuleHooks {
    return this.#hooks ??= new ModuleHooks();
  }

  /** Registers `hook(module, input)`, called before `forward`; what it returns replaces the input. */
  register_forward_pre_hook(
    hook: ForwardPreHook<this>,
    options: Omit<ForwardHookOptions, "always_call"> = {},
  ): RemovableHandle {
    return addForwardHook(this.#hooked().forwardPre, hook as ForwardPreHook, options);
  }

  /** Registers `hook(module, input, output)`, called after `forward`; what it returns replaces the output. */
  register_forward_hook(hook: ForwardHook<this>, options: ForwardHookOptions = {}): RemovableHandle {
    return addForwardHook(this.#hooked().forward, hook as ForwardHook, options);
  }

  /**
   * Registers `hook(module, grad_input, grad_output)`, called when the gradients with respect to the module's inputs
   * are known; what it returns replaces `grad_input`.
   */
  register_full_backward_hook(hook: BackwardHook<this>): RemovableHandle {
    return RemovableHandle.add(this.#hooked().backward, hook as BackwardHook);
  }

  /** Deprecated: `register_full_backward_hook`, which sees the gradients of all inputs. */
  register_backward_hook(hook: BackwardHook<this>): RemovableHandle {
    return this.register_full_backward_hook(hook);
  }

  /** Registers `hook(module, grad_output)`, called before the module's backward; its result replaces `grad_output`. */
  register_full_backward_pre_hook(hook: BackwardPreHook<this>): RemovableHandle {
    return RemovableHandle.add(this.#hooked().backwardPre, hook as BackwardPreHook);
  }

  // --------------------------------------------------------------------------------------------------- changing

  /** Calls `fn` on every submodule, children first, then on this one. */
  apply(fn: (module: Module) => void): this {
    for (const m of this.children()) m.apply(fn);
    fn(this);
    return this;
  }

  /** Replaces every parameter's, gradient's and buffer's data by `fn` of it. */
  _apply(fn: (t: Tensor) => Tensor): this {
    for (const m of this.children()) m._apply(fn);
    no_grad(() => {
      for (const p of this._parameters.values()) {
        if (p === null) continue;
        // The data first: a gradient must have its parameter's dtype and device.
        const grad = p.grad;
        p.data = fn(p);
        escape(p.storage);
        if (grad !== null) {
          grad.data = fn(grad);
          escape(grad.storage);
        }
      }
      for (const [name, b] of this._buffers) {
        if (b === null) continue;
        const moved = fn(b);
        escape(moved.storage);
        this._assign(name, moved);
      }
    });
    return this;
  }

  /** Moves and converts parameters and buffers; floating point and complex ones alone change their dtype. */
  to(
    device: DeviceLike | DType | Tensor | ToOptions,
    dtype?: DType | boolean | ToOptions,
    ...more: unknown[]
  ): this;
  to(...args: unknown[]): this {
    let device: DeviceLike | null = null;
    let dtype: DType | null = null;
    for (const a of args) {
      if (a === null || a === undefined || typeof a === "boolean") continue;
      if (a instanceof Tensor) [device, dtype] = [a.device, a.dtype];
      else if (isKeywords(a)) {
        const o = a as ToOptions;
        device = o.device ?? device;
        dtype = o.dtype ?? dtype;
      } else if (typeof a === "object" && "is_floating_point" in a) dtype = a as DType;
      else device = a as DeviceLike;
    }
    if (dtype !== null && !(dtype.is_floating_point || dtype.is_complex)) {
      throw new TypeError(
        `nn.Module.to only accepts floating point or complex dtypes, but got desired dtype=${dtype}`,
      );
    }
    if (dtype?.is_complex) {
      warnOnce(
        "UserWarning",
        "Complex modules are a new feature under active development whose design may change, and some modules might " +
          "not work as expected when using complex tensors as parameters or buffers.",
      );
    }
    return this._apply((t) => t.to(device ?? t.device, isConvertible(t) && dtype !== null ? dtype : t.dtype));
  }

  /** Moves all parameters and buffers to a GPU. */
  cuda(device?: DeviceLike | number | null): this {
    const target = typeof device === "number" ? `cuda:${device}` : device;
    return this._apply((t) => t.cuda(target));
  }
  /** Moves all parameters and buffers to the CPU. */
  cpu(): this {
    return this._apply((t) => t.cpu());
  }
  /** Converts all parameters and buffers to `dst_type`. */
  type(dst_type: DType | string): this {
    return this._apply((t) => t.type(dst_type) as Tensor);
  }
  /** Converts floating point parameters and buffers to float32. */
  float(): this {
    return this._apply((t) => t.is_floating_point() ? t.float() : t);
  }
  /** Converts floating point parameters and buffers to float64. */
  double(): this {
    return this._apply((t) => t.is_floating_point() ? t.double() : t);
  }
  /** Converts floating point parameters and buffers to float16. */
  half(): this {
    return this._apply((t) => t.is_floating_point() ? t.half() : t);
  }
  /** Converts floating point parameters and buffers to bfloat16. */
  bfloat16(): this {
    return this._apply((t) => t.is_floating_point() ? t.bfloat16() : t);
  }
  /** Moves parameters and buffers to a device without copying their values. */
  to_empty(options: { device: DeviceLike }): this {
    return this._apply((t) => t.new_empty(t.shape, { device: options.device }));
  }
  /** PyTorch shares the storage between processes; there is one process here. */
  share_memory(): this {
    return this;
  }

  /** Sets training mode (or evaluation mode, if `mode` is false) here and in all submodules. */
  train(mode = true): this {
    if (typeof mode !== "boolean") throw new ValueError("training mode is expected to be boolean");
    this.training = mode;
    for (const m of this.children()) m.train(mode);
    return this;
  }

  /** Sets evaluation mode. */
  eval(): this {
    return this.train(false);
  }

  /** Sets `requires_grad` of every parameter. */
  requires_grad_(requires_grad = true): this {
    for (const p of this.parameters()) p.requires_grad_(requires_grad);
    return this;
  }

  /** Zeroes all gradients, or drops them with `set_to_none`. */
  zero_grad(set_to_none?: boolean | { set_to_none?: boolean }): void {
    const { set_to_none: drop } = ZERO_GRAD([set_to_none]);
    for (const p of this.parameters()) zeroGrad(p, drop);
  }

  // ----------------------------------------------------------------------------------------------------- saving

  /** State besides tensors to put into the state_dict; override together with `set_extra_state`. */
  get_extra_state(): unknown {
    throw new RuntimeError("Reached a code path in Module.get_extra_state() that should never be called.");
  }

  /** Takes back what `get_extra_state` gave. */
  set_extra_state(_state: unknown): void {
    throw new RuntimeError("Reached a code path in Module.set_extra_state() that should never be called.");
  }

  /** Does the class have state of its own besides tensors? */
  get _hasExtraState(): boolean {
    return this.get_extra_state !== Module.prototype.get_extra_state;
  }

  /** Writes this module's own entries; override for a layout of one's own. */
  _save_to_state_dict(destination: Map<string, unknown>, prefix: string, keep_vars: boolean): void {
    for (const [name, p] of this._parameters) {
      if (p) destination.set(prefix + name, keep_vars ? p : p.detach());
    }
    for (const [name, b] of this._persistentBuffers) {
      if (b) destination.set(prefix + name, keep_vars ? b : b.detach());
    }
    if (this._hasExtraState) {
      destination.set(`${prefix}_extra_state`, this.get_extra_state());
    }
  }

  /** All parameters and persistent buffers by dotted name, sharing memory with the module. */
  state_dict(options?: StateDictOptions): StateDict;
  state_dict(destination?: Map<string, unknown> | null, prefix?: string, keep_vars?: boolean): StateDict;
  state_dict(...args: unknown[]): StateDict {
    const { destination, prefix, keep_vars } = STATE_DICT(args);
    for (const hook of this.#hooks?.stateDictPre.values() ?? []) hook(this, prefix, keep_vars);
    let dict = (destination ?? new StateDict()) as StateDict;
    const metadata: LocalMetadata = { version: this._version };
    dict._metadata?.set(prefix.slice(0, -1), metadata);
    this._save_to_state_dict(dict, prefix, keep_vars);
    for (const [name, module] of this._modules) {
      module?.state_dict({ destination: dict, prefix: `${prefix}${name}.`, keep_vars });
    }
    for (const hook of this.#hooks?.stateDict.values() ?? []) {
      dict = (hook(this, dict, prefix, metadata) as StateDict | null | undefined) ?? dict;
    }
    return dict;
  }

  /** Registers `hook(module, state_dict, prefix, local_metadata)`, called after `state_dict()` is made. */
  _register_state_dict_hook(
    hook: StateDictHook<this>,
  ): RemovableHandle {
    return RemovableHandle.add(this.#hooked().stateDict, hook as StateDictHook);
  }

  /** Registers `hook(module, state_dict, prefix, local_metadata)`, called after `state_dict()` is made. */
  register_state_dict_post_hook(hook: StateDictHook<this>): RemovableHandle {
    return this._register_state_dict_hook(hook);
  }

  /** Registers `hook(module, prefix, keep_vars)`, called before `state_dict()` is made. */
  register_state_dict_pre_hook(hook: StateDictPreHook<this>): RemovableHandle {
    return RemovableHandle.add(this.#hooked().stateDictPre, hook as StateDictPreHook);
  }

  /**
   * Registers `hook(module, state_dict, prefix, metadata, strict, missing_keys, unexpected_keys, error_msgs)`, which may
   * change a state_dict before `load_state_dict` reads it.
   */
  register_load_state_dict_pre_hook(
    hook: (module: this, ...args: Parameters<LoadStateDictPreHook>) => void,
  ): RemovableHandle {
    return this._register_load_state_dict_pre_hook((...args) => hook(this, ...args));
  }

  /** Registers a hook that may change a state_dict before `load_state_dict` reads it. */
  _register_load_state_dict_pre_hook(
    hook: LoadStateDictPreHook,
  ): RemovableHandle {
    return RemovableHandle.add(this.#hooked().loadPre, hook);
  }

  /** Registers `hook(module, incompatible_keys)`, called after `load_state_dict`; it may change the key lists. */
  register_load_state_dict_post_hook(hook: LoadStateDictPostHook<this>): RemovableHandle {
    return RemovableHandle.add(this.#hooked().loadPost, hook as LoadStateDictPostHook);
  }

  /** The hooks of this module alone, null if none was ever registered. */
  get _hooks(): ModuleHooks | null {
    return this.#hooks;
  }

  /** Reads this module's own entries; override to accept older layouts. */
  _load_from_state_dict(
    state_dict: Map<string, unknown>,
    prefix: string,
    metadata: LocalMetadata,
    strict: boolean,
    missing: string[],
    unexpected: string[],
    errors: string[],
  ): void {
    for (const hook of this.#hooks?.loadPre.values() ?? []) {
      hook(state_dict, prefix, metadata, strict, missing, unexpected, errors);
    }
    loadOwnEntries(this, state_dict, prefix, strict, missing, unexpected, errors);
  }

  /**
   * Copies parameters and buffers from a state_dict: a Map or a plain object. With `strict` (the default) its keys
   * must be exactly this module's.
   */
  load_state_dict(state_dict: StateDictLike, strict?: boolean | { strict?: boolean }): IncompatibleKeys {
    return loadStateDict(this, state_dict, LOAD([strict]).strict);
  }

  /** A copy with tensors of its own; modules that occur twice stay one. */
  __deepcopy__(memo: Memo): this {
    const copy = Reflect.construct(Module, [], this.constructor as new () => this) as this;
    memo.set(this, copy);
    for (const name of Object.keys(this)) {
      (copy as unknown as Record<string, unknown>)[name] = deepcopy(
        (this as unknown as Record<string, unknown>)[name],
        memo,
      );
    }
    copy._copyNames(this);
    copy.#hooks = this.#hooks && this.#hooks.copy();
    return copy;
  }

  // --------------------------------------------------------------------------------------------------- printing

  /** The name that is printed: the class's. */
  _get_name(): string {
    return this.constructor.name || "Module";
  }

  /** What is printed between the parentheses, besides the children. */
  extra_repr(): string {
    return "";
  }

  /** Python's `repr`. */
  override toString(): string {
    const extra = this.extra_repr();
    const extraLines = extra === "" ? [] : extra.split("\n");
    const childLines = [...this._modules].map(([name, m]) =>
      `(${name}): ${m === null ? "None" : m.toString().replaceAll("\n", "\n  ")}`
    );
    const name = this._get_name();
    if (childLines.length === 0 && extraLines.length <= 1) return `${name}(${extra})`;
    return `${name}(\n  ${[...extraLines, ...childLines].join("\n  ")}\n)`;
  }
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }
}

/** A hook that gets the keywords of the call. */
type KeywordHook = (
  module: Module,
  args: unknown[],
  kwargs: Record<string, unknown>,
  output?: unknown,
) => unknown;

/** The positional arguments and the keywords of a call. */
function splitKeywords(input: unknown[]): [unknown[], Record<string, unknown>] {
  const last = input[input.length - 1];
  return isKeywords(last) ? [input.slice(0, -1), last] : [input, {}];
}

function isConvertible(t: Tensor): boolean {
  return t.is_floating_point() || t.is_complex();
}

/** Zeroes the gradient of `p` in place, or drops it. */
export function zeroGrad(p: Tensor, drop: boolean): void {
  const grad = p.grad;
  if (grad === null) return;
  if (drop) p.grad = null;
  else {
    if (grad.grad_fn !== null) grad.detach_();
    else grad.requires_grad_(false);
    grad.zero_();
  }
}
