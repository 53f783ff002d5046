/**
 * Runs recorded operator cases on the device "cuda" and prints one JSON line per operator: a program for Deno and Node.
 *
 *     run_conformance.ts [FOLDER of recorded operators] [operators whose name contains this]
 */

import process from "node:process";
import { conformance, recordedOperators } from "./suite/conformance.ts";

const [folder = "", filter = ""] = process.argv.slice(2);
for (const file of recordedOperators(folder === "" ? null : folder)) {
  if (file.op.includes(filter)) console.log(JSON.stringify(conformance(file)));
}
