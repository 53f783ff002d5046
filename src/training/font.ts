/**
 * Letters of 5x7 pixels for charts, drawn for this project. Each is five columns from left to right; in a column the lowest bit
 * is the top row.
 */
const COLUMNS: Readonly<Record<string, string>> = {
  " ": "0000000000",
  "0": "3e5149453e",
  "1": "00427f4000",
  "2": "4261514946",
  "3": "2141454b31",
  "4": "1814127f10",
  "5": "2745454539",
  "6": "3c4a494930",
  "7": "0171090503",
  "8": "3649494936",
  "9": "064949291e",
  ".": "0060600000",
  ",": "0050300000",
  "-": "0808080808",
  "+": "08083e0808",
  "/": "2010080402",
  "%": "2313086462",
  ":": "0036360000",
  "(": "001c224100",
  ")": "0041221c00",
  "=": "1414141414",
  "_": "4040404040",
  "'": "0005030000",
  a: "2054545478",
  b: "7f48444438",
  c: "3844444420",
  d: "384444487f",
  e: "3854545418",
  f: "087e090102",
  g: "0c5252523e",
  h: "7f08040478",
  i: "00447d4000",
  j: "2040443d00",
  k: "7f10284400",
  l: "00417f4000",
  m: "7c04180478",
  n: "7c08040478",
  o: "3844444438",
  p: "7c14141408",
  q: "081414187c",
  r: "7c08040408",
  s: "4854545420",
  t: "043f444020",
  u: "3c4040207c",
  v: "1c2040201c",
  w: "3c4030403c",
  x: "4428102844",
  y: "0c5050503c",
  z: "4464544c44",
};

/** Pixels from one letter to the next, and the height of a letter above the base line. */
export const ADVANCE = 6;
export const LETTER_HEIGHT = 7;

/** The pixels [x, y] of a text whose top left corner is (0, 0). Capitals are drawn small; an unknown letter is a box. */
export function* textPixels(text: string): Iterable<readonly [number, number]> {
  let left = 0;
  for (const letter of text.toLowerCase()) {
    const columns = COLUMNS[letter] ?? "7f4141417f";
    for (let x = 0; x < 5; x++) {
      const bits = parseInt(columns.slice(2 * x, 2 * x + 2), 16);
      for (let y = 0; y < 8; y++) if (bits & (1 << y)) yield [left + x, y];
    }
    left += ADVANCE;
  }
}
