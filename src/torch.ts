/**
 * The `torch` namespace, without the loading of the core: `mod.ts` and `edge.ts` do that in their ways.
 *
 * @module
 */
import * as nn from "./nn/mod.ts";
import * as utils from "./utils/mod.ts";
import { exportsOfLibrary } from "./utils/data/transfer.ts";
import * as vision from "./vision/mod.ts";

export * from "./_gen/functions.ts";
export * from "./ops/from_data_api.ts";
export * from "./ops/shape_api.ts";
export * from "./ops/tensor_functions.ts";
export * from "./constants.ts";
export * from "./determinism.ts";
export * as linalg from "./_gen/linalg.ts";
export * as special from "./_gen/special.ts";
export * as masked from "./_gen/masked.ts";
export * as fft from "./_gen/fft.ts";
export * as autograd from "./autograd/mod.ts";
export * as func from "./func.ts";
export { vmap } from "./autograd/vmap/vmap.ts";
export * as random from "./random.ts";
export * as amp from "./amp/mod.ts";
export {
  autocast,
  clear_autocast_cache,
  get_autocast_cpu_dtype,
  get_autocast_gpu_dtype,
  is_autocast_cache_enabled,
  is_autocast_cpu_enabled,
  is_autocast_enabled,
  set_autocast_cache_enabled,
  set_autocast_cpu_dtype,
  set_autocast_cpu_enabled,
  set_autocast_enabled,
  set_autocast_gpu_dtype,
} from "./amp/autocast.ts";
export * as cpu from "./amp/cpu.ts";
export * as cuda from "./cuda/mod.ts";
export * as distributed from "./distributed/mod.ts";
export * as nn from "./nn/mod.ts";
export * as optim from "./optim/mod.ts";
export * as utils from "./utils/mod.ts";
export * as vision from "./vision/mod.ts";
export { Tensor } from "./tensor.ts";
export {
  bfloat16,
  bool,
  can_cast,
  complex128,
  complex128 as cdouble,
  complex64,
  complex64 as cfloat,
  DType as dtype,
  float16,
  float16 as half,
  float32,
  float32 as float,
  float64,
  float64 as double,
  get_default_dtype,
  int16,
  int16 as short,
  int32,
  int32 as int,
  int64,
  int64 as long,
  int8,
  promote_types,
  set_default_dtype,
  uint8,
} from "./base/dtype.ts";
export { Device, device } from "./base/device.ts";
export { Size } from "./base/size.ts";
export { Complex, PyFloat, pyfloat, type Scalar } from "./base/scalar.ts";
export {
  AssertionError,
  AttributeError,
  IndexError,
  KeyError,
  LinAlgError,
  NotImplementedError,
  OutOfMemoryError,
  RuntimeError,
  ValueError,
} from "./base/errors.ts";
export {
  enable_grad,
  inference_mode,
  is_grad_enabled,
  is_inference_mode_enabled,
  no_grad,
  set_grad_enabled,
} from "./autograd/grad_mode.ts";
export {
  default_generator,
  fork_rng,
  Generator,
  get_rng_state,
  initial_seed,
  manual_seed,
  seed,
  set_rng_state,
} from "./random.ts";
export { Ellipsis, Slice } from "./ops/index_args.ts";
export { load, save, save_to_bytes } from "./serialization.ts";
export { set_printoptions } from "./tensor_str.ts";
export { deepcopy } from "./utils/copy.ts";
export {
  __version__,
  finfo,
  get_num_interop_threads,
  get_num_threads,
  iinfo,
  is_complex,
  is_floating_point,
  is_nonzero,
  is_storage,
  is_tensor,
  memory_stats,
  memory_summary,
  numel,
  scope,
  set_memory_limit,
  set_num_threads,
  show_config,
  version,
} from "./config.ts";

exportsOfLibrary({ nn: { functional: nn.functional }, utils, vision }); // what datasets for worker threads are made of
