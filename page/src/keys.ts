import type { Point } from "./api";

/** Steps of the arrow keys on the picture. */
export const ARROWS: Record<string, Point> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** Whether a key is meant for the page: it is not typed into a field, and no dialog is open over it. */
export function isForPage(event: KeyboardEvent): boolean {
  if (document.querySelector("dialog[open]")) return false;
  return !(event.target instanceof HTMLElement && /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName));
}
