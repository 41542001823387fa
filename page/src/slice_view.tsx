/** One slice of a volume in all its pixels, to be zoomed, windowed and measured. */
import type { Volume } from "./api";
import { fill, text } from "./text";
import { Viewer } from "./viewer";

interface Props {
  /** The case, and what its picture is called. */
  id: string;
  name: string;
  volume: Volume;
  /** The slice that is shown, from 0. */
  at: number;
  go: (slice: number) => void;
  close: () => void;
}

export function SliceView({ id, name, volume, at, go, close }: Props) {
  const [slices, rows, columns] = volume.size;
  const [, down, across] = volume.spacing_mm ?? [1, 1, 1];
  const side = Math.min(down, across);
  return (
    <Viewer
      picture={{
        src: `/api/cases/${id}/volume/slices/${at}`,
        name: `${name}, ${at + 1}`,
        width: Math.round((columns * across) / side),
        height: Math.round((rows * down) / side),
        spacing_mm: volume.spacing_mm && [side, side],
      }}
      outlines={[]}
      suspected={false}
      editing={null}
      measurable
      addToNote={null}
    >
      <div class="clip-strip">
        <div class="row">
          <button onClick={close}>{text.threeCuts}</button>
          <strong>{fill(text.sliceOf, { slice: at + 1, slices })}</strong>
        </div>
        <input
          type="range"
          aria-label={text.slice}
          min={0}
          max={slices - 1}
          value={at}
          onInput={(event) => go(event.currentTarget.valueAsNumber)}
        />
      </div>
    </Viewer>
  );
}
