/** One case on the page: picture, evidence and decision, and the reader's changes until they are kept. */
import { useCallback, useEffect, useMemo, useState } from "preact/hooks";
import { Refused, api, type About, type CaseDetail, type Measured, type Outline, type Verdict } from "./api";
import { Decide } from "./decide";
import { storeDraft, storedDraft } from "./draft";
import { Evidence } from "./evidence";
import { begin, changed, redone, undone } from "./history";
import { dense, rounded } from "./outline";
import { Viewer } from "./viewer";

interface Props {
  detail: CaseDetail;
  about: About | null;
  replaced: (detail: CaseDetail) => void;
  reload: () => void;
  remove: () => void;
}

/** Outlines to be worked on: those that the case has, the model's again, or the reader's new ones. */
type Work = "kept" | "model" | Outline[];

export function Reading({ detail, about, replaced, reload, remove }: Props) {
  const draft = useMemo(() => storedDraft(detail.id, detail.version), [detail.id, detail.version]);
  const [history, setHistory] = useState(begin<Work>(draft?.outlines ?? "kept"));
  const [birads, setBirads] = useState(draft ? draft.birads : (detail.reading?.birads ?? null));
  const [note, setNote] = useState(draft ? draft.note : (detail.reading?.note ?? ""));
  const [isDraft, setIsDraft] = useState(draft !== null);
  const [measured, setMeasured] = useState<Measured | null>(detail.measured);
  const [isMeasuring, setIsMeasuring] = useState(false);
  const [problem, setProblem] = useState<Refused | null>(null);

  const isSigned = detail.status === "signed";
  const editable = detail.kind === "image" && !isSigned;
  const work = history.now;
  const models = useMemo(() => detail.lesions.map((lesion) => dense(lesion.outline)), [detail]);
  const kept = detail.reading?.outlines ?? null;
  const isCorrected = work === "kept" ? kept !== null : work !== "model";
  const outlines = useMemo(
    () => (work === "model" ? models : work === "kept" ? (kept?.map(dense) ?? models) : work),
    [work, kept, models],
  );

  useEffect(() => {
    const drawn = typeof work === "string" ? null : work;
    if (isDraft) storeDraft(detail.id, { version: detail.version, outlines: drawn, birads, note });
  }, [isDraft, work, birads, note, detail.id, detail.version]);

  useEffect(() => {
    if (typeof work === "string") {
      setMeasured(work === "model" ? null : detail.measured);
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
  }, [work, detail.id, detail.measured]);

  const undo = useCallback(() => editable && setHistory(undone), [editable]);
  const redo = useCallback(() => editable && setHistory(redone), [editable]);
  const change = (next: Work) => {
    setHistory((old) => changed(old, next));
    setIsDraft(true);
  };

  const settle = (told: CaseDetail) => {
    storeDraft(told.id, null);
    setIsDraft(false);
    setHistory(begin<Work>("kept"));
    setProblem(null);
    replaced(told);
  };

  const keep = async (verdict: Verdict) => {
    const lines = verdict === "corrected" ? rounded(outlines) : null;
    try {
      settle(await api.save(detail.id, { version: detail.version, verdict, outlines: lines, birads, note }));
    } catch (error) {
      setProblem(error as Refused);
    }
  };

  const sign = async (reader: string) => {
    try {
      settle(await api.sign(detail.id, detail.version, reader));
    } catch (error) {
      setProblem(error as Refused);
    }
  };

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.target instanceof HTMLElement && /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
      if (event.ctrlKey || event.metaKey || event.altKey || !editable) return;
      const key = event.key.toLowerCase();
      if (key === "a" && !isCorrected) void keep("accepted");
      else if (key === "c" && isCorrected) void keep("corrected");
      else if (key === "x") void keep("rejected");
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  });

  return (
    <>
      <Viewer
        detail={detail}
        outlines={outlines}
        suspected={detail.decision === "lesion possible" && !isCorrected}
        editable={editable}
        isEdited={isCorrected}
        canUndo={history.past.length > 0}
        canRedo={history.future.length > 0}
        change={change}
        undo={undo}
        redo={redo}
        reset={() => change("model")}
      />
      <aside class="side">
        <Evidence detail={detail} about={about} measured={measured} isMeasuring={isMeasuring} />
        {detail.kind === "image" && (
          <Decide
            detail={detail}
            isEdited={isCorrected}
            isDraft={isDraft}
            birads={birads}
            note={note}
            problem={problem && problem.message}
            isConflict={problem?.status === 409}
            write={(told) => {
              if (told.birads !== undefined) setBirads(told.birads);
              if (told.note !== undefined) setNote(told.note);
              setIsDraft(true);
            }}
            keep={keep}
            sign={sign}
            reload={() => {
              storeDraft(detail.id, null);
              reload();
            }}
            remove={remove}
          />
        )}
      </aside>
    </>
  );
}
