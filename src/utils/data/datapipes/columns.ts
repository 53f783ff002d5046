/**
 * Functions of some columns of a sample: `input_col` and `output_col`.
 *
 * @module
 */

/** A place in a list, or a key. */
export type Column = number | string;
export type Columns = Column | readonly Column[];

type Table = Record<Column, unknown> & unknown[];

const at = (sample: unknown, column: Column): unknown =>
  sample instanceof Map
    ? sample.get(column)
    : Array.isArray(sample)
    ? sample.at(column as number)
    : (sample as Table)[column];

/** What a function of these columns gets; without columns, the whole sample. */
export function columnsOf(sample: unknown, columns: Columns | null): unknown[] {
  if (columns === null) return [sample];
  return Array.isArray(columns)
    ? columns.map((column) => at(sample, column as Column))
    : [at(sample, columns as Column)];
}

/** `fn` of the columns, put into the output column (by default the first one, whose companions go), in a new sample. */
export function applyColumns(
  sample: unknown,
  fn: (...args: unknown[]) => unknown,
  input: Columns | null,
  output: Column | null,
): unknown {
  const result = fn(...columnsOf(sample, input));
  if (input === null) return result;
  const columns = (Array.isArray(input) ? [...input] : [input]) as Column[];
  if (sample instanceof Map) {
    const copy = new Map(sample);
    if (output === null) columns.slice(1).forEach((column) => copy.delete(column));
    return copy.set(output ?? columns[0], result);
  }
  if (!Array.isArray(sample)) {
    const copy = { ...sample as Record<Column, unknown> };
    if (output === null) columns.slice(1).forEach((column) => delete copy[column]);
    copy[output ?? columns[0]!] = result;
    return copy;
  }
  const list = [...sample],
    place = (column: Column): number =>
      (column as number) < 0 ? (column as number) + list.length : column as number;
  if (output === -1) list.push(result);
  else list[place(output ?? columns[0]!)] = result;
  if (output === null) {
    for (const column of columns.slice(1).map(place).sort((a, b) => b - a)) list.splice(column, 1);
  }
  return list;
}
