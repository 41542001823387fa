/** How large the brush is, in pixels of the picture; a browser keeps it. */
import { useCallback, useState } from "preact/hooks";

const KEY = "bustle.brush";
export const LEAST_RADIUS = 1;
export const MOST_RADIUS = 80;
const FIRST = 8;
const STEP = 1.2;

const within = (radius: number): number => Math.min(MOST_RADIUS, Math.max(LEAST_RADIUS, radius));

function stored(): number {
  const value = Number(localStorage.getItem(KEY));
  return value ? within(value) : FIRST;
}

/** `grow` by so many steps, or fewer than none. */
export function useBrushSize(): { radius: number; setRadius: (radius: number) => void; grow: (steps: number) => void } {
  const [radius, set] = useState(stored);
  const setRadius = useCallback((wanted: number) => {
    localStorage.setItem(KEY, String(within(wanted)));
    set(within(wanted));
  }, []);
  const grow = useCallback((steps: number) => set((old) => {
    const now = within(old * STEP ** steps);
    localStorage.setItem(KEY, String(now));
    return now;
  }), []);
  return { radius, setRadius, grow };
}
