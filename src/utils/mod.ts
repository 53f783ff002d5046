/**
 * `torch.utils`.
 *
 * @module
 */
export * as checkpoint from "./checkpoint.ts";
export * as data from "./data/mod.ts";
export { find_leaks, type Leak } from "./leaks.ts";
