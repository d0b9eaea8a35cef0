/** Is somebody there? What a page asks by itself must not keep a session alive. */

/** So long after a key, a click or a turn of the wheel somebody is there. */
const AWAY_MS = 60_000;
let last = Date.now();

for (const kind of ["keydown", "pointerdown", "wheel"]) {
  addEventListener(
    kind,
    () => {
      last = Date.now();
    },
    { capture: true, passive: true },
  );
}

/** Return the header that says that nobody is there, when it is so. */
export function background(): Record<string, string> {
  return Date.now() - last < AWAY_MS ? {} : { "Holdfast-Background": "1" };
}
