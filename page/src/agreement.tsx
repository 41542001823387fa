/** For reviewers: how far readers and model agree on the signed cases. */
import { useEffect, useRef, useState } from "preact/hooks";
import { api, type Agreement, type DiameterAgreement, type Figure, type PairAgreement } from "./api";
import { number, share } from "./numbers";
import { told } from "./sign_in";
import { fill, text } from "./text";

export function AgreementDialog({ close }: { close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [found, setFound] = useState<Agreement | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => {
    dialog.current?.showModal();
    api.agreement().then(setFound, (error) => setProblem(told(error)));
  }, []);
  return (
    <dialog ref={dialog} class="wide" aria-labelledby="agreement-title" onClose={close}>
      <h2 id="agreement-title">{text.agreement}</h2>
      {problem !== null && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      {!found && problem === null && <p>{text.measuring}</p>}
      {found && (
        <>
          <p class="hint">{fill(text.agreementNote, { signed: found.signed })}</p>
          {found.pairs.length === 0 && <p>{text.noneSigned}</p>}
          {found.pairs.map((pair) => (
            <Pair key={pair.first + pair.second} pair={pair} />
          ))}
        </>
      )}
      <form class="row" method="dialog">
        <span class="gap" />
        <button>{text.dismiss}</button>
      </form>
    </dialog>
  );
}

function Pair({ pair }: { pair: PairAgreement }) {
  const [first, second] = [text.raters[pair.first], text.raters[pair.second]];
  return (
    <section class="pair" aria-label={`${first}, ${second}`}>
      <h3>
        {first} – {second} <span class="hint">{fill(text.casesOfBoth, { count: pair.cases })}</span>
      </h3>
      <table>
        <tbody>
          <Row name={text.kappa} figure={pair.kappa} />
          <Row
            name={text.dice}
            figure={pair.dice}
            more={pair.same_outline ? fill(text.sameOutline, { count: pair.same_outline }) : ""}
          />
        </tbody>
      </table>
      {pair.kappa.n > 0 && (
        <table class="advised">
          <caption class="hint">{text.advised}</caption>
          <thead>
            <tr>
              <td />
              <th scope="col">{fill(text.saysYes, { rater: second })}</th>
              <th scope="col">{fill(text.saysNo, { rater: second })}</th>
            </tr>
          </thead>
          <tbody>
            {pair.advised.map((row, i) => (
              <tr key={i}>
                <th scope="row">{fill(i ? text.saysNo : text.saysYes, { rater: first })}</th>
                {row.map((count, k) => (
                  <td key={k}>{count}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {pair.diameters.map((one) => (
        <BlandAltman key={one.unit} found={one} />
      ))}
    </section>
  );
}

function Row({ name, figure, more = "" }: { name: string; figure: Figure; more?: string }) {
  return (
    <tr>
      <th scope="row">{name}</th>
      <td>
        {figure.value === null ? "–" : share(figure.value)}
        {figure.interval ? ` [${figure.interval.map((one) => share(one)).join("; ")}]` : ""}
      </td>
      <td class="hint">
        {fill(text.casesOfBoth, { count: figure.n })} {more}
      </td>
    </tr>
  );
}

const [WIDTH, HEIGHT, LEFT, EDGE] = [520, 230, 48, 30];

/** Difference over mean of two raters' diameters, with the mean difference and the limits of agreement. */
function BlandAltman({ found }: { found: DiameterAgreement }) {
  const { points, unit, bias, limits } = found;
  const means = points.map((one) => one.mean);
  const [low, high] = [Math.min(...means), Math.max(...means)];
  const most = Math.max(...points.map((one) => Math.abs(one.difference)), ...limits.map(Math.abs), 1e-6) * 1.15;
  const x = (value: number) => LEFT + ((value - low) / (high - low || 1)) * (WIDTH - LEFT - EDGE) + 4;
  const y = (value: number) => HEIGHT / 2 - (value / most) * (HEIGHT / 2 - EDGE);
  const interval = ([from, to]: [number, number]) => `[${number(from)}; ${number(to)}]`;
  const said = fill(text.blandAltman, {
    bias: number(bias),
    biasInterval: interval(found.bias_interval),
    low: number(limits[0]),
    high: number(limits[1]),
    lowInterval: interval(found.lower_interval),
    highInterval: interval(found.upper_interval),
    unit,
    count: points.length,
  });
  return (
    <figure>
      <svg class="plot" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={said}>
        <line class="axis" x1={LEFT} x2={WIDTH - 4} y1={y(0)} y2={y(0)} />
        {[limits[0], bias, limits[1]].map((value, i) => (
          <g key={i}>
            <line class={i === 1 ? "bias" : "limit"} x1={LEFT} x2={WIDTH - 4} y1={y(value)} y2={y(value)} />
            <text x={LEFT - 4} y={y(value)}>
              {number(value)}
            </text>
          </g>
        ))}
        {points.map((one) => (
          <circle key={one.case} cx={x(one.mean)} cy={y(one.difference)} r={4}>
            <title>{`${number(one.mean)} ${unit}: ${number(one.difference)} ${unit}`}</title>
          </circle>
        ))}
        <text class="along" x={LEFT + 4} y={HEIGHT - 8}>
          {number(low)} {unit}
        </text>
        <text class="along end" x={WIDTH - 4} y={HEIGHT - 8}>
          {number(high)} {unit}
        </text>
      </svg>
      <figcaption>{said}</figcaption>
    </figure>
  );
}
