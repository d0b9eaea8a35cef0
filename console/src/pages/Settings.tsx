/** What a person chooses on this machine, and what this installation is. */

import { Button, SegmentedControl, TextInput, useMantineColorScheme } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { token } from "../api/client";
import { useMaySeeVersions } from "../api/configurations";
import { connection } from "../api/connection";
import { useVersion } from "../api/queries";
import { PageHead } from "../app/PageHead";
import { ACTOR_PATTERN, prefs, usePrefs, type Zone } from "../app/prefs";
import { Facts } from "../parts/Facts";
import { Section } from "../parts/Section";
import { Versions } from "../parts/Versions";

export default function Settings() {
  return (
    <>
      <PageHead title="Settings">
        <p className="muted">
          Yours are kept in this browser. The configuration is a file; its versions are below.
        </p>
      </PageHead>
      <Section title="You">
        <Actor />
        {token.get() && <SignOut />}
      </Section>
      <Section title="Display">
        <Display />
      </Section>
      <Section title="This installation">
        <About />
      </Section>
      <Configuration />
    </>
  );
}

function Configuration() {
  if (!useMaySeeVersions()) return null;
  return (
    <Section title="Configuration" note="Each start with another file is a version.">
      <Versions />
    </Section>
  );
}

function Actor() {
  const [name, setName] = useState(usePrefs().actor);
  const good = ACTOR_PATTERN.test(name);
  return (
    <TextInput
      className="field"
      label="Your name in the audit journal"
      description="Sent with every action while nobody is signed in: anybody may write any name then."
      value={name}
      maxLength={100}
      onChange={(event) => {
        setName(event.currentTarget.value);
        if (ACTOR_PATTERN.test(event.currentTarget.value)) {
          prefs.set({ actor: event.currentTarget.value });
        }
      }}
      error={good ? null : "1 to 100 letters, digits and signs of plain ASCII"}
    />
  );
}

function SignOut() {
  const queries = useQueryClient();
  return (
    <Button
      size="xs"
      variant="default"
      onClick={() => {
        token.clear();
        queries.clear();
        connection.locked("");
      }}
    >
      Sign out
    </Button>
  );
}

function Display() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const { zone } = usePrefs();
  return (
    <div className="fields">
      <div className="field">
        <p id="theme-label" className="field-label">
          Theme
        </p>
        <SegmentedControl
          size="xs"
          aria-labelledby="theme-label"
          value={colorScheme}
          onChange={(value) => setColorScheme(value as typeof colorScheme)}
          data={[
            { value: "auto", label: "As the system" },
            { value: "light", label: "Light" },
            { value: "dark", label: "Dark" },
          ]}
        />
      </div>
      <div className="field">
        <p id="zone-label" className="field-label">
          Time zone
        </p>
        <SegmentedControl
          size="xs"
          aria-labelledby="zone-label"
          value={zone}
          onChange={(value) => prefs.set({ zone: value as Zone })}
          data={[
            { value: "local", label: "Local" },
            { value: "utc", label: "UTC" },
            { value: "recipient", label: "Recipient's" },
          ]}
        />
        <p className="muted">
          Here the recipient's zone holds beside a recipient and UTC elsewhere. Every instant tells
          both on hover.
        </p>
      </div>
    </div>
  );
}

function About() {
  const version = useVersion();
  return (
    <Facts
      facts={[
        ["Version", version.data?.version],
        ["Address", <code key="address">{location.origin}</code>],
        [
          "API",
          <a key="api" href="/openapi.json">
            its description
          </a>,
        ],
      ]}
    />
  );
}
