/** Small plots over time, drawn as SVG: legible without colour, with the numbers beside them. */

import { useElementSize } from "@mantine/hooks";
import { type PointerEvent, useId, useRef, useState } from "react";
import { usePrefs } from "../app/prefs";
import { area, ceiling, type Dot, line, steps, ticks, timeTicks } from "../logic/scale";
import { clock, zoneName } from "../time/format";

export interface Series {
  name: string;
  /** Names the colour: `--plot-<tone>`. */
  tone: "ok" | "bad" | "main" | "quiet";
  values: (number | null)[];
  dashed?: boolean;
}

interface Props {
  title: string;
  /** Instants in ms, oldest first. */
  times: number[];
  series: Series[];
  /** Areas on top of each other instead of lines. */
  stacked?: boolean;
  show: (value: number) => string;
  /** Least upper end of the axis, so that a quiet hour looks quiet. */
  least?: number;
}

const USUAL = 640;
const HIGH = 150;
const LEFT = 46;
const BOTTOM = 20;
const TOP = 8;
/** Room for `14:03:22`. */
const LABEL = 54;

export function Plot(props: Props) {
  if (props.times.length < 2) {
    return <p className="plot-empty muted">The first points appear within ten seconds.</p>;
  }
  return <Drawing {...props} />;
}

function Drawing({ title, times, series, stacked = false, show, least = 0 }: Props) {
  const [at, setAt] = useState<number | null>(null);
  const zone = zoneName(usePrefs().zone);
  const frame = useRef<SVGSVGElement>(null);
  const box = useElementSize();
  const wide = box.width || USUAL;
  const id = useId();
  const first = times[0] ?? 0;
  const last = times.at(-1) ?? first + 1;
  const layers = stacked ? stack(series) : series.map((one) => one.values);
  const top = ceiling(Math.max(least, ...layers.flat().map((value) => value ?? 0)));
  const x = (time: number) => LEFT + ((time - first) / (last - first)) * (wide - LEFT - 4);
  const y = (value: number) => TOP + (1 - value / top) * (HIGH - TOP - BOTTOM);
  const dots = (values: (number | null)[]) =>
    values.map((value, index) => dot(x(times[index] ?? first), value === null ? null : y(value)));

  const pointed = (event: PointerEvent) => {
    const left = frame.current?.getBoundingClientRect().left ?? 0;
    const wanted = event.clientX - left;
    const nearest = times.reduce<number>(
      (best, time, index) =>
        Math.abs(x(time) - wanted) < Math.abs(x(times[best] ?? first) - wanted) ? index : best,
      0,
    );
    setAt(nearest);
  };

  const seen = at === null ? times.length - 1 : Math.min(at, times.length - 1);
  const seenAt = times[seen] ?? last;
  return (
    <figure className="plot" aria-labelledby={id}>
      <figcaption id={id}>
        <span className="plot-title">{title}</span>
        <span className="plot-legend">
          <span className="num muted">{at === null ? "now" : clock(seenAt, zone)}</span>
          {series.map((one) => (
            <span key={one.name} className={`key plot-${one.tone}`}>
              <svg viewBox="0 0 14 6" aria-hidden="true">
                <path d="M0 3h14" className={one.dashed ? "dashed" : undefined} />
              </svg>
              {one.name} <b className="num">{value(one.values[seen], show)}</b>
            </span>
          ))}
        </span>
      </figcaption>
      <div ref={box.ref} />
      <svg
        ref={frame}
        width={wide}
        height={HIGH}
        role="img"
        aria-label={`${title}: ${series.map((one) => `${one.name} ${value(one.values.at(-1), show)}`).join(", ")} now`}
        onPointerMove={pointed}
        onPointerLeave={() => setAt(null)}
      >
        {ticks(top).map((tick) => (
          <g key={tick} className="grid">
            <path d={`M${LEFT} ${y(tick)}H${wide - 4}`} />
            <text x={LEFT - 6} y={y(tick) + 4} textAnchor="end">
              {show(tick)}
            </text>
          </g>
        ))}
        {timeTicks(first, last, wide < 480 ? 3 : 6).map((tick) => (
          <text
            key={tick}
            className="tick"
            x={Math.min(x(tick), wide - LABEL / 2)}
            y={HIGH - 5}
            textAnchor="middle"
          >
            {clock(tick, zone).slice(0, last - first > 120_000 ? 5 : 8)}
          </text>
        ))}
        {series.map((one, index) => {
          const own = dots(layers[index] ?? []);
          const shape = stacked ? steps(whole(own)) : own;
          const under = layers[index - 1] ?? times.map(() => 0);
          return (
            <g key={one.name} className={`plot-${one.tone}`}>
              {stacked && (
                <path className="fill" d={area(whole(shape), steps(whole(dots(under))))} />
              )}
              <path className={one.dashed ? "line dashed" : "line"} d={line(shape)} />
            </g>
          );
        })}
        {at !== null && <path className="cursor" d={`M${x(seenAt)} ${TOP}V${HIGH - BOTTOM}`} />}
      </svg>
    </figure>
  );
}

function value(found: number | null | undefined, show: (value: number) => string): string {
  return found === null || found === undefined ? "–" : show(found);
}

function dot(x: number, y: number | null): Dot | null {
  return y === null ? null : { x, y };
}

function whole(dots: (Dot | null)[]): Dot[] {
  return dots.filter((one): one is Dot => one !== null);
}

function stack(series: Series[]): number[][] {
  let below: number[] = [];
  return series.map((one) => {
    below = one.values.map((each, index) => (each ?? 0) + (below[index] ?? 0));
    return below;
  });
}
