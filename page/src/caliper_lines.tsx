/** The calipers over a picture: two lines with ends that can be moved, and what they measure. */
import type { Point } from "./api";
import { diameters, ends, moved, type Caliper, type Spacing } from "./calipers";
import { ARROWS } from "./keys";
import { number } from "./numbers";
import { fill, text } from "./text";

interface LinesProps {
  caliper: Caliper;
  spacing: Spacing;
  scale: number;
  change: (caliper: Caliper) => void;
  /** Follow the pointer, in pixels of the picture, until it is let go. */
  drag: (event: PointerEvent, move: (to: Point) => void) => void;
}

export function CaliperLines({ caliper, spacing, scale, change, drag }: LinesProps) {
  const all = ends(caliper, spacing);
  const [a, b, c, d] = all;
  const move = (end: number, to: Point) => change(moved(caliper, end, to, spacing));
  return (
    <g class="calipers">
      {[
        [a, b],
        [c, d],
      ].map(([from, to], i) => (
        <g key={i}>
          {["halo", "measure"].map((kind) => (
            <line
              key={kind}
              class={kind}
              x1={from![0]}
              y1={from![1]}
              x2={to![0]}
              y2={to![1]}
              vector-effect="non-scaling-stroke"
            />
          ))}
        </g>
      ))}
      {all.map(([x, y], end) => (
        <circle
          key={end}
          class="handle"
          tabindex={0}
          role="button"
          aria-label={fill(text.calipersEnd, { end: end + 1 })}
          cx={x}
          cy={y}
          r={5 / scale}
          vector-effect="non-scaling-stroke"
          onPointerDown={(event) => {
            event.stopPropagation();
            event.preventDefault();
            (event.currentTarget as SVGElement).focus();
            drag(event, (to) => move(end, to));
          }}
          onKeyDown={(event) => {
            const arrow = ARROWS[event.key];
            if (!arrow) return;
            event.preventDefault();
            event.stopPropagation();
            const by = event.shiftKey ? 5 : 1;
            move(end, [x + by * arrow[0], y + by * arrow[1]]);
          }}
        />
      ))}
    </g>
  );
}

interface ReadingProps {
  caliper: Caliper;
  spacing: Spacing;
  unit: "mm" | "px";
  addToNote: ((words: string) => void) | null;
  remove: () => void;
}

/** What the calipers measure. */
export function CaliperReading({ caliper, spacing, unit, addToNote, remove }: ReadingProps) {
  const [long, short] = diameters(caliper, spacing);
  const said = fill(text.calipersSay, { long: number(long), short: number(short), unit });
  return (
    <div class="toolbar measured">
      <strong aria-live="polite">{said}</strong>
      {addToNote && <button onClick={() => addToNote(said)}>{text.toNote}</button>}
      <button onClick={remove}>{text.removeCalipers}</button>
    </div>
  );
}
