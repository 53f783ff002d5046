/**
 * `torch.nn.parallel`.
 *
 * @module
 */
export {
  data_parallel,
  DataParallel,
  type DataParallelOptions,
  gather,
  scatter,
} from "../modules/data_parallel.ts";
export { DistributedDataParallel, type DistributedDataParallelOptions } from "./distributed.ts";
