/** Which part of a picture is seen, and how large. */
import { useCallback, useLayoutEffect, useState } from "preact/hooks";
import type { RefObject } from "preact";
import type { Point } from "./api";

/** The picture's first corner lies at `x`, `y` of its frame. */
export interface View {
  scale: number;
  x: number;
  y: number;
}

const MOST_ZOOM = 40;
const LEAST_ZOOM = 0.05;
const MARGIN = 0.98;

/** The view of a picture of this size in `frame`; `zoom` and `move` are in pixels of the screen. */
export function useView(frame: RefObject<HTMLDivElement | null>, [width, height]: Point) {
  const [view, setView] = useState<View>({ scale: 1, x: 0, y: 0 });

  const fit = useCallback(() => {
    const box = frame.current?.getBoundingClientRect();
    if (!box) return;
    const scale = Math.min(box.width / width, box.height / height) * MARGIN;
    setView({ scale, x: (box.width - width * scale) / 2, y: (box.height - height * scale) / 2 });
  }, [width, height]);

  useLayoutEffect(() => {
    fit();
    const observer = new ResizeObserver(fit);
    observer.observe(frame.current!);
    return () => observer.disconnect();
  }, [fit]);

  /** By a factor about a place on the screen, by default the middle. */
  const zoom = useCallback((factor: number, at?: Point) => {
    const box = frame.current!.getBoundingClientRect();
    const [px, py] = at ? [at[0] - box.left, at[1] - box.top] : [box.width / 2, box.height / 2];
    setView((old) => {
      const scale = Math.min(MOST_ZOOM, Math.max(LEAST_ZOOM, old.scale * factor));
      const share = scale / old.scale;
      return { scale, x: px - (px - old.x) * share, y: py - (py - old.y) * share };
    });
  }, []);

  const move = useCallback((dx: number, dy: number) => setView((old) => ({ ...old, x: old.x + dx, y: old.y + dy })), []);

  /** Where on the picture something happens, from the centre of its first pixel. */
  const place = (event: MouseEvent): Point => {
    const box = frame.current!.getBoundingClientRect();
    const inside = (value: number, most: number) => Math.min(most - 1, Math.max(0, value));
    return [
      inside((event.clientX - box.left - view.x) / view.scale - 0.5, width),
      inside((event.clientY - box.top - view.y) / view.scale - 0.5, height),
    ];
  };

  return { view, fit, zoom, move, place };
}
