/** The tools over the picture, and what is done to outlines by a press. */
import type { ComponentChildren } from "preact";
import { LEAST_RADIUS, MOST_RADIUS } from "./brush_size";
import { text } from "./text";

export type Tool = "pan" | "points" | "draw" | "brush" | "erase" | "calipers";

/** How outlines are changed; a picture that is only looked at has none. */
export interface Editing {
  isBusy: boolean;
  /** Whether they are not the model's. */
  isEdited: boolean;
  canUndo: boolean;
  canRedo: boolean;
  undo: () => void;
  redo: () => void;
  reset: () => void;
}

interface Props {
  tools: Tool[];
  tool: Tool;
  choose: (tool: Tool) => void;
  radius: number;
  setRadius: (radius: number) => void;
  editing: Editing | null;
  /** Which outline is deleted or simplified, where there are several; null where there is none. */
  target: string | null;
  deleteTarget: () => void;
  simplifyTarget: () => void;
  children: ComponentChildren;
}

export function EditBar(props: Props) {
  const { editing, tool, target } = props;
  return (
    <div class="toolbar" role="toolbar" aria-label={text.viewer}>
      {props.tools.map((one) => (
        <button key={one} aria-pressed={tool === one} title={text.toolHelp[one]} onClick={() => props.choose(one)}>
          {text.tools[one]}
        </button>
      ))}
      {(tool === "brush" || tool === "erase") && (
        <label>
          {text.brushSize}
          <input
            type="range"
            min={LEAST_RADIUS}
            max={MOST_RADIUS}
            step="any"
            value={props.radius}
            onInput={(event) => props.setRadius(event.currentTarget.valueAsNumber)}
          />
        </label>
      )}
      {editing && (
        <>
          <span class="gap" />
          <button disabled={editing.isBusy || !editing.canUndo} onClick={editing.undo}>
            {text.undo}
          </button>
          <button disabled={editing.isBusy || !editing.canRedo} onClick={editing.redo}>
            {text.redo}
          </button>
          <button disabled={editing.isBusy || target === null} title={text.simplifyHelp} onClick={props.simplifyTarget}>
            {text.simplify}
          </button>
          <button disabled={editing.isBusy || target === null} onClick={props.deleteTarget}>
            {text.deleteLesion}
            {target}
          </button>
          <button disabled={editing.isBusy || !editing.isEdited} onClick={editing.reset}>
            {text.resetOutline}
          </button>
        </>
      )}
      <span class="gap" />
      {props.children}
    </div>
  );
}
