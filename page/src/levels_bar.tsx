/** What changes how grey values are shown. */
import type { ComponentChildren } from "preact";
import { PLAIN, type Levels } from "./levels";
import { text } from "./text";

interface Props {
  levels: Levels;
  change: (levels: Levels) => void;
  children?: ComponentChildren;
}

export function LevelsBar({ levels, change, children }: Props) {
  return (
    <div class="toolbar" role="group" aria-label={text.window}>
      <label>
        {text.window}
        <input
          type="range"
          min={2}
          max={512}
          value={levels.window}
          onInput={(event) => change({ ...levels, window: event.currentTarget.valueAsNumber })}
        />
      </label>
      <label>
        {text.level}
        <input
          type="range"
          min={0}
          max={255}
          value={levels.level}
          onInput={(event) => change({ ...levels, level: event.currentTarget.valueAsNumber })}
        />
      </label>
      <button aria-pressed={levels.inverted} onClick={() => change({ ...levels, inverted: !levels.inverted })}>
        {text.invert}
      </button>
      <button onClick={() => change(PLAIN)}>{text.resetLevels}</button>
      <span class="gap" />
      {children}
    </div>
  );
}
