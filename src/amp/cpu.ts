/**
 * `torch.cpu`: what of it has a use here, `torch.cpu.amp`.
 *
 * @see https://pytorch.org/docs/stable/amp.html
 * @module
 */
import { cpuAutocast } from "./autocast.ts";

/** `torch.cpu.amp`. */
export const amp: { readonly autocast: typeof cpuAutocast } = { autocast: cpuAutocast };
