/**
 * The exception classes, named as in Python so that `e.constructor.name` and `e.name` read as in PyTorch.
 * `TypeError` is JavaScript's own.
 *
 * @module
 */

/** An operation failed: shapes that do not fit, a graph that was freed, a device that is missing. */
export class RuntimeError extends Error {
  override name = "RuntimeError";
}

/** An argument has the right type but an impossible value. */
export class ValueError extends RangeError {
  override name = "ValueError";
}

/** An index or dimension is out of range. */
export class IndexError extends RangeError {
  override name = "IndexError";
}

/** The operation exists in PyTorch but not for these arguments. */
export class NotImplementedError extends RuntimeError {
  override name = "NotImplementedError";
}

/** A name that is not there. */
export class KeyError extends Error {
  override name = "KeyError";
}

/** An attribute that is not there. */
export class AttributeError extends Error {
  override name = "AttributeError";
}

/** A condition that must hold for the arguments does not: Python's `assert`. */
export class AssertionError extends Error {
  override name = "AssertionError";
}

/** A numerical routine of `torch.linalg` found a singular or otherwise unusable matrix. */
export class LinAlgError extends RuntimeError {
  override name = "_LinAlgError";
}

/** Memory could not be had, also after everything unused was given back. */
export class OutOfMemoryError extends RuntimeError {
  override name = "OutOfMemoryError";
}

/** Something only a bug in tstorch can cause. */
export function internalError(what: string): RuntimeError {
  return new RuntimeError(`internal error: ${what}. Please report this.`);
}

const warned = new Set<string>();

/** Prints `category: text` through `console.warn`, once per process and text, as Python's default filter does. */
export function warnOnce(category: string, text: string): void {
  const line = `${category}: ${text}`;
  if (warned.has(line)) return;
  warned.add(line);
  console.warn(line);
}

/** PyTorch's error where an operation meets tensors of two devices. */
export function differentDevices(a: unknown, b: unknown): RuntimeError {
  return new RuntimeError(
    `Expected all tensors to be on the same device, but found at least two devices, ${a} and ${b}!`,
  );
}
