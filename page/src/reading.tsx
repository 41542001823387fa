/** One case on the page: picture, evidence and decision, and the reader's changes until they are kept. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { api, type About, type CaseSummary, type Measured, type Verdict } from "./api";
import { Beside, BesideChoice, besides } from "./beside";
import { Decide } from "./decide";
import { Evidence } from "./evidence";
import { useKeys } from "./keys";
import { layersOf } from "./layers";
import { dense, rounded } from "./outline";
import { useReading, type ReadingProps } from "./use_reading";
import { Viewer } from "./viewer";

interface Props extends ReadingProps {
  about: About | null;
  /** All of the worklist, one of which may be looked at beside this. */
  cases: CaseSummary[];
}

export function Reading(props: Props) {
  const { detail, isSecond, about, cases } = props;
  const reading = useReading(props);
  const { isSigned, isBusy, history, setProblem } = reading;
  const before = isSecond ? null : detail.measured;
  const [measured, setMeasured] = useState<Measured | null>(before);
  const [isMeasuring, setIsMeasuring] = useState(false);
  const [beside, setBeside] = useState<string | null>(null);
  const others = besides(cases, detail);

  const editable = !isSigned;
  const work = history.now;
  const models = useMemo(() => detail.lesions.map((lesion) => dense(lesion.outline)), [detail]);
  const kept = isSecond ? null : (detail.reading?.outlines ?? null);
  const isCorrected = work === "kept" ? kept !== null : work !== "model";
  const outlines = useMemo(
    () => (work === "model" ? models : work === "kept" ? (kept?.map(dense) ?? models) : work),
    [work, kept, models],
  );

  useEffect(() => {
    if (typeof work === "string") {
      setMeasured(work === "model" ? null : before);
      setIsMeasuring(false);
      return;
    }
    const abort = new AbortController();
    setIsMeasuring(true);
    api
      .measure(detail.id, rounded(work), abort.signal)
      .then((told) => {
        setMeasured(told);
        setProblem(null);
      })
      .catch((error) => {
        if (!abort.signal.aborted) setProblem(error);
      })
      .finally(() => {
        if (!abort.signal.aborted) setIsMeasuring(false);
      });
    return () => abort.abort();
  }, [work, detail.id, before]);

  const keep = (verdict: Verdict, reader: string | null) =>
    reading.keep(verdict, reader, verdict === "corrected" ? rounded(outlines) : null);

  useKeys((event) => {
    if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.toLowerCase();
    if (key === "s") setBeside(beside === null ? (others[0]?.id ?? null) : null);
    if (!editable || isSecond) return;
    if (key === "a" && !isCorrected) void keep("accepted", null);
    else if (key === "c" && isCorrected) void keep("corrected", null);
    else if (key === "x") void keep("rejected", null);
  });

  return (
    <>
      <div class={beside === null ? "viewers" : "viewers two"}>
        <Viewer
          picture={{ ...detail, src: `/api/cases/${detail.id}/picture` }}
          outlines={outlines}
          suspected={detail.decision === "lesion possible" && !isCorrected}
          layers={layersOf(detail)}
          editing={
            editable
              ? {
                  isBusy,
                  isEdited: isCorrected,
                  canUndo: history.past.length > 0,
                  canRedo: history.future.length > 0,
                  change: reading.change,
                  undo: reading.undo,
                  redo: reading.redo,
                  reset: () => reading.change("model"),
                }
              : null
          }
          measurable
          besideLevels={<BesideChoice others={others} chosen={beside} choose={setBeside} />}
          addToNote={editable && !isBusy ? reading.addToNote : null}
        />
        {beside !== null && <Beside id={beside} />}
      </div>
      <aside class="side">
        <Evidence detail={detail} about={about} measured={measured} isMeasuring={isMeasuring} />
        <Decide {...reading.decide} isEdited={isCorrected} keep={keep} />
      </aside>
    </>
  );
}
