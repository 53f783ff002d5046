/**
 * Named results: arrays whose entries also have names, `x.max(1).values`, printed as PyTorch's `torch.return_types`.
 *
 * @module
 */
import type { Tensor } from "../tensor.ts";
import type { Row } from "./op.ts";

/** Results of one operator; subclasses have a getter per name. */
export class NamedResults extends Array<Tensor> {
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }
  /** @internal */
  get typeName(): string {
    return "";
  }
  /** @internal */
  get names(): readonly string[] {
    return [];
  }
  override toString(): string {
    const lines = this.names.map((n, i) => `${n}=${this[i]}`);
    return `torch.return_types.${this.typeName}(\n${lines.join(",\n")})`;
  }
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }
}

const classes = new Map<Row, new () => NamedResults>();

function classFor(row: Row): new () => NamedResults {
  let made = classes.get(row);
  if (made === undefined) {
    const names = row.parsed.resultNames!;
    made = class extends NamedResults {
      override get typeName(): string {
        return row.name;
      }
      override get names(): readonly string[] {
        return names;
      }
    };
    names.forEach((n, i) =>
      Object.defineProperty(made!.prototype, n, {
        get(this: NamedResults) {
          return this[i];
        },
      })
    );
    classes.set(row, made);
  }
  return made;
}

/** `results` with the names of the row's schema. */
export function namedResults(row: Row, results: readonly Tensor[]): NamedResults {
  const named = new (classFor(row))();
  for (const t of results) named.push(t);
  return named;
}
