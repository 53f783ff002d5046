/**
 * Runs operators on batched tensors: by their batching rule, by their parts if they are composites, or, always right
 * but slow, sample by sample.
 *
 * @module
 */
import { RuntimeError } from "../../base/errors.ts";
import { beginScope, endScope } from "../../base/scope.ts";
import { runComposite, runInplace, runRow } from "../../dispatch/dispatcher.ts";
import { fn } from "../../dispatch/functions.ts";
import { interpose, PASS } from "../../dispatch/interpose.ts";
import { BatchedOperandError } from "../../dispatch/launch.ts";
import { namedResults } from "../../dispatch/named.ts";
import type { Row } from "../../dispatch/op.ts";
import { Tensor } from "../../tensor.ts";
import { activeLevels, type BatchedTensor, levelOf } from "./batched.ts";
import { Call, type Rule } from "./call.ts";
import { indexRules } from "./indexing.ts";
import { layerComposites, layerRules } from "./layers.ts";
import { matrixComposites, matrixRules } from "./matrices.ts";
import { checkInplace, pointwise, reducedLoss, reducedLossBackward } from "./pointwise.ts";
import { randomComposites, randomRules } from "./random.ts";
import { reductionRules } from "./reductions.ts";
import { becomeView, shapeRules, viewRules } from "./views.ts";

const RULES: Readonly<Record<string, Rule>> = {
  ...viewRules,
  ...shapeRules,
  ...reductionRules,
  ...matrixRules,
  ...layerRules,
  ...indexRules,
  ...randomRules,
};
const COMPOSITES: Readonly<Record<string, Rule>> = {
  ...matrixComposites,
  ...layerComposites,
  ...randomComposites,
  reshape: viewRules.view!,
};

/** Rows that are elementwise although they are not marked `plain`. */
const ELEMENTWISE = new Set([
  "to_copy",
  "native_dropout_backward",
  "binary_cross_entropy_elements",
  "binary_cross_entropy_backward",
  "fill_",
  "fill_.tensor",
  "zero_",
  "copy_",
]);
const REDUCED_LOSSES = new Set([
  "mse_loss",
  "l1_loss",
  "smooth_l1_loss",
  "huber_loss",
  "soft_margin_loss",
  "binary_cross_entropy_with_logits",
]);

const rules = new Map<Row, Rule | null>();

/** The rule of a row, null without. */
function ruleOf(row: Row): Rule | null {
  let rule = rules.get(row);
  if (rule !== undefined) return rule;
  const head = row.schema.slice(0, row.schema.indexOf("("));
  if (row.composite !== undefined) rule = COMPOSITES[head] ?? null;
  else if (head in RULES) rule = RULES[head]!;
  else if (row.plain || ELEMENTWISE.has(head)) rule = pointwise;
  else if (REDUCED_LOSSES.has(head)) rule = reducedLoss;
  else if (REDUCED_LOSSES.has(head.replace(/_backward$/, ""))) rule = reducedLossBackward;
  else rule = null;
  rules.set(row, rule);
  return rule;
}

function topLevel(args: readonly unknown[]): number {
  let top = 0;
  for (const a of args) {
    if (Array.isArray(a)) { for (const x of a) top = Math.max(top, levelOf(x)); }
    else top = Math.max(top, levelOf(a));
  }
  return top;
}

const draws = (row: Row): boolean => {
  const head = row.schema.slice(0, row.schema.indexOf("("));
  return (row.composite === undefined && head in randomRules) || head in randomComposites;
};

function run(row: Row, args: readonly unknown[], inplace: boolean): unknown {
  const levels = activeLevels();
  const top = draws(row) ? levels.length : topLevel(args);
  if (top === 0) return PASS;
  const level = levels[top - 1];
  if (level === undefined) {
    throw new RuntimeError(
      "vmap: a tensor of a finished vmap was used: functions must return what they make",
    );
  }
  const c = new Call(row, args, level, inplace);
  const outer = beginScope();
  let result: unknown;
  try {
    return result = inplace || row.mutates ? runMutating(c) : runPure(c);
  } finally {
    endScope(outer, result);
  }
}

function runPure(c: Call): unknown {
  const rule = ruleOf(c.row);
  const found = rule === null ? null : rule(c);
  if (found !== null) return c.row.named && Array.isArray(found) ? namedResults(c.row, found) : found;
  if (c.row.composite === undefined) return loop(c);
  try {
    return runComposite(c.row, c.args);
  } catch (e) {
    if (!(e instanceof BatchedOperandError)) throw e;
    return loop(c);
  }
}

/** In place: the rule where it can, else the result is copied into the samples. */
function runMutating(c: Call): unknown {
  const self = c.args[0] as Tensor;
  const rule = ruleOf(c.row);
  if (c.row.view !== undefined) {
    becomeView(self, runRow(c.row, c.args) as BatchedTensor);
    return self;
  }
  if (c.row.mutates || rule === pointwise || c.row.name === "masked_fill") {
    const found = rule === null ? null : rule(writing(c));
    return found ?? loop(c);
  }
  if (rule !== null && c.row.name === "index_put") {
    const found = rule(c);
    if (found !== null) return found;
  }
  checkInplace(c);
  return self.copy_(runRow(c.row, c.args) as Tensor);
}

/** `copy_` and `fill_` are in place by themselves. */
function writing(c: Call): Call {
  if (!c.row.mutates) return c;
  const call = new Call(c.row, c.args, c.level, true);
  call.below = (args) => runRow(c.row, args);
  return call;
}

/** Sample by sample. */
function loop(c: Call): unknown {
  const sample = (x: unknown, i: number): unknown => {
    if (Array.isArray(x)) return x.map((y) => sample(y, i));
    return c.has(x) ? x.value.select(x.bdim, i) : x;
  };
  if (c.size === 0) {
    throw new RuntimeError(`vmap: ${c.row.name} cannot run on an empty batch`);
  }
  const results: unknown[] = [];
  for (let i = 0; i < c.size; i++) {
    const args = c.args.map((a) => sample(a, i));
    results.push(c.inplace ? runInplace(c.row, args) : runRow(c.row, args));
  }
  if (c.row.mutates || c.inplace) return c.args[0];
  return joined(c, results);
}

function joined(c: Call, results: unknown[]): unknown {
  const first = results[0];
  if (first instanceof Tensor) return c.wrap(fn.stack!(results, 0));
  if (Array.isArray(first)) {
    const list = first.map((_, k) => joined(c, results.map((r) => (r as unknown[])[k])));
    return c.row.named ? namedResults(c.row, list as Tensor[]) : list;
  }
  if (first !== null && first !== undefined) {
    throw new RuntimeError(
      `vmap: ${c.row.name} returns something that is not a Tensor, which cannot differ between samples`,
    );
  }
  return first;
}

interpose.map = run;
