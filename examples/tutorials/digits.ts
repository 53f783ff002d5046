/**
 * Handwritten digits as tensors for the tutorials: MNIST if it is there or can be downloaded, else drawn ones.
 *
 * `DIGITS=synthetic` draws them in any case; `DIGITS_LIMIT=1000` takes fewer.
 */
import process from "node:process";
import type { Tensor } from "../../src/mod.ts";
import { findDigits } from "../../src/training/mnist_data.ts";

/** Pictures (N, 784) with values from 0 to 1, and their labels (N), to train and to test with. */
export function loadDigits(): { trainX: Tensor; trainY: Tensor; testX: Tensor; testY: Tensor } {
  const { train, test } = findDigits({
    data: null,
    synthetic: process.env.DIGITS === "synthetic",
    download: false,
    seed: 0,
    limit: Number(process.env.DIGITS_LIMIT ?? 10_000),
    transform: (image) => image,
    log: console.log,
  });
  const pictures = (data: Tensor) => data.view(-1, 784).float().div(255);
  return {
    trainX: pictures(train.data),
    trainY: train.targets,
    testX: pictures(test.data),
    testY: test.targets,
  };
}
