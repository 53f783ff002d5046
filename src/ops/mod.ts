/**
 * Every operator as a function, for the library itself: the public ones, and those that only `torch.nn` shows.
 *
 * @module
 */
export * from "../_gen/functions.ts";
export * from "../_gen/hidden.ts";
export * from "./from_data_api.ts";
