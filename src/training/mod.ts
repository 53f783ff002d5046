/**
 * What a training script shows: progress, confusion, pictures, curves.
 *
 * @module
 */
export {
  bar,
  formatRate,
  formatSeconds,
  ProgressBar,
  type ProgressOptions,
  type ProgressState,
  renderProgress,
} from "./progress_bar.ts";
export { ConfusionMatrix } from "./confusion_matrix.ts";
export { type Captioned, drawImage, drawImages, type DrawOptions } from "./draw_images.ts";
export { type ChartOptions, type Series } from "./chart.ts";
export { chartSvg } from "./chart_svg.ts";
export { chartImage, chartPng } from "./chart_png.ts";
