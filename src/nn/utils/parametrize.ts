/**
 * Parameters computed from others: `torch.nn.utils.parametrize`.
 *
 * A parametrized tensor becomes a property of a class of the module's own, `ParametrizedLinear` for a `Linear`.
 *
 * @module
 */
import { NotImplementedError, RuntimeError, ValueError } from "../../base/errors.ts";
import { no_grad } from "../../autograd/grad_mode.ts";
import { Tensor } from "../../tensor.ts";
import { typename } from "../../utils/typename.ts";
import { ModuleDict, ModuleList } from "../modules/container.ts";
import type { Module } from "../modules/module.ts";
import { Parameter } from "../parameter.ts";
import { removeTensor, tensorOf } from "./tensors.ts";

/** A parametrization that knows what it must start from to give a value. */
interface Invertible extends Module {
  right_inverse(value: unknown): Tensor | Tensor[];
}
function isInvertible(m: Module): m is Invertible {
  return typeof (m as unknown as Partial<Invertible>).right_inverse === "function";
}

let caching = 0;
const cache = new Map<ParametrizationList, Tensor>();

/** Computes every parametrized tensor at most once while `body` runs. */
export function cached<T>(body: () => T): T {
  caching++;
  try {
    return body();
  } finally {
    if (--caching === 0) cache.clear();
  }
}

function register(module: Module, name: string, tensor: Tensor): void {
  if (tensor instanceof Parameter) module.register_parameter(name, tensor);
  else module.register_buffer(name, tensor);
}

function requireTensor(x: unknown): asserts x is Tensor {
  if (!(x instanceof Tensor)) {
    throw new ValueError(`A parametrization must return a tensor. Got ${typename(x)}.`);
  }
}

/** Throws if dtype or shape changed: `text` words the sentence, `labels` name the two sides. */
function requireSame(
  before: Pick<Tensor, "dtype" | "shape">,
  after: Tensor,
  text: (kind: string) => string,
  labels: (kind: string) => [string, string],
): void {
  for (const kind of ["dtype", "shape"] as const) {
    if (String(before[kind]) === String(after[kind])) continue;
    const [b, a] = labels(kind);
    throw new ValueError(`${text(kind)}\n${b}: ${before[kind]}\n${a}: ${after[kind]}`);
  }
}

/** Goes back through parametrizations; with `lenient`, those that cannot are left out. */
function invert(modules: readonly Module[], value: unknown, lenient: boolean): unknown {
  return no_grad(() => {
    let v = value;
    for (const m of [...modules].reverse()) {
      if (!isInvertible(m)) {
        if (lenient) continue;
        throw new RuntimeError(`parametrization ${m._get_name()} does not implement right_inverse.`);
      }
      try {
        v = m.right_inverse(v);
      } catch (e) {
        if (!lenient || !(e instanceof NotImplementedError)) throw e;
      }
    }
    return v;
  });
}

/** The parametrizations of one tensor, applied one after the other, and what they start from. */
export class ParametrizationList extends ModuleList {
  unsafe: boolean;
  is_tensor: boolean;
  ntensors: number;
  declare original: Tensor;

  constructor(modules: Iterable<Module>, original: Tensor, unsafe = false) {
    const list = [...modules];
    if (list.length === 0) throw new ValueError("ParametrizationList requires one or more modules.");
    super(list);
    this.unsafe = unsafe;
    const before = { dtype: original.dtype, shape: original.shape };
    const start = invert(list, original, true);
    this.is_tensor = start instanceof Tensor;
    this.ntensors = Array.isArray(start) ? start.length : 1;
    if (start instanceof Tensor) {
      if (start.dtype !== original.dtype) {
        throw new ValueError(
          "When `right_inverse` outputs one tensor, it may not change the dtype.\n" +
            `original.dtype: ${original.dtype}\nright_inverse(original).dtype: ${start.dtype}`,
        );
      }
      original.data = start.detach();
      register(this, "original", original);
    } else if (Array.isArray(start)) {
      start.forEach((t: unknown, i) => {
        if (!(t instanceof Tensor)) {
          throw new ValueError(
            "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). Got element " +
              `${i} of the sequence with type ${typename(t)}.`,
          );
        }
        const own = original instanceof Parameter ? new Parameter(t) : t;
        register(this, `original${i}`, own.requires_grad_(original.requires_grad));
      });
    } else {
      throw new ValueError(
        `'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). Got ${
          typename(start)
        }`,
      );
    }
    if (unsafe) return;
    const value: unknown = this.forward();
    requireTensor(value);
    requireSame(
      before,
      value,
      (kind) =>
        `Registering a parametrization may not change the ${kind} of the tensor, unless \`unsafe\` flag is enabled.`,
      (kind) => [`unparametrized ${kind}`, `parametrized ${kind}`],
    );
  }

  /** What the parametrizations start from. */
  get _originals(): Tensor[] {
    if (this.is_tensor) return [this.original];
    return Array.from({ length: this.ntensors }, (_, i) => tensorOf(this, `original${i}`));
  }

  /** Sets what the parametrizations start from, so that they give `value`. */
  right_inverse(value: Tensor): void {
    const start = invert([...this], value, false);
    const targets = this._originals;
    if (this.is_tensor) {
      if (!(start instanceof Tensor)) {
        throw new ValueError(`\`right_inverse\` should return a tensor. Got ${typename(start)}`);
      }
      if (start.dtype !== this.original.dtype) {
        throw new ValueError(
          `The tensor returned by \`right_inverse\` has dtype ${start.dtype} while \`original\` has dtype ` +
            `${this.original.dtype}`,
        );
      }
      this.original.data = start.detach();
      return;
    }
    if (!Array.isArray(start)) {
      throw new ValueError(`'right_inverse' must return a sequence of tensors. Got ${typename(start)}.`);
    }
    if (start.length !== this.ntensors) {
      throw new ValueError(
        `'right_inverse' must return a sequence of tensors of length ${this.ntensors}. Got a sequence of lenght ` +
          `${start.length}.`,
      );
    }
    start.forEach((t: unknown, i) => {
      if (!(t instanceof Tensor)) {
        throw new ValueError(
          `\`right_inverse\` must return a sequence of tensors. Got element ${i} of type ${typename(t)}`,
        );
      }
      const target = targets[i]!;
      if (target.dtype !== t.dtype) {
        throw new ValueError(
          `Tensor ${i} returned by \`right_inverse\` has dtype ${t.dtype} while \`original${i}\` has dtype ` +
            `${target.dtype}`,
        );
      }
      target.data = t.detach();
    });
  }

  override forward(): Tensor {
    const [first, ...rest] = this;
    let x = first!.call(...this._originals) as Tensor;
    for (const m of rest) x = m.call(x) as Tensor;
    return x;
  }
}

/** The parametrizations of a module by tensor; null if there are none. */
function listsOf(module: Module): ModuleDict | null {
  const lists = (module as { parametrizations?: unknown }).parametrizations;
  return lists instanceof ModuleDict ? lists : null;
}
function listOf(module: Module, name: string): ParametrizationList {
  return listsOf(module)!.get(name) as ParametrizationList;
}

type ModuleClass = new (...args: unknown[]) => Module;

/** Gives a module a class of its own, where parametrized tensors can be properties. */
function injectClass(module: Module): void {
  const base = module.constructor as ModuleClass;
  const own = class extends base {};
  Object.defineProperty(own, "name", { value: `Parametrized${base.name}` });
  Object.setPrototypeOf(module, own.prototype);
}

/** Makes the tensor `name` a property that is computed when it is read. */
function injectProperty(module: Module, name: string): void {
  Object.defineProperty(Object.getPrototypeOf(module), name, {
    configurable: true,
    get(this: Module): Tensor {
      const list = listOf(this, name);
      if (caching === 0) return list.forward();
      let value = cache.get(list);
      if (value === undefined) cache.set(list, value = list.forward());
      return value;
    },
    set(this: Module, value: Tensor): void {
      listOf(this, name).right_inverse(value);
    },
  });
}

/** Throws unless adding a parametrization to those of `module[name]` keeps dtype and shape. */
function checkAnother(module: Module, name: string, parametrization: Module): void {
  const before = tensorOf(module, name);
  const after: unknown = parametrization.call(before);
  requireTensor(after);
  requireSame(
    before,
    after,
    (kind) =>
      `Registering a parametrization may not change the ${kind} of the tensor, unless the \`unsafe\` flag is enabled.`,
    (kind) => [`module.${name}.${kind}`, `parametrization(module.${name}).${kind}`],
  );
  if (!isInvertible(parametrization)) return;
  let back: unknown;
  try {
    back = parametrization.right_inverse(after);
  } catch (e) {
    if (e instanceof NotImplementedError) return;
    throw e;
  }
  if (!(back instanceof Tensor)) {
    throw new ValueError(`parametrization.right_inverse must return a tensor. Got: ${typename(back)}`);
  }
  requireSame(
    before,
    back,
    (kind) =>
      `The tensor returned by parametrization.right_inverse must have the same ${kind} as module.${name}, unless the ` +
      "`unsafe` flag is enabled.",
    (kind) => [`module.${name}.${kind}`, `returned ${kind}`],
  );
}

/** Makes `module[tensor_name]` the value of `parametrization`; several apply one after the other. */
export function register_parametrization<M extends Module>(
  module: M,
  tensor_name: string,
  parametrization: Module,
  options: { unsafe?: boolean } = {},
): M {
  const unsafe = options.unsafe ?? false;
  parametrization.train(module.training);
  if (is_parametrized(module, tensor_name)) {
    if (!unsafe) checkAnother(module, tensor_name, parametrization);
    const list = listOf(module, tensor_name);
    list.append(parametrization);
    list.unsafe ||= unsafe;
    return module;
  }
  if (!module._parameters.has(tensor_name) && !module._buffers.has(tensor_name)) {
    throw new ValueError(
      `Module '${module}' does not have a parameter, a buffer, or a parametrized element with name '${tensor_name}'`,
    );
  }
  const list = new ParametrizationList([parametrization], tensorOf(module, tensor_name), unsafe);
  removeTensor(module, tensor_name);
  if (!is_parametrized(module)) {
    injectClass(module);
    (module as unknown as { parametrizations: ModuleDict }).parametrizations = new ModuleDict();
  }
  injectProperty(module, tensor_name);
  listsOf(module)!.set(tensor_name, list);
  return module;
}

/** Has the module parametrizations, or one for this tensor? */
export function is_parametrized(module: Module, tensor_name?: string | null): boolean {
  const lists = listsOf(module);
  if (lists === null) return false;
  return tensor_name === undefined || tensor_name === null ? lists.length > 0 : lists.has(tensor_name);
}

/** Makes a parametrized tensor an ordinary one: its value, or with `leave_parametrized` false what it starts from. */
export function remove_parametrizations<M extends Module>(
  module: M,
  tensor_name: string,
  leave_parametrized: boolean | { leave_parametrized?: boolean } = true,
): M {
  if (!is_parametrized(module, tensor_name)) {
    throw new ValueError(`Module ${module} does not have a parametrization on ${tensor_name}`);
  }
  const leave = typeof leave_parametrized === "boolean"
    ? leave_parametrized
    : leave_parametrized.leave_parametrized ?? true;
  const list = listOf(module, tensor_name);
  let tensor: Tensor;
  if (list.is_tensor) {
    tensor = list.original;
    if (leave) tensor.data = no_grad(() => tensorOf(module, tensor_name)).detach();
  } else if (leave) {
    const value = tensorOf(module, tensor_name);
    tensor = value.requires_grad ? new Parameter(value.detach()) : value;
  } else {
    throw new ValueError(
      "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is parametrized in terms of a sequence of " +
        "tensors.",
    );
  }
  Reflect.deleteProperty(Object.getPrototypeOf(module), tensor_name);
  listsOf(module)!.delete(tensor_name);
  register(module, tensor_name, tensor);
  if (!is_parametrized(module)) {
    removeTensor(module, "parametrizations");
    Object.setPrototypeOf(module, Object.getPrototypeOf(Object.getPrototypeOf(module)));
  }
  return module;
}

/** The class that a module had before it was parametrized. */
export function type_before_parametrizations(module: Module): ModuleClass {
  const own = module.constructor as ModuleClass;
  return is_parametrized(module) ? Object.getPrototypeOf(own) as ModuleClass : own;
}

/** Gives `to_module` the parametrizations of `from_module`, all or those of one tensor, and shares what they start from. */
export function transfer_parametrizations_and_params<M extends Module>(
  from_module: Module,
  to_module: M,
  tensor_name?: string | null,
): M {
  if (!is_parametrized(from_module)) return to_module;
  const names = tensor_name === undefined || tensor_name === null
    ? [...listsOf(from_module)!]
    : [tensor_name];
  for (const name of names) {
    if (tensorOf(to_module, name) === undefined) {
      to_module.register_parameter(name, new Parameter(tensorOf(from_module, name).detach()));
    }
    const from = listOf(from_module, name);
    for (const m of from) register_parametrization(to_module, name, m);
    const to = listOf(to_module, name) as unknown as Record<string, Tensor>;
    if (from.is_tensor) to.original = from.original;
    else from._originals.forEach((t, i) => to[`original${i}`] = t);
  }
  return to_module;
}
