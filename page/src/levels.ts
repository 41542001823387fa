/** Window and level of grey values: what of 0 to 255 is shown from black to white. */
export interface Levels {
  window: number;
  level: number;
  inverted: boolean;
}

const MOST_WINDOW = 512;

/** The same within what can be chosen. */
export const within = (levels: Levels): Levels => ({
  ...levels,
  window: Math.min(MOST_WINDOW, Math.max(2, levels.window)),
  level: Math.min(255, Math.max(0, levels.level)),
});

export const PLAIN: Levels = { window: 256, level: 128, inverted: false };

/** What each grey value is shown as. */
export function lookup({ window, level, inverted }: Levels): Uint8ClampedArray {
  const table = new Uint8ClampedArray(256);
  const low = level - window / 2;
  for (let value = 0; value < 256; value++) {
    const shown = ((value + 0.5 - low) / window) * 255;
    table[value] = inverted ? 255 - shown : shown;
  }
  return table;
}

/** Pixels RGBA through a lookup table. */
export function applied(pixels: ImageData, levels: Levels): ImageData {
  const table = lookup(levels);
  const result = new ImageData(new Uint8ClampedArray(pixels.data), pixels.width, pixels.height);
  const { data } = result;
  for (let i = 0; i < data.length; i += 4) {
    data[i] = table[data[i]!]!;
    data[i + 1] = table[data[i + 1]!]!;
    data[i + 2] = table[data[i + 2]!]!;
  }
  return result;
}
