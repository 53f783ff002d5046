/**
 * What a module holds: parameters, buffers and children as ordinary properties, and the walks over them.
 *
 * @module
 */
import { escape } from "../../base/storage.ts";
import { AttributeError, KeyError } from "../../base/errors.ts";
import { Tensor } from "../../tensor.ts";
import { type Bound, isKeywords, signature } from "../../utils/signature.ts";
import { typename } from "../../utils/typename.ts";
import { Parameter } from "../parameter.ts";
import type { Module } from "./module.ts";

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
const NAMED = signature<NamedOptions>("named_parameters", {
  prefix: "",
  recurse: true,
  remove_duplicate: true,
});
const NAMED_MODULES = signature<NamedModulesOptions>("named_modules", {
  memo: null,
  prefix: "",
  remove_duplicate: true,
});
const BUFFER = signature<{ persistent?: boolean }>("register_buffer", { persistent: true });

/**
 * Makes every instance a function that calls itself with hooks. A class of its own: the private fields of a class are
 * put on what its base class returns.
 */
class Callable {
  constructor() {
    const self = (...input: unknown[]): unknown => (self as unknown as Module).call(...input);
    // A function's own `name` and `length` are read-only; without them properties of these names are free.
    Reflect.deleteProperty(self, "name");
    Reflect.deleteProperty(self, "length");
    return Object.setPrototypeOf(self, new.target.prototype) as Callable;
  }
}

/** The part of `Module` that knows its members. */
export abstract class Registry extends Callable {
  /** Names of buffers, in order, and whether each is saved. */
  #buffers = new Map<string, boolean>();
  /** Names that were registered as None. */
  #nones: Map<string, "parameter" | "module"> | null = null;
  /**
   * The registration order, kept only where it is not the order of the properties: JavaScript lists names like "10"
   * first and by value.
   */
  #order: string[] | null = null;

  // ------------------------------------------------------------------------------------------------ registering

  get #self(): Module {
    return this as unknown as Module;
  }

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

  /** Assigns a property so that registration order holds for names such as "10" too. */
  _assign(name: string, value: unknown): void {
    if (this.#order !== null) {
      const at = this.#order.indexOf(name);
      if (at < 0 || !Object.hasOwn(this, name)) {
        if (at >= 0) this.#order.splice(at, 1);
        this.#order = [...this.#names().filter((k) => k !== name), name];
      }
    } else if (
      isIndex(name) && !Object.hasOwn(this, name) && Object.keys(this).some((k) => this.#precedes(k, name))
    ) {
      this.#order = [...Object.keys(this), name];
    }
    (this as unknown as Record<string, unknown>)[name] = value;
  }

  /** Would the member `known`, registered before the one with the index `name`, be listed after it? */
  #precedes(known: string, name: string): boolean {
    return isIndex(known) ? Number(known) > Number(name) : this.#isMember(known);
  }

  #isMember(name: string): boolean {
    const value = this.#get(name);
    return isModule(value) || value instanceof Parameter ||
      (value === null && this.#nones?.has(name) === true);
  }

  #none(name: string, kind: "parameter" | "module"): void {
    (this.#nones ??= new Map()).set(name, kind);
  }

  #checkName(kind: "parameter" | "buffer" | "module", name: unknown, known: boolean): asserts name is string {
    if (typeof name !== "string") {
      throw new TypeError(`${kind} name should be a string. Got ${typename(name)}`);
    }
    const dot = name.includes(".");
    if (kind !== "module" && dot) throw new KeyError(`${kind} name can't contain "."`);
    if (kind !== "module" && name === "") throw new KeyError(`${kind} name can't be empty string ""`);
    // A declared class field is there but undefined until it is assigned.
    if (this.#get(name) !== undefined && !known) throw new KeyError(`attribute '${name}' already exists`);
    if (dot) throw new KeyError(`module name can't contain ".", got: ${name}`);
    if (name === "") throw new KeyError(`module name can't be empty string ""`);
  }

  /** Adds a tensor that is part of the module's state but no parameter, such as a running mean. */
  register_buffer(
    name: string,
    tensor: Tensor | null,
    persistent?: boolean | { persistent?: boolean },
  ): void {
    const { persistent: saved } = BUFFER([persistent]);
    this.#checkName("buffer", name, this.#buffers.has(name));
    if (tensor !== null && !(tensor instanceof Tensor)) {
      throw new TypeError(
        `cannot assign '${typename(tensor)}' object to buffer '${name}' (torch Tensor or None required)`,
      );
    }
    this._assign(name, tensor);
    if (tensor !== null) escape(tensor.storage); // it outlives the scope that it may be made in
    this.#buffers.set(name, saved);
  }

  /** Adds a parameter; null keeps the name for one that this configuration does not have. */
  register_parameter(name: string, param: Parameter | null): void {
    this.#checkName("parameter", name, this._parameters.has(name));
    if (param !== null && !(param instanceof Parameter)) {
      throw new TypeError(
        `cannot assign '${
          typename(param)
        }' object to parameter '${name}' (torch.nn.Parameter or None required)`,
      );
    }
    if (param === null) this.#none(name, "parameter");
    this._assign(name, param);
  }

  /** Adds a child module. */
  add_module(name: string, module: Module | null): void {
    if (module !== null && !isModule(module)) {
      throw new TypeError(`${typename(module)} is not a Module subclass`);
    }
    this.#checkName("module", name, this._modules.has(name));
    if (module === null) this.#none(name, "module");
    this._assign(name, module);
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
      if (isModule(v) || (v === null && this.#nones?.get(k) === "module")) found.set(k, v);
    }
    return found;
  }

  /** The children in order, without names: what calls them one after the other goes through. */
  _children(): Module[] {
    const found: Module[] = [];
    for (const k of this.#names()) {
      const v = this.#get(k);
      if (isModule(v)) found.push(v);
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
    if (module.#get(name) === undefined) {
      throw new AttributeError(`${module._get_name()} has no attribute \`${name}\``);
    }
    return [module, name];
  }

  /** The module at a dotted path: `net.get_submodule("layer1.0.conv1")`. */
  get_submodule(target: string): Module {
    let module = this.#self;
    if (target === "") return module;
    for (const item of target.split(".")) {
      if (module.#get(item) === undefined) {
        throw new AttributeError(`${module._get_name()} has no attribute \`${item}\``);
      }
      const next = module.#get(item);
      if (!isModule(next)) throw new AttributeError(`\`${item}\` is not an nn.Module`);
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
  named_modules(
    memo?: Set<Module> | null,
    prefix?: string,
    remove_duplicate?: boolean,
  ): Generator<[string, Module]>;
  *named_modules(...args: unknown[]): Generator<[string, Module]> {
    const { memo, prefix, remove_duplicate } = NAMED_MODULES(args);
    const seen = memo ?? new Set<Module>();
    if (seen.has(this.#self)) return;
    if (remove_duplicate) seen.add(this.#self);
    yield [prefix, this.#self];
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
      : [[prefix, this.#self]];
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
  named_parameters(
    prefix?: string,
    recurse?: boolean,
    remove_duplicate?: boolean,
  ): Generator<[string, Parameter]>;
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

  /** Takes over how the members of `other` are named. */
  _copyNames(other: Registry): void {
    this.#buffers = new Map(other.#buffers);
    this.#nones = other.#nones && new Map(other.#nones);
    this.#order = other.#order && [...other.#order];
  }
}

/** Is this a name that JavaScript takes for an index? */
function isIndex(name: string): boolean {
  return /^(0|[1-9]\d*)$/.test(name);
}

function isModule(value: unknown): value is Module {
  return value instanceof Registry;
}
