/** Two perpendicular diameters, measured in one gesture: a line along the one, across which the other lies. */
import type { Outline, Point } from "./api";

/** How large a pixel is, down and across: in mm, or 1 where nobody knows. */
export type Spacing = [number, number];

/**
 * `from` and `to` are the ends of the long diameter in pixels. The short one crosses it at the share `at` of its way
 * and reaches `left` and `right` of it, in mm (or pixels where nobody knows how large they are).
 */
export interface Caliper {
  from: Point;
  to: Point;
  at: number;
  left: number;
  right: number;
}

/** Its ends in pixels: those of the long diameter, then those of the short one. */
export type Ends = [Point, Point, Point, Point];

const STEPS = 60;
const SHORTEST = 2;

const scaled = ([x, y]: Point, [sy, sx]: Spacing): Point => [x * sx, y * sy];
const unscaled = ([x, y]: Point, [sy, sx]: Spacing): Point => [x / sx, y / sy];
const length = ([x, y]: Point): number => Math.hypot(x, y);
const minus = (a: Point, b: Point): Point => [a[0] - b[0], a[1] - b[1]];
const along = (from: Point, way: Point, by: number): Point => [from[0] + by * way[0], from[1] + by * way[1]];
const dot = (a: Point, b: Point): number => a[0] * b[0] + a[1] * b[1];

/** Where the long diameter begins, and its direction and the one to its left, each of length 1; all in mm. */
function axes(from: Point, to: Point, spacing: Spacing): { start: Point; way: Point; side: Point; long: number } {
  const start = scaled(from, spacing);
  const whole = minus(scaled(to, spacing), start);
  const long = length(whole);
  const way: Point = long ? [whole[0] / long, whole[1] / long] : [1, 0];
  return { start, way, side: [way[1], -way[0]], long };
}

function holds(outline: Outline, [x, y]: Point): boolean {
  let inside = false;
  outline.forEach(([x1, y1], i) => {
    const [x2, y2] = outline[(i + 1) % outline.length]!;
    if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) inside = !inside;
  });
  return inside;
}

/** How far a closed line reaches to both sides of a point across a direction; null where it is not crossed twice. */
function reach(line: Outline, foot: Point, way: Point, side: Point): { left: number; right: number } | null {
  let [left, right] = [-Infinity, -Infinity];
  line.forEach((one, i) => {
    const other = line[(i + 1) % line.length]!;
    const [a, b] = [dot(minus(one, foot), way), dot(minus(other, foot), way)];
    if (a > 0 === b > 0) return;
    const at = dot(minus(along(one, minus(other, one), a / (a - b)), foot), side);
    left = Math.max(left, at);
    right = Math.max(right, -at);
  });
  return left > -right && Number.isFinite(left) ? { left, right } : null;
}

/**
 * The caliper of a gesture; null for one that is too short. Within an outline the short diameter lies where that is
 * widest across the long one, elsewhere across its middle with half its length.
 */
export function placed(from: Point, to: Point, outlines: Outline[], spacing: Spacing): Caliper | null {
  if (length(minus(to, from)) < SHORTEST) return null;
  const { start, way, side, long } = axes(from, to, spacing);
  const middle: Point = [(from[0] + to[0]) / 2, (from[1] + to[1]) / 2];
  let best: Caliper = { from, to, at: 0.5, left: long / 4, right: long / 4 };
  const around = outlines.find((one) => holds(one, middle));
  if (!around) return best;
  const line = around.map((point) => scaled(point, spacing));
  let widest = 0;
  for (let step = 1; step < STEPS; step++) {
    const found = reach(line, along(start, way, (long * step) / STEPS), way, side);
    if (!found || found.left + found.right <= widest) continue;
    widest = found.left + found.right;
    best = { from, to, at: step / STEPS, ...found };
  }
  return best;
}

export function ends(caliper: Caliper, spacing: Spacing): Ends {
  const { start, way, side, long } = axes(caliper.from, caliper.to, spacing);
  const foot = along(start, way, long * caliper.at);
  const [left, right] = [along(foot, side, caliper.left), along(foot, side, -caliper.right)];
  return [caliper.from, caliper.to, unscaled(left, spacing), unscaled(right, spacing)];
}

/** The longer of both diameters, and the other. */
export function diameters(caliper: Caliper, spacing: Spacing): [number, number] {
  const one = axes(caliper.from, caliper.to, spacing).long;
  const other = caliper.left + caliper.right;
  return [Math.max(one, other), Math.min(one, other)];
}

/** One of the ends moved: the diameters stay perpendicular. */
export function moved(caliper: Caliper, end: number, to: Point, spacing: Spacing): Caliper {
  if (end === 0) return { ...caliper, from: to };
  if (end === 1) return { ...caliper, to };
  const { start, way, side, long } = axes(caliper.from, caliper.to, spacing);
  const from = minus(scaled(to, spacing), start);
  const at = Math.min(1, Math.max(0, dot(from, way) / (long || 1)));
  const away = dot(from, side);
  return end === 2 ? { ...caliper, at, left: away } : { ...caliper, at, right: -away };
}
