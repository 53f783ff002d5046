// Times the standard workloads: one JSON line {"name", "ms"} each, the best of five rounds. Arguments: [FILTER] [THREADS]
import process from "node:process";
import * as torch from "../../src/mod.ts";
import { measure } from "./timing.ts";
import workloads from "./workloads.ts";

const [filter = "", threads] = process.argv.slice(2);
if (threads !== undefined) torch.set_num_threads(Number(threads));
for (const { name, seconds, prepare } of workloads) {
  if (!name.includes(filter)) continue;
  torch.manual_seed(0);
  try {
    console.log(JSON.stringify({ name, ms: Number(measure(prepare(), seconds).toFixed(5)) }));
  } catch (error) {
    console.error(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
