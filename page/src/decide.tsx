/** What the reader says: accept, correct or reject, category and note, the signature, and what is taken along. */
import { AfterSigning } from "./after_signing";
import type { CaseDetail, Location, Person, Verdict } from "./api";
import { PlaceFields, placeInWords } from "./place";
import { useSignature } from "./signature";
import { fill, text } from "./text";
import { moment } from "./time";

const CATEGORIES = ["0", "1", "2", "3", "4A", "4B", "4C", "5", "6"];

interface Props {
  detail: CaseDetail;
  person: Person;
  isEdited: boolean;
  isDraft: boolean;
  birads: string | null;
  note: string;
  place: Location;
  isBusy: boolean;
  problem: string | null;
  isConflict: boolean;
  write: (change: { birads?: string | null; note?: string; place?: Location }) => void;
  isSecond: boolean;
  keep: (verdict: Verdict, reader: string | null) => void;
  addAddendum: (words: string, reader: string | null) => Promise<boolean>;
  readAgain: () => void;
  leave: () => void;
  sign: (reader: string | null) => void;
  reload: () => void;
  remove: () => void;
}

export function Decide(props: Props) {
  const { detail } = props;
  const ownName = props.person.full_name;
  const signature = useSignature(props.person, props.isBusy);
  const reading = detail.reading;
  const { isSecond } = props;
  const isSigned = detail.status === "signed" && !isSecond;
  const isKept = reading !== null && !props.isDraft && !isSecond; // nothing is left to do but to sign
  const keep = (verdict: Verdict) => props.keep(verdict, signature.name);
  const cannotKeep = props.isBusy || (isSecond && signature.isMissing);
  return (
    <section class="decide" aria-label={text.decide}>
      <h2>{isSecond ? text.secondReading : text.decide}</h2>
      {isSecond && <p class="note">{text.secondNote}</p>}
      {isSigned && reading ? (
        <>
          <p class="verdict">
            {text.verdict[reading.verdict]}
            {reading.birads && ` · BI-RADS ${reading.birads}`}
          </p>
          {placeInWords(reading) && <p>{placeInWords(reading)}</p>}
          {reading.note && <p class="own-note">{reading.note}</p>}
          <p>
            {fill(text.signedBy, {
              reader: reading.reader ?? "",
              when: moment(reading.signed ?? ""),
            })}
          </p>
          <p class="hint">{text.signedNote}</p>
          <AfterSigning
            detail={detail}
            person={props.person}
            isBusy={props.isBusy}
            addAddendum={props.addAddendum}
            readAgain={props.readAgain}
          />
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
          {!isSecond && (
            <PlaceFields place={props.place} isBusy={props.isBusy} write={(place) => props.write({ place })} />
          )}
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
          {isSecond && signature.field}
          {detail.kind === "volume" && <p class="hint">{text.volumeOutlines}</p>}
          <div class="row">
            <button
              class={props.isEdited || isKept ? "" : "primary"}
              disabled={cannotKeep || props.isEdited}
              onClick={() => keep("accepted")}
            >
              {text.accept}
            </button>
            {detail.kind === "image" && (
              <button
                class={props.isEdited && !isKept ? "primary" : ""}
                disabled={cannotKeep || !props.isEdited}
                onClick={() => keep("corrected")}
              >
                {text.correct}
              </button>
            )}
            <button disabled={cannotKeep} onClick={() => keep("rejected")}>
              {text.reject}
            </button>
          </div>
          {isSecond ? (
            <button disabled={props.isBusy} onClick={props.leave}>
              {text.leaveSecond}
            </button>
          ) : props.isDraft ? (
            <p class="note">{text.draft}</p>
          ) : !reading ? (
            <p class="hint">{text.signFirst}</p>
          ) : (
            <>
              <p aria-live="polite">
                {fill(text.saved, { verdict: text.verdict[reading.verdict], version: reading.version })}
              </p>
              <form
                class="row"
                onSubmit={(event) => {
                  event.preventDefault();
                  props.sign(signature.name);
                }}
              >
                {signature.field}
                <button class="primary" disabled={props.isBusy || signature.isMissing}>
                  {ownName === null ? text.sign : fill(text.signAs, { name: ownName })}
                </button>
              </form>
            </>
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
        {props.isDraft && <p class="hint">{text.exportNote}</p>}
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
