import { expect, test } from "vitest";
import type { Outline } from "./api";
import { erased, painted, simplified, steadied } from "./brush";
import { dense, pathLength, signedArea } from "./outline";

const square: Outline = dense([
  [10, 10],
  [50, 10],
  [50, 50],
  [10, 50],
]);

const areaOf = (outline: Outline): number => Math.abs(signedArea(outline));

const disc = (radius: number) => Math.PI * radius ** 2;

test("a dab on the edge adds the half of it that was outside, and moves nothing else", () => {
  const [grown, ...others] = painted([square], [[50, 30]], 6);
  expect(others).toEqual([]);
  expect(areaOf(grown!)).toBeCloseTo(1600 + disc(6) / 2, -1);
  expect(Math.min(...grown!.map(([x]) => x))).toBe(10);
  expect(Math.max(...grown!.map(([x]) => x))).toBeCloseTo(56, 1);
});

test("a stroke from one outline to another makes one of them; one elsewhere is a new lesion", () => {
  const far = square.map(([x, y]): [number, number] => [x + 100, y]);
  const bridge: Outline = [
    [40, 30],
    [80, 30],
    [120, 30],
  ];
  expect(painted([square, far], bridge, 3)).toHaveLength(1);
  const elsewhere = painted([square], [[200, 200]], 8);
  expect(elsewhere).toHaveLength(2);
  expect(elsewhere[0]).toBe(square);
  expect(areaOf(elsewhere[1]!)).toBeCloseTo(disc(8), -1);
});

test("a painted ring is filled", () => {
  const ring: Outline = Array.from({ length: 41 }, (_, i) => [
    200 + 20 * Math.cos((i * Math.PI) / 20),
    200 + 20 * Math.sin((i * Math.PI) / 20),
  ]);
  const [, made] = painted([square], ring, 4);
  expect(areaOf(made!)).toBeCloseTo(disc(24), -2);
});

test("erasing across cuts an outline in two, over all of it removes it, and inside leaves no hole", () => {
  const across: Outline = [
    [0, 30],
    [60, 30],
  ];
  const parts = erased([square], across, 4);
  expect(parts).toHaveLength(2);
  expect(areaOf(parts[0]!) + areaOf(parts[1]!)).toBeCloseTo(1600 - 40 * 8, 0);
  expect(erased([square], [[30, 30]], 60)).toEqual([]);
  expect(areaOf(erased([square], [[30, 30]], 5)[0]!)).toBeCloseTo(1600, 0);
});

test("a simplified line has lost its jags and lies within the tolerance", () => {
  const jagged: Outline = square.map(([x, y], i) => [x + (i % 2 ? 0.4 : -0.4), y]);
  const smooth = simplified(jagged, 1);
  expect(areaOf(smooth)).toBeGreaterThan(1500);
  expect(areaOf(smooth)).toBeLessThan(1700);
  expect(pathLength(smooth)).toBeLessThan(pathLength(jagged));
});

test("a steadied stroke keeps its ends", () => {
  const stroke: Outline = Array.from({ length: 30 }, (_, i) => [i, i % 2 ? 0.2 : 0]);
  const line = steadied(stroke);
  expect(line.length).toBeLessThan(5);
  expect([line[0], line.at(-1)]).toEqual([stroke[0], stroke.at(-1)]);
});
