/** The difference of two values as a list of places: what changed between two tries. */

export interface Change {
  path: string;
  before: string;
  after: string;
}

const ABSENT = "–";

/** Lay an object flat: `a.b.0` -> text. */
export function flatten(value: unknown, path = ""): Map<string, string> {
  const found = new Map<string, string>();
  if (typeof value !== "object" || value === null) {
    found.set(path, value === null || value === undefined ? ABSENT : String(value));
    return found;
  }
  const entries = Object.entries(value);
  if (entries.length === 0) found.set(path, Array.isArray(value) ? "[]" : "{}");
  for (const [name, inner] of entries) {
    for (const [key, text] of flatten(inner, path ? `${path}.${name}` : name)) {
      found.set(key, text);
    }
  }
  return found;
}

/** Return the places where two values differ, without those that `ignore` matches. */
export function diff(before: unknown, after: unknown, ignore: RegExp): Change[] {
  const [old, fresh] = [flatten(before), flatten(after)];
  const paths = [...new Set([...old.keys(), ...fresh.keys()])];
  return paths
    .filter((path) => !ignore.test(path))
    .map((path) => ({ path, before: old.get(path) ?? ABSENT, after: fresh.get(path) ?? ABSENT }))
    .filter((change) => change.before !== change.after);
}

/** Places that always differ between two tries and explain nothing. */
export const ALWAYS_DIFFERENT =
  /^(event_id|original_event_id|position|delivery_id|message_id|cumulative_attempt|context\.at|.*_timestamp|attempt_number|processing_time_ms|jitter\.draw_ms|context\.system\.|context\.queue\.|next_action\.at|configuration\.origin)/;
