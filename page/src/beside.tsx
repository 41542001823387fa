/** Another case beside the one that is read, such as an earlier study or the other breast: only to be looked at. */
import { useEffect, useState } from "preact/hooks";
import { api, type CaseDetail, type CaseSummary } from "./api";
import { dense } from "./outline";
import { text } from "./text";
import { Viewer } from "./viewer";

/** Those that can stand beside a case, the ones of its own drop first. */
export function besides(cases: CaseSummary[], detail: CaseDetail): CaseSummary[] {
  const others = cases.filter((one) => one.kind === "image" && one.id !== detail.id);
  return others.toSorted((a, b) => Number(b.drop === detail.drop) - Number(a.drop === detail.drop));
}

interface ChoiceProps {
  others: CaseSummary[];
  chosen: string | null;
  choose: (id: string | null) => void;
}

export function BesideChoice({ others, chosen, choose }: ChoiceProps) {
  return (
    <select
      class="beside"
      aria-label={text.beside}
      title={text.beside}
      value={chosen ?? ""}
      disabled={others.length === 0}
      onChange={(event) => choose(event.currentTarget.value || null)}
    >
      <option value="">{text.nothingBeside}</option>
      {others.map((one) => (
        <option key={one.id} value={one.id}>
          {one.name}
        </option>
      ))}
    </select>
  );
}

export function Beside({ id }: { id: string }) {
  const [detail, setDetail] = useState<CaseDetail | null>(null);
  useEffect(() => {
    let isOld = false;
    api.case(id).then(
      (found) => isOld || setDetail(found),
      () => isOld || setDetail(null),
    );
    return () => {
      isOld = true;
    };
  }, [id]);
  if (!detail) return null;
  const outlines = detail.reading?.outlines ?? detail.lesions.map((lesion) => lesion.outline);
  return (
    <Viewer
      picture={{ ...detail, src: `/api/cases/${detail.id}/picture` }}
      outlines={detail.reading?.verdict === "rejected" ? [] : outlines.map(dense)}
      suspected={detail.decision === "lesion possible" && !detail.reading?.outlines}
      editing={null}
      measurable
      addToNote={null}
      caption={detail.name}
    />
  );
}
