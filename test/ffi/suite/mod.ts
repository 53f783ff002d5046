/** All checks that run through both bridges. */

import type { Check } from "./harness.ts";
import { indexChecks } from "./index.ts";
import { layerChecks } from "./layers.ts";
import { learningChecks } from "./learning.ts";
import { matmulChecks } from "./matmul.ts";
import { pointwiseChecks } from "./pointwise.ts";
import { reduceChecks } from "./reduce.ts";
import { runtimeChecks } from "./runtime.ts";
import { sequenceChecks } from "./sequences.ts";
import { sortingChecks } from "./sorting.ts";

export const checks: readonly Check[] = [
  ...runtimeChecks,
  ...pointwiseChecks,
  ...reduceChecks,
  ...matmulChecks,
  ...learningChecks,
  ...indexChecks,
  ...layerChecks,
  ...sortingChecks,
  ...sequenceChecks,
];
