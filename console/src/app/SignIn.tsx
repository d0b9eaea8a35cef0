/** Asks for the token when the API wants one; it is kept for this tab only. */

import { Button, PasswordInput, Stack } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { client, Refusal, token, unwrap } from "../api/client";

export function SignIn() {
  const [typed, setTyped] = useState("");
  const [error, setError] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const queries = useQueryClient();

  async function submit(event: FormEvent) {
    event.preventDefault();
    setBusy(true);
    token.set(typed.trim());
    try {
      await unwrap(client.GET("/v1/workers"));
      queries.clear();
    } catch (refused) {
      token.clear();
      const wrong = refused instanceof Refusal && refused.status === 401;
      setError(wrong ? "This token is not accepted." : String((refused as Error).message));
    } finally {
      setBusy(false);
    }
  }

  return (
    <main className="sign-in">
      <form onSubmit={(event) => void submit(event)}>
        <Stack gap="md">
          <h1>Holdfast</h1>
          <p className="muted">
            This Holdfast wants a token: the value of <code>server.token</code> in its
            configuration. It is kept until this tab is closed.
          </p>
          <PasswordInput
            label="Token"
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
            error={error}
            autoComplete="current-password"
            required
          />
          <Button type="submit" loading={busy} disabled={!typed.trim()}>
            Sign in
          </Button>
        </Stack>
      </form>
    </main>
  );
}
