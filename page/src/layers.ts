/** What can be laid over the picture of a case. */
import type { CaseDetail, Explanation } from "./api";
import { fill, text } from "./text";
import type { Layer } from "./viewer";

/** What moved the answer, and where the outline is uncertain: that is looked for when it is asked for. */
export function layersOf(detail: CaseDetail): Layer[] {
  const place = `/api/cases/${detail.id}`;
  const spread = { src: `${place}/spread`, name: text.spread, words: text.spreadWords };
  const first = detail.explanations[0];
  const map = first && { src: `${place}/explanations/${first.number}`, name: text.explanation, words: explained(first) };
  return [...(map ? [map] : []), ...(detail.lesions.length ? [spread] : [])];
}

/** What an explanation map is of, and how it is read. */
function explained({ title, class_name }: Explanation): string {
  if (class_name === null) return `${title}.`;
  const name = text.decision[class_name] ?? class_name;
  return `${fill(text.explanationOf, { title, name })}. ${text.explanationLegend}`;
}
