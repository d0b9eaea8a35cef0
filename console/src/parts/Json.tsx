/** Text as it came, indented when it is JSON; numbers keep every digit since nothing is parsed. */

export function Json({ text, label }: { text: string; label: string }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolled region must be reachable by keyboard
    <section className="code" tabIndex={0} aria-label={label}>
      <pre>{pretty(text)}</pre>
    </section>
  );
}

/** Indent JSON without reading its values: `12345678901234567890` stays what it is. */
export function pretty(text: string): string {
  if (!/^\s*[[{]/.test(text)) return text;
  let depth = 0;
  let inside = false;
  let made = "";
  for (let at = 0; at < text.length; at += 1) {
    const sign = text.charAt(at);
    if (inside) {
      made += sign;
      if (sign === "\\") {
        made += text.charAt(at + 1);
        at += 1;
      } else if (sign === '"') inside = false;
      continue;
    }
    if (sign === '"') {
      inside = true;
      made += sign;
    } else if (sign === "{" || sign === "[") {
      const close = sign === "{" ? "}" : "]";
      const rest = text.slice(at + 1).match(/^\s*/)?.[0].length ?? 0;
      if (text.charAt(at + 1 + rest) === close) {
        made += sign + close;
        at += 1 + rest;
      } else {
        depth += 1;
        made += `${sign}\n${"  ".repeat(depth)}`;
      }
    } else if (sign === "}" || sign === "]") {
      depth = Math.max(0, depth - 1);
      made += `\n${"  ".repeat(depth)}${sign}`;
    } else if (sign === ",") made += `,\n${"  ".repeat(depth)}`;
    else if (sign === ":") made += ": ";
    else if (!/\s/.test(sign)) made += sign;
  }
  return made;
}
