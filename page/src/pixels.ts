/** Pictures of the server as pixels, the latest of which are kept: a film goes through the same ones again and again. */
const MOST_BYTES = 192e6;

const kept = new Map<string, Promise<ImageData>>();
const sizes = new Map<string, number>();

async function fetched(src: string): Promise<ImageData> {
  const image = new Image();
  image.src = src;
  await image.decode();
  const own = document.createElement("canvas");
  own.width = image.naturalWidth;
  own.height = image.naturalHeight;
  const context = own.getContext("2d", { willReadFrequently: true })!;
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, own.width, own.height);
}

/** Rejects where the picture cannot be had; it is asked for again the next time. */
export function pixelsOf(src: string): Promise<ImageData> {
  const known = kept.get(src);
  kept.delete(src);
  const pixels = known ?? fetched(src);
  kept.set(src, pixels);
  if (!known) {
    pixels.then(
      (made) => {
        sizes.set(src, made.data.length);
        let held = [...sizes.values()].reduce((a, b) => a + b, 0);
        for (const old of kept.keys()) {
          if (held <= MOST_BYTES || old === src) break;
          held -= sizes.get(old) ?? 0;
          kept.delete(old);
          sizes.delete(old);
        }
      },
      () => kept.delete(src),
    );
  }
  return pixels;
}
