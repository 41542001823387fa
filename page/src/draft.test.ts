import { expect, test, vi } from "vitest";
import { NOWHERE } from "./place";
import { forgetDraft, storeAddendum, storeDraft, storedAddendum, storedDraft, type Draft } from "./draft";

const kept = new Map<string, string>();
vi.stubGlobal("localStorage", {
  getItem: (key: string) => kept.get(key) ?? null,
  setItem: (key: string, value: string) => kept.set(key, value),
  removeItem: (key: string) => kept.delete(key),
});

test("a draft comes back as it was, whatever version its case has by now", () => {
  const drafts: Draft[] = [
    { version: 0, work: "model", birads: null, note: "", place: NOWHERE },
    { version: 1, work: "kept", birads: "4A", note: "", place: NOWHERE },
    { version: 2, work: [[[1, 2], [3, 4], [5, 0]]], birads: null, note: "seen", place: { side: "left", clock: 10, nipple_mm: 35 } },
  ];
  for (const draft of drafts) {
    storeDraft("owner", "a", draft);
    expect(storedDraft("owner", "a")).toEqual(draft);
  }
  expect(storedDraft("owner", "b")).toBeNull();
  expect(storedDraft("anna", "a")).toBeNull();
  forgetDraft("owner", "a");
  expect(storedDraft("owner", "a")).toBeNull();
});

test("what another tab has not kept yet is not forgotten with one's own", () => {
  const own: Draft = { version: 0, work: "model", birads: "3", note: "", place: NOWHERE };
  const others: Draft = { ...own, birads: "5" };
  storeDraft("owner", "a", own);
  storeDraft("owner", "a", others);
  forgetDraft("owner", "a", own);
  expect(storedDraft("owner", "a")).toEqual(others);
  forgetDraft("owner", "a", others);
  expect(storedDraft("owner", "a")).toBeNull();
});

test("words of an addendum stay with their case and person until it is signed", () => {
  storeAddendum("anna", "a", "compare with 2025");
  expect(storedAddendum("anna", "a")).toBe("compare with 2025");
  expect([storedAddendum("anna", "b"), storedAddendum("owner", "a")]).toEqual(["", ""]);
  storeAddendum("anna", "a", "");
  expect(kept.size).toBe(0);
});
