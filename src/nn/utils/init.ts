/**
 * Making modules without drawing initial values: `torch.nn.utils.skip_init`.
 *
 * @module
 */
import { RuntimeError } from "../../base/errors.ts";
import { isKeywords } from "../../utils/signature.ts";
import { type DeviceLike, Module } from "../modules/module.ts";

/** A `module_cls` whose parameters hold whatever was in memory. */
// deno-lint-ignore no-explicit-any
export function skip_init<M extends Module>(module_cls: new (...args: any[]) => M, ...args: unknown[]): M {
  if (!(module_cls.prototype instanceof Module)) {
    throw new RuntimeError(`Expected a Module; got ${module_cls}`);
  }
  const last = args.at(-1);
  const { device = "cpu", ...options } = isKeywords(last) ? last : {};
  const positional = isKeywords(last) ? args.slice(0, -1) : args;
  return new module_cls(...positional, { ...options, device: "meta" }).to_empty({
    device: device as DeviceLike,
  });
}
