/** Prints whether CUDA can be used or why not: a program for Deno and Node. */

import { openCuda } from "../../ffi/mod.ts";

const { runtime, reason } = openCuda();
console.log(runtime === null ? `no: ${reason}` : `yes: ${runtime.info.deviceCount} devices`);
