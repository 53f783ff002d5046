import { describe, expect, it } from "vitest";
import { drawImage, drawImages } from "../../src/training/draw_images.ts";
import { Image } from "../../src/vision/image/image.ts";

const corner = new Image(3, 3, "L", Uint8Array.of(255, 0, 0, 255, 255, 0, 0, 0, 255));

describe("drawImage", () => {
  it("puts two rows into one line", () => {
    expect(drawImage(corner)).toEqual(["█▄ ", "  ▀"]);
  });
  it("uses shades where colours are wanted, and says each colour once", () => {
    const gray = new Image(2, 2, "RGB", Uint8Array.of(10, 10, 10, 10, 10, 10, 200, 190, 210, 200, 190, 210));
    expect(drawImage(gray, { color: true })).toEqual(["\x1b[38;2;10;10;10;48;2;200;200;200m▀▀\x1b[0m"]);
  });
});

describe("drawImages", () => {
  it("puts pictures side by side with their captions, as many as fit", () => {
    const pictures = ["7", "2", "long"].map((caption) => ({ image: corner, caption }));
    expect(drawImages(pictures, { columns: 8 })).toBe(
      ["█▄   █▄", "  ▀    ▀", "7    2", "█▄", "  ▀", "lon"].join("\n"),
    );
    expect(drawImages(pictures, { columns: 80 }).split("\n").length).toBe(3);
    expect(drawImages([], {})).toBe("");
  });
});
