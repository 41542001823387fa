/** What the reader says: accept, correct or reject, category and note, the signature, and what is taken along. */
import { useEffect, useState } from "preact/hooks";
import type { CaseDetail, Person, Verdict } from "./api";
import { fill, text } from "./text";
import { moment } from "./time";

const CATEGORIES = ["0", "1", "2", "3", "4A", "4B", "4C", "5", "6"];
const READER = "bustle.reader";

interface Props {
  detail: CaseDetail;
  person: Person;
  isEdited: boolean;
  isDraft: boolean;
  birads: string | null;
  note: string;
  isBusy: boolean;
  problem: string | null;
  isConflict: boolean;
  write: (change: { birads?: string | null; note?: string }) => void;
  keep: (verdict: Verdict) => void;
  sign: (reader: string | null) => void;
  reload: () => void;
  remove: () => void;
}

export function Decide(props: Props) {
  const { detail } = props;
  const ownName = props.person.full_name;
  const [reader, setReader] = useState(localStorage.getItem(READER) ?? "");
  useEffect(() => localStorage.setItem(READER, reader), [reader]);
  const reading = detail.reading;
  const isSigned = detail.status === "signed";
  return (
    <section class="decide" aria-label={text.decide}>
      <h2>{text.decide}</h2>
      {isSigned && reading ? (
        <>
          <p class="verdict">
            {text.verdict[reading.verdict]}
            {reading.birads && ` · BI-RADS ${reading.birads}`}
          </p>
          {reading.note && <p class="own-note">{reading.note}</p>}
          <p>
            {fill(text.signedBy, {
              reader: reading.reader ?? "",
              when: moment(reading.signed ?? ""),
            })}
          </p>
          <p class="hint">{text.signedNote}</p>
        </>
      ) : (
        <>
          <label class="field">
            {text.birads}
            <select
              value={props.birads ?? ""}
              disabled={props.isBusy}
              onChange={(event) => props.write({ birads: event.currentTarget.value || null })}
            >
              <option value="">{text.noCategory}</option>
              {CATEGORIES.map((one) => (
                <option key={one}>{one}</option>
              ))}
            </select>
          </label>
          <label class="field long">
            {text.note}
            <textarea
              rows={2}
              maxLength={4000}
              value={props.note}
              disabled={props.isBusy}
              onInput={(event) => props.write({ note: event.currentTarget.value })}
            />
          </label>
          <div class="row">
            <button class="primary" disabled={props.isBusy || props.isEdited} onClick={() => props.keep("accepted")}>
              {text.accept}
            </button>
            <button
              class={props.isEdited ? "primary" : ""}
              disabled={props.isBusy || !props.isEdited}
              onClick={() => props.keep("corrected")}
            >
              {text.correct}
            </button>
            <button disabled={props.isBusy} onClick={() => props.keep("rejected")}>
              {text.reject}
            </button>
          </div>
          {props.isDraft ? (
            <p class="note">{text.draft}</p>
          ) : (
            reading && (
              <>
                <p aria-live="polite">
                  {fill(text.saved, { verdict: text.verdict[reading.verdict], version: reading.version })}
                </p>
                <form
                  class="row"
                  onSubmit={(event) => {
                    event.preventDefault();
                    props.sign(ownName === null ? reader : null);
                  }}
                >
                  {ownName === null && (
                    <input
                      required
                      maxLength={200}
                      placeholder={text.reader}
                      aria-label={text.reader}
                      value={reader}
                      disabled={props.isBusy}
                      onInput={(event) => setReader(event.currentTarget.value)}
                    />
                  )}
                  <button class="primary" disabled={props.isBusy || (ownName === null && !reader.trim())}>
                    {ownName === null ? text.sign : fill(text.signAs, { name: ownName })}
                  </button>
                </form>
              </>
            )
          )}
        </>
      )}
      {props.problem !== null && (
        <p class="problem" role="alert">
          {props.isConflict ? text.conflict : props.problem || text.unreachable}{" "}
          {props.isConflict && <button onClick={props.reload}>{text.loadTheirs}</button>}
        </p>
      )}
      <div class="row exports" title={text.exportNote}>
        <h3>{text.export}</h3>
        {detail.exports.map((kind) => (
          <a key={kind} class="button" href={`/api/cases/${detail.id}/export/${kind}`} download>
            {kind.toUpperCase()}
          </a>
        ))}
      </div>
      {(!isSigned || props.person.role === "admin") && (
        <button class="quiet" onClick={() => confirm(text.deleteSure) && props.remove()}>
          {text.deleteCase}
        </button>
      )}
    </section>
  );
}
