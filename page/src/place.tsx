/** Where in the breast the lesion is: side, clock position, distance to the nipple. */
import type { Location } from "./api";
import { language, text } from "./text";

export const NOWHERE: Location = { side: null, clock: null, nipple_mm: null };

const HOURS = Array.from({ length: 12 }, (_, k) => k + 1);

interface Props {
  place: Location;
  isBusy: boolean;
  write: (place: Location) => void;
}

export function PlaceFields({ place, isBusy, write }: Props) {
  return (
    <div class="place">
      <select
        aria-label={text.side}
        disabled={isBusy}
        value={place.side ?? ""}
        onChange={(event) => write({ ...place, side: (event.currentTarget.value || null) as Location["side"] })}
      >
        <option value="">{text.side}</option>
        <option value="left">{text.sides.left}</option>
        <option value="right">{text.sides.right}</option>
      </select>
      <select
        aria-label={text.clock}
        disabled={isBusy}
        value={place.clock ?? ""}
        onChange={(event) => write({ ...place, clock: Number(event.currentTarget.value) || null })}
      >
        <option value="">{text.clock}</option>
        {HOURS.map((hour) => (
          <option key={hour} value={hour}>
            {hour}:00
          </option>
        ))}
      </select>
      <input
        type="number"
        min={0}
        max={300}
        step="any"
        aria-label={text.nipple}
        title={text.nipple}
        placeholder={text.nippleShort}
        disabled={isBusy}
        value={place.nipple_mm ?? ""}
        onInput={(event) => {
          const { valueAsNumber: value, validity } = event.currentTarget;
          write({ ...place, nipple_mm: validity.valid && Number.isFinite(value) ? value : null });
        }}
      />
    </div>
  );
}

/** The place in words; empty where nothing is said of it. */
export function placeInWords({ side, clock, nipple_mm }: Location): string {
  const told = [side && text.sides[side], clock && `${clock}:00`, nipple_mm !== null && `${nipple_mm.toLocaleString(language)} mm`];
  return told.filter(Boolean).join(" · ");
}
