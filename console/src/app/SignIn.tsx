/** Asks who it is: name and password, or a token, which is kept for this tab only. */

import { Button, PasswordInput, SegmentedControl, Stack, TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { client, Refusal, token, unwrap } from "../api/client";
import { me } from "../api/me";

type Way = "password" | "token";

export function SignIn() {
  const [way, setWay] = useState<Way>("password");
  const [user, setUser] = useState("");
  const [secret, setSecret] = useState("");
  const [error, setError] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const queries = useQueryClient();

  async function submit(event: FormEvent) {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      me.set(await (way === "token" ? byToken(secret.trim()) : byPassword(user.trim(), secret)));
      queries.clear();
    } catch (refused) {
      token.clear();
      const wrong = way === "token" && refused instanceof Refusal && refused.status === 401;
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
          <SegmentedControl
            aria-label="How to sign in"
            value={way}
            onChange={(value) => {
              setWay(value as Way);
              setSecret("");
              setError(null);
            }}
            data={[
              { value: "password", label: "Name and password" },
              { value: "token", label: "Token" },
            ]}
          />
          {way === "password" ? (
            <TextInput
              label="Name"
              value={user}
              onChange={(event) => setUser(event.currentTarget.value)}
              autoComplete="username"
              required
            />
          ) : (
            <p className="muted">
              A token of <code>holdfast tokens add</code>, or the value of <code>server.token</code>
              . It is kept until this tab is closed.
            </p>
          )}
          <PasswordInput
            label={way === "password" ? "Password" : "Token"}
            value={secret}
            onChange={(event) => setSecret(event.currentTarget.value)}
            error={error}
            autoComplete="current-password"
            required
          />
          <Button
            type="submit"
            loading={busy}
            disabled={!secret.trim() || (way === "password" && !user.trim())}
          >
            Sign in
          </Button>
        </Stack>
      </form>
    </main>
  );
}

function byPassword(user: string, password: string) {
  token.clear();
  return unwrap(client.POST("/v1/session", { body: { user, password } }));
}

function byToken(secret: string) {
  token.set(secret);
  return unwrap(client.GET("/v1/session"));
}
