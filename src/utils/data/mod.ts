/**
 * `torch.utils.data`.
 *
 * @module
 */
export { type Collated, default_collate, default_convert } from "./collate.ts";
export { type CollateFunction, DataLoader, type DataLoaderOptions, get_worker_info } from "./dataloader.ts";
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
