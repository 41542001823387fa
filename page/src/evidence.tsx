/** What the model says and what it rests on. */
import type { ComponentChildren } from "preact";
import type { About, Answer, CaseDetail, Described, Lesion, Measured, Moved, SimilarCase } from "./api";
import { formatted, number, share } from "./numbers";
import { OpenCase } from "./open_case";
import { fill, language, text } from "./text";
import { Verdict } from "./verdict";

interface Props {
  detail: CaseDetail;
  about: About | null;
  measured: Measured | null;
  isMeasuring: boolean;
  /** What else was found. */
  children?: ComponentChildren;
}

const FIRST = ["depth_width_ratio", "circularity", "margin_roughness", "echo_contrast", "posterior_contrast"];

export function Evidence({ detail, about, measured, isMeasuring, children }: Props) {
  const answer = measured?.answer ?? detail.answer;
  const lesions = measured?.lesions ?? detail.lesions;
  return (
    <section class="evidence" aria-label={text.evidence}>
      <OpenCase {...detail} />
      <h2>{text.evidence}</h2>
      {answer?.decision ? (
        <>
          <Verdict decision={answer.decision} malignant={null} isLarge />
          {answer.calibrated && <p class="hint">{text.decisionMeaning[answer.decision]}</p>}
        </>
      ) : (
        <Verdict {...detail} isLarge />
      )}
      {detail.flags.map((flag) => (
        <p class="flag" key={flag.kind}>
          {text.flag[flag.kind]}
        </p>
      ))}
      {(isMeasuring || measured) && (
        <p class="note" aria-live="polite">
          {isMeasuring ? text.measuring : measured?.answer ? text.correctedOutline : text.notAskedAgain}
        </p>
      )}
      {answer && <Probabilities answer={answer} about={about?.model_digest === detail.model_digest ? about : null} />}
      {lesions.map((lesion) => (
        <LesionFacts key={lesion.number} lesion={lesion} />
      ))}
      {detail.similar_cases.length > 0 && <SimilarCases cases={detail.similar_cases} />}
      {children}
    </section>
  );
}

/** The server says it in English; in another language its descriptor stands for it. */
const moving = (moved: Moved): string =>
  language === "en" ? moved.words : (text.descriptors[moved.descriptor] ?? moved.words);

function Probabilities({ answer, about }: { answer: Answer; about: About | null }) {
  const { benign = 0, malignant = 0, normal } = answer.probabilities;
  if (!Object.keys(answer.probabilities).length) return null;
  const lesion = benign + malignant;
  return (
    <>
      {lesion > 0 && (
        <Scale label={text.ifLesion} value={malignant / lesion} band={about?.refer_band} bandText={text.referBand} />
      )}
      {normal !== undefined && (
        <Scale label={text.isLesion} value={1 - normal} band={about?.lesion_band} bandText={text.openBand} />
      )}
      <table>
        <tbody>
          {Object.entries(answer.probabilities).map(([name, value]) => (
            <tr key={name}>
              <th scope="row">{text.decision[name] ?? name}</th>
              <td>{share(value)}</td>
              <td class="hint">{answer.possible.includes(name) ? "●" : ""}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="hint">{answer.calibrated ? text.calibrated : text.notCalibrated}</p>
      {answer.moved_by.length > 0 && (
        <>
          <h3>{text.movedBy}</h3>
          <ul class="moved">
            {answer.moved_by.map((moved) => (
              <li key={moved.descriptor}>
                <span>{moving(moved)}</span>
                <span class={moved.change > 0 ? "up" : "down"}>
                  {moved.change > 0 ? "▲ +" : "▼ −"}
                  {share(Math.abs(moved.change))}
                </span>
              </li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}

interface ScaleProps {
  label: string;
  value: number;
  band: [number, number] | null | undefined;
  bandText: string;
}

function Scale({ label, value, band, bandText }: ScaleProps) {
  const percent = (part: number) => `${(100 * part).toFixed(2)}%`;
  const told = band ? fill(bandText, { low: share(band[0]), high: share(band[1]) }) : "";
  return (
    <div class="scale">
      <p>
        <span>{label}</span>
        <strong>{share(value)}</strong>
      </p>
      <div class="bar" role="img" aria-label={`${label}: ${share(value)}. ${told}`}>
        {band && <span class="band" style={{ left: percent(band[0]), width: percent(band[1] - band[0]) }} />}
        <span class="mark" style={{ left: percent(value) }} />
      </div>
      {band && <p class="hint">{told}</p>}
    </div>
  );
}

function SimilarCases({ cases }: { cases: SimilarCase[] }) {
  return (
    <>
      <h3>{text.similarCases}</h3>
      <table>
        <tbody>
          {cases.map((one, number) => (
            <tr key={number}>
              <th scope="row">{text.decision[one.class_name] ?? one.class_name}</th>
              <td>{one.source}</td>
              <td>{formatted(one.distance, 1)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="hint">{text.similarCasesWords}</p>
    </>
  );
}

function LesionFacts({ lesion }: { lesion: Lesion }) {
  return (
    <div class="lesion">
      <h3>{fill(text.lesion, { number: lesion.number })}</h3>
      <p>
        <strong>
          {fill(text.size, {
            long: number(lesion.long_axis),
            short: number(lesion.short_axis),
            unit: lesion.unit,
          })}
        </strong>{" "}
        <span class="hint">{fill(text.area, { area: number(lesion.area), unit: lesion.unit })}</span>
      </p>
      <Measurements lesion={lesion} first={FIRST} />
    </div>
  );
}

/** Words and values, of which those named `first` are seen at once. */
export function Measurements({ lesion, first: names }: { lesion: Described; first: string[] }) {
  const first = names.flatMap((name) => lesion.values.filter((value) => value.name === name));
  return (
    <>
      <table>
        <tbody>
          {Object.entries(lesion.words).map(([name, word]) => (
            <tr key={name}>
              <th scope="row">{text.words[name] ?? name}</th>
              <td>{text.biradsWords[word] ?? word}</td>
            </tr>
          ))}
          {first.map((value) => (
            <tr key={value.name}>
              <th scope="row">{text.descriptors[value.name] ?? value.title}</th>
              <td>
                {number(value.value)} {value.unit}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {lesion.values.length > 0 && (
        <details>
          <summary>{text.allMeasured}</summary>
          <table>
            <tbody>
              {lesion.values.map((value) => (
                <tr key={value.name}>
                  <th scope="row">{text.descriptors[value.name] ?? value.title}</th>
                  <td>
                    {number(value.value)} {value.unit}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </details>
      )}
    </>
  );
}
