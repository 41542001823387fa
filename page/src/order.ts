/** Which cases the worklist shows, and which of them first. */
import type { CaseSummary, Status } from "./api";

export type Order = "newest" | "uncertain";

/** Whose name and status are asked for. */
export function matching(cases: CaseSummary[], search: string, status: Status | ""): CaseSummary[] {
  const word = search.trim().toLowerCase();
  return cases.filter((one) => (!status || one.status === status) && one.name.toLowerCase().includes(word));
}

/** How far the model is from not knowing; what has no probability comes after that, and last what is signed. */
function certainty({ malignant, status }: CaseSummary): number {
  if (status === "signed") return 2;
  return malignant === null ? 1 : Math.abs(malignant - 0.5);
}

/** As the server has them, what was dropped last first; or those first of which a person's reading teaches most. */
export const ordered = (cases: CaseSummary[], order: Order): CaseSummary[] =>
  order === "newest" ? cases : cases.toSorted((a, b) => certainty(a) - certainty(b));
