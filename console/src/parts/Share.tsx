/** Parts of a whole as one bar, with their numbers in words below; never by colour alone. */

import { count } from "../logic/numbers";
import type { Part } from "../logic/operations";

export function Share({ parts, of, label }: { parts: Part[]; of: number; label: string }) {
  const whole = Math.max(
    of,
    parts.reduce((sum, part) => sum + part.number, 0),
  );
  const text = parts.map((part) => `${count(part.number)} ${part.name}`).join(", ");
  return (
    <div className="share">
      <div className="share-bar" role="img" aria-label={`${label}: ${text || "nothing yet"}`}>
        {parts
          .filter((part) => part.tone !== "none")
          .map((part) => (
            <div
              key={part.name}
              className={`share-part share-${part.tone}`}
              style={{ width: `${(part.number / whole) * 100}%` }}
            />
          ))}
      </div>
      <ul className="share-legend num">
        {parts.map((part) => (
          <li key={part.name}>
            <span className={`share-key share-${part.tone}`} aria-hidden="true" />
            <b>{count(part.number)}</b> {part.name}
          </li>
        ))}
      </ul>
    </div>
  );
}
