import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { expect, test } from "vitest";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..", "..");

const CONFIG = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (services = [(name = "main", worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js"), (name = "core.wasm", wasm = embed "core.wasm")],
  compatibilityDate = "2024-09-23"
))]);
`;

test("a Worker runs the core from an imported module", async () => {
  const folder = join(root, "build", "test", "workerd");
  mkdirSync(folder, { recursive: true });
  await build({
    entryPoints: [join(here, "programs/workerd.ts")],
    outfile: join(folder, "worker.js"),
    bundle: true,
    format: "esm",
    external: ["*.wasm"],
  });
  copyFileSync(join(root, "wasm/built/tstorch-relaxed.wasm"), join(folder, "core.wasm"));
  writeFileSync(join(folder, "config.capnp"), CONFIG);
  const workerd = join(root, "node_modules/.bin/workerd");
  const { stdout } = await promisify(execFile)(workerd, ["test", join(folder, "config.capnp")], {
    timeout: 20_000,
  });
  expect(JSON.parse(stdout)).toEqual({
    status: 0,
    result: 9,
    grown: true,
    variants: ["relaxed", "relaxed"],
    threads: 1,
  });
}, 30_000);
