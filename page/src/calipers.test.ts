import { expect, test } from "vitest";
import type { Outline, Point } from "./api";
import { diameters, ends, moved, placed, type Spacing } from "./calipers";

const NONE: Spacing = [1, 1];
const MM: Spacing = [0.2, 0.1];

/** An ellipse around (100, 50) with half axes 40 along and 15 across, turned by `angle`. */
function ellipse(angle: number): Outline {
  return Array.from({ length: 360 }, (_, degree) => {
    const [a, b] = [40 * Math.cos((degree * Math.PI) / 180), 15 * Math.sin((degree * Math.PI) / 180)];
    return [100 + a * Math.cos(angle) - b * Math.sin(angle), 50 + a * Math.sin(angle) + b * Math.cos(angle)] as Point;
  });
}

test.each([0, 0.5, 2])("one line along an ellipse measures both of its axes", (angle) => {
  const tip: Point = [40 * Math.cos(angle), 40 * Math.sin(angle)];
  const drawn = placed([100 - tip[0], 50 - tip[1]], [100 + tip[0], 50 + tip[1]], [ellipse(angle)], NONE)!;
  const [long, short] = diameters(drawn, NONE);
  expect(long).toBeCloseTo(80);
  expect(short).toBeCloseTo(30, 1);
});

test("lengths are in mm and both diameters perpendicular there, also where pixels are no squares", () => {
  const drawn = placed([10, 10], [50, 30], [], MM)!;
  expect(diameters(drawn, MM)[0]).toBeCloseTo(Math.hypot(4, 4));
  const [a, b, c, d] = ends(drawn, MM).map(([x, y]) => [x * 0.1, y * 0.2] as Point) as [Point, Point, Point, Point];
  expect((b[0] - a[0]) * (d[0] - c[0]) + (b[1] - a[1]) * (d[1] - c[1])).toBeCloseTo(0);
  expect(Math.hypot(d[0] - c[0], d[1] - c[1])).toBeCloseTo(diameters(drawn, MM)[1]);
});

test("an end that is moved comes to lie there, or as near as a perpendicular line allows", () => {
  const drawn = placed([0, 0], [40, 0], [], NONE)!;
  const [, , left, right] = ends(drawn, NONE);
  expect(left).toEqual([20, -10]);
  const higher = moved(drawn, 2, [30, -16], NONE);
  expect(ends(higher, NONE)[2]).toEqual([30, -16]);
  expect(ends(higher, NONE)[3]).toEqual([30, right[1]]);
  expect(diameters(higher, NONE)).toEqual([40, 26]);
  expect(ends(moved(drawn, 1, [60, 5], NONE), NONE)[1]).toEqual([60, 5]);
  expect(ends(moved(drawn, 3, [90, 7], NONE), NONE)[3]).toEqual([40, 7]);
});

test("a touch is no line", () => {
  expect(placed([5, 5], [6, 5], [], NONE)).toBeNull();
});
