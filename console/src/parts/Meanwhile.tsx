/** Somebody was faster: who, what is different now, and that nothing was done. */

import { useAudit } from "../api/queries";
import { meanwhile } from "../logic/meanwhile";
import { Time } from "../time/Time";

interface Props {
  seen: { state: object; subject: string };
  current: object;
  /** Whether the action still makes sense. */
  possible: boolean;
  verb: string;
}

export function Meanwhile({ seen, current, possible, verb }: Props) {
  const [last] = useAudit(seen.subject, 1).data ?? [];
  const changes = meanwhile(seen.state, current);
  return (
    <div className="meanwhile" role="alert">
      <p>
        <b>It changed while you looked. Nothing was done.</b>{" "}
        {possible ? "See what is different, then decide." : `${verb} is not possible any more.`}
      </p>
      {changes.length > 0 && (
        <table className="table diff">
          <thead>
            <tr>
              <th scope="col">What</th>
              <th scope="col">You saw</th>
              <th scope="col">Now</th>
            </tr>
          </thead>
          <tbody>
            {changes.map((change) => (
              <tr key={change.name}>
                <th scope="row">{change.name}</th>
                <td>{change.seen}</td>
                <td>{change.now}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {last && (
        <p className="muted">
          <b>{last.actor}</b> {last.action.replaceAll("_", " ")} <Time at={last.at} />:{" "}
          {last.reason}
        </p>
      )}
    </div>
  );
}
