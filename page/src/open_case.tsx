/** Which case is open, beside its picture. */
import type { CaseSummary } from "./api";

export function OpenCase({ name, patient }: Pick<CaseSummary, "name" | "patient">) {
  return (
    <p class="open-case">
      <strong>{name}</strong>
      {patient && <span class="hint"> · {patient}</span>}
    </p>
  );
}
