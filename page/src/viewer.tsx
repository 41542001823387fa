/** A picture with its outlines: zoom, pan, window and level, and the tools that change an outline. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Outline, Point } from "./api";
import { erased, painted, simplified, steadied } from "./brush";
import { useBrushSize } from "./brush_size";
import { CaliperLines, CaliperReading } from "./caliper_lines";
import { placed, type Caliper, type Spacing } from "./calipers";
import { EditBar, type Editing, type Tool } from "./edit_bar";
import { useGestures } from "./gestures";
import { ARROWS, useKeys } from "./keys";
import { PLAIN, applied, within, type Levels } from "./levels";
import { LevelsBar } from "./levels_bar";
import { withStroke } from "./outline";
import { OutlineHandles, OutlineLines } from "./outline_lines";
import { pixelsOf } from "./pixels";
import { text } from "./text";
import { useView } from "./view";

/** What is looked at. */
export interface Picture {
  src: string;
  name: string;
  width: number;
  height: number;
  spacing_mm: Spacing | null;
}

/** A map over the picture; `words` say how its colours are read. */
export interface Layer {
  src: string;
  name: string;
  words: string;
}

export interface EditableOutlines extends Editing {
  change: (outlines: Outline[]) => void;
}

interface Props {
  picture: Picture;
  outlines: Outline[];
  suspected: boolean;
  /** What can be laid over the picture. */
  layers?: Layer[];
  editing: EditableOutlines | null;
  /** Whether sizes are measured on it. */
  measurable: boolean;
  /** Take what was measured into the note; null where there is none to be written. */
  addToNote: ((words: string) => void) | null;
  /** Below the picture, beside window and level. */
  besideLevels?: ComponentChildren;
  children?: ComponentChildren;
  /** What stands below it in the place of the help for its tools. */
  caption?: string;
}

const TOOL_KEYS: Record<string, Tool> = { v: "pan", p: "points", d: "draw", b: "brush", r: "erase", m: "calipers" };
const LAYER_KEYS = ["e", "u"];
const EDITING: Tool[] = ["points", "draw", "brush", "erase"];
const PAN_STEP = 40;
const LEVEL_STEP = 8;
/** Of the larger side of a picture: how far a simplified line may lie from the old one. */
const SIMPLER = 0.004;

export function Viewer(props: Props) {
  const { picture, outlines, editing, measurable } = props;
  const frame = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [pixels, setPixels] = useState<ImageData | null>(null);
  const [isMissing, setIsMissing] = useState(false);
  const [levels, setLevels] = useState<Levels>(PLAIN);
  const [wantedTool, setTool] = useState<Tool>("pan");
  const [stroke, setStroke] = useState<Outline>([]);
  const [cursor, setCursor] = useState<Point | null>(null);
  const [live, setLive] = useState<Outline[] | null>(null);
  const [chosen, setChosen] = useState<number | null>(null);
  const [showsOutlines, setShowsOutlines] = useState(true);
  const [shownLayer, setShownLayer] = useState<number | null>(null);
  const [isLayerHere, setIsLayerHere] = useState(true);
  const [opacity, setOpacity] = useState(0.8);
  const [caliper, setCaliper] = useState<Caliper | null>(null);
  const { radius, setRadius, grow } = useBrushSize();
  const size: Point = [pixels?.width ?? picture.width, pixels?.height ?? picture.height];
  const { view, fit, zoom, move, place } = useView(frame, size);
  const { follow, pinches } = useGestures(({ factor, at, by }) => {
    move(...by);
    zoom(factor, at);
  });

  const spacing: Spacing = picture.spacing_mm ?? [1, 1];
  const tools: Tool[] = ["pan", ...(editing ? EDITING : []), ...(measurable ? (["calipers"] as const) : [])];
  const tool = tools.includes(wantedTool) ? wantedTool : "pan";
  const shown = live ?? outlines;
  const layers = props.layers ?? [];
  const layer = shownLayer === null ? null : (layers[shownLayer] ?? null);
  const showLayer = (wanted: number) => {
    setShownLayer((old) => (old === wanted ? null : wanted));
    setIsLayerHere(false);
  };
  const canEdit = editing !== null && !editing.isBusy;
  const target = outlines.length === 0 ? null : chosen !== null && chosen < outlines.length ? chosen : 0;
  const isBrush = tool === "brush" || tool === "erase";

  useEffect(() => {
    let isOld = false;
    setIsMissing(false);
    pixelsOf(picture.src).then(
      (found) => isOld || setPixels(found),
      () => isOld || setIsMissing(true),
    );
    return () => {
      isOld = true;
    };
  }, [picture.src]);

  useEffect(() => {
    if (!pixels || !canvas.current) return;
    canvas.current.width = pixels.width;
    canvas.current.height = pixels.height;
    canvas.current.getContext("2d")!.putImageData(applied(pixels, levels), 0, 0);
  }, [pixels, levels]);

  useKeys((event) => {
    const key = event.key.toLowerCase();
    if (event.ctrlKey || event.metaKey) {
      if (!editing) return;
      if (key === "z" && !event.shiftKey) editing.undo();
      else if (key === "y" || (key === "z" && event.shiftKey)) editing.redo();
      else return;
      event.preventDefault();
      return;
    }
    if (event.altKey) return;
    const arrow = ARROWS[event.key];
    const wanted = TOOL_KEYS[key];
    if (wanted && tools.includes(wanted)) setTool(wanted);
    else if (arrow && event.shiftKey)
      setLevels((old) =>
        within({ ...old, window: old.window + LEVEL_STEP * arrow[0], level: old.level - LEVEL_STEP * arrow[1] }),
      );
    else if (arrow) move(-PAN_STEP * arrow[0], -PAN_STEP * arrow[1]);
    else if (key === "[" && isBrush) grow(-1);
    else if (key === "]" && isBrush) grow(1);
    else if (key === "+" || key === "=") zoom(1.25);
    else if (key === "-") zoom(0.8);
    else if (key === "0") fit();
    else if (key === "i") setLevels((old) => ({ ...old, inverted: !old.inverted }));
    else if (key === "o") setShowsOutlines((old) => !old);
    else if (LAYER_KEYS.includes(key)) showLayer(LAYER_KEYS.indexOf(key));
    else return;
    if (arrow) event.preventDefault();
  });

  /** Follow a stroke over the picture; what `made` makes of it takes the place of the outlines. */
  const draw = (event: PointerEvent, made: (stroke: Outline) => Outline[] | null) => {
    const drawn: Outline = [place(event)];
    setStroke([...drawn]);
    const more = (now: PointerEvent) => {
      drawn.push(place(now));
      setStroke([...drawn]);
      setCursor(place(now));
    };
    follow(event, more, (isWhole) => {
      setStroke([]);
      const next = isWhole ? made(drawn) : null;
      if (next) editing?.change(next);
    });
  };

  const onPointerDown = (event: PointerEvent) => {
    event.preventDefault();
    if (pinches(event)) return;
    if (event.button === 2) {
      const was = levels;
      const turn = (now: PointerEvent) =>
        setLevels(
          within({
            ...was,
            window: was.window + now.clientX - event.clientX,
            level: was.level - (now.clientY - event.clientY),
          }),
        );
      follow(event, turn);
    } else if (event.button === 0 && tool === "draw" && canEdit) {
      draw(event, (drawn) => withStroke(outlines, steadied(drawn), size));
    } else if (event.button === 0 && isBrush && canEdit) {
      const adds = (tool === "brush") !== event.shiftKey;
      draw(event, (drawn) => (adds ? painted : erased)(outlines, drawn, radius));
    } else if (event.button === 0 && tool === "calipers") {
      const from = place(event);
      follow(event, (now) => setCaliper(placed(from, place(now), outlines, spacing)));
    } else {
      let [x, y] = [event.clientX, event.clientY];
      follow(event, (now) => {
        move(now.clientX - x, now.clientY - y);
        [x, y] = [now.clientX, now.clientY];
      });
    }
  };

  const onWheel = (event: WheelEvent) => {
    event.preventDefault();
    const turned = event.deltaY || event.deltaX;
    if (isBrush && event.shiftKey) grow(-Math.sign(turned));
    else zoom(Math.exp(-turned / 400), [event.clientX, event.clientY]);
  };

  const simplifyTarget = () => {
    const away = Math.max(1, SIMPLER * Math.max(...size));
    editing?.change(outlines.map((one, i) => (i === target ? simplified(one, away) : one)));
  };

  const transform = `translate(${view.x} ${view.y}) scale(${view.scale}) translate(0.5 0.5)`;
  return (
    <section class="viewer" aria-label={text.viewer}>
      <EditBar
        tools={tools}
        tool={tool}
        choose={setTool}
        radius={radius}
        setRadius={setRadius}
        editing={editing}
        target={target === null ? null : outlines.length > 1 ? ` ${target + 1}` : ""}
        simplifyTarget={simplifyTarget}
        deleteTarget={() => {
          editing?.change(outlines.filter((_, i) => i !== target));
          setChosen(null);
        }}
      >
        <button aria-label={text.zoomOut} title={text.zoomOut} onClick={() => zoom(0.8)}>
          −
        </button>
        <button onClick={fit}>{text.fit}</button>
        <button aria-label={text.zoomIn} title={text.zoomIn} onClick={() => zoom(1.25)}>
          +
        </button>
      </EditBar>
      <div
        class={`frame ${tool}`}
        ref={frame}
        onPointerDown={onPointerDown}
        onPointerMove={(event) => isBrush && setCursor(place(event))}
        onPointerLeave={() => setCursor(null)}
        onContextMenu={(event) => event.preventDefault()}
        onWheel={onWheel}
      >
        <div
          class="picture"
          style={{
            transform: `translate(${view.x}px, ${view.y}px) scale(${view.scale})`,
            width: `${size[0]}px`,
            height: `${size[1]}px`,
          }}
        >
          <canvas ref={canvas} class={view.scale > 3 ? "pixels" : ""} role="img" aria-label={picture.name} />
          {layer && (
            <img
              key={layer.src}
              src={layer.src}
              alt={isLayerHere ? layer.name : ""}
              draggable={false}
              style={{ opacity: isLayerHere ? opacity : 0 }}
              onLoad={() => setIsLayerHere(true)}
            />
          )}
        </div>
        <svg aria-hidden={!editing && !caliper}>
          <g transform={transform}>
            {showsOutlines && (
              <OutlineLines
                outlines={shown}
                scale={view.scale}
                suspected={props.suspected}
                chosen={tool === "pan" ? null : target}
                choose={setChosen}
              />
            )}
            {showsOutlines && canEdit && tool === "points" && (
              <OutlineHandles
                outlines={shown}
                scale={view.scale}
                choose={setChosen}
                drag={(event, to, end) => follow(event, (now) => to(place(now)), end)}
                preview={setLive}
                change={editing.change}
              />
            )}
            {caliper && (
              <CaliperLines
                caliper={caliper}
                spacing={spacing}
                scale={view.scale}
                change={setCaliper}
                drag={(event, to) => follow(event, (now) => to(place(now)))}
              />
            )}
            {stroke.length > 0 && (
              <polyline
                class={isBrush ? `swept ${tool}` : "stroke"}
                points={[...stroke, stroke.at(-1)!].map(([x, y]) => `${x},${y}`).join(" ")}
                stroke-width={isBrush ? 2 * radius : undefined}
                vector-effect={isBrush ? undefined : "non-scaling-stroke"}
              />
            )}
            {isBrush && cursor && canEdit && (
              <circle
                class={`tip ${tool}`}
                cx={cursor[0]}
                cy={cursor[1]}
                r={radius}
                vector-effect="non-scaling-stroke"
              />
            )}
          </g>
        </svg>
        {isMissing && <p class="problem over-picture">{text.noPicture}</p>}
      </div>
      {caliper && (
        <CaliperReading
          caliper={caliper}
          spacing={spacing}
          unit={picture.spacing_mm ? "mm" : "px"}
          addToNote={props.addToNote}
          remove={() => setCaliper(null)}
        />
      )}
      {props.children}
      <LevelsBar levels={levels} change={setLevels}>
        {props.besideLevels}
        {(editing || outlines.length > 0) && (
          <button aria-pressed={showsOutlines} onClick={() => setShowsOutlines(!showsOutlines)}>
            {text.outlines}
          </button>
        )}
        {layers.map((one, i) => (
          <button key={one.src} aria-pressed={i === shownLayer} onClick={() => showLayer(i)}>
            {one.name}
          </button>
        ))}
        {layers.length > 0 && (
          <input
            type="range"
            min={0}
            max={1}
            step={0.05}
            value={opacity}
            disabled={!layer}
            aria-label={text.opacity}
            onInput={(event) => setOpacity(event.currentTarget.valueAsNumber)}
          />
        )}
      </LevelsBar>
      <p class="hint" aria-live="polite">
        {layer ? (isLayerHere ? layer.words : text.measuring) : (props.caption ?? text.toolHelp[tool])}
      </p>
    </section>
  );
}
