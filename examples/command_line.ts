/** What the larger examples share: reading the command line, with a help text, and writing files. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import {
  describeOptions,
  type OptionTable,
  type OptionValues,
  parseOptions,
  UsageError,
} from "../src/training/options.ts";

/** The options given to a program; prints help and ends it where that is asked for, or an option is wrong. */
export function readOptions<T extends OptionTable>(
  what: string,
  table: T,
  args = process.argv.slice(2),
): OptionValues<T> {
  const usage = `${what}\n\nOptions:\n${describeOptions(table)}\n  --help  this text`;
  if (args.includes("--help")) {
    console.log(usage);
    process.exit(0);
  }
  try {
    return parseOptions(table, args).values;
  } catch (e) {
    if (!(e instanceof UsageError)) throw e;
    console.error(`${e.message}\n\n${usage}`);
    process.exit(2);
  }
}

/** Writes a file, and the folders above it. */
export function writeTo(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  console.log(`wrote ${path}`);
}
