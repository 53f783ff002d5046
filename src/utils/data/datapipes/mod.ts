/**
 * `torch.utils.data.datapipes`.
 *
 * @module
 */
export * as iter from "./iter.ts";
export * as map from "./map.ts";
