/**
 * Which backend serves a device.
 *
 * @module
 */
import type { Backend } from "../base/backend.ts";
import { Device } from "../base/device.ts";
import { RuntimeError } from "../base/errors.ts";
import { metaBackend } from "./meta.ts";
import { cpuBackend } from "./wasm.ts";

// Set by cuda.ts, which is loaded only when somebody asks for a CUDA device.
let cudaBackend: (index: number | null) => Backend = () => {
  throw new RuntimeError("CUDA is not available: the CUDA backend is not loaded");
};

/** Lets the CUDA backend take its devices. */
export function installCuda(f: (index: number | null) => Backend): void {
  cudaBackend = f;
}

/** The backend of a device; null is the default device, the CPU. */
export function backendOf(device: Device | string | null | undefined): Backend {
  if (device === null || device === undefined) return cpuBackend;
  const d = device instanceof Device ? device : new Device(device);
  if (d.type === "cpu") return cpuBackend;
  return d.type === "meta" ? metaBackend : cudaBackend(d.index);
}
