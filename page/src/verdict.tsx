/** What the model decides, in its colour, with the probability of malignant where it has one. */
import { share } from "./numbers";
import { text } from "./text";

interface Props {
  decision: string | null;
  malignant: number | null;
  /** Whether it is the case's, and stands out. */
  isLarge?: boolean;
}

export function Verdict({ decision, malignant, isLarge = false }: Props) {
  if (decision === null) return null;
  return (
    <p class={`${isLarge ? "verdict " : ""}decision ${decision.replaceAll(" ", "-")}`}>
      {text.decision[decision] ?? decision}
      {malignant !== null && ` · ${share(malignant)}`}
    </p>
  );
}
