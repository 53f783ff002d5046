/**
 * Memory of the devices: what tensors use, and what was taken from the driver to give to tensors.
 *
 * @module
 */
import { mib } from "../base/holdings.ts";
import { translated } from "../backend/cuda.ts";
import { backendFor, type CudaDevice } from "./devices.ts";

/** Bytes that tensors take on a device now. */
export function memory_allocated(device?: CudaDevice): number {
  return backendFor(device).allocator.allocated;
}

/** The most that `memory_allocated` has been. */
export function max_memory_allocated(device?: CudaDevice): number {
  return backendFor(device).allocator.peak;
}

/** Bytes that were taken from the driver, in use or kept for later. */
export function memory_reserved(device?: CudaDevice): number {
  return backendFor(device).allocator.reserved;
}

/** The most that `memory_reserved` has been. */
export function max_memory_reserved(device?: CudaDevice): number {
  return backendFor(device).peakReserved;
}

/** Lets the peaks start from what is in use now. */
export function reset_peak_memory_stats(device?: CudaDevice): void {
  const backend = backendFor(device);
  backend.allocator.peak = backend.allocator.allocated;
  backend.peakReserved = backend.allocator.reserved;
}

/** As `reset_peak_memory_stats`: the older name. */
export const reset_max_memory_allocated: typeof reset_peak_memory_stats = reset_peak_memory_stats;

/** Gives memory that no tensor uses back to the driver. */
export function empty_cache(): void {
  backendFor(null).releaseFree();
}

/** Free and total bytes of a device, as the driver counts them. */
export function mem_get_info(device?: CudaDevice): [number, number] {
  const backend = backendFor(device);
  const { free, total } = translated(() => backend.runtime.memoryInfo());
  return [free, total];
}

/** Counters of a device's memory, by PyTorch's names. */
export function memory_stats(device?: CudaDevice): Record<string, number> {
  const { allocator, peakReserved } = backendFor(device);
  return {
    "allocated_bytes.all.current": allocator.allocated,
    "allocated_bytes.all.peak": allocator.peak,
    "allocation.all.allocated": allocator.allocations,
    "reserved_bytes.all.current": allocator.reserved,
    "reserved_bytes.all.peak": peakReserved,
  };
}

/** `memory_stats` as a table. */
export function memory_summary(device?: CudaDevice): string {
  const rows = Object.entries(memory_stats(device));
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, n]) => `${name.padEnd(width)}  ${/bytes/.test(name) ? mib(n) : n}`).join("\n") +
    "\n";
}
