/** A clip: its frames in motion, what the model says of each, and the way to one that is read like an image. */
import { useEffect, useRef, useState } from "preact/hooks";
import { api, type CaseDetail, type CaseSummary, type Clip, type ClipLesion } from "./api";
import { ClipStrip } from "./clip_strip";
import { useKeys } from "./keys";
import { OpenCase } from "./open_case";
import { dense } from "./outline";
import { pixelsOf } from "./pixels";
import { told } from "./sign_in";
import { number } from "./numbers";
import { fill, text } from "./text";
import { Verdict } from "./verdict";
import { Viewer } from "./viewer";

interface Props {
  detail: CaseDetail;
  /** Show the case that was made of a frame. */
  open: (made: CaseSummary) => void;
  remove: () => void;
}

const FRAME_MS = 80;
const AHEAD = 12;
/** Lesions that are shown at once: noise makes many that a frame or two show. */
const FIRST = 3;

export function ClipView({ detail, open, remove }: Props) {
  const [clip, setClip] = useState<Clip | null>(null);
  const [at, setAt] = useState(0);
  const [isPlaying, setIsPlaying] = useState(false);
  const [isBusy, setIsBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const latest = useRef(at);
  latest.current = at;
  const source = (place: number) => `/api/cases/${detail.id}/frames/${clip!.frames[place]!.number}/picture`;

  useEffect(() => {
    api.clip(detail.id).then(
      (found) => {
        setClip(found);
        setAt(Math.max(0, found.frames.findIndex((frame) => frame.number === found.best)));
      },
      (error) => setProblem(told(error)),
    );
  }, [detail.id]);

  // The next frame comes when it is here and its time has come: a slow server makes a slow film, no holes.
  useEffect(() => {
    if (!isPlaying || !clip) return;
    let isOver = false;
    const step = async () => {
      while (!isOver) {
        const next = (latest.current + 1) % clip.frames.length;
        for (let ahead = 1; ahead <= AHEAD; ahead++) {
          void pixelsOf(source((latest.current + ahead) % clip.frames.length)).catch(() => undefined);
        }
        const wait = new Promise((resolve) => setTimeout(resolve, FRAME_MS));
        await Promise.all([pixelsOf(source(next)).catch(() => undefined), wait]);
        if (!isOver) setAt(next);
        await new Promise(requestAnimationFrame);
      }
    };
    void step();
    return () => {
      isOver = true;
    };
  }, [isPlaying, clip]);

  const frame = clip?.frames[at];

  const correct = async () => {
    if (!frame || isBusy || frame.problem) return;
    setIsBusy(true);
    try {
      open(await api.readFrame(detail.id, frame.number));
    } catch (error) {
      setProblem(told(error));
    } finally {
      setIsBusy(false);
    }
  };

  useKeys((event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !clip) return;
    if (event.key === " " && !(event.target instanceof HTMLButtonElement)) setIsPlaying(!isPlaying);
    else if (event.key === ",") setAt(Math.max(0, at - 1));
    else if (event.key === ".") setAt(Math.min(clip.frames.length - 1, at + 1));
    else if (event.key === "f") void correct();
    else return;
    event.preventDefault();
  });

  const go = (place: number) => {
    setIsPlaying(false);
    setAt(place);
  };

  const lesions = [...(clip?.lesions ?? [])].sort(
    (a, b) => Number(b.number === clip!.decided_by) - Number(a.number === clip!.decided_by) || b.frames - a.frames,
  );
  const along = (lesion: ClipLesion) => (
    <LesionAlong
      key={lesion.number}
      lesion={lesion}
      clip={clip!}
      show={() => go(clip!.frames.findIndex((one) => one.number === lesion.best))}
    />
  );

  return (
    <>
      {clip && frame ? (
        <Viewer
          picture={{ src: source(at), name: `${detail.name}, ${frame.number}`, ...clip }}
          outlines={frame.outlines.map(dense)}
          suspected={frame.decision === "lesion possible"}
          editing={null}
          measurable
          addToNote={null}
        >
          <ClipStrip clip={clip} at={at} go={go} isPlaying={isPlaying} play={setIsPlaying} />
        </Viewer>
      ) : (
        <section class="viewer empty">
          <p>{problem ?? text.openingClip}</p>
        </section>
      )}
      <aside class="side">
        <section class="evidence" aria-label={text.evidence}>
          <OpenCase {...detail} />
          <h2>{text.evidence}</h2>
          <Verdict {...detail} isLarge />
          <p class="hint">{text.clipVerdict}</p>
          {lesions.slice(0, FIRST).map(along)}
          {lesions.length > FIRST && (
            <details>
              <summary>{fill(text.fewFrames, { count: lesions.length - FIRST })}</summary>
              {lesions.slice(FIRST).map(along)}
            </details>
          )}
        </section>
        <section class="decide" aria-label={text.decide}>
          <h2>{text.decide}</h2>
          <p class="hint">{text.clipDecide}</p>
          <button class="primary" disabled={!frame || frame.problem !== null || isBusy} onClick={correct}>
            {isBusy ? text.readingFrame : fill(frame?.case ? text.openFrame : text.correctFrame, { frame: frame?.number ?? "" })}
          </button>
          {problem !== null && clip && (
            <p class="problem" role="alert">
              {problem}
            </p>
          )}
          <button class="quiet" onClick={() => confirm(text.deleteSure) && remove()}>
            {text.deleteCase}
          </button>
        </section>
      </aside>
    </>
  );
}

/** A lesion along the clip, and the frame that shows it best. */
function LesionAlong({ lesion, clip, show }: { lesion: ClipLesion; clip: Clip; show: () => void }) {
  return (
    <div class="lesion">
      <h3>
        {fill(text.lesion, { number: lesion.number })}
        {lesion.number === clip.decided_by && ` · ${text.decides}`}
      </h3>
      <Verdict {...lesion} />
      <p>
        <strong>
          {fill(text.size, { long: number(lesion.long_axis), short: number(lesion.short_axis), unit: clip.unit })}
        </strong>{" "}
        <span class="hint">{fill(text.seenIn, { frames: lesion.frames, all: clip.frames.length })}</span>
      </p>
      <button onClick={show}>{fill(text.showBest, { frame: lesion.best })}</button>
    </div>
  );
}
