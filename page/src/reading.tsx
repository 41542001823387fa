/** One case on the page: picture, evidence and decision, and the reader's changes until they are kept. */
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Refused, api, type About, type CaseDetail, type CaseSummary, type Location, type Measured, type Person, type Verdict } from "./api";
import { Beside, BesideChoice, besides } from "./beside";
import { Decide } from "./decide";
import { forgetDraft, storeDraft, storedDraft, type Work } from "./draft";
import { Evidence } from "./evidence";
import { begin, changed, redone, undone } from "./history";
import { useKeys } from "./keys";
import { layersOf } from "./layers";
import { dense, rounded } from "./outline";
import { NOWHERE } from "./place";
import { Viewer } from "./viewer";

/** The place alone of what also says more. */
const placeOf = (told: Location | null): Location =>
  told ? { side: told.side, clock: told.clock, nipple_mm: told.nipple_mm } : NOWHERE;

interface Props {
  detail: CaseDetail;
  person: Person;
  /** Whether this is a second reading of a signed case, which does not look at the first. */
  isSecond: boolean;
  readAgain: (now: boolean) => void;
  about: About | null;
  /** All of the worklist, one of which may be looked at beside this. */
  cases: CaseSummary[];
  replaced: (detail: CaseDetail) => void;
  reload: () => void;
  remove: () => void;
}

export function Reading({ detail, person, isSecond, readAgain, about, cases, replaced, reload, remove }: Props) {
  const isSigned = detail.status === "signed" && !isSecond;
  const own = isSecond ? `${detail.id}.second` : detail.id;
  const first = isSecond ? null : detail.reading;
  const before = isSecond ? null : detail.measured;
  const stored = useMemo(() => storedDraft(person.name, own), [person.name, own, detail.version]);
  const isLate = stored !== null && stored.version !== detail.version;
  const draft = isSigned ? null : stored;
  const version = draft?.version ?? detail.version;
  const [history, setHistory] = useState(begin<Work>(draft?.work ?? "kept"));
  const [birads, setBirads] = useState(draft ? draft.birads : (first?.birads ?? null));
  const [note, setNote] = useState(draft ? draft.note : (first?.note ?? ""));
  const [place, setPlace] = useState<Location>(placeOf(draft?.place ?? first));
  const [isDraft, setIsDraft] = useState(draft !== null);
  const [measured, setMeasured] = useState<Measured | null>(before);
  const [isMeasuring, setIsMeasuring] = useState(false);
  const [problem, setProblem] = useState<Refused | null>(null);
  const [isBusy, setIsBusy] = useState(false);
  const busy = useRef(false);
  const [beside, setBeside] = useState<string | null>(null);
  const others = besides(cases, detail);

  const editable = detail.kind === "image" && !isSigned;
  const work = history.now;
  const models = useMemo(() => detail.lesions.map((lesion) => dense(lesion.outline)), [detail]);
  const kept = first?.outlines ?? null;
  const isCorrected = work === "kept" ? kept !== null : work !== "model";
  const outlines = useMemo(
    () => (work === "model" ? models : work === "kept" ? (kept?.map(dense) ?? models) : work),
    [work, kept, models],
  );

  useEffect(() => {
    if (isDraft) storeDraft(person.name, own, { version, work, birads, note, place });
  }, [isDraft, work, birads, note, place, person.name, own, version]);

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

  const undo = useCallback(() => editable && !busy.current && setHistory(undone), [editable]);
  const redo = useCallback(() => editable && !busy.current && setHistory(redone), [editable]);
  const change = (next: Work) => {
    if (!editable || busy.current) return;
    setHistory((old) => changed(old, next));
    setIsDraft(true);
  };

  const settle = (told: CaseDetail) => {
    if (isDraft) forgetDraft(person.name, own, { version, work, birads, note, place });
    setIsDraft(false);
    setHistory(begin<Work>("kept"));
    setProblem(null);
    replaced(told);
  };

  /** While the server keeps something nothing is changed: what it answers with would take the place of the change. */
  const settled = async (asked: () => Promise<CaseDetail>): Promise<boolean> => {
    if (busy.current) return false;
    busy.current = true;
    setIsBusy(true);
    try {
      settle(await asked());
      return true;
    } catch (error) {
      setProblem(error as Refused);
      return false;
    } finally {
      busy.current = false;
      setIsBusy(false);
    }
  };

  const keep = async (verdict: Verdict, reader: string | null) => {
    const lines = verdict === "corrected" ? rounded(outlines) : null;
    if (isSecond) {
      const again = { verdict, outlines: lines, birads, note, reader };
      if (await settled(() => api.second(detail.id, again))) readAgain(false);
      return;
    }
    await settled(() => api.save(detail.id, { version, verdict, outlines: lines, birads, note, ...place }));
  };

  const sign = (reader: string | null) => settled(() => api.sign(detail.id, version, reader));

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
                  change,
                  undo,
                  redo,
                  reset: () => change("model"),
                }
              : null
          }
          measurable
        besideLevels={<BesideChoice others={others} chosen={beside} choose={setBeside} />}
          addToNote={
            editable && !isBusy
              ? (words) => {
                  setNote((old) => (old ? `${old}\n${words}` : words));
                  setIsDraft(true);
                }
              : null
          }
        />
        {beside !== null && <Beside id={beside} />}
      </div>
      <aside class="side">
        <Evidence detail={detail} about={about} measured={measured} isMeasuring={isMeasuring} />
        {detail.kind === "image" && (
          <Decide
            detail={detail}
            person={person}
            isEdited={isCorrected}
            isDraft={isDraft}
            birads={birads}
            note={note}
            place={place}
            isBusy={isBusy}
            problem={isLate ? "" : problem && problem.message}
            isConflict={isLate || problem?.status === 409}
            write={(told) => {
              if (told.birads !== undefined) setBirads(told.birads);
              if (told.note !== undefined) setNote(told.note);
              if (told.place !== undefined) setPlace(told.place);
              setIsDraft(true);
            }}
            isSecond={isSecond}
            keep={keep}
            sign={sign}
            addAddendum={(words, reader) => settled(() => api.addendum(detail.id, words, reader))}
            readAgain={() => readAgain(true)}
            leave={() => readAgain(false)}
            reload={() => {
              forgetDraft(person.name, own);
              reload();
            }}
            remove={remove}
          />
        )}
      </aside>
    </>
  );
}
