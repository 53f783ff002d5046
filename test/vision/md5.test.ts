import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { Md5, md5 } from "../../src/vision/datasets/md5.ts";

describe("md5", () => {
  it.each([
    ["", "d41d8cd98f00b204e9800998ecf8427e"],
    ["a", "0cc175b9c0f1b6a831c399e269772661"],
    ["message digest", "f96b697d7cb7938d525a2f31aaf161d0"],
    [
      "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
      "57edf4a22be3c955ac49da2e2107b67a",
    ],
  ])("of %j is RFC 1321's", (text, want) => {
    expect(md5(new TextEncoder().encode(text))).toBe(want);
  });
  it("agrees with the platform's for every length around the block of 64, in one piece or several", () => {
    const bytes = Uint8Array.from({ length: 300 }, (_, i) => i * 37);
    for (let n = 0; n < 300; n++) {
      const want = createHash("md5").update(bytes.subarray(0, n)).digest("hex");
      expect(md5(bytes.subarray(0, n))).toBe(want);
      const third = Math.floor(n / 3);
      const pieces = new Md5().update(bytes.subarray(0, third)).update(bytes.subarray(third, third)).update(
        bytes.subarray(third, n),
      );
      expect(pieces.hexDigest()).toBe(want);
    }
  });
});
