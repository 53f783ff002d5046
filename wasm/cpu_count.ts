/** How many threads this process can keep busy. */

import { builtinModule, readTextFile } from "./env.ts";

const navigatorLike = (globalThis as { navigator?: { hardwareConcurrency?: number } }).navigator;

/** Logical processors, 1 where the runtime does not tell. */
export function logicalProcessors(): number {
  const fromNavigator = navigatorLike?.hardwareConcurrency;
  if (fromNavigator !== undefined) return Math.max(1, fromNavigator);
  const os = builtinModule<{ availableParallelism?(): number; cpus(): unknown[] }>("os"); // Node 20: no navigator
  return Math.max(1, os?.availableParallelism?.() ?? os?.cpus().length ?? 1);
}

/** Cores listed by Linux, counting the two hardware threads of a core once. */
function physicalCores(cpuinfo: string): number | undefined {
  const cores = new Set<string>();
  for (const entry of cpuinfo.split("\n\n")) {
    const socket = /^physical id\s*:\s*(\d+)/m.exec(entry)?.[1];
    const core = /^core id\s*:\s*(\d+)/m.exec(entry)?.[1];
    if (socket !== undefined && core !== undefined) cores.add(`${socket}/${core}`);
  }
  return cores.size > 0 ? cores.size : undefined;
}

/** The processor time that a container may use, in processors ("max 100000" is no limit). */
function containerQuota(cpuMax: string): number | undefined {
  const [quota, period] = cpuMax.trim().split(" ").map(Number);
  if (quota === undefined || period === undefined || !(quota > 0) || !(period > 0)) return undefined;
  return Math.max(1, Math.floor(quota / period));
}

/**
 * The default number of threads. Matrix products gain nothing from the second hardware thread of a core, and threads
 * that spin must not outnumber the processors that a container is given; both are known where Linux's own files may
 * be read.
 */
export function defaultThreads(): number {
  const cpuinfo = readTextFile("/proc/cpuinfo");
  const cpuMax = cpuinfo === undefined ? undefined : readTextFile("/sys/fs/cgroup/cpu.max");
  return Math.min(
    logicalProcessors(),
    (cpuinfo === undefined ? undefined : physicalCores(cpuinfo)) ?? Infinity,
    (cpuMax === undefined ? undefined : containerQuota(cpuMax)) ?? Infinity,
  );
}
