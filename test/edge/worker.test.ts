import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import * as torch from "tstorch";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Answer, classify, loadModel } from "../../examples/cloudflare_worker/app.ts";
import { buildWorker } from "../../examples/cloudflare_worker/build.ts";
import { Image } from "../../src/vision/image/image.ts";
import { encodePng } from "../../src/vision/image/png.ts";
import { root, RunningWorker } from "./workerd.ts";

const MODEL = join(root, "examples", "cloudflare_worker", "model.pth");
const work = join(root, "build", "test", `edge.${process.pid}`);
const digits = new torch.vision.datasets.SyntheticDigits({ train: false, count: 300 });
const pixels = digits.data.contiguous().to_typed_array() as Uint8Array<ArrayBuffer>;
const labels = digits.targets.tolist() as number[];
const picture = (i: number): Uint8Array<ArrayBuffer> => pixels.slice(784 * i, 784 * (i + 1));
const bytesOf = (path: string): ArrayBuffer => new Uint8Array(readFileSync(path)).buffer;

function closeTo(answers: readonly Answer[], expected: readonly Answer[]): void {
  expect(answers.length).toBe(expected.length);
  answers.forEach(({ digit, probabilities }, i) => {
    expect(digit).toBe(expected[i]!.digit);
    probabilities.forEach((p, j) => expect(p).toBeCloseTo(expected[i]!.probabilities[j]!, 5));
  });
}

describe("the Worker with the model of the repository", () => {
  let worker: RunningWorker;
  beforeAll(async () => {
    await buildWorker(join(work, "own"), MODEL, join(root, "test", "edge", "measured_worker.ts"));
    worker = await RunningWorker.start(join(work, "own"));
  });
  afterAll(() => worker.stop());

  const post = (body: BodyInit, type: string): Promise<Response> =>
    fetch(worker.url, { method: "POST", body, headers: { "content-type": type } });
  async function answers(body: BodyInit, type: string): Promise<Answer[]> {
    const response = await post(body, type);
    expect(response.status).toBe(200);
    return await response.json() as Answer[];
  }
  async function refusal(body: BodyInit, type: string): Promise<[number, string]> {
    const response = await post(body, type);
    return [response.status, (await response.json() as { error: string }).error];
  }

  it("reads digits, and gives the numbers that Node gives", async () => {
    const got = await answers(pixels, "application/octet-stream");
    closeTo(got, classify(loadModel(bytesOf(MODEL)), pixels));
    const right = got.filter(({ digit }, i) => digit === labels[i]).length;
    expect(right / labels.length).toBeGreaterThan(0.9);
    for (const { probabilities } of got) {
      expect(probabilities.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
    }
  });

  it("takes bytes, JSON and PNG alike", async () => {
    const [fromBytes] = await answers(picture(3), "application/octet-stream");
    const rows = Array.from({ length: 28 }, (_, y) => [...picture(3).slice(28 * y, 28 * (y + 1))]);
    expect(await answers(JSON.stringify(rows), "application/json")).toEqual([fromBytes]);
    const png = encodePng(new Image(28, 28, "L", picture(3)));
    expect(await answers(png as Uint8Array<ArrayBuffer>, "image/png")).toEqual([fromBytes]);
  });

  it("says what is wrong with a request", async () => {
    expect(await refusal(new Uint8Array(783), "application/octet-stream")).toEqual([
      400,
      "expected 784 bytes for each digit (28 rows of 28), but got 783",
    ]);
    expect(await refusal("[1, 2, 300]", "application/json")).toEqual([
      400,
      "expected numbers from 0 to 255, but got 300",
    ]);
    expect((await refusal("[1,", "application/json"))[1]).toMatch(/^not JSON: /);
    expect(await refusal("GIF89a", "image/png")).toEqual([
      400,
      "not a PNG picture that can be read: it does not begin like one",
    ]);
    const wide = encodePng(new Image(56, 14, "L", picture(0))) as Uint8Array<ArrayBuffer>;
    expect(await refusal(wide, "image/png")).toEqual([
      400,
      "expected a picture of 28x28 pixels, but got 56x14",
    ]);
    expect((await refusal(wide.slice(0, 60), "image/png"))[1]).toMatch(/cut off/);
    expect((await refusal("x", "text/plain"))[0]).toBe(415);
    expect((await fetch(worker.url, { method: "PUT", body: "" })).status).toBe(405);
    expect(await (await fetch(worker.url)).text()).toMatch(/^POST a digit/);
  });

  it("stays under 128 MB, request after request", async () => {
    const held: number[] = [], reserved: number[] = [];
    for (let i = 0; i < 300; i++) {
      await (await post(pixels, "application/octet-stream")).arrayBuffer();
      held.push(worker.heldMegabytes);
      if (i % 20 === 19) reserved.push(await (await fetch(`${worker.url}memory`)).json() as number);
    }
    expect(Math.max(...held)).toBeLessThan(128);
    expect(Math.min(...held)).toBeGreaterThan(20); // 14 are workerd's: it does measure something
    expect(Math.max(...held.slice(150))).toBeLessThan(Math.max(...held.slice(0, 150)) + 16);
    expect(Math.max(...reserved)).toBeLessThan(64e6); // of the WebAssembly memory; nothing was put aside
    expect(new Set(reserved.slice(5)).size).toBe(1);
    expect(worker.output).toBe("");
  }, 60_000);
});

it("answers with a model that train_mnist.ts has just trained", async () => {
  const model = join(work, "mnist.pth");
  await promisify(execFile)(join(root, "node_modules", ".bin", "deno"), [
    "run",
    "-A",
    join(root, "train_mnist.ts"),
    ...["--synthetic", "--limit", "10000", "--epochs", "1"],
    ...["--save", model, "--plot", join(work, "loss.svg")],
  ], { cwd: root });
  await buildWorker(join(work, "trained"), model);
  const worker = await RunningWorker.start(join(work, "trained"));
  try {
    const response = await fetch(worker.url, { method: "POST", body: pixels });
    const got = await response.json() as Answer[];
    closeTo(got, classify(loadModel(bytesOf(model)), pixels));
    expect(got.filter(({ digit }, i) => digit === labels[i]).length / labels.length).toBeGreaterThan(0.5);
    expect(worker.output).toBe("");
  } finally {
    await worker.stop();
  }
}, 120_000);
