/** What a reader has not kept yet, in this browser, for each person: a lost session or a reload does not lose it. */
import type { Location, Outline } from "./api";

/** Outlines to be worked on: those that the case has, the model's again, or the reader's new ones. */
export type Work = "kept" | "model" | Outline[];

/** It follows `version` of its case, which may have a later one by now. */
export interface Draft {
  version: number;
  work: Work;
  birads: string | null;
  note: string;
  place: Location;
}

const key = (person: string, id: string) => `bustle.unkept.${person}.${id}`;

export function storeDraft(person: string, id: string, draft: Draft): void {
  localStorage.setItem(key(person, id), JSON.stringify(draft));
}

const addendumKey = (person: string, id: string) => `bustle.addendum.${person}.${id}`;

/** Words of an addendum that is not signed yet; none are forgotten. */
export function storeAddendum(person: string, id: string, words: string): void {
  if (words) localStorage.setItem(addendumKey(person, id), words);
  else localStorage.removeItem(addendumKey(person, id));
}

export const storedAddendum = (person: string, id: string): string =>
  localStorage.getItem(addendumKey(person, id)) ?? "";

/** Forget a draft; with `own`, only where that is the one: another tab may have its own of the same case by now. */
export function forgetDraft(person: string, id: string, own?: Draft): void {
  if (own && localStorage.getItem(key(person, id)) !== JSON.stringify(own)) return;
  localStorage.removeItem(key(person, id));
}

export function storedDraft(person: string, id: string): Draft | null {
  const stored = localStorage.getItem(key(person, id));
  return stored ? (JSON.parse(stored) as Draft) : null;
}
