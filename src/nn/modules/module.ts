/**
 * `torch.nn.Module`. A module is a function: `net(x)` runs the hooks and `forward`.
 *
 * Parameters, buffers and children are ordinary properties. What a property holds decides what it is: a `Parameter`
 * is a parameter, a `Module` a child; buffers are the names that `register_buffer` was told. So class fields,
 * assignments in the constructor and `delete net.fc` all work, and nothing is intercepted.
 *
 * @module
 */
import {
  AttributeError,
  KeyError,
  NotImplementedError,
  RuntimeError,
  ValueError,
  warnOnce,
} from "../../base/errors.ts";
import type { Device } from "../../base/device.ts";
import type { DType } from "../../base/dtype.ts";
import { no_grad } from "../../autograd/grad_mode.ts";
import { Tensor } from "../../tensor.ts";
import { type Bound, isKeywords, signature } from "../../utils/signature.ts";
import { RemovableHandle } from "../../utils/hooks.ts";
import { deepcopy, type Memo } from "../../utils/copy.ts";
import { typename } from "../../utils/typename.ts";
import { Parameter } from "../parameter.ts";
import { BackwardHooks } from "./backward_hook.ts";
import {
  type BackwardHook,
  type BackwardPreHook,
  type ForwardHook,
  type ForwardPreHook,
  globalHooks,
  type LoadStateDictPostHook,
  type LoadStateDictPreHook,
  ModuleHooks,
  type StateDictHook,
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
interface NamedOptions {
  prefix?: string;
  recurse?: boolean;
  remove_duplicate?: boolean;
}
interface NamedModulesOptions {
  memo?: Set<Module> | null;
  prefix?: string;
  remove_duplicate?: boolean;
}
interface ToOptions extends FactoryOptions {
  non_blocking?: boolean;
  copy?: boolean;
}

const STATE_DICT = signature<StateDictOptions>("state_dict", { destination: null, prefix: "", keep_vars: false });
const NAMED = signature<NamedOptions>("named_parameters", { prefix: "", recurse: true, remove_duplicate: true });
const NAMED_MODULES = signature<NamedModulesOptions>("named_modules", {
  memo: null,
  prefix: "",
  remove_duplicate: true,
});
const ZERO_GRAD = signature<{ set_to_none?: boolean }>("zero_grad", { set_to_none: false });
const LOAD = signature<{ strict?: boolean }>("load_state_dict", { strict: true });
const BUFFER = signature<{ persistent?: boolean }>("register_buffer", { persistent: true });

/** Makes every instance a function that calls itself with hooks. */
class Callable {
  constructor() {
    const self = (...input: unknown[]): unknown => (self as unknown as Module).call(...input);
    // A function's own `name` and `length` are read-only; without them properties of these names are free.
    Reflect.deleteProperty(self, "name");
    Reflect.deleteProperty(self, "length");
    return Object.setPrototypeOf(self, new.target.prototype) as Callable;
  }
}

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
export class Module extends Callable {
  /** Is the module in training mode? Set by `train()` and `eval()`. */
  training = true;

  /** Names of buffers, in order, and whether each is saved. */
  #buffers = new Map<string, boolean>();
  /** Names that were registered as None. */
  #nones: Map<string, "parameter" | "module"> | null = null;
  /**
   * The registration order, kept only once a name like "10" was registered: JavaScript lists such properties first
   * and by value.
   */
  #order: string[] | null = null;
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
      const replaced = hook(this, input);
      if (replaced !== undefined && replaced !== null) input = Array.isArray(replaced) ? replaced : [replaced];
    }
    const backward = [...globalHooks.backward.values(), ...(own?.backward.values() ?? [])];
    const backwardPre = [...(own?.backwardPre.values() ?? [])];
    const capture = backward.length + backwardPre.length > 0 ? new BackwardHooks(this, backward, backwardPre) : null;
    if (capture) input = capture.wrapInput(input);
    let result: unknown = this.forward(...input);
    for (const hook of [...globalHooks.forward.values(), ...(own?.forward.values() ?? [])]) {
      const replaced = hook(this, input, result);
      if (replaced !== undefined && replaced !== null) result = replaced;
    }
    return capture ? capture.wrapOutput(result) : result;
  }

  #hooked(): ModuleHooks {
    return this.#hooks ??= new ModuleHooks();
  }

  /** Registers `hook(module, input)`, called before `forward`; what it returns replaces the input. */
  register_forward_pre_hook(hook: ForwardPreHook<this>): RemovableHandle {
    return RemovableHandle.add(this.#hooked().forwardPre, hook as ForwardPreHook);
  }

  /** Registers `hook(module, input, output)`, called after `forward`; what it returns replaces the output. */
  register_forward_hook(hook: ForwardHook<this>): RemovableHandle {
    return RemovableHandle.add(this.#hooked().forward, hook as ForwardHook);
  }

  /**
   * Registers `hook(module, grad_input, grad_output)`, called when the gradients with respect to the module's inputs
   * are known; what it returns replaces `grad_input`.
   */
  register_full_backward_hook(hook: BackwardHook<this>): RemovableHandle {
    return RemovableHandle.add(this.#hooked().backward, hook as BackwardHook);
  }

  /** Registers `hook(module, grad_output)`, called before the module's backward; its result replaces `grad_output`. */
  register_full_backward_pre_hook(hook: BackwardPreHook<this>): RemovableHandle {
    return RemovableHandle.add(this.#hooked().backwardPre, hook as BackwardPreHook);
  }

  // ------------------------------------------------------------------------------------------------ registering

  /** Own property names in registration order. */
  #names(): string[] {
    const keys = Object.keys(this);
    if (this.#order === null) return keys;
    const own = new Set(keys);
    return [...this.#order.filter((k) => own.delete(k)), ...own];
  }

  #get(name: string): unknown {
    return (this as unknown as Record<string, unknown>)[name];
  }

  #set(name: string, value: unknown): void {
    if (this.#order !== null) {
      const at = this.#order.indexOf(name);
      if (at < 0 || !Object.hasOwn(this, name)) {
        if (at >= 0) this.#order.splice(at, 1);
        this.#order = [...this.#names().filter((k) => k !== name), name];
      }
    } else if (/^\d+$/.test(name) && !Object.hasOwn(this, name)) {
      this.#order = [...Object.keys(this), name];
    }
    (this as unknown as Record<string, unknown>)[name] = value;
  }

  #none(name: string, kind: "parameter" | "module"): void {
    (this.#nones ??= new Map()).set(name, kind);
  }

  #checkName(kind: "parameter" | "buffer" | "module", name: unknown, known: boolean): asserts name is string {
    if (typeof name !== "string") throw new TypeError(`${kind} name should be a string. Got ${typename(name)}`);
    const dot = name.includes(".");
    if (kind !== "module" && dot) throw new KeyError(`${kind} name can't contain "."`);
    if (kind !== "module" && name === "") throw new KeyError(`${kind} name can't be empty string ""`);
    // A declared class field is there but undefined until it is assigned.
    if (this.#get(name) !== undefined && !known) throw new KeyError(`attribute '${name}' already exists`);
    if (dot) throw new KeyError(`module name can't contain ".", got: ${name}`);
    if (name === "") throw new KeyError(`module name can't be empty string ""`);
  }

  /** Adds a tensor that is part of the module's state but no parameter, such as a running mean. */
  register_buffer(name: string, tensor: Tensor | null, persistent?: boolean | { persistent?: boolean }): void {
    const { persistent: saved } = BUFFER([persistent]);
    this.#checkName("buffer", name, this.#buffers.has(name));
    if (tensor !== null && !(tensor instanceof Tensor)) {
      throw new TypeError(
        `cannot assign '${typename(tensor)}' object to buffer '${name}' (torch Tensor or None required)`,
      );
    }
    this.#set(name, tensor);
    this.#buffers.set(name, saved);
  }

  /** Adds a parameter; null keeps the name for one that this configuration does not have. */
  register_parameter(name: string, param: Parameter | null): void {
    this.#checkName("parameter", name, this._parameters.has(name));
    if (param !== null && !(param instanceof Parameter)) {
      throw new TypeError(
        `cannot assign '${typename(param)}' object to parameter '${name}' (torch.nn.Parameter or None required)`,
      );
    }
    if (param === null) this.#none(name, "parameter");
    this.#set(name, param);
  }

  /** Adds a child module. */
  add_module(name: string, module: Module | null): void {
    if (module !== null && !(module instanceof Module)) {
      throw new TypeError(`${typename(module)} is not a Module subclass`);
    }
    this.#checkName("module", name, this._modules.has(name));
    if (module === null) this.#none(name, "module");
    this.#set(name, module);
  }

  /** Alias of `add_module`. */
  register_module(name: string, module: Module | null): void {
    this.add_module(name, module);
  }

  /** The own parameters by name, null where one is None. A snapshot. */
  get _parameters(): Map<string, Parameter | null> {
    const found = new Map<string, Parameter | null>();
    for (const k of this.#names()) {
      const v = this.#get(k);
      if (v instanceof Parameter || (v === null && this.#nones?.get(k) === "parameter")) found.set(k, v);
    }
    return found;
  }

  /** The own buffers by name, null where one is None. A snapshot. */
  get _buffers(): Map<string, Tensor | null> {
    const found = new Map<string, Tensor | null>();
    for (const k of this.#buffers.keys()) {
      const v = this.#get(k);
      if (v === null || (v instanceof Tensor && !(v instanceof Parameter))) found.set(k, v);
    }
    return found;
  }

  /** The children by name, null where one is None. A snapshot. */
  get _modules(): Map<string, Module | null> {
    const found = new Map<string, Module | null>();
    for (const k of this.#names()) {
      const v = this.#get(k);
      if (v instanceof Module || (v === null && this.#nones?.get(k) === "module")) found.set(k, v);
    }
    return found;
  }

  /** The own buffers that a state_dict holds. */
  get _persistentBuffers(): Map<string, Tensor | null> {
    const found = this._buffers;
    for (const k of found.keys()) if (this.#buffers.get(k) === false) found.delete(k);
    return found;
  }

  #resolve(target: string): [Module, string] {
    const dot = target.lastIndexOf(".");
    const module = this.get_submodule(target.slice(0, Math.max(0, dot)));
    const name = target.slice(dot + 1);
    if (module.#get(name) === undefined) throw new AttributeError(`${module._get_name()} has no attribute \`${name}\``);
    return [module, name];
  }

  /** The module at a dotted path: `net.get_submodule("layer1.0.conv1")`. */
  get_submodule(target: string): Module {
    let module: Module = this;
    if (target === "") return module;
    for (const item of target.split(".")) {
      if (module.#get(item) === undefined) throw new AttributeError(`${module._get_name()} has no attribute \`${item}\``);
      const next = module.#get(item);
      if (!(next instanceof Module)) throw new AttributeError(`\`${item}\` is not an nn.Module`);
      module = next;
    }
    return module;
  }

  /** The parameter at a dotted path. */
  get_parameter(target: string): Parameter {
    const [module, name] = this.#resolve(target);
    const param = module.#get(name);
    if (!(param instanceof Parameter)) throw new AttributeError(`\`${name}\` is not an nn.Parameter`);
    return param;
  }

  /** The buffer at a dotted path. */
  get_buffer(target: string): Tensor {
    const [module, name] = this.#resolve(target);
    const buffer = module._buffers.get(name);
    if (!buffer) throw new AttributeError(`\`${name}\` is not a buffer`);
    return buffer;
  }

  // -------------------------------------------------------------------------------------------------- iterating

  /** All modules with their dotted names, this one first (under `prefix`). */
  named_modules(options?: NamedModulesOptions): Generator<[string, Module]>;
  named_modules(memo?: Set<Module> | null, prefix?: string, remove_duplicate?: boolean): Generator<[string, Module]>;
  *named_modules(...args: unknown[]): Generator<[string, Module]> {
    const { memo, prefix, remove_duplicate } = NAMED_MODULES(args);
    const seen = memo ?? new Set<Module>();
    if (seen.has(this)) return;
    if (remove_duplicate) seen.add(this);
    yield [prefix, this];
    for (const [name, module] of this._modules) {
      if (module === null) continue;
      yield* module.named_modules(seen, prefix === "" ? name : `${prefix}.${name}`, remove_duplicate);
    }
  }

  /** All modules, this one first; each once. */
  *modules(): Generator<Module> {
    for (const [, m] of this.named_modules()) yield m;
  }

  /** The direct children with their names; each module once. */
  *named_children(): Generator<[string, Module]> {
    const seen = new Set<Module>();
    for (const [name, module] of this._modules) {
      if (module === null || seen.has(module)) continue;
      seen.add(module);
      yield [name, module];
    }
  }

  /** The direct children; each once. */
  *children(): Generator<Module> {
    for (const [, m] of this.named_children()) yield m;
  }

  *#namedMembers<T>(
    members: (m: Module) => Iterable<[string, T | null]>,
    { prefix, recurse, remove_duplicate }: Bound<NamedOptions>,
  ): Generator<[string, T]> {
    const seen = new Set<T>();
    const modules: Iterable<[string, Module]> = recurse
      ? this.named_modules({ prefix, remove_duplicate })
      : [[prefix, this]];
    for (const [path, module] of modules) {
      for (const [name, value] of members(module)) {
        if (value === null || seen.has(value)) continue;
        if (remove_duplicate) seen.add(value);
        yield [path === "" ? name : `${path}.${name}`, value];
      }
    }
  }

  /** All parameters with their dotted names: own ones first, then the children's. */
  named_parameters(options?: NamedOptions): Generator<[string, Parameter]>;
  named_parameters(prefix?: string, recurse?: boolean, remove_duplicate?: boolean): Generator<[string, Parameter]>;
  named_parameters(...args: unknown[]): Generator<[string, Parameter]> {
    return this.#namedMembers((m) => m._parameters, NAMED(args));
  }

  /** All parameters; each once. What an optimizer takes. */
  *parameters(recurse: boolean | { recurse?: boolean } = true): Generator<Parameter> {
    const options = isKeywords(recurse) ? recurse : { recurse };
    for (const [, p] of this.named_parameters(options as NamedOptions)) yield p;
  }

  /** All buffers with their dotted names. */
  named_buffers(options?: NamedOptions): Generator<[string, Tensor]>;
  named_buffers(prefix?: string, recurse?: boolean, remove_duplicate?: boolean): Generator<[string, Tensor]>;
  named_buffers(...args: unknown[]): Generator<[string, Tensor]> {
    return this.#namedMembers((m) => m._buffers, NAMED(args));
  }

  /** All buffers; each once. */
  *buffers(recurse: boolean | { recurse?: boolean } = true): Generator<Tensor> {
    const options = isKeywords(recurse) ? recurse : { recurse };
    for (const [, b] of this.named_buffers(options as NamedOptions)) yield b;
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
        if (grad !== null) grad.data = fn(grad);
      }
      for (const [name, b] of this._buffers) if (b !== null) this.#set(name, fn(b));
    });
    return this;
  }

  /** Moves and converts parameters and buffers; floating point and complex ones alone change their dtype. */
  to(device: DeviceLike | DType | Tensor | ToOptions, dtype?: DType | boolean | ToOptions, ...more: unknown[]): this;
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
    for (const [name, p] of this._parameters) if (p) destination.set(prefix + name, keep_vars ? p : p.detach());
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
    for (const name of Object.keys(this)) (copy as unknown as Record<string, unknown>)[name] = deepcopy(this.#get(name), memo);
    copy.#buffers = new Map(this.#buffers);
    copy.#nones = this.#nones && new Map(this.#nones);
    copy.#order = this.#order && [...this.#order];
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
