/**
 * What JavaScript's own values cannot say about the Python values that they were loaded from: that an array was a tuple, that
 * a Map was a dict and no OrderedDict, that 2 was 2.0. Kept beside the values, so that users get plain arrays, Maps and
 * numbers, and `torch.save(torch.load(f))` still writes what was in the file.
 */

/** Remembered about one array, object or Map. */
export interface Note {
  /** An array that was a tuple. */
  tuple?: boolean;
  /** A Map that was a dict (an unmarked Map is an OrderedDict, as a state_dict is). */
  dict?: boolean;
  /** Where whole numbers were floats: key or index -> the number. A place that holds another number now is not meant. */
  floats?: Map<unknown, number>;
}

const notes = new WeakMap<object, Note>();

/** The note on a value, made if there is none. */
export function noteOn(value: object): Note {
  let note = notes.get(value);
  if (note === undefined) notes.set(value, note = {});
  return note;
}

/** The note on a value, if there is one. */
export function findNote(value: object): Note | undefined {
  return notes.get(value);
}

/** Remembers that the whole number at `key` was a float. */
export function noteFloat(container: object, key: unknown, value: number): void {
  const note = noteOn(container);
  (note.floats ??= new Map()).set(key, value);
}

/** Whether the number at `key` is the one that was loaded as a float. */
export function wasFloat(container: object, key: unknown, value: number): boolean {
  return Object.is(notes.get(container)?.floats?.get(key), value);
}
