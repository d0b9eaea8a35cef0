/** Axes of plots: round numbers, positions, paths. */

/** Return a round upper bound at or above `value`, so that a plot does not jump at every poll. */
export function ceiling(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const steps = [1, 2, 2.5, 5, 10];
  return power * (steps.find((step) => step * power >= value) ?? 10);
}

/** Return 0, half and the whole of a ceiling: enough to read a small plot. */
export function ticks(top: number): number[] {
  return [0, top / 2, top];
}

/** Return times of round minutes or seconds between two instants, at most `most`. */
export function timeTicks(from: number, to: number, most: number): number[] {
  const sizes = [1, 5, 10, 30, 60, 300, 600, 900, 1800, 3600, 10_800, 21_600, 86_400];
  const size = 1000 * (sizes.find((one) => (to - from) / (one * 1000) <= most) ?? 86_400);
  const found: number[] = [];
  for (let at = Math.ceil(from / size) * size; at <= to; at += size) found.push(at);
  return found;
}

export interface Dot {
  x: number;
  y: number;
}

/** Sums of stretches as steps: each value holds from the end of the stretch before to its own. */
export function steps(dots: Dot[]): Dot[] {
  const [first, ...rest] = dots;
  if (first === undefined || rest.length === 0) return dots;
  // The stretch of the first lies before the plot begins.
  return rest.flatMap((dot, index) => [{ x: dots[index]?.x ?? first.x, y: dot.y }, dot]);
}

/** A line through dots; null breaks it. */
export function line(dots: (Dot | null)[]): string {
  let open = false;
  return dots
    .map((dot) => {
      if (dot === null) {
        open = false;
        return "";
      }
      const text = `${open ? "L" : "M"}${dot.x.toFixed(1)} ${dot.y.toFixed(1)}`;
      open = true;
      return text;
    })
    .join("");
}

/** The area between a line and the line below it. */
export function area(top: Dot[], bottom: Dot[]): string {
  return top.length === 0 ? "" : `${line(top)}${line([...bottom].reverse()).replace("M", "L")}Z`;
}
