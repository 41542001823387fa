/** Pointers on the picture: one is followed until it is let go, two move and zoom it together. */
import { useCallback, useRef } from "preact/hooks";
import type { Point } from "./api";

/** How two fingers changed the view since they were last heard of: about `at`, by `factor`, and moved by `by`. */
export interface Pinch {
  factor: number;
  at: Point;
  by: Point;
}

interface Gestures {
  /** Call `move` with a pointer's way and `end` when it is let go; `false` says that the gesture was broken off. */
  follow: (event: PointerEvent, move: (event: PointerEvent) => void, end?: (isWhole: boolean) => void) => void;
  /** Whether a pointer is the second of two fingers, which end what the first one had begun. */
  pinches: (event: PointerEvent) => boolean;
}

const between = (a: Point, b: Point): Point => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];

export function useGestures(pinch: (change: Pinch) => void): Gestures {
  const fingers = useRef(new Map<number, Point>());
  const breakOff = useRef<(() => void) | null>(null);

  const follow: Gestures["follow"] = useCallback((event, move, end = () => undefined) => {
    const id = event.pointerId;
    fingers.current.set(id, [event.clientX, event.clientY]);
    const onMove = (now: PointerEvent) => {
      if (now.pointerId !== id) return;
      fingers.current.set(id, [now.clientX, now.clientY]);
      move(now);
    };
    const stop = (isWhole: boolean) => {
      window.removeEventListener("pointermove", onMove);
      window.removeEventListener("pointerup", onUp);
      window.removeEventListener("pointercancel", onUp);
      breakOff.current = null;
      end(isWhole);
    };
    const onUp = (now: PointerEvent) => {
      if (now.pointerId !== id) return;
      fingers.current.delete(id);
      stop(now.type === "pointerup");
    };
    breakOff.current = () => stop(false);
    window.addEventListener("pointermove", onMove);
    window.addEventListener("pointerup", onUp);
    window.addEventListener("pointercancel", onUp);
  }, []);

  const pinches = (event: PointerEvent): boolean => {
    const held = fingers.current;
    if (event.pointerType !== "touch" || held.size !== 1 || held.has(event.pointerId)) return false;
    breakOff.current?.();
    held.set(event.pointerId, [event.clientX, event.clientY]);
    const onMove = (now: PointerEvent) => {
      if (!held.has(now.pointerId) || held.size !== 2) return;
      const [a, b] = [...held.values()] as [Point, Point];
      held.set(now.pointerId, [now.clientX, now.clientY]);
      const [c, d] = [...held.values()] as [Point, Point];
      const [before, after] = [between(a, b), between(c, d)];
      const apart = Math.hypot(a[0] - b[0], a[1] - b[1]);
      const factor = apart > 0 ? Math.hypot(c[0] - d[0], c[1] - d[1]) / apart : 1;
      pinch({ factor, at: after, by: [after[0] - before[0], after[1] - before[1]] });
    };
    const onUp = (now: PointerEvent) => {
      held.delete(now.pointerId);
      if (held.size) return;
      window.removeEventListener("pointermove", onMove);
      window.removeEventListener("pointerup", onUp);
      window.removeEventListener("pointercancel", onUp);
    };
    window.addEventListener("pointermove", onMove);
    window.addEventListener("pointerup", onUp);
    window.addEventListener("pointercancel", onUp);
    return true;
  };

  return { follow, pinches };
}
