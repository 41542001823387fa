/** What a reader says of a case until it is kept: category, note, place and outlines, as a draft of this browser. */
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Refused, api, type CaseDetail, type Location, type Outline, type Person, type Verdict } from "./api";
import { forgetDraft, storeDraft, storedDraft, type Work } from "./draft";
import { begin, changed, redone, undone } from "./history";
import { NOWHERE } from "./place";

/** The place alone of what also says more. */
const placeOf = (told: Location | null): Location =>
  told ? { side: told.side, clock: told.clock, nipple_mm: told.nipple_mm } : NOWHERE;

export interface ReadingProps {
  detail: CaseDetail;
  person: Person;
  /** Whether this is a second reading of a signed case, which does not look at the first. */
  isSecond: boolean;
  readAgain: (now: boolean) => void;
  replaced: (detail: CaseDetail) => void;
  reload: () => void;
  remove: () => void;
}

export function useReading({ detail, person, isSecond, readAgain, replaced, reload, remove }: ReadingProps) {
  const isSigned = detail.status === "signed" && !isSecond;
  const own = isSecond ? `${detail.id}.second` : detail.id;
  const first = isSecond ? null : detail.reading;
  const stored = useMemo(() => storedDraft(person.name, own), [person.name, own, detail.version]);
  const isLate = stored !== null && stored.version !== detail.version;
  const draft = isSigned ? null : stored;
  const version = draft?.version ?? detail.version;
  const [history, setHistory] = useState(begin<Work>(draft?.work ?? "kept"));
  const [birads, setBirads] = useState(draft ? draft.birads : (first?.birads ?? null));
  const [note, setNote] = useState(draft ? draft.note : (first?.note ?? ""));
  const [place, setPlace] = useState<Location>(placeOf(draft?.place ?? first));
  const [isDraft, setIsDraft] = useState(draft !== null);
  const [problem, setProblem] = useState<Refused | null>(null);
  const [isBusy, setIsBusy] = useState(false);
  const busy = useRef(false);
  const work = history.now;

  useEffect(() => {
    if (isDraft) storeDraft(person.name, own, { version, work, birads, note, place });
  }, [isDraft, work, birads, note, place, person.name, own, version]);

  const undo = useCallback(() => !isSigned && !busy.current && setHistory(undone), [isSigned]);
  const redo = useCallback(() => !isSigned && !busy.current && setHistory(redone), [isSigned]);
  const change = (next: Work) => {
    if (isSigned || busy.current) return;
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

  /** Keep a verdict; `outlines` are those of a corrected one. */
  const keep = async (verdict: Verdict, reader: string | null, outlines: Outline[] | null) => {
    if (isSecond) {
      const again = { verdict, outlines, birads, note, reader };
      if (await settled(() => api.second(detail.id, again))) readAgain(false);
      return;
    }
    await settled(() => api.save(detail.id, { version, verdict, outlines, birads, note, ...place }));
  };

  const addToNote = (words: string) => {
    setNote((old) => (old ? `${old}\n${words}` : words));
    setIsDraft(true);
  };

  return {
    isSigned,
    isBusy,
    history,
    undo,
    redo,
    change,
    setProblem,
    keep,
    addToNote,
    /** What `Decide` asks for, but for the outlines. */
    decide: {
      detail,
      person,
      isSecond,
      isDraft,
      birads,
      note,
      place,
      isBusy,
      problem: isLate ? "" : problem && problem.message,
      isConflict: isLate || problem?.status === 409,
      write: (told: { birads?: string | null; note?: string; place?: Location }) => {
        if (told.birads !== undefined) setBirads(told.birads);
        if (told.note !== undefined) setNote(told.note);
        if (told.place !== undefined) setPlace(told.place);
        setIsDraft(true);
      },
      sign: (reader: string | null) => void settled(() => api.sign(detail.id, version, reader)),
      addAddendum: (words: string, reader: string | null) => settled(() => api.addendum(detail.id, words, reader)),
      readAgain: () => readAgain(true),
      leave: () => readAgain(false),
      reload: () => {
        forgetDraft(person.name, own);
        reload();
      },
      remove,
    },
  };
}
