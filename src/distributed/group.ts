/**
 * Process groups over MPI.
 *
 * @module
 */
import { hasMpi, type Mpi, openMpi } from "../../ffi/mpi.ts";
import { RuntimeError, ValueError } from "../base/errors.ts";

/** Some of the processes that were started together. */
export class ProcessGroup {
  readonly mpi: Mpi;
  readonly communicator: bigint;
  /** The processes, by their ranks in the whole. */
  readonly ranks: readonly number[];
  readonly #rank: number;

  constructor(mpi: Mpi, communicator: bigint, ranks: readonly number[], rank: number) {
    this.mpi = mpi;
    this.communicator = communicator;
    this.ranks = ranks;
    this.#rank = rank;
  }
  rank(): number {
    return this.#rank;
  }
  size(): number {
    return this.ranks.length;
  }
  name(): string {
    return "mpi";
  }
  /** The rank in this group of a process, by its rank in the whole. */
  local(rank: number): number {
    const found = this.ranks.indexOf(rank);
    if (found < 0) throw new RuntimeError(`Global rank ${rank} is not part of group`);
    return found;
  }
}

let world: ProcessGroup | null = null;

/** Options of {@linkcode init_process_group}. */
export interface InitOptions {
  init_method?: string | null;
  world_size?: number;
  rank?: number;
}

/**
 * Joins the processes that `mpirun` started. The backend is "mpi"; ranks and sizes are MPI's.
 *
 * @see https://pytorch.org/docs/stable/distributed.html#torch.distributed.init_process_group
 */
export function init_process_group(backend: string = "mpi", options: InitOptions = {}): void {
  if (world !== null) throw new RuntimeError("trying to initialize the default process group twice!");
  const name = backend.toLowerCase();
  if (name !== "mpi") {
    throw name === "nccl" || name === "gloo"
      ? new RuntimeError(
        `Distributed package doesn't have ${name.toUpperCase()} built in: start with mpirun and use "mpi"`,
      )
      : new ValueError(`Invalid backend: '${backend}'`);
  }
  const mpi = openMpi(), rank = mpi.rank(mpi.world), size = mpi.size(mpi.world);
  for (
    const [what, given, real] of [["rank", options.rank, rank], [
      "world_size",
      options.world_size,
      size,
    ]] as const
  ) {
    if (given !== undefined && given !== -1 && given !== real) {
      throw new ValueError(`init_process_group: ${what} is ${given}, but mpirun says ${real}`);
    }
  }
  world = new ProcessGroup(mpi, mpi.world, Array.from({ length: size }, (_, i) => i), rank);
}

/** The group of an argument; all processes if none is given. */
export function groupOf(group: ProcessGroup | null | undefined): ProcessGroup {
  if (world === null) {
    throw new RuntimeError(
      "Default process group has not been initialized, please make sure to call init_process_group.",
    );
  }
  return group ?? world;
}

/** A group of some processes, by their ranks. All processes must call it; those outside get null. */
export function new_group(ranks: readonly number[] | null = null): ProcessGroup | null {
  const all = groupOf(null), members = ranks === null ? [...all.ranks] : [...ranks].sort((a, b) => a - b);
  for (const rank of members) {
    if (rank < 0 || rank >= all.size()) {
      throw new RuntimeError(
        "The new group's rank should be within the the world_size set by init_process_group",
      );
    }
  }
  const at = members.indexOf(all.rank());
  const communicator = all.mpi.split(all.communicator, at < 0 ? 1 : 0, all.rank());
  return at < 0 ? null : new ProcessGroup(all.mpi, communicator, members, at);
}

/** Leaves MPI; waits for the other processes. A program that ends without errors does it by itself. */
export function destroy_process_group(): void {
  groupOf(null).mpi.finalize();
  world = null;
}

export function is_initialized(): boolean {
  return world !== null;
}
/** Whether processes can talk to each other here. */
export function is_available(): boolean {
  return is_mpi_available();
}
/** Whether Open MPI is installed and may be loaded. */
export function is_mpi_available(): boolean {
  return hasMpi();
}
export function is_nccl_available(): boolean {
  return false;
}
export function is_gloo_available(): boolean {
  return false;
}
/** This process's number in the group. */
export function get_rank(group?: ProcessGroup | null): number {
  return groupOf(group).rank();
}
/** How many processes are in the group. */
export function get_world_size(group?: ProcessGroup | null): number {
  return groupOf(group).size();
}
export function get_backend(group?: ProcessGroup | null): string {
  return groupOf(group).name();
}
