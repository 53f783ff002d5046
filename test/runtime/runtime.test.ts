import { basename } from "node:path";
import process from "node:process";
import { expect, it } from "vitest";
import { runtime } from "../../src/base/env.ts";

it("runs these tests in the runtime that was asked for", () => {
  expect(runtime).toBe(basename(process.execPath).startsWith("deno") ? "deno" : "node");
  expect(runtime === "deno").toBe("Deno" in globalThis);
});
