/** What a reader has not kept yet, in this browser: a lost session or a reload does not lose it. */
import type { Outline } from "./api";

export interface Draft {
  version: number;
  outlines: Outline[] | null;
  birads: string | null;
  note: string;
}

const key = (id: string) => `bustle.draft.${id}`;

export function storeDraft(id: string, draft: Draft | null): void {
  if (draft) localStorage.setItem(key(id), JSON.stringify(draft));
  else localStorage.removeItem(key(id));
}

/** The draft that follows the version of a case that is there; one of an older version is of no use. */
export function storedDraft(id: string, version: number): Draft | null {
  const stored = localStorage.getItem(key(id));
  if (!stored) return null;
  const draft = JSON.parse(stored) as Draft;
  return draft.version === version ? draft : null;
}
