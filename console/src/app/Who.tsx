/** Who is signed in, and the way out. */

import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { client, token, unwrap } from "../api/client";
import { connection } from "../api/connection";
import { me, useMe } from "../api/me";

export function Who() {
  const known = useMe();
  const queries = useQueryClient();

  useEffect(() => {
    // Refused, it is the form's turn; not reached, the next answer of a page says so.
    unwrap(client.GET("/v1/session")).then(me.set, () => undefined);
  }, []);

  async function leave() {
    if (known?.kind === "user") await unwrap(client.DELETE("/v1/session")).catch(() => undefined);
    token.clear();
    me.set(null);
    queries.clear();
    connection.locked("");
  }

  if (known === null) return null;
  const where = known.account === null ? "" : ` of ${known.account}`;
  const signed = known.kind === "user" || token.get() !== null;
  return (
    <span className="who">
      <span title={`${known.role}${where}`}>
        {known.kind === "owner" ? "Local owner" : known.name}{" "}
        <span className="muted">{known.role.replace("_", " ")}</span>
      </span>
      {signed && (
        <button type="button" className="plain" onClick={() => void leave()}>
          Sign out
        </button>
      )}
    </span>
  );
}
