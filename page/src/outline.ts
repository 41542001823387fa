/** Outlines as closed lines of points, and how a person changes them. */
import type { Outline, Point } from "./api";

const STEP = 2;
const HANDLES = 24;
const NEAR = 0.06;

export function distance(a: Point, b: Point): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1]);
}

export function pathLength(points: Outline): number {
  let sum = 0;
  for (let i = 1; i < points.length; i++) sum += distance(points[i - 1]!, points[i]!);
  return sum;
}

/** What a closed line holds; negative where it runs the other way round. */
export function signedArea(outline: Outline): number {
  let twice = 0;
  outline.forEach(([x, y], i) => {
    const [u, v] = outline[(i + 1) % outline.length]!;
    twice += x * v - u * y;
  });
  return twice / 2;
}

/** The same closed line with a point at least every two pixels: what it holds is not changed. */
export function dense(outline: Outline): Outline {
  const result: Outline = [];
  outline.forEach((from, i) => {
    const to = outline[(i + 1) % outline.length]!;
    const parts = Math.max(1, Math.ceil(distance(from, to) / STEP));
    for (let k = 0; k < parts; k++) {
      result.push([from[0] + ((to[0] - from[0]) * k) / parts, from[1] + ((to[1] - from[1]) * k) / parts]);
    }
  });
  return result;
}

/** Which points of a dense line are offered to be dragged. */
export function handles(outline: Outline): number[] {
  const count = Math.min(HANDLES, outline.length);
  return Array.from({ length: count }, (_, k) => Math.round((k * outline.length) / count));
}

/** A point of a dense line moved; its neighbours follow, less and less up to two handles away. */
export function dragged(outline: Outline, index: number, to: Point): Outline {
  const from = outline[index]!;
  const shift: Point = [to[0] - from[0], to[1] - from[1]];
  const reach = Math.max(2, (2 * outline.length) / HANDLES);
  return outline.map((point, i) => {
    const apart = Math.min(Math.abs(i - index), outline.length - Math.abs(i - index));
    if (apart >= reach) return point;
    const share = 0.5 + 0.5 * Math.cos((Math.PI * apart) / reach);
    return [point[0] + share * shift[0], point[1] + share * shift[1]];
  });
}

function nearest(outline: Outline, to: Point): { index: number; away: number } {
  let index = 0;
  let away = Infinity;
  outline.forEach((point, i) => {
    const d = distance(point, to);
    if (d < away) [index, away] = [i, d];
  });
  return { index, away };
}

function between(outline: Outline, from: number, to: number): Outline {
  return from <= to ? outline.slice(from, to + 1) : [...outline.slice(from), ...outline.slice(0, to + 1)];
}

/** The outline with the part between a stroke's ends replaced by it: the shorter of the two parts goes. */
export function redrawn(outline: Outline, stroke: Outline): Outline {
  const start = nearest(outline, stroke[0]!).index;
  const end = nearest(outline, stroke[stroke.length - 1]!).index;
  const forward = between(outline, start, end);
  const backward = between(outline, end, start);
  return pathLength(forward) <= pathLength(backward)
    ? [...backward, ...stroke.slice(1, -1)]
    : [...forward, ...stroke.slice(1, -1).reverse()];
}

/** What a stroke does: redraws a part of the line that it begins and ends at, else it is a new line; null: too short. */
export function withStroke(outlines: Outline[], stroke: Outline, size: Point): Outline[] | null {
  if (stroke.length < 3 || pathLength(stroke) < 6) return null;
  const near = NEAR * Math.max(...size);
  const first = stroke[0]!;
  const last = stroke[stroke.length - 1]!;
  const at = outlines.findIndex((one) => nearest(one, first).away < near && nearest(one, last).away < near);
  if (at < 0) return [...outlines, dense(stroke)];
  const old = outlines[at]!;
  const around = distance(first, last) < near && pathLength(stroke) > 0.6 * pathLength([...old, old[0]!]);
  return outlines.map((one, i) => (i === at ? dense(around ? stroke : redrawn(one, stroke)) : one));
}

export function centre(outline: Outline): Point {
  const sum = outline.reduce((a, p) => [a[0] + p[0], a[1] + p[1]] as Point, [0, 0] as Point);
  return [sum[0] / outline.length, sum[1] / outline.length];
}

export function asPath(outline: Outline): string {
  return outline.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(2)} ${y.toFixed(2)}`).join("") + "Z";
}

/** Rounded as the server keeps them. */
export function rounded(outlines: Outline[]): Outline[] {
  return outlines.map((one) => one.map(([x, y]) => [Math.round(x * 100) / 100, Math.round(y * 100) / 100]));
}
