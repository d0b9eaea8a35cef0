/** How often, over time, as a row of small bars; the numbers are said for those who do not see it. */

import { count, span } from "../logic/numbers";

interface Props {
  values: readonly number[];
  /** Of one bar, ms. */
  everyMs: number;
  /** What is counted. */
  what: string;
}

const HIGH = 20;
const WIDE = 3;

export function Spark({ values, everyMs, what }: Props) {
  const top = Math.max(1, ...values);
  const sum = values.reduce((all, value) => all + value, 0);
  const label = `${count(sum)} ${what} in ${span(everyMs * values.length)}, at most ${count(top)} in ${span(everyMs)}`;
  return (
    <svg
      className="spark"
      width={values.length * WIDE}
      height={HIGH}
      role="img"
      aria-label={sum > 0 ? label : `no ${what} in ${span(everyMs * values.length)}`}
    >
      <title>{sum > 0 ? label : `no ${what} in ${span(everyMs * values.length)}`}</title>
      <path className="spark-floor" d={`M0 ${HIGH - 0.5}H${values.length * WIDE}`} />
      {values.map((value, index) => {
        const high = value > 0 ? Math.max(2, (value / top) * HIGH) : 0;
        return (
          <rect
            // biome-ignore lint/suspicious/noArrayIndexKey: a bar is its place
            key={index}
            x={index * WIDE}
            y={HIGH - high}
            width={WIDE - 1}
            height={high}
          />
        );
      })}
    </svg>
  );
}
