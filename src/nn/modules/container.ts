/**
 * Containers of modules and parameters.
 *
 * @module
 */
import { AssertionError, IndexError, RuntimeError, ValueError, warnOnce } from "../../base/errors.ts";
import { Tensor } from "../../tensor.ts";
import { isKeywords } from "../../utils/signature.ts";
import { deepcopy, type Memo } from "../../utils/copy.ts";
import { typename } from "../../utils/typename.ts";
import { Parameter } from "../parameter.ts";
import { Module } from "./module.ts";

/** Values by name: a Map, a plain object, or pairs. */
export type Named<T> = ReadonlyMap<string, T> | Readonly<Record<string, T>> | Iterable<readonly [string, T]>;

function isIterable(x: unknown): x is Iterable<unknown> {
  return x !== null && x !== undefined &&
    typeof (x as Partial<Iterable<unknown>>)[Symbol.iterator] === "function";
}

/** The pairs of `named`; `what` asked for them. */
function* pairs<T>(named: Named<T>, what: string): Generator<readonly [string, T]> {
  if (isKeywords(named)) {
    yield* Object.entries(named as Record<string, T>);
    return;
  }
  if (!isIterable(named)) {
    throw new TypeError(
      `${what}.update should be called with an iterable of key/value pairs, but got ${typename(named)}`,
    );
  }
  let j = 0;
  const entries = named instanceof ModuleDict || named instanceof ParameterDict ? named.items() : named;
  for (const pair of entries as Iterable<readonly [string, T]>) {
    if (!isIterable(pair)) {
      throw new TypeError(`${what} update sequence element #${j} should be Iterable; is${typename(pair)}`);
    }
    if (pair.length !== 2) {
      throw new ValueError(`${what} update sequence element #${j} has length ${pair.length}; 2 is required`);
    }
    yield pair;
    j++;
  }
}

/** `index` counted from the front. */
function absolute(index: number, length: number): number {
  if (!(index >= -length && index < length)) throw new IndexError(`index ${index} is out of range`);
  return index < 0 ? index + length : index;
}

/** A module whose children form a list. */
abstract class ModuleSequence extends Module {
  [index: number]: Module;

  /** How many modules there are. */
  override get length(): number {
    return this._modules.size;
  }

  *[Symbol.iterator](): Generator<Module> {
    yield* this._children();
  }

  /** The name of the module at `index`. */
  _keyAt(index: number): string {
    const keys = [...this._modules.keys()];
    return keys[absolute(index, keys.length)]!;
  }

  /** The module at `index`; negative ones count from the end. */
  at(index: number): Module {
    return this._modules.get(this._keyAt(index))!;
  }

  /** Replaces the module at `index`. */
  set(index: number, module: Module): void {
    this.add_module(this._keyAt(index), module);
  }

  /** Appends a module. */
  append(module: Module): this {
    this.add_module(String(this.length), module);
    return this;
  }

  /** Appends modules. */
  extend(modules: Iterable<Module>): this {
    if (!isIterable(modules)) {
      throw new TypeError(
        `${this._get_name()}.extend should be called with an iterable, but got ${typename(modules)}`,
      );
    }
    for (const m of [...modules]) this.append(m);
    return this;
  }

  /** Inserts a module before `index`. */
  insert(index: number, module: Module): this {
    if (!(module instanceof Module)) {
      throw new AssertionError("module should be of type: <class 'torch.nn.modules.module.Module'>");
    }
    const all = [...this];
    if (!(index >= -all.length && index <= all.length)) throw new IndexError(`Index out of range: ${index}`);
    all.splice(index < 0 ? index + all.length : index, 0, module);
    this._renumber(all);
    return this;
  }

  /** Removes and returns the module at `index`. */
  pop(index: number): Module {
    const key = this._keyAt(index);
    const module = this._modules.get(key)!;
    Reflect.deleteProperty(this, key);
    this._renumber([...this]);
    return module;
  }

  /** Makes `all` the modules, under the names 0, 1, ... */
  _renumber(all: Module[]): void {
    for (const k of this._modules.keys()) Reflect.deleteProperty(this, k);
    all.forEach((m, i) => this.add_module(String(i), m));
  }
}

/**
 * Modules called one after the other.
 *
 * ```ts
 * const net = new nn.Sequential(new nn.Linear(784, 128), new nn.ReLU(), new nn.Linear(128, 10));
 * const named = new nn.Sequential({ fc: new nn.Linear(784, 10), act: new nn.ReLU() });
 * ```
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Sequential.html
 */
export class Sequential extends ModuleSequence {
  constructor(named: ReadonlyMap<string, Module> | Readonly<Record<string, Module>>);
  constructor(...modules: Module[]);
  constructor(...args: unknown[]) {
    super();
    const [first] = args;
    if (args.length === 1 && (first instanceof Map || isKeywords(first))) {
      for (const [name, m] of pairs(first as Named<Module>, "Sequential")) this.add_module(name, m);
    } else args.forEach((m, i) => this.add_module(String(i), m as Module));
  }

  override forward(input: Tensor): Tensor {
    let x = input;
    for (const m of this._children()) x = m.call(x) as Tensor;
    return x;
  }

  /** The modules from `start` to before `end`, under the names they have here. */
  slice(start?: number, end?: number): Sequential {
    return new Sequential(new Map([...this._modules].slice(start, end) as [string, Module][]));
  }
}

/**
 * A list of modules; what to do with them is up to `forward` of the module that has it.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.ModuleList.html
 */
export class ModuleList extends ModuleSequence {
  constructor(modules?: Iterable<Module> | null) {
    super();
    if (modules) this.extend(modules);
  }

  /** A list of the modules from `start` to before `end`. */
  slice(start?: number, end?: number): ModuleList {
    return new ModuleList([...this].slice(start, end));
  }
}

/**
 * Modules by name; what to do with them is up to `forward` of the module that has it.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.ModuleDict.html
 */
export class ModuleDict extends Module {
  constructor(modules?: Named<Module> | null) {
    super();
    if (modules) this.update(modules);
  }

  /** How many modules there are. */
  override get length(): number {
    return this._modules.size;
  }
  *[Symbol.iterator](): Generator<string> {
    yield* this._modules.keys();
  }

  /** The module of this name. */
  get(key: string): Module | undefined {
    return this._modules.get(key) ?? undefined;
  }
  /** Adds or replaces a module. */
  set(key: string, module: Module): this {
    this.add_module(key, module);
    return this;
  }
  /** Is there a module of this name? */
  has(key: string): boolean {
    return this._modules.has(key);
  }
  /** Removes a module; was it there? */
  delete(key: string): boolean {
    return this.has(key) && Reflect.deleteProperty(this, key);
  }
  /** Removes all modules. */
  clear(): void {
    for (const k of this._modules.keys()) this.delete(k);
  }
  /** Removes and returns a module. */
  pop(key: string): Module | undefined {
    const module = this.get(key);
    this.delete(key);
    return module;
  }
  keys(): IterableIterator<string> {
    return this._modules.keys();
  }
  *values(): Generator<Module> {
    for (const [, m] of this.items()) yield m;
  }
  *items(): Generator<[string, Module]> {
    for (const [k, m] of this._modules) if (m !== null) yield [k, m];
  }
  /** Adds modules, replacing those of the same name. */
  update(modules: Named<Module>): void {
    for (const [k, m] of pairs(modules, "ModuleDict")) this.set(k, m);
  }
}

/** How a container of parameters prints one entry. */
function entryText(value: unknown, type: (t: Tensor) => string): string {
  if (!(value instanceof Tensor)) return `Object of type: ${typename(value)}`;
  const kind = value instanceof Parameter ? "Parameter" : "Tensor";
  const gpu = value.is_cuda ? ` (GPU ${value.get_device()})` : "";
  return `${kind} containing: [${type(value)} of size ${value.shape.join("x")}${gpu}]`;
}

/** Tensors in a container of parameters are parameters; anything else is kept as it is. */
function asParameter(value: unknown): unknown {
  return value instanceof Tensor && !(value instanceof Parameter) ? new Parameter(value) : value;
}

/**
 * A list of parameters.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.ParameterList.html
 */
export class ParameterList extends Module {
  [index: number]: Parameter;
  #size = 0;

  constructor(values?: Iterable<Tensor> | null) {
    super();
    if (values) this.extend(values);
  }

  /** How many entries there are. */
  override get length(): number {
    return this.#size;
  }
  *[Symbol.iterator](): Generator<Parameter> {
    for (let i = 0; i < this.#size; i++) yield this[i]!;
  }
  /** The entry at `index`; negative ones count from the end. */
  at(index: number): Parameter {
    return this[absolute(index, this.#size)]!;
  }
  /** Replaces the entry at `index`. */
  set(index: number, value: Tensor): void {
    this[absolute(index, this.#size)] = asParameter(value) as Parameter;
  }
  /** Appends a parameter. */
  append(value: Tensor): this {
    this[this.#size++] = asParameter(value) as Parameter;
    return this;
  }
  /** Appends parameters. */
  extend(values: Iterable<Tensor>): this {
    if (!isIterable(values) || values instanceof Tensor) {
      throw new TypeError(
        `ParameterList.extend should be called with an iterable, but got ${typename(values)}`,
      );
    }
    for (const v of values) this.append(v);
    return this;
  }

  override __deepcopy__(memo: Memo): this {
    const copy = new ParameterList([...this].map((p) => deepcopy(p, memo)));
    memo.set(this, copy);
    return copy as this;
  }
  override extra_repr(): string {
    return [...this].map((p, i) => `  (${i}): ${entryText(p, (t) => String(t.dtype))}`).join("\n");
  }
  override forward(): never {
    throw new RuntimeError("ParameterList should not be called.");
  }
}

/**
 * Parameters by name.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.ParameterDict.html
 */
export class ParameterDict extends Module {
  #keys = new Set<string>();

  constructor(parameters?: Named<Tensor> | null) {
    super();
    if (parameters) this.update(parameters);
  }

  /** How many entries there are. */
  override get length(): number {
    return this.#keys.size;
  }
  *[Symbol.iterator](): Generator<string> {
    yield* this.#keys;
  }

  /** The entry of this name, else `fallback`. */
  get(key: string, fallback: Parameter | null = null): Parameter | null {
    return this.#keys.has(key) ? (this as unknown as Record<string, Parameter>)[key]! : fallback;
  }
  /** Adds or replaces an entry. */
  set(key: string, value: Tensor | null): this {
    if (typeof key !== "string") {
      throw new TypeError(
        "Index given to ParameterDict cannot be used as a key as it is not a string (type is " +
          `'${typename(key)}'). Open an issue on github if you need non-string keys.`,
      );
    }
    this.#keys.add(key);
    (this as unknown as Record<string, unknown>)[key] = asParameter(value);
    return this;
  }
  /** Is there an entry of this name? */
  has(key: string): boolean {
    return this.#keys.has(key);
  }
  /** Removes an entry; was it there? */
  delete(key: string): boolean {
    return this.#keys.delete(key) && Reflect.deleteProperty(this, key);
  }
  /** Removes all entries. */
  clear(): void {
    for (const k of [...this.#keys]) this.delete(k);
  }
  /** Removes and returns an entry. */
  pop(key: string): Parameter | null {
    const value = this.get(key);
    this.delete(key);
    return value;
  }
  /** Removes and returns the last entry with its name. */
  popitem(): [string, Parameter | null] {
    const key = [...this.#keys].at(-1);
    if (key === undefined) throw new IndexError("dictionary is empty");
    return [key, this.pop(key)];
  }
  /** The entry of this name, made from `value` if there is none. */
  setdefault(key: string, value: Tensor | null = null): Parameter | null {
    if (!this.has(key)) this.set(key, value);
    return this.get(key);
  }
  /** A dict of the same parameters. */
  copy(): ParameterDict {
    return new ParameterDict(new Map(this.items()));
  }
  /** A dict with `value` under each of the names. */
  fromkeys(keys: Iterable<string>, value: Tensor | null = null): ParameterDict {
    const made = new ParameterDict();
    for (const k of keys) made.set(k, value);
    return made;
  }
  keys(): IterableIterator<string> {
    return this.#keys.keys();
  }
  *values(): Generator<Parameter> {
    for (const [, p] of this.items()) yield p;
  }
  *items(): Generator<[string, Parameter]> {
    for (const k of this.#keys) yield [k, (this as unknown as Record<string, Parameter>)[k]!];
  }
  /** Adds parameters, replacing those of the same name; a plain object's come in the order of their names. */
  update(parameters: Named<Tensor>): void {
    const all = [...pairs(parameters, "ParametersDict")];
    if (isKeywords(parameters)) all.sort(([a], [b]) => a < b ? -1 : 1);
    for (const [k, p] of all) this.set(k, p);
  }

  override __deepcopy__(memo: Memo): this {
    const copy = new ParameterDict(new Map([...this.items()].map(([k, p]) => [k, deepcopy(p, memo)])));
    memo.set(this, copy);
    return copy as this;
  }
  override extra_repr(): string {
    return [...this.items()].map(([k, p]) => `  (${k}): ${entryText(p, (t) => String(t.type()))}`).join("\n");
  }
  override forward(): never {
    throw new RuntimeError("ParameterDict should not be called.");
  }
}

/**
 * Deprecated: subclass `Module`.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.nn.Container.html
 */
export class Container extends Module {
  constructor(modules: Readonly<Record<string, Module>> = {}) {
    super();
    warnOnce(
      "UserWarning",
      "nn.Container is deprecated. All of it's functionality is now implemented in nn.Module. Subclass that instead.",
    );
    for (const [k, m] of Object.entries(modules)) this.add_module(k, m);
  }
}
