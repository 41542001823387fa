/** A round brush over outlines: what a stroke of it adds to them or takes from them, and lines with fewer corners. */
import { EndType, FillRule, JoinType, differenceD, inflatePathsD, intersectD, simplifyPathD, unionD } from "clipper2-ts";
import type { Outline, Point } from "./api";
import { dense, signedArea } from "./outline";

/** Decimals of a pixel, as the server keeps them. */
const PRECISION = 2;
const ARC_TOLERANCE = 0.1;
const MITER_LIMIT = 2;
/** In square pixels: what an erasing stroke leaves of an outline and is smaller is gone. */
const LEAST_AREA = 4;
/** In pixels: how far a drawn line may lie from the hand's own. */
export const TREMOR = 0.5;

type Path = { x: number; y: number }[];

const asPath = (line: Outline): Path => line.map(([x, y]) => ({ x, y }));
const asOutline = (path: Path): Outline => path.map(({ x, y }): Point => [x, y]);

/** All that the brush has passed over. */
function swept(stroke: Outline, radius: number): Path[] {
  const line = simplifyPathD(asPath(stroke), ARC_TOLERANCE, false);
  return inflatePathsD([line], radius, JoinType.Round, EndType.Round, MITER_LIMIT, PRECISION, ARC_TOLERANCE);
}

/** The outer lines, without holes: an outline is of a whole lesion. */
const filled = (paths: Path[]): Outline[] =>
  paths
    .map(asOutline)
    .filter((line) => signedArea(line) >= LEAST_AREA)
    .map(dense);

const touches = (outline: Outline, brush: Path[]): boolean =>
  intersectD([asPath(outline)], brush, FillRule.NonZero, PRECISION).length > 0;

/** Outlines that a stroke touches grow by it, and together where it touches several; elsewhere it is a new one. */
export function painted(outlines: Outline[], stroke: Outline, radius: number): Outline[] {
  const brush = swept(stroke, radius);
  const touched = outlines.filter((one) => touches(one, brush));
  const first = touched[0];
  if (!first) return [...outlines, ...filled(unionD(brush, FillRule.NonZero))];
  const grown = filled(unionD(touched.map(asPath), brush, FillRule.NonZero, PRECISION));
  return outlines.flatMap((one) => (one === first ? grown : touched.includes(one) ? [] : [one]));
}

/** Outlines without what a stroke passes over: one may become several, or none. */
export function erased(outlines: Outline[], stroke: Outline, radius: number): Outline[] {
  const brush = swept(stroke, radius);
  return outlines.flatMap((one) =>
    touches(one, brush) ? filled(differenceD([asPath(one)], brush, FillRule.NonZero, PRECISION)) : [one],
  );
}

/** An outline with fewer corners, nowhere farther than `tolerance` pixels from the old one. */
export function simplified(outline: Outline, tolerance: number): Outline {
  const path = simplifyPathD(asPath(outline), tolerance, true);
  return path.length < 3 ? outline : dense(asOutline(path));
}

/** A drawn line without the tremor of the hand. */
export const steadied = (stroke: Outline): Outline => asOutline(simplifyPathD(asPath(stroke), TREMOR, false));
