import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Download, downloadFile } from "../../src/vision/datasets/download.ts";

const body = Uint8Array.from({ length: 700_000 }, (_, i) => (i * 2654435761) >>> 11);
const sum = createHash("md5").update(body).digest("hex");
let server: ChildProcess, origin: string, folder: string;

beforeAll(async () => {
  server = spawn(process.execPath, [fileURLToPath(new URL("server.mjs", import.meta.url))], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const port = await new Promise<string>((resolve) =>
    server.stdout!.once("data", (data) => resolve(String(data).trim()))
  );
  origin = `http://127.0.0.1:${port}`;
});
afterAll(() => void server.kill());
beforeEach(() => folder = mkdtempSync(join(tmpdir(), "download-")));
afterEach(() => rmSync(folder, { recursive: true }));

/** Downloads from the given faults, in order; returns what was logged. */
function download(faults: string[], more: Partial<Download> = {}): string[] {
  const lines: string[] = [];
  downloadFile({
    urls: faults.map((fault) =>
      `${origin}/${fault}/${expect.getState().currentTestName!.length}${Math.random()}`
    ),
    path: join(folder, "file.gz"),
    md5: sum,
    timeout: 1500,
    backoff: 10,
    log: (line) => void lines.push(line),
    ...more,
  });
  return lines;
}
const result = (): Buffer => readFileSync(join(folder, "file.gz"));
const requests = async (): Promise<{ path: string; range: string | null }[]> =>
  (await fetch(`${origin}/log`)).json() as never;

describe("downloadFile", { timeout: 30_000 }, () => {
  it("gets a file and says how far it is", () => {
    const seen: [number, number | undefined][] = [];
    download(["good"], { onProgress: (received, total) => void seen.push([received, total]) });
    expect(result().equals(body)).toBe(true);
    expect(seen.at(-1)).toEqual([700_000, 700_000]);
    expect(seen.every(([n], i) => i === 0 || n > seen[i - 1]![0])).toBe(true);
    expect(readdirSync(folder)).toEqual(["file.gz"]);
  });
  it("goes on where a connection broke", async () => {
    const lines = download(["truncates"]);
    expect(result().equals(body)).toBe(true);
    expect(lines.filter((line) => line.startsWith("Failed to download (trying again)")).length).toBe(2);
    const ranges = (await requests()).filter((r) => r.path.startsWith("/truncates/")).map((r) => r.range);
    expect(ranges[0]).toBeNull();
    expect(ranges.length).toBe(3);
    for (const range of ranges.slice(1)) expect(range).toMatch(/^bytes=[1-9]\d*-$/);
  });
  it("goes on with what an earlier run left", async () => {
    writeFileSync(join(folder, "file.gz.part"), body.subarray(0, 123_456));
    download(["good"]);
    expect(result().equals(body)).toBe(true);
    expect((await requests()).at(-1)!.range).toBe("bytes=123456-");
  });
  it.each(["norange", "badrange"])("starts again where the server cannot go on (%s)", (fault) => {
    writeFileSync(join(folder, "file.gz.part"), body.subarray(0, 123_456));
    download([fault]);
    expect(result().equals(body)).toBe(true);
  });
  it("starts again if what an earlier run left is wrong", () => {
    writeFileSync(join(folder, "file.gz.part"), new Uint8Array(5000));
    const lines = download(["good"]);
    expect(lines.join()).toContain("the file is corrupt");
    expect(result().equals(body)).toBe(true);
  });
  it.each([["busy", "HTTP 503"], ["stalls", "nothing received for 1.5 s"], [
    "corrupt",
    "the file is corrupt",
  ]])("tries again after a fault (%s)", (fault, reason) => {
    expect(download([fault]).join("\n")).toContain(reason);
    expect(result().equals(body)).toBe(true);
  });
  it("follows redirections", () => {
    download(["redirect"]);
    expect(result().equals(body)).toBe(true);
  });
  it("takes the next place at once where a file is missing", () => {
    const lines = download(["missing", "good"]);
    expect(lines[1]).toBe("Failed to download (giving this place up): HTTP 404");
    expect(result().equals(body)).toBe(true);
  });
  it("takes the next place where nobody listens", () => {
    const lines: string[] = [];
    downloadFile({
      urls: ["http://127.0.0.1:9/file.gz", `${origin}/good/x`],
      path: join(folder, "file.gz"),
      md5: sum,
      attempts: 1,
      log: (line) => void lines.push(line),
    });
    expect(lines[1]).toMatch(/^Failed to download \(giving this place up\): /);
    expect(result().equals(body)).toBe(true);
  });
  it.each([
    ["always-corrupt", /700000 bytes with md5 [0-9a-f]{32}, but [0-9a-f]{32} is right/],
    ["always-truncates", /./],
    ["short", /the file is corrupt: 1000 bytes/],
    ["silent", /nothing received for 1.5 s/],
    ["missing", /HTTP 404/],
  ])("never takes a broken download for a whole one (%s)", (fault, reason) => {
    expect(() => download([fault], { attempts: 2 })).toThrow(/^Error downloading file\.gz\n/);
    expect(() => download([fault], { attempts: 2 })).toThrow(reason);
    expect(existsSync(join(folder, "file.gz"))).toBe(false);
  });
});
