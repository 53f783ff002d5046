/**
 * `torch.utils.data`.
 *
 * @module
 */
export { type Collated, default_collate, default_convert } from "./collate.ts";
export { DataLoader, type DataLoaderOptions } from "./dataloader.ts";
export type { CollateFunction } from "./fetch.ts";
export { importable } from "./transfer.ts";
export { get_worker_info, type WorkerInfo } from "./worker_info.ts";
export {
  ChainDataset,
  ConcatDataset,
  Dataset,
  IterableDataset,
  type MapDataset,
  random_split,
  type SampleSource,
  type StreamDataset,
  Subset,
  TensorDataset,
} from "./dataset.ts";
export {
  BatchSampler,
  RandomSampler,
  Sampler,
  SequentialSampler,
  SubsetRandomSampler,
  WeightedRandomSampler,
} from "./sampler.ts";
export { type DistributedOptions, DistributedSampler } from "./distributed.ts";
export { DataChunk, functional_datapipe, IterDataPipe, MapDataPipe } from "./datapipes/datapipe.ts";
export * as datapipes from "./datapipes/mod.ts";
export * as graph_settings from "./datapipes/graph.ts";
