/**
 * `torch.nn.parallel`.
 *
 * @module
 */
export { DataParallel } from "../modules/data_parallel.ts";
export { DistributedDataParallel, type DistributedDataParallelOptions } from "./distributed.ts";
