/** Outlines over the picture, with their numbers, and the points by which one is changed. */
import type { Outline, Point } from "./api";
import { ARROWS } from "./keys";
import { asPath, centre, dragged, handles } from "./outline";
import { fill, text } from "./text";

interface LinesProps {
  outlines: Outline[];
  scale: number;
  suspected: boolean;
  /** The one that is to be deleted or simplified; null where none is. */
  chosen: number | null;
  choose: (line: number) => void;
}

export function OutlineLines({ outlines, scale, suspected, chosen, choose }: LinesProps) {
  return (
    <>
      {outlines.map((one, i) => (
        <g key={i}>
          <path class="halo" d={asPath(one)} vector-effect="non-scaling-stroke" />
          <path
            class={`outline${suspected ? " suspected" : ""}${i === chosen ? " chosen" : ""}`}
            d={asPath(one)}
            vector-effect="non-scaling-stroke"
            onPointerDown={() => choose(i)}
          />
          {outlines.length > 1 && (
            <text x={centre(one)[0]} y={centre(one)[1]} font-size={14 / scale}>
              {i + 1}
            </text>
          )}
        </g>
      ))}
    </>
  );
}

interface HandlesProps {
  outlines: Outline[];
  scale: number;
  choose: (line: number) => void;
  /** Follow the pointer that was pressed, in pixels of the picture, until it is let go. */
  drag: (event: PointerEvent, move: (to: Point) => void, end: (isWhole: boolean) => void) => void;
  /** Outlines as they would be, while a point is on its way; null: as they are. */
  preview: (outlines: Outline[] | null) => void;
  change: (outlines: Outline[]) => void;
}

export function OutlineHandles({ outlines, scale, choose, drag, preview, change }: HandlesProps) {
  const moved = (line: number, index: number, to: Point) =>
    outlines.map((one, i) => (i === line ? dragged(one, index, to) : one));

  const onPointerDown = (event: PointerEvent, line: number, index: number) => {
    event.stopPropagation();
    event.preventDefault();
    (event.currentTarget as SVGElement).focus();
    choose(line);
    let latest: Outline[] | null = null;
    const move = (to: Point) => preview((latest = moved(line, index, to)));
    drag(event, move, (isWhole) => {
      preview(null);
      if (latest && isWhole) change(latest);
    });
  };

  const onKeyDown = (event: KeyboardEvent, line: number, index: number) => {
    const arrow = ARROWS[event.key];
    if (!arrow) return;
    event.preventDefault();
    event.stopPropagation();
    const by = event.shiftKey ? 5 : 1;
    const [x, y] = outlines[line]![index]!;
    change(moved(line, index, [x + by * arrow[0], y + by * arrow[1]]));
  };

  return (
    <>
      {outlines.flatMap((one, line) =>
        handles(one).map((index, k) => (
          <circle
            key={`${line}-${k}`}
            class="handle"
            tabindex={0}
            role="button"
            aria-label={`${fill(text.lesion, { number: line + 1 })}, ${k + 1}`}
            cx={one[index]![0]}
            cy={one[index]![1]}
            r={5 / scale}
            vector-effect="non-scaling-stroke"
            onPointerDown={(event) => onPointerDown(event, line, index)}
            onKeyDown={(event) => onKeyDown(event, line, index)}
          />
        )),
      )}
    </>
  );
}
