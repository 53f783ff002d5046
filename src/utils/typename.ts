/**
 * `torch.typename`: the type of a value as PyTorch's error texts name it.
 *
 * @module
 */
import { Tensor } from "../tensor.ts";

/** `torch.FloatTensor` for a tensor, `int`, `str`, `list`, ... for plain values, the class's name for the rest. */
export function typename(x: unknown): string {
  if (x instanceof Tensor) return x.constructor === Tensor ? String(x.type()) : x.constructor.name;
  if (x === null || x === undefined) return "NoneType";
  if (typeof x === "boolean") return "bool";
  if (typeof x === "bigint") return "int";
  if (typeof x === "number") return Number.isInteger(x) ? "int" : "float";
  if (typeof x === "string") return "str";
  if (Array.isArray(x)) return "list";
  const name = Object.getPrototypeOf(x)?.constructor?.name as string | undefined;
  return name === undefined || name === "Object" || name === "Map"
    ? "dict"
    : name === "Function"
    ? "function"
    : name;
}
