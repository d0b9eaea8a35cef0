/** Numbers for people: units always given, digits that line up. */

const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export function count(value: number): string {
  return WHOLE.format(value);
}

/** Worth in the unit of the messages, which nobody has named: whole from 100 on. */
export function worth(value: number): string {
  return value >= 100 ? count(value) : value.toFixed(2);
}

/** A share of 0-1 as percent; almost all is never rounded to all, almost none never to none. */
export function percent(share: number): string {
  if (share > 0 && share < 0.001) return "<0.1 %";
  if (share < 1 && share > 0.999) return ">99.9 %";
  const value = share * 100;
  return `${value >= 99.95 || value < 0.05 ? value.toFixed(0) : value.toFixed(1)} %`;
}

/** A share that somebody set, as it was set: `80 %`, `2.5 %`. */
export function setShare(share: number): string {
  return `${Number((share * 100).toFixed(1))} %`;
}

export function rate(perSecond: number): string {
  return `${perSecond >= 100 ? count(perSecond) : perSecond.toFixed(1)}/s`;
}

/** A duration in ms: `42 ms`, `1.3 s`, `12 s`, `3 min 20 s`, `5 h 10 min`, `2 d 3 h`. */
export function span(ms: number): string {
  const value = Math.max(0, ms);
  if (value < 1000) return `${Math.round(value)} ms`;
  const seconds = value / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return two(whole, 60, "min", 1, "s");
  if (whole < 86_400) return two(whole, 3600, "h", 60, "min");
  return two(whole, 86_400, "d", 3600, "h");
}

function two(seconds: number, big: number, bigUnit: string, small: number, unit: string): string {
  const first = Math.floor(seconds / big);
  const rest = Math.floor((seconds % big) / small);
  return rest === 0 ? `${first} ${bigUnit}` : `${first} ${bigUnit} ${rest} ${unit}`;
}

/** A setting in seconds, without false precision: `0.5 s`, `90 s`, `5 min`, `72 h`. */
export function seconds(value: number): string {
  if (value < 120) return `${Number(value.toFixed(3))} s`;
  if (value % 3600 === 0) return `${value / 3600} h`;
  if (value % 60 === 0 && value < 7200) return `${value / 60} min`;
  return span(value * 1000);
}

export function bytes(value: number): string {
  if (value < 1024) return `${value} B`;
  if (value < 1024 * 1024) return `${(value / 1024).toFixed(1)} KiB`;
  if (value < 1024 ** 3) return `${(value / 1024 / 1024).toFixed(0)} MiB`;
  return `${(value / 1024 ** 3).toFixed(1)} GiB`;
}

export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}
