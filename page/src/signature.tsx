/** The name under what is signed: that of the account, or of whoever writes one. */
import { useEffect, useState } from "preact/hooks";
import type { Person } from "./api";
import { text } from "./text";

const READER = "bustle.reader";

export interface Signature {
  /** What the server is told; null where it knows the name. */
  name: string | null;
  isMissing: boolean;
  field: preact.JSX.Element | null;
}

/** The name that `person` signs with, and the field for it where there is to be one. */
export function useSignature(person: Person, isBusy: boolean): Signature {
  const [reader, setReader] = useState(localStorage.getItem(READER) ?? "");
  useEffect(() => localStorage.setItem(READER, reader), [reader]);
  if (person.full_name !== null) return { name: null, isMissing: false, field: null };
  const field = (
    <input
      required
      maxLength={200}
      placeholder={text.reader}
      aria-label={text.reader}
      value={reader}
      disabled={isBusy}
      onInput={(event) => setReader(event.currentTarget.value)}
    />
  );
  return { name: reader, isMissing: !reader.trim(), field };
}
