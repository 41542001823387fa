/** The probability of every frame of a clip as a strip, by which one is chosen; and playing. */
import type { Clip } from "./api";
import { share } from "./numbers";
import { inPageLanguage } from "./phrases";
import { fill, text } from "./text";

interface Props {
  clip: Clip;
  /** The place of the frame that is shown, from 0. */
  at: number;
  go: (place: number) => void;
  isPlaying: boolean;
  play: (now: boolean) => void;
}

const HEIGHT = 100;

export function ClipStrip({ clip, at, go, isPlaying, play }: Props) {
  const frames = clip.frames;
  const best = frames.findIndex((frame) => frame.number === clip.best);
  const shown = frames[at]!;
  const said =
    shown.problem === null ? said_of(shown.decision, shown.malignant) : inPageLanguage(shown.problem);
  const scrub = (event: PointerEvent) => {
    if (!(event.buttons & 1)) return;
    const box = (event.currentTarget as SVGElement).getBoundingClientRect();
    const place = Math.floor(((event.clientX - box.left) / box.width) * frames.length);
    go(Math.min(frames.length - 1, Math.max(0, place)));
  };
  return (
    <div class="clip-strip">
      <div class="row">
        <button aria-label={isPlaying ? text.pause : text.play} title={isPlaying ? text.pause : text.play} onClick={() => play(!isPlaying)}>
          {isPlaying ? "❚❚" : "▶"}
        </button>
        <button aria-label={text.frameBefore} title={text.frameBefore} disabled={at === 0} onClick={() => go(at - 1)}>
          ‹
        </button>
        <button
          aria-label={text.frameAfter}
          title={text.frameAfter}
          disabled={at === frames.length - 1}
          onClick={() => go(at + 1)}
        >
          ›
        </button>
        <button aria-pressed={at === best} onClick={() => go(best)}>
          {text.bestFrame}
        </button>
        <strong>{fill(text.frameOf, { frame: shown.number, frames: frames.length })}</strong>
        <span class="hint">{said}</span>
      </div>
      <svg
        class="strip"
        viewBox={`0 0 ${frames.length} ${HEIGHT}`}
        preserveAspectRatio="none"
        aria-hidden="true"
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          scrub(event);
        }}
        onPointerMove={scrub}
      >
        {frames.map((frame, place) => (
          <rect
            key={frame.number}
            class={frame.problem ? "missing" : frame.case ? "own" : "seen"}
            x={place}
            width={0.92}
            y={HEIGHT * (1 - (frame.malignant ?? 0)) - 3}
            height={HEIGHT * (frame.malignant ?? 0) + 3}
          />
        ))}
        <line class="best" x1={best + 0.46} x2={best + 0.46} y1={0} y2={HEIGHT} vector-effect="non-scaling-stroke" />
        <rect class="now" x={at} width={0.92} y={0} height={HEIGHT} vector-effect="non-scaling-stroke" />
      </svg>
      <input
        type="range"
        aria-label={text.frame}
        aria-valuetext={`${fill(text.frameOf, { frame: shown.number, frames: frames.length })}: ${said}`}
        min={0}
        max={frames.length - 1}
        value={at}
        onInput={(event) => go(event.currentTarget.valueAsNumber)}
      />
    </div>
  );
}

function said_of(decision: string | null, malignant: number | null): string {
  const words = decision === null ? "" : (text.decision[decision] ?? decision);
  return malignant === null ? words : `${words} · ${share(malignant)}`;
}
