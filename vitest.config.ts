import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

// The same tests run in Node (`npm test`) and in Deno (`npm run test:deno`). What a test does with other programs is the
// same in both, so Deno leaves out the folders that only start programs.
const inDeno = "Deno" in globalThis;

export default defineConfig({
  // As in deno.json, for the examples.
  resolve: {
    alias: [
      { find: /^tstorch$/, replacement: path("src/mod.ts") },
      { find: /^tstorch\/edge$/, replacement: path("src/edge.ts") },
    ],
  },
  test: {
    include: ["test/**/*.test.ts"],
    exclude: inDeno
      ? [
        "test/{docs,edge,ffi,package,wasm}/**",
        "test/memory/flat.test.ts",
        "test/runtime/entries.test.ts",
        "test/train_mnist.test.ts",
      ]
      : [],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
