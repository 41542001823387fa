/** The picture with its outlines: zoom, pan, window and level, and the tools that change an outline. */
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { CaseDetail, Outline, Point } from "./api";
import { CaliperLines, CaliperReading } from "./caliper_lines";
import { placed, type Caliper, type Spacing } from "./calipers";
import { PLAIN, applied, type Levels } from "./levels";
import { isForPage } from "./keys";
import { asPath, centre, dragged, handles, withStroke } from "./outline";
import { fill, text } from "./text";

export type Tool = "pan" | "points" | "draw" | "calipers";

interface Props {
  detail: CaseDetail;
  outlines: Outline[];
  suspected: boolean;
  editable: boolean;
  isBusy: boolean;
  isEdited: boolean;
  canUndo: boolean;
  canRedo: boolean;
  change: (outlines: Outline[]) => void;
  undo: () => void;
  redo: () => void;
  reset: () => void;
  addToNote: (words: string) => void;
}

interface View {
  scale: number;
  x: number;
  y: number;
}

const MOST_ZOOM = 40;
const ARROWS: Record<string, Point> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

export function Viewer(props: Props) {
  const { detail, outlines, editable, isBusy } = props;
  const frame = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const overlay = useRef<SVGSVGElement>(null);
  const [pixels, setPixels] = useState<ImageData | null>(null);
  const [view, setView] = useState<View>({ scale: 1, x: 0, y: 0 });
  const [levels, setLevels] = useState<Levels>(PLAIN);
  const [tool, setTool] = useState<Tool>("pan");
  const [stroke, setStroke] = useState<Outline>([]);
  const [live, setLive] = useState<Outline[] | null>(null);
  const [chosen, setChosen] = useState<number | null>(null);
  const [showsOutlines, setShowsOutlines] = useState(true);
  const [showsMap, setShowsMap] = useState(false);
  const [opacity, setOpacity] = useState(0.8);
  const [caliper, setCaliper] = useState<Caliper | null>(null);
  const spacing: Spacing = detail.spacing_mm ?? [1, 1];
  const tools: Tool[] = ["pan", ...(editable ? (["points", "draw"] as const) : [])];
  if (detail.kind === "image") tools.push("calipers");
  const size: Point = [pixels?.width ?? detail.width, pixels?.height ?? detail.height];
  const shown = live ?? outlines;
  const explanation = detail.explanations[0];

  useEffect(() => {
    const image = new Image();
    let isOld = false;
    image.onload = () => {
      if (isOld) return;
      const own = document.createElement("canvas");
      own.width = image.naturalWidth;
      own.height = image.naturalHeight;
      const context = own.getContext("2d", { willReadFrequently: true })!;
      context.drawImage(image, 0, 0);
      setPixels(context.getImageData(0, 0, own.width, own.height));
    };
    image.src = `/api/cases/${detail.id}/picture`;
    return () => {
      isOld = true;
    };
  }, [detail.id]);

  useEffect(() => {
    if (!pixels || !canvas.current) return;
    canvas.current.width = pixels.width;
    canvas.current.height = pixels.height;
    canvas.current.getContext("2d")!.putImageData(applied(pixels, levels), 0, 0);
  }, [pixels, levels]);

  const fit = useCallback(() => {
    const box = frame.current?.getBoundingClientRect();
    if (!box) return;
    const scale = Math.min(box.width / size[0], box.height / size[1]) * 0.98;
    setView({ scale, x: (box.width - size[0] * scale) / 2, y: (box.height - size[1] * scale) / 2 });
  }, [size[0], size[1]]);

  useLayoutEffect(() => {
    fit();
    const observer = new ResizeObserver(fit);
    observer.observe(frame.current!);
    return () => observer.disconnect();
  }, [fit]);

  const zoom = useCallback((factor: number, at?: Point) => {
    const box = frame.current!.getBoundingClientRect();
    const [px, py] = at ?? [box.width / 2, box.height / 2];
    setView((old) => {
      const scale = Math.min(MOST_ZOOM, Math.max(0.05, old.scale * factor));
      const share = scale / old.scale;
      return { scale, x: px - (px - old.x) * share, y: py - (py - old.y) * share };
    });
  }, []);

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (!isForPage(event)) return;
      const key = event.key.toLowerCase();
      if (event.ctrlKey || event.metaKey) {
        if (key === "z" && !event.shiftKey) props.undo();
        else if (key === "y" || (key === "z" && event.shiftKey)) props.redo();
        else return;
        event.preventDefault();
        return;
      }
      if (event.altKey) return;
      if (key === "v") setTool("pan");
      else if (key === "p" && editable) setTool("points");
      else if (key === "d" && editable) setTool("draw");
      else if (key === "m" && detail.kind === "image") setTool("calipers");
      else if (key === "+" || key === "=") zoom(1.25);
      else if (key === "-") zoom(0.8);
      else if (key === "0") fit();
      else if (key === "i") setLevels((old) => ({ ...old, inverted: !old.inverted }));
      else if (key === "o") setShowsOutlines((old) => !old);
      else if (key === "e") setShowsMap((old) => !old);
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [props.undo, props.redo, editable, detail.kind, zoom, fit]);

  /** Where in the picture something happens, from the centre of its first pixel. */
  const place = (event: PointerEvent | WheelEvent): Point => {
    const box = frame.current!.getBoundingClientRect();
    const inside = (value: number, most: number) => Math.min(most - 1, Math.max(0, value));
    return [
      inside((event.clientX - box.left - view.x) / view.scale - 0.5, size[0]),
      inside((event.clientY - box.top - view.y) / view.scale - 0.5, size[1]),
    ];
  };

  const follow = (move: (event: PointerEvent) => void, end: () => void) => {
    const stop = () => {
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", stop);
      window.removeEventListener("pointercancel", stop);
      end();
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", stop);
    window.addEventListener("pointercancel", stop);
  };

  const onPointerDown = (event: PointerEvent) => {
    const start: Point = [event.clientX, event.clientY];
    if (event.button === 2) {
      const was = levels;
      const move = (now: PointerEvent) =>
        setLevels({
          ...was,
          window: Math.min(512, Math.max(2, was.window + now.clientX - start[0])),
          level: Math.min(255, Math.max(0, was.level - (now.clientY - start[1]))),
        });
      follow(move, () => undefined);
    } else if (tool === "draw" && editable && !isBusy && event.button === 0) {
      const drawn: Outline = [place(event)];
      setStroke([...drawn]);
      const move = (now: PointerEvent) => {
        drawn.push(place(now));
        setStroke([...drawn]);
      };
      follow(move, () => {
        setStroke([]);
        const next = withStroke(outlines, drawn, size);
        if (next) props.change(next);
      });
    } else if (tool === "calipers" && event.button === 0) {
      const from = place(event);
      const move = (now: PointerEvent) => setCaliper(placed(from, place(now), outlines, spacing));
      follow(move, () => undefined);
    } else {
      const was = view;
      const move = (now: PointerEvent) =>
        setView({ ...was, x: was.x + now.clientX - start[0], y: was.y + now.clientY - start[1] });
      follow(move, () => undefined);
    }
    event.preventDefault();
  };

  const onHandleDown = (event: PointerEvent, line: number, index: number) => {
    event.stopPropagation();
    event.preventDefault();
    (event.currentTarget as SVGElement).focus();
    setChosen(line);
    let latest: Outline[] | null = null;
    const move = (now: PointerEvent) => {
      latest = outlines.map((one, i) => (i === line ? dragged(one, index, place(now)) : one));
      setLive(latest);
    };
    follow(move, () => {
      setLive(null);
      if (latest) props.change(latest);
    });
  };

  const onHandleKey = (event: KeyboardEvent, line: number, index: number) => {
    const arrow = ARROWS[event.key];
    if (!arrow) return;
    event.preventDefault();
    event.stopPropagation();
    const by = event.shiftKey ? 5 : 1;
    const [x, y] = outlines[line]![index]!;
    const to: Point = [x + by * arrow[0], y + by * arrow[1]];
    props.change(outlines.map((one, i) => (i === line ? dragged(one, index, to) : one)));
  };

  const target = chosen !== null && chosen < outlines.length ? chosen : 0;
  const transform = `translate(${view.x} ${view.y}) scale(${view.scale}) translate(0.5 0.5)`;
  return (
    <section class="viewer" aria-label={text.viewer}>
      <div class="toolbar" role="toolbar" aria-label={text.viewer}>
        {tools.map((one) => (
          <button key={one} aria-pressed={tool === one} title={text.toolHelp[one]} onClick={() => setTool(one)}>
            {text.tools[one]}
          </button>
        ))}
        {editable && (
          <>
            <span class="gap" />
            <button disabled={isBusy || !props.canUndo} onClick={props.undo}>
              {text.undo}
            </button>
            <button disabled={isBusy || !props.canRedo} onClick={props.redo}>
              {text.redo}
            </button>
            <button
              disabled={isBusy || outlines.length === 0}
              onClick={() => {
                props.change(outlines.filter((_, i) => i !== target));
                setChosen(null);
              }}
            >
              {text.deleteLesion}
              {outlines.length > 1 && ` ${target + 1}`}
            </button>
            <button disabled={isBusy || !props.isEdited} onClick={props.reset}>
              {text.resetOutline}
            </button>
          </>
        )}
        <span class="gap" />
        <button aria-label={text.zoomOut} title={text.zoomOut} onClick={() => zoom(0.8)}>
          −
        </button>
        <button onClick={fit}>{text.fit}</button>
        <button aria-label={text.zoomIn} title={text.zoomIn} onClick={() => zoom(1.25)}>
          +
        </button>
      </div>
      <div
        class={`frame ${tool}`}
        ref={frame}
        onPointerDown={onPointerDown}
        onContextMenu={(event) => event.preventDefault()}
        onWheel={(event) => {
          event.preventDefault();
          const box = frame.current!.getBoundingClientRect();
          zoom(Math.exp(-event.deltaY / 400), [event.clientX - box.left, event.clientY - box.top]);
        }}
      >
        <div
          class="picture"
          style={{
            transform: `translate(${view.x}px, ${view.y}px) scale(${view.scale})`,
            width: `${size[0]}px`,
            height: `${size[1]}px`,
          }}
        >
          <canvas ref={canvas} class={view.scale > 3 ? "pixels" : ""} role="img" aria-label={detail.name} />
          {showsMap && explanation && (
            <img
              src={`/api/cases/${detail.id}/explanations/${explanation.number}`}
              alt={explanation.title}
              draggable={false}
              style={{ opacity }}
            />
          )}
        </div>
        <svg ref={overlay} aria-hidden={!editable && !caliper}>
          <g transform={transform}>
            {showsOutlines &&
              shown.map((one, i) => (
                <g key={i}>
                  <path class="halo" d={asPath(one)} vector-effect="non-scaling-stroke" />
                  <path
                    class={`outline${props.suspected ? " suspected" : ""}${i === target && tool !== "pan" ? " chosen" : ""}`}
                    d={asPath(one)}
                    vector-effect="non-scaling-stroke"
                    onPointerDown={() => setChosen(i)}
                  />
                  {shown.length > 1 && (
                    <text x={centre(one)[0]} y={centre(one)[1]} font-size={14 / view.scale}>
                      {i + 1}
                    </text>
                  )}
                </g>
              ))}
            {showsOutlines &&
              editable &&
              !isBusy &&
              tool === "points" &&
              shown.flatMap((one, line) =>
                handles(one).map((index, k) => (
                  <circle
                    key={`${line}-${k}`}
                    class="handle"
                    tabindex={0}
                    role="button"
                    aria-label={`${fill(text.lesion, { number: line + 1 })}, ${k + 1}`}
                    cx={one[index]![0]}
                    cy={one[index]![1]}
                    r={5 / view.scale}
                    vector-effect="non-scaling-stroke"
                    onPointerDown={(event) => onHandleDown(event, line, index)}
                    onKeyDown={(event) => onHandleKey(event, line, index)}
                  />
                )),
              )}
            {caliper && (
              <CaliperLines
                caliper={caliper}
                spacing={spacing}
                scale={view.scale}
                change={setCaliper}
                drag={(move) => follow((now) => move(place(now)), () => undefined)}
              />
            )}
            {stroke.length > 1 && (
              <polyline
                class="stroke"
                points={stroke.map(([x, y]) => `${x},${y}`).join(" ")}
                vector-effect="non-scaling-stroke"
              />
            )}
          </g>
        </svg>
      </div>
      {caliper && (
        <CaliperReading
          caliper={caliper}
          spacing={spacing}
          unit={detail.spacing_mm ? "mm" : "px"}
          addToNote={editable && !isBusy ? props.addToNote : null}
          remove={() => setCaliper(null)}
        />
      )}
      <div class="toolbar" role="group" aria-label={text.window}>
        <label>
          {text.window}
          <input
            type="range"
            min={2}
            max={512}
            value={levels.window}
            onInput={(event) => setLevels({ ...levels, window: event.currentTarget.valueAsNumber })}
          />
        </label>
        <label>
          {text.level}
          <input
            type="range"
            min={0}
            max={255}
            value={levels.level}
            onInput={(event) => setLevels({ ...levels, level: event.currentTarget.valueAsNumber })}
          />
        </label>
        <button aria-pressed={levels.inverted} onClick={() => setLevels({ ...levels, inverted: !levels.inverted })}>
          {text.invert}
        </button>
        <button onClick={() => setLevels(PLAIN)}>{text.resetLevels}</button>
        <span class="gap" />
        {detail.kind === "image" && (
          <button aria-pressed={showsOutlines} onClick={() => setShowsOutlines(!showsOutlines)}>
            {text.outlines}
          </button>
        )}
        {explanation && (
          <>
            <button aria-pressed={showsMap} onClick={() => setShowsMap(!showsMap)}>
              {text.explanation}
            </button>
            <input
              type="range"
              min={0}
              max={1}
              step={0.05}
              value={opacity}
              disabled={!showsMap}
              aria-label={text.explanation}
              onInput={(event) => setOpacity(event.currentTarget.valueAsNumber)}
            />
          </>
        )}
      </div>
      <p class="hint" aria-live="polite">
        {detail.kind === "clip"
          ? text.clipNote
          : showsMap && explanation
            ? `${
                explanation.class_name
                  ? fill(text.explanationOf, {
                      title: explanation.title,
                      name: text.decision[explanation.class_name] ?? explanation.class_name,
                    })
                  : explanation.title
              }. ${explanation.class_name ? text.explanationLegend : ""}`
            : text.toolHelp[tool]}
      </p>
    </section>
  );
}
