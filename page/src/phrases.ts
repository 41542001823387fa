/** What the server says without a code, such as what is wrong with a file, in the language of the page. */
import german from "./phrases_de.json";
import { fill, language, type Language } from "./text";

interface Phrase {
  english: RegExp;
  words: string;
}

/** A book of words by the English ones, in which values stand as {1}, {2}; those that say most come first. */
function phrases(book: Record<string, string>): Phrase[] {
  return Object.entries(book)
    .sort(([one], [other]) => other.length - one.length)
    .map(([english, words]) => ({ english: pattern(english), words }));
}

const pattern = (english: string): RegExp =>
  new RegExp(`^${english.split(/\{\d\}/).map(escaped).join("(.*)")}$`);

const escaped = (literal: string): string => literal.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

const BOOKS: Record<Language, Phrase[]> = { en: [], de: phrases(german) };

/** Problem and remedy are parted by "; " and looked up each, and so are the values in them; the rest stays as it is. */
export const inPageLanguage = (said: string): string => said.split("; ").map(phrased).join("; ");

function phrased(said: string): string {
  for (const { english, words } of BOOKS[language]) {
    const found = english.exec(said);
    if (found) return fill(words, Object.fromEntries(found.slice(1).map((value, i) => [i + 1, phrased(value)])));
  }
  return said;
}
