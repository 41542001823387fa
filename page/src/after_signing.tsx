/** What stands under a signed case: addenda, what others say of it, and the ways to add either. */
import { useState } from "preact/hooks";
import type { CaseDetail, Person } from "./api";
import { storeAddendum, storedAddendum } from "./draft";
import { useSignature } from "./signature";
import { fill, text } from "./text";
import { moment } from "./time";

interface Props {
  detail: CaseDetail;
  person: Person;
  isBusy: boolean;
  addAddendum: (words: string, reader: string | null) => Promise<boolean>;
  readAgain: () => void;
}

export function AfterSigning({ detail, person, isBusy, addAddendum, readAgain }: Props) {
  const [words, setWords] = useState(storedAddendum(person.name, detail.id));
  const [wasBegun] = useState(words !== "");
  const write = (written: string) => {
    setWords(written);
    storeAddendum(person.name, detail.id, written);
  };
  const signature = useSignature(person, isBusy);
  const mayReadAgain = person.role !== "reader" && person.full_name !== detail.reading?.reader;
  const hasReadAgain = detail.second_readings.some((one) => one.reader === person.full_name);
  return (
    <>
      {detail.addenda.map((one, i) => (
        <div class="later" key={i}>
          <p class="hint">{fill(text.addendumBy, { reader: one.reader, when: moment(one.made) })}</p>
          <p class="own-note">{one.text}</p>
        </div>
      ))}
      {detail.second_readings.map((one) => (
        <div class="later" key={one.reader}>
          <p class="hint">{fill(text.secondBy, { reader: one.reader, when: moment(one.made) })}</p>
          <p>
            {text.verdict[one.verdict]}
            {one.birads && ` · BI-RADS ${one.birads}`}
          </p>
          {one.note && <p class="own-note">{one.note}</p>}
        </div>
      ))}
      {mayReadAgain && !hasReadAgain && (
        <button disabled={isBusy} onClick={readAgain}>
          {text.readAgain}
        </button>
      )}
      <details open={wasBegun}>
        <summary>{text.addAddendum}</summary>
        <form
          class="stack"
          onSubmit={async (event) => {
            event.preventDefault();
            if (await addAddendum(words, signature.name)) write("");
          }}
        >
          <textarea
            rows={2}
            required
            maxLength={4000}
            aria-label={text.addendum}
            value={words}
            disabled={isBusy}
            onInput={(event) => write(event.currentTarget.value)}
          />
          {signature.field}
          <button disabled={isBusy || signature.isMissing || !words.trim()}>{text.signAddendum}</button>
        </form>
      </details>
    </>
  );
}
