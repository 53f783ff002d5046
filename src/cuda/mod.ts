/**
 * `torch.cuda`: devices, memory and time on the GPU. Asking whether CUDA is there never fails and never asks for a
 * permission; `why_unavailable()` says in one sentence what is missing.
 *
 * @see https://pytorch.org/docs/stable/cuda.html
 * @module
 */
export {
  can_device_access_peer,
  current_device,
  device,
  device_count,
  get_device_capability,
  get_device_name,
  get_device_properties,
  init,
  is_available,
  is_bf16_supported,
  is_initialized,
  set_device,
  synchronize,
  why_unavailable,
} from "./devices.ts";
export type { DeviceProperties } from "../../ffi/mod.ts";
export {
  empty_cache,
  max_memory_allocated,
  max_memory_reserved,
  mem_get_info,
  memory_allocated,
  memory_reserved,
  memory_stats,
  memory_summary,
  reset_max_memory_allocated,
  reset_peak_memory_stats,
} from "./memory.ts";
export { Event } from "./event.ts";
export { CUDAGraph, graph, is_current_stream_capturing } from "./graphs.ts";
export * as amp from "../amp/cuda.ts";
export { initial_seed, manual_seed, manual_seed_all, seed, seed_all } from "./random.ts";
export { OutOfMemoryError } from "../base/errors.ts";
