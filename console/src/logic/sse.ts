/** Server-sent events (WHATWG HTML, 9.2) out of pieces of text. */

export interface Said {
  event: string;
  data: string;
}

/** A word is a few kilobytes; what grows beyond is no stream of ours. */
const MOST = 1_000_000;

/** Return the whole events of what was left over and a new piece, and what is left over now. */
export function split(left: string, piece: string): { said: Said[]; left: string } {
  const text = (left + piece).replaceAll("\r\n", "\n");
  const parts = text.split("\n\n");
  const rest = parts.pop() ?? "";
  if (rest.length > MOST) throw new Error("an event of the stream has no end");
  return { said: parts.map(event).filter((one) => one.data !== ""), left: rest };
}

function event(text: string): Said {
  const made: Said = { event: "message", data: "" };
  const lines: string[] = [];
  for (const line of text.split("\n")) {
    const [, name, value] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? [];
    if (name === "event") made.event = value ?? "";
    if (name === "data") lines.push(value ?? "");
  }
  return { ...made, data: lines.join("\n") };
}
