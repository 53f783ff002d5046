/**
 * `torch.distributed` over MPI: programs that `mpirun` starts several times.
 *
 * ```sh
 * mpirun -np 2 deno run --allow-all train.ts
 * ```
 *
 * @see https://pytorch.org/docs/stable/distributed.html
 * @module
 */
export {
  destroy_process_group,
  get_backend,
  get_rank,
  get_world_size,
  init_process_group,
  type InitOptions,
  is_available,
  is_gloo_available,
  is_initialized,
  is_mpi_available,
  is_nccl_available,
  new_group,
  ProcessGroup,
} from "./group.ts";
export {
  all_gather,
  all_gather_into_tensor,
  all_reduce,
  all_to_all,
  barrier,
  broadcast,
  type CollectiveOptions,
  gather,
  recv,
  reduce,
  reduce_scatter,
  reduce_scatter_tensor,
  ReduceOp,
  scatter,
  send,
  Work,
} from "./collectives.ts";
