/**
 * Every operator as a function, and the functions that make tensors from data.
 *
 * @module
 */
export * from "../_gen/functions.ts";
export * from "./from_data_api.ts";
