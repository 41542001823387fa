/** A volume: three cuts, its surface, and the candidates, each of which is a jump to its place. */
import { useEffect, useRef, useState } from "preact/hooks";
import { api, type About, type Verdict, type Volume } from "./api";
import { Decide } from "./decide";
import { Evidence, Measurements } from "./evidence";
import { useKeys } from "./keys";
import { number, share } from "./numbers";
import { told } from "./sign_in";
import { SliceView } from "./slice_view";
import { inPageLanguage } from "./phrases";
import { fill, text } from "./text";
import { useReading, type ReadingProps } from "./use_reading";
import type { Voxel, VolumeCanvas } from "./volume_canvas";

interface Props extends ReadingProps {
  about: About | null;
}

/** Keys that move one voxel on: their axis (column, row, slice) and direction. */
const STEPS: Record<string, [number, number]> = {
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  ArrowUp: [1, -1],
  ArrowDown: [1, 1],
  PageUp: [2, -1],
  PageDown: [2, 1],
};
const FAST = 10;

const FIRST = [
  "longest_diameter",
  "middle_diameter",
  "shortest_diameter",
  "depth_width_ratio",
  "sphericity",
  "echo_contrast",
  "posterior_contrast",
];

export function VolumeView(props: Props) {
  const { detail, isSecond, about, remove } = props;
  const reading = useReading(props);
  const canvas = useRef<HTMLCanvasElement>(null);
  const cuts = useRef<VolumeCanvas | null>(null);
  const [volume, setVolume] = useState<Volume | null>(null);
  const [at, setAt] = useState<Voxel | null>(null);
  const [isWhole, setIsWhole] = useState(false);
  const [isSurface, setIsSurface] = useState(false);
  const [chosen, setChosen] = useState<number | null>(null);
  const [slice, setSlice] = useState<number | null>(null);
  const [problem, setProblem] = useState<string | null>(null);

  useEffect(() => {
    let isOver = false;
    const open = async () => {
      const first = api.voxels(detail.id, "first");
      const [{ VolumeCanvas }, found] = await Promise.all([import("./volume_canvas"), api.volume(detail.id)]);
      if (isOver) return;
      setVolume(found);
      const [slices, rows, columns] = found.size;
      const made = await VolumeCanvas.on(canvas.current!, [columns, rows, slices], setAt);
      cuts.current = made;
      await made.show(await first, "first.nii");
      if (isOver) return;
      const best = found.candidates[0];
      if (best) jump(best.number, best.centre);
      else setAt(made.at());
      await made.show(await api.voxels(detail.id, "voxels"), "voxels.nii");
      if (isOver) return;
      if (found.has_mask) await made.outline(await api.voxels(detail.id, "mask"), "mask.nii.gz");
      setIsWhole(true);
    };
    open().catch((error) => isOver || setProblem(told(error)));
    return () => {
      isOver = true;
      cuts.current?.close();
      cuts.current = null;
    };
  }, [detail.id]);

  const jump = (candidate: number, [slice, row, column]: [number, number, number]) => {
    setChosen(candidate);
    cuts.current?.go([column, row, slice]);
    setSlice((old) => (old === null ? null : Math.round(slice)));
  };

  /** The cuts go along, so that they are at the same place when they are seen again. */
  const showSlice = (wanted: number) => {
    if (!volume || !cuts.current) return;
    const now = Math.min(volume.size[0] - 1, Math.max(0, wanted));
    const [column, row] = cuts.current.at();
    cuts.current.go([column, row, now]);
    setSlice(now);
  };

  const keep = (verdict: Verdict, reader: string | null) => reading.keep(verdict, reader, null);

  const candidates = volume?.candidates ?? [];
  const measured = candidates.find((one) => one.number === chosen && one.values.length > 0);
  useKeys((event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !volume || !cuts.current) return;
    const step = STEPS[event.key];
    if (event.key.toLowerCase() === "n" && candidates.length) {
      const now = candidates.findIndex((one) => one.number === chosen);
      const next = candidates[(now + (event.shiftKey ? candidates.length - 1 : 1)) % candidates.length]!;
      jump(next.number, next.centre);
    } else if (step && slice === null) {
      const [axis, direction] = step;
      const to = [...cuts.current.at()] as Voxel;
      const most = [...volume.size].reverse()[axis]! - 1;
      to[axis] = Math.min(most, Math.max(0, to[axis]! + direction * (event.shiftKey ? FAST : 1)));
      cuts.current.go(to);
    } else if (step?.[0] === 2 && slice !== null) {
      showSlice(slice + step[1] * (event.shiftKey ? FAST : 1));
    } else return;
    event.preventDefault();
  });

  useKeys((event) => {
    if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    if (detail.problem !== null || reading.isSigned || isSecond) return;
    const key = event.key.toLowerCase();
    if (key === "a") void keep("accepted", null);
    else if (key === "x") void keep("rejected", null);
  });

  return (
    <>
      {slice !== null && volume && (
        <SliceView
          id={detail.id}
          name={detail.name}
          volume={volume}
          at={slice}
          go={showSlice}
          close={() => setSlice(null)}
        />
      )}
      <section class="viewer" hidden={slice !== null} aria-label={text.viewer}>
        <div class="toolbar" role="toolbar" aria-label={text.viewer}>
          <button disabled={!at} onClick={() => at && showSlice(at[2])}>
            {text.sliceInFull}
          </button>
          <button
            aria-pressed={isSurface}
            disabled={!isWhole}
            onClick={() => {
              cuts.current?.setSurface(!isSurface);
              setIsSurface(!isSurface);
            }}
          >
            {text.surface}
          </button>
          <span class="gap" />
          {at && volume && (
            <span>
              {fill(text.voxelAt, { slice: at[2] + 1, slices: volume.size[0], row: at[1] + 1, column: at[0] + 1 })}
            </span>
          )}
        </div>
        <div class="frame">
          <canvas ref={canvas} class="cuts" role="img" aria-label={fill(text.cutsOf, { name: detail.name })} />
          {problem !== null && <p class="problem over-picture">{problem}</p>}
        </div>
        <p class="hint" aria-live="polite">
          {isWhole || problem !== null ? text.volumeHelp : text.volumeComing}
        </p>
      </section>
      <aside class="side">
        <Evidence detail={detail} about={about} measured={null} isMeasuring={false}>
          {detail.problem !== null && <p class="flag">{inPageLanguage(detail.problem)}</p>}
          {volume && (
            <p class="hint">
              {fill(text.volumeSize, { size: volume.size.join(" × ") })}{" "}
              {volume.spacing_mm
                ? fill(text.voxelSize, { size: volume.spacing_mm.map(number).join(" × ") })
                : text.flag.no_spacing}
            </p>
          )}
          {volume?.is_read && (
            <>
              <h3>{text.candidates}</h3>
              {candidates.length === 0 && <p>{text.noCandidates}</p>}
              <ol class="plain">
                {candidates.map((one) => (
                  <li key={one.number}>
                    <button
                      class="candidate"
                      aria-pressed={one.number === chosen}
                      onClick={() => jump(one.number, one.centre)}
                    >
                      {fill(text.candidate, { number: one.number, score: share(one.score) })}
                      <span class="hint">
                        {one.volume_mm3 > 0 ? `${number(one.volume_mm3)} mm³` : text.notDrawn}
                        {one.malignant !== null && ` · ${text.decision.malignant} ${share(one.malignant)}`}
                      </span>
                    </button>
                  </li>
                ))}
              </ol>
              {measured && (
                <div class="lesion">
                  <h3>{fill(text.lesion, { number: measured.number })}</h3>
                  {measured.touches_edge && <p class="flag">{text.flag.cut_off}</p>}
                  <Measurements lesion={measured} first={FIRST} />
                </div>
              )}
            </>
          )}
        </Evidence>
        {detail.problem === null ? (
          <Decide {...reading.decide} isEdited={false} keep={keep} />
        ) : (
          <section class="decide" aria-label={text.decide}>
            <p class="hint">{text.volumeDecide}</p>
            <button class="quiet" onClick={() => confirm(text.deleteSure) && remove()}>
              {text.deleteCase}
            </button>
          </section>
        )}
      </aside>
    </>
  );
}
