/**
 * `torch.nn`.
 *
 * @module
 */
export * as functional from "./functional.ts";
export * as init from "./init.ts";
export * as modules from "./modules/mod.ts";
export * from "./modules/mod.ts";
export * as parallel from "./parallel/mod.ts";
export * as parameter from "./parameter.ts";
export { Parameter, UninitializedBuffer, UninitializedParameter } from "./parameter.ts";
export * as utils from "./utils/mod.ts";
