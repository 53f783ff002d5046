/**
 * `torch.linalg` and the older functions of linear algebra, merged from their families.
 *
 * @module
 */
import type { Table } from "../../dispatch/op.ts";
import { choleskys } from "./cholesky.ts";
import { eigs } from "./eig.ts";
import { eighs } from "./eigh.ts";
import { matrixFunctions } from "./functions.ts";
import { lowRank } from "./lowrank.ts";
import { leastSquares } from "./lstsq.ts";
import { lus } from "./lu.ts";
import { norms } from "./norms.ts";
import { qrs } from "./qr.ts";
import { solves } from "./solve.ts";
import { svds } from "./svd.ts";

export const linearAlgebra: Table = {
  ...lus,
  ...solves,
  ...choleskys,
  ...qrs,
  ...svds,
  ...eighs,
  ...eigs,
  ...leastSquares,
  ...norms,
  ...matrixFunctions,
  ...lowRank,
};
