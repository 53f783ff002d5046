/**
 * What `state_dict()` returns and how `load_state_dict()` reads it.
 *
 * @module
 */
import { RuntimeError } from "../../base/errors.ts";
import { no_grad } from "../../autograd/grad_mode.ts";
import { Tensor } from "../../tensor.ts";
import { listRepr } from "../../utils/pyrepr.ts";
import { typename } from "../../utils/typename.ts";
import type { Module } from "./module.ts";

/** The format version of one module's entries. */
export interface LocalMetadata {
  version?: number;
}

/** Tensors by dotted name, in PyTorch's order, with the format version of each module. */
// deno-lint-ignore no-explicit-any
export class StateDict extends Map<string, any> {
  _metadata: Map<string, LocalMetadata> = new Map();

  static override get [Symbol.species](): MapConstructor {
    return Map;
  }
}

/** A state_dict as a Map or a plain object. */
export type StateDictLike = ReadonlyMap<string, unknown> | Readonly<Record<string, unknown>>;

/** The keys that did not match: `[missing_keys, unexpected_keys]`, also by name. */
export class IncompatibleKeys extends Array<string[]> {
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }

  constructor(missing_keys: string[], unexpected_keys: string[]) {
    super(missing_keys, unexpected_keys);
  }

  get missing_keys(): string[] {
    return this[0]!;
  }
  get unexpected_keys(): string[] {
    return this[1]!;
  }

  override toString(): string {
    if (this.missing_keys.length + this.unexpected_keys.length === 0) {
      return "<All keys matched successfully>";
    }
    return `_IncompatibleKeys(missing_keys=${listRepr(this.missing_keys)}, unexpected_keys=${
      listRepr(this.unexpected_keys)
    })`;
  }
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }
}

const quoted = (keys: readonly string[]): string => keys.map((k) => `"${k}"`).join(", ");

/** `Module.load_state_dict`. */
export function loadStateDict(root: Module, source: StateDictLike, strict: boolean): IncompatibleKeys {
  if (source === null || typeof source !== "object") {
    throw new TypeError(`Expected state_dict to be dict-like, got <class '${typename(source)}'>.`);
  }
  const metadata = (source as Partial<StateDict>)._metadata instanceof Map
    ? (source as StateDict)._metadata
    : null;
  const missing: string[] = [], unexpected: string[] = [], errors: string[] = [];

  const load = (module: Module, entries: Map<string, unknown>, prefix: string): void => {
    module._load_from_state_dict(
      entries,
      prefix,
      metadata?.get(prefix.slice(0, -1)) ?? {},
      true,
      missing,
      unexpected,
      errors,
    );
    for (const [name, child] of module._modules) {
      if (child === null) continue;
      const path = `${prefix}${name}.`;
      load(child, new Map([...entries].filter(([k]) => k.startsWith(path))), path);
    }
    const keys = new IncompatibleKeys(missing, unexpected);
    for (const hook of module._hooks?.loadPost.values() ?? []) hook(module, keys);
  };
  // A copy: modules may change it while they read older layouts.
  load(root, new Map(source instanceof Map ? source : Object.entries(source)), "");

  if (strict) {
    if (unexpected.length > 0) errors.unshift(`Unexpected key(s) in state_dict: ${quoted(unexpected)}. `);
    if (missing.length > 0) errors.unshift(`Missing key(s) in state_dict: ${quoted(missing)}. `);
  }
  if (errors.length > 0) {
    throw new RuntimeError(
      `Error(s) in loading state_dict for ${root._get_name()}:\n\t${errors.join("\n\t")}`,
    );
  }
  return new IncompatibleKeys(missing, unexpected);
}

/** `Module._load_from_state_dict`: reads one module's own entries. */
export function loadOwnEntries(
  module: Module,
  entries: Map<string, unknown>,
  prefix: string,
  strict: boolean,
  missing: string[],
  unexpected: string[],
  errors: string[],
): void {
  const local = new Map<string, Tensor>();
  for (const [k, v] of [...module._parameters, ...module._persistentBuffers]) if (v) local.set(k, v);
  for (const [name, target] of local) {
    const key = prefix + name;
    if (!entries.has(key)) {
      if (strict) missing.push(key);
      continue;
    }
    const error = copyEntry(target, entries.get(key), key);
    if (error !== null) errors.push(error);
  }
  const extra = `${prefix}_extra_state`;
  if (module._hasExtraState) {
    if (entries.has(extra)) module.set_extra_state(entries.get(extra));
    else if (strict) missing.push(extra);
  } else if (strict && entries.has(extra)) unexpected.push(extra);
  if (!strict) return;
  const children = module._modules;
  for (const key of entries.keys()) {
    if (!key.startsWith(prefix) || key === extra) continue;
    const name = key.slice(prefix.length).split(".", 1)[0]!;
    if (!children.has(name) && !local.has(name)) unexpected.push(key);
  }
}

/** Copies one entry into its parameter or buffer; returns what is wrong with it, if anything is. */
function copyEntry(target: Tensor, entry: unknown, key: string): string | null {
  if (!(entry instanceof Tensor)) {
    return `While copying the parameter named "${key}", expected torch.Tensor or Tensor-like object from checkpoint ` +
      `but received <class '${typename(entry)}'>`;
  }
  // Checkpoints of PyTorch 0.3 have [1] where newer ones have a scalar.
  const source = target.dim() === 0 && entry.dim() === 1 ? entry.select(0, 0) : entry;
  if (String(source.shape) !== String(target.shape)) {
    return `size mismatch for ${key}: copying a param with shape ${source.shape} from checkpoint, ` +
      `the shape in current model is ${target.shape}.`;
  }
  try {
    no_grad(() => target.copy_(source));
    return null;
  } catch (e) {
    return `While copying the parameter named "${key}", whose dimensions in the model are ${target.shape} and whose ` +
      `dimensions in the checkpoint are ${source.shape}, an exception occurred : ('${
        (e as Error).message
      }',).`;
  }
}
