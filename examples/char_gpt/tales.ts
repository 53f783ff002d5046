/**
 * A text to learn from: short tales of animals, made up by a grammar from a seed. Nobody wrote them, so nobody owns
 * them; they have words, grammar and a plot to pick up: who wants what, who helps, and how it ends.
 */

const WHO = ["fox", "owl", "hare", "bear", "mouse", "crow", "frog", "goat", "wolf", "hen"];
const HOW = ["old", "young", "small", "clever", "sleepy", "proud", "kind", "hungry", "shy", "brave"];
const WHERE = ["in the wood", "by the river", "on the hill", "near the mill", "under the oak", "at the pond"];
const WHAT = ["a red apple", "a warm nest", "a round cheese", "a silver bell", "a new song", "a bag of corn"];
const WHEN = ["One morning", "One evening", "In the spring", "After the rain", "On a cold night", "At noon"];
const ASKS = ["Will you help me?", "Do you know the way?", "What shall I do?", "Is it far?"];
const SAYS = [
  "Follow me.",
  "Wait for the moon.",
  "Ask the wind.",
  "Share it, and you will have two friends.",
];
const ENDS = [
  "So they shared it, and both were glad.",
  "So it was lost, and nobody laughed.",
  "So they walked home and slept well.",
  "So the lesson was learned, and the day was done.",
];

/** Tales of at least `length` letters together. The same seed gives the same tales. */
export function tales(length: number, seed: number): string {
  let state = seed >>> 0 || 1;
  // Marsaglia's xorshift: the text must not depend on what else draws random numbers.
  const draw = (n: number): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % n;
  };
  const pick = (list: readonly string[]): string => list[draw(list.length)]!;
  const a = (word: string): string => `${/^[aeiou]/.test(word) ? "an" : "a"} ${word}`;
  let text = "";
  while (text.length < length) {
    const hero = pick(WHO), friend = pick(WHO.filter((w) => w !== hero)), wish = pick(WHAT);
    text += `${pick(WHEN)} ${a(pick(HOW))} ${hero} lived ${pick(WHERE)}. The ${hero} wanted ${wish}. ` +
      `The ${hero} went to the ${friend} and said: "${pick(ASKS)}" ` +
      `The ${friend} was ${pick(HOW)} and said: "${pick(SAYS)}" ${pick(ENDS)}\n`;
  }
  return text;
}
