import { expect, test, vi } from "vitest";
import { said } from "./api";
import { CATALOGUES, fill, speak, type Catalogue } from "./text";

type Words = string | { readonly [key: string]: Words } | readonly Words[];

/** Each text by its place, such as `tools.pan`. */
function leaves(words: Words, place = ""): Record<string, string> {
  if (typeof words === "string") return { [place]: words };
  return Object.assign({}, ...Object.entries(words).map(([key, below]) => leaves(below, `${place}.${key}`)));
}

const placeholders = (words: string): string[] => [...words.matchAll(/\{\w+\}/g)].map(([one]) => one).sort();

/** Without refusals, whose English is the server's: its tests compare them. */
const ownWords = ({ refused: _, ...catalogue }: Catalogue) => leaves(catalogue);

const english = ownWords(CATALOGUES.en);

test.each(Object.entries(CATALOGUES))("%s has every text of the page, and no other", (_, catalogue) => {
  const others = ownWords(catalogue);
  expect(Object.keys(others).sort()).toEqual(Object.keys(english).sort());
  for (const [place, words] of Object.entries(others)) {
    expect(words.trim(), place).not.toBe("");
    expect(placeholders(words), place).toEqual(placeholders(english[place]!));
  }
});

test("keys stay the same in every language but for the names on them", () => {
  const pressed = (catalogue: typeof CATALOGUES.en | typeof CATALOGUES.de) =>
    catalogue.keyList.map(([key]) => key.match(/\b[A-Z?/]\b/g)?.join(""));
  expect(pressed(CATALOGUES.de)).toEqual(pressed(CATALOGUES.en));
});

test("a text is filled, and what is not told is left out", () => {
  expect(fill("{a} of {b}{c}", { a: 1, b: "two" })).toBe("1 of two");
});

test("a refusal is said in the language of the page where it has a code", () => {
  vi.stubGlobal("localStorage", { setItem: () => undefined });
  vi.stubGlobal("document", { documentElement: {} });
  const tooLow = { detail: "this is for reviewers", code: "role-too-low", values: { role: "reviewer" } };
  expect(said(tooLow)).toBe("this is for reviewers");
  speak("de");
  expect(said(tooLow)).toContain("Zweitbefunder");
  expect(said({ detail: "is no image", code: null })).toBe("is no image");
  expect(said({ code: "of a newer server" })).toBeNull();
  speak("en");
  vi.unstubAllGlobals();
});
