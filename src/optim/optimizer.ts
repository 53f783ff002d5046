/**
 * `torch.optim.Optimizer`: parameter groups, their state, and saving both.
 *
 * @module
 */
import { AssertionError, NotImplementedError, ValueError, warnOnce } from "../base/errors.ts";
import { external } from "../base/scope.ts";
import { enable_grad, no_grad } from "../autograd/grad_mode.ts";
import { zeroGrad } from "../nn/modules/module.ts";
import { Tensor } from "../tensor.ts";
import { deepcopy } from "../utils/copy.ts";
import { RemovableHandle } from "../utils/hooks.ts";
import { floatRepr, pystr } from "../utils/pyrepr.ts";
import { isKeywords, signature } from "../utils/signature.ts";
import { typename } from "../utils/typename.ts";
import { restoreScalars, stateTensor } from "./state.ts";

/** As a default: every group must give the option itself. */
export const requiredOption: unique symbol = Symbol("<required parameter>");

/** Parameters that share their options. */
export interface ParamGroup {
  params: Tensor[];
  lr: number;
  // deno-lint-ignore no-explicit-any -- what else is in it depends on the optimizer
  [option: string]: any;
}

/** A group as it is given: any iterable of parameters, and the options that differ from the defaults. */
export interface ParamGroupInput {
  params: Iterable<Tensor> | Tensor;
  [option: string]: unknown;
}

/** What an optimizer takes: parameters, or groups of them. */
export type Params = Iterable<Tensor> | Iterable<ParamGroupInput>;

/** What an optimizer keeps for one parameter. */
// deno-lint-ignore no-explicit-any
export type ParamState = Record<string, any>;

/** What `state_dict()` gives: state by parameter number, and the groups with numbers for parameters. */
export interface OptimizerStateDict {
  state: Map<number, ParamState>;
  param_groups: (Omit<ParamGroup, "params"> & { params: number[] })[];
}

/** Recomputes the loss and its gradients. */
export type Closure<T = Tensor> = () => T;

type StepHook = (optimizer: Optimizer, args: unknown[]) => void;

const ZERO_GRAD = signature<{ set_to_none?: boolean }>("zero_grad", { set_to_none: false });

/** The entries of a dict that may have become a Map or an object on its way through a file. */
function entriesOf(dict: unknown): [unknown, unknown][] {
  return dict instanceof Map ? [...dict] : Object.entries(dict as object);
}
function asObject<T>(dict: unknown): T {
  return (dict instanceof Map ? Object.fromEntries(dict) : dict) as T;
}

/** A hook around `state_dict` and `load_state_dict`. */
type DictHook = (optimizer: Optimizer, state_dict?: OptimizerStateDict) => OptimizerStateDict | null | void;

/**
 * Base class of all optimizers. A subclass passes its defaults to the constructor and overrides `step`.
 *
 * @see https://pytorch.org/docs/stable/optim.html
 */
export class Optimizer {
  defaults: Record<string, unknown>;
  /** What is kept for each parameter. */
  state: Map<Tensor, ParamState> = new Map();
  param_groups: ParamGroup[] = [];
  readonly #preHooks = new Map<number, StepHook>();
  readonly #postHooks = new Map<number, StepHook>();
  readonly #dictHooks = {
    before: new Map<number, DictHook>(),
    after: new Map<number, DictHook>(),
    beforeLoad: new Map<number, DictHook>(),
    afterLoad: new Map<number, DictHook>(),
  };

  constructor(params: Params, defaults: Record<string, unknown>) {
    this.defaults = defaults;
    if (params instanceof Tensor) {
      throw new TypeError(
        "params argument given to the optimizer should be an iterable of Tensors or dicts, but got " +
          typename(params),
      );
    }
    const list = [...params] as (Tensor | ParamGroupInput)[];
    if (list.length === 0) throw new ValueError("optimizer got an empty parameter list");
    const groups = isKeywords(list[0]) ? list as ParamGroupInput[] : [{ params: list as Tensor[] }];
    for (const g of groups) this.add_param_group(g);
  }

  /** Adds a group of parameters; options that it does not give are the defaults. */
  add_param_group(group: ParamGroupInput): void {
    if (!isKeywords(group)) throw new AssertionError("param group must be a dict");
    const given = group as ParamGroupInput;
    if (given.params instanceof Set) {
      throw new TypeError(
        "optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets will " +
          "change between runs. Please use a list instead.",
      );
    }
    const params = given.params instanceof Tensor ? [given.params] : [...given.params];
    for (const p of params) {
      if (!(p instanceof Tensor)) {
        throw new TypeError(`optimizer can only optimize Tensors, but one of the params is ${typename(p)}`);
      }
      if (!p.is_leaf && !p.retains_grad) throw new ValueError("can't optimize a non-leaf Tensor");
    }
    const full: Record<string, unknown> = { ...given, params };
    for (const [name, value] of Object.entries(this.defaults)) {
      if (full[name] !== undefined) continue;
      if (value === requiredOption) {
        throw new ValueError(
          `parameter group didn't specify a value of required optimization parameter ${name}`,
        );
      }
      full[name] = value;
    }
    if (new Set(params).size !== params.length) {
      warnOnce(
        "UserWarning",
        "optimizer contains a parameter group with duplicate parameters; in future, this will cause an error; see " +
          "github.com/pytorch/pytorch/issues/40967 for more information",
      );
    }
    const known = new Set(this.param_groups.flatMap((g) => g.params));
    if (params.some((p) => known.has(p))) {
      throw new ValueError("some parameters appear in more than one parameter group");
    }
    this.param_groups.push(full as ParamGroup);
  }

  /** Zeroes all gradients, or drops them with `set_to_none`. */
  zero_grad(set_to_none?: boolean | { set_to_none?: boolean }): void {
    const { set_to_none: drop } = ZERO_GRAD([set_to_none]);
    for (const g of this.param_groups) for (const p of g.params) zeroGrad(p, drop);
  }

  /**
   * Changes the parameters once, by their gradients. With `closure`, which recomputes the loss, returns what that
   * returned.
   */
  step(): null;
  step<T>(closure: Closure<T>): T;
  step<T>(closure?: Closure<T> | null): T | null;
  step<T>(closure?: Closure<T> | null): T | null {
    for (const hook of this.#preHooks.values()) hook(this, [closure]);
    const loss = closure ? callClosure(closure) : null;
    no_grad(() => {
      for (const g of this.param_groups) this._update(g);
    });
    for (const hook of this.#postHooks.values()) hook(this, [closure]);
    return loss;
  }

  /** Changes the parameters of one group. */
  _update(_group: ParamGroup): void {
    throw new NotImplementedError("");
  }

  /** Registers `hook(optimizer, args)`, called before every step. */
  register_step_pre_hook(hook: StepHook): RemovableHandle {
    return RemovableHandle.add(this.#preHooks, hook);
  }
  /** Registers `hook(optimizer, args)`, called after every step. */
  register_step_post_hook(hook: StepHook): RemovableHandle {
    return RemovableHandle.add(this.#postHooks, hook);
  }

  /** Registers `hook(optimizer)`, called before `state_dict()`. */
  register_state_dict_pre_hook(hook: (optimizer: this) => void): RemovableHandle {
    return RemovableHandle.add(this.#dictHooks.before, hook as DictHook);
  }
  /** Registers `hook(optimizer, state_dict)`, called after `state_dict()`; what it returns replaces the result. */
  register_state_dict_post_hook(
    hook: (optimizer: this, state_dict: OptimizerStateDict) => OptimizerStateDict | null | void,
  ): RemovableHandle {
    return RemovableHandle.add(this.#dictHooks.after, hook as DictHook);
  }
  /** Registers `hook(optimizer, state_dict)`, called before `load_state_dict`; what it returns is loaded instead. */
  register_load_state_dict_pre_hook(
    hook: (optimizer: this, state_dict: OptimizerStateDict) => OptimizerStateDict | null | void,
  ): RemovableHandle {
    return RemovableHandle.add(this.#dictHooks.beforeLoad, hook as DictHook);
  }
  /** Registers `hook(optimizer)`, called after `load_state_dict`. */
  register_load_state_dict_post_hook(hook: (optimizer: this) => void): RemovableHandle {
    return RemovableHandle.add(this.#dictHooks.afterLoad, hook as DictHook);
  }

  /** State and groups with parameters as numbers, in the order in which they were given. */
  state_dict(): OptimizerStateDict {
    for (const hook of this.#dictHooks.before.values()) hook(this);
    let dict = this.#stateDict();
    for (const hook of this.#dictHooks.after.values()) dict = hook(this, dict) ?? dict;
    return dict;
  }

  #stateDict(): OptimizerStateDict {
    const numbers = new Map<Tensor, number>();
    const param_groups = this.param_groups.map((g) => {
      for (const p of g.params) if (!numbers.has(p)) numbers.set(p, numbers.size);
      const { params, ...options } = g;
      return { ...options, params: params.map((p) => numbers.get(p)!) };
    });
    const state = new Map<number, ParamState>();
    for (const [p, s] of this.state) {
      const n = numbers.get(p);
      // Reads scalars that are kept as numbers into tensors, as PyTorch has them.
      if (n !== undefined) state.set(n, Object.fromEntries(Object.entries(s)));
    }
    return { state, param_groups: param_groups as OptimizerStateDict["param_groups"] };
  }

  /** Takes over a state_dict, of this optimizer or of one with groups of the same sizes. */
  load_state_dict(
    state_dict: OptimizerStateDict | ReadonlyMap<string, unknown> | Readonly<Record<string, unknown>>,
  ): void {
    let source = state_dict;
    for (const hook of this.#dictHooks.beforeLoad.values()) {
      source = hook(this, source as OptimizerStateDict) ?? source;
    }
    const saved = asObject<{ state: unknown; param_groups: unknown[] }>(source);
    const savedGroups = saved.param_groups.map((g) =>
      deepcopy(asObject<Record<string, unknown> & { params: (number | string | bigint)[] }>(g))
    );
    const groups = this.param_groups;
    if (groups.length !== savedGroups.length) {
      throw new ValueError("loaded state dict has a different number of parameter groups");
    }
    if (groups.some((g, i) => g.params.length !== savedGroups[i]!.params.length)) {
      throw new ValueError(
        "loaded state dict contains a parameter group that doesn't match the size of optimizer's group",
      );
    }
    const byNumber = new Map<string, Tensor>();
    groups.forEach((g, i) => g.params.forEach((p, k) => byNumber.set(String(savedGroups[i]!.params[k]), p)));
    this.state = new Map();
    for (const [k, v] of entriesOf(saved.state)) {
      const p = byNumber.get(String(k));
      if (p === undefined) continue;
      const state: ParamState = {};
      for (const [name, value] of entriesOf(v)) state[name as string] = castState(p, value, name as string);
      this.state.set(p, restoreScalars(state, this._scalars));
    }
    this.param_groups = groups.map((g, i) => {
      const options: Record<string, unknown> = { ...savedGroups[i] };
      // Options that the version which saved it did not have yet.
      for (const [name, value] of Object.entries(this.defaults)) {
        if (options[name] === undefined && value !== requiredOption) options[name] = value;
      }
      return { ...options, params: g.params } as unknown as ParamGroup;
    });
    for (const hook of this.#dictHooks.afterLoad.values()) hook(this);
  }

  /** Names of state entries that PyTorch keeps in 0-dimensional tensors and this keeps as numbers. */
  get _scalars(): readonly string[] {
    return [];
  }

  /** Options that PyTorch prints as floats although they are whole. */
  get _floats(): readonly string[] {
    return [];
  }

  toString(): string {
    const text = this.param_groups.map((g, i) => {
      const lines = Object.keys(g).filter((k) => k !== "params").sort().map((k) => {
        const v: unknown = g[k];
        return `    ${k}: ${typeof v === "number" && this._floats.includes(k) ? floatRepr(v) : pystr(v)}\n`;
      });
      return `\nParameter Group ${i}\n${lines.join("")}`;
    });
    return `${this.constructor.name} (${text.join("")})`;
  }
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }
}

/** Calls a user's closure with recording on. */
export function callClosure<T>(closure: Closure<T>): T {
  return external(() => enable_grad(closure));
}

/** A saved entry on its parameter's device and in its dtype; step counts stay as they are. */
function castState(param: Tensor, value: unknown, name: string): unknown {
  if (value instanceof Tensor) {
    return stateTensor(() =>
      name === "step"
        ? value.clone()
        : value.detach().clone().to(param.device, param.is_floating_point() ? param.dtype : value.dtype)
    );
  }
  if (Array.isArray(value)) return value.map((v) => castState(param, v, ""));
  return deepcopy(value);
}
