/**
 * Python's calling convention for functions and constructors: positional arguments in order, any of them by name in
 * one trailing plain object.
 *
 * @module
 */

/** In a signature: the argument has no default. */
export const required: unique symbol = Symbol("required");

type IsOptional<O, K extends keyof O> = Record<never, never> extends Pick<O, K> ? true : false;

/** The arguments in positional order, each with its default. */
export type Defaults<O> = {
  [K in keyof O]-?: IsOptional<O, K> extends true ? Exclude<O[K], undefined> : typeof required;
};

/** The arguments after binding: every name has a value. */
export type Bound<O> = { [K in keyof O]-?: Exclude<O[K], undefined> };

/** Is `x` the object that carries keyword arguments: `{...}`, not an instance of anything? */
export function isKeywords(x: unknown): x is Record<string, unknown> {
  if (x === null || typeof x !== "object") return false;
  const proto = Object.getPrototypeOf(x);
  return proto === Object.prototype || proto === null;
}

/**
 * Declares the arguments of a callable and returns the function that binds a call to them. `undefined` counts as not
 * given, `null` is Python's None.
 *
 * ```ts
 * const LINEAR = signature<LinearOptions>("Linear", { in_features: required, out_features: required, bias: true });
 * const { in_features, out_features, bias } = LINEAR(args);
 * ```
 */
export function signature<O extends object>(
  name: string,
  defaults: Defaults<O>,
): (args: readonly unknown[]) => Bound<O> {
  const names = Object.keys(defaults);
  const mandatory = names.filter((n) => (defaults as Record<string, unknown>)[n] === required);
  return (args) => {
    const bound = { ...defaults } as Record<string, unknown>;
    let count = args.length;
    const last = args[count - 1];
    const keywords = isKeywords(last) ? last : null;
    if (keywords !== null) count--;
    if (count > names.length) {
      throw new TypeError(
        `${name}() takes at most ${names.length} positional argument${
          names.length === 1 ? "" : "s"
        } (${count} given)`,
      );
    }
    for (let i = 0; i < count; i++) if (args[i] !== undefined) bound[names[i]!] = args[i];
    if (keywords !== null) {
      for (const k of Object.keys(keywords)) {
        const at = names.indexOf(k);
        if (at < 0) throw new TypeError(`${name}() got an unexpected keyword argument '${k}'`);
        if (keywords[k] === undefined) continue;
        if (at < count && args[at] !== undefined) {
          throw new TypeError(`${name}() got multiple values for argument '${k}'`);
        }
        bound[k] = keywords[k];
      }
    }
    for (const n of mandatory) {
      if (bound[n] === required) {
        throw new TypeError(`${name}() missing 1 required positional argument: '${n}'`);
      }
    }
    return bound as Bound<O>;
  };
}
