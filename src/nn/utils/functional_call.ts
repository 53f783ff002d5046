/**
 * Modules as functions of their parameters: `torch.func.functional_call` and `stack_module_state`.
 *
 * @module
 */
import { RuntimeError, ValueError } from "../../base/errors.ts";
import { fn } from "../../dispatch/functions.ts";
import type { Tensor } from "../../tensor.ts";
import type { Module } from "../modules/module.ts";
import { functional_call as statelessCall, type TensorsByName } from "./stateless.ts";

/** Keywords of {@linkcode functional_call}. */
export interface FunctionalCallOptions {
  /** Parameters that are the same tensor in the module are replaced together. */
  tie_weights?: boolean;
  /** Every parameter and buffer must be given, and nothing else. */
  strict?: boolean;
}

function entriesOf(x: TensorsByName): [string, Tensor][] {
  return x instanceof Map ? [...x as ReadonlyMap<string, Tensor>] : Object.entries(x);
}

/** Names of one tensor: what is given for one of them is meant for all. */
function tied(module: Module, given: Map<string, Tensor>): void {
  const names = new Map<Tensor, string[]>();
  for (
    const [name, t] of [
      ...module.named_parameters({ remove_duplicate: false }),
      ...module.named_buffers({ remove_duplicate: false }),
    ]
  ) {
    names.set(t, [...names.get(t) ?? [], name]);
  }
  for (const group of names.values()) {
    const found = group.filter((n) => given.has(n));
    if (group.length === 1 || found.length === 0) continue;
    if (new Set(found.map((n) => given.get(n))).size > 1) {
      throw new ValueError(
        `functional_call got multiple values for keys ['${
          found.sort().join("', '")
        }'], which are tied. Consider using tie_weights=False`,
      );
    }
    for (const n of group) given.set(n, given.get(found[0]!)!);
  }
}

/**
 * Calls `module` with the given tensors in place of its parameters and buffers of these names (`state_dict` names, or
 * several dictionaries in an array); the module itself is left as it was.
 *
 * ```ts
 * const loss = (params, x, y) => F.mse_loss(torch.func.functional_call(net, params, x), y);
 * const grads = torch.func.grad(loss)(new Map(net.named_parameters()), x, y);
 * ```
 *
 * @see https://pytorch.org/docs/stable/generated/torch.func.functional_call.html
 */
export function functional_call(
  module: Module,
  parameters_and_buffers: TensorsByName | readonly TensorsByName[],
  args: unknown = [],
  kwargs: Readonly<Record<string, unknown>> | null = null,
  options: FunctionalCallOptions = {},
): unknown {
  const given = new Map<string, Tensor>();
  const parts = Array.isArray(parameters_and_buffers)
    ? parameters_and_buffers as readonly TensorsByName[]
    : [parameters_and_buffers as TensorsByName];
  const doubled = new Set<string>();
  for (const part of parts) {
    for (const [name, t] of entriesOf(part)) {
      if (given.has(name)) doubled.add(name);
      given.set(name, t);
    }
  }
  if (doubled.size > 0) {
    throw new ValueError(
      `[${
        [...doubled].map((n) => `'${n}'`).join(", ")
      }] appeared in multiple dictionaries; behavior of functional call is ambiguous`,
    );
  }
  if (options.tie_weights ?? true) tied(module, given);
  if (options.strict) checkAllGiven(module, given);
  return statelessCall(module, given, args, kwargs);
}

function checkAllGiven(module: Module, given: ReadonlyMap<string, Tensor>): void {
  const names = [...module.named_parameters(), ...module.named_buffers()].map(([n]) => n);
  const quote = (list: readonly string[]): string => list.map((n) => `'${n}'`).join(", ");
  const missing = names.filter((n) => !given.has(n)),
    extra = [...given.keys()].filter((n) => !names.includes(n));
  const lines: string[] = [];
  if (extra.length > 0) lines.push(`Unexpected key(s): ${quote(extra)}.`);
  if (missing.length > 0) lines.push(`Missing key(s): ${quote(missing)}.`);
  if (lines.length > 0) {
    throw new RuntimeError(
      `Error(s) in reparametrizing for ${module.constructor.name}:\n\t${lines.join("\n\t")}`,
    );
  }
}

/**
 * The parameters and buffers of several models of one class, stacked along a new first dimension, for
 * `vmap(functional_call)` over an ensemble: `[params, buffers]`, Maps by name.
 *
 * @see https://pytorch.org/docs/stable/generated/torch.func.stack_module_state.html
 */
export function stack_module_state(models: readonly Module[]): [Map<string, Tensor>, Map<string, Tensor>] {
  if (models.length === 0) throw new RuntimeError("stack_module_state: Expected at least one model, got 0.");
  const first = models[0]!;
  if (models.some((m) => m.training !== first.training)) {
    throw new RuntimeError("stack_module_state: Expected all models to have the same training/eval mode.");
  }
  if (models.some((m) => m.constructor !== first.constructor)) {
    throw new RuntimeError("stack_module_state: Expected all models to be of the same class.");
  }
  const stacked = (all: ReadonlyMap<string, Tensor>[], parameters: boolean): Map<string, Tensor> => {
    const out = new Map<string, Tensor>();
    for (const name of all[0]!.keys()) {
      const list = all.map((m) => m.get(name)!);
      const leaf = parameters && list.every((t) => t.is_leaf);
      if (leaf && list.some((t) => t.requires_grad !== list[0]!.requires_grad)) {
        throw new RuntimeError(
          `Expected ${name} parameter to have the same .requires_grad across all models`,
        );
      }
      const t = fn.stack!(leaf ? list.map((x) => x.detach()) : list, 0) as Tensor;
      out.set(name, leaf ? t.requires_grad_(list[0]!.requires_grad) : t);
    }
    return out;
  };
  return [
    stacked(models.map((m) => new Map(m.named_parameters())), true),
    stacked(models.map((m) => new Map(m.named_buffers())), false),
  ];
}
