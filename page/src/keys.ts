import { useEffect, useRef } from "preact/hooks";
import type { Point } from "./api";

/** Steps of the arrow keys on the picture. */
export const ARROWS: Record<string, Point> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** Whether a key is meant for the page: it is not typed into a field, and no dialog is open over it. */
function isForPage(event: KeyboardEvent): boolean {
  if (document.querySelector("dialog[open]")) return false;
  return !(event.target instanceof HTMLElement && /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName));
}

/** Hear keys that are meant for the page; `hear` is always the latest one. */
export function useKeys(hear: (event: KeyboardEvent) => void): void {
  const latest = useRef(hear);
  latest.current = hear;
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (isForPage(event)) latest.current(event);
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
}
