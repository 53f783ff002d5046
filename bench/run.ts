// Times the standard workloads: one JSON line {"name", "ms"} each, the best of five rounds.
//
//   npx deno run -A bench/run.ts [--filter=TEXT] [--threads=N]
//
// bench/compare.ts sets the figures beside PyTorch's.

import process from "node:process";
import * as torch from "../src/mod.ts";
import { measure } from "./programs/timing.ts";
import workloads from "./programs/workloads.ts";

const option = (name: string): string | undefined =>
  process.argv.find((arg) => arg.startsWith(`--${name}=`))?.slice(
    name.length + 3,
  );
const filter = option("filter") ?? "", threads = option("threads");
if (threads !== undefined) torch.set_num_threads(Number(threads));
for (const { name, seconds, prepare } of workloads) {
  if (!name.includes(filter)) continue;
  torch.manual_seed(0);
  try {
    console.log(
      JSON.stringify({
        name,
        ms: Number(measure(prepare(), seconds).toFixed(5)),
      }),
    );
  } catch (error) {
    console.error(
      `${name}: ${error instanceof Error ? error.message : String(error)}`,
    );
    process.exitCode = 1;
  }
}
