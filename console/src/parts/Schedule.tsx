/** When retries go out, as a plot: each retry's window on one time axis, with the end of time. */

import { useElementSize } from "@mantine/hooks";
import type { StepPolicy } from "../api/types";
import { seconds, span } from "../logic/numbers";
import { ceiling } from "../logic/scale";

interface Props {
  policy: StepPolicy["policy"];
  schedule: StepPolicy["schedule"];
}

const USUAL = 720;
const LEFT = 58;
const RIGHT = 150;
const ROW = 22;
const MOST = 20;

export function Schedule({ policy, schedule }: Props) {
  const shown = schedule.slice(0, MOST);
  const last = shown.at(-1);
  if (!last) return <p className="muted">No retry is allowed.</p>;
  return <Drawing policy={policy} schedule={schedule} shown={shown} end={last.latest_ms} />;
}

interface DrawingProps extends Props {
  shown: Props["schedule"];
  /** The latest start of the last retry that is shown, ms. */
  end: number;
}

function Drawing({ policy, schedule, shown, end }: DrawingProps) {
  const box = useElementSize();
  const wide = box.width || USUAL;
  const limit = policy.total_timeout * 1000;
  const within = end >= limit / 3;
  const top = ceiling(Math.max(within ? limit : 0, end, 1) / 1000) * 1000;
  const x = (ms: number) => LEFT + (Math.min(ms, top) / top) * (wide - LEFT - RIGHT);
  const high = shown.length * ROW + 40;
  return (
    <figure className="plot schedule">
      <div ref={box.ref} />
      <svg width={wide} height={high} role="img" aria-label={told(shown)}>
        {(wide < 480 ? [0, 1] : [0, 0.25, 0.5, 0.75, 1]).map((share) => (
          <g key={share} className="grid">
            <path d={`M${x(top * share)} 4V${high - 26}`} />
            <text x={x(top * share)} y={high - 10} textAnchor="middle">
              {share === 0 ? "0" : span(top * share)}
            </text>
          </g>
        ))}
        {within && (
          <g className="plot-bad">
            <path className="line dashed" d={`M${x(limit)} 4V${high - 26}`} />
          </g>
        )}
        {shown.map((one, index) => {
          const y = index * ROW + 16;
          return (
            <g key={one.retry} className="plot-main">
              <text x={LEFT - 10} y={y + 4} textAnchor="end">
                retry {one.retry}
              </text>
              <path
                className="range"
                d={`M${x(one.earliest_ms)} ${y}H${Math.max(x(one.latest_ms), x(one.earliest_ms) + 2)}`}
              />
              <text x={wide - RIGHT + 12} y={y + 4} className="num">
                {one.low_ms === one.high_ms
                  ? `after ${span(one.low_ms)}`
                  : `after ${span(one.low_ms)} to ${span(one.high_ms)}`}
              </text>
            </g>
          );
        })}
      </svg>
      <figcaption className="muted">
        Bars span the earliest and the latest start, each retry after the one before.{" "}
        {within
          ? `The dashed line is the end: no retry starts after ${seconds(policy.total_timeout)} of ${policy.timeout_clock} time.`
          : `All are well before the end of ${seconds(policy.total_timeout)} of ${policy.timeout_clock} time.`}{" "}
        {policy.strategy === "adaptive" && "Learned outages move these times. "}
        {schedule.length > MOST && `The first ${MOST} of ${schedule.length} are shown.`}
      </figcaption>
    </figure>
  );
}

function told(schedule: StepPolicy["schedule"]): string {
  return schedule
    .map(
      (one) =>
        `retry ${one.retry} starts ${span(one.earliest_ms)} to ${span(one.latest_ms)} after the first try`,
    )
    .join("; ");
}
