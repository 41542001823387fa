import { expect, test } from "vitest";
import type { Outline } from "./api";
import { dense, dragged, handles, pathLength, redrawn, signedArea, withStroke } from "./outline";

const square: Outline = dense([
  [10, 10],
  [50, 10],
  [50, 50],
  [10, 50],
]);

const areaOf = (outline: Outline): number => Math.abs(signedArea(outline));

test("a dense line has the same length and area", () => {
  expect(pathLength([...square, square[0]!])).toBeCloseTo(160);
  expect(areaOf(square)).toBeCloseTo(1600);
  expect(square.length).toBe(80);
});

test("a dragged point is where it was put, and the far side stays", () => {
  const moved = dragged(square, 10, [30, 0]);
  expect(moved[10]).toEqual([30, 0]);
  expect(moved[50]).toEqual(square[50]);
  expect(areaOf(moved)).toBeGreaterThan(1600);
});

test("handles are points of the line, each once", () => {
  const found = handles(square);
  expect(new Set(found).size).toBe(24);
  expect(Math.max(...found)).toBeLessThan(square.length);
});

test.each([1, -1])("a stroke replaces the shorter part, in whichever direction it is drawn", (direction) => {
  const bulge: Outline = [
    [20, 10],
    [30, 0],
    [40, 10],
  ];
  const changed = redrawn(square, direction > 0 ? bulge : bulge.toReversed());
  expect(areaOf(changed)).toBeCloseTo(1700);
});

test("a loop elsewhere is a new lesion, one around an outline replaces it, a click nothing", () => {
  const loop: Outline = [
    [150, 150],
    [170, 150],
    [170, 170],
    [151, 151],
  ];
  expect(withStroke([square], loop, [200, 200])).toHaveLength(2);
  const around: Outline = [
    [8, 8],
    [52, 8],
    [52, 52],
    [8, 52],
    [8, 9],
  ];
  const replaced = withStroke([square], around, [200, 200])!;
  expect(replaced).toHaveLength(1);
  expect(areaOf(replaced[0]!)).toBeGreaterThan(1900);
  expect(withStroke([square], [[10, 10]], [200, 200])).toBeNull();
});
