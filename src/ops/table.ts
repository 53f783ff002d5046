/**
 * THE TABLE: every operator of the library, merged from the family files, and what is made of it.
 *
 * @module
 */
import { install } from "../dispatch/entry.ts";
import { fn } from "../dispatch/functions.ts";
import type { Row, Table } from "../dispatch/op.ts";
import { activations } from "./activation.ts";
import { arithmetic } from "./arithmetic.ts";
import { composites } from "./composite.ts";
import { calculus } from "./calculus.ts";
import { convolutions } from "./convolution.ts";
import { copies } from "./copy.ts";
import { counting } from "./counting.ts";
import { creation } from "./creation.ts";
import { diagonals } from "./diagonal.ts";
import { dropouts } from "./dropout.ts";
import { embeddings } from "./embedding.ts";
import { histograms } from "./histogram.ts";
import { indexing } from "./indexing.ts";
import { linearAlgebra } from "./linalg/mod.ts";
import { math } from "./math.ts";
import { maskedOps } from "./masked.ts";
import { matmuls } from "./matmul.ts";
import { normalizations } from "./normalization.ts";
import { paddings } from "./padding.ts";
import { pooling } from "./pooling.ts";
import { randoms } from "./random.ts";
import { fills } from "./random_inplace.ts";
import { reductions } from "./reduction.ts";
import { rows } from "./rows.ts";
import { marginLosses } from "./margin_losses.ts";
import { recurrent } from "./recurrent.ts";
import { resampling } from "./resample.ts";
import { sequences } from "./sequences.ts";
import { scans } from "./scan.ts";
import { scatters } from "./scatter.ts";
import { segments } from "./segment.ts";
import { losses } from "./softmax.ts";
import { sorting } from "./sorting.ts";
import { specials } from "./special.ts";
import { installTensorApi } from "./tensor_api.ts";
import { complexNumbers } from "./complex.ts";
import { fft } from "./fft.ts";
import { spectral } from "./spectral.ts";
import { triangles } from "./triangle.ts";
import { viewCopies } from "./view_copies.ts";
import { views } from "./view.ts";

const families: readonly Table[] = [
  creation,
  arithmetic,
  math,
  specials,
  reductions,
  views,
  copies,
  matmuls,
  activations,
  convolutions,
  losses,
  paddings,
  pooling,
  normalizations,
  counting,
  histograms,
  dropouts,
  embeddings,
  randoms,
  fills,
  marginLosses,
  recurrent,
  resampling,
  sequences,
  composites,
  linearAlgebra,
  scans,
  scatters,
  segments,
  maskedOps,
  rows,
  indexing,
  sorting,
  complexNumbers,
  fft,
  spectral,
  triangles,
  calculus,
  diagonals,
  viewCopies,
];

/** Rows by operator name. */
export const table: Readonly<Record<string, readonly Row[]>> = Object.assign({}, ...families);

install(table, fn);
installTensorApi();
