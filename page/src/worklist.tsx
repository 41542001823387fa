/** The cases, newest first, and what is on its way. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { CaseSummary, Status } from "./api";
import { canGoOn, unreadOf, type Progress } from "./dropping";
import { useKeys } from "./keys";
import { share } from "./numbers";
import { matching, ordered, type Order } from "./order";
import { inPageLanguage } from "./phrases";
import { fill, text } from "./text";

interface Props {
  cases: CaseSummary[];
  selected: string | null;
  /** Whose first reading is not shown, because a second one is being made. */
  isBlind: boolean;
  progress: Progress[];
  choose: (id: string) => void;
  openFiles: (files: File[]) => void;
  dismiss: (key: number) => void;
  retry: (progress: Progress) => void;
}

const STATUSES: Status[] = ["new", "read", "signed", "unread"];

export function Worklist({ cases, selected, isBlind, progress, choose, openFiles, dismiss, retry }: Props) {
  const [search, setSearch] = useState("");
  const [status, setStatus] = useState<Status | "">("");
  const [order, setOrder] = useState<Order>("newest");
  const input = useRef<HTMLInputElement>(null);
  const shown = ordered(matching(cases, search, status), order);
  const list = useRef<HTMLUListElement>(null);
  useEffect(() => list.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" }), [selected]);
  useKeys((event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = shown.findIndex((one) => one.id === selected);
    const next = event.key === "j" ? shown[at + 1] : event.key === "k" ? shown[at - 1] : undefined;
    if (!next) return;
    choose(next.id);
    event.preventDefault();
  });
  return (
    <nav class="worklist" aria-label={text.worklist}>
      <button class="primary" onClick={() => input.current?.click()}>
        {text.openFiles}
      </button>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        aria-label={text.openFiles}
        onChange={(event) => {
          openFiles([...(event.currentTarget.files ?? [])]);
          event.currentTarget.value = "";
        }}
      />
      <p class="hint">{text.dropHere}</p>
      <div aria-live="polite">
        {progress.map((one) => (
          <ProgressRow
            key={one.key}
            progress={one}
            unread={unreadOf(one, cases)}
            dismiss={dismiss}
            retry={retry}
          />
        ))}
      </div>
      <div class="row">
        <input
          id="search"
          type="search"
          placeholder={text.search}
          aria-label={text.search}
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
        <select
          aria-label={text.filter}
          value={status}
          onChange={(event) => setStatus(event.currentTarget.value as Status | "")}
        >
          <option value="">{text.all}</option>
          {STATUSES.map((one) => (
            <option key={one} value={one}>
              {text.status[one]}
            </option>
          ))}
        </select>
        <select
          aria-label={text.order}
          value={order}
          onChange={(event) => setOrder(event.currentTarget.value as Order)}
        >
          <option value="newest">{text.newestFirst}</option>
          <option value="uncertain">{text.uncertainFirst}</option>
        </select>
      </div>
      <ul ref={list}>
        {shown.map((one) => (
          <li key={one.id}>
            <button
              class="case"
              aria-current={one.id === selected ? "true" : undefined}
              onClick={() => choose(one.id)}
            >
              {one.kind === "unread" ? (
                <span class="no-picture" aria-hidden="true">
                  ✕
                </span>
              ) : (
                <img src={`/api/cases/${one.id}/thumbnail`} alt="" loading="lazy" />
              )}
              <span class="about">
                <span class="name">{one.name}</span>
                {one.decision && (
                  <span class={`decision ${one.decision.replaceAll(" ", "-")}`}>
                    {text.decision[one.decision] ?? one.decision}
                    {one.malignant !== null && ` · ${share(one.malignant)}`}
                  </span>
                )}
                <span class="status">
                  {text.status[one.status]}
                  {one.verdict && !(isBlind && one.id === selected) && (
                    <>
                      {` · ${text.verdict[one.verdict]}`}
                      {one.birads && ` · BI-RADS ${one.birads}`}
                    </>
                  )}
                  {one.read_again > 0 && ` · ${text.hasSecond}`}
                </span>
              </span>
            </button>
          </li>
        ))}
      </ul>
      {shown.length === 0 && <p class="hint">{cases.length ? text.noMatch : text.noCases}</p>}
    </nav>
  );
}

interface RowProps {
  progress: Progress;
  unread: CaseSummary[];
  dismiss: (key: number) => void;
  retry: (progress: Progress) => void;
}

function ProgressRow({ progress, unread, dismiss, retry }: RowProps) {
  const { drop } = progress;
  const sent = progress.all.length - progress.left.length;
  const bad = [...progress.refused, ...(drop?.files.filter((file) => file.problem) ?? []), ...unread];
  const remarks =
    drop?.files.flatMap((file) => file.remarks.map((remark) => `${file.name}: ${inPageLanguage(remark)}`)) ?? [];
  const isOver = progress.problem !== null || drop?.state === "done" || drop?.state === "failed";
  return (
    <div class="progress">
      {progress.problem !== null ? (
        <p class="problem">{progress.problem}</p>
      ) : !drop ? (
        <p>{fill(text.uploading, { name: progress.left[0]?.name ?? "", done: sent + 1, total: progress.all.length })}</p>
      ) : drop.state === "failed" ? (
        <p class="problem">{fill(text.readFailed, { reason: inPageLanguage(drop.reason ?? "") })}</p>
      ) : (
        <p>
          {drop.state === "done"
            ? fill(text.readDone, { done: drop.done - unread.length })
            : drop.total === null
              ? text.readingUnknown
              : fill(text.reading, { done: drop.done, total: drop.total })}
        </p>
      )}
      {!isOver && (
        <progress
          aria-label={text.reading}
          value={drop ? drop.done : sent}
          max={drop ? (drop.total ?? undefined) : progress.all.length}
        />
      )}
      {bad.map((file, i) => (
        <p class="problem" key={i}>
          {file.name}: {inPageLanguage(file.problem ?? "")}
        </p>
      ))}
      {remarks.map((remark) => (
        <p key={remark}>{remark}</p>
      ))}
      {isOver && (
        <div class="row">
          {canGoOn(progress) && <button onClick={() => retry(progress)}>{text.retry}</button>}
          <button onClick={() => dismiss(progress.key)}>{text.dismiss}</button>
        </div>
      )}
    </div>
  );
}
