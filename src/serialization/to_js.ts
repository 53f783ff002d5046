/**
 * From Python's values to JavaScript's.
 *
 * | Python | JavaScript |
 * | --- | --- |
 * | None, bool, str | null, boolean, string |
 * | int | number if safe, else bigint |
 * | float | number |
 * | list, tuple | Array |
 * | dict with plain text keys | object |
 * | other dict, OrderedDict | Map |
 * | set | Set |
 * | bytes | Uint8Array |
 * | tensor, Parameter, torch.Size, dtype, device | the same |
 *
 * Objects that appear in several places stay one object, and may contain themselves.
 */
import { RuntimeError } from "../base/errors.ts";
import { PyFloat } from "../base/scalar.ts";
import { Size } from "../base/size.ts";
import { noteFloat, noteOn } from "./notes.ts";
import { PyDict, PyGlobal, PySet, PyTuple, type PyValue } from "./python_values.ts";
import { SavedTensor, StorageType } from "./saved_tensor.ts";
import { TypedStorage } from "./globals.ts";

/** Python's own pickler stops at about this depth; it also keeps a hostile file from exhausting the stack. */
const MAX_DEPTH = 1000;

/** Translates a value; `makeTensor` makes each tensor, once. */
export function toJs(value: PyValue, makeTensor: (saved: SavedTensor) => object): unknown {
  const done = new Map<object, unknown>();

  function convert(v: PyValue, depth: number): unknown {
    if (v === null || typeof v !== "object") return v;
    if (v instanceof PyFloat) return v.value;
    const known = done.get(v);
    if (known !== undefined) return known;
    if (depth > MAX_DEPTH) throw new RuntimeError(`values are nested more than ${MAX_DEPTH} deep`);
    if (v instanceof Size) return v; // an Array too
    if (v instanceof PyTuple || Array.isArray(v)) return list(v, depth);
    if (v instanceof PyDict) return dict(v, depth);
    if (v instanceof PySet) {
      const set = remember(v, new Set<unknown>());
      for (const item of v) set.add(convert(item, depth + 1));
      return set;
    }
    if (v instanceof SavedTensor) return remember(v, makeTensor(v));
    if (v instanceof TypedStorage || v instanceof StorageType) {
      throw new RuntimeError("a bare storage cannot be loaded, only tensors");
    }
    if (v instanceof PyGlobal) throw new RuntimeError(`${v} is a Python object that has no counterpart here`);
    return v; // bytes, dtype, device, complex
  }

  function remember<T>(from: object, to: T): T {
    done.set(from, to);
    return to;
  }

  /** The value for a place in a container, with a note if a whole number was a float. */
  function place(container: object, key: unknown, v: PyValue, depth: number): unknown {
    if (v instanceof PyFloat && Number.isInteger(v.value)) noteFloat(container, key, v.value);
    return convert(v, depth + 1);
  }

  function list(v: PyTuple | unknown[], depth: number): unknown[] {
    const array = remember<unknown[]>(v, []), items = v instanceof PyTuple ? v.items : v as PyValue[];
    if (v instanceof PyTuple) noteOn(array).tuple = true;
    for (let i = 0; i < items.length; i++) array.push(place(array, i, items[i]!, depth));
    return array;
  }

  function dict(v: PyDict, depth: number): unknown {
    if (!v.ordered && hasPlainKeys(v)) {
      const object = remember<Record<string, unknown>>(v, {});
      for (const [key, item] of v) object[key as string] = place(object, key, item, depth);
      return object;
    }
    const map = remember(v, new Map<unknown, unknown>());
    if (!v.ordered) noteOn(map).dict = true;
    for (const [key, item] of v) {
      const k = convert(key, depth + 1);
      map.set(k, place(map, k, item, depth));
    }
    if (v.attributes !== undefined) setMetadata(map, v.attributes, depth);
    return map;
  }

  /** A state_dict's versions of its modules, as PyTorch keeps them: an attribute, not an item. */
  function setMetadata(map: Map<unknown, unknown>, attributes: PyDict, depth: number): void {
    const metadata = attributes.get("_metadata");
    if (metadata !== undefined) {
      Object.defineProperty(map, "_metadata", {
        value: convert(metadata, depth + 1),
        writable: true,
        configurable: true,
      });
    }
  }

  return convert(value, 0);
}

/** Whether an object can hold these keys without losing their type or order, or touching its prototype. */
function hasPlainKeys(dict: PyDict): boolean {
  for (const [key] of dict) {
    if (typeof key !== "string" || key === "__proto__" || /^(0|[1-9]\d*)$/.test(key)) return false;
  }
  return true;
}
