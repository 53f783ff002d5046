// Checks that the package has one set of entries (npm run check:exports): deno.json and package.json export the same
// files under the same names, every one is there, and all places that tell the version tell the same one.
//
//   node_modules/.bin/deno run -A scripts/check_exports.ts          also dist/, if it has been built
//   ... check_exports.ts --built                                    dist/ has to be there

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const readJson = (path: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(root, path), "utf8"));

type Target = string | { readonly [condition: string]: Target };
interface Entry {
  /** ".", "./edge" */
  readonly name: string;
  /** Empty for what every runtime gets. */
  readonly conditions: readonly string[];
  readonly path: string;
}

function entries(exports: Readonly<Record<string, Target>>): Entry[] {
  const walk = (name: string, target: Target, conditions: readonly string[]): Entry[] =>
    typeof target === "string"
      ? [{ name, conditions: conditions.filter((condition) => condition !== "default"), path: target }]
      : Object.entries(target).flatMap(([condition, inner]) => walk(name, inner, [...conditions, condition]));
  return Object.entries(exports).flatMap(([name, target]) => walk(name, target, []));
}

/** What is wrong with the entries; nothing if all is well. */
export function exportProblems(
  deno: Readonly<Record<string, string>>,
  npm: Readonly<Record<string, Target>>,
  exists: (path: string) => boolean,
  built: boolean,
): string[] {
  const problems: string[] = [], all = entries(npm);
  const codeEntries = all.filter(({ path }) => /\.(js|d\.ts)$/.test(path));
  const names = new Set([...Object.keys(deno), ...codeEntries.map(({ name }) => name)]);
  for (const name of names) {
    const source = deno[name];
    if (source === undefined) {
      problems.push(`package.json exports "${name}", deno.json does not`);
      continue;
    }
    if (!exists(source)) problems.push(`deno.json: "${name}" is ${source}, which is not there`);
    const stem = `./dist/${source.replace(/^\.\//, "").replace(/\.ts$/, "")}`;
    const mine = codeEntries.filter((entry) => entry.name === name);
    const find = (...conditions: string[]): string | undefined =>
      mine.find((entry) => entry.conditions.join() === conditions.join())?.path;
    if (find() !== `${stem}.js`) {
      problems.push(`package.json: "${name}" should be ${stem}.js, but is ${find()}`);
    }
    if (find("types") !== `${stem}.d.ts`) {
      problems.push(`package.json: the types of "${name}" should be ${stem}.d.ts, but are ${find("types")}`);
    }
    for (const { conditions, path } of mine) {
      const types = conditions.includes("types");
      if (types !== path.endsWith(".d.ts")) {
        problems.push(`package.json: "${name}" (${conditions}) is ${path}`);
      }
      if (!types && !mine.some((entry) => entry.path === path.replace(/\.js$/, ".d.ts"))) {
        problems.push(`package.json: "${name}" (${conditions}) has no types`);
      }
    }
  }
  for (const { name, path } of all) {
    const source = path.replace(/^\.\/dist\//, "./").replace(/(\.d\.ts|\.js)$/, ".ts");
    const probe = (file: string): boolean => exists(file.replace("*", "tstorch-simd"));
    if (!probe(source)) problems.push(`package.json: "${name}" comes from ${source}, which is not there`);
    if (built && !probe(path)) problems.push(`package.json: "${name}" is ${path}, which has not been built`);
  }
  return problems;
}

function versionProblems(): string[] {
  const config = readFileSync(join(root, "src", "config.ts"), "utf8");
  const versions = {
    "package.json": readJson("package.json").version,
    "package-lock.json": readJson("package-lock.json").version,
    "deno.json": readJson("deno.json").version,
    "src/config.ts": /__version__(?:: string)? = "([^"]+)"/.exec(config)?.[1],
  };
  if (new Set(Object.values(versions)).size === 1) return [];
  return [`different versions: ${Object.entries(versions).map(([file, v]) => `${file} ${v}`).join(", ")}`];
}

if (import.meta.main) {
  const problems = [
    ...exportProblems(
      readJson("deno.json").exports as Record<string, string>,
      readJson("package.json").exports as Record<string, Target>,
      (path) => existsSync(join(root, path)),
      process.argv.includes("--built") || existsSync(join(root, "dist")),
    ),
    ...versionProblems(),
  ];
  if (problems.length > 0) {
    console.error(problems.join("\n"));
    process.exitCode = 1;
  } else console.log("deno.json and package.json export the same");
}
