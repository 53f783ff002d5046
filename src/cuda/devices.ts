/**
 * Which devices there are and which one "cuda" means.
 *
 * @module
 */
import {
  type CudaBackend,
  cudaBackend,
  cudaRuntime,
  currentDevice,
  setCurrentDevice,
  whyUnavailable,
} from "../backend/cuda.ts";
import { Device } from "../base/device.ts";
import { ValueError } from "../base/errors.ts";
import type { DeviceProperties } from "../../ffi/mod.ts";

/** A CUDA device as arguments name it: number, text, `torch.device`; nothing is the current one. */
export type CudaDevice = number | string | Device | null | undefined;

/** The number of a device, or null for the current one. */
function indexOf(device: CudaDevice): number | null {
  if (device === null || device === undefined) return null;
  if (typeof device === "number") return device < 0 ? null : device;
  const d = device instanceof Device ? device : new Device(device);
  if (d.type !== "cuda") throw new ValueError(`Expected a cuda device, but got: ${d}`);
  return d.index;
}

/** The backend that an argument names. */
export function backendFor(device: CudaDevice): CudaBackend {
  return cudaBackend(indexOf(device));
}

/** Whether a CUDA device can be used. */
export function is_available(): boolean {
  return whyUnavailable() === null;
}

/** What is missing where `is_available()` is false, in one sentence; else null. */
export function why_unavailable(): string | null {
  return whyUnavailable();
}

/** How many devices there are; 0 where CUDA is not available. */
export function device_count(): number {
  return is_available() ? cudaRuntime().info.deviceCount : 0;
}

/** Makes CUDA ready. It gets so by itself when it is used. */
export function init(): void {
  cudaRuntime();
}

/** Whether CUDA can be used already: it needs no initialisation of its own. */
export function is_initialized(): boolean {
  return is_available();
}

/** The number of the device that "cuda" means. */
export function current_device(): number {
  return currentDevice();
}

/** Makes a device the one that "cuda" means. A negative number does nothing. */
export function set_device(device: number | string | Device): void {
  const index = indexOf(device);
  if (index !== null) setCurrentDevice(index);
}

/** The device in use between `device(...)` and the end of the block that holds it. */
export class DeviceGuard {
  #before: number | null;
  constructor(index: number | null) {
    this.#before = index === null ? null : setCurrentDevice(index);
  }
  [Symbol.dispose](): void {
    if (this.#before !== null) setCurrentDevice(this.#before);
    this.#before = null;
  }
}

/** Runs `body` with another current device, or gives the guard to `using _ = torch.cuda.device(1)`. */
export function device(device: CudaDevice): DeviceGuard;
export function device<T>(device: CudaDevice, body: () => T): T;
export function device<T>(device: CudaDevice, body?: () => T): T | DeviceGuard {
  const guard = new DeviceGuard(indexOf(device));
  if (body === undefined) return guard;
  try {
    return body();
  } finally {
    guard[Symbol.dispose]();
  }
}

/** Name, memory and limits of a device. */
export function get_device_properties(device?: CudaDevice): DeviceProperties {
  const { index, runtime } = backendFor(device);
  return runtime.properties(index);
}

/** The name of a device. */
export function get_device_name(device?: CudaDevice): string {
  return get_device_properties(device).name;
}

/** The compute capability of a device: major, minor. */
export function get_device_capability(device?: CudaDevice): [number, number] {
  const { major, minor } = get_device_properties(device);
  return [major, minor];
}

/** Whether the current device computes in bfloat16 itself. */
export function is_bf16_supported(): boolean {
  return get_device_properties().major >= 8;
}

/** Whether copies between two devices are possible; the library finds the way. */
export function can_device_access_peer(device: CudaDevice, peer_device: CudaDevice): boolean {
  return backendFor(device) !== backendFor(peer_device);
}

/** Waits until everything that was started on a device has run. */
export function synchronize(device?: CudaDevice): void {
  backendFor(device).synchronize();
}
